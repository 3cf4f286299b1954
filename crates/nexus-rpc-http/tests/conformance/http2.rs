//! The same over HTTP/2, mounted in hyper without a router: many requests on one connection, bodies in frames, requests that are reset.

use std::{convert::Infallible, net::SocketAddr};

use bytes::Bytes;
use futures_util::stream;
use http::{Request, Response, StatusCode};
use http_body::Frame;
use http_body_util::{BodyExt, Full, StreamBody, combinators::BoxBody};
use hyper::{body::Incoming, client::conn::http2::SendRequest};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    service::TowerToHyperService,
};
use nexus_rpc::context::CancelReason;
use nexus_rpc_http::{
    ClientError, Dialect, HttpTransport, NexusHttpClient, NexusHttpService, StartOptions,
    server::NexusHttpServiceBuilder,
};
use serde_json::json;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::mpsc,
    task::JoinHandle,
};

use crate::support::{
    DRAFT,
    services::{self, ECHO, FAIL, JOB, Jobs},
    within,
};

type Sender = SendRequest<BoxBody<Bytes, Infallible>>;

struct Server {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    async fn start(builder: NexusHttpServiceBuilder) -> Self {
        let service = TowerToHyperService::new(builder.build().unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
                tokio::spawn(server.serve_connection(TokioIo::new(stream), service.clone()));
            }
        });
        Self { address, task }
    }

    async fn of_jobs() -> Self {
        let registry = services::registry(&Jobs::default());
        Self::start(NexusHttpService::builder(registry).max_body_size(100)).await
    }

    async fn connect(&self) -> Sender {
        let stream = TcpStream::connect(self.address).await.unwrap();
        let io = TokioIo::new(stream);
        let (sender, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), io)
            .await
            .unwrap();
        tokio::spawn(connection);
        sender
    }

    fn request(&self, method: &str, path: &str) -> http::request::Builder {
        Request::builder()
            .method(method)
            .uri(format!("http://{}{path}", self.address))
            .header("content-type", "application/json")
    }
}

fn full(body: &'static str) -> BoxBody<Bytes, Infallible> {
    Full::from(body).boxed()
}

/// A body that ends when the sender is dropped.
fn in_frames() -> (mpsc::Sender<&'static [u8]>, BoxBody<Bytes, Infallible>) {
    let (sender, receiver) = mpsc::channel::<&[u8]>(1);
    let body = stream::unfold(receiver, |mut receiver| async {
        let data = receiver.recv().await?;
        Some((Ok(Frame::data(Bytes::from_static(data))), receiver))
    });
    (sender, BoxBody::new(StreamBody::new(body)))
}

async fn answer(response: Response<Incoming>) -> (StatusCode, Bytes) {
    let status = response.status();
    (
        status,
        response.into_body().collect().await.unwrap().to_bytes(),
    )
}

#[tokio::test]
async fn clients_of_both_dialects_share_a_connection() {
    let server = Server::of_jobs().await;
    let sender = server.connect().await;
    let send = tower_service(sender);
    for dialect in [Dialect::Draft, Dialect::Current] {
        let client = NexusHttpClient::builder(format!("http://{}", server.address))
            .dialect(dialect)
            .transport(HttpTransport::from_service(send.clone()))
            .build()
            .unwrap();
        let echo = client.execute(ECHO, json!({"tea": 1}), StartOptions::new());
        assert_eq!(echo.await.unwrap(), json!({"tea": 1}));
        let failed = client.execute(FAIL, "failed".into(), StartOptions::new());
        let Err(ClientError::Operation(failure)) = failed.await else {
            panic!("the operation failed");
        };
        assert_eq!(failure.message(), "no luck");
        let started = client.start(JOB, json!({}), StartOptions::new()).await;
        let nexus_rpc_http::StartedOperation::Pending(job) = started.unwrap() else {
            panic!("the job goes on");
        };
        job.cancel().await.unwrap();
    }
}

