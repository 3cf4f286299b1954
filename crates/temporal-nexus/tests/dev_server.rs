//! `temporal_nexus::testing` against real dev servers.
#![cfg(unix)]

use std::{
    env,
    error::Error,
    io::{BufRead, BufReader, Write},
    net::{Ipv4Addr, TcpListener, TcpStream},
    path::PathBuf,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};
use temporal_nexus::testing::{
    DevServer, DevServerError, Endpoint, EndpointSpec, LogLevel, free_ports, unique,
};
use temporalio_client::{
    Connection,
    tonic::{Code, Request, Status},
};
use temporalio_common::protos::temporal::api::{
    command::v1::{Command as Order, ScheduleNexusOperationCommandAttributes, command::Attributes},
    common::v1::{WorkflowExecution, WorkflowType},
    enums::v1::{CommandType, EventType, HistoryEventFilterType},
    history::v1::HistoryEvent,
    nexus::v1::{EndpointSpec as Spec, EndpointTarget, endpoint_target, endpoint_target::Variant},
    operatorservice::v1::{CreateNexusEndpointRequest, GetNexusEndpointRequest},
    taskqueue::v1::TaskQueue,
    workflowservice::v1::{
        DescribeNamespaceRequest, DescribeTaskQueueRequest, GetWorkflowExecutionHistoryRequest,
        PollWorkflowTaskQueueRequest, RespondWorkflowTaskCompletedRequest,
        StartWorkflowExecutionRequest,
    },
};
use tokio::{task::JoinSet, time::timeout};

type Outcome = Result<(), Box<dyn Error>>;

/// Tells this test binary, run by itself, that it is to own a server until it is killed.
const OWNER: &str = "DEV_SERVER_OWNER";

/// The group's processes, but for those that are dead and only wait to be buried.
fn living(group: u32) -> Vec<String> {
    let ps = Command::new("ps")
        .args(["-A", "-o", "pgid=", "-o", "stat=", "-o", "args="])
        .output()
        .expect("ps runs");
    let list = String::from_utf8_lossy(&ps.stdout).into_owned();
    let in_group = |line: &&str| {
        let mut fields = line.split_whitespace();
        fields.next() == Some(&group.to_string())
            && fields.next().is_some_and(|state| !state.starts_with('Z'))
    };
    list.lines().filter(in_group).map(str::to_owned).collect()
}

fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !condition() {
        assert!(Instant::now() < deadline, "still not so: {what}");
        thread::sleep(Duration::from_millis(10));
    }
}

fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

/// The first line of the answer to `GET url`.
fn get(url: &str) -> std::io::Result<String> {
    let rest = url.strip_prefix("http://").expect("an http URL");
    let (address, path) = rest.split_once('/').unwrap_or((rest, ""));
    let mut stream = TcpStream::connect(address)?;
    write!(
        stream,
        "GET /{path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
    )?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line)?;
    Ok(line.trim_end().to_owned())
}

async fn version(connection: &Connection) -> Result<String, Status> {
    let mut service = connection.workflow_service();
    let info = service
        .get_system_info(Request::new(Default::default()))
        .await?;
    Ok(info.into_inner().server_version)
}

async fn describe(connection: &Connection, namespace: &str) -> Result<(), Status> {
    let request = DescribeNamespaceRequest {
        namespace: namespace.to_owned(),
        ..Default::default()
    };
    let mut service = connection.workflow_service();
    let described = service.describe_namespace(Request::new(request)).await;
    described.map(drop)
}

async fn describe_queue(connection: &Connection, namespace: &str) -> Result<(), Status> {
    let request = DescribeTaskQueueRequest {
        namespace: namespace.to_owned(),
        task_queue: Some(queue("any")),
        ..Default::default()
    };
    let mut service = connection.workflow_service();
    let described = service.describe_task_queue(Request::new(request)).await;
    described.map(drop)
}

fn queue(name: &str) -> TaskQueue {
    TaskQueue {
        name: name.to_owned(),
        ..Default::default()
    }
}

async fn start_workflow(connection: &Connection, namespace: &str, id: &str) -> Result<(), Status> {
    let request = StartWorkflowExecutionRequest {
        namespace: namespace.to_owned(),
        workflow_id: id.to_owned(),
        request_id: id.to_owned(),
        workflow_type: Some(WorkflowType {
            name: "any".to_owned(),
        }),
        task_queue: Some(queue(id)),
        ..Default::default()
    };
    let mut service = connection.workflow_service();
    let started = service
        .start_workflow_execution(Request::new(request))
        .await;
    started.map(drop)
}

