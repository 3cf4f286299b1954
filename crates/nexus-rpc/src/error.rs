//! Errors of Nexus: what a handler may answer instead of a result, and what reaches the caller of it.
//!
//! - [`HandlerError`]: the *request* failed; its [type](HandlerErrorType) says why and whether the caller may send it again.
//! - [`OperationError`]: the *operation* ended without a result, failed or canceled; sending the request again would not help.
//! - [`StartError`]: either of them. Handlers return it, and `?` makes one of any error.
//!
//! Only what a handler puts into a message, into the details, or into a [`Failure`] reaches the caller. The `source` of an error is for
//! the log of the handler's side; an error that came through `?` shows the caller a neutral text.

mod failure;
mod handler_error;
mod operation_error;
mod start_error;

pub use failure::Failure;
pub use handler_error::{HandlerError, HandlerErrorType, RetryBehavior};
pub use operation_error::{OperationError, OperationState};
pub use start_error::StartError;
