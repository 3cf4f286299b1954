//! Nexus RPC over HTTP: server, client and callbacks, in both dialects of the protocol.
//!
//! The services are those of [`nexus_rpc`]: the same value that a Temporal worker runs answers here. The protocol comes in two
//! [dialects](Dialect): the specification as it [is now](https://github.com/nexus-rpc/api/blob/main/SPEC.md), which Temporal's server
//! speaks, and its first draft, where results can be asked for.
//!
//! | concept | types | module |
//! |---|---|---|
//! | serve operations | [`NexusHttpService`], [`HttpContext`] | [`server`] |
//! | call operations | [`NexusHttpClient`], [`StartedOperation`], [`OperationHandle`], [`ClientError`] | [`client`] |
//! | deliver and take in results | [`CompletionSender`], [`CompletionReceiver`], [`PendingCompletions`], [`CallbackTokens`] | [`callback`] |
//! | operations that outlive a request | [`async_operation`], [`Operations`], [`OperationStore`](operations::OperationStore) | [`operations`] |
//! | how an operation ended | [`Outcome`], [`OperationFailure`] | |
//! | sending | [`HttpTransport`] | |
//!
//! [`CompletionSender`]: callback::CompletionSender
//! [`CompletionReceiver`]: callback::CompletionReceiver
//! [`PendingCompletions`]: callback::PendingCompletions
//! [`CallbackTokens`]: callback::CallbackTokens
//!
//! # A server and a client
//!
//! ```
//! use nexus_rpc::{HandlerError, HandlerErrorType, Operation, Service, ServiceRegistry, sync_operation};
//! use nexus_rpc_http::{ClientError, NexusHttpClient, NexusHttpService, StartOptions};
//!
//! const HALF: Operation<i64, i64> = Operation::new("math", "half");
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let half = sync_operation(async |_ctx, n: i64| {
//!         if n % 2 == 1 {
//!             return Err(HandlerError::bad_request(format!("{n} is odd")).into());
//!         }
//!         Ok(n / 2)
//!     });
//!     let mut registry = ServiceRegistry::new();
//!     registry.register(Service::builder("math").operation(HALF, half).build()?)?;
//!
//!     // Any path in front will do; layers around it authenticate, limit and so on.
//!     let app = axum::Router::new().nest_service("/nexus", NexusHttpService::builder(registry).build()?);
//!     let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
//!     let url = format!("http://{}/nexus", listener.local_addr()?);
//!     tokio::spawn(async move { axum::serve(listener, app).await });
//!
//!     let client = NexusHttpClient::new(url)?;
//!     assert_eq!(client.execute(HALF, 42, StartOptions::new()).await?, 21);
//!
//!     let Err(ClientError::Handler(error)) = client.execute(HALF, 21, StartOptions::new()).await else {
//!         panic!("21 is odd");
//!     };
//!     assert_eq!(error.error_type(), &HandlerErrorType::BadRequest);
//!     assert_eq!(error.message(), "21 is odd");
//!     Ok(())
//! }
//! ```
//!
//! # Safety
//!
//! Nexus leaves security to HTTP. Serve behind TLS; authenticate in a layer and read who it is with [`HttpContext::http_extension`]; limit
//! which callback URLs may be called with [`allow_callback`](server::NexusHttpServiceBuilder::allow_callback); sign your own callbacks with
//! [`CallbackTokens`]. Sizes, waits and times are limited by default.
//!
//! # Features
//!
//! - `redb` (default): [`RedbStore`](operations::RedbStore), which keeps operations in a file.
//! - `tls-ring`, `tls-aws-lc`: https in the client and in the completion sender, with the certificates that the platform trusts. Neither
//!   is on by default.

pub mod callback;
pub mod client;
mod date;
mod dialect;
mod failure;
#[cfg(test)]
mod fuzz;
mod headers;
mod link;
pub mod operations;
mod path;
mod pauses;
mod query;
mod retry_after;
pub mod server;
mod status;
mod timeout;
mod transport;

pub use client::{
    ClientError, NexusHttpClient, OperationHandle, RetryPolicy, StartOptions, StartedOperation,
};
pub use dialect::{Dialect, UnknownDialect};
pub use failure::{OperationFailure, Outcome};
pub use headers::InvalidHeader;
pub use operations::{AsyncOperationContext, Operations, async_operation};
pub use path::InvalidSegment;
pub use server::{HttpContext, NexusHttpService};
pub use transport::{AddressPolicy, HttpTransport, TransportError};
