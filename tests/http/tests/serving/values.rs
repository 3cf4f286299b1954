//! What goes in and comes out.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Value, json};

use super::start;
use crate::fixture::{ODD_NAME, Peer, Server, greeting, with_each_peer};

with_each_peer!(
    json_comes_back,
    bytes_come_back,
    nothing_comes_back,
    any_content_comes_back,
    odd_names_are_found,
    a_body_over_the_limit_is_refused,
);

async fn json_comes_back(peer: Peer) {
    let server = Server::start().await;
    let mut client = peer.client(&server.address);
    let answer = client
        .ask(&start("echo", json!({"json": greeting()})))
        .await;
    assert_eq!(answer["result"]["value"], greeting(), "{answer}");
    assert_eq!(answer["result"]["headers"]["type"], "application/json");
}

async fn bytes_come_back(peer: Peer) {
    let server = Server::start().await;
    let mut client = peer.client(&server.address);
    let megabyte: Vec<u8> = (0..1024 * 1024).map(|at: u32| (at % 251) as u8).collect();
    for bytes in [vec![0, 255, 10], megabyte] {
        let bytes = Value::from(BASE64_STANDARD.encode(bytes));
        let answer = client.ask(&start("bytes", json!({"bytes": bytes}))).await;
        assert_eq!(answer["error"], Value::Null);
        assert!(answer["result"]["value"] == bytes, "other bytes");
        assert_eq!(
            answer["result"]["headers"]["type"],
            "application/octet-stream"
        );
    }
}

async fn nothing_comes_back(peer: Peer) {
    let server = Server::start().await;
    let mut client = peer.client(&server.address);
    let answer = client.ask(&start("nothing", json!({}))).await;
    let result = answer["result"].as_object().expect("a result");
    assert_eq!(result["value"], Value::Null);
    assert_eq!(result["headers"]["type"], Value::Null);
}

async fn any_content_comes_back(peer: Peer) {
    let server = Server::start().await;
    let mut client = peer.client(&server.address);
    let headers = json!({"type": "image/png; x=\"1\"", "language": "de", "disposition": "inline"});
    let data = BASE64_STANDARD.encode([0x89, b'P', 0]);
    let raw = json!({"raw": {"headers": headers, "data": data}});
    let answer = client.ask(&start("raw", raw)).await;
    let result = &answer["result"];
    assert_eq!(result["value"], data, "{answer}");
    for (name, value) in headers.as_object().expect("an object") {
        assert_eq!(&result["headers"][name], value);
    }
}

async fn odd_names_are_found(peer: Peer) {
    let server = Server::start().await;
    let mut client = peer.client(&server.address);
    let mut call = start(ODD_NAME, json!({"json": greeting()}));
    call["service"] = ODD_NAME.into();
    let answer = client.ask(&call).await;
    assert_eq!(answer["result"]["value"], greeting(), "{answer}");
}

async fn a_body_over_the_limit_is_refused(peer: Peer) {
    let server = Server::start().await;
    let mut client = peer.client(&server.address);
    let bytes = BASE64_STANDARD.encode(vec![0; 8 * 1024 * 1024]);
    let answer = client.ask(&start("bytes", json!({"bytes": bytes}))).await;
    assert_eq!(answer["error"]["type"], "BAD_REQUEST", "{answer}");
}
