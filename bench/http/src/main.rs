//! Measures a synchronous JSON operation over HTTP: `NexusHttpService` on axum, a bare axum handler that does the same, and the HTTP
//! handler of Go's SDK v0.4.0, each in a process of its own, in turns:
//!
//! ```text
//! cargo run --release -p bench-http
//! ```
//!
//! One load generator sends the same requests to each. The server under load has one half of the CPUs and the load generator the other,
//! unless `--shared` says otherwise: where both together fill the machine, requests per second say as much about the one as about the other.
//!
//! Progress goes to standard error, the result to standard output. It reads `/proc`, hence Linux only. What operations cost that outlive
//! their request is measured by an example: `cargo run --release -p nexus-rpc-http --example open_operations`.

mod cpus;
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

fn main() -> Result {
    let Arguments { settings, role } = Arguments::parse();
    if let Some(Role::Serve { kind, address }) = role {
        return serve(kind, address);
    }
    let halves = if settings.shared {
        None
    } else {
        cpus::split()?
    };
    // Before the runtime starts its threads: one for each CPU that is left.
    if let Some(halves) = &halves {
        cpus::stay_on(&halves.load)?;
    }
    measure(&settings, halves.as_ref())
}

#[tokio::main]
async fn serve(kind: servers::Kind, address: SocketAddr) -> Result {
    servers::serve(kind, address).await
}

#[tokio::main]
async fn measure(settings: &rounds::Settings, halves: Option<&cpus::Halves>) -> Result {
    let measured = rounds::run(settings, halves).await?;
    print!(
        "{}",
        report::Report {
            measured: &measured,
            halves
        }
    );
    Ok(())
}
