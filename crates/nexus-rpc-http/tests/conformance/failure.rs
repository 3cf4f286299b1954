//! Failures: their forms, what they mean, and whether to try again.

use nexus_rpc::{
    Content, Failure, HandlerError, HandlerErrorType, OperationError, RetryBehavior, Service,
    ServiceRegistry, UntypedOperation, sync_operation,
};
use nexus_rpc_http::{ClientError, Dialect, OperationFailure, StartOptions};
use serde_json::{Value, json};

use crate::support::{
    DRAFT, Server, client,
    peer::{JSON, Peer, response},
    services::{ECHO, FAIL},
};

/// What a client makes of a failed start.
async fn failed(dialect: Dialect, status: &str, headers: &[&str], body: &str) -> ClientError {
    let peer = Peer::answering([response(status, headers, body)]).await;
    client(peer.address, dialect)
        .execute(ECHO, json!(1), StartOptions::new())
        .await
        .unwrap_err()
}

async fn handler_error(
    dialect: Dialect,
    status: &str,
    headers: &[&str],
    body: &str,
) -> HandlerError {
    match failed(dialect, status, headers, body).await {
        ClientError::Handler(error) => error,
        other => panic!("expected a handler error, got {other:?}"),
    }
}

async fn operation_failure(dialect: Dialect, headers: &[&str], body: &str) -> OperationFailure {
    let status = match dialect {
        Dialect::Draft => "482 x",
        Dialect::Current => "424 x",
    };
    match failed(dialect, status, headers, body).await {
        ClientError::Operation(failure) => *failure,
        other => panic!("expected the operation's failure, got {other:?}"),
    }
}

