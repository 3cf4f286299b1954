//! Callbacks: how the result of an operation that went on reaches its caller.
//!
//! The handler's side sends a [`Completion`] with a [`CompletionSender`]; the caller's side takes it in with a [`CompletionReceiver`].
//! [`CallbackTokens`] makes tokens for the callback URL that nobody can forge; [`PendingCompletions`] wakes whoever waits for a result in
//! this process.

mod completion;
mod pending;
mod receiver;
mod sender;
mod token;

pub use completion::{Completion, ReceivedCompletion};
pub use pending::{ExpectedCompletion, PendingCompletions};
pub use receiver::{
    CompletionHandler, CompletionReceiver, CompletionReceiverBuilder, TokenLocation,
};
pub(crate) use sender::Undelivered;
pub use sender::{CompletionSender, DeliveryError};
pub use token::{CallbackTokens, InvalidCallbackToken, WeakKey};
