//! The runtime: takes operations in, runs their work, delivers their results.

use std::{
    fmt,
    sync::{
        Arc, Mutex, OnceLock, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, SystemTime},
};

use nexus_rpc::{
    Content, HandlerError, OperationContext, OperationToken, Serializer, ServiceRegistry,
    context::Extensions,
};
use tokio::sync::{Notify, Semaphore};
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};

use super::{
    Ended, OperationKey, OperationStore,
    store::{End, StoreError, StoreStatistics},
};
use crate::{Dialect, Outcome, callback::CompletionSender};

mod accept;
mod builder;
mod cancel;
mod deliver;
mod destinations;
mod policy;
mod purge;
mod run;
mod wait;

pub(super) use accept::Accepted;
pub use builder::OperationsBuilder;
use builder::Settings;
use cancel::Running;
use destinations::Destinations;
pub use policy::DeliveryPolicy;
use wait::Waiters;

/// Runs the operations of a store. Cheap to clone; when the last clone is dropped, it stops.
///
/// It needs a tokio runtime with timers and I/O.
#[derive(Clone)]
pub struct Operations {
    runtime: Arc<Runtime>,
    /// Ends the tasks, which hold the runtime themselves.
    _stop: Arc<DropGuard>,
}

/// What the contexts of a server have, so that handlers find the runtime.
pub(crate) struct Access {
    pub(super) runtime: Arc<Runtime>,
    pub(super) serializer: Arc<dyn Serializer>,
    _operations: Operations,
}

/// What the context of a start request has beyond that.
pub(crate) struct StartRequest {
    dialect: Dialect,
    /// As it came.
    input: OnceLock<Content>,
}

impl StartRequest {
    pub(crate) fn new(dialect: Dialect) -> Self {
        Self {
            dialect,
            input: OnceLock::new(),
        }
    }

    /// Once the body of the request was read.
    pub(crate) fn set_input(&self, input: Content) {
        let _ = self.input.set(input);
    }
}

pub(super) struct Runtime {
    store: Arc<dyn OperationStore>,
    settings: Settings,
    sender: CompletionSender,
    served: RwLock<Vec<Served>>,
    /// Operations that were handed out and have no handler here, so far.
    unserved: Mutex<Vec<OperationKey>>,
    running: Running,
    waiters: Waiters,
    destinations: Destinations,
    /// One permit for each work that may run.
    work: Arc<Semaphore>,
    /// One for each delivery on its way.
    deliveries: Arc<Semaphore>,
    /// Work waits in the store.
    ready: Notify,
    /// A delivery waits in the store, or there is capacity for one again.
    due: Notify,
    accepting: AtomicBool,
    /// No work or delivery is begun any more.
    stop: CancellationToken,
    /// What was begun is dropped.
    abort: CancellationToken,
    tasks: TaskTracker,
}

/// The handlers of a server.
#[derive(Clone)]
struct Served {
    registry: ServiceRegistry,
    serializer: Arc<dyn Serializer>,
    extensions: Extensions,
}

impl Operations {
    /// Runs the operations of `store` with the usual settings.
    pub async fn open(store: impl OperationStore) -> Result<Self, StoreError> {
        Self::builder(store).open().await
    }

    /// Settings other than the usual.
    pub fn builder(store: impl OperationStore) -> OperationsBuilder {
        OperationsBuilder::new(Arc::new(store))
    }

    async fn start(runtime: Runtime) -> Result<Self, StoreError> {
        runtime.store.recover(SystemTime::now()).await?;
        let runtime = Arc::new(runtime);
        let tasks = &runtime.tasks;
        tasks.spawn(runtime.clone().dispatch());
        tasks.spawn(runtime.clone().deliver());
        tasks.spawn(runtime.clone().purge());
        Ok(Self {
            _stop: Arc::new(runtime.stop.clone().drop_guard()),
            runtime,
        })
    }

    /// Adds the handlers of a server.
    pub(crate) fn serve(
        self,
        registry: &ServiceRegistry,
        serializer: &Arc<dyn Serializer>,
        extensions: &Extensions,
    ) -> Arc<Access> {
        let served = Served {
            extensions: extensions.clone(),
            registry: registry.clone(),
            serializer: serializer.clone(),
        };
        self.runtime
            .served
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .push(served);
        self.runtime.ready.notify_one();
        Arc::new(Access {
            runtime: self.runtime.clone(),
            serializer: serializer.clone(),
            _operations: self,
        })
    }

