//! Runs the caller workflows on their task queue:
//!
//! ```text
//! cargo run -p caller --bin caller-worker -- -target-host localhost:7233 -namespace my-caller-namespace
//! ```

use caller::{EchoCallerWorkflow, HelloCallerWorkflow, TASK_QUEUE};
use options::Context as _;
use temporal_nexus::{NexusWorker, interrupted};
use temporalio_sdk::WorkerOptions;

#[tokio::main]
async fn main() -> options::Result {
    let client = options::connect().await?;
    let options = WorkerOptions::new(TASK_QUEUE)
        .register_workflow::<EchoCallerWorkflow>()
        .context("Unable to register workflow")?
        .register_workflow::<HelloCallerWorkflow>()
        .context("Unable to register workflow")?
        .build();
    let mut worker = NexusWorker::new(client, options, []).context("Unable to create worker")?;
    worker
        .run_until(interrupted())
        .await
        .context("Unable to start worker")
}
