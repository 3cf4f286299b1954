use nexus_rpc::{NexusService, Operation};
use serde::Serialize;

struct Order;

#[derive(Serialize)]
struct Receipt;

#[derive(NexusService)]
struct BillingService {
    charge: Operation<Order, Receipt>,
}

fn main() {}
