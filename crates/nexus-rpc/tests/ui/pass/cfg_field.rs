//! A field that is configured out is no operation.
#![deny(warnings)]

use std::sync::Arc;

use nexus_rpc::{NexusService, Operation, OperationHandler, ServiceDefinition, sync_operation};

#[derive(NexusService)]
struct BillingService {
    #[cfg(all())]
    charge: Operation<u64, String>,
    #[cfg(any())]
    refund: Operation<Unknown, Unknown>,
    #[cfg_attr(all(), nexus(name = "get-balance"))]
    balance: Operation<(), u64>,
}

struct BillingHandler;

impl BillingServiceHandler for BillingHandler {
    fn charge(self: Arc<Self>) -> impl OperationHandler<u64, String> {
        sync_operation(async |_ctx, cents: u64| Ok(cents.to_string()))
    }

    fn balance(self: Arc<Self>) -> impl OperationHandler<(), u64> {
        sync_operation(async |_ctx, ()| Ok(0))
    }
}

fn main() {
    assert_eq!(BillingService::OPERATIONS, ["charge", "get-balance"]);
    let _ = BillingService::serve(BillingHandler);
}
