//! Every answer of a handler that is a handler error, and what becomes of it.

use std::{future::Future, time::Duration};

use futures::future::join_all;
use nexus_rpc::{
    AnyService, Failure, HandlerError, HandlerErrorType, Operation, RetryBehavior, StartError,
    StartOperationContext, sync_operation,
};
use temporal_nexus::{
    NexusOperationError, NexusOperationOptions, NexusWorkflowContext, TemporalOperationContext,
};
use temporalio_client::UntypedWorkflow;
use temporalio_common::{
    error::TimeoutType,
    protos::temporal::api::{enums::v1::EventType, failure::v1::failure::FailureInfo},
};
use temporalio_sdk::{ApplicationFailure, workflows::join_all as join_all_in_workflow};

use crate::fixture::{Attempts, Fixture, SERVICE, Setup, everywhere, within};

everywhere! {
    a_final_handler_error_reaches_the_caller_at_once,
    a_passing_handler_error_is_retried_until_the_handler_succeeds,
    a_passing_handler_error_is_retried_until_the_operation_times_out,
    a_handler_overrides_what_its_error_type_says_of_retries,
    a_type_that_the_server_does_not_know_keeps_its_message,
    the_cause_of_a_handler_error_is_seen_and_its_source_is_not,
    an_error_through_the_question_mark_is_hidden,
    ;
    // Errors of Temporal's crates that handlers pass on are recognised by the worker alone.
    an_error_of_the_temporal_client_has_a_type_of_its_own,
    an_application_failure_shows_its_text,
}

/// Fails, with an error of the type in its input.
const FAIL: Operation<String, u32> = Operation::new(SERVICE, "fail");

const FINAL: [HandlerErrorType; 6] = [
    HandlerErrorType::BadRequest,
    HandlerErrorType::Unauthenticated,
    HandlerErrorType::Unauthorized,
    HandlerErrorType::NotFound,
    HandlerErrorType::Conflict,
    HandlerErrorType::NotImplemented,
];

const PASSING: [HandlerErrorType; 5] = [
    HandlerErrorType::RequestTimeout,
    HandlerErrorType::ResourceExhausted,
    HandlerErrorType::Internal,
    HandlerErrorType::Unavailable,
    HandlerErrorType::UpstreamTimeout,
];

fn error(error_type: &str) -> HandlerError {
    let text = format!("it is {error_type}");
    HandlerError::new(HandlerErrorType::from(error_type), text)
}

/// Fails the first `failures` requests of each input, with the error that `make` makes of it, and returns how many it took.
fn failing(
    setup: Setup,
    failures: u32,
    make: impl Fn(&str) -> HandlerError + Send + Sync + 'static,
) -> (Setup, Attempts) {
    let attempts = Attempts::default();
    let count = attempts.clone();
    let handler = sync_operation(move |_ctx, input: String| {
        let attempt = count.count(&input);
        let error = make(&input);
        async move {
            if attempt <= failures {
                return Err(error.into());
            }
            Ok(attempt)
        }
    });
    (setup.operation(FAIL, handler), attempts)
}

/// An operation whose only answer is what `answer` makes.
async fn answering<F, Fut>(setup: Setup, answer: F) -> Fixture
where
    F: Fn(StartOperationContext) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<u32, StartError>> + Send,
{
    let handler = sync_operation(move |ctx, _: String| answer(ctx));
    setup.operation(FAIL, handler).start().await
}

