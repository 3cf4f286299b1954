//! Where operations are kept: the contract of a store.

use std::{collections::HashMap, fmt, time::SystemTime};

use futures_util::future::BoxFuture;
use nexus_rpc::content::BoxError;

use super::{
    ClaimedOperation, Delivery, DeliveryId, Ended, NewOperation, OperationKey, OperationRecord,
};

mod digest;
mod memory;
#[cfg(feature = "redb")]
mod redb;
#[cfg(test)]
mod tests;

pub use memory::MemoryStore;
#[cfg(feature = "redb")]
pub use redb::{OpenError, RedbStore, RedbStoreBuilder};

/// The answer of a store.
pub type StoreFuture<'a, T> = BoxFuture<'a, Result<T, StoreError>>;

/// Keeps operations and the deliveries of their results.
///
/// # Contract
///
/// Every method is one atomic step: no other call sees or leaves half of it, and after an error, or a crash before the answer, all of it
/// has happened or nothing. A future that is dropped may have had its effect.
///
/// An error of [`claim`] and [`claim_deliveries`] must mean that nothing was handed out: what was would wait for the next process. A store
/// that cannot tell yet leaves the future pending until it can.
///
/// What [`create`], [`claim`], [`release`], [`cancel`], [`complete`] and [`settle`] changed survives a crash of process and machine once their future
/// has resolved: callers are told on the strength of it, and work that ends its process is counted. What [`claim_deliveries`] and
/// [`postpone`] changed may be lost; the delivery is then handed out once more.
///
/// Times are kept in milliseconds; a finer part may be dropped.
///
/// [`create`]: Self::create
/// [`release`]: Self::release
/// [`cancel`]: Self::cancel
/// [`complete`]: Self::complete
/// [`settle`]: Self::settle
/// [`claim`]: Self::claim
/// [`claim_deliveries`]: Self::claim_deliveries
/// [`postpone`]: Self::postpone
pub trait OperationStore: Send + Sync + fmt::Debug + 'static {
    /// Takes back what a process before this one had been handed out: operations wait again, deliveries are due at `now`.
    ///
    /// Called once, before anything else.
    fn recover(&self, now: SystemTime) -> StoreFuture<'_, ()>;

    /// Keeps a new operation, unless its start is repeated or `max_open` operations are open already.
    ///
    /// A start is repeated when there is an operation with the same key or, where the caller did not choose the token, one with the same
    /// tenant, service, operation and request id. With the same input it is [`Created::Existing`], and a callback that the operation does
    /// not have yet is added if it goes on; with another one it is [`Created::Conflict`].
    fn create(&self, new: NewOperation, max_open: usize) -> StoreFuture<'_, Created>;

    /// Hands out the operations that have waited longest, `limit` at most. Each is handed out once until the store is recovered.
    fn claim(&self, limit: usize) -> StoreFuture<'_, Vec<ClaimedOperation>>;

    /// Takes back an operation that was handed out and goes on: its work was stopped through no fault of its own. It waits again.
    fn release(&self, key: OperationKey) -> StoreFuture<'_, ()>;

    /// Notes that somebody asked for the end of an operation. One that was never handed out ends at once, as `unbegun` has it; a finished
    /// one stays as it is.
    fn cancel(&self, key: OperationKey, unbegun: End) -> StoreFuture<'_, Canceled>;

    /// Ends an operation that goes on: its input is dropped, and its callbacks are due.
    fn complete(&self, key: OperationKey, end: End) -> StoreFuture<'_, Completed>;

    /// An operation, unless it is unknown or was purged.
    fn get(&self, key: OperationKey) -> StoreFuture<'_, Option<OperationRecord>>;

    /// Hands out deliveries that are due, each once until it is settled or the store is recovered.
    ///
    /// Destinations come in the order of their longest-waiting delivery. One whose capacity is used up must not hold up others.
    fn claim_deliveries(&self, claim: DeliveryClaim) -> StoreFuture<'_, DueDeliveries>;

    /// Ends a delivery or lets it wait for another attempt.
    fn settle(&self, id: DeliveryId, settlement: Settlement) -> StoreFuture<'_, ()>;

    /// Hands out no delivery to `destination` before `until`, if any waits now.
    fn postpone(&self, destination: String, until: SystemTime) -> StoreFuture<'_, ()>;

    /// Forgets operations whose time to be kept is over, `limit` at most, and says how many it looked at. One that has deliveries left is
    /// kept for another hour.
    fn purge(&self, now: SystemTime, limit: usize) -> StoreFuture<'_, usize>;

    /// How many there are.
    fn statistics(&self) -> StoreFuture<'_, StoreStatistics>;
}

/// The end of an operation, and how long it is to be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct End {
    /// The end.
    pub ended: Ended,
    /// When the operation may be forgotten.
    pub keep_until: SystemTime,
}

/// What became of a start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Created {
    /// The operation is kept and waits.
    New,
    /// It was started before. This is how it stands.
    Existing(Box<OperationRecord>),
    /// The same was started before with another input.
    Conflict,
    /// Too many operations are open, or this one has too many callbacks.
    Full,
}

/// What became of a request to end an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Canceled {
    /// It had not begun, and has ended.
    Ended,
    /// It goes on, and the request is noted.
    Requested,
    /// It had ended before.
    AlreadyEnded,
    /// There is none.
    Unknown,
}

/// What became of the end of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Completed {
    /// It has ended so.
    Ended,
    /// It had ended before, and stays so.
    AlreadyEnded,
    /// There is none.
    Unknown,
}

/// Which deliveries to hand out.
#[derive(Debug, Clone)]
pub struct DeliveryClaim {
    /// Those due by then.
    pub now: SystemTime,
    /// At most so many.
    pub limit: usize,
    /// At most so many for one destination, less those of `in_flight`.
    pub per_destination: usize,
    /// How much of the capacity of destinations is used.
    pub in_flight: HashMap<String, usize>,
}

/// Deliveries that were handed out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DueDeliveries {
    /// The deliveries.
    pub deliveries: Vec<Delivery>,
    /// When the next is due at a destination with capacity left.
    pub next: Option<SystemTime>,
}

/// What became of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settlement {
    /// It needs no further attempt: it was delivered, or given up.
    Done,
    /// The attempt failed; the next is due then.
    Failed {
        /// When.
        retry_at: SystemTime,
    },
    /// There was no attempt; it is due then.
    Deferred {
        /// When.
        until: SystemTime,
    },
}

/// How many operations and deliveries a store holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoreStatistics {
    /// Operations that wait to be handed out.
    pub waiting: u64,
    /// Operations that were handed out.
    pub running: u64,
    /// Operations that have ended and are kept.
    pub ended: u64,
    /// Callbacks that have not been called with success, of operations that have ended.
    pub deliveries: u64,
}

/// A store that did not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// It could not; another time it may.
    #[error("operation store cannot be used now")]
    Unavailable(#[source] BoxError),
    /// It holds something that it cannot have written.
    #[error("operation store is corrupted")]
    Corrupted(#[source] BoxError),
}
