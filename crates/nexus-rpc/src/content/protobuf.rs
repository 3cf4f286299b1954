//! Messages of Protocol Buffers.

use prost::{Message, Name};
use serde::{Serialize, de::DeserializeOwned};

use super::{BoxError, Content, ContentError, FromContent, Serializer, ToContent};

const BINARY: &str = "application/x-protobuf";
const JSON: &str = "application/json";

/// A message of Protocol Buffers in its binary form, as input or output of an operation.
///
/// On the wire it is `application/x-protobuf; message-type="<full name>"`. A message of another type, or of none, is refused, and so is one
/// in JSON, which [`ProtobufJson`] reads.
///
/// ```
/// use nexus_rpc::{Operation, content::Protobuf, sync_operation};
///
/// /// What prost generates for `message Order { uint32 id = 1; }` in the package `shop`, with `enable_type_names`.
/// #[derive(Clone, PartialEq, prost::Message)]
/// struct Order {
///     #[prost(uint32, tag = "1")]
///     id: u32,
/// }
///
/// impl prost::Name for Order {
///     const PACKAGE: &'static str = "shop";
///     const NAME: &'static str = "Order";
/// }
///
/// const NEXT: Operation<Protobuf<Order>, Protobuf<Order>> = Operation::new("orders", "next");
///
/// let next = sync_operation(async |_ctx, Protobuf(order): Protobuf<Order>| Ok(Protobuf(Order { id: order.id + 1 })));
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Protobuf<M>(pub M);

/// A message of Protocol Buffers in its JSON form, as input or output of an operation. Reads the binary form as well.
///
/// On the wire it is `application/json; format=protobuf; message-type="<full name>"`, the form that Temporal's Go SDK prefers. The traits
/// of serde must write and read the [JSON mapping] of Protocol Buffers, as those that `pbjson-build` generates do; those that are derived
/// with serde do so in simple cases only.
///
/// [JSON mapping]: https://protobuf.dev/programming-guides/json/
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct ProtobufJson<M>(pub M);

#[diagnostic::do_not_recommend]
impl<M: Message + Name + 'static> ToContent for Protobuf<M> {
    fn to_content(self, _: &dyn Serializer) -> Result<Content, ContentError> {
        let content_type = format!("{BINARY}; message-type=\"{}\"", M::full_name());
        Ok(Content::new(content_type, self.0.encode_to_vec()))
    }
}

#[diagnostic::do_not_recommend]
impl<M: Message + Name + Default + 'static> FromContent for Protobuf<M> {
    fn from_content(content: Content, _: &dyn Serializer) -> Result<Self, ContentError> {
        match form_of::<M>(&content)? {
            Form::Binary => decode(&content).map(Self),
            Form::Json => Err(unreadable(&content, BINARY)),
        }
    }
}

#[diagnostic::do_not_recommend]
impl<M: Name + Serialize + 'static> ToContent for ProtobufJson<M> {
    fn to_content(self, _: &dyn Serializer) -> Result<Content, ContentError> {
        let data = serde_json::to_vec(&self.0).map_err(|error| ContentError::Serialize {
            type_name: std::any::type_name::<M>(),
            source: BoxError::from(error),
        })?;
        let name = M::full_name();
        let content_type = format!("{JSON}; format=protobuf; message-type=\"{name}\"");
        Ok(Content::new(content_type, data))
    }
}

#[diagnostic::do_not_recommend]
impl<M: Name + Default + DeserializeOwned + 'static> FromContent for ProtobufJson<M> {
    fn from_content(content: Content, _: &dyn Serializer) -> Result<Self, ContentError> {
        match form_of::<M>(&content)? {
            Form::Binary => decode(&content).map(Self),
            Form::Json => {
                let mut json = serde_json::Deserializer::from_slice(&content.data);
                let message = super::deserialize(&mut json)?;
                json.end().map_err(malformed)?;
                Ok(Self(message))
            }
        }
    }
}

enum Form {
    Binary,
    Json,
}

/// In which form a message is, once it is clear that it is one of `M`.
fn form_of<M: Name>(content: &Content) -> Result<Form, ContentError> {
    let content_type = content.content_type().unwrap_or_default();
    let media_type = content_type.split(';').next().unwrap_or_default().trim();
    let form = if media_type.eq_ignore_ascii_case(BINARY) {
        Form::Binary
    } else if media_type.eq_ignore_ascii_case(JSON)
        && parameter(content_type, "format").is_some_and(|it| it.eq_ignore_ascii_case("protobuf"))
    {
        Form::Json
    } else {
        return Err(unreadable(content, "a Protocol Buffers message"));
    };
    let found = parameter(content_type, "message-type");
    let expected = M::full_name();
    if found.as_deref() == Some(expected.as_str()) {
        return Ok(form);
    }
    Err(ContentError::MessageType { found, expected })
}

/// The value of a parameter of a media type: quoted or not, it is the same (RFC 9110 section 5.6.6).
fn parameter(content_type: &str, name: &str) -> Option<String> {
    let mut rest = content_type.split_once(';')?.1;
    loop {
        let (key, after) = rest.split_once('=')?;
        // Parameters without a value may stand in front.
        let key = key.rsplit(';').next().unwrap_or_default().trim();
        let (value, after) = value(after.trim_start())?;
        if key.eq_ignore_ascii_case(name) {
            return Some(value);
        }
        rest = after;
    }
}

