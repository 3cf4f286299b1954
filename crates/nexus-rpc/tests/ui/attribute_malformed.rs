use nexus_rpc::{NexusService, Operation};

const NAME: &str = "billing";

#[derive(NexusService)]
#[nexus(name = NAME, crate = "not a path")]
struct BillingService {
    #[nexus(name)]
    no_value: Operation<u64, String>,
    #[nexus(name = )]
    empty_value: Operation<u64, String>,
    #[nexus(name = 1)]
    number: Operation<u64, String>,
    #[nexus(name = b"bytes")]
    bytes: Operation<u64, String>,
    #[nexus(name = "text"suffix)]
    suffix: Operation<u64, String>,
    #[nexus(name = concat!("a", "b"))]
    call: Operation<u64, String>,
    #[nexus(name("charge"))]
    list: Operation<u64, String>,
    #[nexus(name: "charge")]
    colon: Operation<u64, String>,
    #[nexus(name = "charge" optional)]
    no_comma: Operation<u64, String>,
    #[nexus(optional = true)]
    flag_with_value: Operation<u64, String>,
    #[nexus("charge")]
    no_key: Operation<u64, String>,
    #[nexus]
    no_list: Operation<u64, String>,
    #[nexus = "charge"]
    assigned: Operation<u64, String>,
    #[nexus()]
    empty_list_is_fine: Operation<u64, String>,
    #[nexus(optional,)]
    trailing_comma_is_fine: Operation<u64, String>,
}

fn main() {}
