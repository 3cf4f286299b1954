//! Failures and cancellations, both ways.

use nexus_rpc::{Failure, Headers, OperationState, OperationToken, context::Callback};
use nexus_rpc_http::{
    Dialect, OperationFailure, Outcome,
    callback::{Completion, CompletionSender},
};
use serde_json::{Value, json};

use crate::fixture::{Fail, Peer, Receiver, with_each_peer};

with_each_peer!(
    the_peer_understands_failures,
    failures_of_the_peer_are_understood,
    causes_of_the_peer_are_understood,
    the_peer_understands_the_draft,
);

async fn the_peer_understands_failures(peer: Peer) {
    let (mut receiver, address) = peer.receiver().await;
    let callback = Callback {
        url: format!("http://{address}/"),
        headers: Headers::new(),
    };
    let failure = Failure {
        cause: Some(Box::new(Fail::root())),
        details: Some(json!({"code": 7})),
        ..Failure::new("no luck")
    };
    for failure in [
        OperationFailure::failed(failure.clone()),
        OperationFailure::canceled(failure.clone()),
    ] {
        let state = failure.state().as_str();
        let mut completion = Completion::unsuccessful(failure);
        completion.operation_token = Some(OperationToken::new("job/1").unwrap());
        let sender = CompletionSender::new().unwrap();
        sender
            .send(Dialect::Current, &callback, &completion)
            .await
            .unwrap();

        let seen = receiver.line().await;
        assert_eq!(seen["state"], state, "{seen}");
        assert_eq!(seen["token"], "job/1");
        let failure = &seen["error"]["failure"];
        assert_eq!(failure["message"], "no luck");
        assert_eq!(failure["details"], json!({"code": 7, "state": state}));
        let cause = match peer {
            // Failures of v0.4.0 have no causes.
            Peer::SdkGo => Value::Null,
            Peer::TemporalServer => json!(Fail::root()),
        };
        assert_eq!(failure["cause"], cause);
    }
}

async fn failures_of_the_peer_are_understood(peer: Peer) {
    let mut receiver = Receiver::start().await;
    let mut sender = peer.sender();
    for state in [OperationState::Failed, OperationState::Canceled] {
        let sent = json!({
            "url": receiver.url("/"),
            // On failures v0.4.0 sends the token by its former name only.
            "token": "job/1",
            "error": Fail::operation(state.as_str(), "no luck"),
        });
        assert_eq!(sender.ask(&sent).await, json!({}));
        let received = receiver.completion().await;
        assert_eq!(received.operation_token.unwrap().as_str(), "job/1");
        let Outcome::Unsuccessful(failure) = received.outcome else {
            panic!("it did not succeed");
        };
        assert_eq!(failure.state(), state);
        assert_eq!(failure.failure(), &Failure::new("no luck"));
    }
}

/// Both send the cause in the place of the error that it caused.
async fn causes_of_the_peer_are_understood(peer: Peer) {
    let mut receiver = Receiver::start().await;
    let mut sender = peer.sender();
    let sent = json!({
        "url": receiver.url("/"),
        "error": Fail::operation("canceled", "lost").cause(Fail::root()),
    });
    assert_eq!(sender.ask(&sent).await, json!({}));
    let Outcome::Unsuccessful(failure) = receiver.completion().await.outcome else {
        panic!("it did not succeed");
    };
    let mut expected = Fail::root();
    if peer == Peer::SdkGo {
        // Failures of v0.4.0 have no causes.
        expected.cause = None;
    }
    assert_eq!(failure.state(), OperationState::Canceled);
    assert_eq!(failure.failure(), &expected);
}

/// Both take a failure without a type for the cause, and the state from the header: what the draft sends.
async fn the_peer_understands_the_draft(peer: Peer) {
    let (mut receiver, address) = peer.receiver().await;
    let callback = Callback {
        url: format!("http://{address}/"),
        headers: Headers::new(),
    };
    let failure = OperationFailure::canceled(Failure::new("no luck"));
    let completion = Completion::unsuccessful(failure);
    let sender = CompletionSender::new().unwrap();
    let sent = sender.send(Dialect::Draft, &callback, &completion).await;
    sent.unwrap();

    let seen = receiver.line().await;
    assert_eq!(seen["state"], "canceled", "{seen}");
    let failure = &seen["error"]["failure"];
    let cause = match peer {
        Peer::SdkGo => failure,
        Peer::TemporalServer => &failure["cause"],
    };
    assert_eq!(cause, &json!({"message": "no luck"}));
}
