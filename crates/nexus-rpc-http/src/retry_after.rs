//! The header `Retry-After`.

use std::time::{Duration, SystemTime};

use http::{HeaderMap, header::RETRY_AFTER};

use crate::{date, headers};

/// How long the sender of a response asks to be left alone: for so many seconds, or until a date (RFC 9110 section 10.2.3).
///
/// `None` as well if it cannot be read: the header is a wish, and the usual pause will do.
pub(crate) fn read(headers: &HeaderMap) -> Option<Duration> {
    read_at(headers, SystemTime::now())
}

fn read_at(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = headers::get(headers, RETRY_AFTER)?;
    if let Ok(seconds) = text.parse::<u32>() {
        return Some(Duration::from_secs(seconds.into()));
    }
    date::parse_internet_message(text)
        .ok()?
        .duration_since(now)
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;
    use std::time::UNIX_EPOCH;

    #[test]
    fn seconds_or_a_date() {
        let now = UNIX_EPOCH + Duration::from_secs(784_887_151);
        let read = |text: &'static str| {
            let headers = HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_static(text))]);
            read_at(&headers, now).map(|asked| asked.as_secs())
        };
        assert_eq!(read("120"), Some(120));
        assert_eq!(read("Tue, 15 Nov 1994 08:12:41 GMT"), Some(10));
        for text in [
            "Tue, 15 Nov 1994 08:12:21 GMT",
            "",
            "-1",
            "1.5",
            "soon",
            "99999999999999999999",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
        assert_eq!(read_at(&HeaderMap::new(), now), None);
    }
}
