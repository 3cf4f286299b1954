//! What this handler learns of a call besides its input.

use serde_json::{Value, json};

use super::start;
use crate::fixture::{Peer, Server, links, links_json, with_each_peer};

with_each_peer!(
    all_of_the_request_arrives,
    links_arrive_and_come_back,
    an_id_is_made_for_a_request_without
);

async fn all_of_the_request_arrives(peer: Peer) {
    let server = Server::start().await;
    let mut client = peer.client(&server.address);
    let mut call = start("inspect", json!({"json": "hello"}));
    call["requestId"] = "request/1 ü".into();
    call["callbackUrl"] = "http://127.0.0.1:9/a%2Fb?token=1%262&x=+#ü".into();
    call["callbackHeaders"] = json!({"token": "s3cret; \"x\"", "x-many": "a, b"});
    call["headers"] = json!({"x-custom": "one, zwei ü", "operation-timeout": "90000ms"});
    call["timeoutMillis"] = 20_000.into();
    let answer = client.ask(&call).await;

    let seen = &answer["result"]["value"];
    for same in ["requestId", "callbackUrl", "callbackHeaders"] {
        assert_eq!(seen[same], call[same], "{answer}");
    }
    assert_eq!(seen["content"]["type"], "application/json");
    let headers = &seen["headers"];
    assert_eq!(headers["x-custom"], "one, zwei ü");
    assert_eq!(headers["operation-timeout"], "90000ms");
    assert_eq!(headers["content-type"], Value::Null, "it is the content's");
    let left = seen["millisecondsLeft"].as_i64().expect("a deadline");
    assert!((10_000..=20_000).contains(&left), "{left} ms");
}

async fn links_arrive_and_come_back(peer: Peer) {
    let server = Server::start().await;
    let mut client = peer.client(&server.address);
    let mut call = start("inspect", json!({}));
    call["links"] = links_json(&links());
    let answer = client.ask(&call).await;
    assert_eq!(
        answer["result"]["value"]["links"], call["links"],
        "{answer}"
    );
    assert_eq!(answer["links"], call["links"]);
}

async fn an_id_is_made_for_a_request_without(peer: Peer) {
    let server = Server::start().await;
    let mut client = peer.client(&server.address);
    let mut ids = Vec::new();
    for _ in 0..2 {
        let answer = client.ask(&start("inspect", json!({}))).await;
        let id = answer["result"]["value"]["requestId"]
            .as_str()
            .expect("an id");
        ids.push(id.to_owned());
    }
    assert_eq!(ids[0].len(), 36);
    assert_ne!(ids[0], ids[1]);
}
