//! Paths, names and ids.

use nexus_rpc::{
    Content, OperationToken, Service, ServiceRegistry, UntypedOperation, sync_operation,
};
use nexus_rpc_http::{ClientError, Dialect, NexusHttpService, StartOptions, StartedOperation};
use serde_json::json;

use crate::support::{
    DRAFT, Server, client,
    peer::{JSON, Peer, response},
    raw::Wire,
    serve,
    services::{self, JOB, Jobs},
};

/// A registry with one operation, whose names are not checked by this transport yet.
fn registry(service: &str, operation: &str) -> ServiceRegistry {
    let service = Service::builder(service)
        .operation(
            UntypedOperation::new(service, operation),
            sync_operation(async |_ctx, content: Content| Ok(content)),
        )
        .build()
        .unwrap();
    let mut registry = ServiceRegistry::new();
    registry.register(service).unwrap();
    registry
}

/// What the client says to names without sending them.
async fn refused_by_client(dialect: Dialect, service: &str, operation: &str) -> String {
    let peer = Peer::answering([response("500 x", &[], "")]).await;
    let operation = UntypedOperation::new(service, operation);
    let error = client(peer.address, dialect)
        .execute(operation, Content::empty(), StartOptions::new())
        .await
        .unwrap_err();
    assert_eq!(peer.requests().len(), 0);
    match error {
        ClientError::Request(error) => error.to_string(),
        other => panic!("expected an invalid request, got {other:?}"),
    }
}

#[tokio::test]
async fn d01_service_operation_and_id_address_an_operation() {
    let server = Server::start().await;
    server
        .post(&format!("{DRAFT}/job/a"), "{}")
        .await
        .expect(201);
    server.get(&format!("{DRAFT}/job/a")).await.expect(200);
    server.get(&format!("{DRAFT}/job/b")).await.expect(404);
    server
        .get("/api/v1/services/other/operations/job/a")
        .await
        .expect(404);
    server
        .post(&format!("{DRAFT}/other/a"), "{}")
        .await
        .expect(404);
}

#[tokio::test]
async fn d02_service_name_is_not_empty() {
    let server = Server::start().await;
    let answer = server
        .post("/api/v1/services//operations/echo", "1")
        .await
        .expect(400);
    assert_eq!(
        answer.json()["message"],
        r#"invalid service name "": it is empty"#
    );
    assert_eq!(
        refused_by_client(Dialect::Draft, "", "echo").await,
        r#"invalid service name """#
    );
}

#[tokio::test]
async fn d03_service_name_holds_only_unreserved_characters() {
    let server = Server::start().await;
    for name in ["a+b", "a:b", "a@b", "a%20b", "%C3%A9", "a!b", "a,b"] {
        let path = format!("/api/v1/services/{name}/operations/echo");
        server.post(&path, "1").await.expect(400);
    }
    // All that is allowed gets as far as the registry.
    let answer = server
        .post("/api/v1/services/aZ09-._~/operations/echo", "1")
        .await
        .expect(404);
    assert_eq!(answer.json()["message"], r#"service "aZ09-._~" not found"#);
    assert_eq!(
        refused_by_client(Dialect::Draft, "a b", "echo").await,
        r#"invalid service name "a b""#
    );
    let error = NexusHttpService::builder(registry("a b", "o"))
        .only(Dialect::Draft)
        .build()
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        r#"service name "a b" cannot be in a URL"#
    );
}

#[tokio::test]
async fn d04_operation_name_is_not_empty() {
    let server = Server::start().await;
    let answer = server.post(&format!("{DRAFT}/"), "1").await.expect(400);
    assert_eq!(
        answer.json()["message"],
        r#"invalid operation name "": it is empty"#
    );
    assert_eq!(
        refused_by_client(Dialect::Draft, "svc", "").await,
        r#"invalid operation name """#
    );
}