/// Starts a workflow, takes its first task and has it call the endpoint, once: no worker that would try again.
async fn call(connection: &Connection, namespace: &str, endpoint: &str) -> Result<String, Status> {
    let id = unique("caller");
    start_workflow(connection, namespace, &id).await?;
    let mut service = connection.workflow_service();
    let poll = PollWorkflowTaskQueueRequest {
        namespace: namespace.to_owned(),
        task_queue: Some(queue(&id)),
        identity: "test".to_owned(),
        ..Default::default()
    };
    let task = service.poll_workflow_task_queue(Request::new(poll)).await?;
    let operation = ScheduleNexusOperationCommandAttributes {
        endpoint: endpoint.to_owned(),
        service: "service".to_owned(),
        operation: "operation".to_owned(),
        ..Default::default()
    };
    let completed = RespondWorkflowTaskCompletedRequest {
        namespace: namespace.to_owned(),
        task_token: task.into_inner().task_token,
        identity: "test".to_owned(),
        commands: vec![Order {
            command_type: CommandType::ScheduleNexusOperation.into(),
            attributes: Some(Attributes::ScheduleNexusOperationCommandAttributes(
                operation,
            )),
            ..Default::default()
        }],
        ..Default::default()
    };
    service
        .respond_workflow_task_completed(Request::new(completed))
        .await?;
    Ok(id)
}

async fn event_types(
    connection: &Connection,
    namespace: &str,
    id: &str,
) -> Result<Vec<EventType>, Status> {
    let request = GetWorkflowExecutionHistoryRequest {
        namespace: namespace.to_owned(),
        execution: Some(WorkflowExecution {
            workflow_id: id.to_owned(),
            run_id: String::new(),
        }),
        history_event_filter_type: HistoryEventFilterType::AllEvent.into(),
        ..Default::default()
    };
    let mut service = connection.workflow_service();
    let history = service
        .get_workflow_execution_history(Request::new(request))
        .await?;
    let events = history.into_inner().history.unwrap_or_default().events;
    Ok(events.iter().map(HistoryEvent::event_type).collect())
}

async fn stored(connection: &Connection, endpoint: &Endpoint) -> Result<Spec, Status> {
    let request = GetNexusEndpointRequest {
        id: endpoint.id.clone(),
    };
    let mut service = connection.operator_service();
    let found = service.get_nexus_endpoint(Request::new(request)).await?;
    let endpoint = found.into_inner().endpoint.unwrap_or_default();
    Ok(endpoint.spec.unwrap_or_default())
}

/// A database file of its own that goes away with the value.
struct Database(PathBuf);

impl Database {
    fn new() -> Self {
        Self(env::temp_dir().join(unique("dev-server")))
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        for suffix in ["", "-shm", "-wal", "-journal"] {
            let mut path = self.0.clone().into_os_string();
            path.push(suffix);
            let _ = std::fs::remove_file(path);
        }
    }
}

fn no_process_mentions(database: &Database) -> bool {
    let ps = Command::new("ps").args(["-A", "-o", "args="]).output();
    let list = String::from_utf8_lossy(&ps.expect("ps runs").stdout).into_owned();
    !list.contains(&*database.0.to_string_lossy())
}

#[tokio::test]
async fn a_server_serves_all_its_interfaces_when_it_has_started() -> Outcome {
    let server = DevServer::builder().ui(true).start().await?;
    assert!(server.is_running());
    assert!(!server.is_wedged().await);
    assert_eq!(server.url(), format!("http://{}", server.address()));
    assert!(
        server
            .http_address()
            .ends_with(&format!(":{}", server.http_port()))
    );

    describe(&server.connection().await?, "default").await?;
    let client = server.client("default").await?;
    start_workflow(client.connection(), "default", "greeting").await?;

    let http = format!("http://{}/api/v1/system-info", server.http_address());
    assert_eq!(get(&http)?, "HTTP/1.1 200 OK");
    assert_eq!(get(&server.metrics_url())?, "HTTP/1.1 200 OK");
    let ui = server.ui_url().ok_or("no UI")?;
    assert_eq!(get(&ui)?, "HTTP/1.1 200 OK");
    let logs = server.logs();
    assert!(logs.iter().any(|l| l.starts_with("Server:")), "{logs:?}");
    Ok(())
}

