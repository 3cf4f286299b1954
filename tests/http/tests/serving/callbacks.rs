//! All together: the peer starts an operation here, and gets to know its end by a callback.

use serde_json::{Value, json};

use super::start;
use crate::fixture::{Peer, Server, greeting, links, links_json, with_each_peer};

with_each_peer!(the_result_is_delivered, a_cancellation_is_delivered,);

/// A call of `later` with a callback to this address.
fn later(address: &str, input: Value) -> Value {
    let mut call = start("later", input);
    call["callbackUrl"] = format!("http://{address}/done?id=1%262").into();
    call["callbackHeaders"] = json!({"token": "s3cret"});
    call
}

async fn the_result_is_delivered(peer: Peer) {
    let server = Server::start().await;
    let (mut receiver, address) = peer.receiver().await;
    let mut client = peer.client(&server.address);
    let mut call = later(&address, json!({"json": greeting()}));
    call["links"] = links_json(&links());
    let started = client.ask(&call).await;
    assert!(started["token"].is_string(), "{started}");

    let seen = receiver.line().await;
    assert_eq!(seen["path"], "/done?id=1%262");
    assert_eq!(seen["headers"]["token"], "s3cret");
    assert_eq!(seen["state"], "succeeded");
    assert_eq!(seen["result"]["value"], greeting());
    assert_eq!(seen["token"], started["token"]);
    assert_eq!(seen["links"], call["links"]);
}

async fn a_cancellation_is_delivered(peer: Peer) {
    let server = Server::start().await;
    let (mut receiver, address) = peer.receiver().await;
    let mut client = peer.client(&server.address);
    let mut call = later(&address, json!({}));
    let started = client.ask(&call).await;
    call["do"] = "cancel".into();
    call["token"] = started["token"].clone();
    assert_eq!(client.ask(&call).await, json!({}), "{started}");

    let seen = receiver.line().await;
    assert_eq!(seen["state"], "canceled");
    assert_eq!(seen["token"], started["token"]);
    assert_eq!(seen["error"]["failure"]["message"], "as you like");
}
