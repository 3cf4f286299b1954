//! The course of a measurement.

use crate::{
    caller::{self, Operation},
    load::Load,
    process::Process,
    programs::{self, NamedPath, Program},
    report::{Report, Sample},
};
use options::Context as _;
use std::{env, time::Instant};
use temporal_nexus::testing::DevServer;
use temporalio_client::{Client, tonic::IntoRequest as _};
use temporalio_common::protos::temporal::api::{
    enums::v1::TaskQueueType, taskqueue::v1::TaskQueue,
    workflowservice::v1::DescribeTaskQueueRequest,
};
use tokio::time::{Duration, sleep};

/// The task queue of every handler; each has a namespace and an endpoint of its own.
const HANDLER_TASK_QUEUE: &str = "my-handler-task-queue";
/// How often to ask whether a handler polls.
const INTERVAL: Duration = Duration::from_millis(50);

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Settings {
    /// Rounds. In each, every handler has its turn with every operation
    #[arg(long, value_name = "N", default_value_t = 7)]
    pub(crate) rounds: usize,
    /// Calls of each operation in one turn
    #[arg(long, value_name = "N", default_value_t = 1000)]
    pub(crate) operations: usize,
    /// Calls of each operation before the first round, for each handler
    #[arg(long, value_name = "N", default_value_t = 500)]
    pub(crate) warm_up: usize,
    /// How many calls are under way at once
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub(crate) concurrency: usize,
    /// Measure this build of the handler worker instead of the latest; may be repeated
    #[arg(long, value_name = "LABEL=PATH")]
    pub(crate) handler: Vec<NamedPath>,
    /// Measure the Rust handler alone
    #[arg(long)]
    pub(crate) no_go: bool,
    /// Make few calls, which only show that all answers are right
    #[arg(long, conflicts_with_all = ["rounds", "operations", "warm_up", "concurrency"])]
    short: bool,
}

impl Settings {
    /// Puts the numbers of `--short` in place, if it was given, and none that would measure nothing.
    pub(crate) fn checked(mut self) -> Self {
        if self.short {
            (self.rounds, self.operations, self.warm_up) = (2, 40, 20);
        }
        self.rounds = self.rounds.max(1);
        self.operations = self.operations.max(1);
        self
    }
}

/// A handler at work, and how to reach it.
struct Handler {
    program: Program,
    endpoint: String,
    process: Process,
}

struct Bench<'a> {
    settings: &'a Settings,
    server: &'a DevServer,
    client: Client,
    caller: Process,
}

/// Starts what is needed, measures, and ends what was started.
pub(crate) async fn run(settings: &Settings) -> options::Result<Report> {
    let programs = programs::find(settings).await?;
    eprintln!("starting the server");
    let server = DevServer::builder()
        // Its default is 100/s for each endpoint: that would be measured, not the handler.
        .dynamic_config("history.outboundQueue.hostScheduler.maxTaskRPS", 10_000)
        .namespace(caller::NAMESPACE)
        .start()
        .await
        .context("Unable to start the server")?;
    let mut bench = Bench {
        settings,
        client: client(&server, caller::NAMESPACE).await?,
        caller: start_caller(&server)?,
        server: &server,
    };
    let mut handlers = Vec::with_capacity(programs.len());
    for program in programs {
        let handler = bench.start(program, handlers.len()).await?;
        handlers.push(handler);
    }
    let samples = bench.measure(&mut handlers).await?;
    let programs = handlers.into_iter().map(|handler| handler.program);
    Ok(Report::new(settings, programs.collect(), samples))
}

