//! Requests that the peer's handler refuses.

use std::time::Duration;

use nexus_rpc::content::ToContent;
use nexus_rpc::{Content, HandlerError, HandlerErrorType, Operation, OperationDefinition};
use nexus_rpc_http::{ClientError, StartOptions};
use serde_json::json;

use crate::fixture::{FAIL, Fail, HANDLER_ERRORS, HANG, Peer, client, with_each_peer};

with_each_peer!(
    each_type_is_understood,
    the_handler_decides_about_retries,
    the_cause_comes_along,
    what_does_not_exist_is_not_found,
    input_of_another_type_is_refused,
    a_late_answer_is_an_error,
    a_type_of_its_own_is_kept,
);

async fn refused<Op>(
    address: &str,
    operation: Op,
    input: Op::Input,
    options: StartOptions,
) -> HandlerError
where
    Op: OperationDefinition<Output = ()>,
    Op::Input: ToContent,
{
    match client(address).execute(operation, input, options).await {
        Err(ClientError::Handler(error)) => error,
        other => panic!("not refused: {other:?}"),
    }
}

/// As of a caller of before failures had types: Temporal's server sends it only the cause, if there is one.
fn outdated() -> StartOptions {
    StartOptions::new().header("temporal-nexus-failure-support", "false")
}

async fn each_type_is_understood(peer: Peer) {
    let (_handler, address) = peer.handler().await;
    for (error_type, _, retryable) in HANDLER_ERRORS {
        let error = refused(
            &address,
            FAIL,
            Fail::handler(error_type, "told to"),
            StartOptions::new(),
        )
        .await;
        // sdk-go v0.4.0 is older than these two: it answers 500.
        if peer == Peer::SdkGo && matches!(error_type, "REQUEST_TIMEOUT" | "CONFLICT") {
            assert_eq!(error.error_type(), &HandlerErrorType::Internal);
            continue;
        }
        assert_eq!(error.error_type().as_str(), error_type);
        assert_eq!(error.is_retryable(), retryable, "{error_type}");
        assert_eq!(message(peer, &error), "told to");
    }
}

/// sdk-go v0.4.0 has no message for the error itself: the body is a failure without a type, which is the cause by the specification.
fn message(peer: Peer, error: &HandlerError) -> &str {
    match peer {
        Peer::SdkGo => &error.cause().expect("a cause").message,
        Peer::TemporalServer => error.message(),
    }
}

async fn the_handler_decides_about_retries(peer: Peer) {
    let (_handler, address) = peer.handler().await;
    for error_type in ["BAD_REQUEST", "INTERNAL"] {
        for retryable in [true, false] {
            // Without the full form the header alone says it.
            for options in [StartOptions::new(), outdated()] {
                let fail = Fail::handler(error_type, "x").retryable(retryable);
                let error = refused(&address, FAIL, fail, options).await;
                assert_eq!(error.is_retryable(), retryable, "{error_type}");
            }
        }
    }
}

async fn the_cause_comes_along(peer: Peer) {
    let (_handler, address) = peer.handler().await;
    let fail = Fail::handler("UNAVAILABLE", "later")
        .cause(Fail::root())
        .retryable(false);
    let whole = refused(&address, FAIL, fail.clone(), StartOptions::new()).await;
    let bare = refused(&address, FAIL, fail, outdated()).await;
    for error in [&whole, &bare] {
        assert_eq!(error.error_type(), &HandlerErrorType::Unavailable);
        assert!(!error.is_retryable());
        let mut expected = Fail::root();
        if peer == Peer::SdkGo {
            // Failures of v0.4.0 have no causes.
            expected.cause = None;
        }
        assert_eq!(error.cause(), Some(&expected));
    }
    if peer == Peer::TemporalServer {
        assert_eq!(whole.message(), "later");
    }
}

async fn what_does_not_exist_is_not_found(peer: Peer) {
    let (_handler, address) = peer.handler().await;
    for (service, name) in [("svc", "nope"), ("nope", "echo")] {
        let operation = Operation::<(), ()>::new(service, name);
        let error = refused(&address, operation, (), StartOptions::new()).await;
        assert_eq!(error.error_type(), &HandlerErrorType::NotFound);
        assert!(message(peer, &error).contains("not found"), "{error:?}");
    }
}

async fn input_of_another_type_is_refused(peer: Peer) {
    let (_handler, address) = peer.handler().await;
    let echo = Operation::<Content, ()>::new("svc", "echo");
    let array = json!([1]).to_string();
    for input in [
        Content::new("application/json", array),
        Content::new("application/json", "{"),
        Content::new("text/plain", "{}"),
    ] {
        let error = refused(&address, echo, input, StartOptions::new()).await;
        assert_eq!(error.error_type(), &HandlerErrorType::BadRequest);
    }
}

/// By the specification the answer is 408; both answer 500, as if the handler had failed.
async fn a_late_answer_is_an_error(peer: Peer) {
    let (_handler, address) = peer.handler().await;
    let options = StartOptions::new().request_timeout(Duration::from_millis(50));
    let error = refused(&address, HANG, (), options).await;
    assert_eq!(error.error_type(), &HandlerErrorType::Internal);
    assert!(error.is_retryable());
}

async fn a_type_of_its_own_is_kept(peer: Peer) {
    let (_handler, address) = peer.handler().await;
    let error = refused(
        &address,
        FAIL,
        Fail::handler("MY_TYPE", "mine"),
        StartOptions::new(),
    )
    .await;
    let error_type = match peer {
        // It tells the type by the status, which is 500.
        Peer::SdkGo => HandlerErrorType::Internal,
        Peer::TemporalServer => HandlerErrorType::from("MY_TYPE"),
    };
    assert_eq!(error.error_type(), &error_type);
    assert!(error.is_retryable());
}
