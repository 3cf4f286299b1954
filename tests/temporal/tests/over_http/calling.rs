//! What a server sends to start an operation, and what it takes for an answer.

use nexus_rpc::{HandlerError, OperationToken, StartOperationResult};
use temporal_nexus::NexusOperationError;

use super::desk::{Desk, call, deliver, done};
use crate::fixture::{Setup, over_http};

over_http! {
    a_repeated_start_is_known_by_its_request_id,
    an_answer_that_the_server_cannot_keep_is_an_error,
    the_longest_token_is_one_that_servers_keep,
}

async fn a_repeated_start_is_known_by_its_request_id(setup: Setup) {
    let (fixture, mut desk) = Desk::open(setup).await;
    let caller = call(&fixture).await;
    let first = desk.start().await;
    let (id, callback) = (
        first.ctx.request_id().to_owned(),
        first.ctx.callback().cloned(),
    );
    first.answer(Err(HandlerError::unavailable("not now").into()));
    let second = desk.start().await;
    assert!(!id.is_empty());
    assert_eq!(second.ctx.request_id(), id);
    assert_eq!(second.input, "input");
    assert_eq!(
        second.ctx.callback().map(|it| &it.url),
        callback.as_ref().map(|it| &it.url)
    );
    let ctx = second.ctx.clone();
    second.started("job-1");
    deliver(&ctx, &done()).await.unwrap();
    assert_eq!(caller.finish().await.result.unwrap().unwrap(), "done");
    fixture.stop().await;
}

/// Of an answer: two MiB.
async fn an_answer_that_the_server_cannot_keep_is_an_error(setup: Setup) {
    let (fixture, mut desk) = Desk::open(setup).await;
    let caller = call(&fixture).await;
    let large = "x".repeat(3 << 20);
    let start = desk.start().await;
    start.answer(Ok(StartOperationResult::Sync(large)));
    let why = "body too large";
    if fixture.newer {
        // It asks again.
        let failure = format!("{:?}", caller.last_attempt_failure().await);
        assert!(failure.contains(why), "{failure}");
        let smaller = StartOperationResult::Sync("done".to_owned());
        desk.start().await.answer(Ok(smaller));
        assert_eq!(caller.finish().await.result.unwrap().unwrap(), "done");
    } else {
        let run = caller.finish().await;
        let error = run.result.unwrap().unwrap_err();
        assert!(matches!(error, NexusOperationError::Failed(_)), "{error:?}");
        assert!(run.history.says(why), "{:?}", run.history);
        assert!(desk.is_idle(), "it is not sent again");
    }
    fixture.stop().await;
}

/// The longest that a handler can make.
async fn the_longest_token_is_one_that_servers_keep(setup: Setup) {
    let (fixture, mut desk) = Desk::open(setup).await;
    let token = "t".repeat(4096);
    let (caller, ctx) = desk.started(&fixture, &token).await;
    let mut completion = done();
    completion.operation_token = Some(super::desk::token(&token));
    deliver(&ctx, &completion).await.unwrap();
    let run = caller.finish().await;
    assert_eq!(run.result.unwrap().unwrap(), "done");
    assert!(run.history.says(&token));
    OperationToken::new(token + "t").expect_err("that is all there is room for");
    fixture.stop().await;
}
