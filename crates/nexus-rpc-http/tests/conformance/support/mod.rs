pub(crate) mod peer;
pub(crate) mod raw;
pub(crate) mod receiver;
pub(crate) mod services;

use std::net::SocketAddr;

use nexus_rpc::ServiceRegistry;
use nexus_rpc_http::{
    Dialect, NexusHttpClient, NexusHttpService, RetryPolicy, server::NexusHttpServiceBuilder,
};
use tokio::{net::TcpListener, task::JoinHandle};

use raw::{RawResponse, Wire};
use services::Jobs;

/// Paths of the draft start so.
pub(crate) const DRAFT: &str = "/api/v1/services/svc/operations";

/// A server with the services of [`services`] on a port of its own.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) jobs: Jobs,
    task: JoinHandle<()>,
}

impl Server {
    pub(crate) async fn start() -> Self {
        Self::with(|builder| builder).await
    }

    pub(crate) async fn with(
        configure: impl FnOnce(NexusHttpServiceBuilder) -> NexusHttpServiceBuilder,
    ) -> Self {
        let jobs = Jobs::default();
        let mut registry = services::registry(&jobs);
        registry.register(services::odd()).unwrap();
        Self::serving(configure(NexusHttpService::builder(registry)), jobs).await
    }

    pub(crate) async fn only(dialect: Dialect) -> Self {
        let jobs = Jobs::default();
        let registry = services::registry(&jobs);
        Self::serving(NexusHttpService::builder(registry).only(dialect), jobs).await
    }

    pub(crate) async fn of(registry: ServiceRegistry) -> Self {
        Self::serving(NexusHttpService::builder(registry), Jobs::default()).await
    }

    async fn serving(builder: NexusHttpServiceBuilder, jobs: Jobs) -> Self {
        let service = builder.build().unwrap();
        let (address, task) = serve(axum::Router::new().fallback_service(service)).await;
        Self {
            address,
            jobs,
            task,
        }
    }

    /// Sends a request and gets the response.
    pub(crate) async fn send(&self, request: Wire) -> RawResponse {
        raw::exchange(self.address, &request.bytes()).await
    }

    pub(crate) async fn post(&self, path: &str, json: &str) -> RawResponse {
        self.send(
            Wire::post(path)
                .header("Content-Type", "application/json")
                .body(json),
        )
        .await
    }

    pub(crate) async fn get(&self, path: &str) -> RawResponse {
        self.send(Wire::new("GET", path)).await
    }

    pub(crate) fn client(&self, dialect: Dialect) -> NexusHttpClient {
        client(self.address, dialect)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A client that sends every request once.
pub(crate) fn client(address: SocketAddr, dialect: Dialect) -> NexusHttpClient {
    NexusHttpClient::builder(format!("http://{address}"))
        .dialect(dialect)
        .retry(RetryPolicy::none())
        .build()
        .unwrap()
}

pub(crate) async fn serve(app: axum::Router) -> (SocketAddr, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let task = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    (address, task)
}

/// What comes within a minute. Longer, and the test would hang where it should fail.
pub(crate) async fn within<T>(future: impl Future<Output = T>) -> T {
    let limit = std::time::Duration::from_secs(60);
    tokio::time::timeout(limit, future).await.unwrap()
}
