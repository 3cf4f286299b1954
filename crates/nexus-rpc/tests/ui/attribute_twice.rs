use nexus_rpc::{NexusService, Operation};

#[derive(NexusService)]
#[nexus(name = "billing", crate = "nexus_rpc", name = "payments")]
#[nexus(crate = "nexus_rpc")]
struct BillingService {
    #[nexus(name = "charge-card")]
    #[nexus(optional, name = "charge")]
    charge: Operation<u64, String>,
    #[nexus(optional, optional)]
    refund: Operation<u64, String>,
}

fn main() {}
