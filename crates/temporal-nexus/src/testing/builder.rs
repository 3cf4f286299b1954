use super::{
    DevServer, DevServerError,
    ports::{FixedPorts, Ports},
};
use serde_json::Value;
use std::{ffi::OsString, fmt, io, path::PathBuf, sync::Arc, time::Duration};

/// How much of its work a [`DevServer`] logs, to its [`logs`](DevServer::logs).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LogLevel {
    /// Everything.
    Debug,
    /// The course of things.
    Info,
    /// What may be wrong. The default.
    Warn,
    /// What is wrong.
    Error,
    /// Nothing; then [`DevServer::is_wedged`] cannot tell either.
    Never,
}

impl LogLevel {
    fn name(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
            Self::Never => "never",
        }
    }
}

/// The settings of a [`DevServer`]; made by [`DevServer::builder`].
///
/// ```no_run
/// # use temporal_nexus::testing::DevServer;
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let server = DevServer::builder()
///     .namespace("my-caller-namespace")
///     .dynamic_config("component.nexusoperations.useSystemCallbackURL", true)
///     .ui(true)
///     .start()
///     .await?;
/// # let _ = server;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
#[must_use = "a builder does nothing until `start`"]
pub struct DevServerBuilder {
    pub(super) cli: Option<PathBuf>,
    pub(super) program: Option<Program>,
    pub(super) fixed_ports: FixedPorts,
    pub(super) ui: bool,
    pub(super) start_timeout: Duration,
    db_filename: Option<PathBuf>,
    namespaces: Vec<String>,
    dynamic_config: Vec<(String, Value)>,
    log_level: LogLevel,
    arguments: Vec<OsString>,
}

/// The ports of 127.0.0.1 that a [program](DevServerBuilder::program) is to serve on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerPorts {
    /// The gRPC API.
    pub grpc: u16,
    /// The HTTP API.
    pub http: u16,
    /// The Prometheus metrics.
    pub metrics: u16,
}

/// Finds the arguments of a program that is to serve on the ports.
type Arguments = dyn Fn(&ServerPorts) -> io::Result<Vec<OsString>> + Send + Sync;

/// What runs in place of the `temporal` program.
#[derive(Clone)]
pub(super) struct Program {
    pub(super) path: PathBuf,
    arguments: Arc<Arguments>,
}

impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.path.fmt(f)
    }
}

impl Default for DevServerBuilder {
    fn default() -> Self {
        Self {
            cli: None,
            program: None,
            fixed_ports: FixedPorts::default(),
            ui: false,
            start_timeout: Duration::from_secs(30),
            db_filename: None,
            namespaces: Vec::new(),
            dynamic_config: Vec::new(),
            log_level: LogLevel::Warn,
            arguments: Vec::new(),
        }
    }
}

impl DevServerBuilder {
    /// Starts the server, and returns when it serves: its frontend, matching and history services have answered.
    ///
    /// # Errors
    ///
    /// [`CliNotFound`](DevServerError::CliNotFound) without a `temporal` program, [`PortInUse`](DevServerError::PortInUse) if a
    /// port that was asked for is taken, [`Exited`](DevServerError::Exited) if the server ends at once (a bad setting), and
    /// [`NotReady`](DevServerError::NotReady) if it takes longer than [`start_timeout`](Self::start_timeout).
    pub async fn start(self) -> Result<DevServer, DevServerError> {
        DevServer::launch(self).await
    }

    /// The path of the `temporal` program. By default it is [looked for](super#the-command-line-interface).
    pub fn cli(mut self, path: impl Into<PathBuf>) -> Self {
        self.cli = Some(path.into());
        self
    }

    /// Runs another program in place of the `temporal` program: the server's own, for a version that no command-line interface has.
    ///
    /// `arguments` is called at each start with the ports to serve on, and may write the configuration file that the arguments
    /// name. The program stays in the foreground. The builder's settings for namespaces, the state's file, dynamic configuration,
    /// logging and the Web UI are the program's own affair; the namespace `default` is created if the server comes without.
    ///
    /// ```no_run
    /// # use temporal_nexus::testing::DevServer;
    /// # fn configuration(grpc: u16, http: u16, metrics: u16) -> String { String::new() }
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// let builder = DevServer::builder().program("/opt/temporal/temporal-server", |ports| {
    ///     std::fs::write("server.yaml", configuration(ports.grpc, ports.http, ports.metrics))?;
    ///     Ok(["--config-file", "server.yaml", "--allow-no-auth", "start"].map(Into::into).into())
    /// });
    /// let server = builder.start().await?;
    /// # let _ = server;
    /// # Ok(())
    /// # }
    /// ```
    pub fn program(
        mut self,
        path: impl Into<PathBuf>,
        arguments: impl Fn(&ServerPorts) -> io::Result<Vec<OsString>> + Send + Sync + 'static,
    ) -> Self {
        self.program = Some(Program {
            path: path.into(),
            arguments: Arc::new(arguments),
        });
        self
    }

    /// Whether to serve the Web UI too, at [`DevServer::ui_url`]. By default not.
    pub fn ui(mut self, ui: bool) -> Self {
        self.ui = ui;
        self
    }

