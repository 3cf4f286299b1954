use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Uri, header};
use http_body_util::Full;
use nexus_rpc::{HandlerError, context::Callback};

use super::Completion;
use crate::{
    Dialect, HttpTransport, InvalidHeader, Outcome, TransportError,
    client::{ClientError, USER_AGENT, UnexpectedResponse, failed_response},
    date,
    failure::wire,
    headers, link, retry_after, timeout,
};

/// Delivers completions to the callbacks of operations, one attempt for each call.
///
/// ```no_run
/// use nexus_rpc::{Content, context::Callback};
/// use nexus_rpc_http::{Dialect, callback::{Completion, CompletionSender}};
///
/// # async fn run(callback: Callback) -> Result<(), Box<dyn std::error::Error>> {
/// let completion = Completion::succeeded(Content::new("application/json", "42"));
/// let sender = CompletionSender::new()?;
/// match sender.send(Dialect::Current, &callback, &completion).await {
///     Ok(()) => println!("delivered"),
///     Err(error) if error.is_retryable() => println!("later: {error}"),
///     Err(error) => println!("never: {error}"),
/// }
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct CompletionSender {
    transport: HttpTransport,
    timeout: Duration,
}

/// Largest body of a response. It should have none; an error's is read for the log.
const MAX_RESPONSE: usize = 64 * 1024;

impl CompletionSender {
    /// A sender over [`HttpTransport::new`].
    pub fn new() -> Result<Self, TransportError> {
        HttpTransport::new().map(Self::over)
    }

    /// A sender over `transport`, which must send URLs as they are.
    #[must_use]
    pub fn over(transport: HttpTransport) -> Self {
        Self {
            transport,
            timeout: Duration::from_secs(10),
        }
    }

    /// How long to wait for the receiver. Default: 10 s, as Temporal's server.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Delivers `completion`. Any 2xx is success.
    pub async fn send(
        &self,
        dialect: Dialect,
        callback: &Callback,
        completion: &Completion,
    ) -> Result<(), DeliveryError> {
        let sent = self.attempt(dialect, callback, completion).await;
        sent.map_err(|undelivered| undelivered.error)
    }

    /// Whether callbacks with this scheme can be called.
    pub(crate) fn check_scheme(&self, scheme: &str) -> Result<(), TransportError> {
        self.transport.check_scheme(scheme)
    }

    /// Like [`send`](Self::send), and gets what the receiver said of the next attempt.
    pub(crate) async fn attempt(
        &self,
        dialect: Dialect,
        callback: &Callback,
        completion: &Completion,
    ) -> Result<(), Undelivered> {
        let request = self.request(dialect, callback, completion)?;
        let exchange = self.transport.send(request, MAX_RESPONSE);
        let patience = self.timeout.saturating_add(timeout::SLACK);
        let response = match tokio::time::timeout(patience, exchange).await {
            Ok(response) => response.map_err(DeliveryError::Transport)?,
            Err(_) => {
                let timeout = self.timeout;
                return Err(DeliveryError::Timeout { timeout }.into());
            }
        };
        if response.status().is_success() {
            return Ok(());
        }
        let retry_after = retry_after::read(response.headers());
        let error = match failed_response(dialect, response) {
            ClientError::Handler(error) => DeliveryError::Rejected(error),
            ClientError::UnexpectedResponse(response) => {
                DeliveryError::UnexpectedResponse(response)
            }
            other => unreachable!("a failed response is one of the two: {other}"),
        };
        Err(Undelivered { error, retry_after })
    }

