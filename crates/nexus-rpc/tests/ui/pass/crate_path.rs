//! `nexus-rpc` by another path than `::nexus_rpc`.
#![deny(warnings)]

mod sdk {
    pub(crate) mod rpc {
        pub(crate) use nexus_rpc::*;
    }
}

mod billing {
    use crate::sdk::rpc::{NexusService, Operation};

    #[derive(NexusService)]
    #[nexus(crate = "crate::sdk::rpc")]
    pub(crate) struct BillingService {
        pub(crate) charge: Operation<u64, String>,
    }
}

fn main() {
    assert_eq!(billing::BillingService::charge.service(), "BillingService");
}
