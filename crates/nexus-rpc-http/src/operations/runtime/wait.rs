//! States and results, now or after a wait.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use nexus_rpc::{HandlerError, OperationContext, OperationToken};
use tokio::{sync::Notify, time::Instant};

use super::{Runtime, cancel::UNKNOWN, store_error};
use crate::operations::{OperationKey, OperationRecord};

/// Those who wait for operations. The server bounds how many there are.
#[derive(Debug, Default)]
pub(super) struct Waiters(Mutex<HashMap<OperationKey, Waited>>);

#[derive(Debug, Default)]
struct Waited {
    count: usize,
    ended: Arc<Notify>,
}

/// One who waits.
struct Waiter<'a> {
    waiters: &'a Waiters,
    key: &'a OperationKey,
    ended: Arc<Notify>,
}

impl Waiters {
    fn wait_for<'a>(&'a self, key: &'a OperationKey) -> Waiter<'a> {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = waiting.entry(key.clone()).or_default();
        waited.count += 1;
        Waiter {
            waiters: self,
            key,
            ended: waited.ended.clone(),
        }
    }

    pub(super) fn wake(&self, key: &OperationKey) {
        let waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(waited) = waiting.get(key) {
            waited.ended.notify_waiters();
        }
    }
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        let mut waiting = self
            .waiters
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(waited) = waiting.get_mut(self.key) {
            waited.count -= 1;
            if waited.count == 0 {
                waiting.remove(self.key);
            }
        }
    }
}

impl Runtime {
    pub(in crate::operations) async fn look_up(
        &self,
        ctx: &OperationContext,
        token: OperationToken,
    ) -> Result<OperationRecord, HandlerError> {
        self.get(self.key(ctx, token)).await
    }

    async fn get(&self, key: OperationKey) -> Result<OperationRecord, HandlerError> {
        let record = self.store.get(key).await.map_err(store_error)?;
        record.ok_or_else(|| HandlerError::not_found(UNKNOWN))
    }

    /// The operation once it has ended, or as it is after `wait`.
    pub(in crate::operations) async fn wait(
        &self,
        ctx: &OperationContext,
        token: OperationToken,
        wait: Duration,
    ) -> Result<OperationRecord, HandlerError> {
        let key = self.key(ctx, token);
        if wait.is_zero() {
            return self.get(key).await;
        }
        let waiter = self.waiters.wait_for(&key);
        let ended = waiter.ended.notified();
        tokio::pin!(ended);
        // Before the look at the store: an end in between is not missed.
        ended.as_mut().enable();
        let record = self.get(key.clone()).await?;
        if record.end.is_some() {
            return Ok(record);
        }
        let over = Instant::now().checked_add(wait);
        let over = async {
            match over {
                Some(over) => tokio::time::sleep_until(over).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = ended => self.get(key.clone()).await,
            () = over => Ok(record),
        }
    }
}
