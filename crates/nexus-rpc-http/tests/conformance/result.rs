//! Result of an operation, now or after a wait (draft).

use std::time::{Duration, Instant};

use nexus_rpc::{Content, OperationToken};
use nexus_rpc_http::{ClientError, Dialect, OperationHandle, StartOptions};
use serde_json::{Value, json};

use crate::support::{
    DRAFT, Server, client,
    peer::{JSON, Peer, response},
    services::{JOB, Job},
    within,
};

const STATE_RUNNING: &str = "Nexus-Operation-State: running";
const STATE_SUCCEEDED: &str = "Nexus-Operation-State: succeeded";

fn seven() -> Job {
    Job::Done(Content::new("application/json", "7"))
}

fn path(query: &str) -> String {
    format!("{DRAFT}/job/a/result{query}")
}

/// A deadline so many milliseconds from now.
fn deadline(millis: u64) -> String {
    let at = jiff::Timestamp::now() + Duration::from_millis(millis);
    path(&format!("?wait_deadline={at:.3}"))
}

async fn running() -> Server {
    let server = Server::start().await;
    server.jobs.add("a", Job::Running);
    server
}

fn handle(server: &Server) -> OperationHandle<Value> {
    server
        .client(Dialect::Draft)
        .handle(JOB, OperationToken::new("a").unwrap())
        .unwrap()
}

/// What a client makes of answers to its question for the result.
async fn asked(peer: &Peer, wait: Option<Duration>) -> Result<Option<Value>, ClientError> {
    let handle: OperationHandle<Value> = client(peer.address, Dialect::Draft)
        .handle(JOB, OperationToken::new("a").unwrap())
        .unwrap();
    match wait {
        Some(wait) => handle.result(wait).await.map(Some),
        None => handle.try_result().await,
    }
}

/// Ends the job when a request waits for it.
async fn end_when_waited_for(server: &Server, job: Job) {
    while server.jobs.waiting("a") == 0 {
        tokio::task::yield_now().await;
    }
    server.jobs.end("a", job);
}

#[tokio::test]
async fn d44_get_result_is_a_path_of_its_own() {
    let server = running().await;
    server.jobs.end("a", seven());
    assert_eq!(server.get(&path("")).await.expect(200).text(), "7");
    assert_eq!(handle(&server).try_result().await.unwrap(), Some(json!(7)));
    let peer = Peer::answering([response("200 OK", &[JSON], "7")]).await;
    asked(&peer, None).await.unwrap();
    assert_eq!(
        peer.request().first_line,
        "GET /api/v1/services/svc/operations/job/a/result HTTP/1.1"
    );
}

#[tokio::test]
async fn d45_wait_deadline_holds_the_request() {
    let server = running().await;
    let started = Instant::now();
    server.get(&deadline(300)).await.expect(408);
    let elapsed = started.elapsed();
    assert!(elapsed >= Duration::from_millis(250), "{elapsed:?}");
    assert!(elapsed < Duration::from_secs(5), "{elapsed:?}");
}

#[tokio::test]
async fn d46_without_a_deadline_a_running_operation_is_reported_at_once() {
    let server = running().await;
    let started = Instant::now();
    server.get(&path("")).await.expect(204);
    server.get(&path("?wait_deadline=")).await.expect(204);
    assert!(started.elapsed() < Duration::from_secs(5));
    assert_eq!(handle(&server).try_result().await.unwrap(), None);
}

#[tokio::test]
async fn d47_200_is_the_result() {
    let server = running().await;
    server.jobs.end("a", seven());
    let answer = server.get(&path("")).await.expect(200);
    assert_eq!(answer.header("nexus-operation-state"), Some("succeeded"));
    assert_eq!(answer.json(), json!(7));
}

#[tokio::test]
async fn d48_204_succeeded_is_an_empty_result() {
    let server = running().await;
    server.jobs.end("a", Job::Done(Content::empty()));
    let answer = server.get(&path("")).await.expect(204);
    assert_eq!(answer.header("nexus-operation-state"), Some("succeeded"));
    assert_eq!(
        handle(&server).try_result().await.unwrap(),
        Some(Value::Null)
    );
}

#[tokio::test]
async fn d49_204_running_is_still_running() {
    let server = running().await;
    let answer = server.get(&path("")).await.expect(204);
    assert_eq!(answer.header("nexus-operation-state"), Some("running"));
    assert_eq!(answer.header("content-length"), None);
    let peer = Peer::answering([response("204 No Content", &[STATE_RUNNING], "")]).await;
    assert_eq!(asked(&peer, None).await.unwrap(), None);
}

