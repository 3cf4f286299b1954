//! The peer's client and this handler.

mod callbacks;
mod context;
mod handler_errors;
mod jobs;
mod operation_errors;
mod values;

use serde_json::{Value, json};

/// A call that starts an operation of the service `svc`.
fn start(operation: &str, input: Value) -> Value {
    json!({"service": "svc", "operation": operation, "input": input})
}
