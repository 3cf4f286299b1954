//! Requests to cancel, whoever sends them and whenever.

use std::sync::Arc;

use nexus_rpc::{
    AnyService, CancelOperationContext, HandlerError, Operation, OperationHandler, OperationToken,
    StartError, StartOperationContext, StartOperationResult, sync_operation,
};
use temporal_nexus::{
    NexusOperationError, NexusOperationOptions, NexusWorkflowContext, WorkflowRun,
    WorkflowRunToken, cancel_workflow_run, start_workflow_run, workflow_run_operation,
};
use temporalio_client::{WorkflowExecutionStatus, errors::WorkflowGetResultError};
use temporalio_common::protos::temporal::api::{
    enums::v1::EventType, history::v1::history_event::Attributes,
};
use temporalio_macros::{workflow, workflow_methods};
use temporalio_sdk::{
    CancellableFuture, ContinueAsNewOptions, WorkflowContext, WorkflowResult, WorkflowTermination,
};
use tokio::sync::Semaphore;

use crate::fixture::{
    Answer, Attempts, Fixture, History, Running, SERVICE, Script, Setup, everywhere, until,
};

everywhere! {
    a_canceled_caller_cancels_its_operation_and_ends_as_canceled,
    an_operation_that_is_canceled_at_once_is_never_scheduled,
    a_cancellation_waits_for_the_operation_to_start,
    a_cancellation_reaches_a_workflow_that_continued_as_new,
    a_synchronous_operation_cannot_be_canceled,
    a_token_that_is_none_is_a_bad_request,
    canceling_a_workflow_that_is_not_there_is_not_found,
    canceling_twice_succeeds,
}

const WAIT: Operation<(), ()> = Operation::new(SERVICE, "wait");
const ECHO: Operation<String, String> = Operation::new(SERVICE, "echo");
const ID: &str = "wait";

/// Runs until it is canceled.
#[workflow]
#[derive(Default)]
struct Wait;

#[workflow_methods]
impl Wait {
    #[run]
    async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<()> {
        ctx.cancelled().await;
        Err(WorkflowTermination::cancelled())
    }
}

async fn fixture(setup: Setup) -> Fixture {
    let wait = workflow_run_operation(Wait::run, |_ctx, ()| Ok(WorkflowRun::new(ID, ())));
    let setup = setup.workflow::<Wait>().operation(WAIT, wait);
    let echo = sync_operation(async |_ctx, input| Ok(input));
    setup.operation(ECHO, echo).start().await
}

async fn a_canceled_caller_cancels_its_operation_and_ends_as_canceled(setup: Setup) {
    let fixture = fixture(setup).await;
    let endpoint = fixture.endpoint.name.clone();
    let caller = fixture
        .begin(move |ctx| {
            let client = ctx.nexus_client::<AnyService>(&endpoint);
            let call = client.execute(WAIT, (), NexusOperationOptions::default());
            async move { Ok(call.await?) }
        })
        .await;
    caller.reaches(EventType::NexusOperationStarted).await;
    caller.handle.cancel(Default::default()).await.unwrap();
    let run = caller.finish().await;
    assert!(
        matches!(run.result, Err(WorkflowGetResultError::Cancelled { .. })),
        "{run:?}"
    );
    assert!(run.history.has(EventType::WorkflowExecutionCanceled));
    assert!(run.history.has(EventType::NexusOperationCanceled));
    let workflow = fixture.handler_workflow(ID);
    let status = workflow
        .describe(Default::default())
        .await
        .unwrap()
        .status();
    assert_eq!(status, WorkflowExecutionStatus::Canceled);
    fixture.stop().await;
}

async fn an_operation_that_is_canceled_at_once_is_never_scheduled(setup: Setup) {
    let fixture = fixture(setup).await;
    let endpoint = fixture.endpoint.name.clone();
    let run = fixture
        .run(move |ctx| {
            let client = ctx.nexus_client::<AnyService>(&endpoint);
            let call = client.start(WAIT, (), NexusOperationOptions::default());
            call.cancel();
            async move { Ok(call.await.map(drop)) }
        })
        .await;
    let error = run.result.unwrap().unwrap_err();
    assert!(
        matches!(error, NexusOperationError::Canceled(_)),
        "{error:?}"
    );
    assert_eq!(error.failure().unwrap().operation(), "wait");
    assert!(!run.history.has(EventType::NexusOperationScheduled));
    fixture.stop().await;
}

/// Runs [`Wait`], but lets nobody start it before time.
struct Gated {
    gate: Arc<Semaphore>,
    attempts: Attempts,
}

impl OperationHandler<(), ()> for Gated {
    async fn start(
        &self,
        ctx: StartOperationContext,
        (): (),
    ) -> Result<StartOperationResult<()>, StartError> {
        self.attempts.count("start");
        self.gate.acquire().await?.forget();
        let run = WorkflowRun::new(ID, ());
        let token = start_workflow_run(&ctx, &Wait::run, run).await?;
        Ok(StartOperationResult::Async(token))
    }

    async fn cancel(
        &self,
        ctx: CancelOperationContext,
        token: OperationToken,
    ) -> Result<(), HandlerError> {
        self.attempts.count("cancel");
        cancel_workflow_run(&ctx, &token).await
    }
}

