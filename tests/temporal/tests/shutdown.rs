//! Stopping a worker, whatever it is doing.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use nexus_rpc::{Operation, Service, StartOperationContext, context::CancelReason, sync_operation};
use temporal_nexus::{
    NexusWorker,
    testing::{DevServer, unique},
};
use temporalio_client::{Client, ClientOptions};
use temporalio_common::protos::temporal::api::{
    enums::v1::TaskQueueType, failure::v1::failure::FailureInfo,
};
use temporalio_macros::{workflow, workflow_methods};
use temporalio_sdk::{WorkerOptions, WorkflowContext, WorkflowResult};
use tokio::{
    sync::{Semaphore, mpsc},
    time::timeout,
};

use crate::fixture::{
    Attempts, SERVICE, STOP_LIMIT, Setup, client_on, on_both_servers, pollers, until,
};

on_both_servers! {
    an_operation_that_is_running_is_answered_before_the_worker_stops,
    a_handler_that_does_not_return_is_told_and_then_given_up,
}

const SLOW: Operation<(), String> = Operation::new(SERVICE, "slow");

async fn an_operation_that_is_running_is_answered_before_the_worker_stops(setup: Setup) {
    let (gate, attempts) = (Arc::new(Semaphore::new(0)), Attempts::default());
    let (handler_gate, count) = (gate.clone(), attempts.clone());
    let slow = sync_operation(move |ctx: StartOperationContext, ()| {
        let gate = handler_gate.clone();
        count.count("slow");
        async move {
            gate.acquire().await?.forget();
            assert_eq!(ctx.cancel_reason(), None);
            Ok("done".to_owned())
        }
    });
    let fixture = setup.operation(SLOW, slow).start().await;
    let caller = fixture.begin_call(SLOW, (), Default::default).await;
    until("the handler runs", async || attempts.of("slow") == 1).await;
    fixture.handler_worker.shut_down();
    gate.add_permits(1);
    let run = caller.finish().await;
    assert_eq!(run.result.unwrap().unwrap(), "done");
    fixture.stop().await;
}

async fn a_handler_that_does_not_return_is_told_and_then_given_up(setup: Setup) {
    let grace = Duration::from_secs(1);
    let (tell, mut told) = mpsc::unbounded_channel();
    let stuck = sync_operation(move |ctx: StartOperationContext, ()| {
        let tell = tell.clone();
        async move {
            tell.send(None)?;
            tell.send(Some(ctx.cancelled().await))?;
            std::future::pending().await
        }
    });
    let fixture = setup
        .operation(SLOW, stuck)
        .configure_handler(move |options| options.graceful_shutdown_period = Some(grace))
        .start()
        .await;
    let caller = fixture.begin_call(SLOW, (), Default::default).await;
    assert_eq!(told.recv().await.unwrap(), None, "it runs");
    let asked = Instant::now();
    fixture.handler_worker.shut_down();
    assert_eq!(told.recv().await.unwrap(), Some(CancelReason::Shutdown));
    assert!(asked.elapsed() >= grace);

    // The server hears that it is to ask another worker.
    let failure = caller.last_attempt_failure().await;
    let Some(FailureInfo::NexusHandlerFailureInfo(info)) = &failure.failure_info else {
        panic!("{failure:?}");
    };
    assert_eq!(info.r#type, "UNAVAILABLE");
    assert!(
        format!("{failure:?}").contains("worker is shutting down"),
        "{failure:?}"
    );
    caller.handle.terminate(Default::default()).await.unwrap();
    fixture.stop().await;
    // The grace period, the time to tidy up, and not much more.
    assert!(asked.elapsed() < grace + Duration::from_secs(5));
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

/// A worker of all sorts.
fn worker(client: &Client, queue: &str) -> NexusWorker {
    let slow = sync_operation(async |_ctx, ()| Ok(String::new()));
    let service = Service::builder(SERVICE).operation(SLOW, slow).build();
    let options = WorkerOptions::new(queue)
        .register_workflow::<Nothing>()
        .expect("a new workflow")
        .build();
    let worker = NexusWorker::new(client.clone(), options, [service.expect("a service")]);
    worker.expect("a worker")
}

async fn until_it_polls(client: &Client, queue: &str) {
    for kind in [TaskQueueType::Nexus, TaskQueueType::Workflow] {
        until("the worker polls", async || {
            pollers(client, queue, kind).await > 0
        })
        .await;
    }
}

#[tokio::test]
async fn a_worker_starts_and_stops_many_times_and_at_last_without_its_server() {
    // Stops of workers have been seen to break servers: this one is the test's own.
    let mut server = DevServer::start().await.unwrap();
    let client = client_on(&server, ClientOptions::new("default").build()).await;
    for round in 0..50 {
        let queue = unique("queue");
        let mut worker = worker(&client, &queue);
        // Stopped before it has begun, and in full swing.
        let signal = async {
            if round % 2 == 0 {
                until_it_polls(&client, &queue).await;
            }
        };
        let ended = timeout(STOP_LIMIT, worker.run_until(signal)).await;
        ended
            .unwrap_or_else(|_| panic!("hangs in round {round}"))
            .unwrap();
    }
    let queue = unique("queue");
    let mut worker = worker(&client, &queue);
    let signal = async {
        until_it_polls(&client, &queue).await;
        server.kill().await.unwrap();
    };
    let ended = timeout(STOP_LIMIT, worker.run_until(signal)).await;
    ended.expect("hangs without its server").unwrap();
}

#[tokio::test]
async fn a_worker_that_is_dropped_makes_room_for_another() {
    let server = DevServer::shared().await;
    let client = client_on(server, ClientOptions::new("default").build()).await;
    let queue = unique("queue");
    // Never run.
    drop(worker(&client, &queue));
    // Dropped while it runs: not even its future is left.
    let mut dropped = worker(&client, &queue);
    tokio::select! {
        ended = dropped.run() => panic!("{ended:?}"),
        () = until_it_polls(&client, &queue) => {}
    }
    drop(dropped);
    let mut last = worker(&client, &queue);
    let run = timeout(STOP_LIMIT, last.run_until(async {})).await;
    run.expect("it ends").unwrap();
}