#[tokio::test]
async fn d05_operation_name_holds_only_unreserved_characters() {
    let server = Server::start().await;
    for name in ["a+b", "a:b", "a*b", "a%3Fb", "a;b"] {
        server
            .post(&format!("{DRAFT}/{name}"), "1")
            .await
            .expect(400);
    }
    server
        .post(&format!("{DRAFT}/aZ09-._~"), "1")
        .await
        .expect(404);
    assert_eq!(
        refused_by_client(Dialect::Draft, "svc", "x/y").await,
        r#"invalid operation name "x/y""#
    );
    assert!(
        NexusHttpService::builder(registry("s", "x/y"))
            .only(Dialect::Draft)
            .build()
            .is_err()
    );
    assert!(
        NexusHttpService::builder(registry("s", "x/y"))
            .build()
            .is_ok()
    );
}

#[tokio::test]
async fn d06_operation_id_is_not_empty() {
    let server = Server::start().await;
    let answer = server
        .post(&format!("{DRAFT}/job/"), "{}")
        .await
        .expect(400);
    assert_eq!(
        answer.json()["message"],
        r#"invalid operation id "": it is empty"#
    );
    server
        .post(&format!("{DRAFT}/job//cancel"), "")
        .await
        .expect(400);
    server
        .get(&format!("{DRAFT}/job//result"))
        .await
        .expect(400);
    let error = server
        .client(Dialect::Draft)
        .start(JOB, json!({}), StartOptions::new().operation_id(""))
        .await
        .unwrap_err();
    assert!(matches!(error, ClientError::Request(_)), "{error:?}");
}

