//! What HTTP libraries hide: chunks, split writes, broken requests.

use nexus_rpc::context::CancelReason;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::support::{
    DRAFT, Server,
    raw::{Wire, exchange},
    services, within,
};

const HEAD: &str = "POST /svc/raw HTTP/1.1\r\nHost: t\r\nConnection: close\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n";

#[tokio::test]
async fn chunked_bodies_are_read_whole() {
    let server = Server::start().await;
    for (chunks, expected) in [
        ("0\r\n\r\n", ""),
        ("1\r\na\r\n0\r\n\r\n", "a"),
        ("1\r\na\r\n2;ext=\"1\"\r\nbc\r\n0\r\n\r\n", "abc"),
        (
            "A\r\n0123456789\r\na\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\n",
            "01234567890123456789",
        ),
        ("5\r\n\r\n0\r\n\r\n0\r\n\r\n", "\r\n0\r\n"),
    ] {
        let answer = exchange(server.address, format!("{HEAD}{chunks}").as_bytes())
            .await
            .expect(200);
        assert_eq!(answer.text(), expected);
    }
    // A body that never ends well is the caller's fault, in either dialect.
    for path in ["/svc/raw", &format!("{DRAFT}/raw")] {
        let head = HEAD.replace("/svc/raw", path);
        let answer = exchange(server.address, format!("{head}zz\r\nabc").as_bytes()).await;
        answer.expect(400);
    }
}

#[tokio::test]
async fn a_chunked_body_is_limited_as_it_comes() {
    let server = Server::with(|builder| builder.max_body_size(10)).await;
    exchange(
        server.address,
        format!("{HEAD}5\r\n01234\r\n5\r\n56789\r\n0\r\n\r\n").as_bytes(),
    )
    .await
    .expect(200);
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    // No end: the answer comes all the same.
    stream
        .write_all(format!("{HEAD}5\r\n01234\r\n6\r\n56789a\r\n").as_bytes())
        .await
        .unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 400");
}

#[tokio::test]
async fn a_body_that_is_said_to_be_too_long_is_not_waited_for() {
    let server = Server::with(|builder| builder.max_body_size(10)).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream
        .write_all(b"POST /svc/raw HTTP/1.1\r\nHost: t\r\nContent-Length: 11\r\n\r\n")
        .await
        .unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 400");
}

#[tokio::test]
async fn who_sends_too_much_gets_to_read_why() {
    let server = Server::with(|builder| builder.max_body_size(10)).await;
    let size = 8 * 1024 * 1024;
    let body = vec![b'x'; size];
    let head = HEAD.replace(
        "Transfer-Encoding: chunked",
        &format!("Content-Length: {size}"),
    );
    for (head, tail) in [(head, ""), (format!("{HEAD}{size:x}\r\n"), "\r\n0\r\n\r\n")] {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        for part in [head.as_bytes(), &body, tail.as_bytes()] {
            stream.write_all(part).await.unwrap();
        }
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"HTTP/1.1 400");
    }
}

#[tokio::test]
async fn a_request_may_come_byte_by_byte() {
    let server = Server::start().await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    for byte in format!("{HEAD}3\r\nabc\r\n0\r\n\r\n").bytes() {
        stream.write_all(&[byte]).await.unwrap();
    }
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    assert!(
        answer.ends_with(b"abc"),
        "{}",
        String::from_utf8_lossy(&answer)
    );
}

#[tokio::test]
async fn a_connection_serves_both_dialects_in_turn() {
    let server = Server::start().await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let requests = format!(
        "POST /svc/unit HTTP/1.1\r\nHost: t\r\n\r\nPOST {DRAFT}/unit HTTP/1.1\r\nHost: t\r\n\r\nPOST {DRAFT}/fail HTTP/1.1\r\nHost: t\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: 10\r\n\r\n\"canceled\""
    );
    stream.write_all(requests.as_bytes()).await.unwrap();
    let mut answers = String::new();
    stream.read_to_string(&mut answers).await.unwrap();
    let statuses: Vec<_> = answers
        .lines()
        .filter(|line| line.starts_with("HTTP/1.1 "))
        .collect();
    assert_eq!(
        statuses,
        [
            "HTTP/1.1 200 OK",
            "HTTP/1.1 204 No Content",
            "HTTP/1.1 482 Operation Failed"
        ]
    );
}

#[tokio::test]
async fn a_wait_of_the_body_counts_for_the_request_timeout() {
    let server = Server::start().await;
    let head = "POST /svc/raw HTTP/1.1\r\nHost: t\r\nConnection: close\r\nRequest-Timeout: 50ms\r\nContent-Length: 5\r\n\r\nab";
    exchange(server.address, head.as_bytes()).await.expect(408);
}

#[tokio::test]
async fn a_caller_that_goes_away_is_told_to_the_handler() {
    let (registry, mut told) = services::waiting();
    let server = Server::of(registry).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let request = Wire::post("/svc/wait").bytes();
    stream.write_all(&request).await.unwrap();
    assert_eq!(within(told.recv()).await, Some(None));
    drop(stream);
    assert_eq!(
        within(told.recv()).await,
        Some(Some(CancelReason::CallerGone))
    );
}
