use nexus_rpc::{NexusService, Operation};

#[derive(NexusService)]
struct BillingService {
    charge: Operation<u64, String>,
    refund: Operation<u64, String>,
    #[nexus(name = "charge")]
    charge_card: Operation<u64, String>,
    #[nexus(name = "charge")]
    charge_account: Operation<u64, String>,
    r#type: Operation<(), String>,
    #[nexus(name = "type")]
    kind: Operation<(), String>,
}

fn main() {}
