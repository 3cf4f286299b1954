//! An optional operation may be handled, but need not be.
#![deny(warnings)]

use std::sync::Arc;

use nexus_rpc::{NexusService, Operation, OperationHandler, sync_operation};

#[derive(NexusService)]
struct BillingService {
    #[nexus(optional)]
    charge: Operation<u64, String>,
    #[nexus(name = "get-balance", optional)]
    balance: Operation<(), u64>,
}

struct WithoutAny;

impl BillingServiceHandler for WithoutAny {}

struct WithOne;

impl BillingServiceHandler for WithOne {
    fn charge(self: Arc<Self>) -> impl OperationHandler<u64, String> {
        sync_operation(async |_ctx, cents: u64| Ok(cents.to_string()))
    }
}

fn main() {
    for service in [BillingService::serve(WithoutAny), BillingService::serve(WithOne)] {
        assert_eq!(service.operations().count(), 2);
    }
}
