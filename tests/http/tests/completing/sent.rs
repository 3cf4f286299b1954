//! Results that this sender delivers to the peer.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use nexus_rpc::{
    Content, Headers, OperationToken,
    content::{JsonSerializer, ToContent},
    context::Callback,
};
use nexus_rpc_http::{
    Dialect,
    callback::{Completion, CompletionSender},
};
use serde_json::{Value, json};

use super::{CLOSE_TIME, START_TIME, close_time, start_time};
use crate::fixture::{Peer, greeting, links, links_json, with_each_peer};

with_each_peer!(results_of_all_kinds_arrive, all_about_the_operation_arrives);

async fn results_of_all_kinds_arrive(peer: Peer) {
    let (mut receiver, address) = peer.receiver().await;
    let sender = CompletionSender::new().unwrap();
    let callback = callback(&format!("http://{address}/"));
    let bytes = vec![7; 1024 * 1024];
    let raw = [0x89, b'P', 0];
    let content = |value: Value| value.to_content(&JsonSerializer).unwrap();
    let kinds = [
        (content(greeting()), greeting(), json!("application/json")),
        (
            bytes.clone().to_content(&JsonSerializer).unwrap(),
            BASE64_STANDARD.encode(bytes).into(),
            json!("application/octet-stream"),
        ),
        (
            Content::new("image/png", raw.to_vec()),
            BASE64_STANDARD.encode(raw).into(),
            json!("image/png"),
        ),
        (Content::empty(), Value::Null, Value::Null),
    ];
    for (content, value, content_type) in kinds {
        let completion = Completion::succeeded(content);
        // At the same time: the peer says all of a large one before it answers.
        let send = sender.send(Dialect::Current, &callback, &completion);
        let (sent, seen) = tokio::join!(send, receiver.line());
        sent.unwrap();
        assert_eq!(seen["state"], "succeeded");
        assert_eq!(seen["result"]["headers"]["type"], content_type);
        assert!(seen["result"]["value"] == value, "another {content_type}");
    }
}

async fn all_about_the_operation_arrives(peer: Peer) {
    let (mut receiver, address) = peer.receiver().await;
    let sender = CompletionSender::new().unwrap();
    let mut callback = callback(&format!("http://{address}/a%2Fb/c?token=1%262&x=+"));
    callback.headers = Headers::from_iter([("Token", "s3cret; \"x\""), ("X-Many", "a, b")]);
    let token = "{\"v\":1} a/b%2F,;";
    let completion = Completion {
        operation_token: Some(OperationToken::new(token).unwrap()),
        start_time: Some(start_time()),
        close_time: Some(close_time()),
        links: links(),
        ..Completion::succeeded(Content::empty())
    };
    sender
        .send(Dialect::Current, &callback, &completion)
        .await
        .unwrap();

    let seen = receiver.line().await;
    assert_eq!(seen["path"], "/a%2Fb/c?token=1%262&x=+", "byte for byte");
    assert_eq!(seen["headers"]["token"], "s3cret; \"x\"");
    assert_eq!(seen["headers"]["x-many"], "a, b");
    assert_eq!(seen["token"], token);
    assert_eq!(seen["startTime"], START_TIME);
    assert_eq!(seen["links"], links_json(&links()));
    // sdk-go v0.4.0 is older than this header.
    if peer == Peer::TemporalServer {
        assert_eq!(seen["closeTime"], CLOSE_TIME);
    }
}

fn callback(url: &str) -> Callback {
    Callback {
        url: url.to_owned(),
        headers: Headers::new(),
    }
}
