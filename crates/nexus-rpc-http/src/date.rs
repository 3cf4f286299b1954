//! Dates in headers and queries.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jiff::{
    Timestamp, civil,
    fmt::rfc2822::{DateTimeParser, DateTimePrinter},
    tz::Offset,
};

/// A text that is not a date in the form that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a date: expected the form `{expected}`")]
pub(crate) struct InvalidDate {
    text: String,
    expected: &'static str,
}

const INTERNET_MESSAGE: &str = "Tue, 15 Nov 1994 08:12:31 GMT";
const INTERNET: &str = "1994-11-15T08:12:31.500Z";

/// Writes the fixed-date form of HTTP, which is also valid in Internet messages (RFC 9110 section 5.6.7, RFC 5322 section 3.3).
pub(crate) fn format_http(time: SystemTime) -> String {
    DateTimePrinter::new()
        .timestamp_to_rfc9110_string(&timestamp(time))
        .unwrap_or_else(|error| unreachable!("a year from 1970 to 9999 has four digits: {error}"))
}

/// Reads a date of an Internet message (RFC 5322 section 3.3): a numeric zone or `GMT`.
pub(crate) fn parse_internet_message(text: &str) -> Result<SystemTime, InvalidDate> {
    // A wrong day of the week does not make the time less clear.
    static PARSER: DateTimeParser = DateTimeParser::new().relaxed_weekday(true);
    PARSER
        .parse_timestamp(text.trim())
        .map(system_time)
        .map_err(|_| invalid(text, INTERNET_MESSAGE))
}

/// Writes RFC 3339 in UTC with milliseconds.
pub(crate) fn format_rfc3339(time: SystemTime) -> String {
    format!("{:.3}", timestamp(time))
}

/// Reads RFC 3339.
pub(crate) fn parse_rfc3339(text: &str) -> Result<SystemTime, InvalidDate> {
    match read(text) {
        Some((datetime, Some(Zone::Offset(offset)))) => offset
            .to_timestamp(datetime)
            .map(system_time)
            .map_err(|_| invalid(text, INTERNET)),
        _ => Err(invalid(text, INTERNET)),
    }
}

/// Reads the `wait_deadline` of the draft, an "ISO 8601 date": RFC 3339, or without an offset or without a time, both as UTC.
///
/// A `+` of an offset may have become a space on the way.
pub(crate) fn parse_deadline(text: &str) -> Result<SystemTime, InvalidDate> {
    let (datetime, zone) = read(text).ok_or_else(|| invalid(text, INTERNET))?;
    let offset = match zone {
        None => Offset::UTC,
        Some(Zone::Offset(offset) | Zone::SpaceOffset(offset)) => offset,
    };
    offset
        .to_timestamp(datetime)
        .map(system_time)
        .map_err(|_| invalid(text, INTERNET))
}

enum Zone {
    Offset(Offset),
    /// With a space in place of the `+`.
    SpaceOffset(Offset),
}

fn read(text: &str) -> Option<(civil::DateTime, Option<Zone>)> {
    let bytes = text.as_bytes();
    let date = civil::Date::new(
        i16::try_from(number(bytes, 0..4)?).ok()?,
        small(bytes, 5..7)?,
        small(bytes, 8..10)?,
    )
    .ok()?;
    if bytes[4] != b'-' || bytes[7] != b'-' {
        return None;
    }
    if bytes.len() == 10 {
        return Some((date.at(0, 0, 0, 0), None));
    }
    if !matches!(bytes[10], b'T' | b't') {
        return None;
    }
    let (hour, minute, second) = (
        small(bytes, 11..13)?,
        small(bytes, 14..16)?,
        small(bytes, 17..19)?,
    );
    if bytes[13] != b':' || bytes[16] != b':' {
        return None;
    }
    let mut rest = &bytes[19..];
    let mut nanosecond = 0;
    if let Some(fraction) = rest.strip_prefix(b".") {
        let digits = fraction.iter().take_while(|b| b.is_ascii_digit()).count();
        if digits == 0 {
            return None;
        }
        // Finer than a nanosecond is cut off.
        let zeros = std::iter::repeat(&b'0');
        for digit in fraction[..digits].iter().chain(zeros).take(9) {
            nanosecond = nanosecond * 10 + i32::from(digit - b'0');
        }
        rest = &fraction[digits..];
    }
    // A leap second, which clocks here do not have, is the end of the second before.
    let time = civil::Time::new(
        hour,
        minute,
        if second == 60 { 59 } else { second },
        nanosecond,
    );
    Some((date.to_datetime(time.ok()?), zone(rest)?))
}

/// `None`: not a zone. `Some(None)`: no zone.
fn zone(rest: &[u8]) -> Option<Option<Zone>> {
    let (sign, digits) = match rest {
        [] => return Some(None),
        b"Z" | b"z" => return Some(Some(Zone::Offset(Offset::UTC))),
        [sign @ (b'+' | b'-' | b' '), digits @ ..] => (*sign, digits),
        _ => return None,
    };
    if digits.len() != 5 || digits[2] != b':' {
        return None;
    }
    let (hours, minutes) = (number(digits, 0..2)?, number(digits, 3..5)?);
    if hours > 23 || minutes > 59 {
        return None;
    }
    let seconds = (hours * 60 + minutes) * 60;
    let offset = Offset::from_seconds(if sign == b'-' { -seconds } else { seconds }).ok()?;
    Some(Some(match sign {
        b' ' => Zone::SpaceOffset(offset),
        _ => Zone::Offset(offset),
    }))
}

