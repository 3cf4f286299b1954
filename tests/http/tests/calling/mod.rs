//! This client and the peer's handler.

mod context;
mod handler_errors;
mod jobs;
mod operation_errors;
mod values;
