//! Messages of Protocol Buffers.

use nexus_rpc::{
    FromContent, Operation, Service, ServiceRegistry, ToContent,
    content::{Protobuf, ProtobufJson},
    sync_operation,
};
use nexus_rpc_http::{ClientError, Dialect, StartOptions};
use serde::{Deserialize, Serialize};

use crate::support::{
    Server, client,
    peer::{Peer, response},
    raw::Wire,
};

#[derive(Clone, PartialEq, prost::Message, Serialize, Deserialize)]
struct Number {
    #[prost(uint32, tag = "1")]
    value: u32,
}

impl prost::Name for Number {
    const PACKAGE: &'static str = "my.pkg";
    const NAME: &'static str = "Number";
}

const BINARY: Operation<Protobuf<Number>, Protobuf<Number>> = Operation::new("svc", "binary");
const JSON: Operation<ProtobufJson<Number>, ProtobufJson<Number>> = Operation::new("svc", "json");

/// Adds one, in both forms.
async fn server() -> Server {
    let next = |Number { value }| Number { value: value + 1 };
    let service = Service::builder("svc")
        .operation(
            BINARY,
            sync_operation(move |_, Protobuf(number)| async move { Ok(Protobuf(next(number))) }),
        )
        .operation(
            JSON,
            sync_operation(
                move |_, ProtobufJson(number)| async move { Ok(ProtobufJson(next(number))) },
            ),
        );
    let mut registry = ServiceRegistry::new();
    registry.register(service.build().unwrap()).unwrap();
    Server::of(registry).await
}

#[tokio::test]
async fn c73_a_message_is_known_by_its_full_name_quoted_or_not() {
    let server = server().await;
    for (path, content_type, body, answer_type, answer) in [
        (
            "/svc/binary",
            "application/x-protobuf; message-type=my.pkg.Number",
            &b"\x08\x07"[..],
            r#"application/x-protobuf; message-type="my.pkg.Number""#,
            &b"\x08\x08"[..],
        ),
        (
            "/svc/binary",
            r#"application/x-protobuf; message-type="my.pkg.Number""#,
            b"\x08\x07",
            r#"application/x-protobuf; message-type="my.pkg.Number""#,
            b"\x08\x08",
        ),
        (
            "/svc/json",
            "application/json; format=protobuf; message-type=my.pkg.Number",
            br#"{"value":7}"#,
            r#"application/json; format=protobuf; message-type="my.pkg.Number""#,
            br#"{"value":8}"#,
        ),
        (
            "/svc/json",
            r#"application/json; message-type="my.pkg.Number"; format="protobuf""#,
            br#"{"value":7}"#,
            r#"application/json; format=protobuf; message-type="my.pkg.Number""#,
            br#"{"value":8}"#,
        ),
    ] {
        let request = Wire::post(path).header("Content-Type", content_type);
        let response = server.send(request.body(body)).await.expect(200);
        assert_eq!(response.header("content-type"), Some(answer_type));
        assert_eq!(response.body, answer);
    }
    for dialect in [Dialect::Current, Dialect::Draft] {
        let client = server.client(dialect);
        let input = Protobuf(Number { value: 41 });
        let output = client.execute(BINARY, input, StartOptions::new()).await;
        assert_eq!(output.unwrap().0.value, 42);
        let input = ProtobufJson(Number { value: 41 });
        let output = client.execute(JSON, input, StartOptions::new()).await;
        assert_eq!(output.unwrap().0.value, 42);
    }
}

/// How a client that expects a `T` reads a response with this content type.
async fn read<T: FromContent + ToContent>(
    operation: Operation<Protobuf<Number>, T>,
    content_type: &str,
    body: &str,
) -> Result<T, ClientError> {
    let header = format!("Content-Type: {content_type}");
    let peer = Peer::answering([response("200 OK", &[&header], body)]).await;
    let input = Protobuf(Number { value: 1 });
    client(peer.address, Dialect::Current)
        .execute(operation, input, StartOptions::new())
        .await
}

#[tokio::test]
async fn c74_a_message_of_another_type_is_refused() {
    let server = server().await;
    for content_type in [
        "application/x-protobuf; message-type=my.pkg.Other",
        "application/x-protobuf; message-type=Number",
        "application/x-protobuf",
        "application/octet-stream",
    ] {
        let request = Wire::post("/svc/binary").header("Content-Type", content_type);
        let refused = server.send(request.body("\x08\x07")).await.expect(400);
        assert_eq!(refused.json()["details"]["type"], "BAD_REQUEST");
        let operation = Operation::<_, Protobuf<Number>>::new("svc", "x");
        let error = read(operation, content_type, "\x08\x07").await.unwrap_err();
        assert!(matches!(error, ClientError::Result(_)), "{error:?}");
    }
    for content_type in [
        "application/json; format=protobuf; message-type=my.pkg.Other",
        // JSON of any kind is not a message.
        "application/json",
    ] {
        let request = Wire::post("/svc/json").header("Content-Type", content_type);
        let refused = server.send(request.body(r#"{"value":7}"#)).await;
        assert_eq!(refused.expect(400).json()["details"]["type"], "BAD_REQUEST");
        let operation = Operation::<_, ProtobufJson<Number>>::new("svc", "x");
        let error = read(operation, content_type, r#"{"value":7}"#).await;
        assert!(matches!(error, Err(ClientError::Result(_))), "{error:?}");
    }
}
