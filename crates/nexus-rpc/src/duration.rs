//! Durations as Nexus headers carry them.
//!
//! The specification has one number and one unit (`Request-Timeout: 1500ms`; units `ms`, `s`, `m`). Temporal's server hands workers
//! what Go's `Duration.String` prints instead: several parts (`1m30s`), more units (`2h0m0s`, `850.3µs`), also negative. [`parse`] reads
//! both, [`format()`] writes the specification's form.

use std::time::Duration;

/// A string that is not a duration in either form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} is not a duration: expected a number and a unit, such as `500ms`, `30s` or `1m30s`"
)]
pub struct InvalidDuration {
    text: String,
}

/// Reads a duration in the specification's form or in Go's.
///
/// A negative one is [`Duration::ZERO`]: Temporal sends it when the deadline had passed before the request was dispatched. One that
/// is too long for the type is [`Duration::MAX`].
///
/// ```
/// use std::time::Duration;
/// use nexus_rpc::duration::parse;
///
/// assert_eq!(parse("1500ms"), Ok(Duration::from_millis(1500)));
/// assert_eq!(parse("1m30.5s"), Ok(Duration::from_millis(90_500)));
/// assert_eq!(parse("-2s"), Ok(Duration::ZERO));
/// assert!(parse("10").is_err());
/// ```
pub fn parse(text: &str) -> Result<Duration, InvalidDuration> {
    parse_parts(text.trim()).ok_or_else(|| InvalidDuration {
        text: text.to_owned(),
    })
}

fn parse_parts(text: &str) -> Option<Duration> {
    let (negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Some(Duration::ZERO);
    }
    let mut total = Duration::ZERO;
    loop {
        let (part, after) = parse_part(rest)?;
        total = total.saturating_add(part);
        if after.is_empty() {
            break;
        }
        rest = after;
    }
    Some(if negative { Duration::ZERO } else { total })
}

/// One number with its unit, and what follows.
fn parse_part(text: &str) -> Option<(Duration, &str)> {
    let unit_at = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let (number, rest) = text.split_at(unit_at);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() || fraction.contains('.') {
        return None;
    }
    let unit_end = rest
        .find(|c: char| c.is_ascii_digit() || c == '.')
        .unwrap_or(rest.len());
    let (unit, after) = rest.split_at(unit_end);
    let nanos_per_unit: u128 = match unit {
        "ns" => 1,
        // The micro sign, the Greek letter that looks like it, and ASCII: Go reads all three.
        "us" | "\u{b5}s" | "\u{3bc}s" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        _ => return None,
    };
    let mut nanos = digits(whole).saturating_mul(nanos_per_unit);
    // Digit by digit in whole numbers: a float would lose nanoseconds.
    let mut weight = nanos_per_unit;
    for digit in fraction.bytes() {
        weight /= 10;
        nanos = nanos.saturating_add(u128::from(digit - b'0') * weight);
    }
    let seconds = u64::try_from(nanos / 1_000_000_000).unwrap_or(u64::MAX);
    let subsecond = u32::try_from(nanos % 1_000_000_000).unwrap_or_default();
    let duration = if seconds == u64::MAX {
        Duration::MAX
    } else {
        Duration::new(seconds, subsecond)
    };
    Some((duration, after))
}

fn digits(text: &str) -> u128 {
    text.bytes().fold(0u128, |number, digit| {
        number
            .saturating_mul(10)
            .saturating_add(u128::from(digit - b'0'))
    })
}

/// Writes a duration in the specification's form, in whole milliseconds (a fraction of one is dropped).
///
/// ```
/// use std::time::Duration;
///
/// assert_eq!(nexus_rpc::duration::format(Duration::from_micros(1_500_900)), "1500ms");
/// ```
#[must_use]
pub fn format(duration: Duration) -> String {
    format!("{}ms", duration.as_millis())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_what_go_prints() {
        for (text, nanos) in [
            ("9.99s", 9_990_000_000),
            ("1m30s", 90_000_000_000),
            ("2h0m0s", 7_200_000_000_000),
            ("850.3\u{b5}s", 850_300),
            ("850.3\u{3bc}s", 850_300),
            ("88.458us", 88_458),
            ("1ns", 1),
            ("0s", 0),
            ("0", 0),
            (".5s", 500_000_000),
            ("5.s", 5_000_000_000),
            ("-4.2s", 0),
            ("+1s", 1_000_000_000),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_nanos(nanos)), "{text}");
        }
    }

    #[test]
    fn refuses_what_is_no_duration() {
        for text in [
            "", " ", "-", "s", ".s", "1", "1.5", "1d", "1 s", "1s2", "1..5s", "0x1s", "1e3s",
            "NaN", "∞s", "1sm",
        ] {
            assert!(parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn is_as_long_as_it_can_be() {
        assert_eq!(parse(&format!("{}h", "9".repeat(60))), Ok(Duration::MAX));
    }

    proptest! {
        #[test]
        fn never_panics(text in ".{0,40}") {
            let _ = parse(&text);
        }

        #[test]
        fn never_panics_on_near_misses(text in "[-+]?([0-9]{0,25}\\.?[0-9]{0,25}(h|m|s|ms|us|µs|ns)?){0,4}") {
            let _ = parse(&text);
        }

        #[test]
        fn round_trips_milliseconds(millis in any::<u64>()) {
            let duration = Duration::from_millis(millis);
            prop_assert_eq!(parse(&format(duration)), Ok(duration));
        }
    }
}
