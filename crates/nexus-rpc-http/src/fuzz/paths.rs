use bytes::Bytes;
use http::{Method, Request, Uri};
use http_body_util::{BodyExt, Collected, Full};
use nexus_rpc::{Operation, Service, ServiceRegistry, sync_operation};
use proptest::prelude::*;
use serde_json::Value;

use super::{fuzz, input, is_readable};
use crate::{
    NexusHttpService,
    path::{encode, segments, validate_unreserved},
};

const SEEDS: &[&str] = &[
    "/svc/echo",
    "/svc/echo/cancel",
    "/%73vc/ech%6F",
    "/svc/echo/T%2Fasync%20x/cancel",
    "/svc/a%2Fb%20%25%3F%23%3B%C3%A9",
    "/svc/echo/id/result",
    "/api/v1/services/svc/operations/echo",
    "/api/v1/services/svc/operations/echo/id-1",
    "/api/v1/services/svc/operations/echo/id-1/cancel",
    "/api/v1/services/svc/operations/echo/id-1/result",
    "/api/v1",
    "/",
];
const PIECES: &[&str] = &[
    "/",
    "//",
    ".",
    "..",
    "%2E%2e",
    "%2F",
    "%",
    "%2",
    "%00",
    "%0D%0A",
    "%1B",
    "%ff",
    "%C3",
    "%C3%A9",
    "%zz",
    "svc",
    "echo",
    "cancel",
    "result",
    "api",
    "v1",
    "services",
    "operations",
    "+",
    "~",
    "?",
    ";",
    "é",
    "\u{0}",
    " ",
];
const ECHO: Operation<Value, Value> = Operation::new("svc", "echo");

#[test]
fn paths() {
    let names = prop::collection::vec(any::<String>(), 1..5);
    fuzz(
        "paths",
        &(input::text(SEEDS, PIECES), names),
        |(text, names)| {
            let rest = text.strip_prefix('/').unwrap_or(&text);
            match segments(&text) {
                Ok(found) => {
                    prop_assert_eq!(found.len(), rest.split('/').count());
                    prop_assert!(
                        found.iter().map(|segment| segment.len()).sum::<usize>() <= text.len()
                    );
                    let again: String = found
                        .iter()
                        .map(|segment| format!("/{}", encode(segment)))
                        .collect();
                    prop_assert_eq!(segments(&again).unwrap(), found.as_slice());
                    for segment in &found {
                        let unreserved = |c: char| c.is_ascii_alphanumeric() || "-._~".contains(c);
                        let fits = !["", ".", ".."].contains(&segment.as_ref())
                            && segment.chars().all(unreserved);
                        let checked = validate_unreserved(segment);
                        prop_assert_eq!(checked.is_ok(), fits);
                        if let Err(error) = checked {
                            is_readable(&error)?;
                        }
                    }
                }
                Err(error) => {
                    prop_assert!(text.contains('%'));
                    is_readable(&error)?;
                }
            }
            // Any names can be sent, and are seen by the server as they are.
            let path: String = names
                .iter()
                .map(|name| format!("/{}", encode(name)))
                .collect();
            prop_assert!(path.parse::<Uri>().is_ok_and(|uri| uri.path() == path));
            prop_assert_eq!(segments(&path).unwrap(), names.as_slice());
            Ok(())
        },
    );
}

#[test]
fn requests() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let echo = sync_operation(async |_, value: Value| Ok(value));
    let mut registry = ServiceRegistry::new();
    registry
        .register(
            Service::builder("svc")
                .operation(ECHO, echo)
                .build()
                .unwrap(),
        )
        .unwrap();
    let service = NexusHttpService::builder(registry).build().unwrap();
    let methods = prop::sample::select(vec![
        Method::POST,
        Method::GET,
        Method::PUT,
        Method::from_bytes(b"X-Y").unwrap(),
    ]);
    let queries = input::text(
        &[
            "token=a+b%2B",
            "callback=http%3A%2F%2Fa%2F",
            "callback_url=%",
            "wait_deadline=1994-11-15",
        ],
        &["%", "&", "=", "callback_url=", "ftp:", "//", "%0A", "é"],
    );
    let inputs = (
        methods,
        input::text(SEEDS, PIECES),
        prop::option::of(queries),
        any::<bool>(),
    );
    fuzz("requests", &inputs, |(method, path, query, json)| {
        let target = query.map_or(path.clone(), |query| format!("{path}?{query}"));
        let Ok(uri) = target.parse::<Uri>() else {
            return Ok(());
        };
        let request = Request::builder().method(&method).uri(&uri);
        let body = if json { "7" } else { "{" };
        let request = request
            .header("content-type", "application/json")
            .body(Full::<Bytes>::from(body))
            .unwrap();
        let (status, body) = runtime.block_on(async {
            let response = service.answer(request).await;
            let status = response.status().as_u16();
            (
                status,
                response
                    .into_body()
                    .collect()
                    .await
                    .map(Collected::to_bytes),
            )
        });
        let body = body.map_err(|_| TestCaseError::fail("no body"))?;
        match status {
            200 => {
                prop_assert!(json && method == Method::POST);
                prop_assert_eq!(&body[..], b"7");
                let names = segments(uri.path()).unwrap();
                let draft = ["api", "v1", "services", "svc", "operations", "echo"];
                // The seventh is the id that the caller chose.
                prop_assert!(
                    names == ["svc", "echo"]
                        || names.len() <= 7 && names.starts_with(&draft.map(Into::into))
                );
            }
            400 | 404 | 501 => {
                let failure: Value = serde_json::from_slice(&body)
                    .map_err(|error| TestCaseError::fail(error.to_string()))?;
                is_readable(&failure["message"].as_str().unwrap_or_default())?;
            }
            405 => prop_assert!(method != Method::POST || uri.path().ends_with("/result")),
            _ => prop_assert!(false, "{} is answered with {}", uri, status),
        }
        Ok(())
    });
}
