//! Operations that outlive a request: made with [`async_operation`], kept in an [`OperationStore`], run by [`Operations`].
//!
//! ```text
//! start ──► store ──► token for the caller
//!             │
//!             ├──► work ──► result ──► store ──► get-result (draft dialect)
//!             │                          │
//!             └── after a crash ◄────────┴─────► callback, until it is taken
//! ```
//!
//! What a caller was told is on the disk before (with [`RedbStore`]): an operation that was accepted ends, and its result is delivered, also
//! when the process or the machine dies in between. The price is that work and deliveries can happen twice; the token of the operation is
//! the same each time, and goes with the delivery in the current dialect.
//!
//! Work that waits for its turn is in the store, not in memory, so any number of operations can be open.
//!
//! | state | in the store | leaves it by |
//! |---|---|---|
//! | waiting | record, input | its turn; a cancel request |
//! | running | record, input | the end of the work; a new process (waiting again) |
//! | ended | record, result | the end of the retention, once its callbacks were called or given up |

mod handler;
mod record;
mod runtime;
pub mod store;

pub use handler::{AsyncOperation, AsyncOperationContext, async_operation};
pub use record::{
    CallbackTarget, ClaimedOperation, Delivery, DeliveryId, Ended, NewOperation, OperationKey,
    OperationRecord,
};
pub(crate) use runtime::{Access, StartRequest};
pub use runtime::{DeliveryPolicy, Operations, OperationsBuilder};
pub use store::{MemoryStore, OperationStore, StoreError};
#[cfg(feature = "redb")]
pub use store::{OpenError, RedbStore};
