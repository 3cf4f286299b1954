//! Operations that are kept: what both dialects ask of a handler whose operations outlive their request.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use nexus_rpc::{
    Content, HandlerError, Link, Operation, OperationError, Service, ServiceRegistry, StartError,
    sync_operation,
};
use nexus_rpc_http::{
    AsyncOperationContext, NexusHttpService, Operations, async_operation,
    operations::{DeliveryPolicy, MemoryStore, OperationsBuilder},
};
use serde_json::{Value, json};
use tokio::{sync::watch, task::JoinHandle};

use crate::support::{
    DRAFT,
    raw::{RawResponse, Wire, exchange},
    receiver::Receiver,
    serve,
};

mod delivery;
mod failing;
mod lifecycle;
#[cfg(feature = "redb")]
mod restart;

const JOB: Operation<Value, Content> = Operation::new("svc", "job");
const ECHO: Operation<Value, Value> = Operation::new("svc", "echo");

/// How jobs end, by their name, once a test has said so.
#[derive(Clone)]
struct Ends(Arc<watch::Sender<HashMap<String, Value>>>);

impl Ends {
    fn new() -> Self {
        Self(Arc::new(watch::Sender::new(HashMap::new())))
    }

    fn say(&self, name: &str, end: Value) {
        self.0.send_modify(|ends| {
            ends.insert(name.to_owned(), end);
        });
    }

    async fn of(&self, name: &str) -> Value {
        let mut ends = self.0.subscribe();
        let ends = ends.wait_for(|ends| ends.contains_key(name)).await.unwrap();
        ends[name].clone()
    }
}

/// A job: `{"name": …, "stubborn": bool}`. It ends when it is canceled, unless it is stubborn, or as the test says.
async fn job(ctx: AsyncOperationContext, input: Value, ends: Ends) -> Result<Content, StartError> {
    ctx.add_link(Link::new("http://handler/job", "my.Job"));
    let stubborn = input["stubborn"] == true;
    let end = tokio::select! {
        end = ends.of(input["name"].as_str().unwrap()) => end,
        () = ctx.cancelled(), if !stubborn => return Err(OperationError::canceled("as asked").into()),
    };
    match end["how"].as_str().unwrap() {
        "empty" => Ok(Content::empty()),
        "fail" => Err(OperationError::failed("no luck")
            .with_details(json!({"code": 7}))
            .into()),
        "reject" => Err(HandlerError::not_found("no such cup").into()),
        "error" => Err("secret".into()),
        "panic" => panic!("secret"),
        "context" => {
            let context = json!({
                "token": ctx.token().as_str(),
                "request_id": ctx.request_id(),
                "attempt": ctx.attempt(),
                "canceled": ctx.is_cancelled(),
                "header": ctx.headers().get("x-a"),
                "authorization": ctx.headers().get("authorization"),
                "links": ctx.links().iter().map(|link| &link.url).collect::<Vec<_>>(),
                "deadline": ctx.operation_deadline().map(|at| at.duration_since(ctx.started_at()).unwrap().as_millis()),
            });
            Ok(Content::new("application/json", context.to_string()))
        }
        _ => Ok(Content::new("application/json", end["value"].to_string())),
    }
}

fn registry(ends: &Ends) -> ServiceRegistry {
    let ends = ends.clone();
    let service = Service::builder("svc")
        .operation(
            JOB,
            async_operation(move |ctx, input| job(ctx, input, ends.clone())),
        )
        .operation(ECHO, sync_operation(async |_ctx, value: Value| Ok(value)))
        .build()
        .unwrap();
    let mut registry = ServiceRegistry::new();
    registry.register(service).unwrap();
    registry
}

/// A server that keeps operations, on a port of its own.
struct Keeper {
    address: SocketAddr,
    ends: Ends,
    operations: Operations,
    task: JoinHandle<()>,
}

/// Deliveries in a hurry.
fn quick() -> DeliveryPolicy {
    DeliveryPolicy::new()
        .first_pause(Duration::from_millis(5))
        .longest_pause(Duration::from_millis(20))
        .timeout(Duration::from_secs(5))
}

