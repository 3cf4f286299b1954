//! A store for tests, and for operations that may be lost.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    future::ready,
    sync::{Arc, Mutex, PoisonError},
    time::SystemTime,
};

use futures_util::FutureExt;
use nexus_rpc::{Content, context::Callback};

use super::{
    Canceled, Completed, Created, DeliveryClaim, DueDeliveries, End, OperationStore, Settlement,
    StoreError, StoreFuture, StoreStatistics,
    digest::{self, KEEP_LONGER, MAX_CALLBACKS, Short, from_millis, to_millis},
};
use crate::operations::{
    CallbackTarget, ClaimedOperation, Delivery, DeliveryId, Ended, NewOperation, OperationKey,
    OperationRecord,
};

mod queues;

use queues::Queues;

/// Keeps operations in memory, until the last clone of it is dropped.
#[derive(Debug, Clone, Default)]
pub struct MemoryStore(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    operations: BTreeMap<u64, Operation>,
    last: u64,
    keys: HashMap<OperationKey, u64>,
    requests: HashMap<Short, u64>,
    waiting: BTreeSet<u64>,
    running: BTreeSet<u64>,
    /// When to forget which operation.
    expiry: BTreeSet<(u64, u64)>,
    callbacks: BTreeMap<DeliveryId, Pending>,
    queues: Queues,
}

#[derive(Debug)]
struct Operation {
    record: OperationRecord,
    request: Option<Short>,
    input: Content,
    digest: [u8; 32],
    callbacks: Vec<Callback>,
}

#[derive(Debug)]
struct Pending {
    target: CallbackTarget,
    failures: u32,
}

impl State {
    fn recover(&mut self, now: SystemTime) {
        self.waiting.append(&mut self.running);
        for id in self.queues.take_claimed() {
            self.enqueue(id, to_millis(now));
        }
    }

    fn enqueue(&mut self, id: DeliveryId, time: u64) {
        if let Some(pending) = self.callbacks.get(&id) {
            let destination = digest::of_destination(&pending.target.destination);
            self.queues.add(destination, time, id);
        }
    }

    fn create(&mut self, new: NewOperation, max_open: usize) -> Created {
        let request = (!new.token_of_caller).then(|| digest::of_request(&new.key, &new.request_id));
        let same_request = || self.requests.get(&request?);
        let existing = self.keys.get(&new.key).or_else(same_request).copied();
        if let Some(id) = existing {
            return self.repeat(id, new);
        }
        if self.waiting.len() + self.running.len() >= max_open {
            return Created::Full;
        }
        self.last += 1;
        let id = self.last;
        self.keys.insert(new.key.clone(), id);
        if let Some(request) = request {
            self.requests.insert(request, id);
        }
        self.waiting.insert(id);
        let operation = Operation {
            digest: digest::of_content(&new.input),
            input: new.input,
            request,
            callbacks: Vec::new(),
            record: OperationRecord {
                key: new.key,
                request_id: new.request_id,
                headers: new.headers,
                links: new.links,
                started_at: from_millis(to_millis(new.started_at)),
                attempt: 0,
                interruptions: 0,
                cancel_requested: false,
                end: None,
            },
        };
        self.operations.insert(id, operation);
        if let Some(target) = new.callback {
            self.add_callback(id, target);
        }
        Created::New
    }

    fn repeat(&mut self, id: u64, new: NewOperation) -> Created {
        let Some(operation) = self.operations.get(&id) else {
            return Created::Conflict;
        };
        if operation.digest != digest::of_content(&new.input) {
            return Created::Conflict;
        }
        let existing = Created::Existing(Box::new(operation.record.clone()));
        if let Some(target) = new.callback
            && operation.record.end.is_none()
            && !operation.callbacks.contains(&target.callback)
        {
            if operation.callbacks.len() == MAX_CALLBACKS {
                return Created::Full;
            }
            self.add_callback(id, target);
        }
        existing
    }

