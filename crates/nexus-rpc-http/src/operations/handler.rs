//! Operations whose work goes on after the start was answered.

use std::{
    any::type_name,
    fmt,
    future::Future,
    marker::PhantomData,
    ops::Deref,
    sync::Arc,
    time::{Duration, SystemTime},
};

use nexus_rpc::{
    CancelOperationContext, FromContent, HandlerError, OperationContext, OperationError,
    OperationHandler, OperationInfo, OperationResult, OperationToken, Serializer, StartError,
    StartOperationContext, StartOperationResult,
};
use tokio_util::sync::CancellationToken;

use super::{Access, OperationRecord, runtime::Accepted};
use crate::Outcome;

/// An operation whose work `f` goes on in the server after its start was answered with a token.
///
/// The start is answered once the operation is safe in the [store](super::OperationStore) of the server's
/// [`Operations`](super::Operations); then the work runs. Its result goes to the callback, and where the caller speaks the draft dialect it
/// can be asked for. An [`OperationError`] ends the operation as failed or canceled. Any other error, or a panic, ends it as failed; the
/// caller sees no more of it than of a request that failed so.
///
/// The work may run more than once: when the process ends in the middle of it, the next one begins it again, with the same token and
/// request id. Make it idempotent, with [`token`](AsyncOperationContext::token) as the key.
///
/// ```
/// use std::time::Duration;
/// use nexus_rpc::{Operation, OperationError, Service, ServiceRegistry};
/// use nexus_rpc_http::{AsyncOperationContext, NexusHttpService, Operations, async_operation, operations::MemoryStore};
///
/// const BREW: Operation<String, String> = Operation::new("kitchen", "brew");
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// let brew = async_operation(async |ctx: AsyncOperationContext, tea: String| {
///     tokio::select! {
///         () = tokio::time::sleep(Duration::from_secs(180)) => Ok(format!("a cup of {tea}")),
///         () = ctx.cancelled() => Err(OperationError::canceled("poured away").into()),
///     }
/// });
/// let mut registry = ServiceRegistry::new();
/// registry.register(Service::builder("kitchen").operation(BREW, brew).build()?)?;
///
/// // `RedbStore::open(path)?` for one that survives.
/// let operations = Operations::open(MemoryStore::new()).await?;
/// let service = NexusHttpService::builder(registry).operations(&operations).build()?;
/// # operations.shutdown(Duration::ZERO).await;
/// # Ok::<(), Box<dyn std::error::Error>>(()) })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn async_operation<I, O, F, Fut>(f: F) -> AsyncOperation<I, O, F>
where
    F: Fn(AsyncOperationContext, I) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<O, StartError>> + Send,
{
    AsyncOperation {
        f,
        types: PhantomData,
    }
}

/// An operation whose work outlives its request, made by [`async_operation`].
pub struct AsyncOperation<I, O, F> {
    f: F,
    types: PhantomData<fn(I) -> O>,
}

/// What the work of an [`async_operation`] knows.
///
/// Derefs to [`OperationContext`], of which the headers are those of the start request that the runtime keeps, and links that are added
/// go with the result.
#[derive(Debug, Clone)]
pub struct AsyncOperationContext {
    start: StartOperationContext,
    run: Arc<Run>,
}

/// The part of a context that makes the handler work.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) token: OperationToken,
    pub(super) attempt: u32,
    pub(super) started_at: SystemTime,
    pub(super) cancel: CancellationToken,
}

impl AsyncOperationContext {
    /// The reference of the operation, that the caller has as well. The same in every attempt.
    #[must_use]
    pub fn token(&self) -> &OperationToken {
        &self.run.token
    }

    /// The id of the start request.
    #[must_use]
    pub fn request_id(&self) -> &str {
        self.start.request_id()
    }

    /// Links of the caller: where the request came from.
    #[must_use]
    pub fn links(&self) -> &[nexus_rpc::Link] {
        self.start.links()
    }

