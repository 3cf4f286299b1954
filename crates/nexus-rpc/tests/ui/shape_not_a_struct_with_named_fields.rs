use nexus_rpc::{NexusService, Operation};

#[derive(NexusService)]
enum Enum {
    Charge(Operation<u64, String>),
}

#[derive(NexusService)]
union Union {
    charge: Operation<u64, String>,
}

#[derive(NexusService)]
struct Tuple(Operation<u64, String>);

#[derive(NexusService)]
struct Unit;

struct Handler;

// Nothing follows from the errors above.
impl UnionHandler for Handler {}

fn main() {
    let _ = Union::serve(Handler);
}
