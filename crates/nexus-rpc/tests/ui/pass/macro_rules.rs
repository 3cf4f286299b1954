//! Contracts can be made by a macro.
#![deny(warnings)]

use nexus_rpc::{NexusService, Operation, ServiceDefinition};

macro_rules! contract {
    ($vis:vis $service:ident = $service_name:literal { $($(#[$meta:meta])* $operation:ident: $ty:ty,)* }) => {
        #[derive(NexusService)]
        #[nexus(name = $service_name)]
        $vis struct $service {
            $($(#[$meta])* $operation: $ty,)*
            #[nexus(optional)]
            ping: Operation<(), ()>,
        }
    };
}

contract! {
    pub BillingService = "billing" {
        charge: Operation<u64, String>,
        #[nexus(name = "get-balance")]
        balance: nexus_rpc::Operation<(), Vec<u64>>,
    }
}

fn main() {
    assert_eq!(BillingService::NAME, "billing");
    assert_eq!(BillingService::OPERATIONS, ["charge", "get-balance", "ping"]);
}
