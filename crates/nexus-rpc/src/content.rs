//! Values on the wire: [`Content`], the [`Serializer`] that makes and reads it, and the traits that connect both with Rust types.
//!
//! Inputs and outputs of operations implement [`ToContent`] and [`FromContent`]. All types with serde's traits do; a few have a wire
//! form of their own, the same as in the other Nexus SDKs:
//!
//! | Rust | content type | body |
//! |---|---|---|
//! | `()` | none | empty |
//! | `Vec<u8>`, `Option<Vec<u8>>` | `application/octet-stream` | the bytes; for `None` no type and no body |
//! | [`Content`] | its own | its own: nothing is converted |
//! | `Protobuf`, `ProtobufJson` (feature `protobuf`) | `application/x-protobuf`, `application/json; format=protobuf` | a message of Protocol Buffers |
//! | everything else | what the transport's serializer gives, [`JsonSerializer`] unless told otherwise | |

use std::{
    any::{Any, TypeId},
    fmt,
    sync::Arc,
};

use bytes::Bytes;

use crate::Headers;

mod json;
#[cfg(feature = "protobuf")]
mod protobuf;

pub use erased_serde;
pub use json::JsonSerializer;
#[cfg(feature = "protobuf")]
pub use protobuf::{Protobuf, ProtobufJson};

/// Content type of JSON.
pub const JSON: &str = "application/json";

/// Content type of bytes.
pub const OCTET_STREAM: &str = "application/octet-stream";

/// A value as it is on the wire: its bytes, and the headers that say what they are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Content {
    /// Content headers without the prefix `content-`: `type`, `encoding` and so on.
    pub headers: Headers,
    /// The body.
    pub data: Bytes,
}

impl Content {
    /// A body of the media type `content_type`.
    pub fn new(content_type: impl Into<String>, data: impl Into<Bytes>) -> Self {
        Self {
            headers: Headers::of("type", content_type.into()),
            data: data.into(),
        }
    }

    /// A body of the media type `application/json`.
    pub fn json(data: impl Into<Bytes>) -> Self {
        Self {
            headers: Headers::of("type", JSON),
            data: data.into(),
        }
    }

    /// No value: no body and no content type, as the specification has it for a null.
    #[must_use]
    pub fn empty() -> Self {
        Self::default()
    }

    /// The media type with its parameters, as in the header `Content-Type`.
    #[must_use]
    pub fn content_type(&self) -> Option<&str> {
        self.headers.get("type")
    }

    /// Whether this is no value: no body and no content type.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.data.is_empty() && self.content_type().is_none()
    }
}

/// A value that could not be written to, or read from, [`Content`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ContentError {
    /// The value cannot be written.
    #[error("cannot serialize {type_name}")]
    Serialize {
        /// The Rust type.
        type_name: &'static str,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The content is not a value of the type. The text names the place and what was expected there.
    #[error("{}{message}", InPath(path))]
    Deserialize {
        /// Where in the value, as in `items[3].price`; empty for the value as a whole.
        path: String,
        /// What was found and what was expected.
        message: String,
    },
    /// The content has a type that the serializer does not read.
    #[error("content type {} cannot be read, expected {expected}", OrNone(found))]
    ContentType {
        /// The content type.
        found: Option<String>,
        /// What could have been read.
        expected: &'static str,
    },
    /// The content is a message of Protocol Buffers of another type, or does not say of which.
    #[error("message type {} cannot be read, expected {expected:?}", OrNone(found))]
    MessageType {
        /// The full name of the type, as the content has it.
        found: Option<String>,
        /// The full name of the type that could have been read.
        expected: String,
    },
    /// The serializer itself failed, for a reason that does not lie in the content.
    #[error("serializer failed")]
    Serializer(#[source] Box<dyn std::error::Error + Send + Sync>),
}

struct InPath<'a>(&'a str);

impl fmt::Display for InPath<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            "" | "." => Ok(()),
            path => write!(f, "at `{path}`: "),
        }
    }
}

struct OrNone<'a>(&'a Option<String>);

impl fmt::Display for OrNone<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(found) => write!(f, "{found:?}"),
            None => f.write_str("(none)"),
        }
    }
}

/// Reads a value from the deserializer that a [`Serializer`] hands over.
pub type Visit<'a> = &'a mut dyn for<'d, 'de> FnMut(
    &'d mut dyn erased_serde::Deserializer<'de>,
) -> Result<(), ContentError>;

