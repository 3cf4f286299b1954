//! Delivery of completions: sender and receiver.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nexus_rpc::{
    Content, Failure, Headers, Link, Operation, OperationError, OperationHandler, OperationState,
    OperationToken, Service, ServiceRegistry, StartError, StartOperationContext,
    StartOperationResult, content::JsonSerializer, context::Callback,
};
use nexus_rpc_http::{
    Dialect, OperationFailure, OperationHandle, Outcome, StartOptions, StartedOperation,
    callback::{
        CallbackTokens, Completion, CompletionSender, DeliveryError, ReceivedCompletion,
        TokenLocation,
    },
};
use serde_json::{Value, json};

use crate::support::{
    Server,
    peer::{JSON, Peer, response},
    raw::{RawMessage, Wire},
    receiver::Receiver,
};

const BOTH: [Dialect; 2] = [Dialect::Draft, Dialect::Current];

fn callback(url: impl Into<String>) -> Callback {
    Callback {
        url: url.into(),
        headers: Headers::new(),
    }
}

fn seven() -> Completion {
    Completion::succeeded(Content::new("application/json", "7"))
}

fn at(millis: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(millis)
}

/// All that a completion can have.
fn full(outcome: Outcome) -> Completion {
    let mut completion = Completion::new(outcome);
    completion.operation_token = Some(OperationToken::new("job/7 =").unwrap());
    completion.start_time = Some(at(784_887_151_999));
    completion.close_time = Some(at(784_887_152_123));
    completion.links = vec![Link::new("http://a/?b,c", "my.Type"), Link::new("d:e", "f")];
    completion
}

fn failure(state: OperationState) -> Outcome {
    let error = match state {
        OperationState::Canceled => OperationError::canceled("stopped"),
        _ => OperationError::failed("no luck"),
    };
    let error = error
        .with_details(json!({"code": 7}))
        .with_cause(Failure::new("the dice"));
    Outcome::Unsuccessful(OperationFailure::from_error(error, &JsonSerializer).unwrap())
}

async fn deliver(
    dialect: Dialect,
    callback: &Callback,
    completion: &Completion,
) -> Result<(), DeliveryError> {
    CompletionSender::new()
        .unwrap()
        .send(dialect, callback, completion)
        .await
}

/// The request that a sender makes.
async fn sent(dialect: Dialect, completion: &Completion) -> RawMessage {
    let peer = Peer::answering([response("200 OK", &[], "")]).await;
    deliver(dialect, &callback(peer.url("/cb")), completion)
        .await
        .unwrap();
    peer.request()
}

/// How a sender takes an answer.
async fn answered(
    dialect: Dialect,
    status: &str,
    headers: &[&str],
    body: &str,
) -> Result<(), DeliveryError> {
    let peer = Peer::answering([response(status, headers, body)]).await;
    let result = deliver(dialect, &callback(peer.url("/cb")), &seven()).await;
    assert_eq!(peer.requests().len(), 1);
    result
}

fn completion(state: &str) -> Wire {
    Wire::post("/cb").header("Nexus-Operation-State", state)
}

fn failed(body: &str) -> Wire {
    completion("failed")
        .header("Content-Type", "application/json")
        .body(body)
}

#[tokio::test]
async fn d75_path_and_query_are_used_as_they_are() {
    for dialect in BOTH {
        let peer = Peer::answering([response("200 OK", &[], "")]).await;
        // What URL libraries would tidy up; a signature over the URL would not survive it.
        let target = "/a/./b/../c//d/%7e%7E?x=%2F&x=+;y='|&&z=%zz";
        deliver(
            dialect,
            &callback(peer.url(&format!("{target}#fragment"))),
            &seven(),
        )
        .await
        .unwrap();
        assert_eq!(peer.request().first_line, format!("POST {target} HTTP/1.1"));
    }
}

