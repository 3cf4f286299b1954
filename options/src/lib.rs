//! Connection flags, shared by the sample's programs.
//!
//! Every program of the sample connects to a Temporal service, and says so if it cannot. This crate
//! is what they share, so that their `main` shows what they are about:
//!
//! ```no_run
//! use options::Context as _;
//! # mod handler {
//! #     use temporalio_sdk::{Runtime, Worker, WorkerOptions};
//! #     pub fn worker(client: options::Client) -> Result<Worker, Box<dyn std::error::Error + Send + Sync>> {
//! #         let runtime = Runtime::from_current_tokio(Default::default())?;
//! #         Ok(Worker::new(&runtime, client, WorkerOptions::new("my-handler-task-queue").build())?)
//! #     }
//! # }
//!
//! #[tokio::main]
//! async fn main() -> options::Result {
//!     let client = options::connect().await?;
//!     let mut worker = handler::worker(client).context("Unable to create worker")?;
//!     worker.run().await.context("Unable to start worker")
//! }
//! ```
//!
//! # Precedence
//!
//! Each setting is looked for in this order, and the first that is there counts:
//!
//! 1. the flag;
//! 2. the environment variable: `TEMPORAL_ADDRESS`, `TEMPORAL_NAMESPACE`, `TEMPORAL_API_KEY`,
//!    `TEMPORAL_TLS` and `TEMPORAL_TLS_*`, `TEMPORAL_GRPC_META_*`;
//! 3. the profile `TEMPORAL_PROFILE` (or `default`) of the file `TEMPORAL_CONFIG_FILE` (or
//!    `temporalio/temporal.toml` in the user's configuration folder, `~/.config` on Linux);
//! 4. the default: `localhost:7233`, namespace `default`, no TLS.
//!
//! 2 and 3 are the [environment configuration](temporalio_common::envconfig) that all Temporal SDKs
//! have. Credentials are one setting: an API key given as a flag replaces a client certificate from
//! the environment or the profile, and the other way round.
//!
//! # TLS
//!
//! TLS is on when anything asks for it: `-server-root-ca-cert`, `-client-cert`, `-server-name`,
//! `-insecure-skip-verify`, an API key, a `tls` table in the profile, a `TEMPORAL_TLS_*` variable,
//! or `https://` before the target host. Each of these works without the others; the Go sample
//! ignores the flags for the server's certificate unless a client certificate is there.
//! `TEMPORAL_TLS=false` and `disabled = true` in the profile switch TLS off for what comes from
//! environment and profile and for API keys, not for TLS flags.

mod address;
mod arguments;
mod chain;
mod connect;
mod diagnosis;
mod error;
mod flags;
mod go_flags;
mod logging;
mod settings;
#[cfg(test)]
mod test_support;
mod tls;
mod verifier;

pub use arguments::{ArgumentError, PemError};
pub use connect::ConnectError;
pub use error::{Context, Error, Result};
pub use flags::{Flags, parse};
pub use logging::init_logging;
pub use temporalio_client::Client;

use address::Address;
use settings::Settings;

#[derive(clap::Parser)]
struct Arguments {
    #[command(flatten)]
    flags: Flags,
}

/// Starts logging, reads the command line, and connects.
///
/// For programs that have no flags but [`Flags`]. It exits with status 0 after printing help, and
/// with status 2 after telling what is wrong with an argument, as [`parse`] does.
///
/// # Errors
///
/// `Invalid arguments: …` for settings that cannot be used ([`ArgumentError`]), `Unable to create
/// client: …` if the service cannot be reached or has no such namespace ([`ConnectError`]).
pub async fn connect() -> Result<Client> {
    let Arguments { flags } = parse();
    flags.connect().await
}
