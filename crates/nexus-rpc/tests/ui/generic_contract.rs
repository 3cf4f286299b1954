use std::sync::Arc;

use nexus_rpc::{NexusService, Operation, OperationHandler, sync_operation};

#[derive(NexusService)]
struct BillingService<'a, T: 'static, const N: usize> {
    charge: Operation<u64, String>,
    refund: Operation<T, String>,
    audit: Operation<&'a str, [u8; N]>,
}

struct BillingHandler;

// Nothing follows from the error above.
impl BillingServiceHandler for BillingHandler {
    fn charge(self: Arc<Self>) -> impl OperationHandler<u64, String> {
        sync_operation(async |_ctx, cents: u64| Ok(cents.to_string()))
    }
}

fn main() {}
