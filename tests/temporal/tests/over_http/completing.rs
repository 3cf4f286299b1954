//! Completions: too early, twice, by nobody, and of every kind.

use std::time::{Duration, SystemTime};

use nexus_rpc::{Failure, HandlerErrorType, context::Callback};
use nexus_rpc_http::{
    Dialect, OperationFailure,
    callback::{Completion, CompletionSender, DeliveryError},
};
use temporal_nexus::NexusOperationError;
use temporalio_common::protos::temporal::api::{
    common::v1::link::Variant,
    enums::v1::EventType,
    history::v1::{HistoryEvent, history_event::Attributes},
};

use super::desk::{Desk, call, deliver, done, link, token};
use crate::fixture::{Setup, over_http};

over_http! {
    a_completion_may_come_before_the_answer_to_the_start,
    a_handler_links_to_what_it_started,
    a_second_delivery_is_refused_for_good,
    a_completion_without_its_token_is_refused,
    a_failure_keeps_its_message,
    an_operation_may_end_canceled_unasked,
}

#[track_caller]
fn operation_token(started: &HistoryEvent) -> &str {
    match &started.attributes {
        Some(Attributes::NexusOperationStartedEventAttributes(it)) => &it.operation_token,
        other => panic!("{other:?}"),
    }
}

fn linked_workflows(event: &HistoryEvent) -> Vec<&str> {
    let links = event.links.iter();
    links
        .map(|link| match &link.variant {
            Some(Variant::WorkflowEvent(it)) => it.workflow_id.as_str(),
            other => panic!("{other:?}"),
        })
        .collect()
}

#[track_caller]
fn refused(delivered: Result<(), DeliveryError>, error_type: &HandlerErrorType) {
    let error = delivered.expect_err("the server refuses it");
    assert!(!error.is_retryable(), "{error:?}");
    let DeliveryError::Rejected(error) = error else {
        panic!("{error:?}");
    };
    assert_eq!(error.error_type(), error_type);
}

async fn a_completion_may_come_before_the_answer_to_the_start(setup: Setup) {
    let (fixture, mut desk) = Desk::open(setup).await;
    let caller = call(&fixture).await;
    let start = desk.start().await;
    let mut early = done();
    early.operation_token = Some(token("early-1"));
    early.start_time = Some(SystemTime::now() - Duration::from_secs(1));
    early.links = vec![link("early")];
    deliver(&start.ctx, &early).await.unwrap();
    let run = caller.finish().await;
    assert_eq!(run.result.unwrap().unwrap(), "done");
    let started = run.history.event(EventType::NexusOperationStarted);
    assert_eq!(operation_token(started), "early-1");
    assert_eq!(linked_workflows(started), ["early"]);
    start.started("early-1");
    fixture.stop().await;
}

async fn a_handler_links_to_what_it_started(setup: Setup) {
    let (fixture, mut desk) = Desk::open(setup).await;
    let caller = call(&fixture).await;
    let start = desk.start().await;
    let ctx = start.ctx.clone();
    ctx.add_link(link("order"));
    start.started("job-1");
    caller.reaches(EventType::NexusOperationStarted).await;
    deliver(&ctx, &done()).await.unwrap();
    let run = caller.finish().await;
    assert_eq!(run.result.unwrap().unwrap(), "done");
    let started = run.history.event(EventType::NexusOperationStarted);
    assert_eq!(operation_token(started), "job-1");
    assert_eq!(linked_workflows(started), ["order"]);
    assert!(run.history.has(EventType::NexusOperationCompleted));
    fixture.stop().await;
}

async fn a_second_delivery_is_refused_for_good(setup: Setup) {
    let (fixture, mut desk) = Desk::open(setup).await;
    let (caller, ctx) = desk.started(&fixture, "job-1").await;
    deliver(&ctx, &done()).await.unwrap();
    refused(deliver(&ctx, &done()).await, &HandlerErrorType::NotFound);
    let run = caller.finish().await;
    assert_eq!(run.result.unwrap().unwrap(), "done");
    refused(deliver(&ctx, &done()).await, &HandlerErrorType::NotFound);
    fixture.stop().await;
}

async fn a_completion_without_its_token_is_refused(setup: Setup) {
    let (fixture, mut desk) = Desk::open(setup).await;
    let (caller, ctx) = desk.started(&fixture, "job-1").await;
    let given = ctx.callback().expect("a callback");
    assert!(given.headers.get("temporal-callback-token").is_some());
    let sender = CompletionSender::new().unwrap();
    for forged in [None, Some("{\"v\":1,\"d\":\"forged\"}")] {
        let mut callback: Callback = given.clone();
        callback.headers.remove("temporal-callback-token");
        if let Some(forged) = forged {
            callback.headers.insert("temporal-callback-token", forged);
        }
        let sent = sender.send(Dialect::Current, &callback, &done()).await;
        refused(sent, &HandlerErrorType::BadRequest);
    }
    let history = caller.history().await;
    assert!(!history.has(EventType::NexusOperationCompleted));
    deliver(&ctx, &done()).await.unwrap();
    assert_eq!(caller.finish().await.result.unwrap().unwrap(), "done");
    fixture.stop().await;
}

async fn a_failure_keeps_its_message(setup: Setup) {
    let (fixture, mut desk) = Desk::open(setup).await;
    let caller = call(&fixture).await;
    let start = desk.start().await;
    let ctx = start.ctx.clone();
    start.started("job-1");
    let failure = Failure {
        cause: Some(Box::new(Failure::new("no stock"))),
        ..Failure::new("no luck")
    };
    let failed = Completion::unsuccessful(OperationFailure::failed(failure));
    deliver(&ctx, &failed).await.unwrap();
    let run = caller.finish().await;
    let error = run.result.unwrap().unwrap_err();
    assert!(matches!(error, NexusOperationError::Failed(_)), "{error:?}");
    assert!(run.history.has(EventType::NexusOperationFailed));
    assert!(run.history.says("no luck"), "{:?}", run.history);
    // The dev server takes no causes that come over HTTP.
    assert_eq!(
        run.history.says("no stock"),
        fixture.newer,
        "{:?}",
        run.history
    );
    fixture.stop().await;
}

async fn an_operation_may_end_canceled_unasked(setup: Setup) {
    let (fixture, mut desk) = Desk::open(setup).await;
    let caller = call(&fixture).await;
    let start = desk.start().await;
    let ctx = start.ctx.clone();
    start.started("job-1");
    let closed = OperationFailure::canceled(Failure::new("the shop has closed"));
    let closed = Completion::unsuccessful(closed);
    deliver(&ctx, &closed).await.unwrap();
    let run = caller.finish().await;
    let error = run.result.unwrap().unwrap_err();
    assert!(
        matches!(error, NexusOperationError::Canceled(_)),
        "{error:?}"
    );
    assert!(run.history.has(EventType::NexusOperationCanceled));
    assert!(run.history.says("the shop has closed"), "{:?}", run.history);
    fixture.stop().await;
}
