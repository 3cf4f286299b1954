use std::time::Duration;

use http::{HeaderMap, HeaderValue};
use nexus_rpc::duration;
use proptest::prelude::*;

use super::{fuzz, input, is_readable};
use crate::{headers::REQUEST_TIMEOUT, timeout};

const SEEDS: &[&str] = &[
    "1500ms",
    "5s",
    "2m",
    "1.5s",
    "9999ms",
    "14.997218859s",
    "4.999012593s",
    "1m30s",
    "2h0m0s",
    "850.3\u{b5}s",
    "88.458us",
    "1ns",
    "0",
    "0ms",
    "-4.2s",
    "+1s",
];
const PIECES: &[&str] = &[
    "0",
    "1",
    "9",
    "99999999999999999999",
    "18446744073709551615",
    "340282366920938463463374607431768211456",
    ".",
    "-",
    "+",
    "ns",
    "us",
    "\u{b5}s",
    "\u{3bc}s",
    "ms",
    "s",
    "m",
    "h",
    "d",
    "e3",
    " ",
    "\t",
    "\u{0}",
    "\u{7f}",
    "\u{661}",
];

#[test]
fn durations() {
    fuzz("durations", &input::text(SEEDS, PIECES), |text| {
        let parsed = duration::parse(&text);
        match &parsed {
            Ok(duration) => {
                let known = sum(text.trim()).ok_or_else(|| TestCaseError::fail("no duration"))?;
                // Each part is cut to whole nanoseconds, and the sum in floating point rounds.
                let read = duration.as_secs_f64();
                let cut = 1e-9 * text.len() as f64;
                let close = (read - known).abs() <= cut + known * 1e-9;
                prop_assert!(close || *duration == Duration::MAX, "{read} is not {known}");
                let whole = duration::parse(&duration::format(*duration)).unwrap();
                prop_assert_eq!(whole.as_millis(), duration.as_millis());
                prop_assert!(whole <= *duration);
            }
            Err(error) => {
                prop_assert_eq!(sum(text.trim()), None);
                is_readable(error)?;
            }
        }
        let Ok(value) = HeaderValue::from_str(&text) else {
            return Ok(());
        };
        let headers = HeaderMap::from_iter([(REQUEST_TIMEOUT, value)]);
        match timeout::read(&headers) {
            Ok(read) => {
                prop_assert!(is_of_the_specification(&text));
                prop_assert_eq!(read, parsed.ok());
            }
            Err(error) => {
                prop_assert!(!is_of_the_specification(&text));
                is_readable(&error)?;
            }
        }
        Ok(())
    });
}

/// The seconds of a duration in Go's form, put together from the back; below zero counts as zero.
fn sum(text: &str) -> Option<f64> {
    let units = [
        ("ns", 1e-9),
        ("us", 1e-6),
        ("\u{b5}s", 1e-6),
        ("\u{3bc}s", 1e-6),
        ("ms", 1e-3),
        ("s", 1.0),
        ("m", 60.0),
        ("h", 3600.0),
    ];
    let negative = text.starts_with('-');
    let mut rest = text.strip_prefix(['-', '+']).unwrap_or(text);
    if rest == "0" {
        return Some(0.0);
    }
    let mut total = 0.0;
    loop {
        let (before, size) = units
            .iter()
            .filter_map(|(unit, size)| Some((rest.strip_suffix(unit)?, size)))
            .find(|(before, _)| before.ends_with(|c: char| c.is_ascii_digit() || c == '.'))?;
        let start = before
            .rfind(|c: char| !c.is_ascii_digit() && c != '.')
            .map_or(0, |at| {
                at + before[at..].chars().next().map_or(1, char::len_utf8)
            });
        total += before[start..].parse::<f64>().ok()? * size;
        rest = &before[..start];
        if rest.is_empty() {
            return Some(if negative { 0.0 } else { total });
        }
    }
}

/// `^\d+(\.\d+)?(ms|s|m)$`
fn is_of_the_specification(text: &str) -> bool {
    let number = text.trim_end_matches(|c: char| c.is_ascii_lowercase());
    let parts: Vec<_> = number.split('.').collect();
    matches!(&text[number.len()..], "ms" | "s" | "m")
        && parts.len() <= 2
        && parts
            .iter()
            .all(|part| !part.is_empty() && part.chars().all(|c| c.is_ascii_digit()))
}
