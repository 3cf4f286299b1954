use http::{HeaderMap, HeaderValue};
use proptest::prelude::*;

use super::{fuzz, input, is_readable};
use crate::{
    headers::NEXUS_LINK,
    link::{read, write},
};

const SEEDS: &[&str] = &[
    r#"<temporal:///namespaces/n/workflows/w/r/history?eventID=5&eventType=NexusOperationScheduled>; type="temporal.api.common.v1.Link.WorkflowEvent""#,
    r#"<http://a/?x=1,2;y>; rel="a,b;c" ; TYPE="t\"1",, <b:c>;type=d/e.f , "#,
    "<a:b>;x;;type=b;",
    "<a:b>; type=\"c\", <d:e>; type=\"f\"",
    "<http://[::1]:80/%2C>; type=a_b/c.d; title*=UTF-8''x",
    "",
];
const PIECES: &[&str] = &[
    "<",
    ">",
    ";",
    ",",
    "=",
    "\"",
    "\\",
    "\\\"",
    "type",
    "TYPE",
    "type=",
    "type=\"x\"",
    "rel",
    " ",
    "\t",
    "%2C",
    "%",
    "<a:b>; type=c",
    "é",
    "\u{2028}",
];

#[test]
fn links() {
    let lines = prop::collection::vec(input::bytes(SEEDS, PIECES), 1..3);
    fuzz("links", &lines, |lines| {
        let mut headers = HeaderMap::new();
        let mut length = 0;
        for line in &lines {
            let Ok(value) = HeaderValue::from_bytes(line) else {
                continue;
            };
            length += value.len();
            headers.append(NEXUS_LINK, value);
        }
        let links = match read(&headers) {
            Ok(links) => links,
            Err(error) => return is_readable(&error),
        };
        let held = links
            .iter()
            .map(|link| link.url.len() + link.link_type.len());
        prop_assert!(held.sum::<usize>() <= length, "more than was sent");
        for link in &links {
            prop_assert!(!link.link_type.is_empty() && !link.url.is_empty());
            prop_assert!(!link.url.contains([' ', '\t', '<', '>']));
        }
        let mut once = HeaderMap::new();
        write(&links, &mut once);
        // A type that Go does not read is the one thing that is read but not written.
        let writable = links.iter().filter(|link| {
            link.link_type
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"_./".contains(&b))
        });
        let again = read(&once).map_err(|error| TestCaseError::fail(error.to_string()))?;
        prop_assert_eq!(again.len(), writable.clone().count());
        for (link, again) in writable.zip(&again) {
            prop_assert_eq!(&link.link_type, &again.link_type);
            let plain = link
                .url
                .bytes()
                .all(|b| b.is_ascii_graphic() && !b"\",;\\".contains(&b));
            prop_assert!(!plain || link.url == again.url);
        }
        let mut twice = HeaderMap::new();
        write(&again, &mut twice);
        prop_assert_eq!(&once, &twice);
        // The same when an intermediary joined the lines.
        let joined = once.get_all(NEXUS_LINK).iter().map(HeaderValue::as_bytes);
        let joined = joined.collect::<Vec<_>>().join(&b", "[..]);
        let joined = HeaderValue::from_bytes(&joined).unwrap();
        let joined = HeaderMap::from_iter([(NEXUS_LINK, joined)]);
        prop_assert_eq!(read(&joined).ok(), Some(again));
        Ok(())
    });
}
