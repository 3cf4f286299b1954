//! Limits, mounting, authentication, and both dialects on one port.

use std::time::{Duration, Instant};

use http::Request;
use nexus_rpc::OperationToken;
use nexus_rpc_http::{
    ClientError, Dialect, NexusHttpClient, NexusHttpService, RetryPolicy, StartOptions,
};
use serde_json::json;

use crate::support::{
    DRAFT, Server, client,
    peer::{JSON, Peer, response},
    raw::{Wire, exchange},
    serve,
    services::{self, ECHO, JOB, Jobs, Principal},
};

#[tokio::test]
async fn d88_bodies_headers_and_times_are_limited_and_layers_authenticate() {
    let server = Server::with(|builder| builder.max_body_size(10).max_header_size(300)).await;
    server.post("/svc/echo", "1234567890").await.expect(200);
    server
        .post(&format!("{DRAFT}/echo"), "12345678901")
        .await
        .expect(413);
    let answer = server.post("/svc/echo", "12345678901").await.expect(400);
    assert_eq!(
        answer.json()["message"],
        "the body of the request has more than 10 bytes"
    );
    let long = "x".repeat(300);
    server
        .send(Wire::post("/svc/unit").header("X-Long", &long))
        .await
        .expect(400);
    server
        .send(Wire::post(&format!("{DRAFT}/unit")).header("X-Long", &long))
        .await
        .expect(431);

    // Headers of the caller's, and what a layer makes of them.
    let service = NexusHttpService::builder(services::registry(&Jobs::default()))
        .build()
        .unwrap();
    let authenticate = axum::middleware::map_request(|mut request: axum::extract::Request| async {
        match request
            .headers()
            .get("authorization")
            .map(|value| value.to_str().unwrap().to_owned())
        {
            Some(value) => {
                request
                    .extensions_mut()
                    .insert(Principal(value.replace("Bearer ", "")));
                Ok(request)
            }
            None => Err(http::StatusCode::UNAUTHORIZED),
        }
    });
    let app = axum::Router::new()
        .fallback_service(service)
        .layer(authenticate);
    let (address, task) = serve(app).await;
    let error = client(address, Dialect::Draft)
        .execute(
            services::INSPECT,
            nexus_rpc::Content::empty(),
            StartOptions::new(),
        )
        .await
        .unwrap_err();
    assert!(matches!(error, ClientError::Handler(_)), "{error:?}");
    let client = NexusHttpClient::builder(format!("http://{address}"))
        .header("Authorization", "Bearer alice")
        .build()
        .unwrap();
    let seen = client
        .execute(
            services::INSPECT,
            nexus_rpc::Content::empty(),
            StartOptions::new(),
        )
        .await
        .unwrap();
    assert_eq!(seen["principal"], "alice");
    task.abort();
}

