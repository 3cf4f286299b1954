use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jiff::Timestamp;
use proptest::{prelude::*, test_runner::TestCaseResult};

use super::{fuzz, input, is_readable};
use crate::date::{
    format_http, format_rfc3339, parse_deadline, parse_internet_message, parse_rfc3339,
};

const SEEDS: &[&str] = &[
    "1994-11-15T08:12:31Z",
    "1994-11-15t08:12:31.5z",
    "1994-11-15T10:12:31.123456789+02:00",
    "1994-11-15T10:12:31 02:00",
    "1994-11-15T03:42:31-04:30",
    "1994-11-15T08:12:31",
    "1994-11-15",
    "2016-12-31T23:59:60Z",
    "2024-02-29T00:00:00Z",
    "0000-01-01T00:00:00+23:59",
    "9999-12-31T23:59:59-23:59",
    "Tue, 15 Nov 1994 08:12:31 GMT",
    "Tue, 15 Nov 1994 10:12:31 +0200",
    "15 Nov 1994 08:12:31 EST",
];
const PIECES: &[&str] = &[
    "0",
    "1",
    "9",
    "00",
    "24",
    "60",
    "99",
    "0000",
    "9999",
    "02-30",
    "000000000",
    "-",
    ":",
    ".",
    "T",
    "t",
    "Z",
    "z",
    "+",
    " ",
    ",",
    "GMT",
    "UTC",
    "+2400",
    "(x)",
    "Feb",
    "[UTC]",
    "\u{0}",
    "\r\n",
    "\u{85}",
    "é",
];

#[test]
fn dates() {
    fuzz("dates", &input::text(SEEDS, PIECES), |text| {
        let deadline = parse_deadline(&text);
        match &deadline {
            Ok(time) => {
                prop_assert!(text.len() >= "1994-11-15".len());
                // Nothing is trimmed or ignored.
                prop_assert!(text.starts_with(|c: char| c.is_ascii_digit()));
                prop_assert!(text.ends_with(|c: char| c.is_ascii_digit() || "Zz".contains(c)));
                written(*time, Duration::from_millis(1), |time| {
                    parse_deadline(&format_rfc3339(time)).ok()
                })?;
            }
            Err(error) => is_readable(error)?,
        }
        match parse_rfc3339(&text) {
            Ok(time) => {
                prop_assert_eq!(deadline, Ok(time));
                // Another reader of the same grammar, which takes no more than nine digits of a fraction.
                if let Ok(other) = text.parse::<Timestamp>() {
                    prop_assert_eq!(SystemTime::from(other), time);
                }
            }
            Err(error) => is_readable(&error)?,
        }
        match parse_internet_message(&text) {
            Ok(time) => written(time, Duration::from_secs(1), |time| {
                parse_internet_message(&format_http(time)).ok()
            })?,
            Err(error) => is_readable(&error)?,
        }
        Ok(())
    });
}

/// A time that headers can hold is read as it was written, but for what is finer than `step`.
fn written(
    time: SystemTime,
    step: Duration,
    round: impl Fn(SystemTime) -> Option<SystemTime>,
) -> TestCaseResult {
    let again = round(time).ok_or_else(|| TestCaseError::fail(format!("{time:?} is lost")))?;
    if time >= UNIX_EPOCH {
        let lost = time
            .duration_since(again)
            .map_err(|_| TestCaseError::fail(format!("{again:?} is later than {time:?}")))?;
        prop_assert!(lost < step, "{time:?} became {again:?}");
    }
    prop_assert_eq!(round(again), Some(again));
    Ok(())
}
