//! Names and ids as segments of a path.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// Everything but the unreserved characters of RFC 3986 section 2.3.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// A segment with a `%` that two hexadecimal digits do not follow, or that is not UTF-8 when decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("path has a broken percent-escape or is not UTF-8")]
pub(crate) struct BrokenEscape;

/// Splits a raw path at its slashes and decodes each segment, once. A leading slash starts the first segment.
pub(crate) fn segments(path: &str) -> Result<Vec<Cow<'_, str>>, BrokenEscape> {
    let path = path.strip_prefix('/').unwrap_or(path);
    path.split('/').map(decode).collect()
}

/// Decodes percent-escapes. A lone `%` is an error here, unlike in `percent_encoding`.
pub(crate) fn decode(text: &str) -> Result<Cow<'_, str>, BrokenEscape> {
    // Nearly every segment.
    if !text.contains('%') {
        return Ok(text.into());
    }
    if !escapes_are_whole(text) {
        return Err(BrokenEscape);
    }
    percent_decode_str(text)
        .decode_utf8()
        .map_err(|_| BrokenEscape)
}

fn escapes_are_whole(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.iter().enumerate().all(|(at, &byte)| {
        byte != b'%'
            || matches!(bytes.get(at + 1..at + 3), Some(digits) if digits.iter().all(u8::is_ascii_hexdigit))
    })
}

/// Encodes a segment so that it is decoded to the same text, also when it would be a dot segment.
pub(crate) fn encode(segment: &str) -> Cow<'_, str> {
    match segment {
        // A bare dot segment is removed by URL libraries on the way.
        "." => "%2E".into(),
        ".." => "%2E%2E".into(),
        _ => utf8_percent_encode(segment, ESCAPED).into(),
    }
}

/// Why a name or an id cannot stand in a path of the draft dialect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidSegment {
    /// It has no characters.
    #[error("it is empty")]
    Empty,
    /// `.` and `..` mean directories to URL libraries.
    #[error("`.` and `..` are not allowed, since URL libraries remove them from paths")]
    DotSegment,
    /// It has a character that is not unreserved (RFC 3986 section 2.3).
    #[error("character {found:?} is not allowed: use letters, digits, `-`, `.`, `_` and `~`")]
    Character {
        /// The first such character.
        found: char,
    },
}

/// Checks a name or id against the rules of the draft dialect: unreserved characters only, and no dot segment.
pub(crate) fn validate_unreserved(segment: &str) -> Result<(), InvalidSegment> {
    match segment {
        "" => return Err(InvalidSegment::Empty),
        "." | ".." => return Err(InvalidSegment::DotSegment),
        _ => {}
    }
    match segment.chars().find(|&c| !is_unreserved(c)) {
        Some(found) => Err(InvalidSegment::Character { found }),
        None => Ok(()),
    }
}

fn is_unreserved(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_' | '~')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn segments_are_split_before_they_are_decoded() {
        assert_eq!(segments("/a%2Fb/c").unwrap(), ["a/b", "c"]);
        assert_eq!(segments("/%2525").unwrap(), ["%25"]);
        assert_eq!(segments("//x/").unwrap(), ["", "x", ""]);
        assert_eq!(segments("/").unwrap(), [""]);
    }

    #[test]
    fn broken_escapes_are_refused() {
        for path in ["/%", "/%2", "/a%zz", "/%2/b", "/%ff", "/%C3%28"] {
            assert_eq!(segments(path), Err(BrokenEscape), "{path}");
        }
    }

    proptest! {
        #[test]
        fn any_text_survives_a_path(names in prop::collection::vec(any::<String>(), 1..4)) {
            let path: String = names.iter().map(|name| format!("/{}", encode(name))).collect();
            prop_assert!(path.is_ascii());
            prop_assert_eq!(segments(&path).unwrap(), names);
        }

        #[test]
        fn unreserved_names_need_no_escape(name in "[A-Za-z0-9._~-]{3,20}") {
            prop_assert_eq!(encode(&name), name.as_str());
            prop_assert_eq!(validate_unreserved(&name), Ok(()));
        }

        #[test]
        fn never_panics(path in ".{0,60}") {
            let _ = segments(&path);
        }
    }
}
