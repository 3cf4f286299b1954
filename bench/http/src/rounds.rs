//! Rounds, in which each server has its turn.

use std::time::Duration;

use crate::{
    Result,
    cpus::Halves,
    load,
    process::Usage,
    servers::{self, Kind, Server},
};

#[derive(Debug, clap::Args)]
pub(crate) struct Settings {
    /// Rounds that count; one more comes first
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Milliseconds of load on each server in each round
    #[arg(long, default_value_t = 3000, value_parser = clap::value_parser!(u64).range(100..))]
    millis: u64,
    /// Connections, each with one request on its way
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..))]
    connections: u16,
    /// Few and short rounds, to see that it works
    #[arg(long, conflicts_with_all = ["rounds", "millis"])]
    short: bool,
    /// Let the load generator and the server under load share all CPUs, instead of one half for each
    #[arg(long)]
    pub(crate) shared: bool,
    /// Leave the Go server out
    #[arg(long)]
    no_go: bool,
}

/// What a server did in its turn.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Turn {
    pub(crate) requests_per_second: f64,
    /// Processor time of the server for each request, in microseconds.
    pub(crate) cpu: f64,
}

/// What a server did in all rounds.
#[derive(Debug)]
pub(crate) struct Measured {
    pub(crate) kind: Kind,
    pub(crate) turns: Vec<Turn>,
    /// What it had used when the last turn was over.
    pub(crate) used: Option<Usage>,
}

pub(crate) async fn run(settings: &Settings, halves: Option<&Halves>) -> Result<Vec<Measured>> {
    let (rounds, millis) = if settings.short {
        (2, 300)
    } else {
        (settings.rounds, settings.millis)
    };
    let time = Duration::from_millis(millis);
    let mut kinds = vec![Kind::Nexus, Kind::Axum];
    if !settings.no_go && servers::build_go().await? {
        kinds.push(Kind::Go);
    }
    let mut running = Vec::new();
    for kind in kinds {
        running.push(Server::start(kind, halves).await?);
    }
    let addresses = running.iter().map(|server| server.address);
    let mut connections = load::open_all(addresses, settings.connections.into()).await?;
    let mut measured: Vec<Measured> = running
        .iter()
        .map(|server| Measured {
            kind: server.kind,
            turns: Vec::new(),
            used: None,
        })
        .collect();
    for round in 0..=rounds {
        eprintln!("round {round} of {rounds}");
        for turn in 0..running.len() {
            // Each is first in some rounds and last in others.
            let at = (turn + round as usize) % running.len();
            let process = &running[at].process;
            let before = process.usage()?;
            let answered = connections[at].send(time).await?;
            let after = process.usage()?;
            measured[at].used = Some(after);
            // In the first round everything is cold.
            if round == 0 {
                continue;
            }
            let requests = answered.requests as f64;
            measured[at].turns.push(Turn {
                requests_per_second: requests / answered.time.as_secs_f64(),
                cpu: (after.cpu - before.cpu).as_secs_f64() * 1e6 / requests,
            });
        }
    }
    Ok(measured)
}
