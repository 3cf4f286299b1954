//! Calls of Nexus operations from a workflow.

mod client;
mod error;
mod future;
mod options;

pub use client::{NexusClient, NexusOperationHandle, NexusWorkflowContext};
pub use error::{NexusOperationError, NexusOperationFailure};
pub use future::NexusFuture;
pub use options::NexusOperationOptions;
pub use temporalio_workflow::NexusOperationCancellationType;
