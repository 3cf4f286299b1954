//! A store that fails.

use std::{sync::atomic::AtomicBool, time::SystemTime};

use nexus_rpc_http::operations::{
    ClaimedOperation, DeliveryId, NewOperation, OperationKey, OperationRecord, OperationStore,
    StoreError,
    store::{
        Canceled, Completed, Created, DeliveryClaim, DueDeliveries, End, Settlement, StoreFuture,
        StoreStatistics,
    },
};

use super::*;

/// Writes nothing while it is full, and cancels slowly while it is slow.
#[derive(Debug, Clone, Default)]
struct Fallible {
    store: MemoryStore,
    full: Arc<AtomicBool>,
    /// How often the end of an operation was not written.
    ends_refused: Arc<AtomicUsize>,
    slow: Arc<AtomicBool>,
}

/// Asks the inner store unless it is full: it acts at once.
macro_rules! write {
    ($self:ident, $call:expr) => {
        if $self.full.load(Ordering::Relaxed) {
            Box::pin(async { Err(StoreError::Unavailable("disk full".into())) })
        } else {
            $call
        }
    };
}

impl OperationStore for Fallible {
    fn recover(&self, now: SystemTime) -> StoreFuture<'_, ()> {
        write!(self, self.store.recover(now))
    }
    fn create(&self, new: NewOperation, max_open: usize) -> StoreFuture<'_, Created> {
        write!(self, self.store.create(new, max_open))
    }
    fn claim(&self, limit: usize) -> StoreFuture<'_, Vec<ClaimedOperation>> {
        write!(self, self.store.claim(limit))
    }
    fn release(&self, key: OperationKey) -> StoreFuture<'_, ()> {
        write!(self, self.store.release(key))
    }
    fn cancel(&self, key: OperationKey, unbegun: End) -> StoreFuture<'_, Canceled> {
        let canceled = write!(self, self.store.cancel(key, unbegun));
        let slow = self.slow.load(Ordering::Relaxed);
        Box::pin(async move {
            if slow {
                tokio::time::sleep(Duration::from_millis(300)).await;
            }
            canceled.await
        })
    }
    fn complete(&self, key: OperationKey, end: End) -> StoreFuture<'_, Completed> {
        let refused = usize::from(self.full.load(Ordering::Relaxed));
        self.ends_refused.fetch_add(refused, Ordering::Relaxed);
        write!(self, self.store.complete(key, end))
    }
    fn get(&self, key: OperationKey) -> StoreFuture<'_, Option<OperationRecord>> {
        self.store.get(key)
    }
    fn claim_deliveries(&self, claim: DeliveryClaim) -> StoreFuture<'_, DueDeliveries> {
        write!(self, self.store.claim_deliveries(claim))
    }
    fn settle(&self, id: DeliveryId, settlement: Settlement) -> StoreFuture<'_, ()> {
        write!(self, self.store.settle(id, settlement))
    }
    fn postpone(&self, destination: String, until: SystemTime) -> StoreFuture<'_, ()> {
        write!(self, self.store.postpone(destination, until))
    }
    fn purge(&self, now: SystemTime, limit: usize) -> StoreFuture<'_, usize> {
        write!(self, self.store.purge(now, limit))
    }
    fn statistics(&self) -> StoreFuture<'_, StoreStatistics> {
        self.store.statistics()
    }
}

#[tokio::test]
async fn a_full_store_takes_nothing_in_and_answers_what_it_can() {
    let store = Fallible::default();
    let builder = Operations::builder(store.clone()).delivery(quick());
    let keeper = Keeper::over(builder, Ends::new()).await;
    let receiver = Receiver::start().await;
    keeper.job("old").await.expect(201);
    keeper.ends.say("old", done(json!(1)));
    keeper.result("old").await.expect(200);
    keeper
        .start_current("running", &receiver.url("/cb"))
        .await
        .expect(201);
    keeper.until_running(1).await;

    store.full.store(true, Ordering::Relaxed);
    keeper.job("new").await.expect(503);
    let refused = keeper
        .post("/svc/job", json!({"name": "new"}))
        .await
        .expect(503)
        .json();
    assert_eq!(refused["details"]["type"], "UNAVAILABLE");
    assert!(!refused.to_string().contains("disk"));
    assert_eq!(keeper.result("old").await.expect(200).json(), json!(1));
    keeper.cancel("old").await.expect(503);
    keeper.post("/svc/echo", json!(1)).await.expect(200);
    // Work that ends now is not lost.
    keeper.ends.say("running", done(json!(2)));
    until(async || store.ends_refused.load(Ordering::Relaxed) > 0).await;
    assert_eq!(receiver.count(), 0);

    store.full.store(false, Ordering::Relaxed);
    until(async || receiver.count() == 1).await;
    keeper.job("new").await.expect(201);
}

/// The store may have noted the cancellation by then: whom it concerns must hear of it.
#[tokio::test]
async fn a_cancel_request_that_is_given_up_half_way_is_heard_all_the_same() {
    let store = Fallible::default();
    let builder = Operations::builder(store.clone()).max_running(1);
    let keeper = Keeper::over(builder, Ends::new()).await;
    keeper.job("begun").await.expect(201);
    keeper.until_running(1).await;
    keeper.job("waiting").await.expect(201);
    store.slow.store(true, Ordering::Relaxed);
    let cancel = async |id: &str| {
        let request = Wire::post(&format!("{DRAFT}/job/{id}/cancel"));
        keeper.send(request.header("Request-Timeout", "50ms")).await
    };
    let since = Instant::now();
    let (result, canceled) = tokio::join!(keeper.result("waiting"), async {
        // Once the other waits.
        tokio::time::sleep(Duration::from_millis(100)).await;
        cancel("waiting").await
    });
    canceled.expect(503);
    result.expect(482);
    assert!(since.elapsed() < Duration::from_secs(10));
    cancel("begun").await.expect(503);
    let result = keeper.result("begun").await.expect(482);
    assert_eq!(result.header("nexus-operation-state"), Some("canceled"));
}
