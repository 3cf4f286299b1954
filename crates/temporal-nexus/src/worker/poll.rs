//! Takes Nexus tasks off the core worker until it is shut down.

use std::{
    collections::HashMap,
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::future::Either;
use nexus_rpc::{OperationContext, Serializer, ServiceRegistry, context::CancelReason};
use temporalio_common::{
    data_converters::DataConverter,
    protos::coresdk::nexus::{CancelNexusTask, NexusTask, NexusTaskCancelReason, nexus_task},
};
use temporalio_sdk_core::{PollError, Worker as CoreWorker};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{NexusWorkerError, task};
use crate::{context::WorkerContext, convert::PayloadSerializer};

/// The Nexus side of a worker.
pub(super) struct NexusTasks {
    pub(super) core: Arc<CoreWorker>,
    pub(super) registry: ServiceRegistry,
    pub(super) worker: Arc<WorkerContext>,
    pub(super) converter: DataConverter,
    pub(super) serializer: Arc<dyn Serializer>,
    shutdown: CancellationToken,
    grace: Duration,
    running: Mutex<Running>,
}

#[derive(Default)]
struct Running {
    /// The contexts of running tasks by task token, so that a cancel notice finds them.
    contexts: HashMap<Vec<u8>, OperationContext>,
    /// Whether the grace period of a shutdown is over.
    over: bool,
}

impl NexusTasks {
    pub(super) fn new(
        core: Arc<CoreWorker>,
        registry: ServiceRegistry,
        worker: Arc<WorkerContext>,
        shutdown: CancellationToken,
        grace: Duration,
    ) -> Self {
        let converter = worker.client.options().data_converter.clone();
        let serializer = PayloadSerializer::new(converter.payload_converter().clone());
        Self {
            core,
            registry,
            worker,
            converter,
            serializer: Arc::new(serializer),
            shutdown,
            grace,
            running: Mutex::default(),
        }
    }

    /// Polls until shutdown and until every task that was taken has been answered.
    pub(super) async fn run(self: Arc<Self>) -> Result<(), NexusWorkerError> {
        let tasks = TaskTracker::new();
        let poll = self.poll(&tasks);
        let watch = self.end_running_tasks_after_grace();
        let outcome = match futures_util::future::select(pin!(poll), pin!(watch)).await {
            Either::Left((outcome, _)) => outcome,
            Either::Right(((), poll)) => poll.await,
        };
        tasks.close();
        tasks.wait().await;
        outcome
    }

    async fn poll(self: &Arc<Self>, tasks: &TaskTracker) -> Result<(), NexusWorkerError> {
        let mut failure = None;
        // Core ends the stream only when all its tasks are completed: the loop must go on while they run.
        loop {
            match self.core.poll_nexus_task().await {
                Ok(task) => self.take(task, tasks),
                Err(PollError::ShutDown) => break,
                Err(error) => {
                    tracing::error!(
                        error = &error as &dyn std::error::Error,
                        "polling for Nexus tasks failed: shutting the worker down"
                    );
                    failure.get_or_insert(NexusWorkerError::Poll(Box::new(error)));
                    self.shutdown.cancel();
                    self.core.initiate_shutdown();
                }
            }
        }
        match failure {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    fn take(self: &Arc<Self>, task: NexusTask, tasks: &TaskTracker) {
        match task.variant {
            Some(nexus_task::Variant::Task(poll)) => {
                let deadline = task.request_deadline.and_then(|at| at.try_into().ok());
                let task = task::Task::new(self, poll, deadline, task.endpoint);
                let entry = Entry::new(self, &task);
                let this = self.clone();
                tasks.spawn(async move {
                    task.run(&this).await;
                    drop(entry);
                });
            }
            Some(nexus_task::Variant::CancelTask(notice)) => self.cancel(&notice),
            None => tracing::error!("core handed out a Nexus task without content"),
        }
    }

    fn cancel(&self, notice: &CancelNexusTask) {
        let reason = match notice.reason() {
            NexusTaskCancelReason::TimedOut => CancelReason::TimedOut,
            NexusTaskCancelReason::WorkerShutdown => CancelReason::Shutdown,
        };
        // A notice may come for a task that has just been answered.
        if let Some(context) = self.running().contexts.get(&notice.task_token) {
            context.cancel(reason);
        }
    }

    /// Core does this only if the options have a grace period; without one a handler that never returns would hold the worker for ever.
    async fn end_running_tasks_after_grace(&self) {
        self.shutdown.cancelled().await;
        tokio::time::sleep(self.grace).await;
        let mut running = self.running();
        running.over = true;
        for context in running.contexts.values() {
            context.cancel(CancelReason::Shutdown);
        }
    }

    fn running(&self) -> MutexGuard<'_, Running> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A task among the running ones, until it is dropped.
struct Entry {
    tasks: Arc<NexusTasks>,
    token: Vec<u8>,
}

impl Entry {
    fn new(tasks: &Arc<NexusTasks>, task: &task::Task) -> Self {
        let mut running = tasks.running();
        // A poll that was under way when the shutdown began may bring a task at any time.
        if running.over {
            task.context().cancel(CancelReason::Shutdown);
        }
        let token = task.token().to_vec();
        running
            .contexts
            .insert(token.clone(), task.context().clone());
        drop(running);
        Self {
            tasks: tasks.clone(),
            token,
        }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.tasks.running().contexts.remove(&self.token);
    }
}
