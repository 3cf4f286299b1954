//! A contract that a program keeps to itself, and of which it uses nothing.
#![deny(warnings, dead_code, missing_docs, unreachable_pub)]

use nexus_rpc::{NexusService, Operation};

#[derive(NexusService)]
struct BillingService {
    charge: Operation<u64, String>,
    #[nexus(optional)]
    refund: Operation<u64, String>,
}

mod inner {
    use nexus_rpc::{NexusService, Operation};

    #[derive(NexusService)]
    pub(super) struct BillingService {
        pub(super) charge: Operation<u64, String>,
        refund: Operation<u64, String>,
    }
}

fn main() {
    #[derive(NexusService)]
    struct BillingService {
        charge: Operation<u64, String>,
    }

    assert_eq!(inner::BillingService::charge.name(), "charge");
}
