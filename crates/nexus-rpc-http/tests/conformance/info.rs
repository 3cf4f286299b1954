//! State of an operation (draft), and what became of it.

use nexus_rpc::{OperationState, OperationToken};
use nexus_rpc_http::{ClientError, Dialect};
use serde_json::json;

use crate::support::{
    DRAFT, Server, client,
    peer::{JSON, Peer, response},
    services::{JOB, Job},
};

async fn info(status: &str, headers: &[&str], body: &str) -> Result<OperationState, ClientError> {
    let peer = Peer::answering([response(status, headers, body)]).await;
    let token = OperationToken::new("t").unwrap();
    let handle = client(peer.address, Dialect::Draft)
        .handle(JOB, token)
        .unwrap();
    let info = handle.info().await;
    assert_eq!(
        peer.request().first_line,
        "GET /api/v1/services/svc/operations/job/t HTTP/1.1"
    );
    info.map(|info| info.state)
}

#[tokio::test]
async fn d20_info_is_one_of_four_states() {
    let server = Server::start().await;
    for (job, state) in [
        (Job::Running, "running"),
        (Job::Done(nexus_rpc::Content::empty()), "succeeded"),
        (Job::Failed, "failed"),
        (Job::Canceled, "canceled"),
    ] {
        server.jobs.add("a", job);
        let answer = server.get(&format!("{DRAFT}/job/a")).await.expect(200);
        assert_eq!(answer.json(), json!({ "state": state }));
        let body = format!(r#"{{"state":"{state}","more":1}}"#);
        assert_eq!(
            info("200 OK", &[JSON], &body).await.unwrap().as_str(),
            state
        );
    }
    for body in [
        r#"{"state":"paused"}"#,
        r#"{"state":"Running"}"#,
        "{}",
        "null",
        r#"["running"]"#,
    ] {
        let error = info("200 OK", &[JSON], body).await.unwrap_err();
        assert!(
            matches!(error, ClientError::Protocol { .. }),
            "{body}: {error:?}"
        );
    }
}

#[tokio::test]
async fn d64_get_on_the_id_is_info() {
    let server = Server::start().await;
    let path = format!("{DRAFT}/job/a");
    server.post(&path, "{}").await.expect(201);
    server.get(&path).await.expect(200);
    let token = OperationToken::new("a").unwrap();
    let handle = server
        .client(Dialect::Draft)
        .handle(JOB, token.clone())
        .unwrap();
    let info = handle.info().await.unwrap();
    assert_eq!((info.token, info.state), (token, OperationState::Running));
}

#[tokio::test]
async fn d65_info_is_json() {
    let server = Server::start().await;
    server.jobs.add("a", Job::Running);
    let answer = server.get(&format!("{DRAFT}/job/a")).await.expect(200);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let error = info("200 OK", &[], r#"{"state":"running"}"#)
        .await
        .unwrap_err();
    assert!(matches!(error, ClientError::Protocol { .. }), "{error:?}");
}

#[tokio::test]
async fn d66_info_has_the_state_as_a_header_and_the_client_reads_the_body() {
    let server = Server::start().await;
    for (job, state) in [
        (Job::Running, "running"),
        (Job::Failed, "failed"),
        (Job::Canceled, "canceled"),
    ] {
        server.jobs.add("a", job);
        let answer = server.get(&format!("{DRAFT}/job/a")).await.expect(200);
        assert_eq!(answer.header("nexus-operation-state"), Some(state));
    }
    let headers = [JSON, "Nexus-Operation-State: failed"];
    assert_eq!(
        info("200 OK", &headers, r#"{"state":"running"}"#)
            .await
            .unwrap(),
        OperationState::Running
    );
}

#[tokio::test]
async fn d67_404_is_an_unknown_id() {
    let server = Server::start().await;
    server.get(&format!("{DRAFT}/job/none")).await.expect(404);
    let error = info("404 x", &[], "").await.unwrap_err();
    assert!(matches!(error, ClientError::Handler(_)), "{error:?}");
}

#[tokio::test]
async fn c75_state_and_result_cannot_be_asked_for() {
    let server = Server::start().await;
    server.jobs.add("a", Job::Running);
    for path in ["/svc/job/a", "/svc/job/a/result", "/svc/job/result?token=a"] {
        server.get(path).await.expect(501);
    }
    assert_eq!(
        server
            .get("/svc/job?token=a")
            .await
            .expect(405)
            .header("allow"),
        Some("POST")
    );
    let token = OperationToken::new("a").unwrap();
    let handle = server.client(Dialect::Current).handle(JOB, token).unwrap();
    let error = handle.info().await.unwrap_err();
    assert!(matches!(error, ClientError::Request(_)), "{error:?}");
    let error = handle.try_result().await.unwrap_err();
    assert!(matches!(error, ClientError::Request(_)), "{error:?}");
}
