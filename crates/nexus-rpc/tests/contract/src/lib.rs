//! A contract in a crate of its own, that knows `nexus-rpc` by another name.

use nexus::{NexusService, Operation};
use serde::{Deserialize, Serialize};

/// Greets people.
#[derive(Debug, NexusService)]
#[nexus(name = "my-hello-service", crate = "nexus")]
pub struct HelloService {
    /// Returns its input.
    pub echo: Operation<EchoInput, EchoOutput>,
    /// Greets in the language asked for.
    #[nexus(name = "say-hello")]
    pub say_hello: Operation<HelloInput, HelloOutput>,
}

/// What to repeat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EchoInput {
    /// A text.
    pub message: String,
}

/// What was repeated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EchoOutput {
    /// The text.
    pub message: String,
}

/// Whom to greet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HelloInput {
    /// Who it is.
    pub name: String,
}

/// The greeting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HelloOutput {
    /// A text.
    pub message: String,
}