#[tokio::test]
async fn d76_the_state_is_told() {
    for (outcome, state) in [
        (Outcome::Succeeded(Content::empty()), "succeeded"),
        (failure(OperationState::Failed), "failed"),
        (failure(OperationState::Canceled), "canceled"),
    ] {
        let request = sent(Dialect::Draft, &full(outcome)).await;
        assert_eq!(request.header("nexus-operation-state"), Some(state));
        // The draft has nothing more to say.
        for name in [
            "nexus-operation-token",
            "nexus-operation-start-time",
            "nexus-operation-close-time",
            "nexus-link",
        ] {
            assert_eq!(request.header(name), None);
        }
    }
    let peer = Peer::answering([response("200 OK", &[], "")]).await;
    let with_headers = Callback {
        url: peer.url("/"),
        headers: Headers::from_iter([("token", "x")]),
    };
    deliver(Dialect::Draft, &with_headers, &seven())
        .await
        .unwrap();
    assert_eq!(peer.request().header("token"), None);
}

#[tokio::test]
async fn d77_a_result_is_the_body_with_its_content_headers() {
    let content = Content {
        headers: Headers::from_iter([("type", "text/plain"), ("language", "de")]),
        data: "hallo".into(),
    };
    for dialect in BOTH {
        let request = sent(dialect, &Completion::succeeded(content.clone())).await;
        assert_eq!(request.header("content-type"), Some("text/plain"));
        assert_eq!(request.header("content-language"), Some("de"));
        assert_eq!(request.text(), "hallo");
        let receiver = Receiver::start().await;
        deliver(
            dialect,
            &callback(receiver.url("/")),
            &Completion::succeeded(content.clone()),
        )
        .await
        .unwrap();
        assert_eq!(receiver.take().outcome, Outcome::Succeeded(content.clone()));
    }
}

#[tokio::test]
async fn d78_an_empty_result_is_an_empty_body() {
    for dialect in BOTH {
        let request = sent(dialect, &Completion::succeeded(Content::empty())).await;
        assert_eq!(
            (request.header("content-type"), request.text()),
            (None, String::new())
        );
        let receiver = Receiver::start().await;
        receiver.send(completion("succeeded")).await.expect(200);
        assert_eq!(
            receiver.take().result::<()>(&JsonSerializer).unwrap(),
            Ok(())
        );
    }
}

