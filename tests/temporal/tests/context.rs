//! What a handler knows of the request, and of where it runs.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use nexus_rpc::{Headers, Operation, StartOperationContext, context::CancelReason, sync_operation};
use temporal_nexus::{NexusOperationOptions, TemporalOperationContext, testing::unique};
use temporalio_client::WorkflowStartOptions;
use temporalio_macros::{workflow, workflow_methods};
use temporalio_sdk::{
    WorkflowContext, WorkflowResult,
    runtime::worker_tuner::{FixedSizeSlotSupplier, TunerHolder, WorkerTuner},
};
use tokio::sync::mpsc;

use crate::fixture::{Attempts, SERVICE, Setup, everywhere, within};

everywhere! {
    a_request_has_a_deadline_and_an_operation_a_timeout,
    headers_arrive_in_lower_case,
    ;
    // No name of an endpoint comes over HTTP.
    a_handler_has_the_client_and_the_names_of_its_worker,
}

const TIMES: Operation<(), [Option<Duration>; 2]> = Operation::new(SERVICE, "times");

async fn a_request_has_a_deadline_and_an_operation_a_timeout(setup: Setup) {
    let times = sync_operation(async |ctx, ()| {
        let left = ctx.deadline().map(|at| at - Instant::now());
        Ok([left, ctx.operation_timeout()])
    });
    let fixture = setup.operation(TIMES, times).start().await;
    let [left, timeout] = fixture.call(TIMES, ()).await.outcome.unwrap();
    let left = left.expect("a deadline");
    // What the server grants, less what has passed.
    let expected = Duration::from_secs(5)..=Duration::from_secs(10);
    assert!(expected.contains(&left), "{left:?}");
    assert_eq!(timeout, None);

    let minute = Duration::from_secs(60);
    let call = fixture.call_with(TIMES, (), within(minute)).await;
    let [left, timeout] = call.outcome.unwrap();
    assert!(expected.contains(&left.unwrap()), "{left:?}");
    let timeout = timeout.expect("a timeout");
    let expected = Duration::from_secs(50)..=minute;
    assert!(expected.contains(&timeout), "{timeout:?}");
    fixture.stop().await;
}

const HEADERS: Operation<(), BTreeMap<String, String>> = Operation::new(SERVICE, "headers");

async fn headers_arrive_in_lower_case(setup: Setup) {
    let headers = sync_operation(async |ctx, ()| {
        assert_eq!(ctx.headers().get("X-TENANT"), Some("Acme"));
        let headers = ctx.headers().iter();
        Ok(headers
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect())
    });
    let fixture = setup.operation(HEADERS, headers).start().await;
    let options = || {
        NexusOperationOptions::builder()
            .headers(Headers::from_iter([
                ("X-Tenant", "Acme"),
                ("traceparent", "00-0af7-b7ad-01"),
            ]))
            .build()
    };
    let call = fixture.call_with(HEADERS, (), options).await;
    let headers = call.outcome.unwrap();
    assert_eq!(headers["x-tenant"], "Acme");
    assert_eq!(headers["traceparent"], "00-0af7-b7ad-01");
    assert!(headers.contains_key("request-timeout"), "{headers:?}");
    let lower = |key: &String| *key == key.to_lowercase();
    assert!(headers.keys().all(lower), "{headers:?}");
    fixture.stop().await;
}

#[workflow]
#[derive(Default)]
struct Double;

#[workflow_methods]
impl Double {
    #[run]
    async fn run(_ctx: &mut WorkflowContext<Self>, number: u32) -> WorkflowResult<u32> {
        Ok(2 * number)
    }
}

const WHERE: Operation<u32, (u32, [String; 3])> = Operation::new(SERVICE, "where");

async fn a_handler_has_the_client_and_the_names_of_its_worker(setup: Setup) {
    let ask = sync_operation(async |ctx, number| {
        let temporal = ctx.temporal()?;
        let options = WorkflowStartOptions::new(temporal.task_queue(), unique("double")).build();
        let client = temporal.client();
        let double = client.start_workflow(Double::run, number, options).await?;
        let doubled = double.get_result(Default::default()).await?;
        let names = [
            temporal.namespace(),
            temporal.task_queue(),
            temporal.endpoint(),
        ];
        Ok((doubled, names.map(str::to_owned)))
    });
    let setup = setup.workflow::<Double>().operation(WHERE, ask);
    let fixture = setup.start().await;
    let (doubled, names) = fixture.call(WHERE, 21).await.outcome.unwrap();
    assert_eq!(doubled, 42);
    let [namespace, task_queue, endpoint] = names;
    assert_eq!(namespace, fixture.handler.options().namespace);
    assert_eq!(task_queue, fixture.handler_queue);
    // The dev server does not tell.
    let expected = if fixture.newer {
        &*fixture.endpoint.name
    } else {
        ""
    };
    assert_eq!(endpoint, expected);
    fixture.stop().await;
}

const LATE: Operation<String, u32> = Operation::new(SERVICE, "late");

/// Room for so many operations at once.
fn nexus_slots(count: usize) -> WorkerTuner {
    let some = FixedSizeSlotSupplier::new(10);
    TunerHolder::builder()
        .workflow_task_slot_supplier(some)
        .activity_task_slot_supplier(some)
        .local_activity_task_slot_supplier(some)
        .nexus_task_slot_supplier(FixedSizeSlotSupplier::new(count))
        .build()
        .into()
}

#[tokio::test]
async fn a_handler_that_misses_its_deadline_is_told_and_frees_its_slot() {
    let attempts = Attempts::default();
    let (tell, mut told) = mpsc::unbounded_channel();
    let count = attempts.clone();
    let late = sync_operation(move |ctx: StartOperationContext, kind: String| {
        let attempt = count.count(&kind);
        let tell = tell.clone();
        async move {
            if attempt == 1 {
                let reason = ctx.cancelled().await;
                tell.send((kind.clone(), reason))?;
                if kind == "stubborn" {
                    std::future::pending::<()>().await;
                }
            }
            Ok(attempt)
        }
    });
    let fixture = Setup::new()
        .operation(LATE, late)
        // As many slots as operations that block them.
        .configure_handler(|options| options.tuner = nexus_slots(2))
        .start()
        .await;
    let options = NexusOperationOptions::default;
    let polite = fixture.begin_call(LATE, "polite".into(), options).await;
    let stubborn = fixture.begin_call(LATE, "stubborn".into(), options).await;
    let mut kinds = Vec::new();
    for _ in 0..2 {
        let (kind, reason) = told.recv().await.unwrap();
        assert_eq!(reason, CancelReason::TimedOut);
        kinds.push(kind);
    }
    kinds.sort_unstable();
    assert_eq!(kinds, ["polite", "stubborn"]);
    // The server asks again, and there is room for it.
    assert_eq!(polite.finish().await.result.unwrap().unwrap(), 2);
    assert_eq!(stubborn.finish().await.result.unwrap().unwrap(), 2);
    fixture.stop().await;
}
