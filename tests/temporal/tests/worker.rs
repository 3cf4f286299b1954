//! What a worker runs, and what it cannot.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use nexus_rpc::{Operation, Service, registry::RegistrationError, sync_operation};
use temporal_nexus::{
    NexusWorker, NexusWorkerError, WorkflowRun,
    testing::{DevServer, unique},
    workflow_run_operation,
};
use temporalio_client::{Client, ClientOptions};
use temporalio_common::protos::temporal::api::enums::v1::TaskQueueType;
use temporalio_macros::{activities, workflow, workflow_methods};
use temporalio_sdk::{
    ActivityOptions, WorkerOptions, WorkflowContext, WorkflowResult,
    activities::{ActivityContext, ActivityError},
};
use tokio::time::timeout;

use crate::fixture::{SERVICE, Setup, client_on, pollers};

const ECHO: Operation<String, String> = Operation::new(SERVICE, "echo");

fn service() -> Service {
    Service::builder(SERVICE)
        .operation(ECHO, sync_operation(async |_ctx, input| Ok(input)))
        .build()
        .expect("a service")
}

#[tokio::test]
async fn a_worker_with_services_alone_polls_for_nothing_else() {
    let fixture = Setup::new().service(service()).start().await;
    let call = fixture.call(ECHO, "hello".to_owned()).await;
    assert_eq!(call.outcome.unwrap(), "hello");
    let (client, queue) = (&fixture.handler, &fixture.handler_queue);
    assert_eq!(pollers(client, queue, TaskQueueType::Nexus).await, 1);
    assert_eq!(pollers(client, queue, TaskQueueType::Workflow).await, 0);
    assert_eq!(pollers(client, queue, TaskQueueType::Activity).await, 0);
    fixture.stop().await;
}

struct Shouting;

#[activities]
impl Shouting {
    #[activity]
    async fn shout(_ctx: ActivityContext, text: String) -> Result<String, ActivityError> {
        Ok(text.to_uppercase())
    }
}

#[workflow]
#[derive(Default)]
struct Shout;

#[workflow_methods]
impl Shout {
    #[run]
    async fn run(ctx: &mut WorkflowContext<Self>, text: String) -> WorkflowResult<String> {
        let options = ActivityOptions::start_to_close_timeout(Duration::from_secs(10));
        Ok(ctx.execute_activity(Shouting::shout, text, options).await?)
    }
}

const SHOUT: Operation<String, String> = Operation::new(SERVICE, "shout");

#[tokio::test]
async fn one_worker_runs_operations_workflows_and_activities() {
    let shout =
        workflow_run_operation(Shout::run, |_ctx, text| Ok(WorkflowRun::new("shout", text)));
    let fixture = Setup::new()
        .operation(SHOUT, shout)
        .workflow::<Shout>()
        .configure_handler(|options| {
            options.register_activities(Shouting);
        })
        .start()
        .await;
    let call = fixture.call(SHOUT, "hello".to_owned()).await;
    assert_eq!(call.outcome.unwrap(), "HELLO");
    for kind in [
        TaskQueueType::Nexus,
        TaskQueueType::Workflow,
        TaskQueueType::Activity,
    ] {
        let (client, queue) = (&fixture.handler, &fixture.handler_queue);
        assert_eq!(pollers(client, queue, kind).await, 1, "{kind:?}");
    }
    fixture.stop().await;
}

async fn client(namespace: &str) -> Client {
    let server = DevServer::shared().await;
    client_on(server, ClientOptions::new(namespace).build()).await
}

fn options() -> WorkerOptions {
    WorkerOptions::new(unique("queue")).build()
}

#[tokio::test]
async fn a_namespace_that_does_not_exist_is_an_error_at_once() {
    let client = client(&unique("nowhere")).await;
    let mut worker = NexusWorker::new(client, options(), [service()]).unwrap();
    let started = Instant::now();
    let error = worker.run().await.expect_err("no namespace");
    assert!(matches!(error, NexusWorkerError::Namespace(_)), "{error:?}");
    assert!(started.elapsed() < Duration::from_secs(5), "{started:?}");
}

#[tokio::test]
async fn a_service_that_is_there_twice_is_an_error() {
    let client = client("default").await;
    let error = NexusWorker::new(client, options(), [service(), service()]).unwrap_err();
    let NexusWorkerError::Service(RegistrationError::DuplicateService { service }) = error else {
        panic!("{error:?}");
    };
    assert_eq!(service, SERVICE);
}

#[tokio::test]
async fn a_worker_with_nothing_to_run_is_an_error() {
    let client = client("default").await;
    let error = NexusWorker::new(client, options(), []).unwrap_err();
    assert!(matches!(error, NexusWorkerError::Create(_)), "{error:?}");
}

#[test]
fn a_worker_without_a_runtime_is_an_error() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let client = runtime.block_on(client("default"));
    let error = NexusWorker::new(client, options(), [service()]).unwrap_err();
    assert!(
        matches!(error, NexusWorkerError::NoTokioRuntime(_)),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_worker_runs_until_its_signal() {
    let client = client("default").await;
    let mut worker = NexusWorker::new(client, options(), [service()]).unwrap();
    let signal = Arc::new(tokio::sync::Notify::new());
    let run = async {
        let stop = async { signal.notified().await };
        worker.run_until(stop).await.unwrap();
    };
    let tell = async {
        signal.notify_one();
    };
    let both = async { tokio::join!(run, tell) };
    timeout(Duration::from_secs(10), both)
        .await
        .expect("it ends");
}

#[tokio::test]
async fn a_worker_can_be_shut_down_before_it_runs() {
    let client = client("default").await;
    let mut worker = NexusWorker::new(client, options(), [service()]).unwrap();
    let shut_down = worker.shutdown_handle();
    shut_down();
    shut_down();
    let run = timeout(Duration::from_secs(10), worker.run()).await;
    run.expect("it ends").unwrap();
}
