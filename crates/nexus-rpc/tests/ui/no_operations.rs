use nexus_rpc::NexusService;

#[derive(NexusService)]
struct BillingService {}

fn main() {}
