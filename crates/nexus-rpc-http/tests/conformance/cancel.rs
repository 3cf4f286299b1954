//! Cancellation.

use nexus_rpc::{HandlerErrorType, OperationToken};
use nexus_rpc_http::{ClientError, Dialect};
use serde_json::json;

use crate::support::{
    DRAFT, Server, client,
    peer::{Peer, response},
    raw::Wire,
    services::{JOB, Job},
};

fn token(token: &str) -> OperationToken {
    OperationToken::new(token).unwrap()
}

async fn canceled(dialect: Dialect, status: &str, body: &str) -> Result<(), ClientError> {
    let peer = Peer::answering([response(status, &[], body)]).await;
    let handle = client(peer.address, dialect)
        .handle(JOB, token("t"))
        .unwrap();
    handle.cancel().await
}

#[tokio::test]
async fn d37_post_to_cancel_cancels_and_the_body_is_ignored() {
    let server = Server::start().await;
    server.jobs.add("a", Job::Running);
    server
        .post(&format!("{DRAFT}/job/a/cancel"), "{broken")
        .await
        .expect(202);
    let info = server.get(&format!("{DRAFT}/job/a")).await.expect(200);
    assert_eq!(info.json()["state"], "canceled");
    let peer = Peer::answering([response("202 Accepted", &[], "")]).await;
    client(peer.address, Dialect::Draft)
        .handle(JOB, token("a"))
        .unwrap()
        .cancel()
        .await
        .unwrap();
    assert_eq!(
        peer.request().first_line,
        "POST /api/v1/services/svc/operations/job/a/cancel HTTP/1.1"
    );
}

#[tokio::test]
async fn d38_202_is_accepted_and_its_body_is_ignored() {
    canceled(Dialect::Draft, "202 Accepted", "whatever")
        .await
        .unwrap();
}

#[tokio::test]
async fn d39_404_is_an_unknown_id() {
    let server = Server::start().await;
    server
        .post(&format!("{DRAFT}/job/none/cancel"), "")
        .await
        .expect(404);
    let handle = server
        .client(Dialect::Draft)
        .handle(JOB, token("none"))
        .unwrap();
    let Err(ClientError::Handler(error)) = handle.cancel().await else {
        panic!("expected an error");
    };
    assert_eq!(error.error_type(), &HandlerErrorType::NotFound);
    // Whatever the body.
    let Err(ClientError::Handler(error)) = canceled(Dialect::Draft, "404 x", "<html>").await else {
        panic!("expected an error");
    };
    assert!(!error.is_retryable());
}

#[tokio::test]
async fn d40_a_canceled_operation_may_end_in_any_state() {
    let server = Server::start().await;
    server.jobs.add("a", Job::Running);
    server
        .post(&format!("{DRAFT}/job/a/cancel"), "")
        .await
        .expect(202);
    server.jobs.end(
        "a",
        Job::Done(nexus_rpc::Content::new("application/json", "1")),
    );
    let handle = server
        .client(Dialect::Draft)
        .handle(JOB, token("a"))
        .unwrap();
    assert_eq!(handle.try_result().await.unwrap(), Some(json!(1)));
}

#[tokio::test]
async fn d41_repeated_cancels_succeed() {
    let server = Server::start().await;
    server.jobs.add("a", Job::Running);
    for _ in 0..3 {
        server
            .post(&format!("{DRAFT}/job/a/cancel"), "")
            .await
            .expect(202);
    }
}

#[tokio::test]
async fn d43_only_202_is_success() {
    for status in ["200 OK", "204 No Content", "301 x", "482 x"] {
        let error = canceled(Dialect::Draft, status, "").await.unwrap_err();
        assert!(
            matches!(error, ClientError::UnexpectedResponse(_)),
            "{status}: {error:?}"
        );
    }
}

#[tokio::test]
async fn c20_post_to_cancel_cancels() {
    let server = Server::start().await;
    server.jobs.add("a", Job::Running);
    let request = Wire::post("/svc/job/cancel").header("Nexus-Operation-Token", "a");
    server.send(request).await.expect(202);
    let peer = Peer::answering([response("202 Accepted", &[], "")]).await;
    client(peer.address, Dialect::Current)
        .handle(JOB, token("a/b c="))
        .unwrap()
        .cancel()
        .await
        .unwrap();
    assert_eq!(peer.request().first_line, "POST /svc/job/cancel HTTP/1.1");
    assert_eq!(
        peer.request().header("nexus-operation-token"),
        Some("a/b c=")
    );
}

