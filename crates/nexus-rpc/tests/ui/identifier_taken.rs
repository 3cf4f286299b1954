use nexus_rpc::{NexusService, Operation};

#[derive(NexusService)]
struct BillingService {
    serve: Operation<u64, String>,
    #[nexus(name = "get-name")]
    NAME: Operation<u64, String>,
    OPERATIONS: Operation<u64, String>,
}

fn main() {}
