use proptest::prelude::*;

use super::{fuzz, input, is_readable};
use crate::{path::encode, query::parameter};

const SEEDS: &[&str] = &[
    "callback=http%3A%2F%2Fa%2F%3Fq%3D%2525&callback=b",
    "callback_url=https%3A%2F%2Fexample.com%3A8443%2Fdone%3Fa%3D1%26b%3D2%23c",
    "wait_deadline=1994-11-15T10:12:31+02:00",
    "token=a+b%2B&x=%",
    "a=1&b&&=c&token=",
];
const PIECES: &[&str] = &[
    "callback", "token", "a", "=", "&", "+", "%", "%2", "%25", "%00", "%ff", "%C3%A9", "%zz", ";",
    "?", "é", "\u{0}",
];
const NAMES: [&str; 5] = ["callback", "callback_url", "wait_deadline", "token", "a b"];

#[test]
fn queries() {
    let names = prop::sample::select(&NAMES[..]);
    let pairs = prop::collection::vec((names, any::<String>()), 0..4);
    let inputs = (input::text(SEEDS, PIECES), pairs);
    fuzz("queries", &inputs, |(text, pairs)| {
        for name in NAMES {
            match parameter(Some(&text), name) {
                Ok(Some(value)) => {
                    prop_assert!(value.len() <= text.len());
                    let again = format!("{}={}", encode(name), encode(&value));
                    prop_assert_eq!(parameter(Some(&again), name), Ok(Some(value)));
                }
                // No part of it has the name as it is.
                Ok(None) => {
                    let named = text
                        .split('&')
                        .any(|pair| pair.split('=').next() == Some(name));
                    prop_assert!(!named);
                }
                Err(error) => {
                    prop_assert!(text.contains('%'));
                    is_readable(&error)?;
                }
            }
        }
        // What was encoded is found, behind whatever stands in front: the first of a name.
        let query = pairs
            .iter()
            .map(|(name, value)| format!("{}={}", encode(name), encode(value)));
        let query = query.collect::<Vec<_>>().join("&");
        for name in NAMES {
            let first = pairs.iter().find(|pair| pair.0 == name);
            let first = first.map(|pair| pair.1.clone());
            prop_assert_eq!(parameter(Some(&query), name), Ok(first));
        }
        Ok(())
    });
}
