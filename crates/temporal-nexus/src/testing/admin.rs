//! Namespaces and endpoints.

use super::{DevServer, DevServerError, probe};
use std::{collections::HashMap, time::Duration};
use temporalio_client::{
    Connection,
    tonic::{Code, Status},
};
use temporalio_common::protos::temporal::api::{
    common::v1::Payload,
    nexus::v1::{self as nexus, EndpointTarget, endpoint_target},
    operatorservice::v1::{
        CreateNexusEndpointRequest, DeleteNexusEndpointRequest, GetNexusEndpointRequest,
    },
};
use tokio::time::{Instant, sleep};

/// How long the server's services may take to learn of a change.
const PROPAGATION_TIMEOUT: Duration = Duration::from_secs(10);

/// A Nexus endpoint of a [`DevServer`].
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Endpoint {
    /// The id that the server gave it, which is part of the endpoint's path in the HTTP API.
    pub id: String,
    /// The name by which workflows call it.
    pub name: String,
}

/// A Nexus endpoint to create on a [`DevServer`].
#[derive(Debug, Clone)]
pub struct EndpointSpec {
    name: String,
    description: Option<String>,
    target: endpoint_target::Variant,
}

impl EndpointSpec {
    /// An endpoint whose operations are handled by the workers on a task queue of a namespace.
    pub fn worker(name: &str, target_namespace: &str, target_task_queue: &str) -> Self {
        Self {
            name: name.to_owned(),
            description: None,
            target: endpoint_target::Variant::Worker(endpoint_target::Worker {
                namespace: target_namespace.to_owned(),
                task_queue: target_task_queue.to_owned(),
            }),
        }
    }

    /// An endpoint whose operations are handled by an HTTP server; the URL is the base of its Nexus paths.
    pub fn external(name: &str, url: &str) -> Self {
        Self {
            name: name.to_owned(),
            description: None,
            target: endpoint_target::Variant::External(endpoint_target::External {
                url: url.to_owned(),
            }),
        }
    }

    /// Adds a description in Markdown, which the Web UI shows.
    #[must_use]
    pub fn description(mut self, markdown: &str) -> Self {
        self.description = Some(markdown.to_owned());
        self
    }

    fn into_proto(self) -> nexus::EndpointSpec {
        nexus::EndpointSpec {
            name: self.name,
            description: self.description.map(|markdown| json_payload(&markdown)),
            target: Some(EndpointTarget {
                variant: Some(self.target),
            }),
        }
    }
}

/// The form in which the `temporal` program writes a description.
fn json_payload(text: &str) -> Payload {
    Payload {
        metadata: HashMap::from([("encoding".to_owned(), b"json/plain".to_vec())]),
        data: serde_json::Value::from(text).to_string().into_bytes(),
        ..Default::default()
    }
}

impl DevServer {
    /// Creates a namespace, unless it exists, and returns when it can be used: all of the server's services know it.
    ///
    /// # Errors
    ///
    /// [`Request`](DevServerError::Request) if the server refuses (the name is not allowed, say),
    /// [`NotPropagated`](DevServerError::NotPropagated) if the namespace cannot be used after ten seconds, and what
    /// [`connection`](Self::connection) returns.
    pub async fn create_namespace(&self, name: &str) -> Result<(), DevServerError> {
        let connection = self.connection().await?;
        let request = format!("create namespace {name:?}");
        if let Err(status) = probe::register_namespace(&connection, name).await {
            return Err(self.refused(request, status).await);
        }
        self.propagated(&request, async || {
            match probe::task_queue_answers(&connection, name).await {
                Err(status) if status.code() == Code::NotFound => Ok(false),
                answer => answer.map(|()| true),
            }
        })
        .await
    }

    /// Creates a Nexus endpoint for the workers on a task queue of a namespace, and returns when workflows can call it.
    ///
    /// # Errors
    ///
    /// As [`create_endpoint_from`](Self::create_endpoint_from).
    pub async fn create_endpoint(
        &self,
        name: &str,
        target_namespace: &str,
        target_task_queue: &str,
    ) -> Result<Endpoint, DevServerError> {
        let spec = EndpointSpec::worker(name, target_namespace, target_task_queue);
        self.create_endpoint_from(spec).await
    }

