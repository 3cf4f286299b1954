//! The servers to measure.

use std::{
    env,
    ffi::OsStr,
    io::ErrorKind,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use axum::{Json, Router, routing::post, serve::ListenerExt as _};
use nexus_rpc::{Operation, Service, ServiceRegistry, sync_operation};
use nexus_rpc_http::NexusHttpService;
use serde::{Deserialize, Serialize};
use tokio::{net::TcpStream, process::Command};

use crate::{Result, cpus::Halves, process::Process};

/// Where all of them answer.
pub(crate) const PATH: &str = "/bench/echo";
const ECHO: Operation<Echo, Echo> = Operation::new("bench", "echo");
/// How long a server may take to listen.
const PATIENCE: Duration = Duration::from_secs(30);

/// What all of them read and write again.
#[derive(Serialize, Deserialize)]
struct Echo {
    message: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Kind {
    Nexus,
    Axum,
    Go,
}

impl Kind {
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Nexus => "NexusHttpService on axum",
            Self::Axum => "axum alone",
            Self::Go => "Go sdk-go v0.4.0",
        }
    }
}

/// A server in a process of its own, which ends with this value.
pub(crate) struct Server {
    pub(crate) kind: Kind,
    pub(crate) address: SocketAddr,
    pub(crate) process: Process,
}

impl Server {
    /// On its half of the CPUs, where there are halves.
    pub(crate) async fn start(kind: Kind, halves: Option<&Halves>) -> Result<Self> {
        // The port is free again when the listener is dropped.
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let argument = address.to_string();
        let (program, arguments) = match kind {
            Kind::Go => (go_binary()?, vec![&*argument]),
            Kind::Nexus => (env::current_exe()?, vec!["serve", "nexus", &argument]),
            Kind::Axum => (env::current_exe()?, vec!["serve", "axum", &argument]),
        };
        let arguments = arguments.into_iter().map(OsStr::new);
        let mut process = match halves {
            // It becomes the program: the process stays the same.
            Some(halves) => {
                let taskset = ["-c", &halves.server].map(OsStr::new);
                let program = [program.as_os_str()];
                let all = taskset.into_iter().chain(program).chain(arguments);
                Process::start(Path::new("taskset"), all)?
            }
            None => Process::start(&program, arguments)?,
        };
        tokio::select! {
            listening = listens(address) => listening?,
            error = process.ended() => return Err(error.into()),
        }
        Ok(Self {
            kind,
            address,
            process,
        })
    }
}

async fn listens(address: SocketAddr) -> Result {
    let since = Instant::now();
    while let Err(error) = TcpStream::connect(address).await {
        if since.elapsed() > PATIENCE {
            return Err(format!("no server listens on {address}: {error}").into());
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(())
}

/// Serves in this process.
pub(crate) async fn serve(kind: Kind, address: SocketAddr) -> Result {
    let app = match kind {
        Kind::Nexus => {
            let echo = sync_operation(async |_, input: Echo| Ok(input));
            let mut registry = ServiceRegistry::new();
            registry.register(Service::builder("bench").operation(ECHO, echo).build()?)?;
            Router::new().fallback_service(NexusHttpService::builder(registry).build()?)
        }
        Kind::Axum => {
            let echo = async |Json(input): Json<Echo>| Json(input);
            Router::new().route(PATH, post(echo))
        }
        Kind::Go => return Err("the Go server is a program of its own".into()),
    };
    let listener = tokio::net::TcpListener::bind(address).await?;
    // As Go does.
    let listener = listener.tap_io(|connection| {
        let _ = connection.set_nodelay(true);
    });
    Ok(axum::serve(listener, app).await?)
}

/// Builds the Go server. `false`: there is no Go.
pub(crate) async fn build_go() -> Result<bool> {
    eprintln!("building the Go server");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("go");
    let status = Command::new("go")
        .args(["build", "-o"])
        .arg(go_binary()?)
        .arg(".")
        .current_dir(source)
        .status()
        .await;
    match status {
        Ok(status) if status.success() => Ok(true),
        Ok(status) => Err(format!("go build failed: {status}").into()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(format!("cannot run go: {error}").into()),
    }
}

/// Beside this program.
fn go_binary() -> Result<PathBuf> {
    Ok(env::current_exe()?.with_file_name("bench-http-go"))
}
