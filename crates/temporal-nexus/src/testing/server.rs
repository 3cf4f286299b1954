use super::{
    DevServerBuilder, DevServerError, cli,
    ports::{FixedPorts, Ports, loopback},
    probe,
    process::{Process, Signal},
};
use serde_json::json;
use std::{
    error::Error,
    path::{Path, PathBuf},
    time::Duration,
};
use temporalio_client::{Client, ClientOptions, Connection, RetryOptions};
use tokio::{
    sync::OnceCell,
    time::{Instant, sleep, timeout},
};

/// How often a start is tried when other programs keep taking the ports chosen for it.
const ATTEMPTS: usize = 5;
/// How long a server may take to stop in good order, or to die.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a restart waits for the server's ports: a client that calls a port without a server can for a moment hold it.
const PORTS_TIMEOUT: Duration = Duration::from_secs(5);

/// A Temporal dev server in a process of its own, on 127.0.0.1.
///
/// It has the namespace `default`, and by default keeps its state in memory. Dropped, it is killed; however this process ends,
/// it ends too. The [module](super) has an example.
#[derive(Debug)]
pub struct DevServer {
    settings: DevServerBuilder,
    cli: PathBuf,
    ports: Ports,
    process: Process,
}

impl DevServer {
    /// Starts a server with the default settings.
    ///
    /// # Errors
    ///
    /// As [`DevServerBuilder::start`].
    pub async fn start() -> Result<Self, DevServerError> {
        Self::builder().start().await
    }

    /// The settings of a server to start.
    pub fn builder() -> DevServerBuilder {
        DevServerBuilder::default()
    }

