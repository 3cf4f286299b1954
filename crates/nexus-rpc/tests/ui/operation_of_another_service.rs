use hello_contract::HelloService;
use nexus_rpc::{NexusService, Operation, OperationDefinition};

#[derive(NexusService)]
struct BillingService {
    charge: Operation<u64, String>,
}

fn call<I, O>(_: Operation<I, O, HelloService>) {}

fn call_any(_: impl OperationDefinition<Service = HelloService>) {}

fn main() {
    call(BillingService::charge);
    call_any(BillingService::charge);
}
