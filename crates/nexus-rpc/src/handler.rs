//! Operation handlers: values that start, cancel and report on the operations of a service.
//!
//! Most are made by a function: [`sync_operation`] answers at once; a transport adds its own, as `temporal-nexus` does with an operation
//! that runs a workflow. To decide everything yourself, implement [`OperationHandler`].

use std::{any::type_name, fmt, future::Future, marker::PhantomData, time::Duration};

use crate::{
    CancelOperationContext, HandlerError, OperationContext, OperationState, OperationToken,
    StartError, StartOperationContext,
};

/// The answer to a start request: the result, or the reference of an operation that goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum StartOperationResult<O> {
    /// The operation is done; this is its result.
    Sync(O),
    /// The operation goes on. Its result goes to the callback of the request.
    Async(OperationToken),
}

/// Describes an operation (draft dialect of the HTTP protocol).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct OperationInfo {
    /// The reference of the operation.
    pub token: OperationToken,
    /// Whether it goes on, or how it ended.
    pub state: OperationState,
}

impl OperationInfo {
    /// An operation in a state.
    #[must_use]
    pub fn new(token: OperationToken, state: OperationState) -> Self {
        Self { token, state }
    }
}

/// The answer to a request for the result of an operation (draft dialect of the HTTP protocol).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum OperationResult<O> {
    /// The operation succeeded with this result.
    Succeeded(O),
    /// The operation goes on.
    Running,
}

/// Handles the requests for one operation that takes `I` and returns `O`.
///
/// A value of this kind is made once and serves all requests, at the same time. It must be ready to see the same request again, with
/// the same [request id](StartOperationContext::request_id): callers retry.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot serve an operation `{I} -> {O}`",
    label = "this handler has other input or output types, or is no handler",
    note = "make one with `sync_operation(async |ctx, input: {I}| Ok(output))`, where `output` is `{O}`"
)]
pub trait OperationHandler<I, O>: Send + Sync + 'static {
    /// Starts the operation.
    fn start(
        &self,
        ctx: StartOperationContext,
        input: I,
    ) -> impl Future<Output = Result<StartOperationResult<O>, StartError>> + Send;

    /// Asks a started operation to end. The operation may still end in any way; a repeated request succeeds.
    ///
    /// Unless given: `NOT_IMPLEMENTED`.
    fn cancel(
        &self,
        ctx: CancelOperationContext,
        token: OperationToken,
    ) -> impl Future<Output = Result<(), HandlerError>> + Send {
        let _ = token;
        async move { Err(not_implemented("cancel", &ctx)) }
    }

    /// Describes a started operation.
    ///
    /// Unless given: `NOT_IMPLEMENTED`.
    fn info(
        &self,
        ctx: OperationContext,
        token: OperationToken,
    ) -> impl Future<Output = Result<OperationInfo, HandlerError>> + Send {
        let _ = token;
        async move { Err(not_implemented("info", &ctx)) }
    }

    /// Gets the result of a started operation, and waits up to `wait` for it to end.
    ///
    /// Unless given: `NOT_IMPLEMENTED`.
    fn result(
        &self,
        ctx: OperationContext,
        token: OperationToken,
        wait: Duration,
    ) -> impl Future<Output = Result<OperationResult<O>, StartError>> + Send {
        let _ = (token, wait);
        async move { Err(not_implemented("result", &ctx).into()) }
    }
}

fn not_implemented(method: &str, ctx: &OperationContext) -> HandlerError {
    HandlerError::not_implemented(format!(
        "operation {:?} of service {:?} has no method {method}",
        ctx.operation(),
        ctx.service()
    ))
}

/// An operation that answers at once: `f` makes the result of the input.
///
/// A transport limits the time for it; Temporal allows 10 seconds. For longer work use an operation that the transport can keep, such as
/// a workflow run.
///
/// ```
/// use nexus_rpc::{HandlerError, OperationHandler, sync_operation};
///
/// fn half() -> impl OperationHandler<i64, i64> {
///     sync_operation(async |_ctx, input: i64| {
///         if input % 2 == 1 {
///             return Err(HandlerError::bad_request(format!("{input} is odd")).into());
///         }
///         Ok(input / 2)
///     })
/// }
/// ```
///
/// An `async` closure that captures something borrows from itself, which a handler cannot; clone what it needs instead:
///
/// ```
/// # use std::sync::Arc;
/// # use nexus_rpc::{OperationHandler, sync_operation};
/// # struct Prices;
/// # impl Prices { async fn of(&self, _: &str) -> Result<u64, std::io::Error> { Ok(1) } }
/// fn price(prices: Arc<Prices>) -> impl OperationHandler<String, u64> {
///     sync_operation(move |_ctx, name: String| {
///         let prices = prices.clone();
///         async move { Ok(prices.of(&name).await?) }
///     })
/// }
/// ```
pub fn sync_operation<I, O, F, Fut>(f: F) -> SyncOperation<I, O, F>
where
    F: Fn(StartOperationContext, I) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<O, StartError>> + Send,
{
    SyncOperation {
        f,
        types: PhantomData,
    }
}

/// An operation that answers at once, made by [`sync_operation`].
pub struct SyncOperation<I, O, F> {
    f: F,
    types: PhantomData<fn(I) -> O>,
}

impl<I, O, F> fmt::Debug for SyncOperation<I, O, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "SyncOperation({} -> {})",
            type_name::<I>(),
            type_name::<O>()
        )
    }
}

impl<I, O, F, Fut> OperationHandler<I, O> for SyncOperation<I, O, F>
where
    I: Send + 'static,
    O: Send + 'static,
    F: Fn(StartOperationContext, I) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<O, StartError>> + Send,
{
    async fn start(
        &self,
        ctx: StartOperationContext,
        input: I,
    ) -> Result<StartOperationResult<O>, StartError> {
        (self.f)(ctx, input).await.map(StartOperationResult::Sync)
    }

    async fn cancel(
        &self,
        ctx: CancelOperationContext,
        _: OperationToken,
    ) -> Result<(), HandlerError> {
        Err(HandlerError::not_implemented(format!(
            "operation {:?} of service {:?} is synchronous and cannot be canceled",
            ctx.operation(),
            ctx.service()
        )))
    }
}
