//! The HTTP client, through the HTTP API of the server to a worker, and straight to the same operations behind HTTP. Temporal sends the
//! callbacks.

use std::time::Duration;

use nexus_rpc::{HandlerErrorType, Operation};
use nexus_rpc_http::{
    ClientError, NexusHttpClient, RetryPolicy, StartOptions,
    callback::{CallbackTokens, PendingCompletions},
};
use temporal_nexus::testing::unique;
use tokio::{net::TcpListener, task::JoinHandle, time::timeout};

use super::jobs::{ECHO, FAIL, JOB, go_on, operations, says, started};
use crate::fixture::{Fixture, SERVICE, Setup, everywhere};

everywhere! {
    an_answer_at_once_is_a_result_or_says_why_there_is_none,
    temporal_calls_back_with_the_result_of_a_workflow,
    temporal_calls_back_with_how_a_workflow_ended,
    a_canceled_workflow_is_a_canceled_operation,
    a_repeated_request_is_the_same_operation,
    what_is_not_there_is_not_found,
}

/// A client that is called back.
struct Caller {
    client: NexusHttpClient,
    receiver: JoinHandle<()>,
}

impl Drop for Caller {
    fn drop(&mut self) {
        self.receiver.abort();
    }
}

impl Caller {
    async fn of(fixture: &Fixture) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/done", listener.local_addr().unwrap());
        let completions = PendingCompletions::new(CallbackTokens::random(), url);
        let app = axum::Router::new().route_service("/done", completions.receiver());
        let receiver = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        let client = NexusHttpClient::builder(fixture.services_url())
            .completions(completions)
            .retry(RetryPolicy::none())
            .build()
            .unwrap();
        Self { client, receiver }
    }

    async fn job(&self, id: &str, what: &str) -> Result<String, ClientError> {
        let input = (id.to_owned(), what.to_owned());
        let options = StartOptions::new().operation_timeout(Duration::from_secs(30));
        self.client.execute(JOB, input, options).await
    }
}

fn client(fixture: &Fixture) -> NexusHttpClient {
    NexusHttpClient::new(fixture.services_url()).unwrap()
}

async fn an_answer_at_once_is_a_result_or_says_why_there_is_none(setup: Setup) {
    let fixture = operations(setup).start().await;
    let client = client(&fixture);
    let echo = client.execute(ECHO, "¡hola!".into(), StartOptions::new());
    assert_eq!(echo.await.unwrap(), "¡hola!");
    for (how, message) in [("failed", "no luck"), ("canceled", "stopped")] {
        let call = client.execute(FAIL, how.into(), StartOptions::new());
        let Err(ClientError::Operation(failure)) = call.await else {
            panic!("the operation failed");
        };
        assert_eq!(failure.state().as_str(), how);
        assert!(
            says(failure.message(), failure.cause(), message),
            "{failure:?}"
        );
    }
    let refused = client.execute(FAIL, String::new(), StartOptions::new());
    let Err(ClientError::Handler(error)) = refused.await else {
        panic!("the request was refused");
    };
    assert_eq!(error.error_type(), &HandlerErrorType::BadRequest);
    assert!(says(error.message(), error.cause(), "told to"), "{error:?}");
    fixture.stop().await;
}

async fn temporal_calls_back_with_the_result_of_a_workflow(setup: Setup) {
    let fixture = operations(setup).start().await;
    let caller = Caller::of(&fixture).await;
    let id = unique("job");
    let result = caller.job(&id, "succeed").await.unwrap();
    assert_eq!(result, format!("{id} is done"));
    fixture.stop().await;
}

async fn temporal_calls_back_with_how_a_workflow_ended(setup: Setup) {
    let fixture = operations(setup).start().await;
    let caller = Caller::of(&fixture).await;
    let failed = caller.job(&unique("job"), "fail").await;
    let Err(ClientError::Operation(failure)) = failed else {
        panic!("the operation failed: {failed:?}");
    };
    assert_eq!(failure.state().as_str(), "failed");
    assert!(
        says(failure.message(), failure.cause(), "no luck"),
        "{failure:?}"
    );
    fixture.stop().await;
}

async fn a_canceled_workflow_is_a_canceled_operation(setup: Setup) {
    let fixture = operations(setup).start().await;
    let caller = Caller::of(&fixture).await;
    let id = unique("job");
    let waiting = caller.job(&id, "wait");
    // Attached to the same workflow, by a request of its own.
    let cancel = async {
        let input = (id.clone(), "wait".to_owned());
        let handle = started(&caller.client, input, StartOptions::new()).await;
        handle.cancel().await.unwrap();
        handle.cancel().await.unwrap();
    };
    let (canceled, ()) = tokio::join!(waiting, cancel);
    let Err(ClientError::Operation(failure)) = canceled else {
        panic!("the operation was canceled: {canceled:?}");
    };
    assert_eq!(failure.state().as_str(), "canceled");
    fixture.stop().await;
}

async fn a_repeated_request_is_the_same_operation(setup: Setup) {
    let fixture = operations(setup).start().await;
    let client = client(&fixture);
    let id = unique("job");
    let request = || StartOptions::new().request_id("request-1");
    let first = started(&client, (id.clone(), "wait".into()), request()).await;
    let second = started(&client, (id.clone(), "wait".into()), request()).await;
    assert_eq!(first.token(), second.token());
    for handle in [&first, &second] {
        let [link] = handle.links() else {
            panic!("{:?}", handle.links());
        };
        assert!(link.url.contains(&id), "{link:?}");
    }
    go_on(&fixture, &id).await;
    let workflow = fixture.handler_workflow(&id);
    let result = timeout(
        Duration::from_secs(30),
        workflow.get_result(Default::default()),
    );
    result.await.expect("it ends").unwrap();
    fixture.stop().await;
}

async fn what_is_not_there_is_not_found(setup: Setup) {
    let fixture = operations(setup).start().await;
    let client = client(&fixture);
    const UNKNOWN: Operation<(), ()> = Operation::new(SERVICE, "sing");
    let unknown = client.execute(UNKNOWN, (), StartOptions::new()).await;
    let Err(ClientError::Handler(error)) = unknown else {
        panic!("there is no such operation: {unknown:?}");
    };
    assert_eq!(error.error_type(), &HandlerErrorType::NotFound);

    let id = unique("job");
    let handle = started(&client, (id.clone(), "succeed".into()), StartOptions::new()).await;
    let token = temporal_nexus::WorkflowRunToken::decode(handle.token()).unwrap();
    let token = temporal_nexus::WorkflowRunToken {
        workflow_id: unique("nobody"),
        ..token
    };
    let token = nexus_rpc::OperationToken::new(token.encode()).unwrap();
    let canceled = client.handle(JOB, token).unwrap().cancel().await;
    let Err(ClientError::Handler(error)) = canceled else {
        panic!("there is no such workflow: {canceled:?}");
    };
    assert_eq!(error.error_type(), &HandlerErrorType::NotFound);
    fixture.stop().await;
}
