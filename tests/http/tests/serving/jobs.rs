//! Operations of this handler that go on.

use serde_json::{Value, json};

use super::start;
use crate::fixture::{Peer, Server, TOKENS, links, links_json, with_each_peer};

with_each_peer!(
    a_job_gives_its_token_and_can_be_canceled,
    an_unknown_token_is_not_found
);

async fn a_job_gives_its_token_and_can_be_canceled(peer: Peer) {
    let mut server = Server::start().await;
    let mut client = peer.client(&server.address);
    for token in TOKENS {
        let mut call = start("job", json!({"json": {"token": token}}));
        call["links"] = links_json(&links());
        let answer = client.ask(&call).await;
        assert_eq!(answer["token"], token, "{answer}");
        assert_eq!(answer["links"], call["links"]);

        let mut call = cancel(token);
        call["headers"] = json!({"x-why": "enough"});
        let answer = client.ask(&call).await;
        assert_eq!(answer, json!({}));
        let canceled = server.canceled().await;
        assert_eq!(canceled.token, token);
        assert_eq!(canceled.headers.get("x-why"), Some("enough"));
    }
}

async fn an_unknown_token_is_not_found(peer: Peer) {
    let server = Server::start().await;
    let mut client = peer.client(&server.address);
    let answer = client.ask(&cancel("unknown")).await;
    assert_eq!(answer["error"]["type"], "NOT_FOUND");
    assert_eq!(answer["error"]["failure"]["message"], "no such job");
}

/// Where sdk-go put the token before 2025, and can still.
#[tokio::test]
async fn the_token_may_stand_in_the_path() {
    if !Peer::installed() {
        return;
    }
    let mut server = Server::start().await;
    let mut client = Peer::SdkGo.client(&server.address);
    for token in TOKENS {
        let mut call = cancel(token);
        call["tokenInPath"] = true.into();
        let answer = client.ask(&call).await;
        assert_eq!(answer, json!({}), "{token}");
        assert_eq!(server.canceled().await.token, token);
    }
}

/// sdk-go v0.4.0 can ask for results and states, with requests that the specification has no more. The path of the one for a state
/// is that of a start, which is a path of POST.
#[tokio::test]
async fn questions_of_former_times_are_refused() {
    if !Peer::installed() {
        return;
    }
    let server = Server::start().await;
    let mut client = Peer::SdkGo.client(&server.address);
    for (question, refusal) in [
        ("info", "405 Method Not Allowed"),
        ("result", "NOT_IMPLEMENTED"),
    ] {
        let mut call = cancel("plain");
        call["do"] = question.into();
        let answer = client.ask(&call).await;
        let text = answer["error"]["text"].as_str().expect("an error");
        assert!(text.contains(refusal), "{text}");
    }
}

fn cancel(token: &str) -> Value {
    json!({"service": "svc", "operation": "job", "do": "cancel", "token": token})
}