    fn add_callback(&mut self, id: u64, target: CallbackTarget) {
        let Some(operation) = self.operations.get_mut(&id) else {
            return;
        };
        let id = DeliveryId {
            operation: id,
            callback: u32::try_from(operation.callbacks.len()).unwrap_or(u32::MAX),
        };
        operation.callbacks.push(target.callback.clone());
        let failures = 0;
        self.callbacks.insert(id, Pending { target, failures });
    }

    fn claim(&mut self, limit: usize) -> Vec<ClaimedOperation> {
        let mut claimed = Vec::new();
        while claimed.len() < limit
            && let Some(id) = self.waiting.pop_first()
        {
            self.running.insert(id);
            if let Some(operation) = self.operations.get_mut(&id) {
                operation.record.attempt += 1;
                claimed.push(ClaimedOperation {
                    record: operation.record.clone(),
                    input: operation.input.clone(),
                });
            }
        }
        claimed
    }

    fn release(&mut self, key: &OperationKey) {
        let id = self.keys.get(key).copied().unwrap_or_default();
        if let Some(operation) = self.operations.get_mut(&id)
            && self.running.remove(&id)
        {
            self.waiting.insert(id);
            operation.record.interruptions += 1;
        }
    }

    fn cancel(&mut self, key: &OperationKey, unbegun: End) -> Canceled {
        let id = self.keys.get(key).copied().unwrap_or_default();
        let Some(operation) = self.operations.get_mut(&id) else {
            return Canceled::Unknown;
        };
        if operation.record.end.is_some() {
            return Canceled::AlreadyEnded;
        }
        operation.record.cancel_requested = true;
        if operation.record.attempt == 0 {
            self.end(id, unbegun);
            return Canceled::Ended;
        }
        Canceled::Requested
    }

    fn complete(&mut self, key: &OperationKey, end: End) -> Completed {
        let id = self.keys.get(key).copied().unwrap_or_default();
        match self.operations.get(&id) {
            None => Completed::Unknown,
            Some(operation) if operation.record.end.is_some() => Completed::AlreadyEnded,
            Some(_) => {
                self.end(id, end);
                Completed::Ended
            }
        }
    }

    fn end(&mut self, id: u64, end: End) {
        let Some(operation) = self.operations.get_mut(&id) else {
            return;
        };
        let at = to_millis(end.ended.at);
        operation.input = Content::empty();
        operation.record.end = Some(Ended {
            at: from_millis(at),
            ..end.ended
        });
        self.waiting.remove(&id);
        self.running.remove(&id);
        self.expiry.insert((to_millis(end.keep_until), id));
        let ids: Vec<_> = self.callbacks_of(id).collect();
        for id in ids {
            self.enqueue(id, at);
        }
    }

    fn callbacks_of(&self, operation: u64) -> impl Iterator<Item = DeliveryId> {
        let [first, last] = [0, u32::MAX].map(|callback| DeliveryId {
            operation,
            callback,
        });
        self.callbacks.range(first..=last).map(|(id, _)| *id)
    }

    fn claim_deliveries(&mut self, claim: &DeliveryClaim) -> DueDeliveries {
        let now = to_millis(claim.now);
        let mut used: HashMap<Short, usize> = claim
            .in_flight
            .iter()
            .map(|(destination, used)| (digest::of_destination(destination), *used))
            .collect();
        let mut deliveries = Vec::new();
        for destination in self.queues.due_by(now) {
            let used = used.entry(destination).or_default();
            let capacity = claim.per_destination.saturating_sub(*used);
            let most = capacity.min(claim.limit - deliveries.len());
            if most > 0 {
                let taken = self.queues.take(destination, now, most);
                *used += taken.len();
                deliveries.extend(taken.into_iter().filter_map(|id| self.delivery(id)));
            }
        }
        let next = self.queues.first(|destination| {
            used.get(destination).copied().unwrap_or_default() < claim.per_destination
        });
        DueDeliveries {
            deliveries,
            next: next.map(from_millis),
        }
    }

