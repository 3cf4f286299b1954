//! A request, sent as often as it takes.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, Uri};

use super::{ClientError, NexusHttpClient};
use crate::{headers::REQUEST_TIMEOUT, retry_after, timeout};

/// A request that can be sent more than once.
pub(super) struct Outgoing {
    pub(super) method: Method,
    pub(super) uri: Uri,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    /// For each time that it is sent.
    pub(super) timeout: Duration,
}

impl NexusHttpClient {
    /// Sends a request until it has an answer that `read` takes, or an error that is final.
    pub(super) async fn call<T>(
        &self,
        request: &Outgoing,
        read: impl Fn(Response<Bytes>) -> Result<T, ClientError>,
    ) -> Result<T, ClientError> {
        let mut pauses = self.0.retry.pauses();
        loop {
            let (asked, answer) = match self.send(request).await {
                Ok(response) => (retry_after::read(response.headers()), read(response)),
                Err(error) => (None, Err(error)),
            };
            let error = match answer {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            if !error.is_retryable() {
                return Err(error);
            }
            let Some(pause) = pauses.next() else {
                return Err(error);
            };
            let pause = self.0.retry.pause(pause, asked);
            tracing::debug!(%error, ?pause, "sending the request again");
            tokio::time::sleep(pause).await;
        }
    }

    async fn send(&self, outgoing: &Outgoing) -> Result<Response<Bytes>, ClientError> {
        let mut request = Request::new(outgoing.body.clone().into());
        *request.method_mut() = outgoing.method.clone();
        *request.uri_mut() = outgoing.uri.clone();
        *request.headers_mut() = outgoing.headers.clone();
        let timeout = outgoing.timeout;
        request
            .headers_mut()
            .insert(REQUEST_TIMEOUT, timeout::header(timeout));
        let exchange = self.0.transport.send(request, self.0.max_response);
        match tokio::time::timeout(timeout.saturating_add(timeout::SLACK), exchange).await {
            Ok(response) => response.map_err(ClientError::Transport),
            Err(_) => Err(ClientError::Timeout { timeout }),
        }
    }
}
