use std::{path::PathBuf, process::ExitStatus, time::Duration};
use temporalio_client::{
    errors::{ClientConnectError, ClientNewError},
    tonic,
};

/// Why a [`DevServer`](super::DevServer) could not do what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DevServerError {
    /// There is no `temporal` program to run.
    #[error(
        "no temporal cli at {looked_at}: run `bin/setup`, or install the cli and set {} to its path",
        super::cli::VARIABLE
    )]
    CliNotFound {
        /// The places that were looked at, in order.
        looked_at: String,
    },
    /// The `temporal` program, or the shell that watches it, could not be run.
    #[error("cannot run {}: check that it is a program for this machine", cli.display())]
    Spawn {
        /// The program.
        cli: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// No free port could be had.
    #[error("cannot find a free port on 127.0.0.1")]
    NoFreePort(#[source] std::io::Error),
    /// A port that was asked for belongs to another program.
    #[error(
        "port {port} ({purpose}) is in use: stop what listens there, or leave the choice of a port to the dev server"
    )]
    PortInUse {
        /// The port.
        port: u16,
        /// What the server needs it for.
        purpose: &'static str,
    },
    /// The server's process has ended.
    #[error("the dev server has exited ({status}): start it again; its last output:\n{output}")]
    Exited {
        /// How it ended.
        status: ExitStatus,
        /// Its last lines.
        output: String,
    },
    /// The server did not serve in time.
    #[error(
        "the dev server does not serve after {after:?}: give it longer with `start_timeout`, or see its last output:\n{output}"
    )]
    NotReady {
        /// How long it was given.
        after: Duration,
        /// Its last lines.
        output: String,
        /// What it answered last, if anything.
        source: Option<Box<DevServerError>>,
    },
    /// The server does not listen on one of its ports.
    #[error("the dev server does not listen on port {port}: see its `logs()`")]
    NotListening {
        /// The port.
        port: u16,
        /// What the system said.
        source: std::io::Error,
    },
    /// The server's process outlived `SIGKILL`.
    #[error("process {process_id} of the dev server does not end: see what holds it with `ps`")]
    NotStopped {
        /// The number of the process, and of its group.
        process_id: u32,
    },
    /// No connection to the server.
    #[error("cannot connect to the dev server at {address}: see its `logs()`")]
    Connect {
        /// The server's host and port.
        address: String,
        /// What the client said.
        source: Box<ClientConnectError>,
    },
    /// No client for the connection.
    #[error("cannot make a client for namespace {namespace:?}")]
    Client {
        /// The client's namespace.
        namespace: String,
        /// What the client said.
        source: ClientNewError,
    },
    /// The server turned a request down.
    #[error("the dev server did not {request}")]
    Request {
        /// What was asked, as a verb and its object.
        request: String,
        /// What the server answered.
        source: tonic::Status,
    },
    /// The server took a change, but not all of its services knew of it in time.
    #[error("the dev server did not {request} within {after:?}: ask again, or see its `logs()`")]
    NotPropagated {
        /// What was asked, as a verb and its object.
        request: String,
        /// How long it was given.
        after: Duration,
    },
    /// The server's database answers `interrupted (9)` to everything, and will do so
    /// [for ever](super#a-server-that-has-wedged).
    #[error(
        "the dev server is wedged (its database answers `interrupted (9)` for ever): restart it, or start a new one"
    )]
    Wedged(#[source] Box<DevServerError>),
}