/// Writes serde's data model to [`Content`] and reads it back. A transport chooses one for all its operations.
pub trait Serializer: Any + Send + Sync {
    /// Writes `value`. Takes it by value so that a serializer may hand it on to code that wants to own it.
    fn serialize(
        &self,
        value: Box<dyn erased_serde::Serialize + Send>,
    ) -> Result<Content, BoxError>;

    /// Makes a deserializer for `content` and calls `visit` with it, once.
    fn deserialize(&self, content: Content, visit: Visit<'_>) -> Result<(), ContentError>;
}

/// Any error.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A value that can be sent: implemented for all types with [`serde::Serialize`], and for [`Content`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be sent as input or output of a Nexus operation",
    note = "derive serde's trait: `#[derive(serde::Serialize)]`"
)]
pub trait ToContent: Send + 'static {
    /// Writes the value with `serializer`.
    fn to_content(self, serializer: &dyn Serializer) -> Result<Content, ContentError>;
}

/// A value that can be received: implemented for all types with [`serde::de::DeserializeOwned`], and for [`Content`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be received as input or output of a Nexus operation",
    note = "derive serde's trait: `#[derive(serde::Deserialize)]`"
)]
pub trait FromContent: Sized + Send + 'static {
    /// Reads the value with `serializer`.
    fn from_content(content: Content, serializer: &dyn Serializer) -> Result<Self, ContentError>;
}

impl ToContent for Content {
    fn to_content(self, _: &dyn Serializer) -> Result<Content, ContentError> {
        Ok(self)
    }
}

impl FromContent for Content {
    fn from_content(content: Content, _: &dyn Serializer) -> Result<Self, ContentError> {
        Ok(content)
    }
}

#[diagnostic::do_not_recommend]
impl<T: serde::Serialize + Send + 'static> ToContent for T {
    fn to_content(self, serializer: &dyn Serializer) -> Result<Content, ContentError> {
        let value = match cast::<T, ()>(self) {
            Ok(()) => return Ok(Content::empty()),
            Err(value) => value,
        };
        let value = match cast::<T, Vec<u8>>(value) {
            Ok(bytes) => return Ok(Content::new(OCTET_STREAM, bytes)),
            Err(value) => value,
        };
        let value = match cast::<T, Option<Vec<u8>>>(value) {
            Ok(Some(bytes)) => return Ok(Content::new(OCTET_STREAM, bytes)),
            Ok(None) => return Ok(Content::empty()),
            Err(value) => value,
        };
        let written = if is_json(serializer) {
            json::write(&value)
        } else {
            serializer.serialize(Box::new(value))
        };
        written.map_err(|source| ContentError::Serialize {
            type_name: std::any::type_name::<T>(),
            source,
        })
    }
}

#[diagnostic::do_not_recommend]
impl<T: serde::de::DeserializeOwned + Send + 'static> FromContent for T {
    fn from_content(content: Content, serializer: &dyn Serializer) -> Result<Self, ContentError> {
        // For other types a serializer may know what to make of bytes.
        if is_bytes::<T>() && content.content_type().is_some_and(is_octet_stream) {
            // Reuses the allocation when nobody else holds it.
            return cast::<Vec<u8>, T>(Vec::from(content.data))
                .or_else(|bytes| cast::<Option<Vec<u8>>, T>(Some(bytes)))
                .map_err(|_| ContentError::Serializer("bytes for another type".into()));
        }
        if is_json(serializer) {
            return json::read(&content);
        }
        let mut value = None;
        serializer.deserialize(content, &mut |deserializer| {
            value = Some(deserialize(deserializer)?);
            Ok(())
        })?;
        value.ok_or_else(|| {
            ContentError::Serializer("the serializer returned without reading the value".into())
        })
    }
}

/// Reads a value, and says where in it the error is.
fn deserialize<'de, T: serde::Deserialize<'de>>(
    deserializer: impl serde::Deserializer<'de, Error: fmt::Display>,
) -> Result<T, ContentError> {
    serde_path_to_error::deserialize(deserializer).map_err(|error| ContentError::Deserialize {
        path: error.path().to_string(),
        message: error.into_inner().to_string(),
    })
}

/// Whether it is the usual serializer, which knows the very type of a value: erasing it costs as much again as the JSON of a small one.
fn is_json(serializer: &dyn Serializer) -> bool {
    (serializer as &dyn Any).is::<JsonSerializer>()
}

