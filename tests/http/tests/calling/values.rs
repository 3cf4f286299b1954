//! What goes in and comes out.

use nexus_rpc::{Content, Operation};
use nexus_rpc_http::{ClientError, StartOptions};
use serde_json::Value;

use crate::fixture::{BYTES, ECHO, NOTHING, ODD, Peer, RAW, client, greeting, with_each_peer};

with_each_peer!(
    json_comes_back,
    bytes_come_back,
    nothing_comes_back,
    any_content_comes_back,
    odd_names_are_found,
    a_result_of_another_type_is_an_error,
);

async fn json_comes_back(peer: Peer) {
    let (_handler, address) = peer.handler().await;
    let Value::Object(input) = greeting() else {
        unreachable!("it is an object")
    };
    let output = client(&address)
        .execute(ECHO, input, StartOptions::new())
        .await;
    assert_eq!(output.unwrap(), greeting());
}

async fn bytes_come_back(peer: Peer) {
    let (_handler, address) = peer.handler().await;
    let client = client(&address);
    let megabyte: Vec<u8> = (0..1024 * 1024).map(|at: u32| (at % 251) as u8).collect();
    for bytes in [vec![], vec![0, 255, 10], megabyte] {
        let output = client
            .execute(BYTES, bytes.clone(), StartOptions::new())
            .await;
        assert!(output.unwrap() == bytes, "{} bytes", bytes.len());
    }
}

async fn nothing_comes_back(peer: Peer) {
    let (_handler, address) = peer.handler().await;
    client(&address)
        .execute(NOTHING, (), StartOptions::new())
        .await
        .unwrap();
}

async fn any_content_comes_back(peer: Peer) {
    let (_handler, address) = peer.handler().await;
    let mut content = Content::new("image/png; x=\"1\"", vec![0x89, b'P', 0]);
    content.headers.insert("language", "de");
    content.headers.insert("disposition", "inline");
    let output = client(&address)
        .execute(RAW, content.clone(), StartOptions::new())
        .await;
    assert_eq!(output.unwrap(), content);
}

async fn odd_names_are_found(peer: Peer) {
    let (_handler, address) = peer.handler().await;
    let Value::Object(input) = greeting() else {
        unreachable!("it is an object")
    };
    let output = client(&address)
        .execute(ODD, input, StartOptions::new())
        .await;
    assert_eq!(output.unwrap(), greeting());
}

async fn a_result_of_another_type_is_an_error(peer: Peer) {
    let (_handler, address) = peer.handler().await;
    let raw = Operation::<Content, u64>::new("svc", "raw");
    for input in [
        Content::new("text/plain", "1"),
        Content::new("application/json", "[1]"),
    ] {
        let answer = client(&address)
            .execute(raw, input, StartOptions::new())
            .await;
        assert!(matches!(answer, Err(ClientError::Result(_))), "{answer:?}");
    }
}
