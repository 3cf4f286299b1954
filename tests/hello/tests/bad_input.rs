//! What a person reads who has made a mistake: the cause on one line, what mends it on a second, and no backtrace.

use std::net::{Ipv4Addr, TcpListener};

use temporal_nexus::testing::unique;
use temporalio_common::protos::temporal::api::enums::v1::EventType;
use tokio::net::TcpSocket;

use crate::fixture::{
    Authority, CALLER_NAMESPACE, Folder, Program, Readme, Run, Sample, at, cli, program,
};

const PROGRAMS: [&str; 3] = ["handler-worker", "caller-worker", "caller-starter"];

/// What each of the programs says, which must be the same.
async fn refusal(arguments: &str) -> [String; 2] {
    let mut said = Vec::new();
    for name in PROGRAMS {
        let finished = Program::new(program(name)).args(arguments).run().await;
        assert_eq!(finished.stdout, "", "{finished:?}");
        said.push(finished.refusal().map(str::to_owned));
    }
    let last = said.pop().expect("three programs");
    assert!(
        said.iter().all(|other| *other == last),
        "{said:?} and {last:?}"
    );
    last
}

#[tokio::test]
async fn credentials_that_do_not_go_together() {
    let pair =
        "Invalid arguments: either both or neither of -client-key and -client-cert are required";
    assert_eq!(refusal("-client-cert cert.pem").await, [pair, ""]);
    assert_eq!(refusal("-client-key client.key").await, [pair, ""]);
    let both =
        "Invalid arguments: either -client-cert and -client-key or -api-key are required, not both";
    let arguments = "-client-cert cert.pem -client-key client.key -api-key k";
    assert_eq!(refusal(arguments).await, [both, ""]);
}

#[tokio::test]
async fn certificates_that_cannot_be_used() {
    let folder = Folder::new();
    let identity = Authority::new().issue("localhost");
    let certificate = folder.write("cert.pem", &identity.certificate);
    let key = folder.write("client.key", &identity.key);
    let other_key = folder.write("other.key", &Authority::new().issue("localhost").key);
    let text = folder.write("text", "no certificate\n");
    let missing = folder.path().join("missing").display().to_string();
    let client = "Invalid arguments: failed loading client cert and key:";
    for (arguments, cause) in [
        (
            format!("-client-cert {missing} -client-key {key}"),
            format!("{client} {missing}: No such file or directory (os error 2)"),
        ),
        (
            format!("-client-cert {text} -client-key {key}"),
            format!("{client} {text}: no CERTIFICATE section"),
        ),
        (
            format!("-client-cert {certificate} -client-key {text}"),
            format!("{client} {text}: no PRIVATE KEY section"),
        ),
        (
            format!("-client-cert {certificate} -client-key {other_key}"),
            format!("{client} {other_key}: the private key does not match the certificate"),
        ),
        (
            format!("-server-root-ca-cert {missing}"),
            format!(
                "Invalid arguments: failed reading server CA: {missing}: No such file or directory (os error 2)"
            ),
        ),
        (
            format!("-server-root-ca-cert {text}"),
            format!(
                "Invalid arguments: server CA PEM file invalid: {text}: no CERTIFICATE section"
            ),
        ),
    ] {
        assert_eq!(refusal(&arguments).await, [cause, String::new()]);
    }
}

#[tokio::test]
async fn no_server() {
    // Bound but not listening: refuses connections, and nobody else can take the port meanwhile.
    let socket = TcpSocket::new_v4().expect("a socket");
    socket
        .bind((Ipv4Addr::LOCALHOST, 0).into())
        .expect("a free port");
    let port = socket.local_addr().expect("an address").port();
    let address = format!("localhost:{port}");
    let [cause, advice] = refusal(&format!("-target-host {address}")).await;
    let trouble = Readme::read().trouble("cannot reach a Temporal server");
    assert!(
        trouble.with("localhost:7233", &address).is_seen_in(&cause),
        "{cause}"
    );
    assert_eq!(
        advice,
        format!("start one with: temporal server start-dev --port {port}")
    );
}

#[tokio::test]
async fn a_server_that_says_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address").to_string();
    let finished = at(&address, "caller-starter", CALLER_NAMESPACE).run().await;
    let [cause, advice] = finished.refusal();
    let silence = "no usable answer within 10 s";
    assert!(cause.ends_with(&format!("{address}: {silence}")), "{cause}");
    assert!(advice.starts_with("check --target-host"), "{advice}");
}

#[tokio::test]
async fn no_namespace() {
    let sample = Sample::shared().await;
    let (address, namespace) = (sample.server.address(), unique("missing"));
    let [cause, advice] = refusal(&format!("-target-host {address} -namespace {namespace}")).await;
    let trouble = Readme::read().trouble("namespace my-caller-namespace does not exist");
    let trouble = trouble
        .with("localhost:7233", &address)
        .with(CALLER_NAMESPACE, &namespace);
    assert!(trouble.is_seen_in(&cause), "{cause}");

    // The command does what it says.
    let command = advice
        .strip_prefix("create it with: temporal ")
        .expect("a command");
    let created = Program::new(cli()).args(command).run().await;
    assert!(created.status.success(), "{created:?}");
    sample.program("caller-worker", &namespace).worker().await;
}

#[tokio::test]
async fn a_language_that_the_handler_lacks() {
    let sample = Sample::shared().await;
    let finished = sample.starter().args("-language xx").run().await;
    let [cause, advice] = finished.refusal();
    assert_eq!(
        cause,
        "Unable to get workflow result: workflow failed: nexus operation completed unsuccessfully: \
         unsupported language \"xx\""
    );
    assert_eq!(advice, "");
    assert_eq!(finished.stdout.lines().count(), 3, "{finished:?}");
}

#[tokio::test]
async fn no_caller_worker() {
    let sample = Sample::shared().await;
    let namespace = sample.namespace().await;
    let finished = sample.program("caller-starter", &namespace).run().await;
    let [cause, advice] = finished.refusal();
    let trouble = Readme::read().trouble("no worker takes workflow tasks");
    assert!(trouble.is_seen_in(cause), "{cause}");
    assert!(cause.contains(&namespace), "{cause}");
    assert_eq!(
        advice,
        "start one; the workflow goes on as soon as it is there"
    );
}

#[tokio::test]
async fn no_endpoint_and_then_no_handler_worker_and_what_waits_goes_on_by_itself() {
    let readme = Readme::read();
    let sample = Sample::without_endpoint().await;
    let _caller = sample.caller_worker().worker().await;

    let no_endpoint = sample.starter().run().await;
    let [cause, advice] = no_endpoint.refusal();
    assert!(
        readme.trouble("workflow task fails").is_seen_in(cause),
        "{cause}"
    );
    let command =
        "create it with: temporal operator nexus endpoint create --name my-nexus-endpoint-name ";
    assert!(advice.starts_with(command), "{advice}");

    sample.create_endpoint().await;
    let no_handler = sample.starter().run().await;
    let [cause, advice] = no_handler.refusal();
    let trouble = readme.trouble("nexus operation \"echo\"");
    assert!(trouble.is_seen_in(cause), "{cause}");
    let target = "endpoint \"my-nexus-endpoint-name\" leads to task queue \"my-handler-task-queue\" \
                  of namespace \"my-target-namespace\"";
    assert!(advice.contains(target), "{advice}");

    let _handler = sample.handler_worker().worker().await;
    for waiting in [no_endpoint, no_handler] {
        let run = Run::announced(CALLER_NAMESPACE, &waiting.stdout);
        sample
            .event(&run, EventType::WorkflowExecutionCompleted)
            .await;
    }
}
