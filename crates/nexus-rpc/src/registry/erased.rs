//! Handlers without their types, so that one map holds all operations of a service.

use std::{marker::PhantomData, sync::Arc, time::Duration};

use futures_util::future::{BoxFuture, FutureExt};

use crate::{
    CancelOperationContext, Content, FromContent, HandlerError, LazyValue, OperationContext,
    OperationHandler, OperationInfo, OperationResult, OperationToken, Serializer, StartError,
    StartOperationContext, StartOperationResult, ToContent, content::ContentError,
};

/// [`OperationHandler`] over [`Content`]. Code of the handler runs, and panics, only when a future is polled.
pub(super) trait ErasedHandler: Send + Sync {
    fn start(
        &self,
        ctx: StartOperationContext,
        input: LazyValue,
    ) -> BoxFuture<'_, Result<StartOperationResult<Content>, StartError>>;

    fn cancel(
        &self,
        ctx: CancelOperationContext,
        token: OperationToken,
    ) -> BoxFuture<'_, Result<(), HandlerError>>;

    fn info(
        &self,
        ctx: OperationContext,
        token: OperationToken,
    ) -> BoxFuture<'_, Result<OperationInfo, HandlerError>>;

    fn result(
        &self,
        ctx: OperationContext,
        token: OperationToken,
        wait: Duration,
        serializer: Arc<dyn Serializer>,
    ) -> BoxFuture<'_, Result<OperationResult<Content>, StartError>>;
}

pub(super) struct Erased<H, I, O> {
    handler: H,
    types: PhantomData<fn(I) -> O>,
}

impl<H, I, O> Erased<H, I, O> {
    pub(super) fn new(handler: H) -> Self {
        Self {
            handler,
            types: PhantomData,
        }
    }
}

impl<H, I, O> ErasedHandler for Erased<H, I, O>
where
    H: OperationHandler<I, O>,
    I: FromContent,
    O: ToContent,
{
    fn start(
        &self,
        ctx: StartOperationContext,
        input: LazyValue,
    ) -> BoxFuture<'_, Result<StartOperationResult<Content>, StartError>> {
        async move {
            let (content, serializer) = input.into_parts();
            let input = I::from_content(content, &*serializer).map_err(input_error)?;
            match self.handler.start(ctx, input).await? {
                StartOperationResult::Sync(output) => {
                    write(output, &*serializer).map(StartOperationResult::Sync)
                }
                StartOperationResult::Async(token) => Ok(StartOperationResult::Async(token)),
            }
        }
        .boxed()
    }

    fn cancel(
        &self,
        ctx: CancelOperationContext,
        token: OperationToken,
    ) -> BoxFuture<'_, Result<(), HandlerError>> {
        async move { self.handler.cancel(ctx, token).await }.boxed()
    }

    fn info(
        &self,
        ctx: OperationContext,
        token: OperationToken,
    ) -> BoxFuture<'_, Result<OperationInfo, HandlerError>> {
        async move { self.handler.info(ctx, token).await }.boxed()
    }

    fn result(
        &self,
        ctx: OperationContext,
        token: OperationToken,
        wait: Duration,
        serializer: Arc<dyn Serializer>,
    ) -> BoxFuture<'_, Result<OperationResult<Content>, StartError>> {
        async move {
            match self.handler.result(ctx, token, wait).await? {
                OperationResult::Succeeded(output) => {
                    write(output, &*serializer).map(OperationResult::Succeeded)
                }
                OperationResult::Running => Ok(OperationResult::Running),
            }
        }
        .boxed()
    }
}

/// The caller's input is at fault, and the caller is told where. What a serializer says in an error of its own is not for the caller, unless
/// it chose an error of Nexus for it.
fn input_error(error: ContentError) -> StartError {
    match error {
        ContentError::Serializer(source) => source.into(),
        error => HandlerError::bad_request(format!("cannot deserialize operation input: {error}"))
            .with_source(error)
            .into(),
    }
}

fn write<O: ToContent>(output: O, serializer: &dyn Serializer) -> Result<Content, StartError> {
    output.to_content(serializer).map_err(|error| {
        HandlerError::internal("cannot serialize operation output")
            .with_source(error)
            .into()
    })
}
