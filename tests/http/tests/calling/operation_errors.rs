//! Operations of the peer that end without a result.

use nexus_rpc::{Failure, OperationState};
use nexus_rpc_http::{ClientError, OperationFailure, StartOptions};

use crate::fixture::{FAIL, Fail, Peer, client, with_each_peer};

with_each_peer!(
    the_state_and_the_message_arrive,
    a_nested_cause_arrives,
    a_bare_cause_is_the_failure
);

async fn failure(address: &str, fail: Fail, outdated: bool) -> OperationFailure {
    let mut options = StartOptions::new();
    if outdated {
        options = options.header("temporal-nexus-failure-support", "false");
    }
    match client(address).execute(FAIL, fail, options).await {
        Err(ClientError::Operation(failure)) => *failure,
        other => panic!("not failed: {other:?}"),
    }
}

async fn the_state_and_the_message_arrive(peer: Peer) {
    let (_handler, address) = peer.handler().await;
    for state in [OperationState::Failed, OperationState::Canceled] {
        for outdated in [false, true] {
            let fail = Fail::operation(state.as_str(), "no luck");
            let failure = failure(&address, fail, outdated).await;
            assert_eq!(failure.state(), state);
            assert_eq!(failure.message(), "no luck");
            assert_eq!(failure.failure(), &Failure::new("no luck"));
        }
    }
}

async fn a_nested_cause_arrives(peer: Peer) {
    // Failures of v0.4.0 have no causes.
    if peer == Peer::SdkGo {
        return;
    }
    let (_handler, address) = peer.handler().await;
    let fail = Fail::operation("canceled", "stopped").cause(Fail::root());
    let failure = failure(&address, fail, false).await;
    assert_eq!(failure.state(), OperationState::Canceled);
    assert_eq!(failure.message(), "stopped");
    assert_eq!(failure.cause(), Some(&Fail::root()));
    assert_eq!(failure.details_content(), None, "the state is not a detail");
}

/// Both send the cause in the place of the error: v0.4.0 always, Temporal's server to callers that know no more.
async fn a_bare_cause_is_the_failure(peer: Peer) {
    let (_handler, address) = peer.handler().await;
    let fail = Fail::operation("failed", "lost").cause(Fail::root());
    let failure = failure(&address, fail, true).await;
    let mut expected = Fail::root();
    if peer == Peer::SdkGo {
        expected.cause = None;
    }
    assert_eq!(failure.state(), OperationState::Failed);
    assert_eq!(failure.failure(), &expected);
}
