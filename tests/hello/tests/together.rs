//! Two callers who want the same greeting at the same time.

use temporalio_common::protos::temporal::api::enums::v1::EventType;

use crate::fixture::{CALLER_NAMESPACE, HANDLER_NAMESPACE, Proxy, Sample, at};

#[tokio::test]
async fn both_get_the_greeting_of_one_workflow() {
    let sample = Sample::start().await;
    // Takes Nexus tasks, but no tasks of the workflow, which therefore runs until both have asked.
    let proxy = Proxy::of(&sample.server).start().await;
    proxy.hold("PollWorkflowTaskQueue");
    let handler = at(&proxy.address(), "handler-worker", HANDLER_NAMESPACE);
    let _handler = handler.worker().await;

    let mut callers = Vec::new();
    let namespaces = [CALLER_NAMESPACE.to_owned(), sample.namespace().await];
    for namespace in &namespaces {
        let worker = sample.program("caller-worker", namespace).worker().await;
        let starter = sample.program("caller-starter", namespace).start();
        callers.push((namespace, worker, starter));
    }
    let mut handlers = Vec::new();
    for (namespace, _, starter) in &callers {
        let run = starter.second_run(namespace).await;
        let history = sample.event(&run, EventType::NexusOperationStarted).await;
        assert_eq!(history.count(EventType::NexusOperationCompleted), 0);
        handlers.push(history.handler());
    }
    assert_eq!(handlers[0], handlers[1]);

    proxy.release("PollWorkflowTaskQueue");
    for (_, _, starter) in callers {
        let finished = starter.exited().await;
        assert_eq!(finished.results(), ["Nexus Echo 👋", "¡Hola! Nexus 👋"]);
    }
    let run = &handlers[0];
    assert_eq!(run.workflow_id, "hello-es-nexus");
    assert_eq!(sample.runs(run).await, [run.run_id.as_str()]);
    let history = sample.history(run).await;
    // The second caller was added to what the first had started.
    assert_eq!(history.count(EventType::WorkflowExecutionOptionsUpdated), 1);
    assert_eq!(history.count(EventType::WorkflowExecutionCompleted), 1);
}
