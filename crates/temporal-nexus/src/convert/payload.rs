//! Values: Temporal's payloads against Nexus content, and the client's payload converter as a Nexus serializer.
//!
//! The mapping is that of Temporal's server at its HTTP edges, so that a handler that looks at content sees the same on a task queue as
//! behind HTTP.

use std::collections::HashMap;

use bytes::Bytes;
use nexus_rpc::{
    Content, HandlerError, Headers, Serializer,
    content::{BoxError, ContentError, OCTET_STREAM, Visit, erased_serde},
};
use prost::Message;
use temporalio_common::{
    data_converters::{
        ErasedSerdePayloadConverter, GenericPayloadConverter, NexusSerializationContext,
        PayloadConversionError, PayloadConverter, SerializationContext, SerializationContextData,
        TemporalDeserializable, TemporalSerializable,
    },
    error::ApplicationFailure,
    protos::temporal::api::common::v1::Payload,
};

const ENCODING: &str = "encoding";
const JSON: &str = "application/json";
const JSON_PROTOBUF: &str = "application/json; format=protobuf; message-type=";
const PROTOBUF: &str = "application/x-protobuf; message-type=";
/// A whole payload, for what has no content type of its own.
const TEMPORAL_PAYLOAD: &str = "application/x-temporal-payload";

/// The serialization context of everything that goes in and out of an operation.
pub(crate) fn nexus_data() -> SerializationContextData {
    SerializationContextData::Nexus(NexusSerializationContext::new())
}

pub(crate) fn payload_to_content(payload: Payload) -> Content {
    let encoding = payload
        .metadata
        .get(ENCODING)
        .map_or(&b""[..], |value| value);
    let message_type = payload
        .metadata
        .get("messageType")
        .and_then(|value| std::str::from_utf8(value).ok());
    let content_type = match (encoding, payload.metadata.len(), message_type) {
        (b"json/plain", 1, _) => JSON.to_owned(),
        (b"binary/plain", 1, _) => OCTET_STREAM.to_owned(),
        (b"binary/null", 1, _) => return Content::empty(),
        (b"json/protobuf", 2, Some(name)) => format!("{JSON_PROTOBUF}{name:?}"),
        (b"binary/protobuf", 2, Some(name)) => format!("{PROTOBUF}{name:?}"),
        _ => return Content::new(TEMPORAL_PAYLOAD, payload.encode_to_vec()),
    };
    Content::new(content_type, payload.data)
}

pub(crate) fn content_to_payload(content: Content) -> Payload {
    if content.is_empty() {
        return payload([(ENCODING, "binary/null")], Bytes::new());
    }
    // The server leaves these two to itself.
    let described = content
        .headers
        .iter()
        .all(|(key, _)| matches!(key, "type" | "length" | "encoding"));
    match content.content_type() {
        Some(kind) if described => {
            if let Some(payload) = known_payload(kind, &content.data) {
                return payload;
            }
        }
        _ => {}
    }
    let headers = content.headers.iter();
    let metadata: Vec<_> = [(ENCODING, "unknown/nexus-content")]
        .into_iter()
        .chain(headers)
        .collect();
    payload(metadata, content.data)
}

fn known_payload(content_type: &str, data: &Bytes) -> Option<Payload> {
    let (media_type, parameters) = content_type.split_once(';').unwrap_or((content_type, ""));
    let parameters: Headers = parameters
        .split(';')
        .filter_map(|parameter| parameter.split_once('='))
        .map(|(key, value)| (key.trim(), value.trim().trim_matches('"')))
        .collect();
    let protobuf = |encoding| {
        let message_type = parameters.get("message-type")?;
        Some(payload(
            [(ENCODING, encoding), ("messageType", message_type)],
            data.clone(),
        ))
    };
    match media_type.trim().to_ascii_lowercase().as_str() {
        TEMPORAL_PAYLOAD => Payload::decode(data.clone()).ok(),
        OCTET_STREAM => Some(payload([(ENCODING, "binary/plain")], data.clone())),
        JSON if parameters.get("format") == Some("protobuf") => protobuf("json/protobuf"),
        JSON => Some(payload([(ENCODING, "json/plain")], data.clone())),
        "application/x-protobuf" => protobuf("binary/protobuf"),
        _ => None,
    }
}

fn payload<'a>(metadata: impl IntoIterator<Item = (&'a str, &'a str)>, data: Bytes) -> Payload {
    let metadata: HashMap<_, _> = metadata
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value.as_bytes().to_vec()))
        .collect();
    Payload {
        metadata,
        data: data.into(),
        external_payloads: Vec::new(),
    }
}

/// The payload converter of a Temporal client as a Nexus serializer.
#[derive(Debug, Clone)]
pub(crate) struct PayloadSerializer {
    converter: PayloadConverter,
}

impl PayloadSerializer {
    pub(crate) fn new(converter: PayloadConverter) -> Self {
        Self { converter }
    }
}