impl Keeper {
    async fn start() -> Self {
        Self::with(|builder| builder).await
    }

    async fn with(configure: impl FnOnce(OperationsBuilder) -> OperationsBuilder) -> Self {
        let builder = Operations::builder(MemoryStore::new()).delivery(quick());
        Self::over(configure(builder), Ends::new()).await
    }

    async fn over(builder: OperationsBuilder, ends: Ends) -> Self {
        let operations = builder.open().await.unwrap();
        let service = NexusHttpService::builder(registry(&ends))
            .operations(&operations)
            .build()
            .unwrap();
        let (address, task) = serve(axum::Router::new().fallback_service(service)).await;
        Self {
            address,
            ends,
            operations,
            task,
        }
    }

    async fn send(&self, request: Wire) -> RawResponse {
        exchange(self.address, &request.bytes()).await
    }

    async fn post(&self, path: &str, body: Value) -> RawResponse {
        self.send(
            Wire::post(path)
                .header("Content-Type", "application/json")
                .body(body.to_string()),
        )
        .await
    }

    async fn get(&self, path: &str) -> RawResponse {
        self.send(Wire::new("GET", path)).await
    }

    /// Starts a job under the id that is its name (draft).
    async fn job(&self, name: &str) -> RawResponse {
        self.post(&format!("{DRAFT}/job/{name}"), json!({"name": name}))
            .await
    }

    async fn start_draft(&self, name: &str, callback: &str) -> RawResponse {
        let callback = encode(callback);
        let path = format!("{DRAFT}/job/{name}?callback_url={callback}");
        self.post(&path, json!({"name": name})).await
    }

    /// Starts a job in the current dialect; the request id is its name.
    async fn start_current(&self, name: &str, callback: &str) -> RawResponse {
        let request = Wire::post(&format!("/svc/job?callback={}", encode(callback)));
        let request = request
            .header("Content-Type", "application/json")
            .header("Nexus-Request-Id", name)
            .header("Nexus-Callback-Token", "t");
        self.send(request.body(json!({"name": name}).to_string()))
            .await
    }

    /// The result, after at most half a minute.
    async fn result(&self, id: &str) -> RawResponse {
        let deadline = jiff::Timestamp::now() + Duration::from_secs(30);
        self.get(&format!(
            "{DRAFT}/job/{id}/result?wait_deadline={deadline:.3}"
        ))
        .await
    }

    async fn state(&self, id: &str) -> String {
        let info = self.get(&format!("{DRAFT}/job/{id}")).await.expect(200);
        info.json()["state"].as_str().unwrap().to_owned()
    }

    async fn cancel(&self, id: &str) -> RawResponse {
        self.send(Wire::post(&format!("{DRAFT}/job/{id}/cancel")))
            .await
    }

    /// Waits until the work of so many operations runs.
    async fn until_running(&self, count: u64) {
        until(async || self.operations.statistics().await.unwrap().running == count).await;
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A receiver on a port that was free before. It takes all.
struct Late {
    count: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Late {
    async fn at(address: SocketAddr) -> Self {
        let listener = tokio::net::TcpListener::bind(address).await.unwrap();
        let count = Arc::new(AtomicUsize::new(0));
        let counted = count.clone();
        let app = axum::Router::new().fallback(move || {
            counted.fetch_add(1, Ordering::Relaxed);
            std::future::ready(())
        });
        let task = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { count, task }
    }

    fn count(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }
}

impl Drop for Late {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// An address that nobody listens on.
fn nobody() -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap()
}

fn done(value: Value) -> Value {
    json!({"how": "done", "value": value})
}

fn how(how: &str) -> Value {
    json!({ "how": how })
}

/// Percent-encodes all that is not a letter or digit.
fn encode(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            byte if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
            byte => format!("%{byte:02X}"),
        })
        .collect()
}

/// Asks until the answer is yes.
async fn until(ask: impl AsyncFn() -> bool) {
    let since = Instant::now();
    while !ask().await {
        assert!(since.elapsed() < Duration::from_secs(30), "it never was");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}