    fn delivery(&self, id: DeliveryId) -> Option<Delivery> {
        let pending = self.callbacks.get(&id)?;
        let record = &self.operations.get(&id.operation)?.record;
        Some(Delivery {
            id,
            token: record.key.token.clone(),
            target: pending.target.clone(),
            failures: pending.failures,
            started_at: record.started_at,
            end: record.end.clone()?,
        })
    }

    fn settle(&mut self, id: DeliveryId, settlement: Settlement) {
        if !self.queues.unclaim(id) {
            return;
        }
        let time = match settlement {
            Settlement::Done => {
                self.callbacks.remove(&id);
                return;
            }
            Settlement::Failed { retry_at } => {
                if let Some(pending) = self.callbacks.get_mut(&id) {
                    pending.failures += 1;
                }
                retry_at
            }
            Settlement::Deferred { until } => until,
        };
        self.enqueue(id, to_millis(time));
    }

    fn purge(&mut self, now: SystemTime, limit: usize) -> usize {
        let now = to_millis(now);
        let over: Vec<_> = self
            .expiry
            .range(..=(now, u64::MAX))
            .take(limit)
            .copied()
            .collect();
        for &(time, id) in &over {
            self.expiry.remove(&(time, id));
            if self.callbacks_of(id).next().is_some() {
                self.expiry.insert((now.saturating_add(KEEP_LONGER), id));
            } else if let Some(operation) = self.operations.remove(&id) {
                self.keys.remove(&operation.record.key);
                if let Some(request) = operation.request {
                    self.requests.remove(&request);
                }
            }
        }
        over.len()
    }

    fn statistics(&self) -> StoreStatistics {
        StoreStatistics {
            waiting: self.waiting.len() as u64,
            running: self.running.len() as u64,
            ended: self.expiry.len() as u64,
            deliveries: self.queues.len() as u64,
        }
    }
}

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn with<T: Send + 'static>(&self, step: impl FnOnce(&mut State) -> T) -> StoreFuture<'_, T> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        ready(Ok::<_, StoreError>(step(&mut state))).boxed()
    }
}

impl OperationStore for MemoryStore {
    fn recover(&self, now: SystemTime) -> StoreFuture<'_, ()> {
        self.with(|state| state.recover(now))
    }

    fn create(&self, new: NewOperation, max_open: usize) -> StoreFuture<'_, Created> {
        self.with(|state| state.create(new, max_open))
    }

    fn claim(&self, limit: usize) -> StoreFuture<'_, Vec<ClaimedOperation>> {
        self.with(|state| state.claim(limit))
    }

    fn release(&self, key: OperationKey) -> StoreFuture<'_, ()> {
        self.with(|state| state.release(&key))
    }

    fn cancel(&self, key: OperationKey, unbegun: End) -> StoreFuture<'_, Canceled> {
        self.with(|state| state.cancel(&key, unbegun))
    }

    fn complete(&self, key: OperationKey, end: End) -> StoreFuture<'_, Completed> {
        self.with(|state| state.complete(&key, end))
    }

    fn get(&self, key: OperationKey) -> StoreFuture<'_, Option<OperationRecord>> {
        self.with(|state| {
            let id = state.keys.get(&key)?;
            Some(state.operations.get(id)?.record.clone())
        })
    }

    fn claim_deliveries(&self, claim: DeliveryClaim) -> StoreFuture<'_, DueDeliveries> {
        self.with(|state| state.claim_deliveries(&claim))
    }

    fn settle(&self, id: DeliveryId, settlement: Settlement) -> StoreFuture<'_, ()> {
        self.with(|state| state.settle(id, settlement))
    }

    fn postpone(&self, destination: String, until: SystemTime) -> StoreFuture<'_, ()> {
        let destination = digest::of_destination(&destination);
        self.with(|state| state.queues.postpone(destination, to_millis(until)))
    }

    fn purge(&self, now: SystemTime, limit: usize) -> StoreFuture<'_, usize> {
        self.with(|state| state.purge(now, limit))
    }

    fn statistics(&self) -> StoreFuture<'_, StoreStatistics> {
        self.with(|state| state.statistics())
    }
}
