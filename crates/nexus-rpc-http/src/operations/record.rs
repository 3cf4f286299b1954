//! What a store keeps of an operation.

use std::time::SystemTime;

use nexus_rpc::{Content, Headers, Link, OperationState, OperationToken, context::Callback};

use crate::{Dialect, Outcome};

/// What an operation is known by: the token, and whose it is.
///
/// A token that the caller chose is unique among the operations of its tenant that have the same service and operation name, no more.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct OperationKey {
    /// On whose behalf it was started; empty unless the runtime tells tenants apart.
    pub tenant: String,
    /// Name of the service.
    pub service: String,
    /// Name of the operation.
    pub operation: String,
    /// The token.
    pub token: OperationToken,
}

/// An operation that is to be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewOperation {
    /// What it is known by. The token is new, or the caller's own.
    pub key: OperationKey,
    /// Whether the caller chose the token. If so a repeated start is known by the token, otherwise by the request id.
    pub token_of_caller: bool,
    /// The id of the start request.
    pub request_id: String,
    /// The input as it came.
    pub input: Content,
    /// Headers of the start request that the work may read.
    pub headers: Headers,
    /// Links of the caller.
    pub links: Vec<Link>,
    /// Whom to tell of the end.
    pub callback: Option<CallbackTarget>,
    /// When it was accepted.
    pub started_at: SystemTime,
}

/// Whom to tell of the end of an operation, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallbackTarget {
    /// The dialect of the start request.
    pub dialect: Dialect,
    /// URL and headers.
    pub callback: Callback,
    /// The server behind the URL: deliveries with the same one share limits and a queue.
    pub destination: String,
}

/// An operation as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperationRecord {
    /// What it is known by.
    pub key: OperationKey,
    /// The id of the start request.
    pub request_id: String,
    /// Headers of the start request that the work may read.
    pub headers: Headers,
    /// Links of the caller.
    pub links: Vec<Link>,
    /// When it was accepted.
    pub started_at: SystemTime,
    /// How often its work has been handed out.
    pub attempt: u32,
    /// How many of these times it was taken back, through no fault of the work.
    pub interruptions: u32,
    /// Whether somebody asked for its end.
    pub cancel_requested: bool,
    /// How it ended, if it did.
    pub end: Option<Ended>,
}

impl OperationRecord {
    /// Whether it goes on, or how it ended.
    #[must_use]
    pub fn state(&self) -> OperationState {
        self.end
            .as_ref()
            .map_or(OperationState::Running, |end| end.outcome.state())
    }
}

/// The end of an operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// How it ended.
    pub outcome: Outcome,
    /// When.
    pub at: SystemTime,
    /// What it links to.
    pub links: Vec<Link>,
}

/// An operation that was handed out to be worked on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimedOperation {
    /// The operation; `attempt` counts this time.
    pub record: OperationRecord,
    /// Its input as it came.
    pub input: Content,
}

/// Names a delivery within a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DeliveryId {
    /// The operation, as the store numbers them.
    pub operation: u64,
    /// The callback, as the operation numbers them.
    pub callback: u32,
}

/// A callback that is to be called now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// What to [settle](super::OperationStore::settle) it by.
    pub id: DeliveryId,
    /// The token of the operation.
    pub token: OperationToken,
    /// Whom to call.
    pub target: CallbackTarget,
    /// How often it has been tried and failed.
    pub failures: u32,
    /// When the operation was accepted.
    pub started_at: SystemTime,
    /// What to tell.
    pub end: Ended,
}
