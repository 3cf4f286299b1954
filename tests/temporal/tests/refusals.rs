//! Requests that reach no handler, or a handler that cannot answer.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use nexus_rpc::{HandlerErrorType, Operation, sync_operation};
use serde::{Deserialize, Serialize};
use temporal_nexus::{NexusOperationError, NexusOperationOptions};
use temporalio_common::protos::temporal::api::{
    enums::v1::EventType, failure::v1::failure::FailureInfo,
};

use crate::fixture::{Call, History, SERVICE, Setup, everywhere};

everywhere! {
    an_input_that_cannot_be_read_is_a_bad_request_that_names_the_place,
    an_unknown_service_is_not_found,
    an_unknown_operation_is_not_found,
    a_panic_is_internal_and_its_text_stays_with_the_handler,
}

const TOTAL: Operation<Order, f64> = Operation::new(SERVICE, "total");

#[derive(Clone, Serialize, Deserialize)]
struct Order {
    items: Vec<Item>,
}

#[derive(Clone, Serialize, Deserialize)]
struct Item {
    price: f64,
}

fn totals(setup: Setup) -> Setup {
    setup.operation(
        TOTAL,
        sync_operation(async |_ctx, order: Order| {
            Ok(order.items.iter().map(|item| item.price).sum())
        }),
    )
}

/// The operation failed with this answer to its first and only request.
#[track_caller]
fn refused<O>(call: &Call<O>, error_type: &HandlerErrorType, message: &str) {
    let error = call.error();
    assert!(matches!(error, NexusOperationError::Failed(_)), "{error:?}");
    let answer = error.handler_error().expect("a handler error");
    assert_eq!(answer.error_type(), error_type);
    // Behind HTTP the text says also where in the line it is.
    let (said, _) = answer
        .message()
        .split_once(" at line ")
        .unwrap_or((answer.message(), ""));
    assert_eq!(said, message);
    assert!(!answer.is_retryable());
    assert_eq!(handler_failure_type(&call.history), error_type.as_str());
    assert!(call.history.says(message), "{:?}", call.history);
}

/// The type in the history, below the failure of the operation.
#[track_caller]
fn handler_failure_type(history: &History) -> &str {
    let cause = history.operation_failure().cause.as_ref().expect("a cause");
    match &cause.failure_info {
        Some(FailureInfo::NexusHandlerFailureInfo(info)) => &info.r#type,
        other => panic!("{other:?}"),
    }
}

async fn an_input_that_cannot_be_read_is_a_bad_request_that_names_the_place(setup: Setup) {
    const WRONG: Operation<serde_json::Value, f64> = Operation::new(SERVICE, "total");
    let fixture = totals(setup).start().await;
    let order = serde_json::json!({"items": [{"price": 1.5}, {"price": "cheap"}]});
    let call = fixture.call(WRONG, order).await;
    refused(
        &call,
        &HandlerErrorType::BadRequest,
        "cannot deserialize operation input: at `items[1].price`: invalid type: string \"cheap\", expected f64",
    );
    let call = fixture.call(WRONG, serde_json::Value::Null).await;
    refused(
        &call,
        &HandlerErrorType::BadRequest,
        "cannot deserialize operation input: invalid type: null, expected struct Order",
    );
    fixture.stop().await;
}

async fn an_unknown_service_is_not_found(setup: Setup) {
    const UNKNOWN: Operation<(), ()> = Operation::new("no-such-service", "total");
    let fixture = totals(setup).start().await;
    let call = fixture.call(UNKNOWN, ()).await;
    refused(
        &call,
        &HandlerErrorType::NotFound,
        "service \"no-such-service\" not found",
    );
    let failure = call.error().failure().unwrap();
    assert_eq!(failure.endpoint(), fixture.endpoint.name);
    assert_eq!(failure.service(), "no-such-service");
    assert_eq!(failure.operation(), "total");
    assert_eq!(failure.operation_token(), None);
    fixture.stop().await;
}

async fn an_unknown_operation_is_not_found(setup: Setup) {
    const UNKNOWN: Operation<(), ()> = Operation::new(SERVICE, "no-such-operation");
    let fixture = totals(setup).start().await;
    let call = fixture.call(UNKNOWN, ()).await;
    refused(
        &call,
        &HandlerErrorType::NotFound,
        "operation \"no-such-operation\" not found in service \"test-service\"",
    );
    fixture.stop().await;
}

async fn a_panic_is_internal_and_its_text_stays_with_the_handler(setup: Setup) {
    const FRAGILE: Operation<(), String> = Operation::new(SERVICE, "fragile");
    let broken = Arc::new(AtomicBool::new(true));
    let is_broken = broken.clone();
    let fixture = totals(setup)
        .operation(
            FRAGILE,
            sync_operation(move |_ctx, ()| {
                assert!(
                    !is_broken.load(Ordering::Relaxed),
                    "hunter2 is the password"
                );
                async { Ok("whole".to_owned()) }
            }),
        )
        .start()
        .await;
    let running = fixture
        .begin_call(FRAGILE, (), NexusOperationOptions::default)
        .await;

    let failure = running.last_attempt_failure().await;
    let Some(FailureInfo::NexusHandlerFailureInfo(info)) = &failure.failure_info else {
        panic!("{failure:?}");
    };
    assert_eq!(info.r#type, "INTERNAL");
    let text = format!("{failure:?}");
    assert!(text.contains("internal handler error"), "{text}");
    assert!(!text.contains("hunter2"), "{text}");

    // The worker goes on.
    let order = Order {
        items: vec![Item { price: 2.5 }],
    };
    assert_eq!(fixture.call(TOTAL, order).await.outcome.unwrap(), 2.5);
    broken.store(false, Ordering::Relaxed);
    let run = running.finish().await;
    assert_eq!(run.result.unwrap().unwrap(), "whole");
    assert!(!run.history.says("hunter2"));
    assert!(!run.history.has(EventType::NexusOperationFailed));
    fixture.stop().await;
}