fn is_bytes<T: 'static>() -> bool {
    let wanted = TypeId::of::<T>();
    wanted == TypeId::of::<Vec<u8>>() || wanted == TypeId::of::<Option<Vec<u8>>>()
}

fn is_octet_stream(content_type: &str) -> bool {
    let media_type = content_type.split(';').next().unwrap_or_default();
    media_type.trim().eq_ignore_ascii_case(OCTET_STREAM)
}

/// `value` as `U` where that is the same type, else `value` itself.
fn cast<T: 'static, U: 'static>(value: T) -> Result<U, T> {
    let mut slot = Some(value);
    if let Some(same) = (&mut slot as &mut dyn Any).downcast_mut::<Option<U>>()
        && let Some(value) = same.take()
    {
        return Ok(value);
    }
    match slot {
        Some(value) => Err(value),
        None => unreachable!("the value was taken only to be returned"),
    }
}

/// An input that has arrived and was not read yet, with the serializer of its transport.
#[derive(Clone)]
pub struct LazyValue {
    content: Content,
    serializer: Arc<dyn Serializer>,
}

impl LazyValue {
    /// `content`, to be read with `serializer`.
    pub fn new(content: Content, serializer: Arc<dyn Serializer>) -> Self {
        Self {
            content,
            serializer,
        }
    }

    /// The value as it is on the wire.
    #[must_use]
    pub fn content(&self) -> &Content {
        &self.content
    }

    /// The serializer of the transport.
    #[must_use]
    pub fn serializer(&self) -> &Arc<dyn Serializer> {
        &self.serializer
    }

    pub(crate) fn into_parts(self) -> (Content, Arc<dyn Serializer>) {
        (self.content, self.serializer)
    }

    /// Reads the value.
    pub fn consume<T: FromContent>(self) -> Result<T, ContentError> {
        T::from_content(self.content, &*self.serializer)
    }
}

impl fmt::Debug for LazyValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LazyValue")
            .field("content", &self.content)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::{Deserialize, Serialize};

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Order {
        id: u32,
        items: Vec<Item>,
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Item {
        price: f64,
    }

    fn write(value: impl ToContent) -> Content {
        value.to_content(&JsonSerializer).unwrap()
    }

    fn read<T: FromContent>(content: Content) -> Result<T, ContentError> {
        T::from_content(content, &JsonSerializer)
    }

    #[test]
    fn unit_is_no_content() {
        assert!(write(()).is_empty());
        read::<()>(Content::empty()).unwrap();
        assert!(write(None::<u8>).is_empty());
        assert_eq!(read::<Option<u8>>(Content::empty()).unwrap(), None);
    }

    #[test]
    fn bytes_are_an_octet_stream() {
        let content = write(vec![1u8, 2]);
        assert_eq!(content, Content::new(OCTET_STREAM, vec![1u8, 2]));
        assert_eq!(read::<Vec<u8>>(content.clone()).unwrap(), [1, 2]);
        let optional: Option<Vec<u8>> = read(content.clone()).unwrap();
        assert_eq!(optional, Some(vec![1, 2]));
        assert_eq!(write(optional), content);
        assert!(write(None::<Vec<u8>>).is_empty());
        assert_eq!(read::<Option<Vec<u8>>>(Content::empty()).unwrap(), None);
        let error = read::<String>(content).unwrap_err();
        assert_eq!(
            error.to_string(),
            r#"content type "application/octet-stream" cannot be read, expected application/json"#
        );
    }

    #[test]
    fn bytes_can_come_as_json_too() {
        assert_eq!(
            read::<Vec<u8>>(Content::new("application/json", "[1,2]")).unwrap(),
            [1, 2]
        );
    }

    #[test]
    fn content_passes_through() {
        let content = Content::new("image/png", "…");
        assert_eq!(write(content.clone()), content);
        assert_eq!(read::<Content>(content.clone()).unwrap(), content);
    }

    #[test]
    fn errors_name_the_place() {
        let bad = Content::new(
            "application/json",
            r#"{"id":1,"items":[{"price":1.5},{"price":"x"}]}"#,
        );
        assert_eq!(
            read::<Order>(bad).unwrap_err().to_string(),
            r#"at `items[1].price`: invalid type: string "x", expected f64 at line 1 column 43"#
        );
        assert_eq!(
            read::<Order>(Content::empty()).unwrap_err().to_string(),
            "invalid type: null, expected struct Order"
        );
    }
}
