//! Workflow runs behind HTTP in the draft dialect: state, result with waiting, ids of the caller's own.

use std::time::Duration;

use nexus_rpc::{HandlerErrorType, OperationState};
use nexus_rpc_http::{
    ClientError, Dialect, NexusHttpClient, RetryPolicy, StartOptions, StartedOperation,
};
use temporal_nexus::{WorkflowRun, testing::unique, workflow_run_operation};

use super::jobs::{JOB, Job, Work, go_on, operations, started};
use crate::fixture::{Fixture, Setup, over_http};

over_http! {
    a_workflow_can_be_asked_for_its_state_and_result,
    a_workflow_that_fails_or_is_canceled_says_so,
    an_id_of_the_callers_own_is_refused_before_anything_starts,
    an_id_of_the_callers_own_names_the_workflow_where_it_may,
}

/// Longer than any operation here takes.
const LONG: Duration = Duration::from_secs(30);

fn draft(fixture: &Fixture) -> NexusHttpClient {
    NexusHttpClient::builder(fixture.services_url())
        .dialect(Dialect::Draft)
        .retry(RetryPolicy::none())
        .build()
        .unwrap()
}

fn job(what: &str) -> Job {
    (unique("job"), what.to_owned())
}

async fn a_workflow_can_be_asked_for_its_state_and_result(setup: Setup) {
    let fixture = operations(setup).start().await;
    let client = draft(&fixture);
    let waits = job("wait");
    let handle = started(&client, waits.clone(), StartOptions::new()).await;
    assert_eq!(handle.callback_supported(), Some(false));
    assert_eq!(handle.info().await.unwrap().state, OperationState::Running);
    for wait in [Duration::ZERO, Duration::from_millis(50)] {
        let early = handle.result(wait).await;
        assert!(
            matches!(early, Err(ClientError::StillRunning { .. })),
            "{early:?}"
        );
    }
    let (result, ()) = tokio::join!(handle.result(LONG), go_on(&fixture, &waits.0));
    assert_eq!(result.unwrap(), format!("{} is done", waits.0));
    assert_eq!(
        handle.info().await.unwrap().state,
        OperationState::Succeeded
    );
    let again = handle.result(Duration::ZERO).await;
    assert_eq!(again.unwrap(), format!("{} is done", waits.0));
    fixture.stop().await;
}

async fn a_workflow_that_fails_or_is_canceled_says_so(setup: Setup) {
    let fixture = operations(setup).start().await;
    let client = draft(&fixture);
    let failing = started(&client, job("fail"), StartOptions::new()).await;
    let Err(ClientError::Operation(failure)) = failing.result(LONG).await else {
        panic!("the workflow failed");
    };
    assert_eq!(failure.state(), OperationState::Failed);
    assert_eq!(failing.info().await.unwrap().state, OperationState::Failed);

    let waiting = started(&client, job("wait"), StartOptions::new()).await;
    waiting.cancel().await.unwrap();
    let Err(ClientError::Operation(failure)) = waiting.result(LONG).await else {
        panic!("the workflow was canceled");
    };
    assert_eq!(failure.state(), OperationState::Canceled);
    assert_eq!(
        waiting.info().await.unwrap().state,
        OperationState::Canceled
    );
    fixture.stop().await;
}

async fn an_id_of_the_callers_own_is_refused_before_anything_starts(setup: Setup) {
    let fixture = operations(setup).start().await;
    let job = job("wait");
    let options = StartOptions::new().operation_id("mine");
    let refused = draft(&fixture).start(JOB, job.clone(), options).await;
    let Err(ClientError::Handler(error)) = refused else {
        panic!("no id can be chosen: {refused:?}");
    };
    assert_eq!(
        error.message(),
        "this operation chooses its own id: start it without one"
    );
    let workflow = fixture.handler_workflow(&job.0);
    workflow
        .describe(Default::default())
        .await
        .expect_err("nothing was started");
    fixture.stop().await;
}

async fn an_id_of_the_callers_own_names_the_workflow_where_it_may(setup: Setup) {
    let run = workflow_run_operation(Work::run, |_ctx, job: Job| {
        Ok(WorkflowRun::new("not this one", job))
    });
    let fixture = setup
        .operation(JOB, run.accept_operation_ids("job/"))
        .workflow::<Work>()
        .start()
        .await;
    let client = draft(&fixture);
    let id = unique("mine");
    let options = || StartOptions::new().operation_id(&id);
    let waits = job("wait");
    let handle = started(&client, waits.clone(), options()).await;
    assert_eq!(handle.token().as_str(), id);
    // Sent again, it is the same operation.
    let same = started(&client, waits.clone(), options()).await;
    assert_eq!(same.token().as_str(), id);
    let workflow = format!("job/{id}");
    let describe = fixture.handler_workflow(&workflow);
    describe.describe(Default::default()).await.unwrap();

    assert_eq!(handle.info().await.unwrap().state, OperationState::Running);
    go_on(&fixture, &workflow).await;
    let result = handle.result(LONG).await.unwrap();
    assert_eq!(result, format!("{} is done", waits.0));

    // And after its end, with its result.
    let again = client.start(JOB, waits.clone(), options()).await.unwrap();
    let StartedOperation::Completed { output, .. } = again else {
        panic!("it has ended: {again:?}");
    };
    assert_eq!(output, result);

    let canceled = unique("mine");
    let options = StartOptions::new().operation_id(&canceled);
    let handle = started(&client, job("wait"), options).await;
    handle.cancel().await.unwrap();
    let Err(ClientError::Operation(failure)) = handle.result(LONG).await else {
        panic!("the workflow was canceled");
    };
    assert_eq!(failure.state(), OperationState::Canceled);

    let unknown = nexus_rpc::OperationToken::new(unique("nobodys")).unwrap();
    let unknown = client.handle(JOB, unknown).unwrap().info().await;
    let Err(ClientError::Handler(error)) = unknown else {
        panic!("there is none: {unknown:?}");
    };
    assert_eq!(error.error_type(), &HandlerErrorType::NotFound);
    fixture.stop().await;
}
