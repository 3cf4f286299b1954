//! Measures a synchronous JSON operation over HTTP: `NexusHttpService` on axum, a bare axum handler that does the same, and the HTTP
//! handler of Go's SDK v0.4.0, each in a process of its own, in turns:
//!
//! ```text
//! cargo run --release -p bench-http
//! ```
//!
//! One load generator sends the same requests to each. It shares the machine with the server under load, so of the two figures the
//! processor time that the server takes for a request says more than the number of requests per second.
//!
//! Progress goes to standard error, the result to standard output. It reads `/proc`, hence Linux only. What operations cost that outlive
//! their request is measured by an example: `cargo run --release -p nexus-rpc-http --example open_operations`.

mod load;
#[path = "../../src/process.rs"]
mod process;
mod report;
mod rounds;
mod servers;
#[path = "../../src/statistics.rs"]
mod statistics;

use std::net::SocketAddr;

use clap::Parser as _;

type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Measures operations over HTTP, beside a bare axum handler and the Go SDK's.
#[derive(clap::Parser)]
#[command(args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(flatten)]
    settings: rounds::Settings,
    #[command(subcommand)]
    role: Option<Role>,
}

#[derive(clap::Subcommand)]
enum Role {
    /// Serves until it is killed; the bench starts itself so, to have each server in a process of its own
    #[command(hide = true)]
    Serve {
        #[arg(value_enum)]
        kind: servers::Kind,
        address: SocketAddr,
    },
}

#[tokio::main]
async fn main() -> Result {
    let Arguments { settings, role } = Arguments::parse();
    if let Some(Role::Serve { kind, address }) = role {
        return servers::serve(kind, address).await;
    }
    let measured = rounds::run(&settings).await?;
    print!("{}", report::Report(&measured));
    Ok(())
}
