//! Whoever documents the fields of a contract has documented all of it.
#![deny(
    warnings,
    missing_docs,
    rust_2018_idioms,
    unnameable_types,
    unreachable_pub,
    single_use_lifetimes,
    missing_debug_implementations
)]

use nexus_rpc::{NexusService, Operation};

/// Takes money.
#[derive(Debug, Clone, Copy, NexusService)]
pub struct BillingService {
    /// Takes money once.
    pub charge: Operation<u64, String>,
    /// Gives it back.
    pub refund: nexus_rpc::Operation<u64, String>,
    /// For this crate alone, with types of its own.
    audit: nexus_rpc::contract::Operation<Audit, ()>,
}

#[derive(serde::Serialize, serde::Deserialize)]
struct Audit;

/// Lower case by choice.
#[allow(non_camel_case_types, non_snake_case)]
#[derive(Debug, NexusService)]
pub struct payments {
    /// Upper case by choice.
    #[nexus(optional)]
    pub Charge: Operation<u64, String>,
}

fn main() {
    let _ = (BillingService::audit, payments::Charge);
}