    /// The server that the tests of this process share: started by the first who asks, ended with the process.
    ///
    /// Tests keep apart on it by [`unique`](super::unique) namespaces, endpoints and task queues. Its callbacks may lead to any address.
    ///
    /// # Panics
    ///
    /// If the server cannot be started; the message says why and what to do. The next who asks tries again.
    pub async fn shared() -> &'static Self {
        static SHARED: OnceCell<DevServer> = OnceCell::const_new();
        let anywhere = json!([{"Pattern": "*", "AllowInsecure": true}]);
        let settings =
            Self::builder().dynamic_config("component.callbacks.allowedAddresses", anywhere);
        match SHARED.get_or_try_init(|| settings.start()).await {
            Ok(server) => server,
            Err(error) => panic!("{}", with_sources(&error)),
        }
    }

    pub(super) async fn launch(settings: DevServerBuilder) -> Result<Self, DevServerError> {
        let cli = match &settings.program {
            Some(program) => program.path.clone(),
            None => cli::Search::new(settings.cli.clone()).find()?,
        };
        let (ports, process) = run(&settings, &cli, settings.fixed_ports).await?;
        Ok(Self {
            settings,
            cli,
            ports,
            process,
        })
    }

    /// Host and port of the gRPC API, as in `127.0.0.1:7233`.
    pub fn address(&self) -> String {
        loopback(self.ports.grpc)
    }

    /// URL of the gRPC API, as in `http://127.0.0.1:7233`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address())
    }

    /// Host and port of the HTTP API, as in `127.0.0.1:7243`.
    pub fn http_address(&self) -> String {
        loopback(self.ports.http)
    }

    /// Port of the HTTP API.
    pub fn http_port(&self) -> u16 {
        self.ports.http
    }

    /// URL of the Prometheus metrics.
    pub fn metrics_url(&self) -> String {
        format!("http://{}/metrics", loopback(self.ports.metrics))
    }

    /// URL of the Web UI, if the server has it.
    pub fn ui_url(&self) -> Option<String> {
        let port = self.ports.ui?;
        Some(format!("http://{}", loopback(port)))
    }

    /// The number of the server's process, which is also that of its process group.
    pub fn process_id(&self) -> u32 {
        self.process.id()
    }

    /// Whether the server's process runs.
    pub fn is_running(&self) -> bool {
        self.process.exit_status().is_none()
    }

    /// The last lines, up to 100, that the server has printed since its last start.
    pub fn logs(&self) -> Vec<String> {
        self.process.output().lines()
    }

    /// A new connection to the server, without compression, which only costs time on one machine.
    ///
    /// A connection belongs to the runtime that made it: tests that have a runtime each need a connection each.
    ///
    /// # Errors
    ///
    /// [`Exited`](DevServerError::Exited) if the server has stopped, else [`Connect`](DevServerError::Connect) with the cause.
    pub async fn connection(&self) -> Result<Connection, DevServerError> {
        match probe::connect(&self.address(), RetryOptions::default()).await {
            Ok(connection) => Ok(connection),
            Err(error) => Err(self.explain(error).await),
        }
    }

    /// A client for a namespace, on a [new connection](Self::connection). Whether the namespace exists is not asked.
    ///
    /// # Errors
    ///
    /// As [`connection`](Self::connection).
    pub async fn client(&self, namespace: &str) -> Result<Client, DevServerError> {
        let connection = self.connection().await?;
        Client::new(connection, ClientOptions::new(namespace).build()).map_err(|source| {
            DevServerError::Client {
                namespace: namespace.to_owned(),
                source,
            }
        })
    }

    /// Stops the server in good order, as Ctrl-C does (about two seconds); kills it if that takes more than ten.
    ///
    /// Nothing of the server runs when this returns. On a server that has stopped it does nothing.
    ///
    /// # Errors
    ///
    /// [`NotStopped`](DevServerError::NotStopped) if the system cannot even kill the process.
    pub async fn stop(&mut self) -> Result<(), DevServerError> {
        self.process.signal(Signal::Terminate);
        if timeout(STOP_TIMEOUT, self.process.exited()).await.is_ok() {
            return Ok(());
        }
        self.kill().await
    }

    /// Kills the server (`SIGKILL`), as a crash or a power cut would end it.
    ///
    /// Nothing of the server runs when this returns. On a server that has stopped it does nothing.
    ///
    /// # Errors
    ///
    /// As [`stop`](Self::stop).
    pub async fn kill(&mut self) -> Result<(), DevServerError> {
        self.process.signal(Signal::Kill);
        let exited = timeout(STOP_TIMEOUT, self.process.exited()).await;
        exited.map(drop).map_err(|_| DevServerError::NotStopped {
            process_id: self.process.id(),
        })
    }

    /// Stops the server if it runs, and starts it again on the same ports with the same settings.
    ///
    /// What it knew survives only with [`db_filename`](DevServerBuilder::db_filename). Workers and clients that were connected
    /// find the new server by themselves.
    ///
    /// # Errors
    ///
    /// As [`stop`](Self::stop) and [`DevServerBuilder::start`]. The server is then stopped, and may be restarted.
    pub async fn restart(&mut self) -> Result<(), DevServerError> {
        self.stop().await?;
        let fixed_ports = FixedPorts::from(self.ports);
        let deadline = Instant::now() + PORTS_TIMEOUT;
        while fixed_ports.check().is_err() && Instant::now() < deadline {
            sleep(probe::INTERVAL).await;
        }
        (self.ports, self.process) = run(&self.settings, &self.cli, fixed_ports).await?;
        Ok(())
    }

    /// Whether the server's database [has wedged](super#a-server-that-has-wedged): it has logged an `interrupted (9)`, and
    /// answers so to whatever it is asked now.
    pub async fn is_wedged(&self) -> bool {
        self.is_running()
            && self.process.output().interrupted()
            && probe::store_is_interrupted(&self.address()).await
    }

    /// Puts a server that is gone, or wedged, in the place of the error that it caused.
    pub(super) async fn explain(&self, error: DevServerError) -> DevServerError {
        if let Some(status) = self.process.exit_status() {
            let output = self.process.output().text();
            return DevServerError::Exited { status, output };
        }
        if self.is_wedged().await {
            return DevServerError::Wedged(Box::new(error));
        }
        error
    }
}

