//! Receivers that do not take a completion, both ways.

use nexus_rpc::{Content, Headers, context::Callback};
use nexus_rpc_http::{
    Dialect,
    callback::{Completion, CompletionSender, DeliveryError},
};
use serde_json::json;

use crate::fixture::{Fail, HANDLER_ERRORS, Peer, Receiver, with_each_peer};

with_each_peer!(
    refusals_of_the_peer_are_understood,
    the_peer_understands_refusals
);

/// Each type with the retries that it has by itself and those that the receiver may demand.
fn refusals() -> impl Iterator<Item = (Fail, u16, bool)> {
    HANDLER_ERRORS
        .into_iter()
        .flat_map(|(error_type, status, retryable)| {
            let fail = Fail::handler(error_type, "not now");
            [
                (fail.clone(), status, retryable),
                (fail.retryable(!retryable), status, !retryable),
            ]
        })
}

async fn refusals_of_the_peer_are_understood(peer: Peer) {
    let (_receiver, address) = peer.receiver().await;
    let sender = CompletionSender::new().unwrap();
    for (fail, _, retryable) in refusals() {
        // sdk-go v0.4.0 is older than these two: it answers 500.
        if peer == Peer::SdkGo && matches!(&*fail.error_type, "REQUEST_TIMEOUT" | "CONFLICT") {
            continue;
        }
        let callback = Callback {
            url: format!("http://{address}/"),
            headers: Headers::from_iter([("fail", json!(fail).to_string())]),
        };
        let completion = Completion::succeeded(Content::empty());
        let sent = sender.send(Dialect::Current, &callback, &completion).await;
        let error = sent.expect_err("it is refused");
        assert_eq!(error.is_retryable(), retryable, "{fail:?}");
        let DeliveryError::Rejected(error) = error else {
            panic!("not refused: {error:?}");
        };
        assert_eq!(error.error_type().as_str(), fail.error_type);
    }
}

async fn the_peer_understands_refusals(peer: Peer) {
    let receiver = Receiver::start().await;
    let mut sender = peer.sender();
    for (fail, status, retryable) in refusals() {
        let sent = json!({"url": receiver.url("/"), "headers": {"fail": json!(fail).to_string()}});
        let error = sender.ask(&sent).await["error"].take();
        match peer {
            // It has no client for completions: whoever sends reads the status and this header.
            Peer::SdkGo => {
                let text = error["type"].as_str().expect("a status");
                assert!(text.starts_with(&status.to_string()), "{error}");
                let demanded = fail.retryable == Some(true);
                assert_eq!(error["retryable"], demanded, "{error}");
            }
            Peer::TemporalServer => {
                assert_eq!(error["type"], fail.error_type, "{error}");
                assert_eq!(error["retryable"], retryable, "{error}");
                assert_eq!(error["failure"]["message"], "not now");
            }
        }
    }
}
