//! Serves `HelloService` on its task queue:
//!
//! ```text
//! cargo run -p handler --bin handler-worker -- -target-host localhost:7233 -namespace my-target-namespace
//! ```

use handler::{HelloHandler, HelloHandlerWorkflow, TASK_QUEUE};
use options::Context as _;
use service::HelloService;
use temporal_nexus::{NexusWorker, interrupted};
use temporalio_sdk::WorkerOptions;

#[tokio::main]
async fn main() -> options::Result {
    let client = options::connect().await?;
    let options = WorkerOptions::new(TASK_QUEUE)
        .register_workflow::<HelloHandlerWorkflow>()
        .context("Unable to register workflow")?
        .build();
    let mut worker = NexusWorker::new(client, options, [HelloService::serve(HelloHandler)])
        .context("Unable to create worker")?;
    worker
        .run_until(interrupted())
        .await
        .context("Unable to start worker")
}
