//! The header `Request-Timeout`.

use std::time::Duration;

use http::{HeaderMap, HeaderValue};

use crate::headers::REQUEST_TIMEOUT;

/// How much longer than it told the server a client waits: an answer that says "timed out" says more than none.
pub(crate) const SLACK: Duration = Duration::from_millis(500);

/// A `Request-Timeout` that is not one number and one unit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid Request-Timeout: expected a number and a unit, such as `500ms`, `1.5s` or `2m`")]
pub(crate) struct InvalidTimeout;

/// Reads the header: digits, maybe a fraction, and one of the units `ms`, `s` and `m`. This is narrower than what
/// [`nexus_rpc::duration::parse`] reads, because the specification is.
pub(crate) fn read(headers: &HeaderMap) -> Result<Option<Duration>, InvalidTimeout> {
    let Some(value) = headers.get(REQUEST_TIMEOUT) else {
        return Ok(None);
    };
    let text = value.to_str().map_err(|_| InvalidTimeout)?;
    parse(text).map(Some)
}

fn parse(text: &str) -> Result<Duration, InvalidTimeout> {
    let number = ["ms", "s", "m"]
        .iter()
        .find_map(|unit| text.strip_suffix(unit))
        .ok_or(InvalidTimeout)?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if !digits(whole) || !digits(fraction) {
        return Err(InvalidTimeout);
    }
    nexus_rpc::duration::parse(text).map_err(|_| InvalidTimeout)
}

/// The header for a timeout, in whole milliseconds.
pub(crate) fn header(timeout: Duration) -> HeaderValue {
    HeaderValue::try_from(nexus_rpc::duration::format(timeout))
        .unwrap_or_else(|error| unreachable!("digits and letters: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn one_number_and_one_unit() {
        assert_eq!(parse("1.5s"), Ok(Duration::from_millis(1500)));
        assert_eq!(parse("2m"), Ok(Duration::from_secs(120)));
        assert_eq!(parse("007ms"), Ok(Duration::from_millis(7)));
        for text in [
            "", "5", "5h", "s", "1m30s", "-5s", "+5s", " 5s", "5 s", "5S", ".5s", "5.s", "1.2.3s",
            "0", "1µs", "1e3s",
        ] {
            assert_eq!(parse(text), Err(InvalidTimeout), "{text}");
        }
    }

    proptest! {
        #[test]
        fn headers_are_read_back(millis in any::<u64>()) {
            let timeout = Duration::from_millis(millis);
            let headers = HeaderMap::from_iter([(REQUEST_TIMEOUT, header(timeout))]);
            prop_assert_eq!(read(&headers), Ok(Some(timeout)));
        }

        #[test]
        fn never_panics(text in ".{0,20}") {
            let _ = parse(&text);
        }
    }
}
