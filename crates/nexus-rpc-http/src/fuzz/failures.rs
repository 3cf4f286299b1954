use http::{HeaderMap, HeaderValue, StatusCode, header};
use nexus_rpc::{HandlerErrorType, OperationState};
use proptest::{prelude::*, test_runner::TestCaseResult};
use serde_json::{Value, json};

use super::{fuzz, input, is_readable};
use crate::{
    Dialect, OperationFailure,
    failure::wire::{handler_error, operation_failure, read_handler_error, read_operation_failure},
    headers::{self, NEXUS_REQUEST_RETRYABLE},
    status,
};

const SEEDS: &[&str] = &[
    "{}",
    r#"{"message":"m","details":{"metadata":{"a":"b"},"data":"d"}}"#,
    r#"{"metadata":{"type":"nexus.OperationError"},"message":"m","details":{"state":"canceled"}}"#,
    r#"{"metadata":{"type":"nexus.OperationError"},"stackTrace":"s","details":{"state":"failed","data":[1,2.5e300]},"cause":{"message":"c","details":7}}"#,
    r#"{"metadata":{"type":"nexus.HandlerError"},"message":"m","details":{"type":"NOT_FOUND","retryableOverride":true}}"#,
    r#"{"metadata":{"type":"temporal.api.failure.v1.Failure"},"message":"m","details":{"applicationFailureInfo":{"type":"T"}},"cause":{"cause":{"message":"deep"}}}"#,
    r#"{"details":{"data":"eyJ4IjoxfQ==","metadata":{"content-type":"application/json","data-encoding":"base64"}}}"#,
];
const PIECES: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    ":",
    ",",
    "\"",
    "null",
    "true",
    "false",
    "0",
    "-1",
    "1e999",
    "18446744073709551616",
    "\"state\":\"failed\"",
    "\"state\":\"running\"",
    "\"details\":",
    "\"details\":{}",
    "\"details\":null,",
    "\"data\":{}",
    "\"metadata\":",
    "\"metadata\":{}",
    "\"type\":\"X\"",
    "\"type\":1",
    "\"nexus.OperationError\"",
    "\"nexus.HandlerError\"",
    "\"message\":",
    "\"\\u0000\"",
    "\"\\ud800\"",
    "\"cause\":",
    "{\"cause\":",
    "\"cause\":{}",
    "}}}}}}}}",
    " ",
    "é",
];
const STATUSES: [u16; 14] = [
    400, 401, 403, 404, 408, 409, 418, 424, 429, 482, 500, 501, 503, 520,
];
/// JSON is read to a depth of 128; writing a failure adds a level at most.
const DEEP: usize = 120;

#[test]
fn operation_failures() {
    let states = prop::sample::select(vec![
        None,
        Some(OperationState::Failed),
        Some(OperationState::Canceled),
        Some(OperationState::Running),
        Some(OperationState::Succeeded),
    ]);
    let inputs = (input::bytes(SEEDS, PIECES), states);
    fuzz("operation_failures", &inputs, |(body, state)| {
        for dialect in [Dialect::Current, Dialect::Draft] {
            let failure = match read_operation_failure(dialect, state, &body) {
                Ok(failure) => failure,
                Err(error) => {
                    is_readable(&error)?;
                    continue;
                }
            };
            prop_assert_eq!(body.trim_ascii_start().first(), Some(&b'{'));
            if dialect == Dialect::Draft {
                prop_assert_eq!(Some(failure.state()), state);
            }
            // Reading the details as any type gives a value or an error.
            if let Err(error) = failure.details::<Value>() {
                is_readable(&error)?;
            }
            if depth(&body) < DEEP {
                written(dialect, &failure)?;
                // One that came in the one dialect goes out in the other.
                let draft: Value = from(&operation_failure(Dialect::Draft, &failure))?;
                fits_the_draft(&draft)?;
            }
        }
        Ok(())
    });
}