fn number(bytes: &[u8], range: std::ops::Range<usize>) -> Option<i32> {
    bytes.get(range)?.iter().try_fold(0, |number, byte| {
        byte.is_ascii_digit()
            .then(|| number * 10 + i32::from(byte - b'0'))
    })
}

fn small(bytes: &[u8], range: std::ops::Range<usize>) -> Option<i8> {
    number(bytes, range).and_then(|number| i8::try_from(number).ok())
}

fn invalid(text: &str, expected: &'static str) -> InvalidDate {
    InvalidDate {
        text: text.to_owned(),
        expected,
    }
}

/// Times before 1970 or after 9999 are moved to the nearest that a header can hold.
fn timestamp(time: SystemTime) -> Timestamp {
    let since_epoch = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let nanoseconds = i128::try_from(since_epoch.as_nanos()).unwrap_or(i128::MAX);
    Timestamp::from_nanosecond(nanoseconds).unwrap_or(Timestamp::MAX)
}

fn system_time(timestamp: Timestamp) -> SystemTime {
    let nanoseconds = timestamp.as_nanosecond();
    let distance = duration(nanoseconds.unsigned_abs());
    // Not every platform knows the years before 1601.
    let time = if nanoseconds < 0 {
        UNIX_EPOCH.checked_sub(distance)
    } else {
        UNIX_EPOCH.checked_add(distance)
    };
    time.unwrap_or(UNIX_EPOCH)
}

fn duration(nanoseconds: u128) -> Duration {
    const PER_SECOND: u128 = 1_000_000_000;
    Duration::new(
        u64::try_from(nanoseconds / PER_SECOND).unwrap_or(u64::MAX),
        u32::try_from(nanoseconds % PER_SECOND).unwrap_or_default(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(millis: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_millis(millis)
    }

    #[test]
    fn http_dates_are_in_utc_and_say_gmt() {
        assert_eq!(format_http(at(784_887_151_000)), INTERNET_MESSAGE);
        assert_eq!(
            format_http(UNIX_EPOCH - Duration::from_secs(1)),
            "Thu, 01 Jan 1970 00:00:00 GMT"
        );
    }

    #[test]
    fn dates_of_internet_messages_have_any_zone() {
        for text in [
            INTERNET_MESSAGE,
            "Tue, 15 Nov 1994 10:12:31 +0200",
            "15 Nov 1994 08:12:31 +0000",
            "Tue, 15 Nov 1994 03:12:31 EST",
            "Mon, 15 Nov 1994 08:12:31 GMT",
        ] {
            assert_eq!(
                parse_internet_message(text),
                Ok(at(784_887_151_000)),
                "{text}"
            );
        }
        assert_eq!(
            parse_internet_message("1994-11-15T08:12:31Z")
                .unwrap_err()
                .to_string(),
            r#""1994-11-15T08:12:31Z" is not a date: expected the form `Tue, 15 Nov 1994 08:12:31 GMT`"#
        );
    }

    #[test]
    fn deadlines_have_a_few_forms() {
        for text in [
            "1994-11-15T08:12:31Z",
            "1994-11-15t08:12:31z",
            "1994-11-15T08:12:31.0000000000000Z",
            "1994-11-15T08:12:31",
            "1994-11-15T10:12:31+02:00",
            "1994-11-15T10:12:31 02:00",
            "1994-11-15T03:42:31-04:30",
        ] {
            assert_eq!(parse_deadline(text), Ok(at(784_887_151_000)), "{text}");
        }
        assert_eq!(parse_deadline("1994-11-15"), Ok(at(784_857_600_000)));
        assert_eq!(
            parse_deadline("1994-11-15T08:12:31.5Z"),
            Ok(at(784_887_151_500))
        );
        assert_eq!(
            parse_deadline("2016-12-31T23:59:60Z"),
            Ok(at(1_483_228_799_000))
        );
    }

    #[test]
    fn nothing_else_is_a_deadline() {
        for text in [
            "",
            "now",
            "1994",
            "1994-11",
            "1994-02-30",
            "1994-11-15T",
            "1994-11-15T08:12Z",
            "1994-11-15T08:12:31.Z",
            "1994-11-15T08:12:31+0200",
            "1994-11-15T08:12:31+24:00",
            "1994-11-15T24:00:00Z",
            "1994-11-15 08:12:31Z",
            "19941115T081231Z",
            "1994-W46-2",
            "1994-11-15T08:12:31Z ",
            "1994-11-15T08:12:31[UTC]",
            "+1994-11-15T08:12:31Z",
            "784887151",
            "1994-11-15T08:12:31é",
            "１994-11-15",
        ] {
            assert!(parse_deadline(text).is_err(), "{text:?}");
        }
        // Of a close time no part is optional.
        for text in [
            "1994-11-15",
            "1994-11-15T08:12:31",
            "1994-11-15T10:12:31 02:00",
        ] {
            assert!(parse_rfc3339(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn times_survive(millis in 0u64..253_402_200_000_000) {
            let time = at(millis);
            prop_assert_eq!(parse_rfc3339(&format_rfc3339(time)), Ok(time));
            prop_assert_eq!(parse_deadline(&format_rfc3339(time)), Ok(time));
            let whole = at(millis / 1000 * 1000);
            prop_assert_eq!(parse_internet_message(&format_http(time)), Ok(whole));
        }

        #[test]
        fn never_panics(text in ".{0,40}", near in "[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]{2}:[0-9]{2}:[0-9]{2})?(\\.[0-9]{0,12})?.?([0-9]{2}:[0-9]{2})?") {
            for text in [text, near] {
                let _ = parse_deadline(&text);
                let _ = parse_rfc3339(&text);
                let _ = parse_internet_message(&text);
            }
        }
    }
}
