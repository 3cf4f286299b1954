//! Serves the hello sample's handler over HTTP. A worker must run its workflows:
//!
//! ```text
//! cargo run -p handler --bin handler-worker -- -target-host localhost:7233 -namespace my-target-namespace
//! cargo run -p http-sample --features temporal --bin workflow-handler -- -target-host localhost:7233 -namespace my-target-namespace
//! ```

use std::net::SocketAddr;

use axum::Router;
use handler::{HelloHandler, TASK_QUEUE};
use nexus_rpc::ServiceRegistry;
use nexus_rpc_http::NexusHttpService;
use options::Context as _;
use service::HelloService;
use temporal_nexus::{TemporalContext, interrupted};
use tokio::net::TcpListener;

/// Serves the handler of the hello sample over HTTP
#[derive(clap::Parser)]
struct Arguments {
    #[command(flatten)]
    connection: options::Flags,
    /// Address to listen on
    #[arg(long, value_name = "IP:PORT", default_value = "127.0.0.1:8000")]
    listen: SocketAddr,
}

#[tokio::main]
async fn main() -> options::Result {
    let Arguments { connection, listen } = options::parse();
    let client = connection.connect().await?;

    let mut registry = ServiceRegistry::new();
    registry
        .register(HelloService::serve(HelloHandler))
        .context("Unable to register service")?;
    // What the operations would find on a worker: with it they start their workflows.
    let nexus = NexusHttpService::builder(registry)
        .extension(TemporalContext::new(client, TASK_QUEUE))
        .build()
        .context("Unable to serve over HTTP")?;

    let listener = TcpListener::bind(listen)
        .await
        .context(format!("Unable to listen on {listen}"))?;
    println!("Listening on http://{listen}");
    let app = Router::new().fallback_service(nexus);
    axum::serve(listener, app)
        .with_graceful_shutdown(interrupted())
        .await
        .context("Unable to serve")
}
