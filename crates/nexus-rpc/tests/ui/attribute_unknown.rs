use nexus_rpc::{NexusService, Operation};

#[derive(NexusService)]
#[nexus(nam = "billing", optional, crate = "nexus_rpc")]
struct BillingService {
    #[nexus(name = "charge-card", option)]
    charge: Operation<u64, String>,
    #[nexus(crate = "nexus_rpc")]
    refund: Operation<u64, String>,
}

fn main() {}
