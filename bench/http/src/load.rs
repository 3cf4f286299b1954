//! The load: requests over connections that are kept, each with one request on its way.
//!
//! Whatever the load generator takes of the machine the server lacks: it writes the same bytes each time, and reads no more of an answer than
//! it takes to check it.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use futures_util::future::try_join_all;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    task::JoinSet,
};

use crate::{Result, servers::PATH};

const BODY: &str = r#"{"message":"an order of three cups of tea, two of them with milk"}"#;

/// Connections to a server.
pub(crate) struct Connections(Vec<Connection>);

/// Requests that were answered, and how long that took.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Answered {
    pub(crate) requests: u64,
    pub(crate) time: Duration,
}

impl Connections {
    async fn open(address: SocketAddr, count: usize) -> Result<Self> {
        let request = format!(
            "POST {PATH} HTTP/1.1\r\n\
             Host: {address}\r\n\
             Content-Type: application/json\r\n\
             Nexus-Request-Id: 5c6fdc9e-6f3d-4c39-9a2e-2f6f9f1f7c0a\r\n\
             Content-Length: {}\r\n\r\n{BODY}",
            BODY.len()
        );
        let request: Arc<[u8]> = request.into_bytes().into();
        let mut connections = Vec::with_capacity(count);
        for _ in 0..count {
            let stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            connections.push(Connection {
                stream,
                request: request.clone(),
                answer: Vec::with_capacity(1024),
            });
        }
        Ok(Self(connections))
    }

    /// Sends requests for about as long, on all connections. Each answer is checked.
    pub(crate) async fn send(&mut self, time: Duration) -> Result<Answered> {
        let over = Arc::new(AtomicBool::new(false));
        let begun = Instant::now();
        let mut sending = JoinSet::new();
        for mut connection in self.0.drain(..) {
            let over = over.clone();
            sending.spawn(async move {
                let mut requests = 0;
                while !over.load(Ordering::Relaxed) {
                    connection.ask().await?;
                    requests += 1;
                }
                Result::Ok((connection, requests))
            });
        }
        tokio::time::sleep(time).await;
        over.store(true, Ordering::Relaxed);
        let mut requests = 0;
        for sent in sending.join_all().await {
            let (connection, sent) = sent?;
            self.0.push(connection);
            requests += sent;
        }
        Ok(Answered {
            requests,
            time: begun.elapsed(),
        })
    }
}

struct Connection {
    stream: TcpStream,
    request: Arc<[u8]>,
    answer: Vec<u8>,
}

impl Connection {
    async fn ask(&mut self) -> Result {
        self.stream.write_all(&self.request).await?;
        self.answer.clear();
        loop {
            if self.stream.read_buf(&mut self.answer).await? == 0 {
                return Err("the server closed a connection".into());
            }
            let Some((head, body)) = whole(&self.answer)? else {
                continue;
            };
            if !head.starts_with("HTTP/1.1 200 ") || body.trim_ascii() != BODY.as_bytes() {
                let answer = String::from_utf8_lossy(&self.answer);
                return Err(format!("unexpected answer: {answer:?}").into());
            }
            return Ok(());
        }
    }
}

/// Head and body of an answer, if all of it is there. All the servers say how long the body is.
fn whole(answer: &[u8]) -> Result<Option<(&str, &[u8])>> {
    const END: &[u8] = b"\r\n\r\n";
    let Some(end) = answer.windows(END.len()).position(|window| window == END) else {
        return Ok(None);
    };
    let head = str::from_utf8(&answer[..end])?;
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then_some(value)
    });
    let length: usize = length.ok_or("an answer without a length")?.trim().parse()?;
    let body = &answer[end + END.len()..];
    Ok((body.len() >= length).then_some((head, body)))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_whole_when_its_body_is_there() {
        let answer = b"HTTP/1.1 200 OK\r\ncontent-LENGTH: 3\r\nDate: x\r\n\r\n1\n2";
        let head_end = answer.len() - 3;
        for end in 0..answer.len() {
            assert!(whole(&answer[..end]).unwrap().is_none(), "{end}");
        }
        let (head, body) = whole(answer).unwrap().unwrap();
        assert_eq!(head.len() + 4, head_end);
        assert_eq!(body, b"1\n2");
        assert!(whole(b"HTTP/1.1 200 OK\r\n\r\n").is_err());
    }
}