/// A caller that cancels its operation once it may proceed.
async fn canceled_when_told(fixture: &Fixture) -> Running<Result<(), NexusOperationError>> {
    let endpoint = fixture.endpoint.name.clone();
    fixture
        .begin(move |ctx| {
            let client = ctx.nexus_client::<AnyService>(&endpoint);
            async move {
                let call = client.execute(WAIT, (), NexusOperationOptions::default());
                ctx.wait_condition(Script::may_proceed).await?;
                call.cancel();
                Ok(call.await)
            }
        })
        .await
}

async fn a_cancellation_waits_for_the_operation_to_start(setup: Setup) {
    let (gate, attempts) = (Arc::new(Semaphore::new(0)), Attempts::default());
    let gated = Gated {
        gate: gate.clone(),
        attempts: attempts.clone(),
    };
    let setup = setup.workflow::<Wait>().operation(WAIT, gated);
    let fixture = setup.start().await;
    let caller = canceled_when_told(&fixture).await;
    until("the handler has the request", async || {
        attempts.of("start") == 1
    })
    .await;
    caller.proceed().await;
    caller
        .reaches(EventType::NexusOperationCancelRequested)
        .await;
    assert_eq!(attempts.of("cancel"), 0);
    gate.add_permits(1);
    let run = caller.finish().await;
    let error = run.result.unwrap().unwrap_err();
    assert!(
        matches!(error, NexusOperationError::Canceled(_)),
        "{error:?}"
    );
    assert_eq!((attempts.of("start"), attempts.of("cancel")), (1, 1));
    fixture.stop().await;
}

/// Runs until it is canceled, in two runs.
#[workflow]
#[derive(Default)]
struct Renewed;

#[workflow_methods]
impl Renewed {
    #[run]
    async fn run(ctx: &mut WorkflowContext<Self>, again: bool) -> WorkflowResult<()> {
        if again {
            ctx.continue_as_new(false, ContinueAsNewOptions::default())?;
        }
        ctx.cancelled().await;
        Err(WorkflowTermination::cancelled())
    }
}

async fn a_cancellation_reaches_a_workflow_that_continued_as_new(setup: Setup) {
    let renewed = workflow_run_operation(Renewed::run, |_ctx, ()| Ok(WorkflowRun::new(ID, true)));
    let setup = setup.workflow::<Renewed>().operation(WAIT, renewed);
    let fixture = setup.start().await;
    let caller = canceled_when_told(&fixture).await;
    caller.reaches(EventType::NexusOperationStarted).await;
    until("the second run has begun", async || {
        let history = History::of(&fixture.handler_workflow(ID)).await;
        let started = history.event(EventType::WorkflowExecutionStarted);
        matches!(
            &started.attributes,
            Some(Attributes::WorkflowExecutionStartedEventAttributes(it))
                if !it.continued_execution_run_id.is_empty()
        )
    })
    .await;
    caller.proceed().await;
    let error = caller.finish().await.result.unwrap().unwrap_err();
    assert!(
        matches!(error, NexusOperationError::Canceled(_)),
        "{error:?}"
    );
    fixture.stop().await;
}

/// Sends a request to cancel from outside.
async fn cancel(
    fixture: &Fixture,
    operation: Operation<impl Sized, impl Sized>,
    token: &str,
) -> Answer {
    let path = format!("{SERVICE}/{}/cancel", operation.name());
    let headers = [("nexus-operation-token", token)];
    fixture.post(&path, &headers, "").await
}

fn token(fixture: &Fixture) -> String {
    let token = WorkflowRunToken {
        namespace: fixture.handler.options().namespace.clone(),
        workflow_id: ID.to_owned(),
    };
    token.encode()
}

async fn a_synchronous_operation_cannot_be_canceled(setup: Setup) {
    let fixture = fixture(setup).await;
    let answer = cancel(&fixture, ECHO, "any").await;
    assert_eq!(answer.status, 501, "{answer:?}");
    let text = "is synchronous and cannot be canceled";
    assert!(answer.body.contains(text), "{answer:?}");
    fixture.stop().await;
}

async fn a_token_that_is_none_is_a_bad_request(setup: Setup) {
    let fixture = fixture(setup).await;
    let elsewhere = WorkflowRunToken {
        namespace: "elsewhere".to_owned(),
        workflow_id: ID.to_owned(),
    };
    for token in ["any", &elsewhere.encode()] {
        let answer = cancel(&fixture, WAIT, token).await;
        assert_eq!(answer.status, 400, "{answer:?}");
        let text = "invalid operation token";
        assert!(answer.body.contains(text), "{answer:?}");
    }
    fixture.stop().await;
}

async fn canceling_a_workflow_that_is_not_there_is_not_found(setup: Setup) {
    let fixture = fixture(setup).await;
    let answer = cancel(&fixture, WAIT, &token(&fixture)).await;
    assert_eq!(answer.status, 404, "{answer:?}");
    fixture.stop().await;
}

async fn canceling_twice_succeeds(setup: Setup) {
    let fixture = fixture(setup).await;
    let path = format!("{SERVICE}/wait");
    let started = fixture.post(&path, &[], "").await;
    assert_eq!(started.status, 201, "{started:?}");
    for _ in 0..2 {
        let answer = cancel(&fixture, WAIT, &token(&fixture)).await;
        assert_eq!(answer.status, 202, "{answer:?}");
    }
    let ended = fixture.handler_workflow(ID);
    let ended = ended.get_result(Default::default()).await;
    assert!(
        matches!(ended, Err(WorkflowGetResultError::Cancelled { .. })),
        "{ended:?}"
    );
    fixture.stop().await;
}