async fn a_final_handler_error_reaches_the_caller_at_once(setup: Setup) {
    let (setup, attempts) = failing(setup, u32::MAX, error);
    let fixture = setup.start().await;
    for error_type in FINAL {
        // The dev server does not know a conflict: over HTTP it sends the request again and again.
        if error_type == HandlerErrorType::Conflict && fixture.is_over_http() && !fixture.newer {
            continue;
        }
        let name = error_type.as_str();
        let call = fixture.call(FAIL, name.to_owned()).await;
        let error = call.error();
        assert!(matches!(error, NexusOperationError::Failed(_)), "{error:?}");
        let answer = error.handler_error().expect("a handler error");
        assert_eq!(answer.message(), format!("it is {name}"));
        // The dev server does not know a conflict.
        let known = match &error_type {
            HandlerErrorType::Conflict if !fixture.newer => &HandlerErrorType::BadRequest,
            known => known,
        };
        assert_eq!(answer.error_type(), known);
        assert_eq!(answer.retry_behavior(), RetryBehavior::Default, "{name}");
        assert_eq!(attempts.of(name), 1, "{name}");
    }
    fixture.stop().await;
}

async fn a_passing_handler_error_is_retried_until_the_handler_succeeds(setup: Setup) {
    let (setup, _) = failing(setup, 1, error);
    let fixture = setup.start().await;
    let mut types: Vec<_> = PASSING.iter().map(|it| it.as_str().to_owned()).collect();
    // A type that no table has.
    types.push("TEAPOT".to_owned());
    let endpoints = join_all(types.iter().map(|_| fixture.another_endpoint())).await;
    let run = fixture.run(move |ctx| {
        let calls = types.iter().zip(&endpoints).map(|(name, endpoint)| {
            let client = ctx.nexus_client::<AnyService>(endpoint);
            client.execute(FAIL, name.clone(), NexusOperationOptions::default())
        });
        let all = join_all_in_workflow(calls.collect::<Vec<_>>());
        async move { Ok(all.await) }
    });
    for outcome in run.await.result.unwrap() {
        assert_eq!(outcome.unwrap(), 2);
    }
    fixture.stop().await;
}

