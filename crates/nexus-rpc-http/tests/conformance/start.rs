//! Start of an operation.

use nexus_rpc::{Content, Headers, Link, UntypedOperation, context::Callback};
use nexus_rpc_http::{ClientError, Dialect, StartOptions, StartedOperation};
use serde_json::{Value, json};

use crate::support::{
    DRAFT, Server, client,
    peer::{JSON, Peer, response},
    raw::Wire,
    services::{BYTES, ECHO, FAIL, INSPECT, JOB, UNIT},
};

fn callback(url: &str) -> Callback {
    Callback {
        url: url.to_owned(),
        headers: Headers::new(),
    }
}

/// What a client of `dialect` makes of an answer to a start request.
async fn started(
    dialect: Dialect,
    options: StartOptions,
    status: &str,
    headers: &[&str],
    body: &str,
) -> Result<StartedOperation<Value>, ClientError> {
    let peer = Peer::answering([response(status, headers, body)]).await;
    client(peer.address, dialect)
        .start(ECHO, json!(1), options)
        .await
}

#[track_caller]
fn protocol_error<T: std::fmt::Debug>(result: Result<T, ClientError>) -> String {
    match result {
        Err(ClientError::Protocol { reason, .. }) => reason,
        other => panic!("expected a protocol error, got {other:?}"),
    }
}

