//! What a caller that cancels waits for, and where the handler's workflow is by then.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use nexus_rpc::{AnyService, Operation};
use temporal_nexus::{
    NexusOperationCancellationType as Type, NexusOperationError, NexusOperationOptions,
    NexusWorkflowContext, WorkflowRun, testing::unique, workflow_run_operation,
};
use temporalio_client::{Client, UntypedWorkflowHandle, WorkflowExecutionStatus};
use temporalio_common::protos::temporal::api::{enums::v1::EventType, history::v1::HistoryEvent};
use temporalio_macros::{workflow, workflow_methods};
use temporalio_sdk::{
    SyncWorkflowContext, WaitConditionOptions, WorkflowCancellationToken, WorkflowContext,
    WorkflowResult, WorkflowTermination, workflows::WorkflowImplementation,
};

use crate::fixture::{Fixture, History, Run, Running, SERVICE, Script, Setup, everywhere, until};

everywhere! {
    abandon_leaves_the_operation_alone,
    try_cancel_asks_and_waits_for_nothing,
    wait_cancellation_requested_waits_for_the_answer_of_the_handler,
    wait_cancellation_completed_waits_for_the_end_of_the_operation,
}

const GUARD: Operation<String, ()> = Operation::new(SERVICE, "guard");

/// Ends as canceled, but only when it is asked to and then released.
#[workflow]
#[derive(Default)]
struct Guard {
    released: bool,
}

#[workflow_methods]
impl Guard {
    #[run]
    async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<()> {
        ctx.cancelled().await;
        let stay = WaitConditionOptions::builder()
            .cancellation_token(WorkflowCancellationToken::new())
            .build();
        ctx.wait_condition_with_options(|guard| guard.released, stay)
            .await?;
        Err(WorkflowTermination::cancelled())
    }

    #[signal]
    fn release(&mut self, _ctx: &mut SyncWorkflowContext<Self>) {
        self.released = true;
    }
}

/// A caller that cancels its operation when it has started, and stays when the operation has ended for it.
struct Case {
    caller: Running<Result<(), NexusOperationError>>,
    guard: UntypedWorkflowHandle<Client>,
    resolved: Arc<AtomicBool>,
}

async fn fixture(setup: Setup) -> Fixture {
    let guard = workflow_run_operation(Guard::run, |_ctx, id: String| Ok(WorkflowRun::new(id, ())));
    setup
        .workflow::<Guard>()
        .operation(GUARD, guard)
        .start()
        .await
}

impl Case {
    async fn start(fixture: &Fixture, cancellation_type: Type) -> Self {
        let (endpoint, id) = (fixture.endpoint.name.clone(), unique("guard"));
        let guard = fixture.handler_workflow(&id);
        let resolved = Arc::new(AtomicBool::new(false));
        let is_resolved = resolved.clone();
        let caller = fixture.begin(move |ctx| {
            let client = ctx.nexus_client::<AnyService>(&endpoint);
            let (id, is_resolved) = (id.clone(), is_resolved.clone());
            async move {
                let options = NexusOperationOptions::builder()
                    .cancellation_type(cancellation_type)
                    .build();
                let operation = client.start(GUARD, id, options).await?;
                operation.cancel();
                operation.cancel();
                let outcome = operation.result().await;
                is_resolved.store(true, Ordering::Relaxed);
                // Nothing to cancel any more.
                operation.cancel();
                ctx.wait_condition(Script::may_proceed).await?;
                Ok(outcome)
            }
        });
        Self {
            caller: caller.await,
            guard,
            resolved,
        }
    }

    async fn resolved(&self) {
        until("the operation has ended for the caller", async || {
            self.resolved.load(Ordering::Relaxed)
        })
        .await;
    }

    async fn guard_is_asked(&self) -> bool {
        let history = History::of(&self.guard).await;
        history.has(EventType::WorkflowExecutionCancelRequested)
    }

    async fn guard_runs(&self) -> bool {
        let guard = self.guard.describe(Default::default()).await.unwrap();
        guard.status() == WorkflowExecutionStatus::Running
    }

    async fn release_guard(&self) {
        let client = self.guard.client();
        let guard = client.get_workflow_handle::<<Guard as WorkflowImplementation>::Run>(
            &self.guard.info().workflow_id,
        );
        let sent = guard.signal(Guard::release, (), Default::default());
        sent.await.unwrap();
    }

    /// The caller goes on, and has seen that its operation was canceled.
    async fn finish(self) -> (History, UntypedWorkflowHandle<Client>) {
        self.caller.proceed().await;
        let Run { result, history } = self.caller.finish().await;
        let error = result.unwrap().unwrap_err();
        assert!(
            matches!(error, NexusOperationError::Canceled(_)),
            "{error:?}"
        );
        (history, self.guard)
    }
}

async fn abandon_leaves_the_operation_alone(setup: Setup) {
    let fixture = fixture(setup).await;
    let case = Case::start(&fixture, Type::Abandon).await;
    case.resolved().await;
    assert!(case.guard_runs().await);
    let (history, guard) = case.finish().await;
    assert!(!history.has(EventType::NexusOperationCancelRequested));
    assert!(!history.has(EventType::NexusOperationCanceled));
    let guarded = History::of(&guard).await;
    assert!(!guarded.has(EventType::WorkflowExecutionCancelRequested));
    guard.terminate(Default::default()).await.unwrap();
    fixture.stop().await;
}

async fn try_cancel_asks_and_waits_for_nothing(setup: Setup) {
    let fixture = fixture(setup).await;
    let case = Case::start(&fixture, Type::TryCancel).await;
    case.resolved().await;
    assert!(case.guard_runs().await);
    // It is asked all the same.
    until("the workflow is asked", async || {
        case.guard_is_asked().await
    })
    .await;
    case.release_guard().await;
    case.caller.reaches(EventType::NexusOperationCanceled).await;
    case.finish().await;
    fixture.stop().await;
}

async fn wait_cancellation_requested_waits_for_the_answer_of_the_handler(setup: Setup) {
    let fixture = fixture(setup).await;
    let case = Case::start(&fixture, Type::WaitCancellationRequested).await;
    case.resolved().await;
    assert!(case.guard_is_asked().await);
    assert!(case.guard_runs().await);
    let history = case.caller.history().await;
    assert!(history.has(EventType::NexusOperationCancelRequestCompleted));
    assert!(!history.has(EventType::NexusOperationCanceled));
    case.release_guard().await;
    case.finish().await;
    fixture.stop().await;
}

async fn wait_cancellation_completed_waits_for_the_end_of_the_operation(setup: Setup) {
    let fixture = fixture(setup).await;
    let case = Case::start(&fixture, Type::WaitCancellationCompleted).await;
    // The caller has heard that the handler took the request, and does not mind.
    until("the caller has heard of the answer", async || {
        let events = case.caller.history().await.0;
        let last = |event_type| {
            let mut types = events.iter().map(HistoryEvent::event_type);
            types.rposition(|it| it == event_type)
        };
        let answered = last(EventType::NexusOperationCancelRequestCompleted);
        answered.is_some() && last(EventType::WorkflowTaskCompleted) > answered
    })
    .await;
    assert!(!case.resolved.load(Ordering::Relaxed));
    assert!(case.guard_is_asked().await);
    assert!(case.guard_runs().await);

    case.release_guard().await;
    case.resolved().await;
    assert!(!case.guard_runs().await);
    let (history, _) = case.finish().await;
    assert!(history.has(EventType::NexusOperationCanceled));
    fixture.stop().await;
}
