use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Deserializer, Value, de::SliceRead};

use super::{BoxError, Content, ContentError, JSON, Serializer, Visit, deserialize, erased_serde};

/// JSON, as every Nexus SDK speaks it by default.
///
/// Writes `application/json`, and a null as no content at all. Reads `application/json` with any parameters, and no content as a null.
#[derive(Debug, Clone, Copy, Default)]
pub struct JsonSerializer;

pub(super) fn write<T: Serialize + ?Sized>(value: &T) -> Result<Content, BoxError> {
    let data = serde_json::to_vec(value)?;
    if data == b"null" {
        return Ok(Content::empty());
    }
    Ok(Content::json(data))
}

pub(super) fn read<T: DeserializeOwned>(content: &Content) -> Result<T, ContentError> {
    let Some(mut json) = json_of(content)? else {
        return deserialize(Value::Null);
    };
    let value = deserialize(&mut json)?;
    expect_end(&mut json)?;
    Ok(value)
}

impl Serializer for JsonSerializer {
    fn serialize(
        &self,
        value: Box<dyn erased_serde::Serialize + Send>,
    ) -> Result<Content, BoxError> {
        write(&*value)
    }

    fn deserialize(&self, content: Content, visit: Visit<'_>) -> Result<(), ContentError> {
        let Some(mut json) = json_of(&content)? else {
            return visit(&mut <dyn erased_serde::Deserializer<'_>>::erase(
                Value::Null,
            ));
        };
        visit(&mut <dyn erased_serde::Deserializer<'_>>::erase(&mut json))?;
        expect_end(&mut json)
    }
}

/// `None`: no content, which is a null.
fn json_of(content: &Content) -> Result<Option<Deserializer<SliceRead<'_>>>, ContentError> {
    if content.is_empty() {
        return Ok(None);
    }
    if !content.content_type().is_some_and(is_json) {
        return Err(ContentError::ContentType {
            found: content.content_type().map(str::to_owned),
            expected: JSON,
        });
    }
    Ok(Some(Deserializer::from_slice(&content.data)))
}

fn expect_end(json: &mut Deserializer<SliceRead<'_>>) -> Result<(), ContentError> {
    json.end().map_err(|error| ContentError::Deserialize {
        path: String::new(),
        message: error.to_string(),
    })
}

fn is_json(content_type: &str) -> bool {
    if content_type == JSON {
        return true;
    }
    let media_type = content_type.split(';').next().unwrap_or_default();
    media_type.trim().eq_ignore_ascii_case(JSON)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FromContent;

    #[test]
    fn reads_json_with_parameters_only() {
        let read = |content_type: &str, body: &'static str| {
            u8::from_content(Content::new(content_type, body), &JsonSerializer)
        };
        assert_eq!(read("application/json", "7").unwrap(), 7);
        assert_eq!(read("Application/JSON; charset=utf-8", " 7 ").unwrap(), 7);
        assert_eq!(
            read("text/plain", "7").unwrap_err().to_string(),
            r#"content type "text/plain" cannot be read, expected application/json"#
        );
        assert_eq!(
            read("application/json", "7 8").unwrap_err().to_string(),
            "trailing characters at line 1 column 3"
        );
        assert!(read("application/json", "").is_err());
    }

    #[test]
    fn a_body_without_a_type_is_refused() {
        let content = Content {
            data: "7".into(),
            ..Content::default()
        };
        assert_eq!(
            u8::from_content(content, &JsonSerializer)
                .unwrap_err()
                .to_string(),
            "content type (none) cannot be read, expected application/json"
        );
    }
}
