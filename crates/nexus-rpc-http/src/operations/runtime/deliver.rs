//! Delivers results to callbacks.

use std::{
    error::Error,
    panic::AssertUnwindSafe,
    sync::Arc,
    time::{Duration, SystemTime},
};

use futures_util::FutureExt;
use http::Uri;
use tokio::sync::OwnedSemaphorePermit;
use tracing::Instrument;

use super::Runtime;
use crate::{
    TransportError,
    callback::{Completion, DeliveryError, Undelivered},
    operations::{
        Delivery,
        store::{DeliveryClaim, DueDeliveries, Settlement},
    },
    transport::ForbiddenAddress,
};

/// Most deliveries that are taken out of the store at once.
const CLAIM: usize = 64;
/// How long until the store is asked again without a reason.
const IDLE: Duration = Duration::from_secs(1);

impl Runtime {
    /// Sends deliveries as long as there may be more.
    pub(super) async fn deliver(self: Arc<Self>) {
        while !self.stop.is_cancelled() {
            let Some(mut permits) = self.delivery_permits().await else {
                return;
            };
            let claim = DeliveryClaim {
                now: SystemTime::now(),
                limit: permits.len(),
                per_destination: self.settings.delivery.per_destination,
                in_flight: self.destinations.used(),
            };
            let DueDeliveries { deliveries, next } = match self.store.claim_deliveries(claim).await
            {
                Ok(due) => due,
                Err(error) => {
                    tracing::warn!(
                        error = &error as &dyn Error,
                        "cannot take deliveries out of the operation store"
                    );
                    DueDeliveries::default()
                }
            };
            let none = deliveries.is_empty();
            for delivery in deliveries {
                self.destinations.begun(&delivery.target.destination);
                let task = self.clone().attempt(delivery, permits.pop());
                self.tasks.spawn(task);
            }
            drop(permits);
            if none {
                let pause = next.map_or(IDLE, |next| {
                    next.duration_since(SystemTime::now()).unwrap_or_default()
                });
                tokio::select! {
                    () = self.stop.cancelled() => {}
                    () = self.due.notified() => {}
                    () = tokio::time::sleep(pause.clamp(Duration::from_millis(1), IDLE)) => {}
                }
            }
        }
    }

    async fn delivery_permits(&self) -> Option<Vec<OwnedSemaphorePermit>> {
        let first = tokio::select! {
            () = self.stop.cancelled() => return None,
            permit = self.deliveries.clone().acquire_owned() => permit.ok()?,
        };
        let mut permits = vec![first];
        while permits.len() < CLAIM
            && let Ok(permit) = self.deliveries.clone().try_acquire_owned()
        {
            permits.push(permit);
        }
        Some(permits)
    }

    async fn attempt(self: Arc<Self>, delivery: Delivery, permit: Option<OwnedSemaphorePermit>) {
        let span = tracing::info_span!(
            "nexus_delivery",
            otel.kind = "client",
            token = delivery.token.as_str(),
            destination = delivery.target.destination,
            failures = delivery.failures,
        );
        let attempt = async {
            tokio::select! {
                biased;
                // The next process tries again.
                () = self.abort.cancelled() => {}
                () = self.send_and_settle(delivery) => {}
            }
        };
        attempt.instrument(span).await;
        drop(permit);
        // There is capacity again.
        self.due.notify_one();
    }

    async fn send_and_settle(&self, delivery: Delivery) {
        let (id, failures, ended_at) = (delivery.id, delivery.failures, delivery.end.at);
        let destination = delivery.target.destination.clone();
        // The transport may be somebody else's code; its panic must not use up the capacity of the destination.
        let sent = AssertUnwindSafe(self.send(delivery)).catch_unwind().await;
        let sent = sent.unwrap_or_else(|_| {
            let panicked = TransportError::Send("the transport panicked".into());
            Err(DeliveryError::Transport(panicked).into())
        });
        let postponed = match &sent {
            Err(undelivered) if is_down(&undelivered.error) => {
                self.destinations.failed(&destination)
            }
            _ => {
                if self.destinations.answered(&destination) {
                    tracing::info!("the server of the callback answers again");
                }
                None
            }
        };
        if let Some(pause) = postponed
            && let Some(until) = SystemTime::now().checked_add(pause)
        {
            tracing::warn!(?pause, "the server of the callback does not answer");
            let postpone = || self.store.postpone(destination.clone(), until);
            self.insist("put off deliveries", postpone).await;
        }
        let settlement = match sent {
            Ok(()) => Settlement::Done,
            Err(undelivered) => self.after(&undelivered, failures, ended_at),
        };
        let settle = || self.store.settle(id, settlement);
        self.insist("keep the outcome of a delivery", settle).await;
    }

    async fn send(&self, delivery: Delivery) -> Result<(), Undelivered> {
        let Delivery { target, end, .. } = delivery;
        // Forbidden now, though it was not when the operation was accepted.
        let host = target.callback.url.parse::<Uri>().ok();
        let host = host.as_ref().and_then(Uri::host).unwrap_or_default();
        if !self.settings.addresses.allows_host(host) {
            return Err(DeliveryError::Url("its address is not allowed").into());
        }
        let completion = Completion {
            outcome: end.outcome,
            operation_token: Some(delivery.token),
            start_time: Some(delivery.started_at),
            close_time: Some(end.at),
            links: end.links,
        };
        self.sender
            .attempt(target.dialect, &target.callback, &completion)
            .await
    }

    fn after(&self, undelivered: &Undelivered, failures: u32, ended_at: SystemTime) -> Settlement {
        let Undelivered { error, retry_after } = undelivered;
        let now = SystemTime::now();
        let policy = &self.settings.delivery;
        let age = now.duration_since(ended_at).unwrap_or_default();
        let error_chain = error as &dyn Error;
        if !error.is_retryable() || is_forbidden(error) || age >= policy.give_up_after {
            tracing::error!(error = error_chain, "gave up a delivery");
            return Settlement::Done;
        }
        let pause = policy.pause(failures, *retry_after);
        tracing::debug!(error = error_chain, ?pause, "a delivery failed");
        Settlement::Failed {
            retry_at: now.checked_add(pause).unwrap_or(now),
        }
    }
}

/// Whether an attempt says that the next to the same server will fail as well.
fn is_down(error: &DeliveryError) -> bool {
    match error {
        DeliveryError::Url(_) | DeliveryError::Header(_) => false,
        DeliveryError::Transport(_) => !is_forbidden(error),
        DeliveryError::Timeout { .. } => true,
        DeliveryError::Rejected(_) | DeliveryError::UnexpectedResponse(_) => error.is_retryable(),
    }
}

/// Whether the name in the URL resolved to nothing that may be called.
fn is_forbidden(error: &DeliveryError) -> bool {
    let mut source = error.source();
    while let Some(error) = source {
        if error.is::<ForbiddenAddress>() {
            return true;
        }
        source = error.source();
    }
    false
}
