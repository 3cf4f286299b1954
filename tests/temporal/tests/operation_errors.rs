//! Operations that end without a result: by an operation error, or with the workflow behind them.

use std::time::Duration;

use nexus_rpc::{AnyService, Failure, Operation, OperationError, sync_operation};
use serde::{Deserialize, Serialize};
use temporal_nexus::{
    NexusOperationError, NexusOperationOptions, NexusWorkflowContext, WorkflowRun,
    workflow_run_operation,
};
use temporalio_client::{
    WorkflowCancelOptions, WorkflowStartOptions, WorkflowTerminateOptions,
    errors::WorkflowGetResultError,
};
use temporalio_common::{
    error::IncomingError,
    protos::temporal::api::{enums::v1::EventType, failure::v1::failure::FailureInfo},
};
use temporalio_macros::{workflow, workflow_methods};
use temporalio_sdk::{ApplicationFailure, WorkflowContext, WorkflowResult, WorkflowTermination};

use crate::fixture::{Call, Fixture, SERVICE, Setup, everywhere};

everywhere! {
    a_failing_workflow_tells_type_message_and_details,
    a_workflow_that_is_canceled_cancels_the_operation,
    a_workflow_that_is_terminated_fails_the_operation,
    a_workflow_that_times_out_fails_the_operation,
    the_question_mark_fails_the_caller_with_the_failure_of_the_operation,
    ;
    // Servers drop the details of an operation's error that comes over HTTP, or pack them.
    a_failed_operation_tells_message_and_details,
    a_canceled_operation_tells_message_and_details,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Declined {
    code: u16,
    reasons: Vec<String>,
}

fn declined() -> Declined {
    Declined {
        code: 51,
        reasons: vec!["insufficient funds".into()],
    }
}

const PAY: Operation<bool, ()> = Operation::new(SERVICE, "pay");

/// Fails as told: failed, or canceled.
fn paying(setup: Setup) -> Setup {
    setup.operation(
        PAY,
        sync_operation(async |_ctx, canceled: bool| {
            let error = if canceled {
                OperationError::canceled("changed my mind")
            } else {
                OperationError::failed("card declined")
            };
            let error = error
                .with_details(declined())
                .with_cause(Failure::new("said the bank"))
                .with_source(std::io::Error::other("hunter2"));
            Err(error.into())
        }),
    )
}

async fn a_failed_operation_tells_message_and_details(setup: Setup) {
    let fixture = paying(setup).start().await;
    let call = fixture.call(PAY, false).await;
    let error = call.error();
    assert!(matches!(error, NexusOperationError::Failed(_)), "{error:?}");
    let failure = error.failure().unwrap();
    let Some(IncomingError::Application(cause)) = failure.cause() else {
        panic!("{error:?}");
    };
    assert_eq!(cause.to_string(), "card declined");
    assert_eq!(cause.type_name(), Some("OperationError"));
    assert!(cause.is_non_retryable());
    assert_eq!(cause.cause().unwrap().to_string(), "said the bank");
    assert_eq!(error.details::<Declined>().unwrap(), Some(declined()));
    error.details::<u8>().expect_err("another type");
    assert!(error.handler_error().is_none());
    assert!(call.history.has(EventType::NexusOperationFailed));
    assert!(!call.history.says("hunter2"));
    fixture.stop().await;
}

async fn a_canceled_operation_tells_message_and_details(setup: Setup) {
    let fixture = paying(setup).start().await;
    let call = fixture.call(PAY, true).await;
    let error = call.error();
    assert!(
        matches!(error, NexusOperationError::Canceled(_)),
        "{error:?}"
    );
    let Some(IncomingError::Cancelled(cause)) = error.failure().unwrap().cause() else {
        panic!("{error:?}");
    };
    assert_eq!(cause.failure().message, "changed my mind");
    assert_eq!(error.details::<Declined>().unwrap(), Some(declined()));
    assert!(call.history.has(EventType::NexusOperationCanceled));
    fixture.stop().await;
}

/// A workflow that fails at once, or runs until somebody ends it.
#[workflow]
#[derive(Default)]
struct Payment;

#[workflow_methods]
impl Payment {
    #[run]
    async fn run(ctx: &mut WorkflowContext<Self>, fails: bool) -> WorkflowResult<()> {
        if fails {
            let failure = ApplicationFailure::builder("card declined")
                .type_name("Declined".to_owned())
                .non_retryable(true)
                .details(declined())
                .build();
            return Err(failure.into());
        }
        ctx.cancelled().await;
        Err(WorkflowTermination::cancelled_with_details(declined()))
    }
}

const RUN: Operation<bool, ()> = Operation::new(SERVICE, "run-payment");
const ID: &str = "payment";

fn running(setup: Setup, limit: Option<Duration>) -> Setup {
    setup.workflow::<Payment>().operation(
        RUN,
        workflow_run_operation(Payment::run, move |_ctx, fails| {
            let options = WorkflowStartOptions::new("", ID)
                .maybe_run_timeout(limit)
                .build();
            Ok(WorkflowRun::with_options(options, fails))
        }),
    )
}

/// Calls the operation, and does something to its workflow when it runs.
async fn meanwhile(fixture: &Fixture, act: impl AsyncFnOnce()) -> Call<()> {
    let running = fixture
        .begin_call(RUN, false, NexusOperationOptions::default)
        .await;
    running.reaches(EventType::NexusOperationStarted).await;
    act().await;
    let run = running.finish().await;
    Call {
        outcome: run.result.unwrap(),
        history: run.history,
    }
}

async fn a_failing_workflow_tells_type_message_and_details(setup: Setup) {
    let fixture = running(setup, None).start().await;
    let call = fixture.call(RUN, true).await;
    let error = call.error();
    assert!(matches!(error, NexusOperationError::Failed(_)), "{error:?}");
    let failure = error.failure().unwrap();
    let Some(IncomingError::Application(cause)) = failure.cause() else {
        panic!("{error:?}");
    };
    assert_eq!(cause.type_name(), Some("Declined"));
    assert_eq!(cause.to_string(), "card declined");
    assert_eq!(error.details::<Declined>().unwrap(), Some(declined()));
    assert!(failure.operation_token().is_some());
    fixture.stop().await;
}

async fn a_workflow_that_is_canceled_cancels_the_operation(setup: Setup) {
    let fixture = running(setup, None).start().await;
    let call = meanwhile(&fixture, async || {
        let workflow = fixture.handler_workflow(ID);
        let canceled = workflow.cancel(WorkflowCancelOptions::default());
        canceled.await.unwrap();
    })
    .await;
    let error = call.error();
    assert!(
        matches!(error, NexusOperationError::Canceled(_)),
        "{error:?}"
    );
    assert!(call.history.has(EventType::NexusOperationCanceled));
    assert_eq!(error.details::<Declined>().unwrap(), Some(declined()));
    fixture.stop().await;
}

async fn a_workflow_that_is_terminated_fails_the_operation(setup: Setup) {
    let fixture = running(setup, None).start().await;
    let call = meanwhile(&fixture, async || {
        let workflow = fixture.handler_workflow(ID);
        let terminated = workflow.terminate(WorkflowTerminateOptions::default());
        terminated.await.unwrap();
    })
    .await;
    let error = call.error();
    assert!(matches!(error, NexusOperationError::Failed(_)), "{error:?}");
    let cause = error.failure().unwrap().cause();
    assert!(
        matches!(cause, Some(IncomingError::Terminated(_))),
        "{error:?}"
    );
    fixture.stop().await;
}

async fn a_workflow_that_times_out_fails_the_operation(setup: Setup) {
    let limit = Duration::from_secs(2);
    let fixture = running(setup, Some(limit)).start().await;
    let call = meanwhile(&fixture, async || {}).await;
    let error = call.error();
    assert!(call.history.has(EventType::NexusOperationFailed));
    assert!(matches!(error, NexusOperationError::Failed(_)), "{error:?}");
    let cause = error.failure().unwrap().cause();
    assert!(
        matches!(cause, Some(IncomingError::Timeout(_))),
        "{error:?}"
    );
    fixture.stop().await;
}

async fn the_question_mark_fails_the_caller_with_the_failure_of_the_operation(setup: Setup) {
    let fixture = paying(setup).start().await;
    let endpoint = fixture.endpoint.name.clone();
    let run = fixture
        .run(move |ctx| {
            let client = ctx.nexus_client::<AnyService>(&endpoint);
            let call = client.execute(PAY, false, NexusOperationOptions::default());
            async move { Ok(call.await?) }
        })
        .await;
    let Err(WorkflowGetResultError::Failed(error)) = &run.result else {
        panic!("{run:?}");
    };
    let IncomingError::NexusOperationExecution(failure) = &**error else {
        panic!("{error:?}");
    };
    assert_eq!(failure.failure(), run.history.operation_failure());
    assert_eq!(failure.cause().unwrap().to_string(), "card declined");
    let Some(FailureInfo::NexusOperationExecutionFailureInfo(info)) =
        &failure.failure().failure_info
    else {
        panic!("{failure:?}");
    };
    assert_eq!(info.endpoint, fixture.endpoint.name);
    fixture.stop().await;
}