#[tokio::test]
async fn d50_482_is_failed_or_canceled() {
    let server = running().await;
    for (job, state) in [(Job::Failed, "failed"), (Job::Canceled, "canceled")] {
        server.jobs.end("a", job);
        let answer = server.get(&path("")).await.expect(482);
        assert_eq!(answer.header("nexus-operation-state"), Some(state));
        assert_eq!(answer.json(), json!({"message": format!("job {state}")}));
        let error = handle(&server)
            .result(Duration::from_secs(1))
            .await
            .unwrap_err();
        let ClientError::Operation(failure) = error else {
            panic!("expected {state}, got {error:?}");
        };
        assert_eq!(failure.state().as_str(), state);
    }
}

#[tokio::test]
async fn d51_408_when_the_deadline_passes_first() {
    let server = running().await;
    server.get(&deadline(50)).await.expect(408);
    let error = handle(&server)
        .result(Duration::from_millis(50))
        .await
        .unwrap_err();
    assert!(
        matches!(error, ClientError::StillRunning { .. }),
        "{error:?}"
    );
}

#[tokio::test]
async fn d52_the_client_asks_again_with_a_pause() {
    let peer = Peer::answering([
        response("408 Request Timeout", &[], ""),
        response("204 No Content", &[STATE_RUNNING], ""),
        response("200 OK", &[JSON, STATE_SUCCEEDED], "7"),
    ])
    .await;
    let started = Instant::now();
    assert_eq!(
        asked(&peer, Some(Duration::from_secs(30))).await.unwrap(),
        Some(json!(7))
    );
    assert_eq!(peer.requests().len(), 3);
    // 100 ms, then 200 ms.
    assert!(started.elapsed() >= Duration::from_millis(300));
    // Not a busy loop, and not beyond its own deadline.
    let peer = Peer::answering([response("408 Request Timeout", &[], "")]).await;
    let error = asked(&peer, Some(Duration::from_millis(350)))
        .await
        .unwrap_err();
    assert!(
        matches!(error, ClientError::StillRunning { .. }),
        "{error:?}"
    );
    assert!(peer.requests().len() <= 4, "{}", peer.requests().len());
}

#[tokio::test]
async fn d53_404_is_an_unknown_id() {
    let server = Server::start().await;
    server.get(&path("")).await.expect(404);
    server.get(&deadline(5000)).await.expect(404);
    let error = handle(&server)
        .result(Duration::from_secs(5))
        .await
        .unwrap_err();
    assert!(matches!(error, ClientError::Handler(_)), "{error:?}");
}

#[tokio::test]
async fn d54_a_completion_ends_the_wait() {
    let server = running().await;
    let started = Instant::now();
    let question = deadline(30_000);
    let (answer, ()) = within(async {
        tokio::join!(server.get(&question), end_when_waited_for(&server, seven()))
    })
    .await;
    assert_eq!(answer.expect(200).text(), "7");
    assert!(started.elapsed() < Duration::from_secs(10));

    server.jobs.add("a", Job::Running);
    let handle = handle(&server);
    let (output, ()) = within(async {
        tokio::join!(
            handle.result(Duration::from_secs(30)),
            end_when_waited_for(&server, seven())
        )
    })
    .await;
    assert_eq!(output.unwrap(), 7);

    // The same in one call.
    let client = server.client(Dialect::Draft);
    let options = StartOptions::new().operation_id("b");
    let (output, ()) = within(async {
        tokio::join!(client.execute(JOB, json!({}), options), async {
            while !server.jobs.contains("b") || server.jobs.waiting("b") == 0 {
                tokio::task::yield_now().await;
            }
            server.jobs.end("b", seven());
        })
    })
    .await;
    assert_eq!(output.unwrap(), 7);
}

#[tokio::test]
async fn d55_a_deadline_is_a_date_of_few_forms() {
    let server = running().await;
    server.jobs.end("a", seven());
    for text in [
        "2999-01-01T00:00:00Z",
        "2999-01-01T00:00:00.123456789123Z",
        "2999-01-01T00:00:00%2B02:00",
        "2999-01-01T00:00:00-02:00",
        "2999-01-01T00:00:00",
        "2999-01-01",
    ] {
        server
            .get(&path(&format!("?wait_deadline={text}")))
            .await
            .expect(200);
    }
    // The client sends UTC with milliseconds.
    let peer = Peer::answering([response("200 OK", &[JSON], "7")]).await;
    asked(&peer, Some(Duration::from_secs(5))).await.unwrap();
    let line = peer.request().first_line;
    let sent = line
        .split("wait_deadline=")
        .nth(1)
        .unwrap()
        .strip_suffix(" HTTP/1.1")
        .unwrap()
        .replace("%3A", ":");
    assert_eq!(sent.len(), "2026-01-01T00:00:00.000Z".len(), "{sent}");
    assert!(sent.ends_with('Z'));
    let sent: jiff::Timestamp = sent.parse().unwrap();
    let left = sent.duration_since(jiff::Timestamp::now()).as_secs_f64();
    assert!((3.0..=5.0).contains(&left), "{left}");
}

