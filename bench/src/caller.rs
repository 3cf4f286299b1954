//! The caller workflow, and its worker in a process of its own.

use options::Context as _;
use serde::{Deserialize, Serialize};
use service::{EchoInput, HelloInput, HelloService, Language};
use std::fmt;
use temporal_nexus::{
    NexusClient, NexusOperationError, NexusOperationOptions, NexusWorker, NexusWorkflowContext,
    interrupted,
};
use temporalio_macros::{workflow, workflow_methods};
use temporalio_sdk::{WorkerOptions, WorkflowContext, WorkflowResult, workflows::join_all};

pub(crate) const NAMESPACE: &str = "bench-caller";
pub(crate) const TASK_QUEUE: &str = "bench-caller";

/// An operation of the hello sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Operation {
    /// Synchronous: the answer comes with the request.
    Echo,
    /// Asynchronous: a workflow of the handler makes the answer.
    SayHello,
}

impl Operation {
    pub(crate) const ALL: [Self; 2] = [Self::Echo, Self::SayHello];

    /// The answer that is right for `name`.
    pub(crate) fn answer(self, name: &str) -> String {
        match self {
            Self::Echo => name.to_owned(),
            Self::SayHello => format!("¡Hola! {name} 👋"),
        }
    }

    async fn call(
        self,
        client: NexusClient<HelloService>,
        name: String,
    ) -> Result<String, NexusOperationError> {
        let options = NexusOperationOptions::default();
        let output = match self {
            Self::Echo => {
                let input = EchoInput { message: name };
                let output = client.execute(HelloService::echo, input, options).await?;
                output.message
            }
            Self::SayHello => {
                let language = Language::Es;
                let input = HelloInput { name, language };
                let call = client.execute(HelloService::say_hello, input, options);
                call.await?.message
            }
        };
        Ok(output)
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Echo => HelloService::echo.name(),
            Self::SayHello => HelloService::say_hello.name(),
        })
    }
}

/// What one caller workflow calls: the operation once for each name.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Batch {
    pub(crate) endpoint: String,
    pub(crate) operation: Operation,
    pub(crate) names: Vec<String>,
}

/// Calls an operation many times at once, and returns the answers in the order of the names.
#[workflow]
#[derive(Default)]
pub(crate) struct BatchWorkflow;

#[workflow_methods]
impl BatchWorkflow {
    #[run]
    pub(crate) async fn run(
        ctx: &mut WorkflowContext<Self>,
        batch: Batch,
    ) -> WorkflowResult<Vec<String>> {
        let client = ctx.nexus_client::<HelloService>(batch.endpoint);
        let calls = batch
            .names
            .into_iter()
            .map(|name| batch.operation.call(client.clone(), name));
        let answers = join_all(calls).await;
        Ok(answers.into_iter().collect::<Result<_, _>>()?)
    }
}

/// Runs the caller workflows until the process is asked to stop.
pub(crate) async fn serve(flags: options::Flags) -> options::Result {
    let client = flags.connect().await?;
    let options = WorkerOptions::new(TASK_QUEUE)
        .register_workflow::<BatchWorkflow>()
        .context("Unable to register workflow")?
        .build();
    let mut worker = NexusWorker::new(client, options, []).context("Unable to create worker")?;
    worker
        .run_until(interrupted())
        .await
        .context("Unable to run the caller worker")
}
