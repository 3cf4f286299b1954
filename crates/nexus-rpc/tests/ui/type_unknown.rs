use nexus_rpc::{NexusService, Operation};

#[derive(NexusService)]
struct BillingService {
    charge: Operation<Missing, String>,
    refund: Operation<&str, String>,
}

fn main() {}