impl Serializer for PayloadSerializer {
    fn serialize(
        &self,
        value: Box<dyn erased_serde::Serialize + Send>,
    ) -> Result<Content, BoxError> {
        let data = nexus_data();
        let context = SerializationContext::new(&data, &self.converter);
        let payload = self.converter.to_payload(&context, &Written(value))?;
        Ok(payload_to_content(payload))
    }

    fn deserialize(&self, content: Content, visit: Visit<'_>) -> Result<(), ContentError> {
        let content_type = content.content_type().map(str::to_owned);
        let data = nexus_data();
        let context = SerializationContext::new(&data, &self.converter);
        let mut read: Read = self
            .converter
            .from_payload(&context, content_to_payload(content))
            .map_err(|error| match error {
                PayloadConversionError::WrongEncoding => ContentError::ContentType {
                    found: content_type,
                    expected: "one that the payload converter reads",
                },
                PayloadConversionError::EncodingError(source) => read_error(source),
                error => ContentError::Serializer(error.into()),
            })?;
        visit(&mut *read.0)
    }
}

/// What a converter cannot read is the sender's fault. An error that says more than that speaks for itself.
fn read_error(source: BoxError) -> ContentError {
    if source.is::<HandlerError>() || source.is::<ApplicationFailure>() {
        return ContentError::Serializer(source);
    }
    ContentError::Deserialize {
        path: String::new(),
        message: source.to_string(),
    }
}

/// Any value, so that the converter's generic methods take it.
struct Written(Box<dyn erased_serde::Serialize + Send>);

impl TemporalSerializable for Written {
    fn as_serde(&self) -> Result<&dyn erased_serde::Serialize, PayloadConversionError> {
        Ok(&*self.0)
    }
}

/// What the converter would read a value from.
struct Read(Box<dyn erased_serde::Deserializer<'static>>);

impl TemporalDeserializable for Read {
    fn from_serde(
        converter: &dyn ErasedSerdePayloadConverter,
        context: &SerializationContext<'_>,
        payload: Payload,
    ) -> Result<Self, PayloadConversionError> {
        converter.from_payload(context.data, payload).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nexus_rpc::{FromContent, ToContent};

    fn metadata(pairs: &[(&str, &str)]) -> Payload {
        payload(pairs.iter().copied(), Bytes::from_static(b"x"))
    }

    #[test]
    fn known_encodings_have_a_content_type() {
        for (payload, content_type) in [
            (metadata(&[(ENCODING, "json/plain")]), JSON),
            (metadata(&[(ENCODING, "binary/plain")]), OCTET_STREAM),
            (
                metadata(&[(ENCODING, "json/protobuf"), ("messageType", "a.B")]),
                r#"application/json; format=protobuf; message-type="a.B""#,
            ),
            (
                metadata(&[(ENCODING, "binary/protobuf"), ("messageType", "a.B")]),
                r#"application/x-protobuf; message-type="a.B""#,
            ),
        ] {
            let content = payload_to_content(payload.clone());
            assert_eq!(content.content_type(), Some(content_type));
            assert_eq!(content_to_payload(content), payload);
        }
    }

    #[test]
    fn other_payloads_travel_whole() {
        for payload in [
            metadata(&[(ENCODING, "binary/encrypted"), ("key", "1")]),
            metadata(&[(ENCODING, "json/plain"), ("more", "1")]),
            metadata(&[]),
        ] {
            let content = payload_to_content(payload.clone());
            assert_eq!(content.content_type(), Some(TEMPORAL_PAYLOAD));
            assert_eq!(content_to_payload(content), payload);
        }
    }

    #[test]
    fn nothing_is_binary_null() {
        let null = payload([(ENCODING, "binary/null")], Bytes::new());
        assert!(payload_to_content(null.clone()).is_empty());
        assert_eq!(content_to_payload(Content::empty()), null);
    }

    #[test]
    fn unknown_content_keeps_its_headers() {
        let payload = content_to_payload(Content::new("image/png", "x"));
        assert_eq!(payload.metadata[ENCODING], b"unknown/nexus-content");
        assert_eq!(payload.metadata["type"], b"image/png");
    }

    #[test]
    fn the_converter_reads_and_writes() {
        let serializer = PayloadSerializer::new(PayloadConverter::default());
        let content = vec![1u8, 2, 3]
            .into_iter()
            .map(u32::from)
            .collect::<Vec<_>>()
            .to_content(&serializer)
            .unwrap();
        assert_eq!(content, Content::new(JSON, "[1,2,3]"));
        assert_eq!(
            Vec::<u32>::from_content(content, &serializer).unwrap(),
            [1, 2, 3]
        );
        assert!(None::<u8>.to_content(&serializer).unwrap().is_empty());
        assert_eq!(
            Option::<u8>::from_content(Content::empty(), &serializer).unwrap(),
            None
        );
        let error = u8::from_content(Content::new(JSON, "[1"), &serializer).unwrap_err();
        assert!(
            matches!(error, ContentError::Deserialize { .. }),
            "{error:?}"
        );
        let error = u8::from_content(Content::new("image/png", "x"), &serializer).unwrap_err();
        assert!(
            matches!(error, ContentError::ContentType { .. }),
            "{error:?}"
        );
    }
}
