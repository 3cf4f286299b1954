use nexus_rpc::NexusService;

mod other {
    pub struct Operation<I, O>(pub I, pub O);
}

#[derive(NexusService)]
struct BillingService {
    charge: other::Operation<u64, String>,
}

fn main() {}
