//! Requests that this handler refuses.

use serde_json::{Value, json};

use super::start;
use crate::fixture::{Fail, HANDLER_ERRORS, Peer, Process, Server, with_each_peer};

with_each_peer!(
    each_type_is_understood,
    the_handler_decides_about_retries,
    the_cause_comes_along,
    what_does_not_exist_is_not_found,
    input_of_another_type_is_refused,
    a_late_answer_is_a_timeout,
    a_type_of_its_own_is_kept,
);

/// What the peer makes of an error.
async fn refused(client: &mut Process, fail: Fail) -> Value {
    let mut answer = client.ask(&start("fail", json!({"json": fail}))).await;
    answer["error"].take()
}

async fn each_type_is_understood(peer: Peer) {
    let server = Server::start().await;
    let mut client = peer.client(&server.address);
    for (error_type, status, retryable) in HANDLER_ERRORS {
        let error = refused(&mut client, Fail::handler(error_type, "told to")).await;
        // sdk-go v0.4.0 is older than these two, and has no type for their status.
        if peer == Peer::SdkGo && matches!(error_type, "REQUEST_TIMEOUT" | "CONFLICT") {
            let text = error["text"].as_str().expect("a text");
            assert!(text.contains(&format!("\"{status} ")), "{text}");
            continue;
        }
        assert_eq!(error["type"], error_type, "{error}");
        assert_eq!(error["retryable"], retryable, "{error_type}");
        assert_eq!(error["failure"]["message"], "told to");
    }
}

async fn the_handler_decides_about_retries(peer: Peer) {
    let server = Server::start().await;
    let mut client = peer.client(&server.address);
    for error_type in ["BAD_REQUEST", "INTERNAL"] {
        for retryable in [true, false] {
            let fail = Fail::handler(error_type, "x").retryable(retryable);
            let error = refused(&mut client, fail).await;
            assert_eq!(error["retryable"], retryable, "{error_type}");
        }
    }
}

async fn the_cause_comes_along(peer: Peer) {
    let server = Server::start().await;
    let mut client = peer.client(&server.address);
    let fail = Fail::handler("UNAVAILABLE", "later").cause(Fail::root());
    let error = refused(&mut client, fail).await;
    assert_eq!(error["failure"]["message"], "later");
    assert_eq!(error["failure"]["metadata"]["type"], "nexus.HandlerError");
    let cause = match peer {
        // Failures of v0.4.0 have no causes.
        Peer::SdkGo => Value::Null,
        Peer::TemporalServer => json!(Fail::root()),
    };
    assert_eq!(error["failure"]["cause"], cause);
}

async fn what_does_not_exist_is_not_found(peer: Peer) {
    let server = Server::start().await;
    let mut client = peer.client(&server.address);
    for (service, operation) in [("svc", "nope"), ("nope", "echo")] {
        let mut call = start(operation, json!({}));
        call["service"] = service.into();
        let error = client.ask(&call).await["error"].take();
        assert_eq!(error["type"], "NOT_FOUND", "{error}");
        assert_eq!(error["retryable"], false);
    }
}

async fn input_of_another_type_is_refused(peer: Peer) {
    let server = Server::start().await;
    let mut client = peer.client(&server.address);
    let of_type =
        |content_type| json!({"raw": {"headers": {"type": content_type}, "data": "ew=="}});
    for input in [
        json!({"json": [1]}),
        json!({"bytes": "AAAA"}),
        of_type("application/json"),
        of_type("text/plain"),
    ] {
        let error = client.ask(&start("echo", input)).await["error"].take();
        assert_eq!(error["type"], "BAD_REQUEST", "{error}");
        assert_eq!(error["retryable"], false);
    }
}

async fn a_late_answer_is_a_timeout(peer: Peer) {
    let server = Server::start().await;
    let mut client = peer.client(&server.address);
    let mut call = start("hang", json!({}));
    // As a header, for the client not to give up at the same time.
    call["headers"] = json!({"request-timeout": "50ms"});
    let error = client.ask(&call).await["error"].take();
    match peer {
        // It is older than this type, and has none for the status.
        Peer::SdkGo => {
            let text = error["text"].as_str().expect("a text");
            assert!(text.contains("\"408 "), "{text}");
        }
        Peer::TemporalServer => assert_eq!(error["type"], "REQUEST_TIMEOUT", "{error}"),
    }
}

async fn a_type_of_its_own_is_kept(peer: Peer) {
    let server = Server::start().await;
    let mut client = peer.client(&server.address);
    let error = refused(&mut client, Fail::handler("MY_TYPE", "mine")).await;
    let error_type = match peer {
        // It knows errors by their status, which is 500.
        Peer::SdkGo => "INTERNAL",
        Peer::TemporalServer => "MY_TYPE",
    };
    assert_eq!(error["type"], error_type);
    assert_eq!(error["retryable"], true);
}