#[tokio::test]
async fn servers_started_at_once_do_not_disturb_each_other() -> Outcome {
    let (one, two, three) =
        tokio::try_join!(DevServer::start(), DevServer::start(), DevServer::start())?;
    one.create_namespace("only-here").await?;
    for other in [&two, &three] {
        assert_ne!(one.address(), other.address());
        let unknown = describe(&other.connection().await?, "only-here").await;
        assert_eq!(unknown.err().map(|s| s.code()), Some(Code::NotFound));
    }
    Ok(())
}

#[tokio::test]
async fn a_namespace_can_be_used_as_soon_as_it_is_created() -> Outcome {
    let server = DevServer::shared().await;
    let connection = server.connection().await?;
    for _ in 0..2 {
        let namespace = unique("namespace");
        // The server remembers for a second what it did not find.
        let early = describe_queue(&connection, &namespace).await;
        assert_eq!(early.err().map(|s| s.code()), Some(Code::NotFound));
        server.create_namespace(&namespace).await?;
        start_workflow(&connection, &namespace, "greeting").await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_namespace_may_exist_already() -> Outcome {
    let server = DevServer::shared().await;
    let namespace = unique("namespace");
    server.create_namespace(&namespace).await?;
    server.create_namespace(&namespace).await?;
    server.create_namespace("default").await?;

    let refused = server.create_namespace("").await.expect_err("no name");
    assert!(
        matches!(&refused, DevServerError::Request { source, .. } if source.code() == Code::InvalidArgument),
        "{refused:?}"
    );
    assert_eq!(
        refused.to_string(),
        "the dev server did not create namespace \"\""
    );
    Ok(())
}

/// A server whose history service learns of endpoints once a second only, where it is told at once by default.
async fn slow_to_learn() -> Result<DevServer, DevServerError> {
    DevServer::builder()
        .dynamic_config("matching.listNexusEndpointsLongPollTimeout", "1ms")
        .start()
        .await
}

#[tokio::test]
async fn without_waiting_an_endpoint_cannot_be_called_at_once() -> Outcome {
    // What the next two tests wait for is there to be waited for.
    let server = slow_to_learn().await?;
    let connection = server.connection().await?;
    let mut service = connection.operator_service();
    let worker = endpoint_target::Worker {
        namespace: "default".to_owned(),
        task_queue: "handlers".to_owned(),
    };
    let mut refusals = 0;
    for _ in 0..5 {
        let name = unique("endpoint");
        let spec = Spec {
            name: name.clone(),
            target: Some(EndpointTarget {
                variant: Some(Variant::Worker(worker.clone())),
            }),
            ..Default::default()
        };
        let create = CreateNexusEndpointRequest { spec: Some(spec) };
        service.create_nexus_endpoint(Request::new(create)).await?;
        refusals += usize::from(call(&connection, "default", &name).await.is_err());
    }
    assert!(refusals > 0, "endpoints are known at once");
    Ok(())
}

#[tokio::test]
async fn an_endpoint_can_be_called_as_soon_as_it_is_created() -> Outcome {
    let server = slow_to_learn().await?;
    let connection = server.connection().await?;
    for _ in 0..5 {
        let name = unique("endpoint");
        let endpoint = server.create_endpoint(&name, "default", "handlers").await?;
        assert_eq!(endpoint.name, name);
        let id = call(&connection, "default", &name).await?;
        let events = event_types(&connection, "default", &id).await?;
        assert!(
            events.contains(&EventType::NexusOperationScheduled),
            "{events:?}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn an_endpoint_cannot_be_called_once_it_is_deleted() -> Outcome {
    let server = slow_to_learn().await?;
    let connection = server.connection().await?;
    for _ in 0..3 {
        let name = unique("endpoint");
        let endpoint = server.create_endpoint(&name, "default", "handlers").await?;
        server.delete_endpoint(&endpoint).await?;
        let refused = call(&connection, "default", &name).await;
        let message = refused.expect_err("no endpoint").message().to_owned();
        assert!(message.contains("not found"), "{message}");

        let again = server.delete_endpoint(&endpoint).await.expect_err("gone");
        assert!(
            matches!(&again, DevServerError::Request { source, .. } if source.code() == Code::NotFound),
            "{again:?}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn an_endpoint_is_stored_as_it_was_specified() -> Outcome {
    let server = DevServer::shared().await;
    let connection = server.connection().await?;

    let spec = EndpointSpec::worker(&unique("endpoint"), "default", "handlers")
        .description("# Says *hello*");
    let endpoint = server.create_endpoint_from(spec).await?;
    let spec = stored(&connection, &endpoint).await?;
    assert_eq!(spec.name, endpoint.name);
    let description = spec.description.unwrap_or_default();
    assert_eq!(description.data, b"\"# Says *hello*\"");
    assert_eq!(description.metadata["encoding"], b"json/plain");
    let Some(Variant::Worker(worker)) = spec.target.and_then(|target| target.variant) else {
        panic!("not a worker");
    };
    assert_eq!(worker.namespace, "default");
    assert_eq!(worker.task_queue, "handlers");

    let url = "http://127.0.0.1:1/nexus";
    let endpoint = server
        .create_external_endpoint(&unique("endpoint"), url)
        .await?;
    let spec = stored(&connection, &endpoint).await?;
    assert_eq!(spec.description, None);
    let Some(Variant::External(external)) = spec.target.and_then(|target| target.variant) else {
        panic!("not external");
    };
    assert_eq!(external.url, url);
    Ok(())
}

#[tokio::test]
async fn an_endpoint_that_the_server_does_not_want_is_an_error() -> Outcome {
    let server = DevServer::shared().await;
    let taken = unique("endpoint");
    server
        .create_endpoint(&taken, "default", "handlers")
        .await?;
    let missing = unique("missing");
    let free = unique("endpoint");
    for (name, namespace, code) in [
        (&*taken, "default", Code::AlreadyExists),
        (&*free, &*missing, Code::FailedPrecondition),
        ("not a name", "default", Code::InvalidArgument),
    ] {
        let refused = server.create_endpoint(name, namespace, "handlers").await;
        let error = refused.expect_err("refused");
        assert!(
            matches!(&error, DevServerError::Request { source, .. } if source.code() == code),
            "{error:?}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn a_probe_leaves_no_trace_in_the_namespaces_of_tests() -> Outcome {
    let server = DevServer::start().await?;
    server
        .create_endpoint("endpoint", "default", "handlers")
        .await?;
    let client = server.client("default").await?;
    // Visibility lags: a workflow started later marks that earlier ones would show by now.
    start_workflow(client.connection(), "default", "marker").await?;
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let count = client
            .count_workflows("", Default::default())
            .await?
            .count();
        if count == 1 {
            return Ok(());
        }
        assert_eq!(count, 0, "more than the marker");
        assert!(Instant::now() < deadline, "the marker does not show");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_restart_keeps_ports_and_what_is_in_the_database_file() -> Outcome {
    let database = Database::new();
    let builder = DevServer::builder().db_filename(&database.0);
    let mut server = builder.start().await?;
    server.create_namespace("kept").await?;
    let endpoint = server.create_endpoint("kept", "kept", "handlers").await?;
    let (address, http_address) = (server.address(), server.http_address());
    // A client that was connected before finds the new server.
    let client = server.client("kept").await?;

    for crash in [false, true] {
        let before = server.process_id();
        if crash {
            server.kill().await?;
            assert!(!server.is_running());
        }
        server.restart().await?;
        assert!(server.is_running());
        assert_ne!(server.process_id(), before);
        assert_eq!(server.address(), address);
        assert_eq!(server.http_address(), http_address);
        describe(client.connection(), "kept").await?;
        assert_eq!(stored(client.connection(), &endpoint).await?.name, "kept");
        call(client.connection(), "kept", "kept").await?;
        let name = unique("new");
        server.create_endpoint(&name, "kept", "handlers").await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_restart_without_a_database_file_forgets() -> Outcome {
    let mut server = DevServer::builder().namespace("early").start().await?;
    let connection = server.connection().await?;
    describe(&connection, "early").await?;
    server.create_namespace("late").await?;
    server.restart().await?;
    let connection = server.connection().await?;
    describe(&connection, "early").await?;
    let unknown = describe(&connection, "late").await;
    assert_eq!(unknown.err().map(|s| s.code()), Some(Code::NotFound));
    Ok(())
}

#[tokio::test]
async fn stop_leaves_nothing_behind() -> Outcome {
    let mut server = DevServer::start().await?;
    let group = server.process_id();
    assert!(!living(group).is_empty());
    server.stop().await?;
    wait_until("no process", || living(group).is_empty());
    assert!(is_free(server.http_port()));
    assert!(!server.is_running());
    assert!(!server.is_wedged().await);
    let logs = server.logs();
    assert!(
        logs.iter().any(|line| line.contains("Stopping server")),
        "{logs:?}"
    );
    server.stop().await?;
    server.kill().await?;

    let error = server.create_namespace("late").await.expect_err("stopped");
    assert!(
        matches!(&error, DevServerError::Exited { status, .. } if status.success()),
        "{error:?}"
    );
    Ok(())
}

#[tokio::test]
async fn a_server_that_is_killed_from_outside_is_missed() -> Outcome {
    let server = DevServer::start().await?;
    let group = server.process_id();
    let killed = Command::new("kill")
        .args(["-s", "KILL", &group.to_string()])
        .status()?;
    assert!(killed.success());
    wait_until("the exit is known", || !server.is_running());
    wait_until("no process", || living(group).is_empty());
    let error = server.create_namespace("late").await.expect_err("killed");
    assert!(
        error
            .to_string()
            .starts_with("the dev server has exited (signal: 9 (SIGKILL)): start it again;"),
        "{error}"
    );
    Ok(())
}

#[tokio::test]
async fn drop_leaves_nothing_behind() -> Outcome {
    let server = DevServer::start().await?;
    let (group, port) = (server.process_id(), server.http_port());
    drop(server);
    wait_until("no process", || living(group).is_empty());
    wait_until("a free port", || is_free(port));
    Ok(())
}

#[tokio::test]
async fn a_start_that_is_given_up_leaves_nothing_behind() -> Outcome {
    let database = Database::new();
    let builder = DevServer::builder().db_filename(&database.0);
    let given_up = timeout(Duration::from_millis(50), builder.start()).await;
    assert!(given_up.is_err(), "started in no time");
    wait_until("no process", || no_process_mentions(&database));
    Ok(())
}

/// Not a test by itself: see the next one.
#[tokio::test]
#[ignore = "run by another test, which kills it"]
async fn owner() -> Outcome {
    if env::var_os(OWNER).is_none() {
        return Ok(());
    }
    let server = DevServer::shared().await;
    println!("\nowns {} {}", server.process_id(), server.http_port());
    loop {
        thread::park();
    }
}

#[test]
fn a_kill_of_the_owner_leaves_nothing_behind() -> Outcome {
    let mut owner = Command::new(env::current_exe()?)
        .args(["--ignored", "--exact", "owner", "--nocapture"])
        .env(OWNER, "yes")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()?;
    let output = BufReader::new(owner.stdout.take().ok_or("no output")?);
    let mut lines = output.lines();
    let (group, port): (u32, u16) = loop {
        let line = lines.next().ok_or("the owner has no server")??;
        if let Some(numbers) = line.strip_prefix("owns ") {
            let (group, port) = numbers.split_once(' ').ok_or("no numbers")?;
            break (group.parse()?, port.parse()?);
        }
    };
    assert!(!living(group).is_empty());
    assert!(!is_free(port));
    // SIGKILL: the owner can do nothing about it.
    owner.kill()?;
    owner.wait()?;
    wait_until("no process", || living(group).is_empty());
    wait_until("a free port", || is_free(port));
    Ok(())
}

#[tokio::test]
async fn without_a_cli_the_error_says_what_to_do() {
    let missing = DevServer::builder().cli("/nowhere/temporal").start().await;
    let error = missing.expect_err("no program");
    assert!(
        matches!(error, DevServerError::CliNotFound { .. }),
        "{error:?}"
    );
    assert_eq!(
        error.to_string(),
        "no temporal cli at /nowhere/temporal: run `bin/setup`, \
         or install the cli and set TEMPORAL_CLI to its path"
    );
}

#[tokio::test]
async fn a_port_that_is_taken_is_named() -> Outcome {
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let port = taken.local_addr()?.port();
    let error = DevServer::builder().port(port).start().await;
    let error = error.expect_err("the port is taken");
    assert!(
        matches!(error, DevServerError::PortInUse { port: named, purpose: "gRPC" } if named == port),
        "{error:?}"
    );
    let error = DevServer::builder().ui_port(port).start().await;
    let error = error.expect_err("the port is taken");
    assert!(error.to_string().contains("(Web UI)"), "{error}");
    Ok(())
}

#[tokio::test]
async fn ports_asked_for_are_the_ones_served() -> Outcome {
    let [grpc, http, metrics] = free_ports()?;
    let server = DevServer::builder()
        .port(grpc)
        .http_port(http)
        .metrics_port(metrics)
        .start()
        .await?;
    assert_eq!(server.address(), format!("127.0.0.1:{grpc}"));
    assert_eq!(server.http_port(), http);
    assert_eq!(
        server.metrics_url(),
        format!("http://127.0.0.1:{metrics}/metrics")
    );
    assert_eq!(server.ui_url(), None);
    describe(&server.connection().await?, "default").await?;
    Ok(())
}

#[tokio::test]
async fn a_server_that_refuses_its_settings_says_why() {
    let refused = DevServer::builder().arg("--no-such-flag").start().await;
    let error = refused.expect_err("an unknown flag");
    assert!(
        matches!(&error, DevServerError::Exited { status, output }
            if status.code() == Some(1) && output.contains("unknown flag: --no-such-flag")),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_server_that_is_not_in_time_is_not_waited_for() {
    let database = Database::new();
    let limit = Duration::from_millis(1);
    let late = DevServer::builder()
        .db_filename(&database.0)
        .start_timeout(limit)
        .start()
        .await;
    let error = late.expect_err("no server starts in a millisecond");
    let DevServerError::NotReady { after, source, .. } = &error else {
        panic!("{error:?}");
    };
    assert_eq!(*after, limit);
    assert!(
        matches!(source.as_deref(), Some(DevServerError::Connect { .. })),
        "{source:?}"
    );
    wait_until("no process", || no_process_mentions(&database));
}

#[tokio::test]
async fn dynamic_configuration_and_log_level_reach_the_server() -> Outcome {
    let server = DevServer::builder()
        .dynamic_config("limit.maxIDLength", 20)
        .log_level(LogLevel::Debug)
        .start()
        .await?;
    let connection = server.connection().await?;
    start_workflow(&connection, "default", "short").await?;
    let too_long = start_workflow(&connection, "default", "much-too-long-for-this").await;
    assert_eq!(
        too_long.err().map(|s| s.code()),
        Some(Code::InvalidArgument)
    );
    let logs = server.logs();
    assert!(
        logs.iter().any(|line| line.contains("level=DEBUG")),
        "{logs:?}"
    );
    Ok(())
}

/// Takes a server whose callers go away to the point where its database never recovers, as server 1.29 does within seconds.
#[tokio::test(flavor = "multi_thread")]
async fn a_wedged_server_is_named_and_a_restart_heals_it() -> Outcome {
    // No limit on requests: to be turned away at the door harms no database.
    let builder = DevServer::builder().dynamic_config("frontend.rps", 1_000_000);
    let mut server = builder.start().await?;
    let version = version(&server.connection().await?).await?;
    if !version.starts_with("1.29.") {
        eprintln!("not tried: server {version} is not known to wedge");
        return Ok(());
    }
    let mut callers = JoinSet::new();
    for caller in 0..32 {
        let connection = server.connection().await?;
        callers.spawn(async move {
            for call in 0u64.. {
                let mut service = connection.workflow_service();
                let list = service.list_namespaces(Request::new(Default::default()));
                // Anything between nothing and the time of a whole call, in no order that the callers share.
                let patience = (caller + 1) * 7919 * (call + 1) % 16_000;
                let _ = timeout(Duration::from_micros(patience), list).await;
            }
        });
    }
    let deadline = Instant::now() + Duration::from_secs(60);
    while !server.is_wedged().await {
        assert!(Instant::now() < deadline, "server {version} does not wedge");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    callers.shutdown().await;

    let error = server.create_namespace("any").await.expect_err("wedged");
    assert_eq!(
        error.to_string(),
        "the dev server is wedged (its database answers `interrupted (9)` for ever): restart it, or start a new one"
    );
    let cause = error.source().ok_or("no cause")?.to_string();
    assert_eq!(cause, "the dev server did not create namespace \"any\"");
    assert!(server.is_wedged().await, "it recovered");

    // Quicker than in good order, of which such a server makes slow work.
    server.kill().await?;
    server.restart().await?;
    assert!(!server.is_wedged().await);
    server.create_namespace("any").await?;
    Ok(())
}

#[test]
fn a_shared_server_outlives_the_runtime_that_started_it() -> Outcome {
    let address = || -> Result<String, Box<dyn Error>> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        runtime.block_on(async {
            let server = DevServer::shared().await;
            server.create_namespace(&unique("namespace")).await?;
            Ok(server.address())
        })
    };
    let first = address()?;
    for _ in 0..3 {
        assert_eq!(address()?, first);
    }
    Ok(())
}
