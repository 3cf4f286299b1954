//! Questions to a server whose answers prove that it is ready for more.

use super::{
    DevServerError,
    output::INTERRUPTED,
    ports::{Ports, loopback},
    process::Process,
    unique,
};
use std::{net::Ipv4Addr, time::Duration};
use temporalio_client::{
    Connection, ConnectionOptions, GrpcCompression, RetryOptions, Url,
    tonic::{Code, Request, Status},
};
use temporalio_common::protos::temporal::api::{
    command::v1::{Command, ScheduleNexusOperationCommandAttributes, command::Attributes},
    common::v1::{WorkflowExecution, WorkflowType},
    enums::v1::{CommandType, TaskQueueType},
    taskqueue::v1::TaskQueue,
    workflowservice::v1::{
        DescribeNamespaceRequest, DescribeTaskQueueRequest, DescribeWorkflowExecutionRequest,
        PollWorkflowTaskQueueRequest, RegisterNamespaceRequest,
        RespondWorkflowTaskCompletedRequest, StartWorkflowExecutionRequest,
        TerminateWorkflowExecutionRequest,
    },
};
use tokio::{
    net::TcpStream,
    time::{Instant, sleep, timeout},
};

/// The time between two questions.
pub(super) const INTERVAL: Duration = Duration::from_millis(20);
/// How long the server may think about a request.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a server that is starting may think about one.
const FIRST_REQUEST_TIMEOUT: Duration = Duration::from_secs(2);
/// How long to ask whether a server's database is well.
const VERDICT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long to wait for the line that says that every service has started. A server that does not print it and lives so long
/// has found its ports free, which is what the line is for.
const ANNOUNCEMENT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a namespace keeps closed workflows: the shortest that the server allows.
const RETENTION: Duration = Duration::from_secs(24 * 60 * 60);
/// Exists on every dev server.
const DEFAULT_NAMESPACE: &str = "default";
/// The server's own namespace, where a probe's workflow disturbs no test's lists and counts.
const SYSTEM_NAMESPACE: &str = "temporal-system";

/// A new connection.
pub(super) async fn connect(
    address: &str,
    retries: RetryOptions,
) -> Result<Connection, DevServerError> {
    let url = Url::parse(&format!("http://{address}")).expect("a host and a port make a URL");
    let options = ConnectionOptions::new(url)
        // Workers refuse a connection without an identity.
        .identity(format!("{}@dev-server-client", std::process::id()))
        .grpc_compression(GrpcCompression::None)
        .dns_load_balancing(None)
        .connect_timeout(REQUEST_TIMEOUT)
        .retry_options(retries)
        .build();
    Connection::connect(options)
        .await
        .map_err(|source| DevServerError::Connect {
            address: address.to_owned(),
            source: Box::new(source),
        })
}

/// A request with a deadline.
pub(super) fn request<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(REQUEST_TIMEOUT);
    request
}

/// Waits until the process serves on its ports, and, if it is one that `announces` it, has said that all of its services have started.
pub(super) async fn serving(
    process: &Process,
    ports: &Ports,
    announces: bool,
    limit: Duration,
) -> Result<(), DevServerError> {
    let started = Instant::now();
    let mut last = None;
    loop {
        let answer = tokio::select! {
            status = process.exited() => {
                let output = process.output().text();
                return Err(DevServerError::Exited { status, output });
            }
            answer = timeout(FIRST_REQUEST_TIMEOUT, services_answer(ports)) => answer,
        };
        match answer {
            // Another program's server may answer here while this process is about to find the port taken.
            Ok(Ok(()))
                if !announces
                    || process.output().announced()
                    || started.elapsed() > ANNOUNCEMENT_TIMEOUT =>
            {
                return Ok(());
            }
            Ok(Ok(())) | Err(_) => {}
            Ok(Err(error)) => last = Some(Box::new(error)),
        }
        if started.elapsed() > limit {
            return Err(DevServerError::NotReady {
                after: limit,
                output: process.output().text(),
                source: last,
            });
        }
        sleep(INTERVAL).await;
    }
}

/// Asks for what only the matching and history services know; the frontend answers with their word.
async fn services_answer(ports: &Ports) -> Result<(), DevServerError> {
    let address = loopback(ports.grpc);
    let connection = connect(&address, RetryOptions::no_retries()).await?;
    let refused = |source| DevServerError::Request {
        request: "answer".to_owned(),
        source,
    };
    if let Err(status) = task_queue_answers(&connection, DEFAULT_NAMESPACE).await {
        // A `temporal` program has made it; a server's own program leaves that to whoever runs it.
        if status.code() == Code::NotFound {
            register_namespace(&connection, DEFAULT_NAMESPACE)
                .await
                .map_err(refused)?;
        }
        return Err(refused(status));
    }
    let execution = DescribeWorkflowExecutionRequest {
        namespace: DEFAULT_NAMESPACE.to_owned(),
        execution: Some(WorkflowExecution {
            workflow_id: unique("dev-server-probe"),
            run_id: String::new(),
        }),
    };
    let mut service = connection.workflow_service();
    match service
        .describe_workflow_execution(request(execution))
        .await
    {
        Err(status) if status.code() != Code::NotFound => return Err(refused(status)),
        _ => {}
    }
    for port in [ports.http, ports.metrics].into_iter().chain(ports.ui) {
        let listening = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await;
        listening.map_err(|source| DevServerError::NotListening { port, source })?;
    }
    Ok(())
}

