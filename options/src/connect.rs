//! Reaching the server, with errors that tell what to do.

use crate::{Settings, diagnosis::Diagnosis, settings::NETWORK_TIMEOUT};
use std::{io, net::ToSocketAddrs, thread, time::Duration};
use temporalio_client::{
    Client, ClientOptions,
    errors::ClientConnectError,
    grpc::WorkflowService,
    tonic::{Code, Request, Status},
};
use temporalio_common::protos::temporal::api::workflowservice::v1::DescribeNamespaceRequest;
use tokio::{sync::oneshot, time::timeout};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Why there is no connection. Where a person can do something about it, the second line of the
/// text says what.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// Nothing at this address answers as a Temporal server does.
    #[error("cannot reach a Temporal server at {address}: {cause}\n{advice}")]
    Unreachable {
        /// The address, as `host:port`.
        address: String,
        /// What happened.
        cause: String,
        /// What to do about it.
        advice: String,
    },
    /// The server does not take the API key or the client certificate.
    #[error(
        "the Temporal server at {address} does not accept the credentials: {message}\ncheck --api-key (or TEMPORAL_API_KEY), or --client-cert and --client-key"
    )]
    Credentials {
        /// The address, as `host:port`.
        address: String,
        /// The server's words.
        message: String,
    },
    /// The server has no such namespace.
    #[error("namespace {namespace} does not exist at {address}\ncreate it with: {command}")]
    NamespaceNotFound {
        /// The namespace.
        namespace: String,
        /// The address, as `host:port`.
        address: String,
        /// A command that creates it.
        command: String,
    },
    /// The server answered with another error.
    #[error("the Temporal server at {address} answered: {message}")]
    Server {
        /// The address, as `host:port`.
        address: String,
        /// The server's words.
        message: String,
    },
    /// The SDK refuses the settings.
    #[error("the connection settings cannot be used")]
    Settings(#[source] ClientConnectError),
}

impl Settings {
    /// Connects, and makes sure that the namespace exists.
    ///
    /// # Errors
    ///
    /// A [`ConnectError`] after at most 10 seconds.
    pub(crate) async fn connect(self) -> Result<Client, ConnectError> {
        self.connect_within(CONNECT_TIMEOUT).await
    }

    async fn connect_within(self, limit: Duration) -> Result<Client, ConnectError> {
        self.warn();
        match timeout(limit, self.attempt()).await {
            Ok(outcome) => outcome,
            Err(_) => Err(self.unreachable(&Diagnosis::Silence(limit))),
        }
    }

    fn warn(&self) {
        let Some(tls) = &self.connection.tls_options else {
            if self.connection.api_key.is_some() && !self.address.is_loopback() {
                tracing::warn!(
                    "TLS is off: the API key travels unencrypted to {}",
                    self.address
                );
            }
            return;
        };
        if tls.server_cert_verifier.is_some() {
            tracing::warn!(
                "The certificate of {} is not verified: anyone on the way can read and change what is sent",
                self.address
            );
        }
    }

    async fn attempt(&self) -> Result<Client, ConnectError> {
        if self.address.ip().is_none() && !self.address.is_loopback() {
            let lookup = look_up(self.address.host.clone(), self.address.port).await;
            lookup.map_err(|error| self.unreachable(&Diagnosis::Lookup(error.to_string())))?;
        }
        let options = ClientOptions::new(&self.namespace).build();
        let client = Client::connect(self.connection.clone(), options)
            .await
            .map_err(|error| self.refused(error))?;
        self.check_namespace(client.clone()).await?;
        Ok(client)
    }

    fn refused(&self, error: ClientConnectError) -> ConnectError {
        match &error {
            ClientConnectError::SystemInfoCallError(status) => self.answered(status),
            ClientConnectError::TonicTransportError(transport) => {
                self.unreachable(&Diagnosis::of(transport))
            }
            _ => ConnectError::Settings(error),
        }
    }

    async fn check_namespace(&self, mut client: Client) -> Result<(), ConnectError> {
        let request = DescribeNamespaceRequest {
            namespace: self.namespace.clone(),
            ..Default::default()
        };
        match client.describe_namespace(Request::new(request)).await {
            Ok(_) => Ok(()),
            Err(status) => match status.code() {
                Code::NotFound => Err(self.namespace_not_found()),
                // Courtesy must not shut out those who may work in a namespace but not look at it.
                Code::PermissionDenied | Code::Unimplemented | Code::ResourceExhausted => Ok(()),
                _ => Err(self.answered(&status)),
            },
        }
    }

    fn answered(&self, status: &Status) -> ConnectError {
        let address = self.address.to_string();
        match status.code() {
            Code::Unauthenticated | Code::PermissionDenied => ConnectError::Credentials {
                address,
                message: status.message().to_owned(),
            },
            // With a source, the status was not sent but made up here when the transport failed.
            _ if std::error::Error::source(status).is_some() => {
                self.unreachable(&Diagnosis::of(status))
            }
            _ => ConnectError::Server {
                address,
                message: crate::chain::chain(status),
            },
        }
    }

    fn unreachable(&self, diagnosis: &Diagnosis) -> ConnectError {
        ConnectError::Unreachable {
            address: self.address.to_string(),
            cause: diagnosis.to_string(),
            advice: diagnosis.advice(&self.address, self.connection.tls_options.is_some()),
        }
    }

    fn namespace_not_found(&self) -> ConnectError {
        let Self {
            namespace, address, ..
        } = self;
        let mut command = format!(
            "temporal operator namespace create --namespace {namespace} --address {address}"
        );
        if self.connection.tls_options.is_some() {
            command.push_str(" and the same TLS flags or API key");
        }
        ConnectError::NamespaceNotFound {
            namespace: namespace.clone(),
            address: address.to_string(),
            command,
        }
    }
}

/// Makes sure that a host name has an address.
///
/// The lookup has a thread of its own because it cannot be cancelled: on the runtime's pool it
/// would hold up the exit of the program that gave up on it.
async fn look_up(host: String, port: u16) -> io::Result<()> {
    let (answer, answered) = oneshot::channel();
    thread::spawn(move || {
        let found = (host.as_str(), port).to_socket_addrs().map(drop);
        // Nobody may be waiting any more.
        let _ = answer.send(found);
    });
    match timeout(NETWORK_TIMEOUT, answered).await {
        Ok(Ok(found)) => found,
        _ => Err(io::Error::new(
            io::ErrorKind::TimedOut,
            "no answer from DNS",
        )),
    }
}

#[cfg(test)]
mod tests;
