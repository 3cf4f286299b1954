//! Results that the peer delivers to this receiver.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use nexus_rpc::{Content, content::OCTET_STREAM};
use nexus_rpc_http::Outcome;
use serde_json::json;

use super::{CLOSE_TIME, START_TIME, close_time, start_time};
use crate::fixture::{Peer, Receiver, greeting, links, links_json, with_each_peer};

with_each_peer!(results_of_all_kinds_arrive, all_about_the_operation_arrives);

async fn results_of_all_kinds_arrive(peer: Peer) {
    let mut receiver = Receiver::start().await;
    let mut sender = peer.sender();
    let bytes = vec![7; 1024 * 1024];
    let encoded = BASE64_STANDARD.encode(&bytes);
    let raw = json!({"headers": {"type": "image/png", "language": "de"}, "data": "iVAA"});
    let mut png = Content::new("image/png", vec![0x89, b'P', 0]);
    png.headers.insert("language", "de");
    let kinds = [
        (json!({"json": greeting()}), None),
        (
            json!({"bytes": encoded}),
            Some(Content::new(OCTET_STREAM, bytes)),
        ),
        (json!({"raw": raw}), Some(png)),
        (json!({}), Some(Content::empty())),
    ];
    for (result, content) in kinds {
        let sent = json!({"url": receiver.url("/"), "result": result});
        assert_eq!(sender.ask(&sent).await, json!({}));
        let Outcome::Succeeded(received) = receiver.completion().await.outcome else {
            panic!("it succeeded");
        };
        match content {
            Some(content) => assert!(received == content, "{:?}", received.headers),
            // Its text is for the peer's serializer to choose.
            None => {
                assert_eq!(received.content_type(), Some("application/json"));
                let value: serde_json::Value = serde_json::from_slice(&received.data).unwrap();
                assert_eq!(value, greeting());
            }
        }
    }
}

async fn all_about_the_operation_arrives(peer: Peer) {
    let mut receiver = Receiver::start().await;
    let mut sender = peer.sender();
    let path = "/a%2Fb/c?token=1%262&x=+";
    let token = "{\"v\":1} a/b%2F,;";
    let sent = json!({
        "url": receiver.url(path),
        "headers": {"token": "s3cret; \"x\"", "x-many": "a, b"},
        "token": token,
        "startTime": START_TIME,
        "closeTime": CLOSE_TIME,
        "links": links_json(&links()),
    });
    assert_eq!(sender.ask(&sent).await, json!({}));

    let received = receiver.completion().await;
    assert_eq!(received.request.uri, path);
    assert_eq!(received.headers.get("token"), Some("s3cret; \"x\""));
    assert_eq!(received.headers.get("x-many"), Some("a, b"));
    assert_eq!(received.operation_token.unwrap().as_str(), token);
    assert_eq!(received.start_time, start_time());
    assert_eq!(received.links, links());
    // sdk-go v0.4.0 is older than this header.
    let closed = (peer == Peer::TemporalServer).then(close_time);
    assert_eq!(received.close_time, closed);
}