#[tokio::test]
async fn d56_a_malformed_deadline_is_a_bad_request() {
    let server = running().await;
    for text in [
        "soon",
        "10s",
        "2999-02-30",
        "%zz",
        "2999-01-01T00:00:00%2B0200",
        "1700000000",
    ] {
        let answer = server
            .get(&path(&format!("?wait_deadline={text}")))
            .await
            .expect(400);
        assert!(
            answer.json()["message"]
                .as_str()
                .unwrap()
                .contains("wait_deadline")
        );
    }
}

#[tokio::test]
async fn d57_a_past_deadline_gets_the_outcome_or_408_at_once() {
    let server = running().await;
    let past = path("?wait_deadline=2001-01-01T00:00:00Z");
    let started = Instant::now();
    server.get(&past).await.expect(408);
    assert!(started.elapsed() < Duration::from_secs(5));
    server.jobs.end("a", seven());
    server.get(&past).await.expect(200);
}

#[tokio::test]
async fn d58_the_servers_cap_is_a_408() {
    let server = Server::with(|builder| builder.max_wait(Duration::from_millis(100))).await;
    server.jobs.add("a", Job::Running);
    let started = Instant::now();
    server.get(&deadline(60_000)).await.expect(408);
    assert!(started.elapsed() < Duration::from_secs(30));
    // A client with more patience asks again.
    let handle = handle(&server);
    let ended = async {
        for _ in 0..3 {
            while server.jobs.waiting("a") == 0 {
                tokio::task::yield_now().await;
            }
            while server.jobs.waiting("a") > 0 {
                tokio::task::yield_now().await;
            }
        }
        server.jobs.end("a", seven());
    };
    let (output, ()) =
        within(async { tokio::join!(handle.result(Duration::from_secs(30)), ended) }).await;
    assert_eq!(output.unwrap(), 7);
    // Nor is there any number of waits.
    let server = Server::with(|builder| builder.max_concurrent_waits(0)).await;
    server.jobs.add("a", Job::Running);
    server.get(&deadline(60_000)).await.expect(503);
    server.get(&path("")).await.expect(204);
}

#[tokio::test]
async fn d59_a_space_stands_for_the_plus_of_an_offset() {
    let server = running().await;
    server.jobs.end("a", seven());
    server
        .get(&path("?wait_deadline=2999-01-01T00:00:00+02:00"))
        .await
        .expect(200);
    server
        .get(&path("?wait_deadline=2999-01-01T00:00:00%2002:00"))
        .await
        .expect(200);
    server
        .get(&path("?wait_deadline=2999-01-01+00:00:00Z"))
        .await
        .expect(400);
}

#[tokio::test]
async fn d61_the_client_adds_no_more_than_its_own_wait() {
    let peer = Peer::answering([response("200 OK", &[JSON], "7")]).await;
    asked(&peer, Some(Duration::MAX)).await.unwrap();
    let line = peer.request().first_line;
    let sent = line
        .split("wait_deadline=")
        .nth(1)
        .unwrap()
        .strip_suffix(" HTTP/1.1")
        .unwrap()
        .replace("%3A", ":");
    let sent: jiff::Timestamp = sent.parse().unwrap();
    // Who waits for ever asks once a minute.
    let left = sent.duration_since(jiff::Timestamp::now()).as_secs_f64();
    assert!(left <= 60.0, "{left}");
}

#[tokio::test]
async fn d62_204_without_a_usable_state_breaks_the_protocol() {
    for headers in [
        vec![],
        vec!["Nexus-Operation-State: failed"],
        vec!["Nexus-Operation-State: x"],
    ] {
        let peer = Peer::answering([response("204 No Content", &headers, "")]).await;
        let error = asked(&peer, None).await.unwrap_err();
        assert!(matches!(error, ClientError::Protocol { .. }), "{error:?}");
    }
}
