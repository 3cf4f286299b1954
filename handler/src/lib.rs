//! The handler of the hello sample: the operations of its service, and the workflow behind one of them.

use std::sync::Arc;

use nexus_rpc::{OperationHandler, sync_operation};
use service::{
    EchoInput, EchoOutput, HelloInput, HelloOutput, HelloServiceHandler, Language,
    hello_workflow_id,
};
use temporal_nexus::{WorkflowRun, workflow_run_operation};
use temporalio_client::WorkflowIdConflictPolicy;
use temporalio_macros::{workflow, workflow_methods};
use temporalio_sdk::{WorkflowContext, WorkflowResult, error::ApplicationFailure};

/// Where the handler's worker listens. The endpoint must have it as its target.
pub const TASK_QUEUE: &str = "my-handler-task-queue";

/// The handler of `HelloService`. Each method makes the handler of one operation, once, when the service is served.
pub struct HelloHandler;

impl HelloServiceHandler for HelloHandler {
    fn echo(self: Arc<Self>) -> impl OperationHandler<EchoInput, EchoOutput> {
        sync_operation(async |_ctx, input: EchoInput| Ok(input))
    }

    fn say_hello(self: Arc<Self>) -> impl OperationHandler<HelloInput, HelloOutput> {
        workflow_run_operation(HelloHandlerWorkflow::run, |_ctx, input: HelloInput| {
            // Two callers who ask for the same greeting at the same time both get that of one workflow.
            Ok(WorkflowRun::new(hello_workflow_id(&input), input)
                .id_conflict_policy(WorkflowIdConflictPolicy::UseExisting))
        })
    }
}

/// Makes the greeting.
#[workflow]
#[derive(Default)]
pub struct HelloHandlerWorkflow;

#[workflow_methods]
impl HelloHandlerWorkflow {
    #[run]
    pub async fn run(
        _ctx: &mut WorkflowContext<Self>,
        input: HelloInput,
    ) -> WorkflowResult<HelloOutput> {
        let HelloInput { name, language } = input;
        let message = match language {
            Language::En => format!("Hello {name} 👋"),
            Language::Fr => format!("Bonjour {name} 👋"),
            Language::De => format!("Hallo {name} 👋"),
            Language::Es => format!("¡Hola! {name} 👋"),
            Language::Tr => format!("Merhaba {name} 👋"),
            Language::Other(code) => {
                return Err(
                    ApplicationFailure::new(format!("unsupported language {code:?}")).into(),
                );
            }
        };
        Ok(HelloOutput { message })
    }
}
