use super::*;
use nexus_rpc::{Content, OperationError, content::JsonSerializer};
use proptest::prelude::*;

fn body(dialect: Dialect, failure: &OperationFailure) -> Value {
    serde_json::from_slice(&operation_failure(dialect, failure)).unwrap()
}

fn round_trip(dialect: Dialect, failure: &OperationFailure) -> OperationFailure {
    let body = operation_failure(dialect, failure);
    read_operation_failure(dialect, Some(failure.state()), &body).unwrap()
}

#[test]
fn json_details_stand_as_they_are_in_the_current_dialect_and_as_text_in_the_draft() {
    let error = OperationError::failed("declined").with_details(json!({"code": 51}));
    let failure = OperationFailure::from_error(error, &JsonSerializer).unwrap();
    assert_eq!(
        body(Dialect::Current, &failure),
        json!({
            "message": "declined",
            "metadata": {"type": "nexus.OperationError"},
            "details": {"state": "failed", "data": {"code": 51}},
        })
    );
    assert_eq!(
        body(Dialect::Draft, &failure),
        json!({
            "message": "declined",
            "details": {"metadata": {"content-type": "application/json"}, "data": "{\"code\":51}"},
        })
    );
}

#[test]
fn bytes_are_base64_in_both() {
    let error = OperationError::canceled("").with_details(vec![0xffu8, 0]);
    let failure = OperationFailure::from_error(error, &JsonSerializer).unwrap();
    let details = json!({
        "metadata": {"content-type": "application/octet-stream", "data-encoding": "base64"},
        "data": "/wA=",
    });
    assert_eq!(
        body(Dialect::Draft, &failure),
        json!({ "details": details })
    );
    for dialect in [Dialect::Draft, Dialect::Current] {
        let read = round_trip(dialect, &failure);
        assert_eq!(read, failure);
        assert_eq!(read.details::<Vec<u8>>().unwrap(), Some(vec![0xff, 0]));
    }
}

#[test]
fn details_of_others_are_json() {
    let body =
        br#"{"metadata":{"type":"nexus.OperationError"},"details":{"state":"canceled","code":1}}"#;
    let read = read_operation_failure(Dialect::Current, None, body).unwrap();
    assert_eq!(read.state(), OperationState::Canceled);
    assert_eq!(read.details::<Value>().unwrap(), Some(json!({"code": 1})));
    // The draft's handlers may encode data as they like.
    let body = br#"{"details":{"metadata":{"codec":"rot13"},"data":"uryyb"}}"#;
    let read = read_operation_failure(Dialect::Draft, Some(OperationState::Failed), body).unwrap();
    let details = read.failure().details.clone().unwrap();
    assert_eq!(details["data"], "uryyb");
    assert_eq!(read.details::<Value>().unwrap(), Some(details));
}

#[test]
fn a_failure_with_a_type_of_its_own_becomes_the_cause() {
    let own = Failure {
        metadata: [("type".to_owned(), "my.Error".to_owned())].into(),
        details: Some(json!([1])),
        ..Failure::new("x")
    };
    let body = body(Dialect::Current, &OperationFailure::failed(own.clone()));
    assert_eq!(body["details"], json!({"state": "failed"}));
    assert_eq!(
        serde_json::from_value::<Failure>(body["cause"].clone()).unwrap(),
        own
    );
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-z]{1,4}|data|metadata|state|type", inner, 0..4)
                .prop_map(|map| map.into_iter().collect()),
        ]
    })
}

proptest! {
    #[test]
    fn details_survive_both_dialects(value in json_value(), bytes in any::<Vec<u8>>(), canceled in any::<bool>()) {
        let error = if canceled { OperationError::canceled("m") } else { OperationError::failed("m") };
        let failure = OperationFailure::from_error(error.with_details(value.clone()), &JsonSerializer).unwrap();
        for dialect in [Dialect::Draft, Dialect::Current] {
            let read = round_trip(dialect, &failure);
            prop_assert_eq!(read.state(), failure.state());
            prop_assert_eq!(read.details::<Value>().unwrap(), Some(value.clone()).filter(|value| !value.is_null()));
        }
        let content = Content::new("a/b", bytes);
        let error = OperationError::failed("m").with_details(content.clone());
        let failure = OperationFailure::from_error(error, &JsonSerializer).unwrap();
        for dialect in [Dialect::Draft, Dialect::Current] {
            prop_assert_eq!(round_trip(dialect, &failure).details_content(), Some(content.clone()));
        }
    }

    #[test]
    fn handler_errors_survive(
        name in "BAD_REQUEST|NOT_FOUND|INTERNAL|UNAVAILABLE|TEAPOT",
        message in ".{0,20}",
        retry in prop_oneof![Just(RetryBehavior::Default), Just(RetryBehavior::Retryable), Just(RetryBehavior::NonRetryable)],
        cause in prop::option::of(".{0,20}".prop_map(Failure::new)),
    ) {
        let mut error = HandlerError::new(HandlerErrorType::from(name.as_str()), message).with_retry_behavior(retry);
        if let Some(cause) = cause {
            error = error.with_cause(cause);
        }
        let headers = HeaderMap::from_iter([(http::header::CONTENT_TYPE, headers::JSON)]);
        let read = |dialect| {
            let body = handler_error(dialect, &error);
            read_handler_error(dialect, status::of_error(dialect, &error), &headers, &body).unwrap()
        };
        let current = read(Dialect::Current);
        prop_assert_eq!(current.error_type(), error.error_type());
        prop_assert_eq!(current.message(), error.message());
        prop_assert_eq!(current.retry_behavior(), retry);
        prop_assert_eq!(current.cause(), error.cause());
        let draft = read(Dialect::Draft);
        prop_assert_eq!(draft.is_retryable(), error.is_retryable());
        prop_assert_eq!(draft.message(), error.message());
    }

    #[test]
    fn never_panics(body in json_value(), bytes in any::<Vec<u8>>()) {
        for body in [body.to_string().into_bytes(), bytes] {
            for dialect in [Dialect::Draft, Dialect::Current] {
                let _ = read_operation_failure(dialect, Some(OperationState::Failed), &body)
                    .map(|failure| failure.details::<Value>());
            }
        }
    }
}
