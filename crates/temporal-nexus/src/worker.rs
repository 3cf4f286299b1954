//! A worker that handles Nexus operations beside workflows and activities.

use std::{future::Future, sync::Arc, time::Duration};

use nexus_rpc::{Service, ServiceRegistry, registry::RegistrationError};
use temporalio_client::Client;
use temporalio_sdk::{
    Worker, WorkerOptions,
    error::{WorkerCreateError, WorkerRunError},
};
use temporalio_sdk_core::{CoreRuntime, RuntimeOptions, Worker as CoreWorker};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

mod core;
mod poll;
mod signal;
mod task;

pub use signal::interrupted;

use crate::context::WorkerContext;

/// How long a shutdown lets running operations go on if the worker's options do not say.
const DEFAULT_GRACE: Duration = Duration::from_secs(10);

/// A worker that runs workflows, activities and Nexus operations of one task queue, on one core worker.
///
/// It takes the SDK's own [`WorkerOptions`] and adds services. Without workflows and activities it polls for Nexus tasks only; without
/// services it is an ordinary worker.
///
/// Options that matter to Nexus: `tuner` (how many operations at once), `nexus_task_poller_behavior`, and `graceful_shutdown_period` (how
/// long running operations may go on after [`shutdown_handle`](Self::shutdown_handle) was called; 10 seconds if not set).
///
/// ```no_run
/// # use std::sync::Arc;
/// # use nexus_rpc::{NexusService, Operation, OperationHandler, sync_operation};
/// # #[derive(NexusService)] pub struct EchoService { pub echo: Operation<String, String> }
/// # struct EchoHandler;
/// # impl EchoServiceHandler for EchoHandler {
/// #     fn echo(self: Arc<Self>) -> impl OperationHandler<String, String> { sync_operation(async |_ctx, s: String| Ok(s)) }
/// # }
/// use temporal_nexus::{NexusWorker, interrupted};
/// use temporalio_sdk::WorkerOptions;
///
/// # async fn run(client: temporalio_client::Client) -> Result<(), Box<dyn std::error::Error>> {
/// let options = WorkerOptions::new("my-task-queue").build();
/// let mut worker = NexusWorker::new(client, options, [EchoService::serve(EchoHandler)])?;
/// worker.run_until(interrupted()).await?;
/// # Ok(())
/// # }
/// ```
#[derive(derive_more::Debug)]
pub struct NexusWorker {
    stop: Stop,
    /// Runs workflows and activities. `None` if there are neither.
    sdk: Option<Worker>,
    #[debug(skip)]
    nexus: Option<Arc<poll::NexusTasks>>,
    // Holds the telemetry that the core worker reports to.
    #[debug(skip)]
    _runtime: Arc<CoreRuntime>,
}

/// Starts a graceful shutdown, from any thread and any number of times.
#[derive(Clone, derive_more::Debug)]
struct Stop {
    #[debug(skip)]
    core: Arc<CoreWorker>,
    shutdown: CancellationToken,
    /// Core spawns a task when it shuts down.
    tokio: Handle,
}

impl Stop {
    fn now(&self) {
        self.shutdown.cancel();
        let _entered = self.tokio.enter();
        self.core.initiate_shutdown();
    }
}

/// A worker that is given up without a shutdown would go on polling for tasks that nobody answers, and keep its place in the client, which
/// has room for one worker of a kind on each task queue.
struct StopOnDrop(Stop);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.now();
    }
}

impl Drop for NexusWorker {
    fn drop(&mut self) {
        self.stop.now();
    }
}

impl NexusWorker {
    /// Makes a worker on the Tokio runtime of the caller, without exporting telemetry.
    ///
    /// # Errors
    ///
    /// A service is there twice; there is nothing to run; the options are not valid; there is no Tokio runtime.
    pub fn new(
        client: Client,
        options: WorkerOptions,
        services: impl IntoIterator<Item = Service>,
    ) -> Result<Self, NexusWorkerError> {
        // `new_assume_tokio` panics without one.
        Handle::try_current().map_err(NexusWorkerError::NoTokioRuntime)?;
        let runtime = CoreRuntime::new_assume_tokio(RuntimeOptions::default())
            .map_err(|error| NexusWorkerError::Runtime(error.into()))?;
        Self::with_runtime(Arc::new(runtime), client, options, services)
    }