    /// Stops: takes no start in any more, begins no work, and waits up to `grace` for what was begun.
    ///
    /// Nothing is canceled. Work that has not come to its end is dropped, and begun again by the next process; so are deliveries. Requests
    /// for results and states are answered as before.
    pub async fn shutdown(&self, grace: Duration) {
        let runtime = &self.runtime;
        runtime.accepting.store(false, Ordering::Relaxed);
        runtime.stop.cancel();
        runtime.tasks.close();
        if tokio::time::timeout(grace, runtime.tasks.wait())
            .await
            .is_err()
        {
            runtime.abort.cancel();
            runtime.tasks.wait().await;
        }
    }

    /// How many operations and deliveries there are.
    pub async fn statistics(&self) -> Result<StoreStatistics, StoreError> {
        self.runtime.store.statistics().await
    }
}

impl Runtime {
    fn new(store: Arc<dyn OperationStore>, settings: Settings, sender: CompletionSender) -> Self {
        let permits = |limit: usize| Arc::new(Semaphore::new(limit.min(Semaphore::MAX_PERMITS)));
        Self {
            store,
            sender,
            served: RwLock::default(),
            unserved: Mutex::default(),
            running: Running::default(),
            waiters: Waiters::default(),
            destinations: Destinations::new(&settings.delivery),
            work: permits(settings.max_running),
            deliveries: permits(settings.delivery.concurrency),
            ready: Notify::new(),
            due: Notify::new(),
            accepting: AtomicBool::new(true),
            stop: CancellationToken::new(),
            abort: CancellationToken::new(),
            tasks: TaskTracker::new(),
            settings,
        }
    }

    fn key(&self, ctx: &OperationContext, token: OperationToken) -> OperationKey {
        OperationKey {
            tenant: (self.settings.tenant)(ctx),
            service: ctx.service().to_owned(),
            operation: ctx.operation().to_owned(),
            token,
        }
    }

    /// An end now, kept as long as the settings have it.
    fn end(&self, outcome: Outcome, links: Vec<nexus_rpc::Link>) -> End {
        let at = SystemTime::now();
        End {
            keep_until: kept_until(at, self.settings.retention),
            ended: Ended { outcome, at, links },
        }
    }

    /// Asks the store again until it answers. `None`: the runtime is being stopped, or the store cannot answer.
    async fn insist<T, Fut>(&self, what: &str, ask: impl Fn() -> Fut) -> Option<T>
    where
        Fut: Future<Output = Result<T, StoreError>>,
    {
        let mut pause = Duration::from_millis(100);
        loop {
            match ask().await {
                Ok(value) => return Some(value),
                Err(error @ StoreError::Corrupted(_)) => {
                    tracing::error!(error = &error as &dyn std::error::Error, "cannot {what}");
                    return None;
                }
                Err(error) => {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "cannot {what} yet"
                    );
                }
            }
            tokio::select! {
                () = self.abort.cancelled() => return None,
                () = tokio::time::sleep(pause) => pause = (pause * 2).min(Duration::from_secs(5)),
            }
        }
    }
}

/// When an operation may be forgotten that ended `at`.
fn kept_until(at: SystemTime, retention: Duration) -> SystemTime {
    /// Longer would lead beyond what clocks can tell.
    const LONGEST: Duration = Duration::from_secs(1000 * 365 * 24 * 60 * 60);
    at.checked_add(retention.min(LONGEST)).unwrap_or(at)
}

/// What a caller hears of a store that did not answer.
fn store_error(error: StoreError) -> HandlerError {
    match error {
        StoreError::Unavailable(_) => {
            HandlerError::unavailable("operations cannot be kept or read now, try again later")
        }
        StoreError::Corrupted(_) => HandlerError::internal("the operation cannot be read"),
    }
    .with_source(error)
}

impl fmt::Debug for Operations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Operations")
            .field("store", &self.runtime.store)
            .field("settings", &self.runtime.settings)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operations::MemoryStore;

    /// Those that docs/protocol.md speaks of.
    #[test]
    fn the_usual_settings_are_those_of_the_guide() {
        let settings = Operations::builder(MemoryStore::new()).into_settings();
        let day = Duration::from_secs(24 * 60 * 60);
        assert_eq!((settings.retention, settings.max_attempts), (day, 10));
    }

    #[test]
    fn what_is_to_be_kept_for_ever_is_not_forgotten_at_once() {
        let at = SystemTime::now();
        let day = Duration::from_secs(24 * 60 * 60);
        assert_eq!(kept_until(at, day), at + day);
        assert!(kept_until(at, Duration::MAX) > at + day * 100_000);
    }
}
