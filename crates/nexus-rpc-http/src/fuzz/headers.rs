use http::{HeaderMap, HeaderName, HeaderValue, header};
use nexus_rpc::Headers;
use proptest::prelude::*;

use super::{fuzz, input, is_readable};
use crate::headers::{
    CALLBACK_PREFIX, content, extend_free, for_callback, for_user, is_free, is_json, write_content,
};

const NAMES: &[&str] = &[
    "Authorization",
    "Content-Type",
    "content-encoding",
    "Content-Length",
    "Nexus-Callback-Token",
    "nexus-callback-",
    "Nexus-Callback-Content-Type",
    "Nexus-Callback-Host",
    "Nexus-Link",
    "Nexus-Operation-Token",
    "Nexus-Operation-State",
    "Connection",
    "Transfer-Encoding",
    "Host",
    "Cookie",
    "x",
];
const NAME_PIECES: &[&str] = &[
    "nexus-",
    "callback-",
    "content-",
    "CONTENT-",
    "-",
    "operation-",
    " ",
    ":",
    "\r\n",
    "\u{0}",
    "é",
    "type",
];
const VALUES: &[&str] = &[
    "application/json",
    "application/json; charset=utf-8",
    "a, b",
    "12",
    "é",
    "",
];
const VALUE_PIECES: &[&str] = &[
    "application/json",
    ";",
    ",",
    " ",
    "\t",
    "\"",
    "\r\n",
    "\u{0}",
    "\u{7f}",
    "é",
    "=",
    "JSON",
];

#[test]
fn headers() {
    let pair = (
        input::text(NAMES, NAME_PIECES),
        input::text(VALUES, VALUE_PIECES),
    );
    let inputs = (prop::collection::vec(pair, 0..8), any::<Vec<u8>>());
    fuzz("headers", &inputs, |(pairs, data)| {
        let mut map = HeaderMap::new();
        for (name, value) in &pairs {
            let name = HeaderName::from_bytes(name.as_bytes());
            if let (Ok(name), Ok(value)) = (name, HeaderValue::from_str(value)) {
                map.append(name, value);
            }
        }
        let user = for_user(&map);
        for (name, value) in user.iter() {
            prop_assert!(!name.starts_with("content-") && !name.starts_with(CALLBACK_PREFIX));
            prop_assert!(!["connection", "transfer-encoding", "nexus-link"].contains(&name));
            prop_assert!(!value.contains(['\r', '\n', '\0']));
        }
        let callback = for_callback(&map);
        for (name, _) in callback.iter() {
            let prefixed = format!("{CALLBACK_PREFIX}{name}");
            prop_assert!(map.contains_key(prefixed));
        }
        prop_assert!(user.len() + callback.len() <= map.keys_len());

        // Content comes back as it was, but for a type that it did not have.
        let sent = content(&map, data.into());
        let mut written = HeaderMap::new();
        let body = write_content(sent.clone(), &mut written).unwrap();
        prop_assert!(!written.contains_key(header::CONTENT_LENGTH));
        let mut again = content(&written, body);
        if sent.content_type().is_none() {
            let added = again.headers.remove("type");
            prop_assert_eq!(added.is_some(), !sent.data.is_empty());
        }
        prop_assert_eq!(again, sent);

        let media_type = map
            .get(header::CONTENT_TYPE)
            .and_then(|value| std::str::from_utf8(value.as_bytes()).ok());
        let media_type = media_type
            .unwrap_or_default()
            .split(';')
            .next()
            .unwrap_or_default();
        prop_assert_eq!(
            is_json(&map),
            media_type.trim().to_lowercase() == "application/json"
        );

        // What a peer may set goes through, and nothing else.
        for (name, value) in Headers::from_iter(pairs).iter() {
            let mut free = HeaderMap::new();
            match extend_free(&mut free, [(name, value)]) {
                Ok(()) => {
                    prop_assert_eq!(free.len(), 1);
                    prop_assert!(free.keys().all(|name| is_free(name.as_str())), "{free:?}");
                }
                Err(error) => is_readable(&error)?,
            }
        }
        Ok(())
    });
}
