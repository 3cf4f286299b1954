//! Requests to end an operation, and who has to hear of them.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use nexus_rpc::{Failure, HandlerError, OperationContext, OperationToken};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::{Runtime, store_error};
use crate::{
    OperationFailure, Outcome,
    operations::{OperationKey, store::Canceled},
};

/// The work that runs in this process.
#[derive(Debug, Default)]
pub(super) struct Running(Mutex<HashMap<OperationKey, CancellationToken>>);

impl Running {
    /// The token by which the work for `key` hears of a request to end, which may have come already.
    pub(super) fn token(&self, key: &OperationKey) -> CancellationToken {
        self.lock().entry(key.clone()).or_default().clone()
    }

    pub(super) fn ended(&self, key: &OperationKey) {
        self.lock().remove(key);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<OperationKey, CancellationToken>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Runtime {
    pub(in crate::operations) async fn cancel(
        self: &Arc<Self>,
        ctx: &OperationContext,
        token: OperationToken,
    ) -> Result<(), HandlerError> {
        let key = self.key(ctx, token);
        // A request may be given up half-way. What the store has noted by then must be heard all the same.
        let canceling = self.clone().cancel_operation(key).in_current_span();
        self.tasks.spawn(canceling).await.unwrap_or_else(|error| {
            Err(HandlerError::internal("the operation cannot be canceled").with_source(error))
        })
    }

    async fn cancel_operation(self: Arc<Self>, key: OperationKey) -> Result<(), HandlerError> {
        let failure = Failure::new("the operation was canceled before it began");
        let unbegun = Outcome::Unsuccessful(OperationFailure::canceled(failure));
        let unbegun = self.end(unbegun, Vec::new());
        match self.store.cancel(key.clone(), unbegun).await {
            Ok(Canceled::Requested) => {
                // The work has been handed out, and will ask for this token if it has not done so yet.
                self.running.token(&key).cancel();
                // Unless it has just ended: then nobody asks any more.
                let record = self.store.get(key.clone()).await;
                if record.is_ok_and(|record| record.is_none_or(|record| record.end.is_some())) {
                    self.running.ended(&key);
                }
            }
            Ok(Canceled::Ended) => self.has_ended(&key),
            Ok(Canceled::AlreadyEnded) => {}
            Ok(Canceled::Unknown) => return Err(HandlerError::not_found(UNKNOWN)),
            Err(error) => return Err(store_error(error)),
        }
        Ok(())
    }

    /// Tells those who wait for the end of an operation.
    pub(super) fn has_ended(&self, key: &OperationKey) {
        self.waiters.wake(key);
        self.due.notify_one();
    }
}

/// What a caller hears of an operation that there is not.
pub(super) const UNKNOWN: &str = "there is no such operation, or it ended too long ago";
