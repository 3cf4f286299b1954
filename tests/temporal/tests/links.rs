//! Links between the caller's history and what its operations touched.

use nexus_rpc::{Link, Operation, sync_operation};
use temporal_nexus::{WorkflowRun, workflow_run_operation};
use temporalio_common::protos::temporal::api::{
    common::v1::{
        Link as ProtoLink,
        link::{
            Variant, WorkflowEvent,
            workflow_event::{EventReference, Reference},
        },
    },
    enums::v1::EventType,
    history::v1::{HistoryEvent, history_event::Attributes},
};
use temporalio_macros::{workflow, workflow_methods};
use temporalio_sdk::{WorkflowContext, WorkflowResult};

use crate::fixture::{Fixture, History, Running, SERVICE, Setup, everywhere};

everywhere! {
    a_handler_sees_where_the_request_comes_from,
    a_link_that_a_handler_adds_is_in_the_history_of_the_caller,
    caller_and_workflow_are_linked_both_ways,
}

const KIND: &str = "temporal.api.common.v1.Link.WorkflowEvent";

/// The place of an event, as links have it.
fn place(namespace: &str, workflow_id: &str, run_id: &str, event: &HistoryEvent) -> WorkflowEvent {
    WorkflowEvent {
        namespace: namespace.to_owned(),
        workflow_id: workflow_id.to_owned(),
        run_id: run_id.to_owned(),
        reference: Some(Reference::EventRef(EventReference {
            event_id: event.event_id,
            event_type: event.event_type,
        })),
    }
}

/// Where the only operation of the caller was scheduled.
async fn scheduled<T>(fixture: &Fixture, caller: &Running<T>) -> WorkflowEvent {
    let history = caller.history().await;
    let event = history.event(EventType::NexusOperationScheduled);
    let namespace = &fixture.caller.options().namespace;
    place(namespace, caller.id(), &history.run_id(), event)
}

fn events(links: &[ProtoLink]) -> Vec<WorkflowEvent> {
    let links = links.iter();
    links
        .map(|link| match &link.variant {
            Some(Variant::WorkflowEvent(it)) => it.clone(),
            other => panic!("{other:?}"),
        })
        .collect()
}

const INBOUND: Operation<(), Vec<[String; 2]>> = Operation::new(SERVICE, "inbound");

async fn a_handler_sees_where_the_request_comes_from(setup: Setup) {
    let inbound = sync_operation(async |ctx, ()| {
        let links = ctx.links().iter();
        Ok(links
            .map(|link| [link.url.clone(), link.link_type.clone()])
            .collect())
    });
    let fixture = setup.operation(INBOUND, inbound).start().await;
    let caller = fixture.begin_call(INBOUND, (), Default::default).await;
    caller.reaches(EventType::NexusOperationCompleted).await;
    let from = scheduled(&fixture, &caller).await;
    let url = format!(
        "temporal:///namespaces/{}/workflows/{}/{}/history\
         ?eventID=5&eventType=NexusOperationScheduled&referenceType=EventReference",
        from.namespace, from.workflow_id, from.run_id
    );
    let links = caller.finish().await.result.unwrap().unwrap();
    assert_eq!(links, [[url, KIND.to_owned()]]);
    fixture.stop().await;
}

const OUTBOUND: Operation<(), ()> = Operation::new(SERVICE, "outbound");

async fn a_link_that_a_handler_adds_is_in_the_history_of_the_caller(setup: Setup) {
    let outbound = sync_operation(async |ctx, ()| {
        let url = "temporal:///namespaces/shop/workflows/order%2F17/run/history\
                   ?eventID=1&eventType=WorkflowExecutionStarted&referenceType=EventReference";
        ctx.add_link(Link::new(url, KIND));
        // The server keeps what it knows.
        ctx.add_link(Link::new("https://example.com/order/17", "shop.Order"));
        Ok(())
    });
    let fixture = setup.operation(OUTBOUND, outbound).start().await;
    let call = fixture.call(OUTBOUND, ()).await;
    call.outcome.unwrap();
    let started = HistoryEvent {
        event_id: 1,
        event_type: EventType::WorkflowExecutionStarted.into(),
        ..Default::default()
    };
    assert_eq!(
        events(&call.history.event(EventType::NexusOperationCompleted).links),
        [place("shop", "order/17", "run", &started)]
    );
    fixture.stop().await;
}

#[workflow]
#[derive(Default)]
struct Nothing;

#[workflow_methods]
impl Nothing {
    #[run]
    async fn run(_ctx: &mut WorkflowContext<Self>) -> WorkflowResult<()> {
        Ok(())
    }
}

const RUN: Operation<(), ()> = Operation::new(SERVICE, "run");
/// With all that must be escaped in the path of a URL.
const ID: &str = "a workflow/with >100% & ünïcode?";

async fn caller_and_workflow_are_linked_both_ways(setup: Setup) {
    let run = workflow_run_operation(Nothing::run, |_ctx, ()| Ok(WorkflowRun::new(ID, ())));
    let setup = setup.workflow::<Nothing>().operation(RUN, run);
    let fixture = setup.start().await;
    let caller = fixture.begin_call(RUN, (), Default::default).await;
    caller.reaches(EventType::NexusOperationCompleted).await;
    let from = scheduled(&fixture, &caller).await;
    let call = caller.finish().await;
    call.result.unwrap().unwrap();

    let workflow = History::of(&fixture.handler_workflow(ID)).await;
    let started = workflow.event(EventType::WorkflowExecutionStarted);
    let namespace = &fixture.handler.options().namespace;
    assert_eq!(
        events(&call.history.event(EventType::NexusOperationStarted).links),
        [place(namespace, ID, &workflow.run_id(), started)]
    );
    let Some(Attributes::WorkflowExecutionStartedEventAttributes(attributes)) = &started.attributes
    else {
        panic!("{started:?}");
    };
    let [callback] = &*attributes.completion_callbacks else {
        panic!("{attributes:?}");
    };
    // The server has taken it off the event, where the worker has put it, too.
    assert_eq!(events(&callback.links), [from]);
    fixture.stop().await;
}
