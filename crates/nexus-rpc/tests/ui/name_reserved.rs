use nexus_rpc::{NexusService, Operation};

#[derive(NexusService)]
#[nexus(name = "__temporal_system")]
struct BillingService {
    #[nexus(name = "__temporal_charge")]
    charge: Operation<u64, String>,
    __temporal_refund: Operation<u64, String>,
}

#[derive(NexusService)]
#[allow(non_camel_case_types)]
struct __temporal_service {
    charge: Operation<u64, String>,
}

fn main() {}
