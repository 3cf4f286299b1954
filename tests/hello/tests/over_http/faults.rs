//! Workflows whose operation runs in the embedded handler, while the handler or the server is killed.

use temporal_nexus::testing::{DevServer, EndpointSpec, free_port};
use temporalio_common::protos::temporal::api::enums::v1::EventType;

use crate::fixture::{CALLER_NAMESPACE, Folder, Program, Run, Running, Sample, program};

/// A sample whose endpoint leads to an embedded handler.
struct OverHttp {
    sample: Sample,
    folder: Folder,
    address: String,
    handler: Running,
}

impl OverHttp {
    /// A greeting takes the handler so long.
    async fn start(greeting_takes: &str) -> Self {
        let folder = Folder::new();
        let database = folder.path().join("temporal.db");
        let sample = Sample::on(DevServer::builder().db_filename(database)).await;
        let address = format!("127.0.0.1:{}", free_port().expect("a free port"));
        let endpoint = EndpointSpec::external(caller::ENDPOINT, &format!("http://{address}"));
        let created = sample.server.create_endpoint_from(endpoint).await;
        created.expect("an endpoint");
        let handler = handler(&folder, &address, greeting_takes).await;
        Self {
            sample,
            folder,
            address,
            handler,
        }
    }

    /// Starts the sample's workflows, and returns when the second has its operation started.
    async fn started(&self) -> (Running, Run) {
        let starter = self.sample.starter().start();
        let run = starter.second_run(CALLER_NAMESPACE).await;
        self.sample
            .event(&run, EventType::NexusOperationStarted)
            .await;
        (starter, run)
    }
}

async fn handler(folder: &Folder, address: &str, greeting_takes: &str) -> Running {
    let store = folder.path().join("operations.redb");
    let arguments = format!(
        "--listen {address} --store {} --greeting-takes {greeting_takes}",
        store.display()
    );
    let handler = Program::new(program("embedded-handler")).args(&arguments);
    let handler = handler.env("RUST_LOG", "nexus_rpc_http=debug").start();
    handler.says("Listening on").await;
    handler
}

#[tokio::test]
async fn the_handler_is_killed_while_it_thinks() {
    let over_http = OverHttp::start("1h").await;
    let _caller = over_http.sample.caller_worker().worker().await;
    let (starter, run) = over_http.started().await;
    let OverHttp {
        sample,
        folder,
        address,
        handler: killed,
    } = over_http;
    killed.kill().await;
    let _handler = handler(&folder, &address, "0s").await;
    sample.event(&run, EventType::NexusOperationCompleted).await;
    assert_eq!(starter.exited().await.results()[1], "¡Hola! Nexus 👋");
}

#[tokio::test]
async fn the_server_is_not_there_when_the_result_is() {
    let mut over_http = OverHttp::start("2s").await;
    let caller = over_http.sample.caller_worker().worker().await;
    let (starter, run) = over_http.started().await;
    let server = &mut over_http.sample.server;
    server.stop().await.expect("the server stops");
    over_http.handler.says("a delivery failed").await;
    let server = &mut over_http.sample.server;
    server.restart().await.expect("the server starts again");
    over_http
        .sample
        .event(&run, EventType::NexusOperationCompleted)
        .await;
    assert_eq!(starter.exited().await.results()[1], "¡Hola! Nexus 👋");
    caller.stop().await;
    over_http.handler.stop().await;
}
