//! HTTP headers: the names of the protocol, and the ways between header maps and what handlers and callers see.

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{self, AsHeaderName},
};
use nexus_rpc::{Content, Headers};

pub(crate) const NEXUS_LINK: HeaderName = HeaderName::from_static("nexus-link");
pub(crate) const NEXUS_OPERATION_STATE: HeaderName =
    HeaderName::from_static("nexus-operation-state");
pub(crate) const NEXUS_OPERATION_TOKEN: HeaderName =
    HeaderName::from_static("nexus-operation-token");
/// What `Nexus-Operation-Token` was called before 2025.
pub(crate) const NEXUS_OPERATION_ID: HeaderName = HeaderName::from_static("nexus-operation-id");
pub(crate) const NEXUS_OPERATION_START_TIME: HeaderName =
    HeaderName::from_static("nexus-operation-start-time");
pub(crate) const NEXUS_OPERATION_CLOSE_TIME: HeaderName =
    HeaderName::from_static("nexus-operation-close-time");
pub(crate) const NEXUS_REQUEST_ID: HeaderName = HeaderName::from_static("nexus-request-id");
pub(crate) const NEXUS_REQUEST_RETRYABLE: HeaderName =
    HeaderName::from_static("nexus-request-retryable");
pub(crate) const REQUEST_TIMEOUT: HeaderName = HeaderName::from_static("request-timeout");
pub(crate) const OPERATION_TIMEOUT: HeaderName = HeaderName::from_static("operation-timeout");
/// Without it Temporal's servers send of an error with a cause the cause alone, for callers that know no more.
pub(crate) const FAILURE_SUPPORT: HeaderName =
    HeaderName::from_static("temporal-nexus-failure-support");
pub(crate) const CALLBACK_PREFIX: &str = "nexus-callback-";
const CONTENT_PREFIX: &str = "content-";
const LENGTH: &str = "length";
const TYPE: &str = "type";

pub(crate) const JSON: HeaderValue = HeaderValue::from_static(nexus_rpc::content::JSON);
const OCTET_STREAM: HeaderValue = HeaderValue::from_static(nexus_rpc::content::OCTET_STREAM);

/// A header that cannot be sent: HTTP cannot carry it, or it is not yours to set (framing, content, the protocol's own).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("header {name:?} cannot be set to this value")]
pub struct InvalidHeader {
    name: String,
}

/// The value of a header that has one line, in ASCII; an empty one counts as absent.
pub(crate) fn get(headers: &HeaderMap, name: impl AsHeaderName) -> Option<&str> {
    text(headers, name).filter(|value| value.is_ascii())
}

/// The value of a header that has one line and may be any text; an empty one counts as absent.
pub(crate) fn text(headers: &HeaderMap, name: impl AsHeaderName) -> Option<&str> {
    let value = std::str::from_utf8(headers.get(name)?.as_bytes()).ok()?;
    (!value.is_empty()).then_some(value)
}

/// What user code sees of the headers of a request: all but those of the content, of this connection, and of the protocol itself.
pub(crate) fn for_user(headers: &HeaderMap) -> Headers {
    select(headers, |name| {
        let hidden = name.starts_with(CONTENT_PREFIX)
            || name.starts_with(CALLBACK_PREFIX)
            || is_of_connection(name)
            || name == NEXUS_LINK
            || name == NEXUS_OPERATION_TOKEN;
        (!hidden).then_some(name)
    })
}

/// The headers that the caller wants to see again on the callback, without the prefix that marks them.
pub(crate) fn for_callback(headers: &HeaderMap) -> Headers {
    select(headers, |name| {
        name.strip_prefix(CALLBACK_PREFIX)
            .filter(|stripped| !stripped.is_empty())
    })
}

/// The headers that have a name afterwards, under that name.
fn select(headers: &HeaderMap, rename: impl Fn(&str) -> Option<&str>) -> Headers {
    headers
        .keys()
        .filter_map(|name| Some((rename(name.as_str())?, joined(headers, name))))
        .collect()
}

/// All lines of a header as one value (RFC 9110 section 5.3; cookies: RFC 9113 section 8.2.3).
fn joined(headers: &HeaderMap, name: &HeaderName) -> String {
    let mut values = headers.get_all(name).iter();
    let first = values.next().map_or(&b""[..], HeaderValue::as_bytes);
    let mut joined = String::from_utf8_lossy(first).into_owned();
    for value in values {
        joined.push_str(if name == header::COOKIE { "; " } else { ", " });
        joined.push_str(&String::from_utf8_lossy(value.as_bytes()));
    }
    joined
}

/// Headers that belong to one connection (RFC 9110 section 7.6.1).
fn is_of_connection(name: &str) -> bool {
    matches!(
        name,
        "connection"
            | "expect"
            | "http2-settings"
            | "keep-alive"
            | "proxy-authenticate"
            | "proxy-authorization"
            | "proxy-connection"
            | "te"
            | "trailer"
            | "transfer-encoding"
            | "upgrade"
    )
}

/// Whether a header that a peer chose may stand on a request of ours: framing, host, content and the protocol are not its to set.
pub(crate) fn is_free(name: &str) -> bool {
    !(is_of_connection(name)
        || name == "host"
        || name == NEXUS_LINK
        || name.starts_with(CONTENT_PREFIX)
        || name.starts_with("nexus-operation-"))
}