/// What was read can be written and is the same when it is read again.
fn written(dialect: Dialect, failure: &OperationFailure) -> TestCaseResult {
    let state = Some(failure.state());
    let once = operation_failure(dialect, failure);
    let again = read_operation_failure(dialect, state, &once)
        .map_err(|error| TestCaseError::fail(format!("{failure:?} is lost: {error}")))?;
    prop_assert_eq!(again.state(), failure.state());
    prop_assert_eq!(again.message(), failure.message());
    if dialect == Dialect::Current {
        // The state of today is in the body, whatever a header says.
        let alone = read_operation_failure(dialect, None, &once).ok();
        prop_assert_eq!(alone.as_ref(), Some(&again));
        let marked: Value = from(&once)?;
        prop_assert_eq!(&marked["metadata"]["type"], "nexus.OperationError");
        prop_assert_eq!(&marked["details"]["state"], failure.state().as_str());
    }
    let twice = operation_failure(dialect, &again);
    let (once, twice) = (from(&once)?, from(&twice)?);
    prop_assert_eq!(once, twice);
    Ok(())
}

fn fits_the_draft(failure: &Value) -> TestCaseResult {
    let details = &failure["details"];
    prop_assert!(details.is_object() || failure.get("details").is_none());
    prop_assert!(details.get("data").is_none_or(Value::is_string));
    if let Some(metadata) = details.get("metadata") {
        let metadata = metadata.as_object();
        prop_assert!(metadata.is_some_and(|metadata| metadata.values().all(Value::is_string)));
    }
    Ok(())
}

#[test]
fn handler_errors() {
    let statuses = prop::sample::select(&STATUSES[..]);
    let types = prop::sample::select(vec![
        "application/json",
        "Application/JSON; a=b",
        "text/plain",
        "",
    ]);
    let retryable = prop::sample::select(vec!["true", "FALSE", "maybe", ""]);
    let inputs = (input::bytes(SEEDS, PIECES), statuses, types, retryable);
    fuzz(
        "handler_errors",
        &inputs,
        |(body, code, content_type, retryable)| {
            let response_status = StatusCode::from_u16(code).unwrap();
            let headers = HeaderMap::from_iter([
                (header::CONTENT_TYPE, HeaderValue::from_static(content_type)),
                (NEXUS_REQUEST_RETRYABLE, HeaderValue::from_static(retryable)),
            ]);
            for dialect in [Dialect::Current, Dialect::Draft] {
                let read = read_handler_error(dialect, response_status, &headers, &body);
                prop_assert_eq!(read.is_some(), status::to_type(response_status).is_some());
                let Some(error) = read else { continue };
                if dialect == Dialect::Draft {
                    prop_assert_eq!(error.is_retryable(), response_status.is_server_error());
                    continue;
                }
                if !headers::is_json(&headers) {
                    let of_status = status::to_type(response_status);
                    prop_assert_eq!(Some(error.error_type()), of_status.as_ref());
                    prop_assert!(error.cause().is_none());
                }
                if depth(&body) >= DEEP {
                    continue;
                }
                let once = handler_error(dialect, &error);
                let json = HeaderMap::from_iter([(header::CONTENT_TYPE, headers::JSON)]);
                // The body says it all, with whatever status.
                let again =
                    read_handler_error(dialect, StatusCode::NOT_IMPLEMENTED, &json, &once).unwrap();
                prop_assert_eq!(again.error_type(), error.error_type());
                prop_assert_eq!(again.message(), error.message());
                prop_assert_eq!(again.retry_behavior(), error.retry_behavior());
                let (before, after) = (json!(error.cause()), json!(again.cause()));
                prop_assert_eq!(before, after);
                let unknown = HandlerErrorType::from(error.error_type().as_str());
                prop_assert_eq!(&unknown, error.error_type());
            }
            Ok(())
        },
    );
}

fn from(json: &[u8]) -> Result<Value, TestCaseError> {
    serde_json::from_slice(json).map_err(|error| TestCaseError::fail(error.to_string()))
}

/// At most this many levels are in the JSON.
fn depth(json: &[u8]) -> usize {
    json.iter().filter(|byte| b"{[".contains(byte)).count()
}