/// The client's requests on one connection.
fn tower_service(
    sender: Sender,
) -> impl tower_service::Service<
    Request<Full<Bytes>>,
    Response = Response<Incoming>,
    Error = hyper::Error,
    Future = impl Future<Output = Result<Response<Incoming>, hyper::Error>> + Send,
> + Clone
+ Send
+ Sync
+ 'static {
    #[derive(Clone)]
    struct Over<F>(F);

    impl<F, Fut> tower_service::Service<Request<Full<Bytes>>> for Over<F>
    where
        F: Fn(Request<Full<Bytes>>) -> Fut,
        Fut: Future<Output = Result<Response<Incoming>, hyper::Error>>,
    {
        type Response = Response<Incoming>;
        type Error = hyper::Error;
        type Future = Fut;

        fn poll_ready(
            &mut self,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Result<(), hyper::Error>> {
            std::task::Poll::Ready(Ok(()))
        }

        fn call(&mut self, request: Request<Full<Bytes>>) -> Fut {
            (self.0)(request)
        }
    }

    Over(move |request: Request<Full<Bytes>>| {
        let mut sender = sender.clone();
        async move { sender.send_request(request.map(BodyExt::boxed)).await }
    })
}

#[tokio::test]
async fn a_body_may_come_in_many_frames_and_no_end_is_in_sight() {
    let server = Server::of_jobs().await;
    let mut sender = server.connect().await;
    let (frames, body) = in_frames();
    let request = server.request("POST", "/svc/echo").body(body).unwrap();
    let response = tokio::spawn(sender.send_request(request));
    for part in [&b"{\"te"[..], b"", b"a\":", b"1}"] {
        frames.send(part).await.unwrap();
    }
    drop(frames);
    let (status, body) = answer(within(response).await.unwrap().unwrap()).await;
    assert_eq!((status, &*body), (StatusCode::OK, &b"{\"tea\":1}"[..]));

    // One that is longer than is allowed is refused although it never ends, and the connection serves on.
    let (frames, body) = in_frames();
    let request = server.request("POST", "/svc/echo").body(body).unwrap();
    let response = tokio::spawn(sender.send_request(request));
    frames.send(&[b' '; 101]).await.unwrap();
    let response = within(response).await.unwrap().unwrap();
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
    let request = server.request("POST", "/svc/echo").body(full("7")).unwrap();
    let (status, body) = answer(sender.send_request(request).await.unwrap()).await;
    assert_eq!((status, &*body), (StatusCode::OK, &b"7"[..]));
}

#[tokio::test]
async fn the_status_that_http_does_not_know_arrives() {
    let server = Server::of_jobs().await;
    let mut sender = server.connect().await;
    let request = server.request("POST", &format!("{DRAFT}/fail"));
    let request = request.body(full("\"canceled\"")).unwrap();
    let response = sender.send_request(request).await.unwrap();
    assert_eq!(response.status().as_u16(), 482);
    assert_eq!(response.headers()["nexus-operation-state"], "canceled");
    let (_, body) = answer(response).await;
    assert_eq!(body, "{\"message\":\"stopped\"}");
}

#[tokio::test]
async fn a_handler_hears_of_a_reset_while_the_connection_goes_on() {
    let (registry, mut told) = services::waiting();
    let server = Server::start(NexusHttpService::builder(registry)).await;
    let mut sender = server.connect().await;
    let request = Request::post(format!("http://{}/svc/wait", server.address));
    let request = sender.send_request(request.body(full("")).unwrap());
    let request = tokio::spawn(request);
    assert_eq!(within(told.recv()).await, Some(None));
    request.abort();
    assert_eq!(
        within(told.recv()).await,
        Some(Some(CancelReason::CallerGone))
    );

    let request = server.request("POST", "/svc/echo").body(full("7")).unwrap();
    let (status, _) = answer(sender.send_request(request).await.unwrap()).await;
    assert_eq!(status, StatusCode::OK);
}
