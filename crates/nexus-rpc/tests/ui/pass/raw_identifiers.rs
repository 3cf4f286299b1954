//! Words of the language are names like any other.
#![deny(warnings)]

use std::sync::Arc;

use nexus_rpc::{NexusService, Operation, OperationHandler, ServiceDefinition, sync_operation};

#[derive(NexusService)]
#[allow(non_camel_case_types)]
struct r#trait {
    r#type: Operation<u64, String>,
}

struct Handler;

impl traitHandler for Handler {
    fn r#type(self: Arc<Self>) -> impl OperationHandler<u64, String> {
        sync_operation(async |_ctx, cents: u64| Ok(cents.to_string()))
    }
}

fn main() {
    assert_eq!(r#trait::NAME, "trait");
    assert_eq!(r#trait::r#type.name(), "type");
    let _ = r#trait::serve(Handler);
}
