use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use futures_util::future::{FusedFuture, FutureExt, LocalBoxFuture};
use temporalio_workflow::{CancellableFuture, WorkflowCancellationToken};

/// What a call of an operation returns: a future that can be canceled, for use in workflows and their `select!` and `join!`.
///
/// The call is made when the future is made. Dropping the future does not cancel the operation.
#[must_use = "the operation is started all the same, but its outcome is lost"]
pub struct NexusFuture<T> {
    inner: futures_util::future::Fuse<LocalBoxFuture<'static, T>>,
    cancellation: WorkflowCancellationToken,
}

impl<T> NexusFuture<T> {
    pub(super) fn cancellation(&self) -> &WorkflowCancellationToken {
        &self.cancellation
    }

    pub(super) fn new(
        future: impl Future<Output = T> + 'static,
        cancellation: WorkflowCancellationToken,
    ) -> Self {
        Self {
            inner: future.boxed_local().fuse(),
            cancellation,
        }
    }
}

impl<T> fmt::Debug for NexusFuture<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NexusFuture").finish_non_exhaustive()
    }
}

impl<T> Future for NexusFuture<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        self.inner.poll_unpin(cx)
    }
}

impl<T> FusedFuture for NexusFuture<T> {
    fn is_terminated(&self) -> bool {
        self.inner.is_terminated()
    }
}

impl<T> CancellableFuture for NexusFuture<T> {
    fn cancel(&self) {
        self.cancellation.cancel();
    }
}
