//! Requests to cancel, and how operations end all the same.

use nexus_rpc::Failure;
use nexus_rpc_http::{OperationFailure, callback::Completion};
use temporal_nexus::NexusOperationError;
use temporalio_common::protos::temporal::api::enums::v1::EventType;

use super::desk::{Desk, deliver, done};
use crate::fixture::{Setup, over_http};

over_http! {
    the_token_comes_back_as_it_was_and_the_end_is_canceled,
    an_operation_may_succeed_all_the_same,
}

/// One server has it in the path, the other in a header.
const TOKEN: &str = "a/b+c d%2F?=#;x";

async fn the_token_comes_back_as_it_was_and_the_end_is_canceled(setup: Setup) {
    let (fixture, mut desk) = Desk::open(setup).await;
    let (caller, ctx) = desk.started(&fixture, TOKEN).await;
    caller.handle.cancel(Default::default()).await.unwrap();
    let (_, token) = desk.cancel().await;
    assert_eq!(token.as_str(), TOKEN);

    let stopped = OperationFailure::canceled(Failure::new("as asked"));
    deliver(&ctx, &Completion::unsuccessful(stopped))
        .await
        .unwrap();
    let run = caller.finish().await;
    let error = run.result.unwrap().unwrap_err();
    assert!(
        matches!(error, NexusOperationError::Canceled(_)),
        "{error:?}"
    );
    assert!(run.history.has(EventType::NexusOperationCanceled));
    assert!(run.history.says("as asked"), "{:?}", run.history);
    fixture.stop().await;
}

async fn an_operation_may_succeed_all_the_same(setup: Setup) {
    let (fixture, mut desk) = Desk::open(setup).await;
    let (caller, ctx) = desk.started(&fixture, "job-1").await;
    caller.handle.cancel(Default::default()).await.unwrap();
    desk.cancel().await;
    deliver(&ctx, &done()).await.unwrap();
    assert_eq!(caller.finish().await.result.unwrap().unwrap(), "done");
    fixture.stop().await;
}
