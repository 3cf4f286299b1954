use std::time::Duration;

use nexus_rpc::Headers;
use temporalio_workflow::{NexusOperationCancellationType, WorkflowCancellationToken};

/// Options of one call of an operation. [`Default`]: no timeouts, no headers.
///
/// ```
/// use std::time::Duration;
/// use temporal_nexus::NexusOperationOptions;
///
/// let options = NexusOperationOptions::builder().schedule_to_close_timeout(Duration::from_secs(60)).build();
/// ```
#[derive(Debug, Clone, Default, bon::Builder)]
#[non_exhaustive]
pub struct NexusOperationOptions {
    /// How long the whole operation may take, retries of its requests included. Unless set: as long as the workflow runs.
    pub schedule_to_close_timeout: Option<Duration>,
    /// How long it may take until the operation has started, or ended if it is synchronous. Unless set: no limit.
    ///
    /// Servers before 1.31 do not know it.
    pub schedule_to_start_timeout: Option<Duration>,
    /// How long the operation may take once it has started. Unless set: no limit. Synchronous operations have no such time.
    ///
    /// Servers before 1.31 do not know it.
    pub start_to_close_timeout: Option<Duration>,
    /// Headers of the request to the handler. They are stored in the history of the workflow as they are: encrypt what is secret.
    #[builder(default)]
    pub headers: Headers,
    /// What happens when the call is canceled: whether the operation is asked to cancel, and what the workflow waits for. Unless set:
    /// [`WaitCancellationCompleted`](NexusOperationCancellationType::WaitCancellationCompleted).
    #[builder(default)]
    pub cancellation_type: NexusOperationCancellationType,
    /// Cancels the call. Unless set: the workflow's own cancellation does.
    pub cancellation_token: Option<WorkflowCancellationToken>,
}