#[tokio::test]
async fn d16_started_has_an_id_and_says_whether_callbacks_are_supported() {
    let server = Server::start().await;
    let answer = server.post(&format!("{DRAFT}/job"), "{}").await.expect(201);
    let body = answer.json();
    assert_eq!(body.as_object().unwrap().len(), 2);
    assert!(server.jobs.contains(body["operationId"].as_str().unwrap()));
    assert_eq!(body["callbackUrlSupported"], false);
    // A client cannot do without the id, unless it chose it.
    let result = started(Dialect::Draft, StartOptions::new(), "201 x", &[JSON], "{}").await;
    assert_eq!(protocol_error(result), "the operation has no id");
    let options = StartOptions::new().operation_id("mine");
    let Ok(StartedOperation::Pending(handle)) =
        started(Dialect::Draft, options, "201 x", &[JSON], "{}").await
    else {
        panic!("the id is known");
    };
    assert_eq!(handle.token().as_str(), "mine");
    let bad = [
        (JSON, "[]"),
        (JSON, r#"{"operationId":1}"#),
        ("Content-Type: text/plain", r#"{"operationId":"a"}"#),
    ];
    for (header, body) in bad {
        protocol_error(
            started(
                Dialect::Draft,
                StartOptions::new(),
                "201 x",
                &[header],
                body,
            )
            .await,
        );
    }
}

#[tokio::test]
async fn d17_the_callers_id_comes_back() {
    let server = Server::start().await;
    let answer = server
        .post(&format!("{DRAFT}/job/order-17"), "{}")
        .await
        .expect(201);
    assert_eq!(answer.json()["operationId"], "order-17");
    // A handler that makes an id of its own cannot serve a caller who chose one.
    server
        .post(&format!("{DRAFT}/job/order-18"), r#"{"token":"other"}"#)
        .await
        .expect(400);
    let options = StartOptions::new().operation_id("mine");
    let result = started(
        Dialect::Draft,
        options,
        "201 x",
        &[JSON],
        r#"{"operationId":"theirs"}"#,
    )
    .await;
    assert_eq!(
        protocol_error(result),
        r#"the operation was started as "theirs", not as "mine""#
    );
}

#[tokio::test]
async fn d18_callbacks_are_supported_when_one_was_given_and_the_handler_accepts_it() {
    let server = Server::start().await;
    let supported = async |path: &str, input: &str| {
        server.post(path, input).await.expect(201).json()["callbackUrlSupported"].clone()
    };
    let with = format!("{DRAFT}/job?callback_url=http%3A%2F%2Fa%2F");
    assert_eq!(supported(&with, r#"{"accept":true}"#).await, true);
    assert_eq!(supported(&with, "{}").await, false);
    assert_eq!(
        supported(&format!("{DRAFT}/job"), r#"{"accept":true}"#).await,
        false
    );
}

#[tokio::test]
async fn d19_the_client_shows_the_flag() {
    for (body, expected) in [
        (r#"{"operationId":"a","callbackUrlSupported":true}"#, true),
        (r#"{"operationId":"a","callbackUrlSupported":false}"#, false),
        (r#"{"operationId":"a"}"#, false),
    ] {
        let options = StartOptions::new().callback(callback("http://a/"));
        let Ok(StartedOperation::Pending(handle)) =
            started(Dialect::Draft, options, "201 x", &[JSON], body).await
        else {
            panic!("not an error");
        };
        assert_eq!(handle.callback_supported(), Some(expected));
    }
}

#[tokio::test]
async fn d21_post_to_the_operation_starts_it() {
    let server = Server::start().await;
    let answer = server
        .post("/api/v1/services/svc/operations/echo", "[1]")
        .await
        .expect(200);
    assert_eq!(answer.json(), json!([1]));
    let peer = Peer::answering([response("200 OK", &[JSON], "1")]).await;
    client(peer.address, Dialect::Draft)
        .start(ECHO, json!(1), StartOptions::new())
        .await
        .unwrap();
    assert_eq!(
        peer.request().first_line,
        "POST /api/v1/services/svc/operations/echo HTTP/1.1"
    );
    assert_eq!(peer.request().text(), "1");
}

#[tokio::test]
async fn d22_post_to_an_id_starts_it_under_the_callers_id() {
    let server = Server::start().await;
    let seen = server
        .post(&format!("{DRAFT}/inspect/order-17"), "1")
        .await
        .expect(200);
    assert_eq!(seen.json()["operation_id"], "order-17");
    // The id is all that tells a repeated request of the draft.
    assert_eq!(seen.json()["request_id"], "svc/inspect/order-17");
    let seen = server
        .post(&format!("{DRAFT}/inspect"), "1")
        .await
        .expect(200);
    assert_eq!(seen.json()["operation_id"], Value::Null);
    let peer = Peer::answering([response("200 OK", &[JSON], "1")]).await;
    let options = StartOptions::new().operation_id("order-17");
    client(peer.address, Dialect::Draft)
        .start(ECHO, json!(1), options.clone())
        .await
        .unwrap();
    assert_eq!(
        peer.request().first_line,
        "POST /api/v1/services/svc/operations/echo/order-17 HTTP/1.1"
    );
    let error = client(peer.address, Dialect::Current)
        .start(ECHO, json!(1), options)
        .await
        .unwrap_err();
    assert!(matches!(error, ClientError::Request(_)), "{error:?}");
}

#[tokio::test]
async fn d24_callback_url_is_one_encoded_parameter() {
    let server = Server::start().await;
    let url = "http://a.example/cb?x=1&y=%2B+%23;z#f";
    let options = StartOptions::new().callback(callback(url));
    let seen = server
        .client(Dialect::Draft)
        .execute(INSPECT, Content::empty(), options)
        .await
        .unwrap();
    assert_eq!(seen["callback"]["url"], url);
    let seen = async |query: &str| {
        let answer = server
            .post(&format!("{DRAFT}/inspect?{query}"), "1")
            .await
            .expect(200);
        answer.json()["callback"]["url"].clone()
    };
    assert_eq!(
        seen("callback_url=http%3A%2F%2Fa%2F&callback_url=http%3A%2F%2Fb%2F").await,
        "http://a/"
    );
    assert_eq!(
        seen("a=b&callback_url=http://a/%252F").await,
        "http://a/%2F"
    );
    assert_eq!(seen("callback=http%3A%2F%2Fa%2F").await, Value::Null);
    for bad in [
        "%zz",
        "%",
        "nonsense",
        "a%20b",
        "http%3A%2F%2F",
        "http://a/%20b%20c",
    ] {
        let answer = server
            .post(&format!("{DRAFT}/inspect?callback_url={bad}"), "1")
            .await;
        answer.expect(400);
    }
}

#[tokio::test]
async fn d26_the_body_and_all_content_headers_reach_the_handler() {
    let server = Server::start().await;
    let request = Wire::post(&format!("{DRAFT}/inspect"))
        .header("Content-Type", "text/x-odd; a=\"b\"")
        .header("content-ENCODING", "rot13")
        .header("Content-Language", "de")
        .header("Content-X-Own", "1")
        .body("uryyb");
    let seen = server.send(request).await.expect(200).json();
    assert_eq!(
        seen["content"],
        json!({"type": "text/x-odd; a=\"b\"", "encoding": "rot13", "language": "de", "x-own": "1"})
    );
    assert_eq!(seen["body"], "uryyb");
    let seen = server
        .send(Wire::post(&format!("{DRAFT}/inspect")).body("x"))
        .await
        .expect(200)
        .json();
    assert_eq!(seen["content"], json!({}));
    assert_eq!(seen["body"], "x");
}

#[tokio::test]
async fn d27_200_is_a_result_with_its_state_and_content_headers() {
    let server = Server::start().await;
    let request = Wire::post(&format!("{DRAFT}/raw"))
        .header("Content-Type", "text/x-odd")
        .header("Content-Language", "de")
        .body("hallo");
    let answer = server.send(request).await.expect(200);
    assert_eq!(answer.header("nexus-operation-state"), Some("succeeded"));
    assert_eq!(answer.header("content-type"), Some("text/x-odd"));
    assert_eq!(answer.header("content-language"), Some("de"));
    assert_eq!(answer.text(), "hallo");
    let wrong = ["Nexus-Operation-State: failed", JSON];
    let result = started(Dialect::Draft, StartOptions::new(), "200 OK", &wrong, "1").await;
    protocol_error(result);
}

#[tokio::test]
async fn d28_204_is_an_empty_result() {
    let server = Server::start().await;
    let answer = server
        .send(Wire::post(&format!("{DRAFT}/unit")))
        .await
        .expect(204);
    assert_eq!(answer.header("nexus-operation-state"), Some("succeeded"));
    assert_eq!(answer.header("content-length"), None);
    assert_eq!(answer.body, b"");
    server
        .client(Dialect::Draft)
        .execute(UNIT, (), StartOptions::new())
        .await
        .unwrap();
}

#[tokio::test]
async fn d29_204_exactly_for_zero_bytes_and_the_client_takes_both() {
    let server = Server::start().await;
    let draft = server.client(Dialect::Draft);
    // No bytes are still bytes.
    assert_eq!(
        draft
            .execute(BYTES, vec![], StartOptions::new())
            .await
            .unwrap(),
        Vec::<u8>::new()
    );
    assert_eq!(
        draft
            .execute(BYTES, vec![0], StartOptions::new())
            .await
            .unwrap(),
        [0]
    );
    server
        .send(Wire::post(&format!("{DRAFT}/raw")))
        .await
        .expect(204);
    server
        .send(Wire::post(&format!("{DRAFT}/raw")).body("x"))
        .await
        .expect(200);
    let state = "Nexus-Operation-State: succeeded";
    for (status, headers) in [
        ("204 No Content", vec![state]),
        ("200 OK", vec![state]),
        ("200 OK", vec![]),
    ] {
        let Ok(StartedOperation::Completed { output, .. }) =
            started(Dialect::Draft, StartOptions::new(), status, &headers, "").await
        else {
            panic!("{status} is a result");
        };
        assert_eq!(output, Value::Null);
    }
}

#[tokio::test]
async fn d30_482_is_failed_or_canceled() {
    let server = Server::start().await;
    for state in ["failed", "canceled"] {
        let answer = server
            .post(&format!("{DRAFT}/fail"), &format!("{state:?}"))
            .await
            .expect(482);
        assert_eq!(answer.reason(), "Operation Failed");
        assert_eq!(answer.header("nexus-operation-state"), Some(state));
        assert!(answer.json()["message"].is_string());
        let error = server
            .client(Dialect::Draft)
            .execute(FAIL, state.to_owned(), StartOptions::new())
            .await
            .unwrap_err();
        let ClientError::Operation(failure) = error else {
            panic!("expected {state}, got {error:?}");
        };
        assert_eq!(failure.state().as_str(), state);
    }
    // The number decides, not the phrase; the state must be one of the two.
    let answer = |headers: Vec<&'static str>| async move {
        started(
            Dialect::Draft,
            StartOptions::new(),
            "482 All Is Well",
            &headers,
            "{}",
        )
        .await
    };
    let result = answer(vec![JSON, "Nexus-Operation-State: canceled"]).await;
    assert!(
        matches!(result, Err(ClientError::Operation(_))),
        "{result:?}"
    );
    for headers in [
        vec![JSON],
        vec![JSON, "Nexus-Operation-State: running"],
        vec![JSON, "Nexus-Operation-State: Failed"],
        vec!["Nexus-Operation-State: failed"],
    ] {
        protocol_error(answer(headers).await);
    }
}

#[tokio::test]
async fn d31_201_is_started() {
    let server = Server::start().await;
    let answer = server
        .post(&format!("{DRAFT}/job/a"), "{}")
        .await
        .expect(201);
    assert_eq!(
        answer.json(),
        json!({"operationId": "a", "callbackUrlSupported": false})
    );
    let started = server
        .client(Dialect::Draft)
        .start(JOB, json!({}), StartOptions::new())
        .await;
    let Ok(StartedOperation::Pending(handle)) = started else {
        panic!("expected a handle, got {started:?}");
    };
    assert!(server.jobs.contains(handle.token().as_str()));
}

#[tokio::test]
async fn d32_201_has_no_state_and_the_client_ignores_one() {
    let server = Server::start().await;
    let answer = server.post(&format!("{DRAFT}/job"), "{}").await.expect(201);
    assert_eq!(answer.header("nexus-operation-state"), None);
    let headers = [JSON, "Nexus-Operation-State: failed"];
    let result = started(
        Dialect::Draft,
        StartOptions::new(),
        "201 x",
        &headers,
        r#"{"operationId":"a"}"#,
    )
    .await;
    assert!(
        matches!(result, Ok(StartedOperation::Pending(_))),
        "{result:?}"
    );
}

#[tokio::test]
async fn d36_other_statuses_are_framework_errors() {
    for (status, retryable) in [
        ("400 x", false),
        ("404 x", false),
        ("418 x", false),
        ("500 x", true),
        ("599 x", true),
        ("202 x", false),
    ] {
        let error = started(Dialect::Draft, StartOptions::new(), status, &[], "")
            .await
            .unwrap_err();
        assert!(
            matches!(
                error,
                ClientError::Handler(_) | ClientError::UnexpectedResponse(_)
            ),
            "{status}: {error:?}"
        );
        assert_eq!(error.is_retryable(), retryable, "{status}");
    }
}

#[tokio::test]
async fn c07_started_is_operation_info() {
    let pending = async |body: &str| {
        started(
            Dialect::Current,
            StartOptions::new(),
            "201 Created",
            &[JSON],
            body,
        )
        .await
    };
    let Ok(StartedOperation::Pending(handle)) = pending(r#"{"token":"t","state":"running"}"#).await
    else {
        panic!("the token is there");
    };
    assert_eq!(handle.token().as_str(), "t");
    for body in [
        r#"{"token":"t"}"#,
        r#"{"token":"t","state":"succeeded"}"#,
        r#"{"token":"t","state":"RUNNING"}"#,
        r#"{"token":"","state":"running"}"#,
        r#"{"state":"running"}"#,
        r#"{"token":1,"state":"running"}"#,
        "null",
        "",
    ] {
        protocol_error(pending(body).await);
    }
}

#[tokio::test]
async fn c08_post_to_the_operation_starts_it() {
    let server = Server::start().await;
    assert_eq!(
        server.post("/svc/echo", "[1]").await.expect(200).json(),
        json!([1])
    );
    let peer = Peer::answering([response("200 OK", &[JSON], "1")]).await;
    client(peer.address, Dialect::Current)
        .start(ECHO, json!(1), StartOptions::new())
        .await
        .unwrap();
    assert_eq!(peer.request().first_line, "POST /svc/echo HTTP/1.1");
}

#[tokio::test]
async fn c09_callback_is_a_query_parameter() {
    let server = Server::start().await;
    let url = "http://a.example/cb?x=1&y=%2B+#f";
    let options = StartOptions::new().callback(callback(url));
    let client = server.client(Dialect::Current);
    let seen = client
        .execute(INSPECT, Content::empty(), options)
        .await
        .unwrap();
    assert_eq!(seen["callback"]["url"], url);
    let seen = server
        .post("/svc/inspect?callback_url=http://a/", "1")
        .await
        .expect(200);
    assert_eq!(seen.json()["callback"], Value::Null);
    for bad in ["%zz", "a%20b", "ftp://a/"] {
        let answer = server
            .post(&format!("/svc/inspect?callback={bad}"), "1")
            .await
            .expect(400);
        assert_eq!(answer.json()["details"]["type"], "BAD_REQUEST");
    }
}

#[tokio::test]
async fn c16_the_body_and_its_content_headers_reach_the_handler() {
    let server = Server::start().await;
    let content = Content {
        headers: Headers::from_iter([("type", "a/b"), ("encoding", "rot13")]),
        data: "uryyb".into(),
    };
    let client = server.client(Dialect::Current);
    let seen = client
        .execute(INSPECT, content.clone(), StartOptions::new())
        .await
        .unwrap();
    assert_eq!(seen["content"], json!({"type": "a/b", "encoding": "rot13"}));
    assert_eq!(seen["body"], "uryyb");
    let raw = UntypedOperation::new("svc", "raw");
    assert_eq!(
        client
            .execute(raw, content.clone(), StartOptions::new())
            .await
            .unwrap(),
        content
    );
}

#[tokio::test]
async fn c17_200_is_a_result() {
    let server = Server::start().await;
    let answer = server.post("/svc/inspect", "1").await.expect(200);
    assert_eq!(answer.header("nexus-operation-state"), Some("succeeded"));
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(
        answer.header("nexus-link"),
        Some(r#"<http://handler/?a=1%2C2>; type="my.Type""#)
    );
    // Go's servers send no state.
    let link = "Nexus-Link: <http://x/?a,b>; type=\"t\"";
    let Ok(StartedOperation::Completed { output, links }) = started(
        Dialect::Current,
        StartOptions::new(),
        "200 OK",
        &[JSON, link],
        "7",
    )
    .await
    else {
        panic!("the state is optional");
    };
    assert_eq!(output, 7);
    assert_eq!(links, [Link::new("http://x/?a,b", "t")]);
}

#[tokio::test]
async fn c18_201_is_started() {
    let server = Server::start().await;
    let answer = server
        .post("/svc/job", r#"{"token":"a b=/"}"#)
        .await
        .expect(201);
    assert_eq!(
        answer.json(),
        json!({"token": "a b=/", "id": "a b=/", "state": "running"})
    );
    assert_eq!(
        answer.header("nexus-link"),
        Some(r#"<http://handler/job>; type="my.Job""#)
    );
    let started = server
        .client(Dialect::Current)
        .start(JOB, json!({}), StartOptions::new())
        .await;
    let Ok(StartedOperation::Pending(handle)) = started else {
        panic!("expected a handle, got {started:?}");
    };
    assert_eq!(handle.links(), [Link::new("http://handler/job", "my.Job")]);
    assert_eq!(handle.callback_supported(), None);
    // Nobody but the callback gets its result.
    let error = server
        .client(Dialect::Current)
        .execute(JOB, json!({"token": "x"}), StartOptions::new())
        .await;
    assert!(matches!(error, Err(ClientError::StillRunning { token }) if token.as_str() == "x"));
}

#[tokio::test]
async fn c19_424_is_failed_or_canceled() {
    let server = Server::start().await;
    for state in ["failed", "canceled"] {
        let answer = server
            .post("/svc/fail", &format!("{state:?}"))
            .await
            .expect(424);
        assert_eq!(answer.header("nexus-operation-state"), Some(state));
        assert_eq!(
            answer.json()["metadata"],
            json!({"type": "nexus.OperationError"})
        );
        assert_eq!(answer.json()["details"]["state"], state);
        let error = server
            .client(Dialect::Current)
            .execute(FAIL, state.to_owned(), StartOptions::new())
            .await
            .unwrap_err();
        let ClientError::Operation(failure) = error else {
            panic!("expected {state}, got {error:?}");
        };
        assert_eq!(failure.state().as_str(), state);
    }
}

#[tokio::test]
async fn c50_links_on_a_response_are_decoration() {
    let headers = [JSON, "Nexus-Link: <broken"];
    let body = r#"{"token":"t","state":"running"}"#;
    let Ok(StartedOperation::Pending(handle)) = started(
        Dialect::Current,
        StartOptions::new(),
        "201 x",
        &headers,
        body,
    )
    .await
    else {
        panic!("the operation was started");
    };
    assert_eq!(handle.links(), []);
}

#[tokio::test]
async fn cx02_201_has_the_older_name_too_and_the_client_reads_it() {
    let body = r#"{"id":"old","state":"running"}"#;
    let Ok(StartedOperation::Pending(handle)) = started(
        Dialect::Current,
        StartOptions::new(),
        "201 x",
        &[JSON],
        body,
    )
    .await
    else {
        panic!("the id is the token");
    };
    assert_eq!(handle.token().as_str(), "old");
}
