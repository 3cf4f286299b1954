//! Nexus RPC for Rust: the protocol without a transport.
//!
//! [Nexus](https://github.com/nexus-rpc/api) connects services across teams, namespaces and languages with operations of arbitrary
//! length: a *caller* starts an *operation* of a *service*, a *handler* answers at once or returns a token for an operation that
//! goes on and delivers its result later.
//!
//! This crate holds what every transport shares. It does no I/O: the crate `temporal-nexus` runs the same services on Temporal task
//! queues, `nexus-rpc-http` behind HTTP.
//!
//! | concept | types | module |
//! |---|---|---|
//! | contract | [`NexusService`] (derive), [`Operation`], [`ServiceDefinition`] | [`contract`] |
//! | handlers | [`OperationHandler`], [`sync_operation`], [`StartOperationResult`] | [`handler`] |
//! | context of a request | [`StartOperationContext`], [`CancelOperationContext`] | [`context`] |
//! | errors | [`HandlerError`], [`OperationError`], [`StartError`], [`Failure`] | [`error`] |
//! | values on the wire | [`Content`], [`Serializer`], [`LazyValue`] | [`content`] |
//! | routing | [`Service`], [`ServiceRegistry`] | [`registry`] |
//! | small parts | [`Headers`], [`Link`], [`OperationToken`], [`duration`], [`name`] | |
//!
//! # A service
//!
//! One definition serves the handler and every kind of caller, checked by the compiler:
//!
//! ```
//! use std::sync::Arc;
//! use nexus_rpc::{NexusService, Operation, OperationHandler, sync_operation};
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Serialize, Deserialize)]
//! pub struct EchoInput { pub message: String }
//! #[derive(Serialize, Deserialize)]
//! pub struct EchoOutput { pub message: String }
//!
//! /// Repeats what it hears.
//! #[derive(NexusService)]
//! #[nexus(name = "my-echo-service")]
//! pub struct EchoService {
//!     /// Returns its input.
//!     pub echo: Operation<EchoInput, EchoOutput>,
//! }
//!
//! struct EchoHandler;
//!
//! impl EchoServiceHandler for EchoHandler {
//!     fn echo(self: Arc<Self>) -> impl OperationHandler<EchoInput, EchoOutput> {
//!         sync_operation(async |_ctx, input: EchoInput| Ok(EchoOutput { message: input.message }))
//!     }
//! }
//!
//! // A value that any transport can serve.
//! let service = EchoService::serve(EchoHandler);
//! assert_eq!(service.name(), "my-echo-service");
//! assert_eq!(EchoService::echo.name(), "echo");
//! ```
//!
//! # Features
//!
//! - `protobuf`: `Protobuf` and `ProtobufJson` in [`content`], for messages of Protocol Buffers as inputs and outputs. Not on by default.

#![warn(missing_docs, missing_debug_implementations)]

pub mod content;
pub mod context;
pub mod contract;
pub mod duration;
pub mod error;
pub mod handler;
mod headers;
mod link;
pub mod name;
pub mod registry;
mod token;

#[doc(hidden)]
pub mod __private;

pub use content::{Content, FromContent, LazyValue, Serializer, ToContent};
pub use context::{CancelOperationContext, OperationContext, StartOperationContext};
pub use contract::{
    AnyService, NexusService, Operation, OperationDefinition, ServiceDefinition, UntypedOperation,
};
pub use error::{
    Failure, HandlerError, HandlerErrorType, OperationError, OperationState, RetryBehavior,
    StartError,
};
pub use handler::{
    OperationHandler, OperationInfo, OperationResult, StartOperationResult, sync_operation,
};
pub use headers::Headers;
pub use link::Link;
pub use registry::{Service, ServiceRegistry};
pub use token::{InvalidToken, OperationToken};