/// Adds headers of the user's, who must leave those of the library alone.
pub(crate) fn extend_free<'a>(
    map: &mut HeaderMap,
    headers: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Result<(), InvalidHeader> {
    for (name, value) in headers {
        if !is_free(name) {
            return Err(InvalidHeader {
                name: name.to_owned(),
            });
        }
        extend(map, [(name, value)])?;
    }
    Ok(())
}

/// Adds headers.
pub(crate) fn extend<'a>(
    map: &mut HeaderMap,
    headers: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Result<(), InvalidHeader> {
    for (name, value) in headers {
        let header = (HeaderName::try_from(name), HeaderValue::try_from(value));
        let (Ok(name), Ok(value)) = header else {
            return Err(InvalidHeader {
                name: name.to_owned(),
            });
        };
        map.insert(name, value);
    }
    Ok(())
}

/// A body with the headers that say what it is. `Content-Length` is left out: it is about one hop, and a chunked body has none.
pub(crate) fn content(headers: &HeaderMap, data: Bytes) -> Content {
    let others = select(headers, |name| {
        name.strip_prefix(CONTENT_PREFIX)
            .filter(|stripped| ![LENGTH, TYPE].contains(stripped))
    });
    let mut types = headers.get_all(header::CONTENT_TYPE).iter();
    let mut content = match (types.next(), types.next()) {
        (None, _) => Content {
            data,
            ..Content::empty()
        },
        (Some(only), None) if only == JSON => Content::json(data),
        _ => Content::new(joined(headers, &header::CONTENT_TYPE), data),
    };
    if !others.is_empty() {
        content.headers.extend(others);
    }
    content
}

/// Adds the headers of `content`, and returns the body.
pub(crate) fn write_content(content: Content, map: &mut HeaderMap) -> Result<Bytes, InvalidHeader> {
    for (name, value) in content.headers.iter() {
        // Nearly always there, and alone.
        if (name, value.as_bytes()) == (TYPE, JSON.as_bytes()) {
            map.insert(header::CONTENT_TYPE, JSON);
            continue;
        }
        if name == LENGTH {
            continue;
        }
        let full = HeaderName::try_from(format!("{CONTENT_PREFIX}{name}"));
        let (Ok(full), Ok(value)) = (full, HeaderValue::try_from(value)) else {
            return Err(InvalidHeader {
                name: format!("{CONTENT_PREFIX}{name}"),
            });
        };
        map.insert(full, value);
    }
    // Peers guess the type of a body that names none, and guess differently.
    if !content.data.is_empty() && !map.contains_key(header::CONTENT_TYPE) {
        map.insert(header::CONTENT_TYPE, OCTET_STREAM);
    }
    Ok(content.data)
}

/// Whether the body is said to be JSON.
pub(crate) fn is_json(headers: &HeaderMap) -> bool {
    text(headers, header::CONTENT_TYPE).is_some_and(|content_type| {
        let media_type = content_type.split(';').next().unwrap_or_default();
        media_type
            .trim()
            .eq_ignore_ascii_case(nexus_rpc::content::JSON)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in lines {
            map.append(*name, HeaderValue::from_static(value));
        }
        map
    }

    #[test]
    fn repeated_lines_are_one_value() {
        let map = map(&[
            ("x-a", "1"),
            ("x-a", "2"),
            ("cookie", "a=1"),
            ("cookie", "b=2"),
            ("nexus-callback-token", "t"),
            ("nexus-callback-", "no name"),
            ("content-type", "text/plain"),
            ("connection", "close"),
        ]);
        assert_eq!(
            for_user(&map),
            Headers::from_iter([("x-a", "1, 2"), ("cookie", "a=1; b=2")])
        );
        assert_eq!(for_callback(&map), Headers::from_iter([("token", "t")]));
    }

    #[test]
    fn content_headers_travel_without_their_prefix() {
        let written = map(&[
            ("content-type", "a/b"),
            ("content-language", "de"),
            ("content-length", "9"),
        ]);
        let content = content(&written, Bytes::from_static(b"x"));
        assert_eq!(
            content.headers,
            Headers::from_iter([("type", "a/b"), ("language", "de")])
        );
        let mut read = HeaderMap::new();
        assert_eq!(write_content(content, &mut read).unwrap(), "x");
        assert_eq!(
            read,
            map(&[("content-type", "a/b"), ("content-language", "de")])
        );
    }

    #[test]
    fn a_body_is_always_given_a_type() {
        let mut headers = HeaderMap::new();
        let content = Content {
            data: "x".into(),
            ..Content::default()
        };
        write_content(content, &mut headers).unwrap();
        assert_eq!(headers["content-type"], "application/octet-stream");
        let mut headers = HeaderMap::new();
        write_content(Content::empty(), &mut headers).unwrap();
        assert!(headers.is_empty());
    }

    #[test]
    fn headers_that_would_split_the_message_are_refused() {
        let mut headers = HeaderMap::new();
        let error = extend(&mut headers, [("x", "a\r\nb: c")]).unwrap_err();
        assert_eq!(
            error.to_string(),
            r#"header "x" cannot be set to this value"#
        );
        assert!(extend(&mut headers, [("x y", "a")]).is_err());
    }
}
