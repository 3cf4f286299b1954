//! What the derive writes does not depend on the names in scope.
#![deny(warnings)]
#![no_implicit_prelude]

use ::nexus_rpc::{NexusService, Operation};
use ::serde::{Deserialize, Serialize};

macro_rules! types {
    ($($name:ident)*) => { $(#[derive(Serialize, Deserialize)] struct $name;)* };
}

types!(Arc H I O S T Clone Send Service OperationHandler ServiceDefinition ContractBuilder NotImplemented);

trait Sync {}
impl Sync for () {}

mod core {}
mod std {}

#[derive(NexusService)]
struct HelloService {
    echo: Operation<H, I>,
    clone: Operation<Arc, O>,
    drop: Operation<Service, S>,
    handler: Operation<OperationHandler, T>,
    contract: Operation<ServiceDefinition, ContractBuilder>,
    #[nexus(optional)]
    operation: Operation<NotImplemented, Clone>,
    send: Operation<Send, ()>,
    build: Operation<::std::vec::Vec<H>, ()>,
}

fn main() {
    fn implements<T: Sync>() {}
    let _ = implements::<()>;
    let _ = HelloService::clone;
}