impl Bench<'_> {
    async fn measure(&mut self, handlers: &mut [Handler]) -> options::Result<Vec<Sample>> {
        let Settings {
            rounds,
            operations,
            warm_up,
            ..
        } = *self.settings;
        for (index, handler) in handlers.iter_mut().enumerate() {
            for operation in Operation::ALL {
                eprintln!("warming up {}: {operation}", handler.program.label);
                self.turn(handler, index, operation, warm_up, "warm-up")
                    .await?;
            }
        }
        let mut samples = Vec::new();
        for round in 1..=rounds {
            for operation in Operation::ALL {
                for (index, handler) in handlers.iter_mut().enumerate() {
                    let tag = round.to_string();
                    let sample = self
                        .turn(handler, index, operation, operations, &tag)
                        .await?;
                    eprintln!(
                        "round {round} of {rounds}: {}, {operation}: {sample}",
                        handler.program.label
                    );
                    samples.push(sample);
                }
            }
        }
        Ok(samples)
    }

    /// One turn of one handler with one operation.
    async fn turn(
        &mut self,
        handler: &mut Handler,
        index: usize,
        operation: Operation,
        operations: usize,
        tag: &str,
    ) -> options::Result<Sample> {
        let doing = || format!("Unable to measure {}", handler.program.label);
        let load = Load {
            endpoint: &handler.endpoint,
            operation,
            operations,
            concurrency: self.settings.concurrency,
            tag,
        };
        let before = handler.process.usage().context(doing())?;
        let started = Instant::now();
        tokio::select! {
            outcome = load.run(self.server, &self.client) => outcome?,
            error = handler.process.ended() => return Err(error).context(doing()),
            error = self.caller.ended() => return Err(error).context(doing()),
        }
        let elapsed = started.elapsed();
        let after = handler.process.usage().context(doing())?;
        Ok(Sample {
            handler: index,
            operation,
            operations,
            elapsed,
            cpu: after.cpu.saturating_sub(before.cpu),
            resident: after.resident,
            peak: after.peak,
        })
    }

    /// Starts a handler, and returns when it polls for operations.
    async fn start(&self, program: Program, index: usize) -> options::Result<Handler> {
        eprintln!("starting {}", program.label);
        let namespace = format!("bench-handler-{index}");
        let endpoint = namespace.clone();
        self.server
            .create_namespace(&namespace)
            .await
            .context("Unable to create a namespace")?;
        self.server
            .create_endpoint(&endpoint, &namespace, HANDLER_TASK_QUEUE)
            .await
            .context("Unable to create an endpoint")?;
        let arguments = connection(self.server, &namespace);
        let arguments = arguments
            .iter()
            .map(String::as_str)
            .chain(program.arguments.iter().copied());
        let mut process = Process::start(&program.path, arguments)
            .context(format!("Unable to start {}", program.label))?;
        let ready = async {
            while !self.polls(&namespace).await? {
                sleep(INTERVAL).await;
            }
            Ok(())
        };
        tokio::select! {
            outcome = ready => outcome?,
            error = process.ended() => {
                return Err(error).context(format!("Unable to start {}", program.label));
            }
        }
        Ok(Handler {
            program,
            endpoint,
            process,
        })
    }

    /// Whether a worker polls for operations of the handler in this namespace.
    async fn polls(&self, namespace: &str) -> options::Result<bool> {
        let request = DescribeTaskQueueRequest {
            namespace: namespace.to_owned(),
            task_queue: Some(TaskQueue {
                name: HANDLER_TASK_QUEUE.to_owned(),
                ..TaskQueue::default()
            }),
            task_queue_type: TaskQueueType::Nexus.into(),
            ..DescribeTaskQueueRequest::default()
        };
        let mut service = self.client.connection().workflow_service();
        let answer = service.describe_task_queue(request.into_request()).await;
        let answer = answer.context("Unable to describe a task queue")?;
        Ok(!answer.into_inner().pollers.is_empty())
    }
}

async fn client(server: &DevServer, namespace: &str) -> options::Result<Client> {
    let client = server.client(namespace).await;
    client.context("Unable to connect to the server")
}

fn start_caller(server: &DevServer) -> options::Result<Process> {
    let started = || -> Result<Process, Box<dyn std::error::Error + Send + Sync>> {
        let mut arguments = vec!["caller-worker".to_owned()];
        arguments.extend(connection(server, caller::NAMESPACE));
        Ok(Process::start(&env::current_exe()?, arguments)?)
    };
    started().context("Unable to start the caller worker")
}

/// The flags by which a program of the hello sample finds the server, in Go's and in our spelling alike.
fn connection(server: &DevServer, namespace: &str) -> [String; 4] {
    [
        "--target-host".to_owned(),
        server.address(),
        "--namespace".to_owned(),
        namespace.to_owned(),
    ]
}
