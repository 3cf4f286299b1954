use std::sync::Arc;

use nexus_rpc::{NexusService, Operation, OperationHandler, sync_operation};

#[derive(NexusService)]
struct BillingService {
    charge: Operation<u64, String>,
    refund: Operation<u64, String>,
    #[nexus(optional)]
    balance: Operation<(), u64>,
}

struct BillingHandler;

impl BillingServiceHandler for BillingHandler {
    fn charge(self: Arc<Self>) -> impl OperationHandler<u64, String> {
        sync_operation(async |_ctx, cents: u64| Ok(cents.to_string()))
    }
}

fn main() {}
