//! Starts the caller workflows, one after the other, and prints their results:
//!
//! ```text
//! cargo run -p caller --bin caller-starter -- -target-host localhost:7233 -namespace my-caller-namespace
//! ```

use caller::{EchoCallerWorkflow, HelloCallerWorkflow, TASK_QUEUE};
use chrono::Local;
use options::{Client, Context as _};
use service::Language;
use temporal_nexus::get_result;
use temporalio_client::WorkflowStartOptions;
use temporalio_common::{HasWorkflowDefinition, WorkflowDefinition};

/// Starts the caller workflows of the hello sample and prints their results
#[derive(clap::Parser)]
struct Arguments {
    #[command(flatten)]
    connection: options::Flags,
    /// Whom to greet
    #[arg(long, default_value = "Nexus")]
    name: String,
    /// Language to greet in: en, fr, de, es or tr
    #[arg(long, default_value = "es")]
    language: Language,
}

#[tokio::main]
async fn main() -> options::Result {
    let Arguments {
        connection,
        name,
        language,
    } = options::parse();
    let client = connection.connect().await?;
    run(&client, EchoCallerWorkflow::run, "Nexus Echo 👋".to_owned()).await?;
    run(&client, HelloCallerWorkflow::run, (name, language)).await
}

async fn run<W>(client: &Client, workflow: W, input: impl Into<W::Input>) -> options::Result
where
    W: HasWorkflowDefinition + WorkflowDefinition<Output = String>,
    W::Input: Send,
{
    let id = format!(
        "nexus_hello_caller_workflow_{}",
        Local::now().format("%Y%m%d%H%M%S")
    );
    let options = WorkflowStartOptions::new(TASK_QUEUE, id).build();
    let handle = client
        .start_workflow(workflow, input.into(), options)
        .await
        .context("Unable to execute workflow")?;
    println!(
        "Started workflow WorkflowID {} RunID {}",
        handle.info().workflow_id,
        handle.run_id().unwrap_or_default()
    );
    let result = get_result(&handle)
        .await
        .context("Unable to get workflow result")?;
    println!("Workflow result: {result}");
    Ok(())
}
