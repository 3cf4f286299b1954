use std::sync::Arc;

use nexus_rpc::{NexusService, Operation, OperationHandler, ServiceRegistry, sync_operation};

#[derive(NexusService)]
#[nexus(nam = "billing")]
struct BillingService {
    #[nexus(name = "")]
    charge: Operation<u64, String>,
    #[nexus(name = "refund", name = "refund-card")]
    refund: Operation<u64, String>,
    #[nexus(name = "refund")]
    undo: Operation<u64, String>,
    balance: u64,
}

struct BillingHandler;

// Nothing follows from the errors above.
impl BillingServiceHandler for BillingHandler {
    fn charge(self: Arc<Self>) -> impl OperationHandler<u64, String> {
        sync_operation(async |_ctx, cents: u64| Ok(cents.to_string()))
    }

    fn refund(self: Arc<Self>) -> impl OperationHandler<u64, String> {
        sync_operation(async |_ctx, cents: u64| Ok(cents.to_string()))
    }

    fn undo(self: Arc<Self>) -> impl OperationHandler<u64, String> {
        sync_operation(async |_ctx, cents: u64| Ok(cents.to_string()))
    }
}

fn main() {
    let mut registry = ServiceRegistry::new();
    registry.register(BillingService::serve(BillingHandler)).unwrap();
    println!("{}", BillingService::undo.name());
}
