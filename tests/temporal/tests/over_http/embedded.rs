//! Operations that live in an HTTP server, called by workflows: the server calls the URL of the endpoint, and is called back.

use std::{net::SocketAddr, time::Duration};

use nexus_rpc::{
    AnyService, Headers, Operation, OperationError, Service, ServiceRegistry, sync_operation,
};
use nexus_rpc_http::{
    AsyncOperationContext, NexusHttpService, Operations, async_operation,
    operations::{DeliveryPolicy, MemoryStore, OperationStore, RedbStore},
};
use temporal_nexus::{
    NexusOperationError, NexusOperationOptions, NexusWorkflowContext,
    testing::{EndpointSpec, unique},
};
use temporalio_common::protos::temporal::api::{
    enums::v1::EventType, history::v1::history_event::Attributes,
};
use tokio::{net::TcpListener, sync::watch, task::JoinHandle};

use crate::fixture::{Fixture, Running, SERVICE, Setup, eventually, on_both_servers, until};

on_both_servers! {
    a_result_is_delivered_to_the_workflow,
    the_work_knows_what_the_caller_granted_and_sent,
    an_operation_ends_as_its_work_says,
    a_cancellation_reaches_the_work,
    work_and_deliveries_survive_the_server,
}

const WORK: Operation<String, String> = Operation::new(SERVICE, "work");

/// A server whose work ends when the test says so, at an address that stays.
struct Server {
    address: SocketAddr,
    operations: Operations,
    task: JoinHandle<()>,
}

/// What the work of the tests does next.
#[derive(Clone, Copy, PartialEq)]
enum Next {
    Wait,
    GoOn,
}

impl Server {
    async fn start(address: &str, store: impl OperationStore, next: watch::Receiver<Next>) -> Self {
        let quick = DeliveryPolicy::new()
            .first_pause(Duration::from_millis(20))
            .longest_pause(Duration::from_millis(100));
        let operations = Operations::builder(store).delivery(quick).open();
        let operations = operations.await.expect("operations");
        let work = async_operation(move |ctx, how| work(ctx, how, next.clone()));
        let service = Service::builder(SERVICE).operation(WORK, work).build();
        let mut registry = ServiceRegistry::new();
        registry
            .register(service.expect("a service"))
            .expect("the only one");
        let service = NexusHttpService::builder(registry)
            .operations(&operations)
            .build();
        let app = axum::Router::new().fallback_service(service.expect("names for a URL"));
        // The port may be held for a moment by who called it while nobody was there.
        let listener = eventually("the port is free", async || {
            TcpListener::bind(address).await.ok()
        });
        let listener = listener.await;
        let address = listener.local_addr().expect("an address");
        let task =
            tokio::spawn(async move { axum::serve(listener, app).await.expect("it serves") });
        Self {
            address,
            operations,
            task,
        }
    }

    /// Ends it with what it has begun. Connections stay as long as the runtime, so nothing is asked of them.
    async fn stop(self) {
        self.task.abort();
        let _ = self.task.await;
        self.operations.shutdown(Duration::ZERO).await;
    }
}

async fn work(
    ctx: AsyncOperationContext,
    how: String,
    mut next: watch::Receiver<Next>,
) -> Result<String, nexus_rpc::StartError> {
    tokio::select! {
        () = ctx.cancelled() => return Err(OperationError::canceled("as asked").into()),
        gone = next.wait_for(|next| *next == Next::GoOn) => drop(gone?),
    }
    match &*how {
        "fail" => Err(OperationError::failed("no luck").into()),
        "hide" => Err("hunter2".into()),
        "context" => Ok(format!(
            "{:?} {:?} {} {}",
            ctx.operation_timeout()
                .map(|timeout| timeout.as_secs_f64().ceil()),
            ctx.headers().get("x-customer"),
            ctx.links().len(),
            ctx.headers()
                .iter()
                .any(|(name, _)| name.starts_with("nexus-callback")),
        )),
        how => Ok(format!("{how} after {} attempts", ctx.attempt())),
    }
}

/// A caller, and an endpoint that leads to a server.
struct Case {
    fixture: Fixture,
    endpoint: String,
    next: watch::Sender<Next>,
    server: Server,
}

impl Case {
    async fn start(setup: Setup, store: impl OperationStore) -> Self {
        let idle = sync_operation(async |_ctx, text: String| Ok(text));
        let fixture = setup.operation(WORK, idle).start().await;
        let next = watch::Sender::new(Next::Wait);
        let server = Server::start("127.0.0.1:0", store, next.subscribe()).await;
        let url = format!("http://{}", server.address);
        let endpoint = EndpointSpec::external(&unique("external"), &url);
        let endpoint = fixture.server.create_endpoint_from(endpoint).await;
        Self {
            fixture,
            endpoint: endpoint.expect("an endpoint").name,
            next,
            server,
        }
    }

