//! The options with which an operation starts its workflow.

use std::time::Duration;

use nexus_rpc::Operation;
use temporal_nexus::{WorkflowRun, testing::unique, workflow_run_operation};
use temporalio_client::WorkflowStartOptions;
use temporalio_common::{
    MemoValues,
    protos::temporal::api::{enums::v1::EventType, history::v1::history_event::Attributes},
};
use temporalio_macros::{workflow, workflow_methods};
use temporalio_sdk::{WorkflowContext, WorkflowResult};

use crate::fixture::{History, SERVICE, Setup, everywhere};

everywhere! {
    a_workflow_run_is_started_with_its_options,
}

/// Repeats its input.
#[workflow]
#[derive(Default)]
struct Repeat;

#[workflow_methods]
impl Repeat {
    #[run]
    async fn run(_ctx: &mut WorkflowContext<Self>, text: String) -> WorkflowResult<String> {
        Ok(text)
    }
}

const REPEAT: Operation<String, String> = Operation::new(SERVICE, "repeat");

async fn a_workflow_run_is_started_with_its_options(setup: Setup) {
    let id = unique("repeat");
    let workflow_id = id.clone();
    let repeat = workflow_run_operation(Repeat::run, move |ctx, text: String| {
        let mut memo = MemoValues::new();
        memo.insert("asked-by", ctx.request_id().to_owned());
        let options = WorkflowStartOptions::new("", &workflow_id)
            .execution_timeout(Duration::from_secs(60))
            .run_timeout(Duration::from_secs(50))
            .static_summary("repeats itself")
            .memo(memo)
            .build();
        Ok(WorkflowRun::with_options(options, text))
    });
    let fixture = setup
        .workflow::<Repeat>()
        .operation(REPEAT, repeat)
        .start()
        .await;
    let call = fixture.call(REPEAT, "again".to_owned()).await;
    assert_eq!(call.outcome.unwrap(), "again");
    let scheduled = call.history.event(EventType::NexusOperationScheduled);
    let Some(Attributes::NexusOperationScheduledEventAttributes(scheduled)) = &scheduled.attributes
    else {
        panic!("{scheduled:?}");
    };

    let workflow = fixture.handler_workflow(&id);
    let history = History::of(&workflow).await;
    let started = history.event(EventType::WorkflowExecutionStarted);
    let Some(Attributes::WorkflowExecutionStartedEventAttributes(started)) = &started.attributes
    else {
        panic!("{started:?}");
    };
    let seconds = [
        &started.workflow_execution_timeout,
        &started.workflow_run_timeout,
    ]
    .map(|timeout| timeout.as_ref().map(|it| it.seconds));
    assert_eq!(seconds, [Some(60), Some(50)]);
    let task_queue = started.task_queue.as_ref().expect("a task queue");
    assert_eq!(task_queue.name, fixture.handler_queue);

    let description = workflow.describe(Default::default()).await.unwrap();
    assert_eq!(description.static_summary(), Some("repeats itself"));
    let asked_by: Option<String> = description.memo().get("asked-by").unwrap();
    assert_eq!(asked_by.as_ref(), Some(&scheduled.request_id));
    fixture.stop().await;
}
