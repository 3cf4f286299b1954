//! Headers of requests and responses.

use std::time::{Duration, Instant};

use nexus_rpc::{Content, HandlerErrorType, Headers, Link, context::Callback};
use nexus_rpc_http::{ClientError, Dialect, NexusHttpClient, RetryPolicy, StartOptions};
use serde_json::{Value, json};

use crate::support::{
    DRAFT, Server, client,
    peer::{JSON, Peer, response},
    raw::Wire,
    services::{ECHO, FAIL, INSPECT, UNIT},
};

/// What the handler sees of a start request with these header lines.
async fn seen(server: &Server, lines: &[(&str, &str)]) -> Value {
    let mut request = Wire::post("/svc/inspect");
    for (name, value) in lines {
        request = request.header(name, value);
    }
    server.send(request).await.expect(200).json()
}

async fn refused(server: &Server, name: &str, value: &str) {
    let answer = server
        .send(Wire::post("/svc/inspect").header(name, value))
        .await
        .expect(400);
    assert_eq!(answer.json()["details"]["type"], "BAD_REQUEST");
}

#[tokio::test]
async fn c11_any_header_reaches_the_handler() {
    let server = Server::start().await;
    let seen = seen(
        &server,
        &[
            ("X-Tenant", "a"),
            ("x-tenant", "b"),
            ("Authorization", "Bearer x"),
            ("Nexus-Operation-Token", "t"),
        ],
    )
    .await;
    assert_eq!(
        seen["headers"],
        json!({"host": "test", "x-tenant": "a, b", "authorization": "Bearer x"})
    );
    let sent = server
        .client(Dialect::Current)
        .execute(
            INSPECT,
            Content::empty(),
            StartOptions::new().header("X-Tenant", "a"),
        )
        .await
        .unwrap();
    assert_eq!(sent["headers"]["x-tenant"], "a");
    assert!(
        sent["headers"]["user-agent"]
            .as_str()
            .unwrap()
            .starts_with("nexus-rpc-http/v")
    );
    for (name, value) in [
        ("x", "a\r\nb: c"),
        ("x y", "a"),
        ("Transfer-Encoding", "chunked"),
        ("content-length", "9"),
        ("host", "a"),
    ] {
        let options = StartOptions::new().header(name, value);
        let error = server
            .client(Dialect::Current)
            .execute(UNIT, (), options)
            .await
            .unwrap_err();
        assert!(
            matches!(error, ClientError::Request(_)),
            "{name}: {error:?}"
        );
    }
}

#[tokio::test]
async fn c12_callback_headers_are_kept_for_the_callback() {
    let server = Server::start().await;
    let request = |path: &str| {
        Wire::post(&format!("{path}=http://a/"))
            .header("Nexus-Callback-Token", "x")
            .header("NEXUS-CALLBACK-source", "y")
    };
    let seen = server
        .send(request("/svc/inspect?callback"))
        .await
        .expect(200)
        .json();
    assert_eq!(
        seen["callback"]["headers"],
        json!({"token": "x", "source": "y"})
    );
    assert_eq!(seen["headers"], json!({"host": "test"}));
    // The draft knows none.
    let seen = server
        .send(request(&format!("{DRAFT}/inspect?callback_url")))
        .await
        .expect(200)
        .json();
    assert_eq!(seen["callback"]["headers"], json!({}));

    let peer = Peer::answering([response("200 OK", &[JSON], "1")]).await;
    let options = StartOptions::new().callback(Callback {
        url: "http://a/".into(),
        headers: Headers::from_iter([("Token", "x")]),
    });
    client(peer.address, Dialect::Current)
        .execute(ECHO, json!(1), options.clone())
        .await
        .unwrap();
    assert_eq!(peer.request().header("nexus-callback-token"), Some("x"));
    let error = client(peer.address, Dialect::Draft)
        .execute(ECHO, json!(1), options)
        .await
        .unwrap_err();
    assert!(matches!(error, ClientError::Request(_)), "{error:?}");
}

#[tokio::test]
async fn c13_operation_timeout_is_a_number_and_a_unit() {
    let server = Server::start().await;
    for (text, millis) in [("1500ms", 1500), ("2s", 2000), ("1m", 60_000)] {
        let seen = seen(&server, &[("Operation-Timeout", text)]).await;
        assert_eq!(seen["operation_timeout"], millis);
    }
    let peer = Peer::answering([response("200 OK", &[JSON], "1")]).await;
    let options = StartOptions::new().operation_timeout(Duration::from_secs(90));
    client(peer.address, Dialect::Current)
        .execute(ECHO, json!(1), options)
        .await
        .unwrap();
    assert_eq!(peer.request().header("operation-timeout"), Some("90000ms"));
}

