//! The load: requests over connections that are kept, each with one request on its way.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures_util::future::try_join_all;
use http::{Request, header};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, task::JoinSet};

use crate::{Result, servers::PATH};

const BODY: &str = r#"{"message":"an order of three cups of tea, two of them with milk"}"#;

/// Connections to a server.
pub(crate) struct Connections {
    host: String,
    senders: Vec<SendRequest<Full<Bytes>>>,
    tasks: JoinSet<()>,
}

/// Requests that were answered, and how long that took.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Answered {
    pub(crate) requests: u64,
    pub(crate) time: Duration,
}

impl Connections {
    pub(crate) async fn open(address: SocketAddr, count: usize) -> Result<Self> {
        let mut tasks = JoinSet::new();
        let mut senders = Vec::with_capacity(count);
        for _ in 0..count {
            let stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
            // How it ends is told to the sender.
            tasks.spawn(async {
                let _ = connection.await;
            });
            senders.push(sender);
        }
        Ok(Self {
            host: address.to_string(),
            senders,
            tasks,
        })
    }

    /// Sends requests for about as long, on all connections. Each answer is checked.
    pub(crate) async fn send(&mut self, time: Duration) -> Result<Answered> {
        let over = Arc::new(AtomicBool::new(false));
        let begun = Instant::now();
        let mut sending = JoinSet::new();
        for sender in self.senders.drain(..) {
            sending.spawn(keep_sending(sender, self.host.clone(), over.clone()));
        }
        tokio::time::sleep(time).await;
        over.store(true, Ordering::Relaxed);
        let mut requests = 0;
        for sent in sending.join_all().await {
            let (sender, sent) = sent?;
            self.senders.push(sender);
            requests += sent;
        }
        Ok(Answered {
            requests,
            time: begun.elapsed(),
        })
    }

    /// Closes them, so that nobody is held up by them.
    pub(crate) async fn close(mut self) {
        self.senders.clear();
        while self.tasks.join_next().await.is_some() {}
    }
}

type Sent = (SendRequest<Full<Bytes>>, u64);

async fn keep_sending(
    mut sender: SendRequest<Full<Bytes>>,
    host: String,
    over: Arc<AtomicBool>,
) -> Result<Sent> {
    let mut requests = 0;
    while !over.load(Ordering::Relaxed) {
        let request = Request::post(PATH)
            .header(header::HOST, &host)
            .header(header::CONTENT_TYPE, "application/json")
            .header("nexus-request-id", "5c6fdc9e-6f3d-4c39-9a2e-2f6f9f1f7c0a")
            .body(Full::new(Bytes::from_static(BODY.as_bytes())))?;
        sender.ready().await?;
        let response = sender.send_request(request).await?;
        let status = response.status();
        let body = response.into_body().collect().await?.to_bytes();
        if status != 200 || body.trim_ascii() != BODY.as_bytes() {
            return Err(format!("answered with {status}: {body:?}").into());
        }
        requests += 1;
    }
    Ok((sender, requests))
}

/// Opens connections to each of `addresses`.
pub(crate) async fn open_all(
    addresses: impl IntoIterator<Item = SocketAddr>,
    count: usize,
) -> Result<Vec<Connections>> {
    try_join_all(
        addresses
            .into_iter()
            .map(|address| Connections::open(address, count)),
    )
    .await
}