/// Runs the program until it serves; with other ports, as far as they are free to choose, when some are taken meanwhile.
async fn run(
    settings: &DevServerBuilder,
    cli: &Path,
    fixed_ports: FixedPorts,
) -> Result<(Ports, Process), DevServerError> {
    let mut attempt = 1;
    loop {
        fixed_ports.check()?;
        let ports = fixed_ports.choose(settings.ui)?;
        let spawned = settings
            .arguments(&ports)
            .and_then(|arguments| Process::spawn(cli, &arguments));
        let process = spawned.map_err(|source| {
            let cli = cli.to_owned();
            DevServerError::Spawn { cli, source }
        })?;
        let announces = settings.program.is_none();
        match probe::serving(&process, &ports, announces, settings.start_timeout).await {
            Ok(()) => return Ok((ports, process)),
            // Its internal services choose ports of their own, so that even fixed ports deserve another attempt.
            Err(DevServerError::Exited { .. })
                if process.output().address_in_use() && attempt < ATTEMPTS =>
            {
                attempt += 1;
            }
            Err(error) => return Err(error),
        }
    }
}

fn with_sources(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::unique;
    use std::{env, fs, process::Command};

    /// A directory with a `temporal` program that fails a number of times, as one does that finds a port taken, and then runs
    /// the real one.
    struct Unlucky(PathBuf);

    impl Unlucky {
        fn new(failures: usize) -> Self {
            let directory = env::temp_dir().join(unique("unlucky"));
            fs::create_dir(&directory).expect("a directory");
            let cli = cli::Search::new(None).find().expect("the real program");
            let script = format!(
                "#!/bin/sh\n\
                 echo >>'{directory}/attempts'\n\
                 if [ $(wc -l <'{directory}/attempts') -le {failures} ]; then\n\
                 echo 'listen tcp 127.0.0.1:1: bind: address already in use'; exit 1\n\
                 fi\n\
                 exec '{cli}' \"$@\"\n",
                directory = directory.display(),
                cli = cli.display(),
            );
            // Written by another process: a file that this one had open for writing could still be so in a process that
            // another test is about to start, and would then not run.
            let written = Command::new("sh")
                .args(["-c", "printf %s \"$1\" >\"$0\" && chmod +x \"$0\""])
                .arg(directory.join("temporal"))
                .arg(script)
                .status();
            assert!(written.expect("sh runs").success());
            Self(directory)
        }

        fn attempts(&self) -> usize {
            let attempts = fs::read_to_string(self.0.join("attempts"));
            attempts.expect("the file").lines().count()
        }
    }

    impl Drop for Unlucky {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[tokio::test]
    async fn a_start_that_loses_its_ports_is_tried_again() {
        let unlucky = Unlucky::new(2);
        let builder = DevServer::builder().cli(unlucky.0.join("temporal"));
        let server = builder.start().await.expect("a server");
        assert_eq!(unlucky.attempts(), 3);
        server.connection().await.expect("a connection");
    }

    #[tokio::test]
    async fn a_start_is_not_tried_for_ever() {
        let unlucky = Unlucky::new(usize::MAX >> 1);
        let builder = DevServer::builder().cli(unlucky.0.join("temporal"));
        let error = builder.start().await.expect_err("no server");
        assert_eq!(unlucky.attempts(), ATTEMPTS);
        assert!(
            matches!(&error, DevServerError::Exited { output, .. } if output.contains("address already in use")),
            "{error:?}"
        );
    }

    #[test]
    fn a_panic_tells_the_whole_chain() {
        let source = std::io::Error::other("no more room");
        let error = DevServerError::NoFreePort(source);
        assert_eq!(
            with_sources(&error),
            "cannot find a free port on 127.0.0.1: no more room"
        );
    }
}