#[tokio::test]
async fn c14_operation_timeout_is_not_the_requests() {
    let server = Server::start().await;
    let seen = seen(
        &server,
        &[("Operation-Timeout", "1ms"), ("Request-Timeout", "20s")],
    )
    .await;
    assert_eq!(seen["operation_timeout"], 1);
    let left = seen["time_left"].as_u64().unwrap();
    assert!((10_000..=20_000).contains(&left), "{left}");
}

#[tokio::test]
async fn c15_links_reach_the_handler() {
    let server = Server::start().await;
    let options = StartOptions::new()
        .link(Link::new(
            "temporal:///a?b=c,d",
            "temporal.api.common.v1.Link.WorkflowEvent",
        ))
        .link(Link::new("http://x/", "y"));
    let client = server.client(Dialect::Current);
    let seen = client
        .execute(INSPECT, Content::empty(), options.clone())
        .await
        .unwrap();
    assert_eq!(
        seen["links"],
        json!([
            [
                "temporal:///a?b=c%2Cd",
                "temporal.api.common.v1.Link.WorkflowEvent"
            ],
            ["http://x/", "y"]
        ])
    );
    let seen = server
        .client(Dialect::Draft)
        .execute(INSPECT, Content::empty(), options)
        .await
        .unwrap();
    assert_eq!(seen["links"], json!([]));
}

#[tokio::test]
async fn c48_links_have_the_syntax_of_rfc_8288() {
    let server = Server::start().await;
    let links = seen(
        &server,
        &[
            (
                "Nexus-Link",
                r#"<http://a/?x=1,2;3>; rel="a, b; c"; TYPE=t.T , <b:c>;type="q\"uote""#,
            ),
            ("nexus-link", "<d:e>; type=f/g"),
        ],
    )
    .await["links"]
        .clone();
    assert_eq!(
        links,
        json!([
            ["http://a/?x=1,2;3", "t.T"],
            ["b:c", "q\"uote"],
            ["d:e", "f/g"]
        ])
    );
    for bad in [
        "<a",
        "a",
        "<a>; type=\"b",
        "\"",
        "<a>; type=b c",
        "<>; type=b",
    ] {
        refused(&server, "Nexus-Link", bad).await;
    }
    // A limit, so that a request cannot fill a log.
    let server = Server::with(|builder| builder.max_links(2)).await;
    let link = "<a:b>; type=c";
    seen(&server, &[("Nexus-Link", link), ("Nexus-Link", link)]).await;
    refused(&server, "Nexus-Link", &[link; 3].join(",")).await;
}

#[tokio::test]
async fn c49_every_link_needs_a_type() {
    let server = Server::start().await;
    for bad in [
        "<a:b>",
        "<a:b>; rel=x",
        "<a:b>; type=x, <c:d>",
        "<a:b>; type=",
        "<a:b>; type=\"\"",
    ] {
        refused(&server, "Nexus-Link", bad).await;
    }
}

#[tokio::test]
async fn c51_request_timeout_is_a_number_and_a_unit() {
    let server = Server::start().await;
    for (text, millis) in [
        ("5000ms", 5000),
        ("5s", 5000),
        ("0.5m", 30_000),
        ("5.25s", 5250),
    ] {
        let left = seen(&server, &[("Request-Timeout", text)]).await["time_left"]
            .as_u64()
            .unwrap();
        assert!(left <= millis && left > millis / 2, "{text}: {left}");
    }
    for bad in [
        "", "5", "5h", "1m30s", "-5s", "5 s", "five", ".5s", "5.s", "5S",
    ] {
        refused(&server, "Request-Timeout", bad).await;
    }
    // On every request.
    let cancel = Wire::post("/svc/job/cancel?token=a").header("Request-Timeout", "x");
    server.send(cancel).await.expect(400);
    // One that is too long for the type, or for the server, is cut.
    let left = seen(
        &server,
        &[("Request-Timeout", &format!("{}m", "9".repeat(40)))],
    )
    .await["time_left"]
        .clone();
    assert!(left.as_u64().unwrap() <= 60_000);
    let peer = Peer::answering([response("200 OK", &[JSON], "1")]).await;
    let options = StartOptions::new().request_timeout(Duration::from_micros(1_500_900));
    client(peer.address, Dialect::Current)
        .execute(ECHO, json!(1), options)
        .await
        .unwrap();
    assert_eq!(peer.request().header("request-timeout"), Some("1500ms"));
}

