//! Runs the work.

use std::{
    sync::{Arc, PoisonError},
    time::Duration,
};

use nexus_rpc::{
    Content, Failure, HandlerError, LazyValue, OperationContext, StartError, StartOperationContext,
    StartOperationResult,
    context::{RequestInfo, StartDetails},
};
use tokio::sync::OwnedSemaphorePermit;
use tracing::Instrument;

use super::{Runtime, Served};
use crate::{
    Dialect, OperationFailure, Outcome,
    failure::wire,
    operations::{ClaimedOperation, OperationKey, handler::Run},
};

/// Most operations that are taken out of the store at once.
const CLAIM: usize = 64;
/// How long until the store is asked again without a reason: a start may have been kept whose request broke off.
const IDLE: Duration = Duration::from_secs(1);

impl Runtime {
    /// Hands out work as long as there may be more.
    pub(super) async fn dispatch(self: Arc<Self>) {
        let mut servers = 0;
        while !self.stop.is_cancelled() {
            if self.servers() == 0 {
                self.pause().await;
                continue;
            }
            if self.servers() != servers {
                servers = self.servers();
                self.release_served().await;
            }
            let Some(mut permits) = self.permits().await else {
                return;
            };
            let claimed = match self.store.claim(permits.len()).await {
                Ok(claimed) => claimed,
                Err(error) => {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "cannot take work out of the operation store"
                    );
                    drop(permits);
                    tokio::select! {
                        () = self.stop.cancelled() => {}
                        () = tokio::time::sleep(IDLE) => {}
                    }
                    continue;
                }
            };
            let none = claimed.is_empty();
            for claimed in claimed {
                let permit = permits.pop();
                self.tasks.spawn(self.clone().run(claimed, permit));
            }
            drop(permits);
            if none {
                self.pause().await;
            }
        }
    }

    fn servers(&self) -> usize {
        let served = self.served.read();
        served.unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Lets operations wait again that were handed out before their handler was there.
    async fn release_served(&self) {
        let served: Vec<_> = {
            let mut unserved = self.unserved.lock().unwrap_or_else(PoisonError::into_inner);
            unserved
                .extract_if(.., |key| self.find(key).is_some())
                .collect()
        };
        for key in served {
            let release = || self.store.release(key.clone());
            self.insist("put work back", release).await;
        }
    }

    async fn pause(&self) {
        tokio::select! {
            () = self.stop.cancelled() => {}
            () = self.ready.notified() => {}
            () = tokio::time::sleep(IDLE) => {}
        }
    }

    /// As many permits as there are, up to a batch; waits for the first. `None`: the runtime stops.
    async fn permits(&self) -> Option<Vec<OwnedSemaphorePermit>> {
        let first = tokio::select! {
            () = self.stop.cancelled() => return None,
            permit = self.work.clone().acquire_owned() => permit.ok()?,
        };
        let mut permits = vec![first];
        while permits.len() < CLAIM
            && let Ok(permit) = self.work.clone().try_acquire_owned()
        {
            permits.push(permit);
        }
        Some(permits)
    }

    async fn run(self: Arc<Self>, claimed: ClaimedOperation, permit: Option<OwnedSemaphorePermit>) {
        let key = claimed.record.key.clone();
        let span = tracing::info_span!(
            "nexus_operation",
            service = key.service,
            operation = key.operation,
            token = key.token.as_str(),
            attempt = claimed.record.attempt,
        );
        let work = async {
            tokio::select! {
                biased;
                () = self.abort.cancelled() => {
                    // The next process begins it again. Should the store not answer, it does so as after a crash.
                    if let Err(error) = self.store.release(key.clone()).await {
                        tracing::warn!(
                            error = &error as &dyn std::error::Error,
                            "cannot put work back"
                        );
                    }
                }
                () = self.work(&key, claimed) => {}
            }
        };
        work.instrument(span).await;
        self.running.ended(&key);
        drop(permit);
    }

    async fn work(&self, key: &OperationKey, claimed: ClaimedOperation) {
        let Some(served) = self.find(key).or_else(|| self.find_or_set_aside(key)) else {
            tracing::warn!(
                "no handler is registered for an operation that was accepted before; it stays open until a server has one"
            );
            return;
        };
        let record = &claimed.record;
        let attempts = record.attempt.saturating_sub(record.interruptions);
        let (result, links) = if attempts > self.settings.max_attempts {
            let error = HandlerError::internal("the operation was begun too often without an end");
            (Err(error.into()), Vec::new())
        } else {
            let ctx = self.context(key, &claimed, &served);
            let base = OperationContext::clone(&ctx);
            let input = LazyValue::new(claimed.input, served.serializer.clone());
            let result = served.registry.start(ctx, input).await;
            (result, base.take_links())
        };
        let outcome = outcome(result, &served);
        tracing::debug!(state = %outcome.state(), "operation ended");
        let end = self.end(outcome, links);
        let complete = || self.store.complete(key.clone(), end.clone());
        if self
            .insist("keep the end of an operation", complete)
            .await
            .is_some()
        {
            self.has_ended(key);
        }
    }

    /// Looks once more under the lock of those that are set aside: a server that is added meanwhile either is found or looks there after.
    fn find_or_set_aside(&self, key: &OperationKey) -> Option<Served> {
        let mut unserved = self.unserved.lock().unwrap_or_else(PoisonError::into_inner);
        let served = self.find(key);
        if served.is_none() {
            unserved.push(key.clone());
        }
        served
    }

    fn find(&self, key: &OperationKey) -> Option<Served> {
        let served = self.served.read();
        let served = served.unwrap_or_else(PoisonError::into_inner);
        let has = |served: &&Served| {
            served.registry.services().any(|service| {
                service.name() == key.service
                    && service.operations().any(|name| name == key.operation)
            })
        };
        served.iter().find(has).cloned()
    }

    fn context(
        &self,
        key: &OperationKey,
        claimed: &ClaimedOperation,
        served: &Served,
    ) -> StartOperationContext {
        let record = &claimed.record;
        let cancel = self.running.token(key);
        if record.cancel_requested {
            cancel.cancel();
        }
        let mut extensions = served.extensions.clone();
        extensions.insert(Arc::new(Run {
            token: key.token.clone(),
            attempt: record.attempt,
            started_at: record.started_at,
            cancel,
        }));
        let base = OperationContext::new(RequestInfo {
            service: key.service.clone(),
            operation: key.operation.clone(),
            headers: record.headers.clone(),
            deadline: None,
            extensions,
        });
        let details = StartDetails {
            request_id: record.request_id.clone(),
            callback: None,
            links: record.links.clone(),
            operation_id: None,
        };
        StartOperationContext::new(base, details)
    }
}

/// What the caller may see of the work's result.
fn outcome(result: Result<StartOperationResult<Content>, StartError>, served: &Served) -> Outcome {
    let error = match result {
        Ok(StartOperationResult::Sync(content)) => return Outcome::Succeeded(content),
        Ok(_) => HandlerError::internal("the operation has no result")
            .with_source("the work returned another token instead of a result"),
        Err(StartError::Operation(error)) => {
            if let Some(source) = std::error::Error::source(&error) {
                tracing::debug!(source, "{error}");
            }
            match OperationFailure::from_error(error, &*served.serializer) {
                Ok(failure) => return Outcome::Unsuccessful(failure),
                Err(error) => {
                    HandlerError::internal("cannot serialize the details of the operation's error")
                        .with_source(error)
                }
            }
        }
        Err(StartError::Handler(error)) => error,
    };
    tracing::error!(
        error = &error as &dyn std::error::Error,
        "the work of an operation failed"
    );
    // As a caller would see it in the answer to a request: without the source.
    let seen = wire::handler_error(Dialect::Current, &error);
    let failure = Failure {
        cause: serde_json::from_slice(&seen).ok(),
        ..Failure::new(error.message().to_owned())
    };
    Outcome::Unsuccessful(OperationFailure::failed(failure))
}
