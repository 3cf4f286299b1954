//! Operations that end as they are told to.

use nexus_rpc::{Failure, HandlerError, Operation, OperationError, sync_operation};
use nexus_rpc_http::{NexusHttpClient, OperationHandle, StartOptions, StartedOperation};
use temporal_nexus::{WorkflowRun, workflow_run_operation};
use temporalio_client::WorkflowIdConflictPolicy;
use temporalio_macros::{workflow, workflow_methods};
use temporalio_sdk::{
    ApplicationFailure, SyncWorkflowContext, WorkflowContext, WorkflowResult, WorkflowTermination,
    workflows::WorkflowImplementation,
};

use crate::fixture::{Fixture, SERVICE, Setup};

pub(crate) const ECHO: Operation<String, String> = Operation::new(SERVICE, "echo");
pub(crate) const FAIL: Operation<String, ()> = Operation::new(SERVICE, "fail");
pub(crate) const JOB: Operation<Job, String> = Operation::new(SERVICE, "job");

/// The id of the workflow, and what it does: `succeed`, `fail` or `wait`.
pub(crate) type Job = (String, String);

/// Ends as it is told to.
#[workflow]
#[derive(Default)]
pub(crate) struct Work {
    go_on: bool,
}

#[workflow_methods]
impl Work {
    #[run]
    pub(crate) async fn run(
        ctx: &mut WorkflowContext<Self>,
        (id, what): Job,
    ) -> WorkflowResult<String> {
        match &*what {
            "succeed" => {}
            "fail" => return Err(ApplicationFailure::non_retryable("no luck").into()),
            _ => {
                if ctx.wait_condition(|work| work.go_on).await.is_err() {
                    return Err(WorkflowTermination::cancelled());
                }
            }
        }
        Ok(format!("{id} is done"))
    }

    #[signal]
    pub(crate) fn go_on(&mut self, _ctx: &mut SyncWorkflowContext<Self>) {
        self.go_on = true;
    }
}

pub(crate) fn operations(setup: Setup) -> Setup {
    let fail = sync_operation(async |_ctx, how: String| {
        Err(match &*how {
            "failed" => OperationError::failed("no luck").into(),
            "canceled" => OperationError::canceled("stopped").into(),
            _ => HandlerError::bad_request("told to")
                .with_cause(Failure::new("by the caller"))
                .into(),
        })
    });
    let job = workflow_run_operation(Work::run, |_ctx, job: Job| {
        Ok(WorkflowRun::new(&job.0, job.clone())
            .id_conflict_policy(WorkflowIdConflictPolicy::UseExisting))
    });
    setup
        .operation(ECHO, sync_operation(async |_ctx, text| Ok(text)))
        .operation(FAIL, fail)
        .operation(JOB, job)
        .workflow::<Work>()
}

pub(crate) async fn started(
    client: &NexusHttpClient,
    job: Job,
    options: StartOptions,
) -> OperationHandle<String> {
    match client.start(JOB, job, options).await.unwrap() {
        StartedOperation::Pending(handle) => handle,
        StartedOperation::Completed { output, .. } => panic!("it has ended: {output}"),
    }
}

/// Lets a workflow that waits go on.
pub(crate) async fn go_on(fixture: &Fixture, id: &str) {
    let workflow = fixture
        .handler
        .get_workflow_handle::<<Work as WorkflowImplementation>::Run>(id);
    let sent = workflow.signal(Work::go_on, (), Default::default());
    sent.await.expect("the workflow runs");
}

/// Whether the text is the message of the failure or of one of its causes: servers nest them in their own ways.
pub(crate) fn says(message: &str, cause: Option<&Failure>, text: &str) -> bool {
    let causes = std::iter::successors(cause, |failure| failure.cause.as_deref());
    let mut messages = causes.map(|failure| &*failure.message);
    message == text || messages.any(|message| message == text)
}
