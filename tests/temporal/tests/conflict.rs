//! Requests that meet a workflow that runs already, their own or another's.

use nexus_rpc::{HandlerErrorType, Operation, RetryBehavior};
use temporal_nexus::{
    NexusOperationError, NexusOperationOptions, WorkflowRun, testing::unique,
    workflow_run_operation,
};
use temporalio_client::{WorkflowIdConflictPolicy, WorkflowIdReusePolicy};
use temporalio_common::protos::temporal::api::{
    enums::v1::EventType, history::v1::history_event::Attributes,
};
use temporalio_macros::{workflow, workflow_methods};
use temporalio_sdk::{
    SyncWorkflowContext, WorkflowContext, WorkflowResult, workflows::WorkflowImplementation,
};

use crate::fixture::{Answer, Fixture, History, SERVICE, Setup, everywhere};

everywhere! {
    callers_that_use_the_existing_workflow_all_get_its_result,
    a_second_caller_is_refused_by_default,
    a_request_that_is_sent_again_finds_its_workflow,
    a_request_that_is_sent_again_after_the_end_finds_its_workflow,
    a_start_that_the_server_refuses_is_a_bad_request,
}

/// Returns what it is told by a signal.
#[workflow]
#[derive(Default)]
struct Listen {
    heard: Option<String>,
}

#[workflow_methods]
impl Listen {
    #[run]
    async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<String> {
        ctx.wait_condition(|listen| listen.heard.is_some()).await?;
        Ok(ctx.state(|listen| listen.heard.clone().unwrap_or_default()))
    }

    #[signal]
    fn tell(&mut self, _ctx: &mut SyncWorkflowContext<Self>, text: String) {
        self.heard = Some(text);
    }
}

const LISTEN: Operation<String, String> = Operation::new(SERVICE, "listen");

async fn fixture(setup: Setup, policy: WorkflowIdConflictPolicy) -> Fixture {
    let listen = workflow_run_operation(Listen::run, move |_ctx, id: String| {
        Ok(WorkflowRun::new(id, ())
            .id_conflict_policy(policy)
            .id_reuse_policy(WorkflowIdReusePolicy::RejectDuplicate))
    });
    let setup = setup.workflow::<Listen>().operation(LISTEN, listen);
    setup.start().await
}

async fn tell(fixture: &Fixture, id: &str) {
    let handler = &fixture.handler;
    let workflow = handler.get_workflow_handle::<<Listen as WorkflowImplementation>::Run>(id);
    let told = workflow.signal(Listen::tell, "news".to_owned(), Default::default());
    told.await.unwrap();
}

async fn callers_that_use_the_existing_workflow_all_get_its_result(setup: Setup) {
    let fixture = fixture(setup, WorkflowIdConflictPolicy::UseExisting).await;
    let id = unique("listen");
    let options = NexusOperationOptions::default;
    let one = fixture.begin_call(LISTEN, id.clone(), options).await;
    one.reaches(EventType::NexusOperationStarted).await;
    let two = fixture.begin_call(LISTEN, id.clone(), options).await;
    two.reaches(EventType::NexusOperationStarted).await;
    let workflow = History::of(&fixture.handler_workflow(&id)).await;
    // The second one has joined.
    let joined = workflow.event(EventType::WorkflowExecutionOptionsUpdated);
    let Some(Attributes::WorkflowExecutionOptionsUpdatedEventAttributes(joined)) =
        &joined.attributes
    else {
        panic!("{joined:?}");
    };
    assert_eq!(joined.attached_completion_callbacks.len(), 1, "{joined:?}");
    assert!(!joined.attached_request_id.is_empty(), "{joined:?}");

    tell(&fixture, &id).await;
    assert_eq!(one.finish().await.result.unwrap().unwrap(), "news");
    assert_eq!(two.finish().await.result.unwrap().unwrap(), "news");
    fixture.stop().await;
}

async fn a_second_caller_is_refused_by_default(setup: Setup) {
    let fixture = fixture(setup, WorkflowIdConflictPolicy::Unspecified).await;
    let id = unique("listen");
    let one = fixture
        .begin_call(LISTEN, id.clone(), Default::default)
        .await;
    one.reaches(EventType::NexusOperationStarted).await;
    let two = fixture.call(LISTEN, id.clone()).await;
    let error = two.error();
    assert!(matches!(error, NexusOperationError::Failed(_)), "{error:?}");
    let answer = error.handler_error().expect("a handler error");
    assert_eq!(answer.error_type(), &HandlerErrorType::Internal);
    assert_eq!(answer.retry_behavior(), RetryBehavior::NonRetryable);
    let text = format!("workflow {id:?} of this operation is already started");
    assert_eq!(answer.message(), text);

    tell(&fixture, &id).await;
    assert_eq!(one.finish().await.result.unwrap().unwrap(), "news");
    fixture.stop().await;
}

/// Sends a request to start the operation from outside.
async fn start(fixture: &Fixture, id: &str, request_id: &str) -> Answer {
    let path = format!("{SERVICE}/listen");
    let headers = [("nexus-request-id", request_id)];
    let input = format!("{id:?}");
    fixture.post(&path, &headers, &input).await
}

fn token(answer: &Answer) -> String {
    let body: serde_json::Value = serde_json::from_str(&answer.body).expect("JSON");
    body["token"].as_str().expect("a token").to_owned()
}

async fn a_request_that_is_sent_again_finds_its_workflow(setup: Setup) {
    let fixture = fixture(setup, WorkflowIdConflictPolicy::Unspecified).await;
    let id = unique("listen");
    let first = start(&fixture, &id, "request-1").await;
    assert_eq!(first.status, 201, "{first:?}");
    let run = History::of(&fixture.handler_workflow(&id)).await.run_id();

    let again = start(&fixture, &id, "request-1").await;
    assert_eq!(again.status, 201, "{again:?}");
    assert_eq!(token(&again), token(&first));
    let history = History::of(&fixture.handler_workflow(&id)).await;
    assert_eq!(history.run_id(), run);

    let other = start(&fixture, &id, "request-2").await;
    assert_eq!(other.status, 500, "{other:?}");
    assert_eq!(other.headers.get("nexus-request-retryable"), Some("false"));
    assert!(other.body.contains("is already started"), "{other:?}");
    tell(&fixture, &id).await;
    fixture.stop().await;
}

async fn a_request_that_is_sent_again_after_the_end_finds_its_workflow(setup: Setup) {
    let fixture = fixture(setup, WorkflowIdConflictPolicy::Unspecified).await;
    let id = unique("listen");
    let first = start(&fixture, &id, "request-1").await;
    assert_eq!(first.status, 201, "{first:?}");
    tell(&fixture, &id).await;
    let workflow = fixture.handler_workflow(&id);
    workflow.get_result(Default::default()).await.unwrap();
    let again = start(&fixture, &id, "request-1").await;
    assert_eq!(again.status, 201, "{again:?}");
    fixture.stop().await;
}

async fn a_start_that_the_server_refuses_is_a_bad_request(setup: Setup) {
    let fixture = fixture(setup, WorkflowIdConflictPolicy::Unspecified).await;
    // The server takes ids of up to 1,000 bytes; a token has room for more, but not for any.
    for (length, message) in [
        (1_100, "handler's request to a service failed"),
        (4_000, "workflow id is too long for an operation token"),
    ] {
        let call = fixture.call(LISTEN, "x".repeat(length)).await;
        let answer = call.error().handler_error().expect("a handler error");
        assert_eq!(answer.error_type(), &HandlerErrorType::BadRequest);
        assert_eq!(answer.message(), message);
    }
    fixture.stop().await;
}