    /// The gRPC port. By default a free one.
    pub fn port(mut self, port: u16) -> Self {
        self.fixed_ports.grpc = Some(port);
        self
    }

    /// The port of the HTTP API, which also takes Nexus requests and callbacks. By default a free one.
    pub fn http_port(mut self, port: u16) -> Self {
        self.fixed_ports.http = Some(port);
        self
    }

    /// The port of the Prometheus metrics. By default a free one.
    pub fn metrics_port(mut self, port: u16) -> Self {
        self.fixed_ports.metrics = Some(port);
        self
    }

    /// Serves the Web UI, on this port.
    pub fn ui_port(mut self, port: u16) -> Self {
        self.fixed_ports.ui = Some(port);
        self.ui(true)
    }

    /// Keeps the server's state in this file, made if need be. By default it is in memory, and lost when the server ends.
    pub fn db_filename(mut self, path: impl Into<PathBuf>) -> Self {
        self.db_filename = Some(path.into());
        self
    }

    /// Adds a namespace that exists from the start, beside `default`.
    pub fn namespace(mut self, name: impl Into<String>) -> Self {
        self.namespaces.push(name.into());
        self
    }

    /// Sets a [dynamic configuration](https://docs.temporal.io/references/dynamic-configuration) value of the server.
    pub fn dynamic_config(mut self, key: impl Into<String>, value: impl Into<Value>) -> Self {
        self.dynamic_config.push((key.into(), value.into()));
        self
    }

    /// How much the server logs. By default [`LogLevel::Warn`].
    pub fn log_level(mut self, level: LogLevel) -> Self {
        self.log_level = level;
        self
    }

    /// Adds an argument to `temporal server start-dev`, after all others.
    pub fn arg(mut self, argument: impl Into<OsString>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// How long the server may take to serve. By default 30 seconds.
    pub fn start_timeout(mut self, timeout: Duration) -> Self {
        self.start_timeout = timeout;
        self
    }

    /// The arguments of the program.
    pub(super) fn arguments(&self, ports: &Ports) -> io::Result<Vec<OsString>> {
        match &self.program {
            Some(program) => (program.arguments)(&ServerPorts {
                grpc: ports.grpc,
                http: ports.http,
                metrics: ports.metrics,
            }),
            None => Ok(self.cli_arguments(ports)),
        }
    }

    fn cli_arguments(&self, ports: &Ports) -> Vec<OsString> {
        let mut arguments: Vec<OsString> = ["server", "start-dev"].map(OsString::from).into();
        let mut flag = |name: &str, value: OsString| arguments.extend([name.into(), value]);
        flag("--ip", "127.0.0.1".into());
        flag("--port", ports.grpc.to_string().into());
        // Never left to the server: callbacks that wait in a db file hold the HTTP port, and must find it after a restart.
        flag("--http-port", ports.http.to_string().into());
        flag("--metrics-port", ports.metrics.to_string().into());
        if let Some(port) = ports.ui {
            flag("--ui-port", port.to_string().into());
        }
        if let Some(path) = &self.db_filename {
            flag("--db-filename", path.into());
        }
        for name in &self.namespaces {
            flag("--namespace", name.into());
        }
        for (key, value) in &self.dynamic_config {
            flag("--dynamic-config-value", format!("{key}={value}").into());
        }
        flag("--log-level", self.log_level.name().into());
        if ports.ui.is_none() {
            arguments.push("--headless".into());
        }
        arguments.extend(self.arguments.iter().cloned());
        arguments
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PORTS: Ports = Ports {
        grpc: 1,
        http: 2,
        metrics: 3,
        ui: None,
    };

    fn line(builder: &DevServerBuilder, ports: &Ports) -> String {
        let arguments = builder.cli_arguments(ports);
        let arguments: Vec<_> = arguments.iter().map(|a| a.to_string_lossy()).collect();
        arguments.join(" ")
    }

    #[test]
    fn every_port_is_given_and_the_ui_is_off() {
        assert_eq!(
            line(&DevServerBuilder::default(), &PORTS),
            "server start-dev --ip 127.0.0.1 --port 1 --http-port 2 --metrics-port 3 --log-level warn --headless"
        );
    }

    #[test]
    fn every_setting_becomes_a_flag() {
        let builder = DevServerBuilder::default()
            .ui_port(4)
            .db_filename("state.db")
            .namespace("one")
            .namespace("two")
            .dynamic_config("a.flag", true)
            .dynamic_config("a.number", 5)
            .dynamic_config("a.text", "x y")
            .dynamic_config("a.list", serde_json::json!([{"Pattern": "*"}]))
            .log_level(LogLevel::Error)
            .arg("--sqlite-pragma")
            .arg("journal_mode=wal");
        let ports = Ports {
            ui: Some(4),
            ..PORTS
        };
        assert_eq!(
            line(&builder, &ports),
            "server start-dev --ip 127.0.0.1 --port 1 --http-port 2 --metrics-port 3 --ui-port 4 --db-filename state.db \
             --namespace one --namespace two --dynamic-config-value a.flag=true --dynamic-config-value a.number=5 \
             --dynamic-config-value a.text=\"x y\" --dynamic-config-value a.list=[{\"Pattern\":\"*\"}] \
             --log-level error --sqlite-pragma journal_mode=wal"
        );
    }
}
