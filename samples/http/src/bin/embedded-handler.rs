//! Serves `HelloService` over HTTP, without Temporal. What it accepts survives it:
//!
//! ```text
//! cargo run -p http-sample --bin embedded-handler -- --store operations.redb
//! ```

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use anyhow::Context as _;
use axum::Router;
use clap::Parser as _;
use http_sample::EmbeddedHandler;
use nexus_rpc::ServiceRegistry;
use nexus_rpc_http::{NexusHttpService, Operations, operations::RedbStore};
use service::HelloService;
use tokio::net::TcpListener;

/// Serves the hello service over HTTP, without Temporal
#[derive(clap::Parser)]
struct Arguments {
    /// Address to listen on
    #[arg(long, value_name = "IP:PORT", default_value = "127.0.0.1:8000")]
    listen: SocketAddr,
    /// File that keeps the operations
    #[arg(long, default_value = "operations.redb")]
    store: PathBuf,
    /// How long a greeting takes, such as 10s
    #[arg(long, default_value = "0s", value_parser = nexus_rpc::duration::parse)]
    greeting_takes: Duration,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    http_sample::init_logging();
    let arguments = Arguments::parse();

    let store = RedbStore::open(&arguments.store)
        .with_context(|| format!("cannot open {}", arguments.store.display()))?;
    let operations = Operations::open(store).await?;
    let handler = EmbeddedHandler {
        greeting_takes: arguments.greeting_takes,
    };
    let mut registry = ServiceRegistry::new();
    registry.register(HelloService::serve(handler))?;
    let nexus = NexusHttpService::builder(registry)
        .operations(&operations)
        .build()?;

    let listener = TcpListener::bind(arguments.listen)
        .await
        .with_context(|| format!("cannot listen on {}", arguments.listen))?;
    println!("Listening on http://{}", listener.local_addr()?);
    // Layers for authentication and the like go around the router.
    let app = Router::new().fallback_service(nexus);
    // A shutdown in good order is a courtesy: after any other end, the next process goes on with what this one has accepted.
    tokio::select! {
        served = axum::serve(listener, app) => served?,
        interrupted = tokio::signal::ctrl_c() => interrupted?,
    }
    operations.shutdown(Duration::from_secs(1)).await;
    Ok(())
}