    /// 1, and more when the work was begun before and did not come to its end, because the process did not live as long.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.run.attempt
    }

    /// When the operation was accepted.
    #[must_use]
    pub fn started_at(&self) -> SystemTime {
        self.run.started_at
    }

    /// When the caller stops waiting for the operation, if it said so (`Operation-Timeout`). Nothing happens then by itself.
    #[must_use]
    pub fn operation_deadline(&self) -> Option<SystemTime> {
        self.run.started_at.checked_add(self.operation_timeout()?)
    }

    /// Waits until somebody asks for the end of the operation, also if that was in an earlier attempt.
    ///
    /// How the operation ends is for the work to say: with an [`OperationError::canceled`], or otherwise.
    pub async fn cancelled(&self) {
        self.run.cancel.cancelled().await;
    }

    /// Whether somebody asked for the end of the operation.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.run.cancel.is_cancelled()
    }
}

impl Deref for AsyncOperationContext {
    type Target = OperationContext;

    fn deref(&self) -> &OperationContext {
        &self.start
    }
}

impl<I, O, F, Fut> OperationHandler<I, O> for AsyncOperation<I, O, F>
where
    I: Send + 'static,
    O: FromContent,
    F: Fn(AsyncOperationContext, I) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<O, StartError>> + Send,
{
    async fn start(
        &self,
        ctx: StartOperationContext,
        input: I,
    ) -> Result<StartOperationResult<O>, StartError> {
        if let Some(run) = ctx.extension::<Arc<Run>>() {
            let run = run.clone();
            let output = (self.f)(AsyncOperationContext { start: ctx, run }, input).await?;
            return Ok(StartOperationResult::Sync(output));
        }
        // It can be read, which is all that matters now; it is read again when its turn has come.
        drop(input);
        let access = access(&ctx)?;
        match access.runtime.accept(&ctx).await? {
            Accepted::Running(token) => Ok(StartOperationResult::Async(token)),
            Accepted::Ended(record) => match result(*record, &*access.serializer)? {
                OperationResult::Succeeded(output) => Ok(StartOperationResult::Sync(output)),
                _ => Err(HandlerError::internal("an operation that ended goes on").into()),
            },
        }
    }

    async fn cancel(
        &self,
        ctx: CancelOperationContext,
        token: OperationToken,
    ) -> Result<(), HandlerError> {
        access(&ctx)?.runtime.cancel(&ctx, token).await
    }

    async fn info(
        &self,
        ctx: OperationContext,
        token: OperationToken,
    ) -> Result<OperationInfo, HandlerError> {
        let record = access(&ctx)?.runtime.look_up(&ctx, token).await?;
        let state = record.state();
        Ok(OperationInfo::new(record.key.token, state))
    }

    async fn result(
        &self,
        ctx: OperationContext,
        token: OperationToken,
        wait: Duration,
    ) -> Result<OperationResult<O>, StartError> {
        let access = access(&ctx)?;
        let record = access.runtime.wait(&ctx, token, wait).await?;
        result(record, &*access.serializer)
    }
}

fn access(ctx: &OperationContext) -> Result<&Access, HandlerError> {
    ctx.extension::<Access>().ok_or_else(|| {
        HandlerError::not_implemented("operations that outlive their request are not kept here").with_source(
            "an `async_operation` needs a server that is built with `NexusHttpServiceBuilder::operations`",
        )
    })
}

fn result<O: FromContent>(
    record: OperationRecord,
    serializer: &dyn Serializer,
) -> Result<OperationResult<O>, StartError> {
    match record.end.map(|end| end.outcome) {
        None => Ok(OperationResult::Running),
        Some(Outcome::Succeeded(content)) => {
            let output = O::from_content(content, serializer).map_err(|error| {
                HandlerError::internal("the stored result cannot be read").with_source(error)
            })?;
            Ok(OperationResult::Succeeded(output))
        }
        Some(Outcome::Unsuccessful(failure)) => {
            let message = failure.message().to_owned();
            let mut error = match failure.state() {
                nexus_rpc::OperationState::Canceled => OperationError::canceled(message),
                _ => OperationError::failed(message),
            };
            if let Some(details) = failure.details_content() {
                error = error.with_details(details);
            }
            if let Some(cause) = failure.cause() {
                error = error.with_cause(cause.clone());
            }
            Err(error.into())
        }
    }
}

impl<I, O, F> fmt::Debug for AsyncOperation<I, O, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "AsyncOperation({} -> {})",
            type_name::<I>(),
            type_name::<O>()
        )
    }
}
