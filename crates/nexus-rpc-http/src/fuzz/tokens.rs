use std::time::{Duration, UNIX_EPOCH};

use http::HeaderValue;
use nexus_rpc::OperationToken;
use proptest::{prelude::*, sample::Index};

use super::{fuzz, input, is_readable};
use crate::{
    callback::CallbackTokens,
    path::{decode, encode},
    query::parameter,
};

const SEEDS: &[&str] = &[
    "order-17",
    "a b",
    "T/async x",
    "eyJ0IjoxLCJucyI6Im4iLCJ3aWQiOiJ3In0",
    "n1.AAAAAHc1lABvcmRlci0xNw.5bygIHxXp9Ao2GWEqZZN2eJHVwUlKZNOEYIHx1Cf0oA",
    "n1..",
];
const PIECES: &[&str] = &[
    "n1", "n2", ".", "=", "A", "-", "_", "/", "+", " ", "\t", "\r\n", "\u{0}", "\u{7f}", "é", "%2F",
];
const KEY: [u8; 32] = [7; 32];

#[test]
fn operation_tokens() {
    fuzz("operation_tokens", &input::text(SEEDS, PIECES), |text| {
        let inner = |c: char| c.is_ascii_graphic() || c == ' ' || c == '\t';
        let fits = !text.is_empty()
            && text.len() <= OperationToken::MAX_LENGTH
            && text.chars().all(inner)
            && text.trim_matches([' ', '\t']) == text;
        match OperationToken::new(text.as_str()) {
            Ok(token) => {
                prop_assert!(fits);
                prop_assert_eq!(token.as_str(), &text);
                let header = HeaderValue::from_str(&text).unwrap();
                prop_assert_eq!(header.to_str().unwrap(), &text);
                let encoded = encode(&text);
                prop_assert_eq!(decode(&encoded).unwrap(), text.as_str());
                let query = format!("token={}", encode(&text));
                prop_assert_eq!(parameter(Some(&query), "token"), Ok(Some(text)));
            }
            Err(error) => {
                prop_assert!(!fits);
                is_readable(&error)?;
            }
        }
        Ok(())
    });
}

#[test]
fn callback_tokens() {
    let changes = prop::collection::vec((any::<Index>(), any::<char>()), 1..4);
    let inputs = (
        input::text(SEEDS, PIECES),
        any::<String>(),
        any::<u32>(),
        changes,
        any::<Index>(),
    );
    fuzz(
        "callback_tokens",
        &inputs,
        |(text, payload, after, changes, cut)| {
            let tokens = CallbackTokens::new(&KEY).unwrap();
            // Nobody else has signed anything with this key.
            let refused = tokens.verify(&text);
            prop_assert!(refused.is_err());
            is_readable(&refused.unwrap_err())?;

            let expires = UNIX_EPOCH + Duration::from_secs((1 << 40) + u64::from(after));
            let token = tokens.sign(&payload, expires);
            prop_assert_eq!(tokens.verify(&token).ok(), Some(payload.clone()));
            prop_assert_eq!(encode(&token), token.as_str());
            prop_assert!(
                CallbackTokens::new(&[8; 32])
                    .unwrap()
                    .verify(&token)
                    .is_err()
            );

            let mut changed: Vec<char> = token.chars().collect();
            for (at, to) in changes {
                let at = at.index(changed.len());
                changed[at] = to;
            }
            let changed = String::from_iter(changed);
            prop_assert_eq!(tokens.verify(&changed).is_ok(), changed == token);
            prop_assert!(tokens.verify(&token[..cut.index(token.len())]).is_err());
            let longer = format!("{token}{text}");
            prop_assert!(tokens.verify(&longer).is_err() || text.is_empty());
            // The signature of one payload is none for another.
            let other = tokens.sign(&format!("{payload}x"), expires);
            let (signed, signature) = (token.rsplit_once('.'), other.rsplit_once('.'));
            let mixed = format!("{}.{}", signed.unwrap().0, signature.unwrap().1);
            prop_assert!(tokens.verify(&mixed).is_err());
            Ok(())
        },
    );
}