    /// Creates a Nexus endpoint for an HTTP server, and returns when workflows can call it.
    ///
    /// # Errors
    ///
    /// As [`create_endpoint_from`](Self::create_endpoint_from).
    pub async fn create_external_endpoint(
        &self,
        name: &str,
        url: &str,
    ) -> Result<Endpoint, DevServerError> {
        let spec = EndpointSpec::external(name, url);
        self.create_endpoint_from(spec).await
    }

    /// Creates a Nexus endpoint, and returns when workflows can call it: the history service, whose table of endpoints lags,
    /// knows it.
    ///
    /// # Errors
    ///
    /// [`Request`](DevServerError::Request) if the server refuses (the name is taken or not allowed, the target namespace does
    /// not exist), [`NotPropagated`](DevServerError::NotPropagated) if the endpoint cannot be called after ten seconds, and what
    /// [`connection`](Self::connection) returns.
    pub async fn create_endpoint_from(
        &self,
        spec: EndpointSpec,
    ) -> Result<Endpoint, DevServerError> {
        let connection = self.connection().await?;
        let name = spec.name.clone();
        let request = format!("create endpoint {name:?}");
        let spec = CreateNexusEndpointRequest {
            spec: Some(spec.into_proto()),
        };
        let mut service = connection.operator_service();
        let created = match service.create_nexus_endpoint(probe::request(spec)).await {
            Ok(created) => created.into_inner().endpoint.unwrap_or_default(),
            Err(status) => return Err(self.refused(request, status).await),
        };
        self.endpoint_propagated(&request, &connection, &name, true)
            .await?;
        Ok(Endpoint {
            id: created.id,
            name,
        })
    }

    /// Deletes a Nexus endpoint, and returns when workflows cannot call it any more.
    ///
    /// # Errors
    ///
    /// [`Request`](DevServerError::Request) if there is no such endpoint, [`NotPropagated`](DevServerError::NotPropagated) if it
    /// can still be called after ten seconds, and what [`connection`](Self::connection) returns.
    pub async fn delete_endpoint(&self, endpoint: &Endpoint) -> Result<(), DevServerError> {
        let connection = self.connection().await?;
        let request = format!("delete endpoint {:?}", endpoint.name);
        if let Err(status) = delete(&connection, &endpoint.id).await {
            return Err(self.refused(request, status).await);
        }
        self.endpoint_propagated(&request, &connection, &endpoint.name, false)
            .await
    }

    async fn endpoint_propagated(
        &self,
        request: &str,
        connection: &Connection,
        name: &str,
        wanted: bool,
    ) -> Result<(), DevServerError> {
        self.propagated(request, async || {
            let known = probe::endpoint_is_known(connection, name).await?;
            Ok(known == wanted)
        })
        .await
    }

    /// Asks until the answer is yes.
    async fn propagated(
        &self,
        request: &str,
        question: impl AsyncFn() -> Result<bool, Status>,
    ) -> Result<(), DevServerError> {
        let deadline = Instant::now() + PROPAGATION_TIMEOUT;
        loop {
            match question().await {
                Ok(true) => return Ok(()),
                Err(status) => return Err(self.refused(request.to_owned(), status).await),
                Ok(false) if Instant::now() > deadline => {
                    let error = DevServerError::NotPropagated {
                        request: request.to_owned(),
                        after: PROPAGATION_TIMEOUT,
                    };
                    return Err(self.explain(error).await);
                }
                Ok(false) => sleep(probe::INTERVAL).await,
            }
        }
    }

    async fn refused(&self, request: String, source: Status) -> DevServerError {
        let error = DevServerError::Request { request, source };
        self.explain(error).await
    }
}

/// Deletes the endpoint in its latest version, which the server wants to hear.
async fn delete(connection: &Connection, id: &str) -> Result<(), Status> {
    let mut service = connection.operator_service();
    let get = GetNexusEndpointRequest { id: id.to_owned() };
    let found = service.get_nexus_endpoint(probe::request(get)).await?;
    let delete = DeleteNexusEndpointRequest {
        id: id.to_owned(),
        version: found.into_inner().endpoint.unwrap_or_default().version,
    };
    let deleted = service.delete_nexus_endpoint(probe::request(delete)).await;
    deleted.map(drop)
}
