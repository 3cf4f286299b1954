//! A server that says what a test tells it to, and remembers what it was asked.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

use super::raw::RawMessage;

pub(crate) struct Peer {
    pub(crate) address: SocketAddr,
    requests: Arc<Mutex<Vec<RawMessage>>>,
    task: JoinHandle<()>,
}

impl Peer {
    /// Answers the first request with the first of `responses` and so on; the last one is for all that follow.
    pub(crate) async fn answering<S: Into<String>>(responses: impl IntoIterator<Item = S>) -> Self {
        let responses: Vec<String> = responses.into_iter().map(Into::into).collect();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let task = tokio::spawn({
            let requests = requests.clone();
            async move {
                let mut count = 0;
                while let Ok((mut stream, _)) = listener.accept().await {
                    let Some(request) = read(&mut stream).await else {
                        continue;
                    };
                    requests.lock().unwrap().push(request);
                    let response = &responses[count.min(responses.len() - 1)];
                    count += 1;
                    let _ = stream.write_all(response.as_bytes()).await;
                    let _ = stream.shutdown().await;
                }
            }
        });
        Self {
            address,
            requests,
            task,
        }
    }

    pub(crate) fn requests(&self) -> Vec<RawMessage> {
        self.requests.lock().unwrap().clone()
    }

    /// The only request.
    #[track_caller]
    pub(crate) fn request(&self) -> RawMessage {
        let requests = self.requests();
        assert_eq!(requests.len(), 1, "{requests:?}");
        requests.into_iter().next().unwrap()
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A response as text. `headers` are whole lines without their ends.
pub(crate) fn response(status: &str, headers: &[&str], body: &str) -> String {
    let mut text = format!("HTTP/1.1 {status}\r\nConnection: close\r\n");
    for header in headers {
        text.push_str(header);
        text.push_str("\r\n");
    }
    if !status.starts_with("204") {
        text.push_str(&format!("Content-Length: {}\r\n", body.len()));
    }
    text.push_str("\r\n");
    text.push_str(body);
    text
}

pub(crate) const JSON: &str = "Content-Type: application/json";

async fn read(stream: &mut TcpStream) -> Option<RawMessage> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let read = stream.read(&mut buffer).await.ok()?;
        if read == 0 {
            return None;
        }
        bytes.extend_from_slice(&buffer[..read]);
        if !bytes.windows(4).any(|window| window == b"\r\n\r\n") {
            continue;
        }
        let message = RawMessage::parse(&bytes);
        let length = message
            .header("content-length")
            .map_or(0, |length| length.parse::<usize>().unwrap());
        if message.body.len() >= length {
            return Some(message);
        }
    }
}
