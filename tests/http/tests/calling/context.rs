//! What a handler of the peer learns of a call besides its input.

use std::time::Duration;

use nexus_rpc::{Content, Headers, Link, context::Callback};
use nexus_rpc_http::{StartOptions, StartedOperation};
use serde_json::{Value, json};

use crate::fixture::{INSPECT, Peer, client, links, links_json, with_each_peer};

with_each_peer!(
    all_of_the_request_arrives,
    links_arrive_and_come_back,
    what_the_peers_cannot_read_in_a_link_is_escaped
);

async fn all_of_the_request_arrives(peer: Peer) {
    let (_handler, address) = peer.handler().await;
    let callback = Callback {
        url: "http://127.0.0.1:9/a%2Fb?token=1%262&x=+#ü".to_owned(),
        headers: Headers::from_iter([("Token", "s3cret; \"x\""), ("X-Many", "a, b")]),
    };
    let options = StartOptions::new()
        .request_id("request/1 ü")
        .callback(callback.clone())
        .header("X-Custom", "one, zwei ü")
        .operation_timeout(Duration::from_secs(90))
        .request_timeout(Duration::from_secs(20));
    let input = Content::new("text/plain", "hello");
    let seen = client(&address)
        .execute(INSPECT, input, options)
        .await
        .unwrap();

    assert_eq!(seen["requestId"], "request/1 ü");
    assert_eq!(seen["callbackUrl"], callback.url);
    assert_eq!(
        seen["callbackHeaders"],
        json!({"token": "s3cret; \"x\"", "x-many": "a, b"})
    );
    assert_eq!(seen["content"]["type"], "text/plain");
    let headers = &seen["headers"];
    assert_eq!(headers["x-custom"], "one, zwei ü");
    assert_eq!(headers["operation-timeout"], "90000ms");
    assert_eq!(headers["request-timeout"], "20000ms");
    assert_eq!(headers["content-type"], Value::Null, "it is the content's");
    let left = seen["millisecondsLeft"].as_i64().expect("a deadline");
    assert!((10_000..=20_000).contains(&left), "{left} ms");
}

async fn links_arrive_and_come_back(peer: Peer) {
    let (_handler, address) = peer.handler().await;
    let options = links()
        .into_iter()
        .fold(StartOptions::new(), StartOptions::link);
    let started = client(&address)
        .start(INSPECT, Content::empty(), options)
        .await;
    let StartedOperation::Completed {
        output,
        links: back,
    } = started.unwrap()
    else {
        panic!("it is synchronous");
    };
    assert_eq!(output["links"], links_json(&links()));
    assert_eq!(back, links());
}

/// They split the header at every comma, and take a semicolon in a query for an error.
async fn what_the_peers_cannot_read_in_a_link_is_escaped(peer: Peer) {
    let (_handler, address) = peer.handler().await;
    let options = StartOptions::new().link(Link::new("http://a/b,c;d?e,f;g h<é>", "x"));
    let seen = client(&address)
        .execute(INSPECT, Content::empty(), options)
        .await
        .unwrap();
    let url = "http://a/b%2Cc;d?e%2Cf%3Bg%20h%3C%C3%A9%3E";
    assert_eq!(seen["links"], links_json(&[Link::new(url, "x")]));
}