/// Registers a namespace, unless it exists. The server's services learn of it later.
pub(super) async fn register_namespace(connection: &Connection, name: &str) -> Result<(), Status> {
    let namespace = RegisterNamespaceRequest {
        namespace: name.to_owned(),
        workflow_execution_retention_period: RETENTION.try_into().ok(),
        ..Default::default()
    };
    let mut service = connection.workflow_service();
    match service.register_namespace(request(namespace)).await {
        Err(status) if status.code() != Code::AlreadyExists => Err(status),
        _ => Ok(()),
    }
}

/// Asks the frontend and matching services for a task queue, for which both must know the namespace.
pub(super) async fn task_queue_answers(
    connection: &Connection,
    namespace: &str,
) -> Result<(), Status> {
    let task_queue = DescribeTaskQueueRequest {
        namespace: namespace.to_owned(),
        task_queue: Some(queue("dev-server-probe")),
        task_queue_type: TaskQueueType::Workflow.into(),
        ..Default::default()
    };
    let mut service = connection.workflow_service();
    service
        .describe_task_queue(request(task_queue))
        .await
        .map(drop)
}

/// Whether the database answers that it was interrupted, and nothing else, three times in a row.
///
/// One such answer proves nothing: a statement whose caller goes away is interrupted by right.
pub(super) async fn store_is_interrupted(address: &str) -> bool {
    let mut interruptions = 0;
    let deadline = Instant::now() + VERDICT_TIMEOUT;
    while interruptions < 3 && Instant::now() < deadline {
        match timeout(FIRST_REQUEST_TIMEOUT, read_store(address)).await {
            Ok(Ok(())) => return false,
            Ok(Err(message)) if message.contains(INTERRUPTED) => interruptions += 1,
            // The server is too busy, perhaps, to ask its database.
            Ok(Err(_)) | Err(_) => {}
        }
        sleep(INTERVAL).await;
    }
    interruptions > 0
}

/// Asks for something that the server reads from its database each time.
async fn read_store(address: &str) -> Result<(), String> {
    let connection = connect(address, RetryOptions::no_retries()).await;
    let connection = connection.map_err(|error| error.to_string())?;
    let namespace = DescribeNamespaceRequest {
        namespace: DEFAULT_NAMESPACE.to_owned(),
        ..Default::default()
    };
    let mut service = connection.workflow_service();
    match service.describe_namespace(request(namespace)).await {
        Ok(_) => Ok(()),
        Err(status) => Err(status.message().to_owned()),
    }
}

/// Whether a workflow could call the endpoint now.
///
/// The history service keeps its own table of endpoints, and only a workflow's command makes it look there. So a workflow
/// that nobody else serves sends one, of an operation whose timeout is negative: the service looks for the endpoint first, and
/// turns the command down for one reason or the other. No operation starts.
pub(super) async fn endpoint_is_known(
    connection: &Connection,
    endpoint: &str,
) -> Result<bool, Status> {
    let mut service = connection.workflow_service();
    let id = unique("dev-server-probe");
    let start = StartWorkflowExecutionRequest {
        namespace: SYSTEM_NAMESPACE.to_owned(),
        workflow_id: id.clone(),
        request_id: id.clone(),
        workflow_type: Some(WorkflowType {
            name: "dev-server-probe".to_owned(),
        }),
        task_queue: Some(queue(&id)),
        ..Default::default()
    };
    service.start_workflow_execution(request(start)).await?;

    let poll = PollWorkflowTaskQueueRequest {
        namespace: SYSTEM_NAMESPACE.to_owned(),
        task_queue: Some(queue(&id)),
        identity: connection.identity().to_owned(),
        ..Default::default()
    };
    let task = service.poll_workflow_task_queue(request(poll)).await?;

    let mut operation = ScheduleNexusOperationCommandAttributes {
        endpoint: endpoint.to_owned(),
        service: "dev-server-probe".to_owned(),
        operation: "dev-server-probe".to_owned(),
        schedule_to_close_timeout: Some(Default::default()),
        ..Default::default()
    };
    if let Some(timeout) = &mut operation.schedule_to_close_timeout {
        timeout.seconds = -1;
    }
    let command = RespondWorkflowTaskCompletedRequest {
        namespace: SYSTEM_NAMESPACE.to_owned(),
        task_token: task.into_inner().task_token,
        commands: vec![Command {
            command_type: CommandType::ScheduleNexusOperation.into(),
            attributes: Some(Attributes::ScheduleNexusOperationCommandAttributes(
                operation,
            )),
            ..Default::default()
        }],
        identity: connection.identity().to_owned(),
        ..Default::default()
    };
    let answer = service
        .respond_workflow_task_completed(request(command))
        .await;

    let terminate = TerminateWorkflowExecutionRequest {
        namespace: SYSTEM_NAMESPACE.to_owned(),
        workflow_execution: Some(WorkflowExecution {
            workflow_id: id,
            run_id: String::new(),
        }),
        ..Default::default()
    };
    service
        .terminate_workflow_execution(request(terminate))
        .await?;

    match answer {
        Err(status) if status.code() == Code::InvalidArgument => {
            Ok(!status.message().contains("not found"))
        }
        Err(status) => Err(status),
        // A server that does not mind the timeout has found the endpoint; the termination has taken the operation back.
        Ok(_) => Ok(true),
    }
}

fn queue(name: &str) -> TaskQueue {
    TaskQueue {
        name: name.to_owned(),
        ..Default::default()
    }
}
