use nexus_rpc::{NexusService, Operation};

#[derive(NexusService)]
#[nexus(name = "")]
struct BillingService {
    #[nexus(name = "")]
    charge: Operation<u64, String>,
}

fn main() {}
