//! The callers of the hello sample: workflows that reach the service of another namespace through a Nexus endpoint.

use service::{EchoInput, HelloInput, HelloService, Language};
use temporal_nexus::{NexusOperationOptions, NexusWorkflowContext};
use temporalio_common::data_converters::MultiArgs2;
use temporalio_macros::{workflow, workflow_methods};
use temporalio_sdk::{WorkflowContext, WorkflowResult};

/// Where the caller's worker listens.
pub const TASK_QUEUE: &str = "my-caller-workflow-task-queue";
/// The endpoint through which the service is reached. It must exist on the server.
pub const ENDPOINT: &str = "my-nexus-endpoint-name";

/// Calls the synchronous operation.
#[workflow]
#[derive(Default)]
pub struct EchoCallerWorkflow;

#[workflow_methods]
impl EchoCallerWorkflow {
    #[run]
    pub async fn run(ctx: &mut WorkflowContext<Self>, message: String) -> WorkflowResult<String> {
        let client = ctx.nexus_client::<HelloService>(ENDPOINT);
        let input = EchoInput { message };
        let output = client
            .execute(HelloService::echo, input, NexusOperationOptions::default())
            .await?;
        Ok(output.message)
    }
}

/// Calls the asynchronous operation, in two steps.
#[workflow]
#[derive(Default)]
pub struct HelloCallerWorkflow;

#[workflow_methods]
impl HelloCallerWorkflow {
    #[run]
    pub async fn run(
        ctx: &mut WorkflowContext<Self>,
        // Two arguments, as the Go sample's workflow takes them.
        MultiArgs2(name, language): MultiArgs2<String, Language>,
    ) -> WorkflowResult<String> {
        let client = ctx.nexus_client::<HelloService>(ENDPOINT);
        let input = HelloInput { name, language };
        // Waits until the operation has started; the handle has its token.
        let operation = client
            .start(
                HelloService::say_hello,
                input,
                NexusOperationOptions::default(),
            )
            .await?;
        Ok(operation.result().await?.message)
    }
}
