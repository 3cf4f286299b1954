//! The client: [`NexusHttpClient`] starts operations and follows them.

use std::{fmt, sync::Arc, time::Duration};

use http::{HeaderMap, HeaderValue, Method, header};
use nexus_rpc::{FromContent, OperationDefinition, OperationToken, Serializer, ToContent};

use crate::{Dialect, HttpTransport, callback::PendingCompletions, headers, path::encode};

mod builder;
mod call;
mod error;
mod execute;
mod handle;
mod options;
mod response;
mod retry;
mod start;

pub use builder::{ClientBuildError, NexusHttpClientBuilder};
pub use error::{ClientError, InvalidRequest, UnexpectedResponse};
pub use handle::OperationHandle;
pub use options::StartOptions;
pub(crate) use response::failure as failed_response;
pub use retry::RetryPolicy;
pub use start::StartedOperation;

/// What this client calls itself, in the form that Temporal's server reads.
pub(crate) const USER_AGENT: HeaderValue =
    HeaderValue::from_static(concat!("nexus-rpc-http/v", env!("CARGO_PKG_VERSION")));

/// Calls operations of Nexus services over HTTP. Cheap to clone.
///
/// ```no_run
/// use nexus_rpc::Operation;
/// use nexus_rpc_http::{NexusHttpClient, StartOptions, StartedOperation};
///
/// const CHARGE: Operation<u64, String> = Operation::new("payments", "charge");
///
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// let client = NexusHttpClient::new("http://localhost:7243/nexus/endpoints/6ba7b810-9dad-11d1-80b4-00c04fd430c8/services")?;
/// match client.start(CHARGE, 1999, StartOptions::new().request_id("order-17")).await? {
///     StartedOperation::Completed { output, .. } => println!("receipt {output}"),
///     StartedOperation::Pending(handle) => handle.cancel().await?,
/// }
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct NexusHttpClient(Arc<Inner>);

struct Inner {
    transport: HttpTransport,
    /// Without a slash at the end.
    base: String,
    dialect: Dialect,
    serializer: Arc<dyn Serializer>,
    headers: HeaderMap,
    timeout: Duration,
    retry: RetryPolicy,
    max_response: usize,
    completions: Option<PendingCompletions>,
}

impl NexusHttpClient {
    /// A client of the current dialect for the services under `url`, with the defaults of [`builder`](Self::builder).
    pub fn new(url: impl Into<String>) -> Result<Self, ClientBuildError> {
        Self::builder(url).build()
    }

    /// Builds a client for the services under `url`: what stands before `/{service}/{operation}` in the current dialect, before `/api/v1`
    /// in the draft.
    pub fn builder(url: impl Into<String>) -> NexusHttpClientBuilder {
        NexusHttpClientBuilder::new(url.into())
    }

    /// The dialect that this client speaks.
    #[must_use]
    pub fn dialect(&self) -> Dialect {
        self.0.dialect
    }

    /// Starts an operation.
    ///
    /// Sent again, with the same request id, when it fails in a way that allows it (see [`ClientError::is_retryable`]).
    pub async fn start<Op>(
        &self,
        operation: Op,
        input: Op::Input,
        options: StartOptions,
    ) -> Result<StartedOperation<Op::Output>, ClientError>
    where
        Op: OperationDefinition,
        Op::Input: ToContent,
        Op::Output: FromContent,
    {
        self.start_operation(&operation, input, options).await
    }

    /// A handle to an operation that was started before.
    pub fn handle<Op>(
        &self,
        operation: Op,
        token: OperationToken,
    ) -> Result<OperationHandle<Op::Output>, InvalidRequest>
    where
        Op: OperationDefinition,
    {
        let path = self.path(&operation)?;
        if self.0.dialect == Dialect::Draft {
            crate::path::validate_unreserved(token.as_str()).map_err(|source| {
                InvalidRequest::Segment {
                    what: "operation id",
                    text: token.as_str().to_owned(),
                    source,
                }
            })?;
        }
        Ok(OperationHandle::new(self.clone(), path, token))
    }

    /// The path of an operation, if its names can stand in one.
    fn path<Op: OperationDefinition>(&self, operation: &Op) -> Result<String, InvalidRequest> {
        let (service, name) = (operation.service(), operation.name());
        for (what, name) in [("service name", service), ("operation name", name)] {
            match self.0.dialect {
                Dialect::Draft => {
                    crate::path::validate_unreserved(name).map_err(|source| {
                        InvalidRequest::Segment {
                            what,
                            text: name.to_owned(),
                            source,
                        }
                    })?;
                }
                Dialect::Current if name.is_empty() => {
                    return Err(InvalidRequest::Empty { what });
                }
                Dialect::Current => {}
            }
        }
        Ok(match self.0.dialect {
            Dialect::Draft => format!("/api/v1/services/{service}/operations/{name}"),
            Dialect::Current => format!("/{}/{}", encode(service), encode(name)),
        })
    }

    /// The headers of every request.
    fn base_headers(&self, user: &nexus_rpc::Headers) -> Result<HeaderMap, headers::InvalidHeader> {
        let mut map = self.0.headers.clone();
        if !map.contains_key(header::USER_AGENT) {
            map.insert(header::USER_AGENT, USER_AGENT);
        }
        if self.0.dialect == Dialect::Current && !map.contains_key(headers::FAILURE_SUPPORT) {
            map.insert(headers::FAILURE_SUPPORT, HeaderValue::from_static("true"));
        }
        headers::extend_free(&mut map, user.iter())?;
        Ok(map)
    }

    fn request(
        &self,
        method: Method,
        path_and_query: &str,
        headers: HeaderMap,
    ) -> Result<call::Outgoing, InvalidRequest> {
        let uri = format!("{}{path_and_query}", self.0.base)
            .parse()
            .map_err(InvalidRequest::Url)?;
        Ok(call::Outgoing {
            method,
            uri,
            headers,
            body: bytes::Bytes::new(),
            timeout: self.0.timeout,
        })
    }
}

impl fmt::Debug for NexusHttpClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The headers may hold credentials.
        f.debug_struct("NexusHttpClient")
            .field("url", &self.0.base)
            .field("dialect", &self.0.dialect)
            .finish_non_exhaustive()
    }
}
