//! Measures the handler worker of the hello sample on a real Temporal server, beside the Go SDK's handler of the same contract:
//!
//! ```text
//! cargo run --release -p bench
//! ```
//!
//! Progress goes to standard error, the result to standard output. It reads `/proc`, hence Linux only.

mod bench;
mod caller;
mod load;
mod process;
mod programs;
mod report;
mod statistics;

use clap::Parser as _;
use options::Context as _;
use temporal_nexus::interrupted;

/// Measures the handler worker of the hello sample on a real Temporal server, beside the Go SDK's.
#[derive(clap::Parser)]
#[command(args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(flatten)]
    settings: bench::Settings,
    #[command(subcommand)]
    role: Option<Role>,
}

#[derive(clap::Subcommand)]
enum Role {
    /// Runs the caller workflows; the bench starts itself so, to have them in a process of their own
    #[command(hide = true)]
    CallerWorker(options::Flags),
}

#[tokio::main]
async fn main() -> options::Result {
    options::init_logging();
    let Arguments { settings, role } = Arguments::parse();
    if let Some(Role::CallerWorker(flags)) = role {
        return caller::serve(flags).await;
    }
    let settings = settings.checked();
    // Whatever ends first drops the other, and with it every process that was started.
    tokio::select! {
        outcome = bench::run(&settings) => print!("{}", outcome?),
        () = interrupted() => return Err("interrupted").context("Unable to measure"),
    }
    Ok(())
}
