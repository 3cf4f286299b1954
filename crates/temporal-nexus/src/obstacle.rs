//! Waiting for a workflow's result with a word on what keeps it.
//!
//! A workflow whose worker is not running, or whose Nexus endpoint does not exist, does not fail: it waits until somebody mends it. That is
//! what durable means, and it is puzzling at a terminal. [`get_result`] waits as the client does and looks at the workflow meanwhile.

use std::time::Duration;

use temporalio_client::{
    Client, WorkflowGetResultOptions, WorkflowHandle, errors::WorkflowGetResultError,
};
use temporalio_common::{HasWorkflowDefinition, WorkflowDefinition};

mod look;

/// When to look at the workflow for the first time, and how often after that.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Waits for the result of a workflow, as `handle.get_result` does, but not in vain: if something keeps the workflow from going on that
/// does not mend itself, returns what it is.
///
/// For programs with a person in front of them. The workflow goes on as soon as the obstacle is gone, whether anybody waits or not.
///
/// # Errors
///
/// The workflow ended without a result, its result cannot be had, or there is an [`Obstacle`].
pub async fn get_result<W>(
    handle: &WorkflowHandle<Client, W>,
) -> Result<<W as WorkflowDefinition>::Output, GetResultError>
where
    W: HasWorkflowDefinition,
{
    tokio::select! {
        result = handle.get_result(WorkflowGetResultOptions::default()) => {
            result.map_err(GetResultError::Workflow)
        }
        obstacle = watch(handle.client(), &handle.info().workflow_id, handle.run_id()) => {
            Err(GetResultError::Obstacle(obstacle))
        }
    }
}

/// Completes when an obstacle has been seen twice in a row: a worker that is just starting is none.
async fn watch(client: &Client, workflow_id: &str, run_id: Option<&str>) -> Obstacle {
    let mut last = None;
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let seen = match look::look(client, workflow_id, run_id).await {
            Ok(seen) => seen,
            Err(status) => {
                // Credentials may allow to wait for a result, and no more; and a server that is away is not the workflow's fault.
                tracing::debug!(%status, "cannot look at the workflow");
                None
            }
        };
        if seen == last
            && let Some(obstacle) = seen
        {
            return obstacle;
        }
        last = seen;
    }
}

/// What keeps a workflow from going on until somebody mends it.
///
/// The text says what to do: the first line names the cause, a second one a command or a place to look.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Obstacle {
    /// Nobody takes the tasks of the workflow.
    #[error(
        "no worker takes workflow tasks from task queue {task_queue:?} of namespace {namespace:?}\nstart one; the workflow goes on as soon as it is there"
    )]
    NoWorker {
        /// Task queue of the workflow.
        task_queue: String,
        /// Namespace of the workflow.
        namespace: String,
    },
    /// The worker takes the workflow's tasks, and they fail again and again.
    #[error("workflow task fails: {message}{}", NextStep(endpoint))]
    WorkflowTask {
        /// What the server, or the worker, says.
        message: String,
        /// The Nexus endpoint that does not exist, if that is why.
        endpoint: Option<String>,
    },
    /// An operation that the workflow called does not get an answer from a handler.
    #[error(
        "nexus operation {operation:?} of service {service:?} gets no answer: {message}\nis a handler worker running? {} (see `temporal operator nexus endpoint list`)",
        Target(endpoint, target)
    )]
    Operation {
        /// Endpoint that the workflow calls.
        endpoint: String,
        /// Service.
        service: String,
        /// Operation.
        operation: String,
        /// What the last attempt ended with.
        message: String,
        /// Namespace and task queue that the endpoint leads to, if the server tells.
        target: Option<(String, String)>,
    },
}

struct NextStep<'a>(&'a Option<String>);

impl std::fmt::Display for NextStep<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Some(endpoint) => write!(
                f,
                "\ncreate it with: temporal operator nexus endpoint create --name {endpoint} --target-namespace NAMESPACE --target-task-queue TASK_QUEUE"
            ),
            None => f.write_str("\nthe worker's log has more; the task is retried"),
        }
    }
}

struct Target<'a>(&'a str, &'a Option<(String, String)>);

impl std::fmt::Display for Target<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.1 {
            Some((namespace, task_queue)) => write!(
                f,
                "endpoint {:?} leads to task queue {task_queue:?} of namespace {namespace:?}",
                self.0
            ),
            None => write!(f, "endpoint {:?} must lead to it", self.0),
        }
    }
}

/// Why [`get_result`] has no result.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GetResultError {
    /// The workflow ended without one, or it cannot be had.
    #[error("{}", ended(.0))]
    Workflow(#[source] WorkflowGetResultError),
    /// The workflow does not go on.
    #[error(transparent)]
    Obstacle(Obstacle),
}

/// How the workflow ended. The SDK's own text for a failure has a dump of its causes in it, which are the error's sources.
fn ended(error: &WorkflowGetResultError) -> String {
    match error {
        WorkflowGetResultError::Failed(_) => "workflow failed".to_owned(),
        outcome if outcome.is_workflow_outcome() => outcome.to_string(),
        _ => "cannot get the workflow's result".to_owned(),
    }
}
