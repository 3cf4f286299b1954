//! Operations of this handler that end without a result.

use serde_json::{Value, json};

use super::start;
use crate::fixture::{Fail, Peer, Process, Server, with_each_peer};

with_each_peer!(
    the_state_and_the_message_arrive,
    a_nested_cause_arrives,
    details_arrive
);

async fn failed(client: &mut Process, fail: Fail) -> Value {
    let mut answer = client.ask(&start("fail", json!({"json": fail}))).await;
    answer["error"].take()
}

async fn the_state_and_the_message_arrive(peer: Peer) {
    let server = Server::start().await;
    let mut client = peer.client(&server.address);
    for state in ["failed", "canceled"] {
        let error = failed(&mut client, Fail::operation(state, "no luck")).await;
        assert_eq!(error["state"], state, "{error}");
        let failure = json!({
            "message": "no luck",
            "metadata": {"type": "nexus.OperationError"},
            "details": {"state": state},
        });
        assert_eq!(error["failure"], failure);
    }
}

async fn a_nested_cause_arrives(peer: Peer) {
    let server = Server::start().await;
    let mut client = peer.client(&server.address);
    let fail = Fail::operation("canceled", "stopped").cause(Fail::root());
    let error = failed(&mut client, fail).await;
    assert_eq!(error["state"], "canceled", "{error}");
    assert_eq!(error["failure"]["message"], "stopped");
    let cause = match peer {
        // Failures of v0.4.0 have no causes.
        Peer::SdkGo => Value::Null,
        Peer::TemporalServer => json!(Fail::root()),
    };
    assert_eq!(error["failure"]["cause"], cause);
}

async fn details_arrive(peer: Peer) {
    let server = Server::start().await;
    let mut client = peer.client(&server.address);
    let details = json!({"code": 7, "why": ["é"]});
    let fail = Fail::operation("failed", "no luck").details(details.clone());
    let error = failed(&mut client, fail).await;
    let seen = &error["failure"]["details"];
    assert_eq!(seen, &json!({"state": "failed", "data": details}));
}