async fn a_passing_handler_error_is_retried_until_the_operation_times_out(setup: Setup) {
    let (setup, attempts) = failing(setup, u32::MAX, error);
    let fixture = setup.start().await;
    let limit = within(Duration::from_secs(4));
    let running = fixture
        .begin_call(FAIL, "UNAVAILABLE".to_owned(), limit)
        .await;

    let failure = running.last_attempt_failure().await;
    let Some(FailureInfo::NexusHandlerFailureInfo(info)) = &failure.failure_info else {
        panic!("{failure:?}");
    };
    assert_eq!(info.r#type, "UNAVAILABLE");
    assert!(
        format!("{failure:?}").contains("it is UNAVAILABLE"),
        "{failure:?}"
    );

    let run = running.finish().await;
    let error = run.result.unwrap().unwrap_err();
    assert!(
        matches!(error, NexusOperationError::TimedOut(_)),
        "{error:?}"
    );
    assert_eq!(error.timeout_type(), Some(TimeoutType::ScheduleToClose));
    assert!(run.history.has(EventType::NexusOperationTimedOut));
    assert!(attempts.of("UNAVAILABLE") >= 2);
    assert!(error.handler_error().is_none(), "{error:?}");
    fixture.stop().await;
}

async fn a_handler_overrides_what_its_error_type_says_of_retries(setup: Setup) {
    let (setup, attempts) = failing(setup, 1, |name| {
        error(name).with_retry_behavior(match name {
            "INTERNAL" => RetryBehavior::NonRetryable,
            _ => RetryBehavior::Retryable,
        })
    });
    let fixture = setup.start().await;
    let call = fixture.call(FAIL, "INTERNAL".to_owned()).await;
    let answer = call.error().handler_error().expect("a handler error");
    assert_eq!(answer.error_type(), &HandlerErrorType::Internal);
    assert_eq!(answer.message(), "it is INTERNAL");
    assert_eq!(answer.retry_behavior(), RetryBehavior::NonRetryable);
    assert_eq!(attempts.of("INTERNAL"), 1);

    let call = fixture.call(FAIL, "BAD_REQUEST".to_owned()).await;
    assert_eq!(call.outcome.unwrap(), 2);
    fixture.stop().await;
}

async fn a_type_that_the_server_does_not_know_keeps_its_message(setup: Setup) {
    let (setup, attempts) = failing(setup, u32::MAX, |name| {
        error(name).with_retry_behavior(RetryBehavior::NonRetryable)
    });
    let fixture = setup.start().await;
    let call = fixture.call(FAIL, "TEAPOT".to_owned()).await;
    let answer = call.error().handler_error().expect("a handler error");
    let known = if fixture.newer { "TEAPOT" } else { "INTERNAL" };
    assert_eq!(answer.error_type().as_str(), known);
    assert_eq!(answer.message(), "it is TEAPOT");
    assert_eq!(answer.retry_behavior(), RetryBehavior::NonRetryable);
    assert_eq!(attempts.of("TEAPOT"), 1);
    fixture.stop().await;
}

async fn the_cause_of_a_handler_error_is_seen_and_its_source_is_not(setup: Setup) {
    let fixture = answering(setup, async |_ctx| {
        let error = HandlerError::bad_request("already paid")
            .with_source(std::io::Error::other("hunter2"))
            .with_cause(Failure {
                cause: Some(Box::new(Failure::new("by card"))),
                ..Failure::new("paid on Monday")
            });
        Err(error.into())
    })
    .await;
    let call = fixture.call(FAIL, String::new()).await;
    let answer = call.error().handler_error().expect("a handler error");
    assert_eq!(answer.message(), "already paid");
    assert!(!call.history.says("hunter2"));
    // However the server nests them: the causes stand in their order.
    let mut texts = Vec::new();
    let mut failure = Some(call.history.operation_failure());
    while let Some(it) = failure {
        texts.push(it.message.clone());
        failure = it.cause.as_deref();
    }
    // The dev server takes no causes that come over HTTP.
    if fixture.newer || !fixture.is_over_http() {
        let causes = ["paid on Monday".to_owned(), "by card".to_owned()];
        assert!(texts.ends_with(&causes), "{texts:?}");
    }
    fixture.stop().await;
}

async fn an_error_through_the_question_mark_is_hidden(setup: Setup) {
    let fixture = answering(setup, async |_ctx| {
        Err(std::io::Error::other("hunter2 is the password"))?
    })
    .await;
    let call = fixture
        .call_with(FAIL, String::new(), within(Duration::from_secs(2)))
        .await;
    let error = call.error();
    assert!(
        matches!(error, NexusOperationError::TimedOut(_)),
        "{error:?}"
    );
    assert!(!call.history.says("hunter2"));
    fixture.stop().await;
}

async fn an_error_of_the_temporal_client_has_a_type_of_its_own(setup: Setup) {
    let fixture = answering(setup, async |ctx| {
        let client = ctx.temporal()?.client().clone();
        let workflow = client.get_workflow_handle::<UntypedWorkflow>("no-such-workflow");
        workflow.describe(Default::default()).await?;
        Ok(1)
    })
    .await;
    let call = fixture.call(FAIL, String::new()).await;
    let answer = call.error().handler_error().expect("a handler error");
    assert_eq!(answer.error_type(), &HandlerErrorType::NotFound);
    assert_eq!(answer.message(), "handler's request to a service failed");
    assert!(!call.history.says("no-such-workflow"), "{:?}", call.history);
    fixture.stop().await;
}

async fn an_application_failure_shows_its_text(setup: Setup) {
    let fixture = answering(setup, async |_ctx| {
        Err(ApplicationFailure::non_retryable("the shop has closed"))?
    })
    .await;
    let call = fixture.call(FAIL, String::new()).await;
    let answer = call.error().handler_error().expect("a handler error");
    assert_eq!(answer.error_type(), &HandlerErrorType::Internal);
    assert_eq!(answer.retry_behavior(), RetryBehavior::NonRetryable);
    assert_eq!(
        answer.message(),
        "handler failed with non-retryable application error"
    );
    assert!(call.history.says("the shop has closed"));
    fixture.stop().await;
}
