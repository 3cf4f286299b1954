//! The three timeouts of a call.

use std::time::Duration;

use nexus_rpc::{AnyService, Operation};
use temporal_nexus::{
    NexusOperationError, NexusOperationOptions, NexusWorkflowContext, WorkflowRun,
    workflow_run_operation,
};
use temporalio_common::{error::TimeoutType, protos::temporal::api::enums::v1::EventType};
use temporalio_macros::{workflow, workflow_methods};
use temporalio_sdk::{WorkflowContext, WorkflowResult};

use crate::fixture::{Fixture, SERVICE, Setup, everywhere, within};

everywhere! {
    schedule_to_close_ends_an_operation_that_goes_on,
}

const STAY: Operation<(), ()> = Operation::new(SERVICE, "stay");
const ID: &str = "stay";
/// A server makes no request if less than 1.5 seconds are left for the operation.
const LIMIT: Duration = Duration::from_secs(3);

/// Runs until it is terminated.
#[workflow]
#[derive(Default)]
struct Stay;

#[workflow_methods]
impl Stay {
    #[run]
    async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<()> {
        Ok(ctx.wait_condition(|_| false).await?)
    }
}

async fn fixture(setup: Setup) -> Fixture {
    let stay = workflow_run_operation(Stay::run, |_ctx, ()| Ok(WorkflowRun::new(ID, ())));
    setup.workflow::<Stay>().operation(STAY, stay).start().await
}

#[track_caller]
fn timed_out(error: &NexusOperationError, timeout_type: TimeoutType) {
    assert!(
        matches!(error, NexusOperationError::TimedOut(_)),
        "{error:?}"
    );
    assert_eq!(error.timeout_type(), Some(timeout_type));
}

async fn schedule_to_close_ends_an_operation_that_goes_on(setup: Setup) {
    let fixture = fixture(setup).await;
    let call = fixture.call_with(STAY, (), within(LIMIT)).await;
    timed_out(call.error(), TimeoutType::ScheduleToClose);
    assert!(call.error().failure().unwrap().operation_token().is_some());
    assert!(call.history.has(EventType::NexusOperationStarted));
    // Nobody asks the workflow behind it to stop.
    let stay = fixture.handler_workflow(ID);
    stay.terminate(Default::default()).await.unwrap();
    fixture.stop().await;
}

#[tokio::test]
async fn schedule_to_start_ends_an_operation_that_no_worker_takes() {
    let Some(setup) = Setup::on_newer_server().await else {
        return;
    };
    let fixture = fixture(setup).await;
    let nobody = fixture.endpoint_to("nobody").await;
    let run = fixture
        .run(move |ctx| {
            let client = ctx.nexus_client::<AnyService>(&nobody);
            let options = NexusOperationOptions::builder()
                .schedule_to_start_timeout(LIMIT)
                .build();
            let call = client.execute(STAY, (), options);
            async move { Ok(call.await) }
        })
        .await;
    timed_out(
        &run.result.unwrap().unwrap_err(),
        TimeoutType::ScheduleToStart,
    );
    assert!(!run.history.has(EventType::NexusOperationStarted));
    fixture.stop().await;
}

#[tokio::test]
async fn start_to_close_ends_an_operation_that_goes_on() {
    let Some(setup) = Setup::on_newer_server().await else {
        return;
    };
    let fixture = fixture(setup).await;
    let options = || {
        NexusOperationOptions::builder()
            .start_to_close_timeout(LIMIT)
            .build()
    };
    let call = fixture.call_with(STAY, (), options).await;
    timed_out(call.error(), TimeoutType::StartToClose);
    assert!(call.history.has(EventType::NexusOperationStarted));
    let stay = fixture.handler_workflow(ID);
    stay.terminate(Default::default()).await.unwrap();
    fixture.stop().await;
}