#[tokio::test]
async fn d07_operation_id_holds_only_unreserved_characters_whoever_makes_it() {
    let server = Server::start().await;
    for id in ["a+b", "a%20b", "a=b", "%2F"] {
        server
            .post(&format!("{DRAFT}/job/{id}"), "{}")
            .await
            .expect(400);
        server.get(&format!("{DRAFT}/job/{id}")).await.expect(400);
    }
    server
        .post(&format!("{DRAFT}/job/aZ09-._~"), "{}")
        .await
        .expect(201);
    // A handler's token that cannot be an id is the handler's fault, and trying again does not help.
    let answer = server
        .post(&format!("{DRAFT}/job"), r#"{"token":"a=b"}"#)
        .await
        .expect(400);
    assert_eq!(
        answer.json()["message"],
        "the operation was started with an id that the caller cannot use"
    );
    let token = OperationToken::new("a=b").unwrap();
    assert!(server.client(Dialect::Draft).handle(JOB, token).is_err());
    // Nor does the client take such an id from a server.
    let peer =
        Peer::answering([response("201 Created", &[JSON], r#"{"operationId":"a/b"}"#)]).await;
    let error = client(peer.address, Dialect::Draft)
        .start(JOB, json!({}), StartOptions::new())
        .await
        .unwrap_err();
    assert!(matches!(error, ClientError::Protocol { .. }), "{error:?}");
}

#[tokio::test]
async fn d08_segments_are_decoded_once_before_they_are_checked() {
    let server = Server::start().await;
    server
        .post("/api/v1/services/%73vc/operations/%65ch%6F", "1")
        .await
        .expect(200);
    server
        .post("/%61pi/v1/services/svc/operations/echo", "1")
        .await
        .expect(200);
    server
        .post(&format!("{DRAFT}/job/%61"), "{}")
        .await
        .expect(201);
    assert!(server.jobs.contains("a"));
    server
        .post(&format!("{DRAFT}/a%2Fb"), "1")
        .await
        .expect(400);
    // `%2565` is `%65` decoded once, and not `e`.
    server
        .post(&format!("{DRAFT}/%2565cho"), "1")
        .await
        .expect(400);
    for broken in ["%", "%6", "%zz", "%ff"] {
        let answer = server
            .post(&format!("{DRAFT}/echo{broken}"), "1")
            .await
            .expect(400);
        assert_eq!(
            answer.json(),
            json!({"message": "path has a broken percent-escape or is not UTF-8"})
        );
    }
    // The client has nothing to escape.
    let peer = Peer::answering([response("200 OK", &[JSON], "1")]).await;
    let operation = UntypedOperation::new("a-Z._~", "0");
    client(peer.address, Dialect::Draft)
        .execute(operation, Content::empty(), StartOptions::new())
        .await
        .unwrap();
    assert_eq!(
        peer.request().first_line,
        "POST /api/v1/services/a-Z._~/operations/0 HTTP/1.1"
    );
}

#[tokio::test]
async fn d09_dot_segments_are_refused_everywhere() {
    let server = Server::start().await;
    for dots in [".", "..", "%2E", "%2e%2E", ".%2e"] {
        server
            .post(&format!("{DRAFT}/{dots}"), "1")
            .await
            .expect(400);
        server
            .post(&format!("{DRAFT}/job/{dots}"), "{}")
            .await
            .expect(400);
        server
            .post(&format!("/api/v1/services/{dots}/operations/echo"), "1")
            .await
            .expect(400);
    }
    // Not collapsed to the path of another operation.
    server
        .post(&format!("{DRAFT}/x/../echo"), "1")
        .await
        .expect(404);
    assert_eq!(
        refused_by_client(Dialect::Draft, "svc", "..").await,
        r#"invalid operation name "..""#
    );
    for (service, operation) in [(".", "o"), ("s", "..")] {
        assert!(
            NexusHttpService::builder(registry(service, operation))
                .build()
                .is_err()
        );
    }
    server
        .post(&format!("{DRAFT}/job/..."), "{}")
        .await
        .expect(201);
}

#[tokio::test]
async fn d10_names_and_ids_are_case_sensitive() {
    let server = Server::start().await;
    assert_eq!(
        server
            .post(&format!("{DRAFT}/ECHO"), "1")
            .await
            .expect(200)
            .text(),
        "upper"
    );
    assert_eq!(
        server
            .post(&format!("{DRAFT}/echo"), "1")
            .await
            .expect(200)
            .text(),
        "1"
    );
    server
        .post("/api/v1/services/SVC/operations/echo", "1")
        .await
        .expect(404);
    server
        .post("/API/v1/services/svc/operations/echo", "1")
        .await
        .expect(404);
    server
        .post(&format!("{DRAFT}/job/Id"), "{}")
        .await
        .expect(201);
    server.get(&format!("{DRAFT}/job/id")).await.expect(404);
}

#[tokio::test]
async fn d11_cancel_and_result_can_be_ids() {
    let server = Server::start().await;
    for id in ["cancel", "result"] {
        let started = server
            .post(&format!("{DRAFT}/job/{id}"), "{}")
            .await
            .expect(201);
        assert_eq!(started.json()["operationId"], id);
        let info = server.get(&format!("{DRAFT}/job/{id}")).await.expect(200);
        assert_eq!(info.json(), json!({"state": "running"}));
        server
            .post(&format!("{DRAFT}/job/{id}/cancel"), "")
            .await
            .expect(202);
        server
            .get(&format!("{DRAFT}/job/{id}/result"))
            .await
            .expect(482);
    }
}

#[tokio::test]
async fn d23_the_root_is_the_hosts_unless_it_is_mounted() {
    let server = Server::start().await;
    server
        .post("/api/v1/services/svc/operations/echo", "1")
        .await
        .expect(200);
    server
        .post("/nexus/api/v1/services/svc/operations/echo", "1")
        .await
        .expect(404);

    let service = |prefix| {
        NexusHttpService::builder(services::registry(&Jobs::default()))
            .prefix(prefix)
            .build()
            .unwrap()
    };
    // Once with a router that takes the prefix away, once without.
    let routed = axum::Router::new().nest_service("/a/nexus", service(""));
    let plain = axum::Router::new().fallback_service(service("a/nexus/"));
    for app in [routed, plain] {
        let (address, task) = serve(app).await;
        for path in [
            "/a/nexus/api/v1/services/svc/operations/echo",
            "/a/nexus/svc/echo",
        ] {
            let request = Wire::post(path)
                .header("Content-Type", "application/json")
                .body("1");
            let answer = crate::support::raw::exchange(address, &request.bytes()).await;
            assert_eq!(answer.expect(200).text(), "1");
        }
        let client = nexus_rpc_http::NexusHttpClient::builder(format!("http://{address}/a/nexus/"))
            .dialect(Dialect::Draft)
            .build()
            .unwrap();
        let started = client
            .start(JOB, json!({}), StartOptions::new().operation_id("x"))
            .await;
        assert!(
            matches!(started, Ok(StartedOperation::Pending(_))),
            "{started:?}"
        );
        task.abort();
    }
}

#[tokio::test]
async fn c01_the_endpoint_is_a_prefix_with_or_without_a_slash() {
    let peer = Peer::answering([response("200 OK", &[], "")]).await;
    for path in ["", "/", "/a/b", "/a/b/"] {
        let client = nexus_rpc_http::NexusHttpClient::new(peer.url(path)).unwrap();
        client
            .execute(services::UNIT, (), StartOptions::new())
            .await
            .unwrap();
    }
    let lines: Vec<_> = peer
        .requests()
        .into_iter()
        .map(|request| request.first_line)
        .collect();
    let (root, prefixed) = ("POST /svc/unit HTTP/1.1", "POST /a/b/svc/unit HTTP/1.1");
    assert_eq!(lines, [root, root, prefixed, prefixed]);
    for url in ["ftp://a", "a/b", "", "http://a/?q", "http://a/#f"] {
        assert!(nexus_rpc_http::NexusHttpClient::new(url).is_err(), "{url}");
    }
}

#[tokio::test]
async fn c02_names_are_not_empty() {
    let server = Server::start().await;
    for (path, what) in [
        ("//echo", "service"),
        ("/svc/", "operation"),
        ("//", "service"),
        ("//x/cancel", "service"),
    ] {
        let answer = server.post(path, "1").await.expect(400);
        assert_eq!(answer.json()["details"]["type"], "BAD_REQUEST");
        assert_eq!(
            answer.json()["message"],
            format!("the {what} name is empty")
        );
    }
    assert_eq!(
        refused_by_client(Dialect::Current, "", "x").await,
        "the service name is empty"
    );
    assert_eq!(
        refused_by_client(Dialect::Current, "x", "").await,
        "the operation name is empty"
    );
}

#[tokio::test]
async fn c03_names_are_any_text_in_one_segment_decoded_once() {
    let server = Server::start().await;
    let answer = server
        .post("/a%2Fb%20%25%3F%23%3B%C3%A9/x%2fy", "1")
        .await
        .expect(200);
    assert_eq!(answer.text(), "1");
    server
        .post("/a%252Fb%20%25%3F%23%3B%C3%A9/x%2fy", "1")
        .await
        .expect(404);
    let output = server
        .client(Dialect::Current)
        .execute(
            UntypedOperation::new("a/b %?#;é", "x/y"),
            Content::new("text/plain", "2"),
            StartOptions::new(),
        )
        .await
        .unwrap();
    assert_eq!(output.data, "2");
    for broken in ["/svc/%", "/svc/%2", "/%zz/echo", "/svc/%ff"] {
        let answer = server.post(broken, "1").await.expect(400);
        assert_eq!(answer.json()["details"]["type"], "BAD_REQUEST");
    }
    // Dots are names like others; escaped, no URL library takes them for directories.
    let peer = Peer::answering([response("200 OK", &[], "")]).await;
    client(peer.address, Dialect::Current)
        .execute(
            UntypedOperation::new("..", "."),
            Content::empty(),
            StartOptions::new(),
        )
        .await
        .unwrap();
    assert_eq!(peer.request().first_line, "POST /%2E%2E/%2E HTTP/1.1");
    let answer = server.post("/svc/..", "1").await.expect(404);
    assert_eq!(
        answer.json()["message"],
        r#"operation ".." not found in service "svc""#
    );
}
