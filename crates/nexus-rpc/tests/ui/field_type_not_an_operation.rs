use nexus_rpc::{NexusService, Operation};

type Alias = Operation<u64, String>;

trait HasOperation {
    type Operation<I, O>;
}

#[derive(NexusService)]
struct BillingService {
    charge: Operation<u64, String>,
    alias: Alias,
    text: String,
    one_type: Operation<u64>,
    three_types: Operation<u64, String, BillingService>,
    no_types: Operation,
    lifetime: Operation<'static, String>,
    associated: <u64 as HasOperation>::Operation<u64, String>,
    function: fn(u64) -> String,
}

fn main() {
    println!("{}", BillingService::charge.name());
}
