//! Operations that a caller knows at run time only, several at once, and again from the history.

use nexus_rpc::{AnyService, Content, NexusService, Operation, UntypedOperation, sync_operation};
use temporal_nexus::{
    NexusOperationError, NexusOperationOptions, NexusWorkflowContext, WorkflowRun,
    workflow_run_operation,
};
use temporalio_client::WorkflowExecutionStatus;
use temporalio_common::protos::temporal::api::enums::v1::EventType;
use temporalio_macros::{workflow, workflow_methods};
use temporalio_sdk::{
    CancellableFuture, WorkflowContext, WorkflowResult, WorkflowTermination, workflows::select,
};

use crate::fixture::{Fixture, SERVICE, Script, Setup, everywhere};

everywhere! {
    an_untyped_operation_takes_and_returns_content,
    the_loser_of_a_select_is_canceled,
    an_operation_goes_on_when_its_future_is_dropped,
    a_caller_that_is_never_cached_sees_the_same,
}

const ECHO: Operation<u32, u32> = Operation::new(SERVICE, "echo");
const WAIT: Operation<(), u32> = Operation::new(SERVICE, "wait");
const ID: &str = "wait";

/// Runs until it is canceled.
#[workflow]
#[derive(Default)]
struct Wait;

#[workflow_methods]
impl Wait {
    #[run]
    async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<u32> {
        ctx.cancelled().await;
        Err(WorkflowTermination::cancelled())
    }
}

fn operations(setup: Setup) -> Setup {
    let echo = sync_operation(async |_ctx, input| Ok(input));
    let wait = workflow_run_operation(Wait::run, |_ctx, ()| Ok(WorkflowRun::new(ID, ())));
    let setup = setup.workflow::<Wait>().operation(WAIT, wait);
    setup.operation(ECHO, echo)
}

async fn an_untyped_operation_takes_and_returns_content(setup: Setup) {
    let fixture = operations(setup).start().await;
    let endpoint = fixture.endpoint.name.clone();
    let run = fixture
        .run(move |ctx| {
            let client = ctx.nexus_client::<AnyService>(&endpoint);
            async move {
                let operation = UntypedOperation::new(SERVICE, "echo");
                let input = Content::new("application/json", " 7 ");
                Ok(client
                    .execute(operation, input, NexusOperationOptions::default())
                    .await?)
            }
        })
        .await;
    assert_eq!(run.result.unwrap(), Content::new("application/json", "7"));
    fixture.stop().await;
}

async fn waiting_is(fixture: &Fixture, status: WorkflowExecutionStatus) {
    let workflow = fixture.handler_workflow(ID);
    let description = workflow.describe(Default::default()).await.unwrap();
    assert_eq!(description.status(), status);
}

async fn the_loser_of_a_select_is_canceled(setup: Setup) {
    let fixture = operations(setup).start().await;
    let endpoint = fixture.endpoint.name.clone();
    let run = fixture
        .run(move |ctx| {
            let client = ctx.nexus_client::<AnyService>(&endpoint);
            async move {
                let options = NexusOperationOptions::default;
                let mut slow = client.execute(WAIT, (), options());
                let mut quick = client.execute(ECHO, 7, options());
                let first = select! {
                    it = slow => it,
                    it = quick => it,
                };
                slow.cancel();
                Ok((first, slow.await))
            }
        })
        .await;
    let (first, slow) = run.result.unwrap();
    assert_eq!(first.unwrap(), 7);
    let error = slow.unwrap_err();
    assert!(
        matches!(error, NexusOperationError::Canceled(_)),
        "{error:?}"
    );
    waiting_is(&fixture, WorkflowExecutionStatus::Canceled).await;
    fixture.stop().await;
}

async fn an_operation_goes_on_when_its_future_is_dropped(setup: Setup) {
    let fixture = operations(setup).start().await;
    let endpoint = fixture.endpoint.name.clone();
    let caller = fixture
        .begin(move |ctx| {
            let client = ctx.nexus_client::<AnyService>(&endpoint);
            async move {
                drop(client.execute(WAIT, (), NexusOperationOptions::default()));
                ctx.wait_condition(Script::may_proceed).await?;
                Ok(())
            }
        })
        .await;
    caller.reaches(EventType::NexusOperationStarted).await;
    caller.proceed().await;
    let run = caller.finish().await;
    run.result.unwrap();
    assert!(!run.history.has(EventType::NexusOperationCancelRequested));
    waiting_is(&fixture, WorkflowExecutionStatus::Running).await;
    let workflow = fixture.handler_workflow(ID);
    workflow.terminate(Default::default()).await.unwrap();
    fixture.stop().await;
}

#[derive(NexusService)]
#[nexus(name = "test-service")]
#[allow(dead_code, reason = "a contract is never made")]
struct Contract {
    echo: Operation<u32, u32>,
}

async fn a_caller_that_is_never_cached_sees_the_same(setup: Setup) {
    let setup = operations(setup).configure_caller(|options| options.max_cached_workflows = 0);
    let fixture = setup.start().await;
    let endpoint = fixture.endpoint.name.clone();
    let run = fixture
        .run(move |ctx| {
            let client = ctx.nexus_client::<Contract>(&endpoint);
            async move {
                let options = NexusOperationOptions::default;
                let mut sum = 0;
                for number in 1..4 {
                    let both = (
                        client.execute(Contract::echo, number, options()),
                        client.execute(Contract::echo, 10 * number, options()),
                    );
                    sum += both.0.await? + both.1.await?;
                }
                Ok(sum)
            }
        })
        .await;
    assert_eq!(run.result.unwrap(), 66);
    assert!(!run.history.has(EventType::WorkflowTaskFailed));
    fixture.stop().await;
}
