//! The client and the servers' HTTP API, with a worker behind it.

use nexus_rpc::{HandlerErrorType, Headers, context::Callback};
use nexus_rpc_http::{ClientError, NexusHttpClient, RetryPolicy, StartOptions, StartedOperation};
use temporal_nexus::testing::{EndpointSpec, unique};

use super::desk::{Desk, JOB, link};
use crate::fixture::{Fixture, Setup, on_both_servers};

on_both_servers! {
    a_request_passes_as_it_is_by_endpoint_and_by_task_queue,
    an_endpoint_that_has_no_worker_is_refused,
}

fn client(url: String) -> NexusHttpClient {
    NexusHttpClient::builder(url)
        .retry(RetryPolicy::none())
        .build()
        .expect("a client")
}

fn endpoint_url(fixture: &Fixture, id: &str) -> String {
    let address = fixture.server.http_address();
    format!("http://{address}/nexus/endpoints/{id}/services")
}

fn task_queue_url(fixture: &Fixture) -> String {
    format!(
        "http://{}/namespaces/{}/task-queues/{}/nexus-services",
        fixture.server.http_address(),
        fixture.handler.options().namespace,
        fixture.handler_queue
    )
}

async fn a_request_passes_as_it_is_by_endpoint_and_by_task_queue(setup: Setup) {
    let (fixture, mut desk) = Desk::open(setup).await;
    let endpoint = endpoint_url(&fixture, &fixture.endpoint.id);
    for url in [endpoint, task_queue_url(&fixture)] {
        let client = client(url);
        let callback = Callback {
            url: "http://127.0.0.1:1/done?a=%2F&b=c+d".into(),
            headers: Headers::from_iter([("x-secret", "S/e+c r=et")]),
        };
        let options = StartOptions::new()
            .request_id("request-1")
            .callback(callback.clone())
            .link(link("caller"))
            .header("X-Customer", "Ada");
        let handler = async {
            let start = desk.start().await;
            let ctx = &start.ctx;
            assert_eq!(start.input, "input");
            assert_eq!(ctx.request_id(), "request-1");
            assert_eq!(ctx.links(), [link("caller")]);
            assert_eq!(ctx.headers().get("x-customer"), Some("Ada"));
            let given = ctx.callback().expect("a callback");
            assert_eq!(given.url, callback.url);
            assert_eq!(given.headers.get("x-secret"), Some("S/e+c r=et"));
            ctx.add_link(link("order"));
            start.started("job/1 ?");
        };
        let (started, ()) = tokio::join!(client.start(JOB, "input".into(), options), handler);
        let StartedOperation::Pending(handle) = started.expect("an answer") else {
            panic!("it goes on");
        };
        assert_eq!(handle.token().as_str(), "job/1 ?");
        assert_eq!(handle.links(), [link("order")]);

        let handle = handle.with_header("X-Why", "too late");
        let (canceled, (ctx, token)) = tokio::join!(handle.cancel(), desk.cancel());
        canceled.expect("it is accepted");
        assert_eq!(token.as_str(), "job/1 ?");
        assert_eq!(ctx.headers().get("x-why"), Some("too late"));
    }
    fixture.stop().await;
}

async fn an_endpoint_that_has_no_worker_is_refused(setup: Setup) {
    let (fixture, desk) = Desk::open(setup).await;
    let external = EndpointSpec::external(&unique("external"), "http://127.0.0.1:1");
    let external = fixture.server.create_endpoint_from(external).await;
    let external = external.expect("an endpoint").id;
    let unknown = "00000000-0000-4000-8000-000000000000".to_owned();
    for (id, error_type) in [
        (unknown, HandlerErrorType::NotFound),
        (external, HandlerErrorType::BadRequest),
    ] {
        let client = client(endpoint_url(&fixture, &id));
        let refused = client.start(JOB, "input".into(), StartOptions::new());
        let Err(ClientError::Handler(error)) = refused.await else {
            panic!("there is no worker");
        };
        assert_eq!(error.error_type(), &error_type, "{error:?}");
    }
    assert!(desk.is_idle(), "no request reaches a worker");
    fixture.stop().await;
}
