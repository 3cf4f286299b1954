use std::{fmt, sync::Arc, time::Duration};

use http::{HeaderMap, Uri};
use nexus_rpc::{Headers, Serializer, content::JsonSerializer};

use super::{Inner, NexusHttpClient, RetryPolicy};
use crate::{
    Dialect, HttpTransport, InvalidHeader, TransportError, callback::PendingCompletions, headers,
};

/// Builds a [`NexusHttpClient`].
#[must_use = "a builder does nothing until `build` is called"]
pub struct NexusHttpClientBuilder {
    url: String,
    transport: Option<HttpTransport>,
    dialect: Dialect,
    serializer: Arc<dyn Serializer>,
    headers: Headers,
    timeout: Duration,
    retry: RetryPolicy,
    max_response: usize,
    completions: Option<PendingCompletions>,
}

impl NexusHttpClientBuilder {
    pub(super) fn new(url: String) -> Self {
        Self {
            url,
            transport: None,
            dialect: Dialect::default(),
            serializer: Arc::new(JsonSerializer),
            headers: Headers::new(),
            timeout: Duration::from_secs(30),
            retry: RetryPolicy::default(),
            max_response: 2 * 1024 * 1024,
            completions: None,
        }
    }

    /// The dialect to speak. Default: [`Dialect::Current`].
    pub fn dialect(mut self, dialect: Dialect) -> Self {
        self.dialect = dialect;
        self
    }

    /// Sends the requests. Default: [`HttpTransport::new`].
    pub fn transport(mut self, transport: HttpTransport) -> Self {
        self.transport = Some(transport);
        self
    }

    /// Writes inputs and reads results. Default: [`JsonSerializer`].
    pub fn serializer(mut self, serializer: Arc<dyn Serializer>) -> Self {
        self.serializer = serializer;
        self
    }

    /// A header of every request, such as `Authorization`.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// How long to wait for the answer to a request, each time that it is sent. Default: 30 s. The server is told
    /// (`Request-Timeout`), and given half a second more to say that it has not kept to it. Waiting for a result comes on top.
    pub fn request_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// When to send a failed request again. Default: four times, after growing pauses.
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.retry = policy;
        self
    }

    /// Largest body of a response, in bytes. Default: 2 MiB.
    pub fn max_response_size(mut self, bytes: usize) -> Self {
        self.max_response = bytes;
        self
    }

    /// Where [`execute`](NexusHttpClient::execute) waits for the results of operations that go on, in the current dialect. Default: it does
    /// not wait.
    pub fn completions(mut self, completions: PendingCompletions) -> Self {
        self.completions = Some(completions);
        self
    }

    /// The client, if its URL and its headers are in order.
    pub fn build(self) -> Result<NexusHttpClient, ClientBuildError> {
        let invalid = |reason| ClientBuildError::Url {
            url: self.url.clone(),
            reason,
        };
        let uri: Uri = self
            .url
            .parse()
            .map_err(|_| invalid("it cannot be parsed"))?;
        let Some(scheme @ ("http" | "https")) = uri.scheme_str() else {
            return Err(invalid("it must start with http:// or https://"));
        };
        if uri.query().is_some() || self.url.contains('#') {
            return Err(invalid("it must have no query and no fragment"));
        }
        let transport = match self.transport {
            Some(transport) => transport,
            None => HttpTransport::new().map_err(ClientBuildError::Transport)?,
        };
        transport
            .check_scheme(scheme)
            .map_err(ClientBuildError::Transport)?;
        let mut map = HeaderMap::new();
        headers::extend_free(&mut map, self.headers.iter()).map_err(ClientBuildError::Header)?;
        Ok(NexusHttpClient(Arc::new(Inner {
            transport,
            base: self.url.trim_end_matches('/').to_owned(),
            dialect: self.dialect,
            serializer: self.serializer,
            headers: map,
            timeout: self.timeout,
            retry: self.retry,
            max_response: self.max_response,
            completions: self.completions,
        })))
    }
}

impl fmt::Debug for NexusHttpClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NexusHttpClientBuilder")
            .field("url", &self.url)
            .field("dialect", &self.dialect)
            .finish_non_exhaustive()
    }
}

/// A client that cannot be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientBuildError {
    /// The URL is not one of a server.
    #[error("cannot call {url:?}: {reason}")]
    Url {
        /// The URL.
        url: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A header cannot be sent.
    #[error("cannot send a header with every request")]
    Header(#[source] InvalidHeader),
    /// The transport cannot be set up.
    #[error("cannot set up the transport")]
    Transport(#[source] TransportError),
}