/// A value, and what stands behind it. `None`: its quotes are not closed.
fn value(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find(';').unwrap_or(text.len());
        return Some((text[..end].trim_end().to_owned(), &text[end..]));
    };
    let mut value = String::new();
    let mut chars = quoted.char_indices();
    while let Some((at, char)) = chars.next() {
        match char {
            '"' => return Some((value, &quoted[at + 1..])),
            '\\' => value.push(chars.next()?.1),
            char => value.push(char),
        }
    }
    None
}

fn decode<M: Message + Default>(content: &Content) -> Result<M, ContentError> {
    M::decode(&*content.data).map_err(malformed)
}

fn malformed(error: impl std::error::Error) -> ContentError {
    ContentError::Deserialize {
        path: String::new(),
        message: error.to_string(),
    }
}

fn unreadable(content: &Content, expected: &'static str) -> ContentError {
    ContentError::ContentType {
        found: content.content_type().map(str::to_owned),
        expected,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::JsonSerializer;
    use proptest::prelude::*;
    use serde::Deserialize;

    #[derive(Clone, PartialEq, Message, Serialize, Deserialize)]
    struct Order {
        #[prost(uint32, tag = "1")]
        id: u32,
    }

    impl Name for Order {
        const PACKAGE: &'static str = "my.shop";
        const NAME: &'static str = "Order";
    }

    fn read<T: FromContent>(content_type: &str, data: &'static [u8]) -> Result<T, String> {
        T::from_content(Content::new(content_type, data), &JsonSerializer)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn each_form_has_its_content_type() {
        let order = Order { id: 150 };
        let binary = Protobuf(order.clone()).to_content(&JsonSerializer).unwrap();
        let expected = r#"application/x-protobuf; message-type="my.shop.Order""#;
        assert_eq!(binary, Content::new(expected, vec![0x08, 0x96, 0x01]));
        let json = ProtobufJson(order.clone()).to_content(&JsonSerializer);
        let expected = r#"application/json; format=protobuf; message-type="my.shop.Order""#;
        assert_eq!(json.unwrap(), Content::new(expected, r#"{"id":150}"#));
        // An empty message has no bytes, and is a message all the same.
        let empty = Protobuf(Order::default()).to_content(&JsonSerializer);
        let empty = empty.unwrap();
        assert!(empty.data.is_empty() && !empty.is_empty());
    }

    #[test]
    fn quotes_make_no_difference() {
        for content_type in [
            "application/x-protobuf; message-type=my.shop.Order",
            r#"application/x-protobuf;message-type="my.shop.Order""#,
            r#"Application/X-Protobuf ; a="b;message-type=c" ; flag; Message-Type = "my.shop.Or\der" ; z=1"#,
        ] {
            assert_eq!(
                read(content_type, &[8, 7]),
                Ok(Protobuf(Order { id: 7 })),
                "{content_type}"
            );
            assert_eq!(
                read(content_type, &[8, 7]),
                Ok(ProtobufJson(Order { id: 7 }))
            );
        }
        let json = "application/json; message-type=my.shop.Order; format=PROTOBUF";
        assert_eq!(
            read(json, br#"{"id":7}"#),
            Ok(ProtobufJson(Order { id: 7 }))
        );
    }

    #[test]
    fn another_type_is_refused() {
        let error = |content_type, data| read::<ProtobufJson<Order>>(content_type, data);
        for (content_type, expected) in [
            (
                "application/x-protobuf; message-type=my.shop.order",
                r#"message type "my.shop.order" cannot be read, expected "my.shop.Order""#,
            ),
            (
                "application/x-protobuf",
                r#"message type (none) cannot be read, expected "my.shop.Order""#,
            ),
            (
                r#"application/x-protobuf; message-type="my.shop.Order"#,
                r#"message type (none) cannot be read, expected "my.shop.Order""#,
            ),
            (
                "application/json",
                r#"content type "application/json" cannot be read, expected a Protocol Buffers message"#,
            ),
        ] {
            assert_eq!(error(content_type, b"\x08\x07").unwrap_err(), expected);
        }
        let json = "application/json; format=protobuf; message-type=my.shop.Order";
        let refused = read::<Protobuf<Order>>(json, br#"{"id":7}"#).unwrap_err();
        assert!(
            refused.ends_with("expected application/x-protobuf"),
            "{refused}"
        );
        let broken = error("application/x-protobuf; message-type=my.shop.Order", &[8]);
        assert!(broken.is_err());
        let misfit = error(json, br#"{"id":"x"}"#).unwrap_err();
        assert!(misfit.starts_with("at `id`"), "{misfit}");
        assert!(error(json, br#"{"id":7} 8"#).is_err());
    }

    proptest! {
        #[test]
        fn never_panics(content_type in r#"application/x-protobuf(;|=|"|\\|é| |message-type){0,12}"#) {
            let _ = read::<Protobuf<Order>>(&content_type, &[]);
        }
    }
}
