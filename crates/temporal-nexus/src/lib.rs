//! Nexus on Temporal task queues: a worker that handles operations, operations backed by workflows, and typed calls from workflows.
//!
//! It stands on `temporalio-sdk`, which can call operations (untyped) and not handle them, and on [`nexus_rpc`], which has the contracts,
//! handlers and errors.
//!
//! | you want to | use |
//! |---|---|
//! | handle operations on a task queue | [`NexusWorker`] |
//! | answer at once | [`nexus_rpc::sync_operation`] |
//! | run a workflow as an operation | [`workflow_run_operation`], or [`start_workflow_run`] in a handler of your own |
//! | reach the Temporal client in a handler | [`TemporalOperationContext`] |
//! | call operations from a workflow | [`NexusWorkflowContext::nexus_client`] |
//! | know why a call failed | [`NexusOperationError`] |
//! | see why a workflow does not go on | [`get_result`] |
//! | test against a real server | `testing::DevServer`, with the feature `testing` |
//!
//! # Handler
//!
//! ```no_run
//! use std::sync::Arc;
//! use nexus_rpc::{NexusService, Operation, OperationHandler, sync_operation};
//! use temporal_nexus::{NexusWorker, WorkflowRun, interrupted, workflow_run_operation};
//! use temporalio_macros::{workflow, workflow_methods};
//! use temporalio_sdk::{WorkerOptions, WorkflowContext, WorkflowResult};
//!
//! #[derive(NexusService)]
//! pub struct GreetingService {
//!     pub echo: Operation<String, String>,
//!     pub greet: Operation<String, String>,
//! }
//!
//! struct GreetingHandler;
//!
//! impl GreetingServiceHandler for GreetingHandler {
//!     fn echo(self: Arc<Self>) -> impl OperationHandler<String, String> {
//!         sync_operation(async |_ctx, text: String| Ok(text))
//!     }
//!
//!     fn greet(self: Arc<Self>) -> impl OperationHandler<String, String> {
//!         workflow_run_operation(GreetingWorkflow::run, |_ctx, name: String| {
//!             Ok(WorkflowRun::new(format!("greeting-{name}"), name))
//!         })
//!     }
//! }
//!
//! #[workflow]
//! #[derive(Default)]
//! pub struct GreetingWorkflow;
//!
//! #[workflow_methods]
//! impl GreetingWorkflow {
//!     #[run]
//!     pub async fn run(_ctx: &mut WorkflowContext<Self>, name: String) -> WorkflowResult<String> {
//!         Ok(format!("Hello {name}"))
//!     }
//! }
//!
//! # async fn serve(client: temporalio_client::Client) -> Result<(), Box<dyn std::error::Error>> {
//! let options = WorkerOptions::new("greetings").register_workflow::<GreetingWorkflow>()?.build();
//! let mut worker = NexusWorker::new(client, options, [GreetingService::serve(GreetingHandler)])?;
//! worker.run_until(interrupted()).await?;
//! # Ok(())
//! # }
//! ```
//!
//! # Caller
//!
//! See [`NexusClient`].
//!
//! # Versions
//!
//! Handlers need a server since 1.25, with an endpoint that leads to the worker's namespace and task queue. `temporalio-sdk` is pinned to
//! one version: the worker stands on constructors that the SDK hides from its docs. A crate with workflows needs `temporalio-workflow`
//! as a direct dependency, whatever this crate does: the SDK's macros name it.

#![warn(missing_docs, missing_debug_implementations)]
mod caller;
mod context;
mod convert;
mod obstacle;

#[cfg(all(unix, feature = "testing"))]
pub mod testing;
mod token;
mod worker;
mod workflow_run;

pub use caller::{
    NexusClient, NexusFuture, NexusOperationCancellationType, NexusOperationError,
    NexusOperationFailure, NexusOperationHandle, NexusOperationOptions, NexusWorkflowContext,
};
pub use context::{NotOnTemporal, TemporalContext, TemporalOperationContext};
pub use obstacle::{GetResultError, Obstacle, get_result};
pub use token::{InvalidWorkflowRunToken, WorkflowRunToken};
pub use worker::{NexusWorker, NexusWorkerError, interrupted};
pub use workflow_run::{
    WorkflowRun, WorkflowRunOperation, cancel_workflow_run, start_workflow_run,
    workflow_run_operation,
};
