//! The one place that uses constructors which the SDK hides from its docs.
//!
//! The SDK's own constructor turns Nexus off. Here the core worker is made first, with Nexus on, and the SDK's worker is put on top of it.
//! Should a later SDK take this away: make a second core worker for Nexus tasks alone, on the same task queue, beside an ordinary
//! `Worker`; both may poll one queue because their task types do not overlap.

use std::sync::Arc;

use temporalio_client::{Client, NamespacedClient};
use temporalio_common::worker::WorkerTaskTypes;
use temporalio_macros::{workflow, workflow_methods};
use temporalio_sdk::{
    Worker, WorkerOptions, WorkflowContext, WorkflowResult, error::WorkerCreateError,
};
use temporalio_sdk_core::{CoreRuntime, Worker as CoreWorker, WorkerConfig, init_worker};

/// Makes the core worker, and the SDK's on top of it if there are workflows or activities.
pub(super) fn create(
    runtime: &CoreRuntime,
    client: &Client,
    options: WorkerOptions,
    nexus: bool,
) -> Result<(Arc<CoreWorker>, Option<Worker>), WorkerCreateError> {
    let (config, sdk) = configure(client, options, nexus)?;
    let core = init_worker(runtime, config, client.connection().clone())
        .map_err(WorkerCreateError::Initialization)?;
    let core = Arc::new(core);
    let sdk = sdk
        .map(|options| {
            Worker::new_from_core_options(core.clone(), client.options().clone(), options)
        })
        .transpose()
        // Gives back the place that the core worker took in the client.
        .inspect_err(|_| core.initiate_shutdown())?;
    Ok((core, sdk))
}

fn configure(
    client: &Client,
    mut options: WorkerOptions,
    nexus: bool,
) -> Result<(WorkerConfig, Option<WorkerOptions>), WorkerCreateError> {
    let invalid =
        |error: String| WorkerCreateError::Initialization(std::io::Error::other(error).into());
    let to_core =
        |options: &WorkerOptions| options.to_core_options(client.namespace(), client.identity());
    match to_core(&options) {
        Ok(mut config) => {
            config.task_types.enable_nexus = nexus;
            Ok((config, Some(options)))
        }
        Err(error) if !nexus => Err(invalid(error)),
        Err(_) => {
            // The SDK refuses a worker without workflows and activities; with a stand-in it takes the other options over, and any other
            // fault in them shows again.
            options
                .register_workflow::<StandIn>()
                .map_err(|error| WorkerCreateError::Initialization(error.into()))?;
            let mut config = to_core(&options).map_err(invalid)?;
            config.task_types = WorkerTaskTypes::nexus_only();
            Ok((config, None))
        }
    }
}

/// Never registered with a server: a worker with Nexus tasks alone does not poll for workflows.
#[workflow]
#[derive(Default)]
struct StandIn;

#[workflow_methods]
impl StandIn {
    #[run]
    async fn run(_: &mut WorkflowContext<Self>) -> WorkflowResult<()> {
        Ok(())
    }
}
