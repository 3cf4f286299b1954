use std::{
    fmt,
    marker::PhantomData,
    time::{Duration, Instant, SystemTime},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use nexus_rpc::{
    Content, FromContent, Headers, Link, OperationInfo, OperationState, OperationToken,
};
use serde::Deserialize;

use super::{
    ClientError, InvalidRequest, NexusHttpClient,
    response::{self, protocol},
};
use crate::{Dialect, date, headers, path::encode, status};

/// Longest wait for a result that is asked for at once; a longer one takes several requests.
const LONGEST_POLL: Duration = Duration::from_secs(60);
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// An operation that was started and goes on.
pub struct OperationHandle<O> {
    client: NexusHttpClient,
    /// Of the operation, without the token.
    path: String,
    token: OperationToken,
    headers: Headers,
    pub(super) links: Vec<Link>,
    pub(super) callback_supported: Option<bool>,
    output: PhantomData<fn() -> O>,
}

impl<O> OperationHandle<O> {
    pub(super) fn new(client: NexusHttpClient, path: String, token: OperationToken) -> Self {
        Self {
            client,
            path,
            token,
            headers: Headers::new(),
            links: Vec::new(),
            callback_supported: None,
            output: PhantomData,
        }
    }

    /// The reference of the operation: its token, its id in the draft dialect. Keep it to make a [handle](NexusHttpClient::handle) later.
    #[must_use]
    pub fn token(&self) -> &OperationToken {
        &self.token
    }

    /// What the handler linked to when it started the operation.
    #[must_use]
    pub fn links(&self) -> &[Link] {
        &self.links
    }

    /// Draft: whether the handler promised to call the callback. `None` where nothing was said.
    #[must_use]
    pub fn callback_supported(&self) -> Option<bool> {
        self.callback_supported
    }

    /// Adds a header to every request of this handle.
    #[must_use]
    pub fn with_header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// Asks the operation to end. It may still end in any way; asking twice does no harm.
    pub async fn cancel(&self) -> Result<(), ClientError> {
        let dialect = self.client.0.dialect;
        let mut headers = self.request_headers()?;
        let path = match dialect {
            Dialect::Draft => format!("{}/{}/cancel", self.path, self.token),
            Dialect::Current => {
                headers.insert(headers::NEXUS_OPERATION_TOKEN, self.token_header());
                format!("{}/cancel", self.path)
            }
        };
        let request = self.client.request(Method::POST, &path, headers)?;
        self.client
            .call(&request, |response| match response.status() {
                StatusCode::ACCEPTED => Ok(()),
                _ => Err(response::failure(dialect, response)),
            })
            .await
    }

    /// Draft: the state of the operation.
    pub async fn info(&self) -> Result<OperationInfo, ClientError> {
        let path = format!(
            "{}/{}",
            self.draft_path("state of an operation to ask for")?,
            self.token
        );
        let request = self
            .client
            .request(Method::GET, &path, self.request_headers()?)?;
        let state = self.client.call(&request, read_info).await?;
        Ok(OperationInfo::new(self.token.clone(), state))
    }

    fn draft_path(&self, what: &'static str) -> Result<&str, InvalidRequest> {
        match self.client.0.dialect {
            Dialect::Draft => Ok(&self.path),
            Dialect::Current => Err(self.client.not_in_dialect(what)),
        }
    }

    fn request_headers(&self) -> Result<HeaderMap, InvalidRequest> {
        Ok(self.client.base_headers(&self.headers)?)
    }

    fn token_header(&self) -> HeaderValue {
        HeaderValue::from_str(self.token.as_str())
            .unwrap_or_else(|error| unreachable!("a token fits into a header: {error}"))
    }
}

impl<O: FromContent> OperationHandle<O> {
    /// Draft: the result, if the operation is done. `None`: it is still running.
    pub async fn try_result(&self) -> Result<Option<O>, ClientError> {
        self.poll(None).await
    }

    /// Draft: waits for the result, up to `wait`; then [`ClientError::StillRunning`].
    ///
    /// The server holds each request for up to a minute. It is told until when by the clock, so both clocks must agree within seconds.
    pub async fn result(&self, wait: Duration) -> Result<O, ClientError> {
        let started = Instant::now();
        let mut pause = FIRST_PAUSE;
        loop {
            let left = wait.saturating_sub(started.elapsed());
            let poll = left.min(LONGEST_POLL);
            let asked = Instant::now();
            if let Some(output) = self.poll(Some(poll)).await? {
                return Ok(output);
            }
            let left = wait.saturating_sub(started.elapsed());
            if left.is_zero() {
                return Err(ClientError::StillRunning {
                    token: self.token.clone(),
                });
            }
            if asked.elapsed() < poll / 2 {
                // It did not hold the request; asking on at once would be a busy loop.
                tokio::time::sleep(pause.min(left)).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            } else {
                pause = FIRST_PAUSE;
            }
        }
    }

    async fn poll(&self, wait: Option<Duration>) -> Result<Option<O>, ClientError> {
        let mut path = format!(
            "{}/{}/result",
            self.draft_path("result to ask for")?,
            self.token
        );
        if let Some(wait) = wait {
            let deadline = date::format_rfc3339(SystemTime::now() + wait);
            path.push_str("?wait_deadline=");
            path.push_str(&encode(&deadline));
        }
        let mut request = self
            .client
            .request(Method::GET, &path, self.request_headers()?)?;
        request.timeout = request.timeout.saturating_add(wait.unwrap_or_default());
        let content = self.client.call(&request, read_result).await?;
        content
            .map(|content| O::from_content(content, &*self.client.0.serializer))
            .transpose()
            .map_err(ClientError::Result)
    }
}

fn read_info(response: Response<Bytes>) -> Result<OperationState, ClientError> {
    /// `OperationInfo` of the draft.
    #[derive(Deserialize)]
    struct Info {
        state: String,
    }

    if response.status() != StatusCode::OK {
        return Err(response::failure(Dialect::Draft, response));
    }
    match response::object::<Info>(&response) {
        Ok(info) => status::state(&info.state)
            .ok_or_else(|| protocol(format!("{:?} is not a state", info.state), response)),
        Err(reason) => Err(protocol(reason, response)),
    }
}

/// `None`: it is still running, or the server gave up waiting.
fn read_result(response: Response<Bytes>) -> Result<Option<Content>, ClientError> {
    match response.status() {
        StatusCode::NO_CONTENT if response::state(&response) == Some(OperationState::Running) => {
            Ok(None)
        }
        StatusCode::REQUEST_TIMEOUT => Ok(None),
        StatusCode::OK | StatusCode::NO_CONTENT => {
            response::result(Dialect::Draft, response).map(Some)
        }
        status if status == Dialect::Draft.unsuccessful_status() => {
            Err(response::unsuccessful(Dialect::Draft, response))
        }
        _ => Err(response::failure(Dialect::Draft, response)),
    }
}

impl<O> fmt::Debug for OperationHandle<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OperationHandle")
            .field("path", &self.path)
            .field("token", &self.token)
            .field("links", &self.links)
            .finish_non_exhaustive()
    }
}