#[tokio::test]
async fn c52_a_request_that_outlives_its_timeout_is_408() {
    let server = Server::start().await;
    let hang = |path: &str| {
        Wire::post(path)
            .header("Content-Type", "application/json")
            .header("Request-Timeout", "50ms")
            .body(r#""hang""#)
    };
    let started = Instant::now();
    let answer = server.send(hang("/svc/fail")).await.expect(408);
    assert_eq!(answer.json()["details"]["type"], "REQUEST_TIMEOUT");
    // The draft has no such thing; there it is an error that may be retried.
    server
        .send(hang(&format!("{DRAFT}/fail")))
        .await
        .expect(503);
    assert!(started.elapsed() < Duration::from_secs(10));
    // The server has a limit of its own.
    let server =
        Server::with(|builder| builder.max_request_timeout(Duration::from_millis(50))).await;
    server.post("/svc/fail", r#""hang""#).await.expect(408);
    // The client gets to hear of it,
    let hurried = NexusHttpClient::builder(format!("http://{}", server.address))
        .request_timeout(Duration::from_millis(50))
        .retry(RetryPolicy::none())
        .build()
        .unwrap();
    let error = hurried
        .execute(FAIL, "hang".into(), StartOptions::new())
        .await
        .unwrap_err();
    assert!(
        matches!(&error, ClientError::Handler(error) if error.error_type() == &HandlerErrorType::RequestTimeout),
        "{error:?}"
    );
    // and has a limit of its own, when the server does not keep to it.
    let impatient = NexusHttpClient::builder("http://test")
        .transport(nexus_rpc_http::HttpTransport::from_service(Silent))
        .request_timeout(Duration::from_millis(20))
        .retry(RetryPolicy::none())
        .build()
        .unwrap();
    let error = impatient
        .execute(UNIT, (), StartOptions::new())
        .await
        .unwrap_err();
    assert!(matches!(error, ClientError::Timeout { .. }), "{error:?}");
    assert!(error.is_retryable());
}

/// Never answers.
#[derive(Clone)]
struct Silent;

impl<R> tower_service::Service<R> for Silent {
    type Response = http::Response<nexus_rpc_http::server::ResponseBody>;
    type Error = std::convert::Infallible;
    type Future = std::future::Pending<Result<Self::Response, Self::Error>>;

    fn poll_ready(
        &mut self,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Result<(), Self::Error>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: R) -> Self::Future {
        std::future::pending()
    }
}

#[tokio::test]
async fn c69_a_null_has_no_content_type_and_no_body() {
    let server = Server::start().await;
    let answer = server.send(Wire::post("/svc/unit")).await.expect(200);
    assert_eq!(
        (answer.header("content-type"), answer.text()),
        (None, String::new())
    );
    let answer = server.post("/svc/echo", "null").await.expect(200);
    assert_eq!(
        (answer.header("content-type"), answer.text()),
        (None, String::new())
    );
    let seen = server
        .client(Dialect::Current)
        .execute(INSPECT, Content::empty(), StartOptions::new())
        .await
        .unwrap();
    assert_eq!(seen["content"], json!({}));
}

#[tokio::test]
async fn c70_bytes_are_an_octet_stream() {
    let server = Server::start().await;
    let request = Wire::post("/svc/bytes")
        .header("Content-Type", "application/octet-stream")
        .body([0, 255]);
    let answer = server.send(request).await.expect(200);
    assert_eq!(
        answer.header("content-type"),
        Some("application/octet-stream")
    );
    assert_eq!(answer.body, [0, 255]);
    // A body is never sent without a type: peers would guess.
    let answer = server
        .send(Wire::post("/svc/raw").body("x"))
        .await
        .expect(200);
    assert_eq!(
        answer.header("content-type"),
        Some("application/octet-stream")
    );
}

#[tokio::test]
async fn c68_content_types_are_free_and_usually_json() {
    let server = Server::start().await;
    let answer = server.post("/svc/echo", "{}").await.expect(200);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    for content_type in [
        "image/png",
        "application/x-protobuf; message-type=a.B",
        "application/json; format=protobuf; message-type=\"a.B\"",
    ] {
        let request = Wire::post("/svc/raw")
            .header("Content-Type", content_type)
            .body("x");
        let answer = server.send(request).await.expect(200);
        assert_eq!(answer.header("content-type"), Some(content_type));
    }
    let request = Wire::post("/svc/echo")
        .header("Content-Type", "image/png")
        .body("x");
    let answer = server.send(request).await.expect(400);
    assert!(
        answer.json()["message"]
            .as_str()
            .unwrap()
            .contains("image/png")
    );
}

#[tokio::test]
async fn cx01_request_id_is_sent_always_and_stays_over_retries() {
    let server = Server::start().await;
    assert_eq!(
        seen(&server, &[("Nexus-Request-Id", "r-1")]).await["request_id"],
        "r-1"
    );
    // One that is absent is made up.
    // Go's clients send any text as it is.
    assert_eq!(
        seen(&server, &[("Nexus-Request-Id", "règle 1")]).await["request_id"],
        "règle 1"
    );
    let first = seen(&server, &[]).await["request_id"]
        .as_str()
        .unwrap()
        .to_owned();
    let second = seen(&server, &[]).await["request_id"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(uuid::Uuid::parse_str(&first).is_ok());
    assert_ne!(first, second);

    let peer = Peer::answering([
        response("503 x", &[], ""),
        response("500 x", &[], ""),
        response("200 OK", &[JSON], "1"),
    ])
    .await;
    let client = NexusHttpClient::builder(peer.url(""))
        .retry(RetryPolicy::default().first_pause(Duration::from_millis(1)))
        .build()
        .unwrap();
    client
        .execute(ECHO, json!(1), StartOptions::new())
        .await
        .unwrap();
    client
        .execute(ECHO, json!(1), StartOptions::new().request_id("mine"))
        .await
        .unwrap();
    let ids: Vec<_> = peer
        .requests()
        .iter()
        .map(|request| request.header("nexus-request-id").unwrap().to_owned())
        .collect();
    assert_eq!(ids.len(), 4);
    assert!(uuid::Uuid::parse_str(&ids[0]).is_ok());
    assert_eq!(ids[0], ids[1]);
    assert_eq!(ids[0], ids[2]);
    assert_eq!(ids[3], "mine");
}

#[tokio::test]
async fn cx06_operation_timeout_is_read_in_gos_form() {
    let server = Server::start().await;
    for (text, millis) in [("14.997218859s", 14_997), ("1m0s", 60_000), ("soon", 0)] {
        let seen = seen(&server, &[("Operation-Timeout", text)]).await;
        let expected = if millis == 0 {
            Value::Null
        } else {
            json!(millis)
        };
        assert_eq!(seen["operation_timeout"], expected);
    }
}

#[tokio::test]
async fn cx07_both_forms_of_a_failure_are_sent_to_everybody() {
    let server = Server::start().await;
    for support in [None, Some("true"), Some("false")] {
        let mut request = Wire::post("/svc/fail")
            .header("Content-Type", "application/json")
            .body(r#""failed""#);
        if let Some(support) = support {
            request = request.header("temporal-nexus-failure-support", support);
        }
        let answer = server.send(request).await.expect(424);
        assert_eq!(answer.header("nexus-operation-state"), Some("failed"));
        assert_eq!(answer.json()["details"]["state"], "failed");
        assert_eq!(answer.json()["cause"], json!({"message": "the dice"}));
    }
}

#[tokio::test]
async fn cx07_the_client_asks_for_whole_failures() {
    let support = "temporal-nexus-failure-support";
    let server = Server::start().await;
    for (dialect, expected) in [
        (Dialect::Current, json!("true")),
        (Dialect::Draft, Value::Null),
    ] {
        let client = server.client(dialect);
        let inspect = async |options| {
            let seen = client.execute(INSPECT, Content::empty(), options).await;
            seen.unwrap()["headers"][support].clone()
        };
        assert_eq!(inspect(StartOptions::new()).await, expected);
        let refusing = StartOptions::new().header(support, "false");
        assert_eq!(inspect(refusing).await, "false");
    }
}

/// Sends bytes of a type to a handler that gives back what it got.
async fn there_and_back(content_type: &str) {
    let server = Server::start().await;
    let content = Content::new(content_type, vec![8u8, 1]);
    let raw = nexus_rpc::UntypedOperation::new("svc", "raw");
    for dialect in [Dialect::Current, Dialect::Draft] {
        let output = server
            .client(dialect)
            .execute(raw.clone(), content.clone(), StartOptions::new())
            .await
            .unwrap();
        assert_eq!(output, content);
    }
}

#[tokio::test]
async fn c71_protobuf_keeps_its_message_type() {
    there_and_back("application/x-protobuf; message-type=my.pkg.Message").await;
    there_and_back(r#"application/x-protobuf; message-type="my.pkg.Message""#).await;
}

#[tokio::test]
async fn c72_protobuf_in_json_keeps_its_format_and_message_type() {
    there_and_back(r#"application/json; format=protobuf; message-type="my.pkg.Message""#).await;
}
