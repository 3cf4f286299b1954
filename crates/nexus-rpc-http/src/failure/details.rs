//! The details of an application inside the details of a failure.
//!
//! Both dialects use the members that the draft gives `details`: `metadata` and `data`. The current dialect allows any JSON as `data`,
//! so JSON stands there as it is; the draft wants a string, and the metadata says that the string is JSON.

use base64::{Engine, prelude::BASE64_STANDARD};
use nexus_rpc::{Content, Headers};
use serde_json::{Map, Value};

use super::StringMap;

const CONTENT_PREFIX: &str = "content-";
const CONTENT_TYPE: &str = "content-type";
const JSON: &str = "application/json";
/// Says that `data` is not the bytes themselves as UTF-8.
const DATA_ENCODING: &str = "data-encoding";
const BASE64: &str = "base64";

/// `{"data": <JSON>}` for JSON, else `{"metadata": {…}, "data": "<text>"}`.
pub(super) fn from_content(content: Content) -> Value {
    let only_type = content.headers.len() == 1;
    if only_type
        && content.content_type() == Some(JSON)
        && let Ok(data) = serde_json::from_slice::<Value>(&content.data)
    {
        return object([("data", data)]);
    }
    let mut metadata: StringMap = content
        .headers
        .iter()
        .map(|(name, value)| (format!("{CONTENT_PREFIX}{name}"), value.to_owned()))
        .collect();
    let data = match String::from_utf8(content.data.into()) {
        Ok(text) => text,
        Err(error) => {
            metadata.insert(DATA_ENCODING.to_owned(), BASE64.to_owned());
            BASE64_STANDARD.encode(error.as_bytes())
        }
    };
    with_metadata(&metadata, data)
}

/// The way back; details that have another form are JSON.
pub(super) fn to_content(details: &Value) -> Content {
    if let Some(details) = details.as_object()
        && let Some(data) = details.get("data")
        && details.keys().all(|key| key == "data" || key == "metadata")
    {
        match (data, details.get("metadata")) {
            (data, None) => return json(data),
            (Value::String(text), Some(metadata)) => {
                if let Some(content) = described(text, metadata) {
                    return content;
                }
            }
            _ => {}
        }
    }
    json(details)
}

/// Details in the only form that the draft knows. `None`: the members `metadata` and `data` are as they must be already.
pub(super) fn to_draft(details: &Value) -> Option<Value> {
    if is_draft(details) {
        return None;
    }
    // JSON in a string, with a note that it is.
    let data = match details.as_object() {
        Some(object) if object.len() == 1 => object.get("data").unwrap_or(details),
        _ => details,
    };
    let metadata = StringMap::from([(CONTENT_TYPE.to_owned(), JSON.to_owned())]);
    Some(with_metadata(&metadata, data.to_string()))
}

/// Whether details are an object whose `metadata` maps strings to strings and whose `data` is a string, where they are there.
pub(super) fn is_draft(details: &Value) -> bool {
    let Some(details) = details.as_object() else {
        return false;
    };
    let metadata_fits = match details.get("metadata") {
        None => true,
        Some(Value::Object(metadata)) => metadata.values().all(Value::is_string),
        Some(_) => false,
    };
    metadata_fits && details.get("data").is_none_or(Value::is_string)
}

fn described(text: &str, metadata: &Value) -> Option<Content> {
    let mut headers = Headers::new();
    let mut encoding = None;
    for (key, value) in metadata.as_object()? {
        let value = value.as_str()?;
        if key == DATA_ENCODING {
            encoding = Some(value);
        } else {
            headers.insert(key.strip_prefix(CONTENT_PREFIX)?, value);
        }
    }
    let data = match encoding {
        None => text.to_owned().into_bytes(),
        Some(BASE64) => BASE64_STANDARD.decode(text).ok()?,
        Some(_) => return None,
    };
    Some(Content {
        headers,
        data: data.into(),
    })
}

fn json(value: &Value) -> Content {
    Content::new(JSON, value.to_string())
}

fn with_metadata(metadata: &StringMap, data: String) -> Value {
    let metadata: Map<String, Value> = metadata
        .iter()
        .map(|(key, value)| (key.clone(), Value::from(value.as_str())))
        .collect();
    object([("metadata", metadata.into()), ("data", data.into())])
}

fn object<const N: usize>(members: [(&str, Value); N]) -> Value {
    members
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value))
        .collect()
}
