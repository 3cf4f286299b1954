#![deny(deprecated)]

use std::sync::Arc;

use nexus_rpc::{NexusService, Operation, OperationHandler, sync_operation};

#[deprecated]
#[derive(serde::Serialize, serde::Deserialize)]
struct Old;

// Neither the contract nor its handler is at fault: they have to go on with the operation.
#[derive(NexusService)]
struct BillingService {
    #[deprecated(note = "use `charge_card`")]
    charge: Operation<u64, String>,
    charge_card: Operation<u64, String>,
    #[allow(deprecated)]
    #[nexus(optional)]
    old: Operation<Old, ()>,
}

struct BillingHandler;

impl BillingServiceHandler for BillingHandler {
    fn charge(self: Arc<Self>) -> impl OperationHandler<u64, String> {
        sync_operation(async |_ctx, cents: u64| Ok(cents.to_string()))
    }

    fn charge_card(self: Arc<Self>) -> impl OperationHandler<u64, String> {
        sync_operation(async |_ctx, cents: u64| Ok(cents.to_string()))
    }
}

#[deprecated(note = "use `BillingService`")]
#[derive(NexusService)]
struct OldService {
    charge: Operation<u64, String>,
}

fn main() {
    let _ = BillingService::serve(BillingHandler);
    println!("{}", BillingService::charge.name());
    println!("{}", OldService::charge.name());
}