    /// A workflow that calls the operation, once the server has answered with its token.
    async fn started(&self, how: &str) -> Running<Result<String, NexusOperationError>> {
        let (endpoint, how) = (self.endpoint.clone(), how.to_owned());
        let caller = self.fixture.begin(move |ctx| {
            let client = ctx.nexus_client::<AnyService>(&endpoint);
            let options = NexusOperationOptions::builder()
                .schedule_to_close_timeout(Duration::from_secs(50))
                .headers(Headers::from_iter([("X-Customer", "Ada")]))
                .build();
            let call = client.execute(WORK, how.clone(), options);
            async move { Ok(call.await) }
        });
        let caller = caller.await;
        caller.reaches(EventType::NexusOperationStarted).await;
        caller
    }

    fn go_on(&self) {
        self.next.send_replace(Next::GoOn);
    }

    async fn stop(self) {
        self.server.stop().await;
        self.fixture.stop().await;
    }
}

async fn a_result_is_delivered_to_the_workflow(setup: Setup) {
    let case = Case::start(setup, MemoryStore::new()).await;
    let caller = case.started("done").await;
    assert!(
        !caller
            .history()
            .await
            .has(EventType::NexusOperationCompleted)
    );
    case.go_on();
    let run = caller.finish().await;
    assert_eq!(run.result.unwrap().unwrap(), "done after 1 attempts");
    let started = run.history.event(EventType::NexusOperationStarted);
    let Some(Attributes::NexusOperationStartedEventAttributes(attributes)) = &started.attributes
    else {
        panic!("{started:?}");
    };
    assert!(!attributes.operation_token.is_empty());
    case.stop().await;
}

async fn the_work_knows_what_the_caller_granted_and_sent(setup: Setup) {
    let case = Case::start(setup, MemoryStore::new()).await;
    let caller = case.started("context").await;
    case.go_on();
    let seen = caller.finish().await.result.unwrap().unwrap();
    assert_eq!(seen, r#"Some(50.0) Some("Ada") 1 false"#);
    case.stop().await;
}

async fn an_operation_ends_as_its_work_says(setup: Setup) {
    let case = Case::start(setup, MemoryStore::new()).await;
    let (failing, hiding) = tokio::join!(case.started("fail"), case.started("hide"));
    case.go_on();
    let failed = failing.finish().await;
    let Err(NexusOperationError::Failed(_)) = failed.result.unwrap() else {
        panic!("it failed");
    };
    assert!(failed.history.says("no luck"), "{:?}", failed.history);
    let hidden = hiding.finish().await;
    let Err(NexusOperationError::Failed(_)) = hidden.result.unwrap() else {
        panic!("it failed");
    };
    assert!(!hidden.history.says("hunter2"), "{:?}", hidden.history);
    case.stop().await;
}

async fn a_cancellation_reaches_the_work(setup: Setup) {
    let case = Case::start(setup, MemoryStore::new()).await;
    let caller = case.started("never").await;
    caller.handle.cancel(Default::default()).await.unwrap();
    let run = caller.finish().await;
    let Err(NexusOperationError::Canceled(_)) = run.result.unwrap() else {
        panic!("it was canceled");
    };
    assert!(run.history.has(EventType::NexusOperationCanceled));
    case.stop().await;
}

/// The server goes while the work runs, and again when its result cannot be delivered.
async fn work_and_deliveries_survive_the_server(setup: Setup) {
    let file = std::env::temp_dir().join(unique("operations"));
    let mut case = Case::start(setup, RedbStore::open(&file).expect("a new file")).await;
    let caller = case.started("done").await;
    let address = case.server.address.to_string();
    case.server.stop().await;

    let store = eventually("the file is closed", async || RedbStore::open(&file).ok()).await;
    case.server = Server::start(&address, store, case.next.subscribe()).await;
    until("the work has begun again", async || {
        let operations = case.server.operations.statistics().await;
        operations.expect("statistics").running == 1
    })
    .await;
    case.go_on();
    let run = caller.finish().await;
    assert_eq!(run.result.unwrap().unwrap(), "done after 2 attempts");
    until("the delivery is over", async || {
        let operations = case.server.operations.statistics().await;
        operations.expect("statistics").deliveries == 0
    })
    .await;
    case.stop().await;
    std::fs::remove_file(&file).expect("the file is there");
}
