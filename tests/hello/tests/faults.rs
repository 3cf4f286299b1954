//! Processes that die while an operation is open. Whatever dies, the operation ends, with its result, once.

use temporal_nexus::testing::DevServer;
use temporalio_common::protos::temporal::api::enums::v1::EventType;

use crate::fixture::{
    CALLER_NAMESPACE, Folder, HANDLER_NAMESPACE, Proxy, Run, Running, Sample, at,
};

const GREETING: &str = "\"¡Hola! Nexus 👋\"";

/// Waits for the end of a caller, and makes sure that one run of one workflow has served it, once.
async fn served_once(sample: &Sample, caller: &Run) {
    let history = sample
        .event(caller, EventType::WorkflowExecutionCompleted)
        .await;
    assert_eq!(history.result(), GREETING);
    assert_eq!(history.count(EventType::NexusOperationScheduled), 1);
    assert_eq!(history.count(EventType::NexusOperationStarted), 1);
    assert_eq!(history.count(EventType::NexusOperationCompleted), 1);
    let handler = history.handler();
    assert_eq!(sample.runs(&handler).await, [handler.run_id.as_str()]);
    let history = sample.history(&handler).await;
    assert_eq!(history.count(EventType::WorkflowExecutionCompleted), 1);
}

/// A worker behind a proxy.
async fn worker_behind(proxy: &Proxy, name: &str, namespace: &str) -> Running {
    at(&proxy.address(), name, namespace).worker().await
}

#[tokio::test]
async fn a_handler_worker_dies_while_its_workflow_runs() {
    let sample = Sample::start().await;
    let proxy = Proxy::of(&sample.server).start().await;
    proxy.hold("PollWorkflowTaskQueue");
    let handler = worker_behind(&proxy, "handler-worker", HANDLER_NAMESPACE).await;
    let _caller = sample.caller_worker().worker().await;
    let starter = sample.starter().start();
    let caller = starter.second_run(CALLER_NAMESPACE).await;
    sample
        .event(&caller, EventType::NexusOperationStarted)
        .await;

    handler.kill().await;
    let _handler = sample.handler_worker().worker().await;
    served_once(&sample, &caller).await;
    assert_eq!(starter.exited().await.results()[1], "¡Hola! Nexus 👋");
}

#[tokio::test]
async fn a_handler_worker_dies_before_it_starts_its_workflow() {
    handler_worker_dies_at("StartWorkflowExecution").await;
}

#[tokio::test]
async fn a_handler_worker_dies_after_it_started_its_workflow_before_it_says_so() {
    handler_worker_dies_at("RespondNexusTaskCompleted").await;
}

/// The server gives the task out again after ten seconds, with the same request id.
async fn handler_worker_dies_at(call: &'static str) {
    let sample = Sample::start().await;
    let proxy = Proxy::of(&sample.server).start().await;
    proxy.hold("StartWorkflowExecution");
    let _caller = sample.caller_worker().worker().await;
    let handler = worker_behind(&proxy, "handler-worker", HANDLER_NAMESPACE).await;
    let starter = sample.starter().start();
    let caller = starter.second_run(CALLER_NAMESPACE).await;
    proxy.holds("StartWorkflowExecution").await;
    if call != "StartWorkflowExecution" {
        proxy.hold(call);
        proxy.release("StartWorkflowExecution");
        proxy.holds(call).await;
    }
    handler.kill().await;
    let _handler = sample.handler_worker().worker().await;
    served_once(&sample, &caller).await;
}

#[tokio::test]
async fn a_caller_worker_dies_while_an_operation_is_open() {
    let sample = Sample::start().await;
    let proxy = Proxy::of(&sample.server).start().await;
    proxy.hold("PollWorkflowTaskQueue");
    let _handler = worker_behind(&proxy, "handler-worker", HANDLER_NAMESPACE).await;
    let worker = sample.caller_worker().worker().await;
    let starter = sample.starter().start();
    let caller = starter.second_run(CALLER_NAMESPACE).await;
    sample
        .event(&caller, EventType::NexusOperationStarted)
        .await;

    worker.kill().await;
    proxy.release("PollWorkflowTaskQueue");
    sample
        .event(&caller, EventType::NexusOperationCompleted)
        .await;
    let _worker = sample.caller_worker().worker().await;
    served_once(&sample, &caller).await;
}

/// The server gives the task out again after ten seconds.
#[tokio::test]
async fn a_caller_worker_dies_before_it_can_say_what_its_workflow_does() {
    let sample = Sample::start().await;
    let proxy = Proxy::of(&sample.server).start().await;
    let _handler = sample.handler_worker().worker().await;
    let worker = worker_behind(&proxy, "caller-worker", CALLER_NAMESPACE).await;
    proxy.hold("RespondWorkflowTaskCompleted");
    let starter = sample.starter().start();
    proxy.holds("RespondWorkflowTaskCompleted").await;

    worker.kill().await;
    let _worker = sample.caller_worker().worker().await;
    let caller = starter.second_run(CALLER_NAMESPACE).await;
    served_once(&sample, &caller).await;
    assert_eq!(starter.exited().await.results()[1], "¡Hola! Nexus 👋");
}

#[tokio::test]
async fn the_server_stops_and_starts_again_under_both_workers() {
    let folder = Folder::new();
    let database = folder.path().join("temporal.db");
    let mut sample = Sample::on(DevServer::builder().db_filename(database)).await;
    sample.create_endpoint().await;
    let proxy = Proxy::of(&sample.server).start().await;
    proxy.hold("PollWorkflowTaskQueue");
    let handler = worker_behind(&proxy, "handler-worker", HANDLER_NAMESPACE).await;
    let worker = sample.caller_worker().worker().await;
    let starter = sample.starter().start();
    let caller = starter.second_run(CALLER_NAMESPACE).await;
    sample
        .event(&caller, EventType::NexusOperationStarted)
        .await;

    sample
        .server
        .restart()
        .await
        .expect("the server starts again");
    proxy.release("PollWorkflowTaskQueue");
    served_once(&sample, &caller).await;
    assert_eq!(starter.exited().await.results()[1], "¡Hola! Nexus 👋");

    // Both workers are as good as new.
    assert_eq!(sample.starter().run().await.results()[1], "¡Hola! Nexus 👋");
    handler.stop().await;
    worker.stop().await;
}