    fn request(
        &self,
        dialect: Dialect,
        callback: &Callback,
        completion: &Completion,
    ) -> Result<Request<Full<Bytes>>, DeliveryError> {
        // Not `url::Url`: it would rewrite the path, and the URL may be signed.
        let uri: Uri = callback
            .url
            .parse()
            .map_err(|_| DeliveryError::Url("it cannot be parsed"))?;
        match uri.scheme_str() {
            Some(scheme @ ("http" | "https")) => self
                .transport
                .check_scheme(scheme)
                .map_err(DeliveryError::Transport)?,
            _ => return Err(DeliveryError::Url("its scheme is neither http nor https")),
        }
        let mut map = HeaderMap::new();
        map.insert(header::USER_AGENT, USER_AGENT);
        if dialect == Dialect::Current {
            let free = callback.headers.iter().filter(|(name, _)| {
                let free = headers::is_free(name);
                if !free {
                    tracing::warn!(
                        name,
                        "left out a callback header that is not the caller's to set"
                    );
                }
                free
            });
            headers::extend(&mut map, free).map_err(DeliveryError::Header)?;
            add_details(completion, &mut map);
        }
        map.insert(
            headers::NEXUS_OPERATION_STATE,
            HeaderValue::from_static(completion.outcome.state().as_str()),
        );
        map.insert(headers::REQUEST_TIMEOUT, timeout::header(self.timeout));
        let body = match &completion.outcome {
            Outcome::Succeeded(content) => {
                headers::write_content(content.clone(), &mut map).map_err(DeliveryError::Header)?
            }
            Outcome::Unsuccessful(failure) => {
                map.insert(header::CONTENT_TYPE, headers::JSON);
                wire::operation_failure(dialect, failure).into()
            }
        };
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = uri;
        *request.headers_mut() = map;
        Ok(request)
    }
}

/// What lets a receiver use a completion that comes before the answer to its start request.
fn add_details(completion: &Completion, map: &mut HeaderMap) {
    if let Some(token) = &completion.operation_token {
        map.insert(headers::NEXUS_OPERATION_TOKEN, value(token.as_str()));
    }
    if let Some(time) = completion.start_time {
        let value = value(&date::format_http(time));
        map.insert(headers::NEXUS_OPERATION_START_TIME, value);
    }
    if let Some(time) = completion.close_time {
        let value = value(&date::format_rfc3339(time));
        map.insert(headers::NEXUS_OPERATION_CLOSE_TIME, value);
    }
    link::write(&completion.links, map);
}

fn value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text)
        .unwrap_or_else(|error| unreachable!("tokens and dates fit into a header: {error}"))
}

/// A completion that was not delivered, and how long the receiver asks to be left alone.
pub(crate) struct Undelivered {
    pub(crate) error: DeliveryError,
    pub(crate) retry_after: Option<Duration>,
}

impl From<DeliveryError> for Undelivered {
    fn from(error: DeliveryError) -> Self {
        Self {
            error,
            retry_after: None,
        }
    }
}

/// A completion that was not delivered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DeliveryError {
    /// The URL cannot be called.
    #[error("cannot call the callback URL: {0}")]
    Url(&'static str),
    /// A header cannot be sent.
    #[error("cannot send a header to the callback")]
    Header(#[source] InvalidHeader),
    /// The receiver was not reached, or its answer did not come through.
    #[error("no response from the callback")]
    Transport(#[source] TransportError),
    /// The receiver did not answer in time.
    #[error("no response from the callback within {timeout:?}")]
    Timeout {
        /// How long the sender waited.
        timeout: Duration,
    },
    /// The receiver refused the completion.
    #[error("callback refused the completion")]
    Rejected(#[source] HandlerError),
    /// The receiver answered with a status that means nothing in the protocol, a redirect for one.
    #[error("unexpected response from the callback: {0}")]
    UnexpectedResponse(Box<UnexpectedResponse>),
}

impl DeliveryError {
    /// Whether another attempt may do better: never after a 4xx in the draft; as the error's type has it in the current dialect.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Url(_) | Self::Header(_) => false,
            Self::Transport(error) => error.is_retryable(),
            Self::Timeout { .. } => true,
            Self::Rejected(error) => error.is_retryable(),
            Self::UnexpectedResponse(response) => response.status.is_server_error(),
        }
    }
}