#[tokio::test]
async fn d74_callback_urls_are_http_and_may_be_refused() {
    let server = Server::with(|builder| {
        builder.allow_callback(|url| url.host().is_some_and(|host| host.ends_with(".example")))
    })
    .await;
    let start = async |dialect: Dialect, url: &str| {
        let path = match dialect {
            Dialect::Draft => format!("{DRAFT}/job?callback_url={url}"),
            Dialect::Current => format!("/svc/job?callback={url}"),
        };
        server.post(&path, r#"{"accept":true}"#).await
    };
    for url in [
        "http://a.example",
        "https://a.example:8443/x/y?z=1",
        "HTTP://a.example/",
    ] {
        let answer = start(Dialect::Draft, url).await.expect(201);
        assert_eq!(answer.json()["callbackUrlSupported"], true, "{url}");
        start(Dialect::Current, url).await.expect(201);
    }
    for url in [
        "ftp://a.example/",
        "file:///etc/passwd",
        "javascript:1",
        "//a.example/",
        "/x",
        "temporal://system",
    ] {
        start(Dialect::Draft, url).await.expect(400);
        start(Dialect::Current, url).await.expect(400);
    }
    // Where it may not be called the draft can say so, the current dialect can only refuse.
    let answer = start(Dialect::Draft, "http://169.254.169.254/")
        .await
        .expect(201);
    assert_eq!(answer.json()["callbackUrlSupported"], false);
    start(Dialect::Current, "http://169.254.169.254/")
        .await
        .expect(400);
}

#[tokio::test]
async fn both_dialects_share_a_port_or_not() {
    let both = Server::start().await;
    both.post("/svc/echo", "1").await.expect(200);
    both.post(&format!("{DRAFT}/echo"), "1").await.expect(200);
    // Two segments are a start of the current dialect, whatever they are called.
    let answer = both.post("/api/v1", "1").await.expect(404);
    assert_eq!(answer.json()["message"], r#"service "api" not found"#);
    let draft = Server::only(Dialect::Draft).await;
    draft.post(&format!("{DRAFT}/echo"), "1").await.expect(200);
    draft.post("/svc/echo", "1").await.expect(404);
    let current = Server::only(Dialect::Current).await;
    current.post("/svc/echo", "1").await.expect(200);
    let answer = current
        .post(&format!("{DRAFT}/echo"), "1")
        .await
        .expect(404);
    assert_eq!(answer.json()["details"]["type"], "NOT_FOUND");
}

#[tokio::test]
async fn the_client_needs_no_network() {
    let server = NexusHttpService::builder(services::registry(&Jobs::default()))
        .build()
        .unwrap();
    for dialect in [Dialect::Draft, Dialect::Current] {
        let client = NexusHttpClient::builder("https://in-process/x")
            .transport(nexus_rpc_http::HttpTransport::from_service(Prefixed(
                server.clone(),
            )))
            .dialect(dialect)
            .build()
            .unwrap();
        assert_eq!(
            client
                .execute(ECHO, json!({"a": 1}), StartOptions::new())
                .await
                .unwrap(),
            json!({"a": 1})
        );
        let handle = client
            .handle(JOB, OperationToken::new("none").unwrap())
            .unwrap();
        assert!(handle.cancel().await.is_err());
    }
}

/// Takes the client's prefix away, as a router would.
#[derive(Clone)]
struct Prefixed(NexusHttpService);

impl<B> tower_service::Service<Request<B>> for Prefixed
where
    NexusHttpService: tower_service::Service<Request<B>>,
{
    type Response = <NexusHttpService as tower_service::Service<Request<B>>>::Response;
    type Error = <NexusHttpService as tower_service::Service<Request<B>>>::Error;
    type Future = <NexusHttpService as tower_service::Service<Request<B>>>::Future;

    fn poll_ready(
        &mut self,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Result<(), Self::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let path = request
            .uri()
            .path()
            .strip_prefix("/x")
            .unwrap()
            .parse()
            .unwrap();
        *request.uri_mut() = path;
        self.0.call(request)
    }
}

#[tokio::test]
async fn the_client_limits_what_it_reads() {
    let peer = Peer::answering([response("200 OK", &[JSON], &"1".repeat(100))]).await;
    let client = NexusHttpClient::builder(peer.url(""))
        .max_response_size(99)
        .build()
        .unwrap();
    let error = client
        .execute(ECHO, json!(1), StartOptions::new())
        .await
        .unwrap_err();
    assert!(matches!(error, ClientError::Transport(_)), "{error:?}");
    assert!(!error.is_retryable());
    assert_eq!(peer.requests().len(), 1);
}

#[tokio::test]
async fn an_unreachable_server_is_a_transport_error() {
    let peer = Peer::answering([""]).await;
    let address = peer.address;
    let error = client(address, Dialect::Current)
        .execute(ECHO, json!(1), StartOptions::new())
        .await
        .unwrap_err();
    assert!(matches!(error, ClientError::Transport(_)), "{error:?}");
    assert!(error.is_retryable());
    if cfg!(not(any(feature = "tls-ring", feature = "tls-aws-lc"))) {
        let error = NexusHttpClient::new("https://localhost").unwrap_err();
        let source = std::error::Error::source(&error).unwrap();
        assert_eq!(
            source.to_string(),
            "https needs the crate feature `tls-ring` or `tls-aws-lc`"
        );
    }
}

#[tokio::test]
async fn a_caller_that_goes_away_is_noticed() {
    use nexus_rpc::{Operation, Service, ServiceRegistry, StartOperationContext, sync_operation};
    let (told, mut noticed) = tokio::sync::mpsc::channel(1);
    let operation = sync_operation(move |ctx: StartOperationContext, (): ()| {
        let told = told.clone();
        async move {
            tokio::spawn(async move {
                told.send(()).await.unwrap();
                ctx.cancelled().await;
                told.send(()).await.unwrap();
            });
            std::future::pending().await
        }
    });
    let service = Service::builder("s")
        .operation(Operation::<(), ()>::new("s", "o"), operation)
        .build()
        .unwrap();
    let mut registry = ServiceRegistry::new();
    registry.register(service).unwrap();
    let server = Server::of(registry).await;
    let address = server.address;
    let request = tokio::spawn(async move { exchange(address, &Wire::post("/s/o").bytes()).await });
    noticed.recv().await.unwrap();
    request.abort();
    noticed.recv().await.unwrap();
}

#[tokio::test]
async fn a_server_that_asks_for_time_gets_it_within_the_policy() {
    for (asked, longest, least, most) in [("1", 60_000, 1000, 30_000), ("3600", 20, 0, 30_000)] {
        let header = format!("Retry-After: {asked}");
        let answers = [
            response("503 x", &[&header], ""),
            response("200 OK", &[JSON], "7"),
        ];
        let peer = Peer::answering(answers).await;
        let policy = RetryPolicy::default()
            .first_pause(Duration::from_millis(1))
            .longest_pause(Duration::from_millis(longest));
        let client = NexusHttpClient::builder(peer.url(""))
            .retry(policy)
            .build()
            .unwrap();
        let since = Instant::now();
        let echo = client.execute(ECHO, json!(1), StartOptions::new());
        assert_eq!(echo.await.unwrap(), json!(7));
        let taken = since.elapsed().as_millis();
        assert!((least..most).contains(&taken), "{taken} ms");
    }
}