#[tokio::test]
async fn c21_the_token_is_in_a_header_or_in_the_query() {
    let server = Server::start().await;
    let cancel = async |query: &str, header: Option<&str>| {
        let mut request = Wire::post(&format!("/svc/job/cancel{query}"));
        if let Some(header) = header {
            request = request.header("Nexus-Operation-Token", header);
        }
        server.send(request).await
    };
    server.jobs.add("in-header", Job::Running);
    server.jobs.add("in query+", Job::Running);
    cancel("", Some("in-header")).await.expect(202);
    cancel("?token=in+query%2B", None).await.expect(202);
    cancel("?token=none", Some("in-header")).await.expect(202);
    cancel("?token=in-header", Some("none")).await.expect(404);
    // An empty header is none.
    cancel("?token=in-header", Some("")).await.expect(202);
    for query in ["", "?token=", "?x=1", "?token=%zz"] {
        let answer = cancel(query, None).await.expect(400);
        assert_eq!(answer.json()["details"]["type"], "BAD_REQUEST");
    }
}

#[tokio::test]
async fn c22_202_is_empty_and_nothing_else_is_success() {
    let server = Server::start().await;
    server.jobs.add("a", Job::Running);
    let answer = server
        .send(Wire::post("/svc/job/cancel?token=a"))
        .await
        .expect(202);
    assert_eq!(answer.body, b"");
    assert_eq!(answer.header("content-type"), None);
    canceled(Dialect::Current, "202 x", "ignored")
        .await
        .unwrap();
    for status in ["200 OK", "204 No Content", "303 x"] {
        let error = canceled(Dialect::Current, status, "").await.unwrap_err();
        assert!(
            matches!(error, ClientError::UnexpectedResponse(_)),
            "{status}: {error:?}"
        );
    }
}

#[tokio::test]
async fn c23_repeated_cancels_succeed() {
    let server = Server::start().await;
    server.jobs.add("a", Job::Running);
    let handle = server
        .client(Dialect::Current)
        .handle(JOB, token("a"))
        .unwrap();
    handle.cancel().await.unwrap();
    handle.cancel().await.unwrap();
}

#[tokio::test]
async fn c24_an_unknown_token_is_not_found() {
    let server = Server::start().await;
    let answer = server
        .send(Wire::post("/svc/job/cancel?token=none"))
        .await
        .expect(404);
    assert_eq!(answer.json()["details"]["type"], "NOT_FOUND");
    // The end is up to the operation.
    server.jobs.add("a", Job::Done(nexus_rpc::Content::empty()));
    server
        .send(Wire::post("/svc/job/cancel?token=a"))
        .await
        .expect(202);
}

#[tokio::test]
async fn c04_a_token_fits_into_a_header() {
    let server = Server::start().await;
    for bad in ["%0D%0AX:y", "%00", "%C3%A9", "%20a", "a%0A"] {
        server
            .send(Wire::post(&format!("/svc/job/cancel?token={bad}")))
            .await
            .expect(400);
        server
            .send(Wire::post(&format!("/svc/job/{bad}/cancel")))
            .await
            .expect(400);
    }
    server
        .send(Wire::post("/svc/job//cancel"))
        .await
        .expect(400);
    let answer = server
        .post("/svc/job", r#"{"token":"é"}"#)
        .await
        .expect(500);
    assert_eq!(answer.json()["message"], "internal handler error");
}

#[tokio::test]
async fn c05_a_token_in_a_url_is_escaped() {
    let server = Server::start().await;
    server.jobs.add("a/b?c=+d%", Job::Running);
    server
        .send(Wire::post("/svc/job/cancel?token=a%2Fb%3Fc%3D%2Bd%25"))
        .await
        .expect(202);
}

#[tokio::test]
async fn cx03_the_older_path_of_cancel_is_served() {
    let server = Server::start().await;
    server.jobs.add("T/async+x", Job::Running);
    server
        .send(Wire::post("/svc/job/T%2Fasync+x/cancel"))
        .await
        .expect(202);
    server
        .send(Wire::post("/svc/job/none/cancel"))
        .await
        .expect(404);
    // The other older paths are gone.
    for path in ["/svc/job/t", "/svc/job/t/result", "/svc/job/result"] {
        let answer = server.get(path).await.expect(501);
        assert_eq!(answer.json()["details"]["type"], "NOT_IMPLEMENTED");
    }
}
