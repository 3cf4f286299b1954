use std::{fmt, sync::Arc};

use nexus_rpc::OperationContext;
use temporalio_client::Client;

/// What a handler on a Temporal task queue has beyond the rest: the client and the names of where it runs.
///
/// ```no_run
/// use nexus_rpc::{OperationHandler, sync_operation};
/// use temporal_nexus::TemporalOperationContext;
/// use temporalio_client::{UntypedQuery, WorkflowQueryOptions};
/// # use temporalio_common::{UntypedWorkflow, data_converters::RawValue};
///
/// fn count_open_orders() -> impl OperationHandler<String, usize> {
///     sync_operation(async |ctx, customer: String| {
///         let client = ctx.temporal()?.client();
///         let query = format!("WorkflowType='Order' AND ExecutionStatus='Running' AND Customer='{customer}'");
///         Ok(client.count_workflows(query, Default::default()).await?.count())
///     })
/// }
/// ```
#[derive(Clone)]
pub struct TemporalContext {
    pub(crate) worker: Arc<WorkerContext>,
    pub(crate) endpoint: String,
}

/// The part that all operations of a worker share.
pub(crate) struct WorkerContext {
    pub(crate) client: Client,
    pub(crate) task_queue: String,
}

impl TemporalContext {
    /// A context for operations that run elsewhere than on a [`NexusWorker`](crate::NexusWorker): give it to `nexus-rpc-http`'s server with
    /// `NexusHttpServiceBuilder::extension`, and they answer over HTTP. Workflows are started on `task_queue`, in the namespace of `client`.
    pub fn new(client: Client, task_queue: impl Into<String>) -> Self {
        let task_queue = task_queue.into();
        Self {
            worker: Arc::new(WorkerContext { client, task_queue }),
            endpoint: String::new(),
        }
    }

    /// The client of the worker, with its namespace, data converter and credentials.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.worker.client
    }

    /// Namespace of the worker.
    #[must_use]
    pub fn namespace(&self) -> &str {
        &self.worker.client.options().namespace
    }

    /// Task queue of the worker.
    #[must_use]
    pub fn task_queue(&self) -> &str {
        &self.worker.task_queue
    }

    /// Name of the endpoint that the caller used. Empty on servers before 1.30, which do not send it.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }
}

impl fmt::Debug for TemporalContext {
    // The client's own output has its API key in it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TemporalContext")
            .field("namespace", &self.namespace())
            .field("task_queue", &self.task_queue())
            .field("endpoint", &self.endpoint)
            .finish_non_exhaustive()
    }
}

/// Reaches the [`TemporalContext`] from the context of any operation.
pub trait TemporalOperationContext {
    /// What the worker gave the operation.
    ///
    /// # Errors
    ///
    /// The operation does not run on a Temporal worker. In a handler, `?` answers `INTERNAL` then.
    fn temporal(&self) -> Result<&TemporalContext, NotOnTemporal>;
}

impl TemporalOperationContext for OperationContext {
    fn temporal(&self) -> Result<&TemporalContext, NotOnTemporal> {
        self.extension().ok_or(NotOnTemporal)
    }
}

/// An operation needs a Temporal client, and runs where there is none.
#[derive(Debug, thiserror::Error)]
#[error("operation does not run on a Temporal worker: it has no Temporal client")]
pub struct NotOnTemporal;