#[tokio::test]
async fn d79_a_failure_is_json() {
    let request = sent(
        Dialect::Draft,
        &Completion::new(failure(OperationState::Failed)),
    )
    .await;
    let details =
        json!({"metadata": {"content-type": "application/json"}, "data": r#"{"code":7}"#});
    assert_eq!(request.json()["details"], details);
    assert_eq!(request.json()["message"], "no luck");
    assert_eq!(request.json()["metadata"], Value::Null);
    let receiver = Receiver::start().await;
    let body = json!({"message": "no luck", "details": details}).to_string();
    receiver.send(failed(&body)).await.expect(200);
    let Outcome::Unsuccessful(failure) = receiver.take().outcome else {
        panic!("expected a failure");
    };
    assert_eq!(
        failure.details::<Value>().unwrap(),
        Some(json!({"code": 7}))
    );
    for bad in ["", "null", "[]", "7", "{", r#"{"message":1}"#] {
        receiver.send(failed(bad)).await.expect(400);
    }
    for content_type in ["text/plain", "application/jsonp"] {
        let request = completion("canceled")
            .header("Content-Type", content_type)
            .body("{}");
        receiver.send(request).await.expect(400);
    }
    receiver
        .send(completion("failed").body("{}"))
        .await
        .expect(400);
    assert_eq!(receiver.count(), 0);
}

#[tokio::test]
async fn d80_the_receiver_answers_200_without_a_body() {
    let receiver = Receiver::start().await;
    for request in [completion("succeeded"), failed("{}")] {
        let answer = receiver.send(request).await.expect(200);
        assert_eq!(answer.body, b"");
        assert_eq!(answer.header("content-type"), None);
    }
}

#[tokio::test]
async fn d81_the_method_is_post() {
    assert!(
        sent(Dialect::Draft, &seven())
            .await
            .first_line
            .starts_with("POST ")
    );
    let receiver = Receiver::start().await;
    for method in ["GET", "PUT", "DELETE", "HEAD"] {
        let request = Wire::new(method, "/cb").header("Nexus-Operation-State", "succeeded");
        let answer = receiver.send(request).await.expect(405);
        assert_eq!(answer.header("allow"), Some("POST"));
    }
    assert_eq!(receiver.count(), 0);
}

#[tokio::test]
async fn d82_a_missing_or_unknown_state_is_a_bad_request() {
    let receiver = Receiver::start().await;
    for state in ["running", "Succeeded", "done", ""] {
        receiver.send(completion(state)).await.expect(400);
    }
    receiver.send(Wire::post("/cb")).await.expect(400);
    assert_eq!(receiver.count(), 0);
}

#[tokio::test]
async fn d83_2xx_is_delivered_5xx_is_retryable_4xx_is_final() {
    for status in ["200 OK", "201 x", "202 x", "204 x", "299 x"] {
        answered(Dialect::Draft, status, &[], "").await.unwrap();
    }
    for status in [
        "400 x", "401 x", "404 x", "408 x", "418 x", "429 x", "301 x",
    ] {
        let error = answered(Dialect::Draft, status, &[], "").await.unwrap_err();
        assert!(!error.is_retryable(), "{status}: {error:?}");
    }
    for status in ["500 x", "501 x", "502 x", "503 x", "599 x"] {
        let error = answered(Dialect::Draft, status, &[], "").await.unwrap_err();
        assert!(error.is_retryable(), "{status}: {error:?}");
    }
    // Nobody there.
    let nobody = Peer::answering([""]).await;
    let error = deliver(Dialect::Draft, &callback(nobody.url("/")), &seven())
        .await
        .unwrap_err();
    assert!(
        matches!(error, DeliveryError::Transport(_)) && error.is_retryable(),
        "{error:?}"
    );
}

#[tokio::test]
async fn d84_a_repeated_delivery_is_taken_again() {
    let receiver = Receiver::start().await;
    for _ in 0..2 {
        receiver.send(completion("succeeded")).await.expect(200);
    }
    // Telling them apart is up to the handler, which knows what it put into the URL.
    assert_eq!(receiver.count(), 2);
}

#[tokio::test]
async fn d87_the_receiver_sees_the_whole_url_and_verifies_its_token() {
    let tokens = CallbackTokens::new(&[7; 32]).unwrap();
    let receiver = Receiver::with(|builder| {
        builder.require_token(tokens.clone(), TokenLocation::Query("token".into()))
    })
    .await;
    let later = SystemTime::now() + Duration::from_secs(60);
    let token = tokens.sign("order-17", later);
    let url = receiver.url(&format!("/cb?x=1&token={token}"));
    deliver(Dialect::Draft, &callback(url), &seven())
        .await
        .unwrap();
    let received = receiver.take();
    assert_eq!(received.token_payload.as_deref(), Some("order-17"));
    assert_eq!(
        received.request.uri.to_string(),
        format!("/cb?x=1&token={token}")
    );

    let forged = CallbackTokens::new(&[8; 32])
        .unwrap()
        .sign("order-17", later);
    let expired = tokens.sign("order-17", UNIX_EPOCH);
    for query in [
        "",
        "?token=",
        "?token=x",
        &format!("?token={forged}"),
        &format!("?token={expired}"),
    ] {
        let request =
            Wire::post(&format!("/cb{query}")).header("Nexus-Operation-State", "succeeded");
        let answer = receiver.send(request).await.expect(401);
        assert_eq!(answer.json()["details"]["type"], "UNAUTHENTICATED");
        let error = deliver(
            Dialect::Draft,
            &callback(receiver.url(&format!("/cb{query}"))),
            &seven(),
        )
        .await
        .unwrap_err();
        assert!(!error.is_retryable());
    }
    assert_eq!(receiver.count(), 0);
}

#[tokio::test]
async fn c26_an_unsuccessful_completion_is_an_operation_error() {
    for state in [OperationState::Failed, OperationState::Canceled] {
        let request = sent(Dialect::Current, &Completion::new(failure(state))).await;
        assert_eq!(
            request.header("nexus-operation-state"),
            Some(state.as_str())
        );
        assert_eq!(
            request.json()["metadata"],
            json!({"type": "nexus.OperationError"})
        );
        assert_eq!(
            request.json()["details"],
            json!({"state": state.as_str(), "data": {"code": 7}})
        );
        assert_eq!(request.json()["cause"], json!({"message": "the dice"}));
    }
    // The body's state wins.
    let receiver = Receiver::start().await;
    let body = r#"{"metadata":{"type":"nexus.OperationError"},"details":{"state":"canceled"}}"#;
    receiver.send(failed(body)).await.expect(200);
    assert_eq!(receiver.take().outcome.state(), OperationState::Canceled);
}

#[tokio::test]
async fn c53_any_http_url_is_called() {
    let peer = Peer::answering([response("200 OK", &[], "")]).await;
    let url = format!("http://localhost:{}?only=query", peer.address.port());
    deliver(Dialect::Current, &callback(url), &seven())
        .await
        .unwrap();
    assert_eq!(peer.request().first_line, "POST /?only=query HTTP/1.1");
    for url in ["ftp://a/", "a", "", "http://", "http://a b/"] {
        let error = deliver(Dialect::Current, &callback(url), &seven())
            .await
            .unwrap_err();
        assert!(
            matches!(error, DeliveryError::Url(_)) && !error.is_retryable(),
            "{url}: {error:?}"
        );
    }
}

#[tokio::test]
async fn c55_the_method_is_post() {
    assert_eq!(
        sent(Dialect::Current, &seven()).await.first_line,
        "POST /cb HTTP/1.1"
    );
}

#[tokio::test]
async fn c56_callback_headers_are_sent_but_set_nothing_of_the_protocol() {
    let peer = Peer::answering([response("200 OK", &[], "")]).await;
    let callback = Callback {
        url: peer.url("/cb"),
        headers: Headers::from_iter([
            ("temporal-callback-token", r#"{"v":1}"#),
            ("source", "s"),
            ("host", "evil"),
            ("content-length", "999"),
            ("content-type", "evil/evil"),
            ("transfer-encoding", "chunked"),
            ("connection", "upgrade"),
            ("nexus-operation-state", "failed"),
            ("nexus-operation-token", "evil"),
            ("nexus-link", "<evil:x>; type=y"),
        ]),
    };
    deliver(Dialect::Current, &callback, &seven())
        .await
        .unwrap();
    let request = peer.request();
    assert_eq!(
        request.header("temporal-callback-token"),
        Some(r#"{"v":1}"#)
    );
    assert_eq!(request.header("source"), Some("s"));
    assert_eq!(
        request.header("host"),
        Some(peer.address.to_string().as_str())
    );
    assert_eq!(request.header("content-length"), Some("1"));
    assert_eq!(request.header("content-type"), Some("application/json"));
    assert_eq!(request.header("nexus-operation-state"), Some("succeeded"));
    for name in ["transfer-encoding", "nexus-operation-token", "nexus-link"] {
        assert_eq!(request.header(name), None, "{name}");
    }
}

#[tokio::test]
async fn c57_token_start_time_and_links_come_along() {
    let receiver = Receiver::start().await;
    let completion = full(Outcome::Succeeded(Content::new("application/json", "7")));
    deliver(Dialect::Current, &callback(receiver.url("/")), &completion)
        .await
        .unwrap();
    let received = receiver.take();
    assert_eq!(received.operation_token, completion.operation_token);
    assert_eq!(received.start_time, at(784_887_151_000));
    assert_eq!(
        received.links,
        [
            Link::new("http://a/?b%2Cc", "my.Type"),
            Link::new("d:e", "f")
        ]
    );
    assert_eq!(received.result::<u8>(&JsonSerializer).unwrap(), Ok(7));
    for (name, bad) in [
        ("Nexus-Link", "<a>"),
        ("Nexus-Operation-Token", "\u{e9}"),
        ("Nexus-Operation-Start-Time", "yesterday"),
    ] {
        let request = Wire::post("/cb")
            .header("Nexus-Operation-State", "succeeded")
            .header(name, bad);
        if name == "Nexus-Operation-Token" {
            // Not ASCII: as good as none.
            receiver.send(request).await.expect(200);
            assert_eq!(receiver.take().operation_token, None);
        } else {
            receiver.send(request).await.expect(400);
        }
    }
}

#[tokio::test]
async fn c58_the_start_time_is_a_date_of_internet_messages() {
    let request = sent(
        Dialect::Current,
        &full(Outcome::Succeeded(Content::empty())),
    )
    .await;
    assert_eq!(
        request.header("nexus-operation-start-time"),
        Some("Tue, 15 Nov 1994 08:12:31 GMT")
    );
    let receiver = Receiver::start().await;
    for text in [
        "Tue, 15 Nov 1994 08:12:31 GMT",
        "Tue, 15 Nov 1994 10:12:31 +0200",
        "15 Nov 1994 03:12:31 -0500",
    ] {
        let request = completion("succeeded").header("Nexus-Operation-Start-Time", text);
        receiver.send(request).await.expect(200);
        assert_eq!(receiver.take().start_time, at(784_887_151_000), "{text}");
    }
    let request =
        completion("succeeded").header("Nexus-Operation-Start-Time", "1994-11-15T08:12:31Z");
    receiver.send(request).await.expect(400);
}

#[tokio::test]
async fn c59_without_a_start_time_it_is_the_time_of_receipt() {
    let receiver = Receiver::start().await;
    let before = SystemTime::now();
    receiver.send(completion("succeeded")).await.expect(200);
    let received = receiver.take();
    assert!((before..=SystemTime::now()).contains(&received.start_time));
    assert_eq!(received.close_time, None);
}

#[tokio::test]
async fn c60_the_close_time_has_milliseconds() {
    let request = sent(
        Dialect::Current,
        &full(Outcome::Succeeded(Content::empty())),
    )
    .await;
    assert_eq!(
        request.header("nexus-operation-close-time"),
        Some("1994-11-15T08:12:32.123Z")
    );
    let receiver = Receiver::start().await;
    let request = completion("succeeded").header(
        "Nexus-Operation-Close-Time",
        "1994-11-15T10:12:32.123000+02:00",
    );
    receiver.send(request).await.expect(200);
    assert_eq!(receiver.take().close_time, Some(at(784_887_152_123)));
    let request = completion("succeeded").header("Nexus-Operation-Close-Time", "1994-11-15");
    receiver.send(request).await.expect(400);
}

#[tokio::test]
async fn c61_the_state_is_one_of_three() {
    for (outcome, state) in [
        (Outcome::Succeeded(Content::empty()), "succeeded"),
        (failure(OperationState::Failed), "failed"),
        (failure(OperationState::Canceled), "canceled"),
    ] {
        let receiver = Receiver::start().await;
        deliver(
            Dialect::Current,
            &callback(receiver.url("/")),
            &full(outcome.clone()),
        )
        .await
        .unwrap();
        let received = receiver.take();
        assert_eq!(received.outcome.state().as_str(), state);
        assert_eq!(received.outcome, outcome);
    }
}

#[tokio::test]
async fn c62_a_result_is_the_body() {
    let receiver = Receiver::start().await;
    let bytes = Completion::succeeded(Content::new("application/octet-stream", vec![0, 255]));
    deliver(Dialect::Current, &callback(receiver.url("/")), &bytes)
        .await
        .unwrap();
    assert_eq!(
        receiver.take().result::<Vec<u8>>(&JsonSerializer).unwrap(),
        Ok(vec![0, 255])
    );
    // A peer would not know what to make of a body without a type.
    let untyped = Content {
        data: "x".into(),
        ..Content::default()
    };
    let request = sent(Dialect::Current, &Completion::succeeded(untyped)).await;
    assert_eq!(
        request.header("content-type"),
        Some("application/octet-stream")
    );
}

#[tokio::test]
async fn c63_a_failure_is_json() {
    let request = sent(
        Dialect::Current,
        &Completion::new(failure(OperationState::Failed)),
    )
    .await;
    assert_eq!(request.header("content-type"), Some("application/json"));
    assert_eq!(request.json()["message"], "no luck");
}

#[tokio::test]
async fn c64_success_is_200_and_any_2xx_counts() {
    for status in ["200 OK", "202 x", "204 x"] {
        answered(Dialect::Current, status, &[], "").await.unwrap();
    }
    // A handler error says whether to try again.
    let body = r#"{"metadata":{"type":"nexus.HandlerError"},"message":"m","details":{"type":"NOT_FOUND","retryableOverride":true}}"#;
    let error = answered(Dialect::Current, "404 x", &[JSON], body)
        .await
        .unwrap_err();
    assert!(error.is_retryable());
    for (status, retryable) in [
        ("400 x", false),
        ("404 x", false),
        ("408 x", true),
        ("429 x", true),
        ("500 x", true),
        ("502 x", true),
        ("301 x", false),
    ] {
        let error = answered(Dialect::Current, status, &[], "")
            .await
            .unwrap_err();
        assert_eq!(error.is_retryable(), retryable, "{status}: {error:?}");
    }
    // The receiver's handler chooses.
    let receiver = Receiver::start().await;
    for (fail, status) in [("NOT_FOUND", 404), ("UNAVAILABLE", 503), ("panic", 500)] {
        let answer = receiver
            .send(completion("succeeded").header("Fail", fail))
            .await
            .expect(status);
        assert!(!answer.text().contains("secret"));
    }
    let hang = completion("succeeded")
        .header("Fail", "hang")
        .header("Request-Timeout", "30ms");
    receiver.send(hang).await.expect(408);
    assert_eq!(receiver.count(), 0);
}

#[tokio::test]
async fn c67_a_token_can_be_in_a_callback_header() {
    let tokens = CallbackTokens::new(&[7; 32]).unwrap();
    let receiver = Receiver::with(|builder| {
        builder.require_token(tokens.clone(), TokenLocation::Header("Token".into()))
    })
    .await;
    let token = tokens.sign("order-17", SystemTime::now() + Duration::from_secs(60));
    let callback = Callback {
        url: receiver.url("/"),
        headers: Headers::from_iter([("token", token)]),
    };
    deliver(Dialect::Current, &callback, &seven())
        .await
        .unwrap();
    assert_eq!(receiver.take().token_payload.as_deref(), Some("order-17"));
    receiver
        .send(completion("succeeded").header("Token", "x"))
        .await
        .expect(401);
}

#[tokio::test]
async fn cx02_the_older_name_of_the_token_will_do_alone() {
    let receiver = Receiver::start().await;
    receiver
        .send(completion("succeeded").header("Nexus-Operation-Id", "old"))
        .await
        .expect(200);
    assert_eq!(receiver.take().operation_token.unwrap().as_str(), "old");
    // On failures Go's v0.4.0 sends no other.
    let canceled = failed(r#"{"message":"m"}"#).header("Nexus-Operation-Id", "old");
    receiver.send(canceled).await.expect(200);
    assert_eq!(receiver.take().operation_token.unwrap().as_str(), "old");
    let both = completion("succeeded")
        .header("Nexus-Operation-Id", "old")
        .header("Nexus-Operation-Token", "new");
    receiver.send(both).await.expect(200);
    assert_eq!(receiver.take().operation_token.unwrap().as_str(), "new");
    for bad in ["\u{e9}", ""] {
        let request = completion("succeeded").header("Nexus-Operation-Id", bad);
        receiver.send(request).await.expect(200);
        assert_eq!(receiver.take().operation_token, None);
    }
}

#[tokio::test]
async fn cx04_headers_of_a_callback_reach_the_handler() {
    let receiver = Receiver::start().await;
    let request = completion("succeeded")
        .header("Temporal-Callback-Token", "t")
        .header("Source", "s");
    receiver.send(request).await.expect(200);
    let received = receiver.take();
    assert_eq!(received.headers.get("temporal-callback-token"), Some("t"));
    assert_eq!(received.headers.get("source"), Some("s"));
}

#[tokio::test]
async fn a_completion_that_is_too_long_is_refused() {
    let receiver = Receiver::with(|builder| builder.max_body_size(5)).await;
    receiver
        .send(completion("succeeded").body("12345"))
        .await
        .expect(200);
    receiver
        .send(completion("succeeded").body("123456"))
        .await
        .expect(400);
    assert_eq!(receiver.count(), 1);
}

/// Delivers its completion before it answers the start request.
struct Hasty(Dialect);

impl OperationHandler<(), u8> for Hasty {
    async fn start(
        &self,
        ctx: StartOperationContext,
        (): (),
    ) -> Result<StartOperationResult<u8>, StartError> {
        let token = OperationToken::new("job-7")?;
        let callback = ctx.callback().ok_or("there is no callback")?;
        let mut completion = full(seven().outcome);
        completion.operation_token = Some(token.clone());
        deliver(self.0, callback, &completion).await?;
        ctx.accept_callback();
        Ok(StartOperationResult::Async(token))
    }
}

/// What the receiver got before the client had its answer, and that answer.
async fn hasty(dialect: Dialect) -> (ReceivedCompletion, OperationHandle<u8>) {
    const HASTY: Operation<(), u8> = Operation::new("s", "hasty");
    let service = Service::builder("s")
        .operation(HASTY, Hasty(dialect))
        .build()
        .unwrap();
    let mut registry = ServiceRegistry::new();
    registry.register(service).unwrap();
    let server = Server::of(registry).await;
    let receiver = Receiver::start().await;
    let options = StartOptions::new().callback(callback(receiver.url("/cb?order=17")));
    match server
        .client(dialect)
        .start(HASTY, (), options)
        .await
        .unwrap()
    {
        StartedOperation::Pending(handle) => (receiver.take(), handle),
        other @ StartedOperation::Completed { .. } => panic!("expected a handle, got {other:?}"),
    }
}

#[tokio::test]
async fn d85_a_completion_may_come_before_the_answer_to_the_start() {
    let (received, handle) = hasty(Dialect::Draft).await;
    assert_eq!(received.request.uri, "/cb?order=17");
    assert_eq!(received.result::<u8>(&JsonSerializer).unwrap(), Ok(7));
    assert_eq!(handle.callback_supported(), Some(true));
}

#[tokio::test]
async fn c65_a_completion_before_the_answer_to_the_start_names_its_operation() {
    let (received, handle) = hasty(Dialect::Current).await;
    assert_eq!(received.operation_token.as_ref(), Some(handle.token()));
    assert_eq!(received.start_time, at(784_887_151_000));
    assert_eq!(received.links.len(), 2);
    assert_eq!(received.result::<u8>(&JsonSerializer).unwrap(), Ok(7));
}

#[tokio::test]
async fn d86_nothing_is_demanded_of_a_callback_by_default() {
    let receiver = Receiver::start().await;
    deliver(
        Dialect::Draft,
        &callback(receiver.url("/anything")),
        &seven(),
    )
    .await
    .unwrap();
    assert_eq!(receiver.take().token_payload, None);
}

#[tokio::test]
async fn c54_the_url_correlates_and_comes_whole() {
    let receiver = Receiver::start().await;
    let url = receiver.url("/orders/17?attempt=2&tag=a%2Fb");
    deliver(Dialect::Current, &callback(url), &seven())
        .await
        .unwrap();
    assert_eq!(
        receiver.take().request.uri,
        "/orders/17?attempt=2&tag=a%2Fb"
    );
}

#[tokio::test]
async fn c66_nothing_is_demanded_of_a_callback_by_default() {
    let receiver = Receiver::start().await;
    deliver(
        Dialect::Current,
        &callback(receiver.url("/anything")),
        &seven(),
    )
    .await
    .unwrap();
    assert_eq!(receiver.take().token_payload, None);
}