    /// Makes a worker that reports to the telemetry of `runtime`.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn with_runtime(
        runtime: Arc<CoreRuntime>,
        client: Client,
        options: WorkerOptions,
        services: impl IntoIterator<Item = Service>,
    ) -> Result<Self, NexusWorkerError> {
        let tokio = Handle::try_current().map_err(NexusWorkerError::NoTokioRuntime)?;
        let mut registry = ServiceRegistry::new();
        for service in services {
            registry
                .register(service)
                .map_err(NexusWorkerError::Service)?;
        }
        let grace = options.graceful_shutdown_period.unwrap_or(DEFAULT_GRACE);
        let task_queue = options.task_queue.clone();
        let (core, sdk) = core::create(&runtime, &client, options, !registry.is_empty())
            .map_err(NexusWorkerError::Create)?;
        let shutdown = CancellationToken::new();
        let nexus = (!registry.is_empty()).then(|| {
            let worker = Arc::new(WorkerContext { client, task_queue });
            let tasks =
                poll::NexusTasks::new(core.clone(), registry, worker, shutdown.clone(), grace);
            Arc::new(tasks)
        });
        let stop = Stop {
            core,
            shutdown,
            tokio,
        };
        Ok(Self {
            stop,
            sdk,
            nexus,
            _runtime: runtime,
        })
    }

    /// Returns a function that starts a graceful shutdown: no new tasks are taken, running ones may end, then [`run`](Self::run)
    /// returns. It can be called from anywhere, also more than once.
    pub fn shutdown_handle(&self) -> impl Fn() + Send + Sync + use<> {
        let stop = self.stop.clone();
        move || stop.now()
    }

    /// Runs the worker until it was shut down, or cannot go on. It runs once: then it is shut down, also if the future is dropped.
    ///
    /// The future cannot be sent to another thread: workflows stay on one.
    ///
    /// # Errors
    ///
    /// The namespace cannot be described (it does not exist, or the credentials are not for it), or polling failed for good.
    pub async fn run(&mut self) -> Result<(), NexusWorkerError> {
        let stop = StopOnDrop(self.stop.clone());
        let core = self.stop.core.clone();
        // Also done by the SDK's worker, but not by a core worker that has Nexus tasks alone; the answer is kept.
        if let Err(error) = core.validate().await {
            return Err(NexusWorkerError::Namespace(Box::new(error)));
        }
        let config = core.get_config();
        tracing::info!(
            namespace = config.namespace,
            task_queue = config.task_queue,
            "started worker"
        );
        let sdk = async {
            let outcome = match &mut self.sdk {
                Some(worker) => worker.run().await.map_err(NexusWorkerError::Run),
                None => Ok(()),
            };
            // Whatever ended one side ends the other.
            if outcome.is_err() {
                stop.0.now();
            }
            outcome
        };
        let nexus = async {
            let outcome = match &self.nexus {
                // A task of its own: this thread is the workflows', and each operation would wake it.
                Some(tasks) => tokio::spawn(tasks.clone().run())
                    .await
                    .unwrap_or_else(|error| Err(NexusWorkerError::Poll(Box::new(error)))),
                None => Ok(()),
            };
            if outcome.is_err() {
                stop.0.now();
            }
            outcome
        };
        let (sdk, nexus) = tokio::join!(sdk, nexus);
        if self.sdk.is_none() {
            // The SDK's worker does this for a worker that has one.
            core.shutdown().await;
        }
        nexus.and(sdk)?;
        tracing::info!("stopped worker");
        Ok(())
    }

    /// Runs the worker until `signal` completes, then shuts it down gracefully.
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run).
    pub async fn run_until(
        &mut self,
        signal: impl Future<Output = ()>,
    ) -> Result<(), NexusWorkerError> {
        let shutdown = self.shutdown_handle();
        let run = std::pin::pin!(self.run());
        let signal = std::pin::pin!(signal);
        match futures_util::future::select(run, signal).await {
            futures_util::future::Either::Left((outcome, _)) => outcome,
            futures_util::future::Either::Right(((), run)) => {
                shutdown();
                run.await
            }
        }
    }
}

/// Why a [`NexusWorker`] cannot be made, or stopped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NexusWorkerError {
    /// A service cannot be served.
    #[error("cannot register service")]
    Service(#[source] RegistrationError),
    /// The options are not valid, or there is nothing to run.
    #[error("cannot create worker")]
    Create(#[source] WorkerCreateError),
    /// There is no Tokio runtime on this thread.
    #[error("worker needs a Tokio runtime")]
    NoTokioRuntime(#[source] tokio::runtime::TryCurrentError),
    /// Telemetry could not be set up.
    #[error("cannot create the worker's runtime")]
    Runtime(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The worker's namespace cannot be described.
    #[error("cannot use the worker's namespace")]
    Namespace(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Workflows or activities cannot go on.
    #[error("worker failed")]
    Run(#[source] WorkerRunError),
    /// Polling for Nexus tasks failed for good.
    #[error("polling for Nexus tasks failed")]
    Poll(#[source] Box<dyn std::error::Error + Send + Sync>),
}