#[tokio::test]
async fn d13_failure_has_optional_strings_and_may_have_more() {
    let server = Server::start().await;
    let answer = server
        .post(&format!("{DRAFT}/fail"), r#""failed""#)
        .await
        .expect(482)
        .json();
    assert_eq!(answer["message"], "no luck");
    assert_eq!(
        answer["details"],
        json!({"metadata": {"content-type": "application/json"}, "data": r#"{"code":7}"#})
    );
    let state = "Nexus-Operation-State: failed";
    for body in [
        "{}",
        r#"{"message":"m"}"#,
        r#"{"details":{}}"#,
        r#"{"details":{"metadata":{"a":"b"},"data":"c","more":1},"more":[]}"#,
    ] {
        operation_failure(Dialect::Draft, &[JSON, state], body).await;
    }
    for body in [
        "null",
        "[]",
        "7",
        "{",
        r#"{"message":1}"#,
        r#"{"details":[]}"#,
        r#"{"details":{"metadata":{"a":1}}}"#,
        r#"{"details":{"data":{}}}"#,
    ] {
        let error = failed(Dialect::Draft, "482 x", &[JSON, state], body).await;
        assert!(
            matches!(error, ClientError::Protocol { .. }),
            "{body}: {error:?}"
        );
    }
}

#[tokio::test]
async fn d14_a_failure_is_an_outcome_and_not_a_framework_error() {
    let server = Server::start().await;
    // Only a text for people stands in a framework error, and no state.
    let answer = server
        .post(&format!("{DRAFT}/fail"), r#""type CONFLICT""#)
        .await
        .expect(409);
    assert_eq!(answer.json(), json!({"message": "told to"}));
    assert_eq!(answer.header("nexus-operation-state"), None);
    // A body that looks like an outcome does not make one of an error.
    let error = handler_error(
        Dialect::Draft,
        "409 x",
        &[JSON, "Nexus-Operation-State: failed"],
        r#"{"message":"m"}"#,
    )
    .await;
    assert_eq!(error.error_type(), &HandlerErrorType::Conflict);
}

#[tokio::test]
async fn d15_data_is_a_string_that_nobody_decodes_unasked() {
    let body = r#"{"details":{"metadata":{"content-type":"application/octet-stream","data-encoding":"base64"},"data":"/wA="}}"#;
    let failure = operation_failure(
        Dialect::Draft,
        &[JSON, "Nexus-Operation-State: failed"],
        body,
    )
    .await;
    let details = failure.failure().details.clone().unwrap();
    assert_eq!(details["data"], "/wA=");
    assert_eq!(details["metadata"]["data-encoding"], "base64");
    assert_eq!(failure.details::<Vec<u8>>().unwrap(), Some(vec![0xff, 0]));
    // A handler's bytes travel so.
    let service = Service::builder("s")
        .operation(
            UntypedOperation::new("s", "o"),
            sync_operation(
                async |_ctx, _: Content| -> Result<Content, nexus_rpc::StartError> {
                    Err(OperationError::failed("x")
                        .with_details(vec![0xffu8, 0])
                        .into())
                },
            ),
        )
        .build()
        .unwrap();
    let mut registry = ServiceRegistry::new();
    registry.register(service).unwrap();
    let server = Server::of(registry).await;
    let answer = server
        .post("/api/v1/services/s/operations/o", "1")
        .await
        .expect(482);
    assert_eq!(answer.json()["details"], details);
}

#[tokio::test]
async fn d69_4xx_is_not_retried() {
    for status in [
        "400 x", "404 x", "408 x", "409 x", "418 x", "425 x", "429 x", "482 x",
    ] {
        let headers = [JSON, "Nexus-Operation-State: failed"];
        let error = failed(Dialect::Draft, status, &headers, "{}").await;
        assert!(!error.is_retryable(), "{status}: {error:?}");
    }
    // So a server must not say 4xx where it would have the caller try again.
    let server = Server::start().await;
    for (error_type, status) in [
        ("RESOURCE_EXHAUSTED", 503),
        ("REQUEST_TIMEOUT", 503),
        ("NOT_FOUND", 404),
        ("BAD_REQUEST", 400),
    ] {
        server
            .post(&format!("{DRAFT}/fail"), &format!("\"type {error_type}\""))
            .await
            .expect(status);
    }
    server
        .post(&format!("{DRAFT}/fail"), r#""retryable""#)
        .await
        .expect(503);
}

#[tokio::test]
async fn d70_5xx_may_be_retried() {
    for status in [
        "500 x", "501 x", "502 x", "503 x", "504 x", "520 x", "599 x",
    ] {
        let error = failed(Dialect::Draft, status, &[], "").await;
        assert!(error.is_retryable(), "{status}: {error:?}");
    }
    // And must not say 5xx where trying again is useless.
    let server = Server::start().await;
    for (error_type, status) in [
        ("INTERNAL", 500),
        ("UNAVAILABLE", 503),
        ("NOT_IMPLEMENTED", 400),
    ] {
        server
            .post(&format!("{DRAFT}/fail"), &format!("\"type {error_type}\""))
            .await
            .expect(status);
    }
    server
        .post(&format!("{DRAFT}/fail"), r#""final""#)
        .await
        .expect(400);
    // The client does it, with the same request id.
    let peer = Peer::answering([
        response("500 x", &[], ""),
        response("503 x", &[], ""),
        response("200 OK", &[JSON], "7"),
    ])
    .await;
    let patient = nexus_rpc_http::NexusHttpClient::builder(peer.url(""))
        .dialect(Dialect::Draft)
        .retry(
            nexus_rpc_http::RetryPolicy::default().first_pause(std::time::Duration::from_millis(1)),
        )
        .build()
        .unwrap();
    assert_eq!(
        patient
            .execute(ECHO, json!(1), StartOptions::new())
            .await
            .unwrap(),
        7
    );
    assert_eq!(peer.requests().len(), 3);
}

#[tokio::test]
async fn d71_redirects_are_not_followed_and_429_is_final() {
    let target = Peer::answering([response("200 OK", &[JSON], "7")]).await;
    let location = format!("Location: {}", target.url("/"));
    for status in ["301 x", "302 x", "303 x", "307 x", "308 x"] {
        for dialect in [Dialect::Draft, Dialect::Current] {
            let error = failed(dialect, status, &[&location], "").await;
            assert!(
                matches!(&error, ClientError::UnexpectedResponse(_)),
                "{status}: {error:?}"
            );
            assert!(!error.is_retryable());
        }
    }
    assert_eq!(target.requests().len(), 0);
    assert!(
        !failed(Dialect::Draft, "429 x", &[], "")
            .await
            .is_retryable()
    );
}

#[tokio::test]
async fn d72_another_method_is_405_with_allow() {
    let server = Server::start().await;
    for (path, allow) in [
        ("/echo", "POST"),
        ("/job/a", "GET, POST"),
        ("/job/a/cancel", "POST"),
        ("/job/a/result", "GET"),
    ] {
        for method in ["PUT", "DELETE", "PATCH", "BREW"] {
            let answer = server
                .send(crate::support::raw::Wire::new(
                    method,
                    &format!("{DRAFT}{path}"),
                ))
                .await
                .expect(405);
            assert_eq!(answer.header("allow"), Some(allow), "{method} {path}");
        }
    }
    server.get(&format!("{DRAFT}/echo")).await.expect(405);
    server
        .get(&format!("{DRAFT}/job/a/cancel"))
        .await
        .expect(405);
    server
        .post(&format!("{DRAFT}/job/a/result"), "")
        .await
        .expect(405);
}

#[tokio::test]
async fn d73_unknown_paths_services_and_operations_are_404() {
    let server = Server::only(Dialect::Draft).await;
    for path in [
        "/",
        "/api/v1",
        "/api/v1/services/svc",
        "/api/v1/services/svc/operations",
        "/svc/echo",
        "/api/v2/services/svc/operations/echo",
        "/api/v1/services/none/operations/echo",
        "/api/v1/services/svc/operations/none",
        "/api/v1/services/svc/operations/job/a/b",
        "/api/v1/services/svc/operations/job/a/cancel/b",
    ] {
        let answer = server.post(path, "1").await.expect(404);
        // For people, in the form of a failure.
        assert!(answer.json()["message"].is_string(), "{path}");
    }
    // The client gets on without it.
    let error = handler_error(
        Dialect::Draft,
        "404 x",
        &["Content-Type: text/html"],
        "<h1>",
    )
    .await;
    assert_eq!(error.error_type(), &HandlerErrorType::NotFound);
}

#[tokio::test]
async fn d89_482_may_have_become_400_and_is_not_taken_for_it() {
    // An intermediary that does not know 482 leaves header and body; without the number it is an error, not an outcome.
    let headers = [JSON, "Nexus-Operation-State: failed"];
    let error = handler_error(Dialect::Draft, "400 x", &headers, r#"{"message":"m"}"#).await;
    assert_eq!(error.message(), "m");
}

#[tokio::test]
async fn c06_failure_is_recursive_and_its_details_are_any_json() {
    let body = r#"{
        "message": "m", "stackTrace": "at x", "metadata": {"k": "v"}, "details": [1, {"a": null}],
        "cause": {"message": "c", "cause": {"message": "d", "details": "text"}}
    }"#;
    let failure = operation_failure(
        Dialect::Current,
        &[JSON, "Nexus-Operation-State: failed"],
        body,
    )
    .await;
    let expected: Failure = serde_json::from_str(body).unwrap();
    assert_eq!(failure.failure(), &expected);
    assert_eq!(
        failure.details::<Value>().unwrap(),
        Some(json!([1, {"a": null}]))
    );
    assert_eq!(
        failure.cause().unwrap().cause.as_ref().unwrap().message,
        "d"
    );
}

#[tokio::test]
async fn c25_operation_error_has_its_type_and_state_in_the_body() {
    let server = Server::start().await;
    let answer = server.post("/svc/fail", r#""failed""#).await.expect(424);
    assert_eq!(
        answer.json(),
        json!({
            "metadata": {"type": "nexus.OperationError"},
            "message": "no luck",
            "details": {"state": "failed", "data": {"code": 7}},
            "cause": {"message": "the dice"},
        })
    );
    let error = server
        .client(Dialect::Current)
        .execute(FAIL, "failed".into(), StartOptions::new())
        .await
        .unwrap_err();
    let ClientError::Operation(failure) = error else {
        panic!("expected a failure, got {error:?}");
    };
    assert_eq!(failure.to_string(), "operation failed: no luck");
    assert_eq!(
        failure.details::<Value>().unwrap(),
        Some(json!({"code": 7}))
    );
    // The body is enough, and it wins.
    let body = r#"{"metadata":{"type":"nexus.OperationError"},"details":{"state":"canceled"}}"#;
    for headers in [vec![JSON], vec![JSON, "Nexus-Operation-State: failed"]] {
        let failure = operation_failure(Dialect::Current, &headers, body).await;
        assert_eq!(failure.state().as_str(), "canceled");
    }
    let error = failed(Dialect::Current, "424 x", &[JSON], "{}").await;
    assert!(matches!(error, ClientError::Protocol { .. }), "{error:?}");
}

#[tokio::test]
async fn c27_handler_error_has_its_type_and_override_in_the_body() {
    let server = Server::start().await;
    assert_eq!(
        server
            .post("/svc/fail", r#""cause""#)
            .await
            .expect(409)
            .json(),
        json!({
            "metadata": {"type": "nexus.HandlerError"},
            "message": "x",
            "details": {"type": "CONFLICT"},
            "cause": {"message": "the other one"},
        })
    );
    let answer = server.post("/svc/fail", r#""retryable""#).await.expect(400);
    assert_eq!(
        answer.json()["details"],
        json!({"type": "BAD_REQUEST", "retryableOverride": true})
    );
    let answer = server.post("/svc/fail", r#""final""#).await.expect(500);
    assert_eq!(
        answer.json()["details"],
        json!({"type": "INTERNAL", "retryableOverride": false})
    );
}

#[tokio::test]
async fn c28_a_handler_error_may_answer_any_method() {
    let server = Server::start().await;
    let start = server.post("/svc/none", "1").await.expect(404);
    let cancel = server
        .send(crate::support::raw::Wire::post("/svc/echo/cancel?token=a"))
        .await
        .expect(501);
    for answer in [start, cancel] {
        assert_eq!(answer.json()["metadata"]["type"], "nexus.HandlerError");
    }
}

/// The type in an answer of the server, and what the client makes of it and of the status alone.
async fn table(name: &str, status: u16, retryable: bool) {
    let server = Server::start().await;
    let answer = server
        .post("/svc/fail", &format!("\"type {name}\""))
        .await
        .expect(status);
    assert_eq!(answer.json()["details"], json!({ "type": name }));
    assert_eq!(answer.json()["message"], "told to");
    let error = server
        .client(Dialect::Current)
        .execute(FAIL, format!("type {name}"), StartOptions::new())
        .await
        .unwrap_err();
    assert_eq!(error.is_retryable(), retryable);
    assert_eq!(
        error.to_string(),
        format!("handler error ({name}): told to")
    );
    let error = handler_error(Dialect::Current, &format!("{status} x"), &[], "").await;
    assert_eq!(error.error_type().as_str(), name);
    assert_eq!(error.is_retryable(), retryable);
}

#[tokio::test]
async fn c29_bad_request_is_400() {
    table("BAD_REQUEST", 400, false).await;
}

#[tokio::test]
async fn c30_unauthenticated_is_401() {
    table("UNAUTHENTICATED", 401, false).await;
}

#[tokio::test]
async fn c31_unauthorized_is_403() {
    table("UNAUTHORIZED", 403, false).await;
}

#[tokio::test]
async fn c32_not_found_is_404() {
    table("NOT_FOUND", 404, false).await;
}

#[tokio::test]
async fn c33_request_timeout_is_408() {
    table("REQUEST_TIMEOUT", 408, true).await;
}

#[tokio::test]
async fn c34_conflict_is_409() {
    table("CONFLICT", 409, false).await;
}

#[tokio::test]
async fn c35_resource_exhausted_is_429() {
    table("RESOURCE_EXHAUSTED", 429, true).await;
}

#[tokio::test]
async fn c36_internal_is_500() {
    table("INTERNAL", 500, true).await;
}

#[tokio::test]
async fn c37_not_implemented_is_501_also_for_an_unknown_method() {
    table("NOT_IMPLEMENTED", 501, false).await;
    let server = Server::start().await;
    let answer = server
        .send(crate::support::raw::Wire::new("BREW", "/svc/echo"))
        .await
        .expect(501);
    assert_eq!(answer.json()["details"]["type"], "NOT_IMPLEMENTED");
    let answer = server
        .send(crate::support::raw::Wire::new("PUT", "/svc/echo"))
        .await
        .expect(405);
    assert_eq!(answer.header("allow"), Some("POST"));
}

#[tokio::test]
async fn c38_unavailable_is_503() {
    table("UNAVAILABLE", 503, true).await;
}

#[tokio::test]
async fn c39_upstream_timeout_is_520() {
    table("UPSTREAM_TIMEOUT", 520, true).await;
}

#[tokio::test]
async fn c40_an_unknown_type_is_500() {
    let server = Server::start().await;
    let answer = server
        .post("/svc/fail", r#""type TEAPOT""#)
        .await
        .expect(500);
    assert_eq!(answer.json()["details"]["type"], "TEAPOT");
    let answer = server
        .post("/svc/fail", r#""type UPSTREAM_TIMEOUT""#)
        .await
        .expect(520);
    assert_eq!(answer.reason(), "Upstream Timeout");
}

#[tokio::test]
async fn c41_the_client_rebuilds_the_error_from_the_body() {
    let server = Server::start().await;
    let error = server
        .client(Dialect::Current)
        .execute(FAIL, "cause".into(), StartOptions::new())
        .await
        .unwrap_err();
    let ClientError::Handler(error) = error else {
        panic!("expected a handler error, got {error:?}");
    };
    assert_eq!(error.error_type(), &HandlerErrorType::Conflict);
    assert_eq!(error.message(), "x");
    assert_eq!(error.cause(), Some(&Failure::new("the other one")));
}

#[tokio::test]
async fn c42_the_type_in_the_body_beats_the_status() {
    let body =
        r#"{"metadata":{"type":"nexus.HandlerError"},"message":"m","details":{"type":"CONFLICT"}}"#;
    let error = handler_error(Dialect::Current, "503 x", &[JSON], body).await;
    assert_eq!(error.error_type(), &HandlerErrorType::Conflict);
    assert!(!error.is_retryable());
    let error = handler_error(
        Dialect::Current,
        "400 x",
        &[JSON],
        &body.replace("CONFLICT", "TEAPOT"),
    )
    .await;
    assert_eq!(
        error.error_type(),
        &HandlerErrorType::Other("TEAPOT".into())
    );
    assert!(error.is_retryable());
}

#[tokio::test]
async fn c43_without_a_handler_error_in_the_body_the_status_makes_one() {
    let error = handler_error(
        Dialect::Current,
        "404 Nope",
        &["Content-Type: text/html"],
        "<h1>",
    )
    .await;
    assert_eq!(error.to_string(), "handler error (NOT_FOUND): Not Found");
    assert_eq!(error.cause(), None);
    let error = handler_error(Dialect::Current, "409 x", &[JSON], r#"{"message":"plain"}"#).await;
    assert_eq!(error.error_type(), &HandlerErrorType::Conflict);
    assert_eq!(error.cause(), Some(&Failure::new("plain")));
    for body in ["null", "[]", "{", r#"{"message":1}"#] {
        let error = handler_error(Dialect::Current, "500 x", &[JSON], body).await;
        assert_eq!(
            error.to_string(),
            "handler error (INTERNAL): Internal Server Error"
        );
    }
    // Half of one is none.
    let body = r#"{"metadata":{"type":"nexus.HandlerError"},"message":"m"}"#;
    let error = handler_error(Dialect::Current, "400 x", &[JSON], body).await;
    assert_eq!(error.error_type(), &HandlerErrorType::BadRequest);
    assert_eq!(error.cause().unwrap().message, "m");
}

#[tokio::test]
async fn c44_a_status_outside_the_table_is_unexpected() {
    for (status, retryable) in [
        ("418 x", false),
        ("204 x", false),
        ("202 x", false),
        ("412 x", false),
        ("502 x", true),
        ("599 x", true),
    ] {
        let error = failed(Dialect::Current, status, &["X-Own: 1"], "body").await;
        assert_eq!(error.is_retryable(), retryable, "{status}");
        let ClientError::UnexpectedResponse(response) = error else {
            panic!("{status} is in no table, got {error:?}");
        };
        assert_eq!(response.status.as_str(), &status[..3]);
        assert_eq!(response.headers["x-own"], "1");
        if !status.starts_with("204") {
            assert_eq!(response.body, "body");
        }
    }
}

#[tokio::test]
async fn c45_retryable_override_beats_the_type() {
    for (error_type, retryable) in [("BAD_REQUEST", true), ("INTERNAL", false)] {
        let body = json!({
            "metadata": {"type": "nexus.HandlerError"},
            "details": {"type": error_type, "retryableOverride": retryable},
        });
        let error = handler_error(Dialect::Current, "500 x", &[JSON], &body.to_string()).await;
        assert_eq!(error.is_retryable(), retryable);
    }
}

#[tokio::test]
async fn c46_the_header_says_the_same() {
    let server = Server::start().await;
    let answer = server.post("/svc/fail", r#""retryable""#).await.expect(400);
    assert_eq!(answer.header("nexus-request-retryable"), Some("true"));
    let answer = server.post("/svc/fail", r#""final""#).await.expect(500);
    assert_eq!(answer.header("nexus-request-retryable"), Some("false"));
    let answer = server
        .post("/svc/fail", r#""type INTERNAL""#)
        .await
        .expect(500);
    assert_eq!(answer.header("nexus-request-retryable"), None);
    let read = async |status: &str, value: &str| {
        let header = format!("Nexus-Request-Retryable: {value}");
        handler_error(Dialect::Current, status, &[&header], "")
            .await
            .retry_behavior()
    };
    assert_eq!(read("400 x", "true").await, RetryBehavior::Retryable);
    assert_eq!(read("400 x", "TRUE").await, RetryBehavior::Retryable);
    assert_eq!(read("500 x", "False").await, RetryBehavior::NonRetryable);
    assert_eq!(read("500 x", "no").await, RetryBehavior::Default);
}

#[tokio::test]
async fn c47_the_body_beats_the_header() {
    let read = async |details: Value, header: &str| {
        let body =
            json!({"metadata": {"type": "nexus.HandlerError"}, "details": details}).to_string();
        let header = format!("Nexus-Request-Retryable: {header}");
        handler_error(Dialect::Current, "400 x", &[JSON, &header], &body)
            .await
            .retry_behavior()
    };
    let typed = |retryable: bool| json!({"type": "BAD_REQUEST", "retryableOverride": retryable});
    assert_eq!(
        read(typed(false), "true").await,
        RetryBehavior::NonRetryable
    );
    assert_eq!(read(typed(true), "false").await, RetryBehavior::Retryable);
    assert_eq!(
        read(json!({"type": "BAD_REQUEST"}), "true").await,
        RetryBehavior::Retryable
    );
}

#[tokio::test]
async fn cx05_424_with_a_plain_failure_has_its_state_in_the_header() {
    let headers = [JSON, "Nexus-Operation-State: canceled"];
    let failure = operation_failure(
        Dialect::Current,
        &headers,
        r#"{"message":"old","details":{"a":1}}"#,
    )
    .await;
    assert_eq!(failure.state().as_str(), "canceled");
    assert_eq!(failure.message(), "old");
    assert_eq!(failure.details::<Value>().unwrap(), Some(json!({"a": 1})));
}

#[tokio::test]
async fn what_a_handler_did_not_mean_to_show_stays_in_the_log() {
    let server = Server::start().await;
    for how in ["panic", "anything"] {
        for path in ["/svc/fail", &format!("{DRAFT}/fail")] {
            let answer = server.post(path, &format!("{how:?}")).await.expect(500);
            assert_eq!(answer.json()["message"], "internal handler error");
            assert!(!answer.text().contains("secret"));
        }
    }
    // The server goes on.
    server.post("/svc/echo", "1").await.expect(200);
}
