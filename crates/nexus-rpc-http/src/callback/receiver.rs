use std::{
    convert::Infallible,
    fmt,
    future::Future,
    panic::AssertUnwindSafe,
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use futures_util::{FutureExt, future::BoxFuture};
use http::{HeaderMap, Method, Request, Response, StatusCode, request::Parts};
use http_body::Body;
use nexus_rpc::{HandlerError, OperationState, OperationToken, content::BoxError};
use tower_service::Service;
use tracing::Instrument;

use super::{CallbackTokens, ReceivedCompletion};
use crate::{
    Dialect, Outcome, date,
    failure::wire::read_operation_failure,
    headers, link, query,
    server::{Refusal, ResponseBody, empty_response, read_body},
    status, timeout,
};

/// What to do with completions. Implemented for functions that take a [`ReceivedCompletion`] and return a future.
///
/// `Ok` is answered with 200: the completion is taken, and will not be sent again. An error is answered with its status, and a sender
/// that may will try again. A completion can come more than once, so answer `Ok` to one that you have had.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot take completions",
    note = "write `async |completion: ReceivedCompletion| Ok(())`, or implement `CompletionHandler`"
)]
pub trait CompletionHandler: Send + Sync + 'static {
    /// Takes a completion.
    fn complete(
        &self,
        completion: ReceivedCompletion,
    ) -> impl Future<Output = Result<(), HandlerError>> + Send;
}

impl<F, Fut> CompletionHandler for F
where
    F: Fn(ReceivedCompletion) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<(), HandlerError>> + Send,
{
    fn complete(
        &self,
        completion: ReceivedCompletion,
    ) -> impl Future<Output = Result<(), HandlerError>> + Send {
        self(completion)
    }
}

/// Where the caller put the token of [`CallbackTokens`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenLocation {
    /// In this parameter of the callback URL's query.
    Query(String),
    /// In this header of the callback (current dialect).
    Header(String),
}

/// Takes in the completions of operations, in both dialects: a tower service for one path of your server.
///
/// ```
/// use nexus_rpc::content::JsonSerializer;
/// use nexus_rpc_http::callback::{CallbackTokens, CompletionReceiver, ReceivedCompletion, TokenLocation};
///
/// let receiver = CompletionReceiver::builder(async |completion: ReceivedCompletion| {
///     let order = completion.token_payload.as_deref().unwrap_or_default();
///     match completion.result::<u64>(&JsonSerializer) {
///         Ok(Ok(charged)) => println!("{order}: {charged}"),
///         Ok(Err(failure)) => println!("{order}: {failure}"),
///         Err(error) => return Err(nexus_rpc::HandlerError::bad_request("not a charge").with_source(error)),
///     }
///     Ok(())
/// })
/// .require_token(CallbackTokens::new(&[7; 32])?, TokenLocation::Query("token".into()))
/// .build();
/// let app: axum::Router = axum::Router::new().route_service("/charged", receiver);
/// # Ok::<(), nexus_rpc_http::callback::WeakKey>(())
/// ```
pub struct CompletionReceiver<H>(Arc<Receiver<H>>);

struct Receiver<H> {
    handler: H,
    tokens: Option<(CallbackTokens, TokenLocation)>,
    max_body: usize,
    max_timeout: Duration,
}

/// Builds a [`CompletionReceiver`].
#[must_use = "a builder does nothing until `build` is called"]
pub struct CompletionReceiverBuilder<H>(Receiver<H>);

impl<H: CompletionHandler> CompletionReceiver<H> {
    /// Builds a receiver that hands completions to `handler`.
    pub fn builder(handler: H) -> CompletionReceiverBuilder<H> {
        CompletionReceiverBuilder(Receiver {
            handler,
            tokens: None,
            max_body: 2 * 1024 * 1024,
            max_timeout: Duration::from_secs(60),
        })
    }

    /// Answers one request.
    pub async fn answer<B>(&self, request: Request<B>) -> Response<ResponseBody>
    where
        B: Body + Send,
        B::Data: Send,
        B::Error: Into<BoxError>,
    {
        let span = tracing::info_span!("nexus_completion", otel.kind = "server");
        let taken = self.0.take(request).instrument(span.clone()).await;
        // The full form of an error says to a sender of the draft what it needs to know, too.
        taken.unwrap_or_else(|refusal| {
            let _entered = span.entered();
            refusal.into_response(Dialect::Current)
        })
    }
}

impl<H: CompletionHandler> CompletionReceiverBuilder<H> {
    /// Takes only completions with a token of `tokens` whose time is not over. The handler gets what it carries.
    pub fn require_token(mut self, tokens: CallbackTokens, location: TokenLocation) -> Self {
        self.0.tokens = Some((tokens, location));
        self
    }

    /// Largest body, in bytes. Default: 2 MiB.
    pub fn max_body_size(mut self, bytes: usize) -> Self {
        self.0.max_body = bytes;
        self
    }

    /// Longest time for a completion, whatever its `Request-Timeout`. Default: 60 s.
    pub fn max_request_timeout(mut self, timeout: Duration) -> Self {
        self.0.max_timeout = timeout;
        self
    }

    /// The receiver.
    #[must_use]
    pub fn build(self) -> CompletionReceiver<H> {
        CompletionReceiver(Arc::new(self.0))
    }
}

impl<H: CompletionHandler> Receiver<H> {
    async fn take<B>(&self, request: Request<B>) -> Result<Response<ResponseBody>, Refusal>
    where
        B: Body + Send,
        B::Data: Send,
        B::Error: Into<BoxError>,
    {
        if request.method() != Method::POST {
            return Err(Refusal::Method("POST"));
        }
        let (parts, body) = request.into_parts();
        let token_payload = self.verify(&parts)?;
        let asked = timeout::read(&parts.headers).map_err(bad_request)?;
        let granted = asked.map_or(self.max_timeout, |asked| asked.min(self.max_timeout));
        let complete = async {
            let body = read_body(body, self.max_body).await?;
            let completion = read(parts, body, token_payload)?;
            let handled = AssertUnwindSafe(async { self.handler.complete(completion).await });
            match handled.catch_unwind().await {
                Ok(taken) => taken.map_err(Refusal::from),
                Err(_) => Err(HandlerError::unclassified("the completion handler panicked").into()),
            }
        };
        match tokio::time::timeout(granted, complete).await {
            Ok(taken) => taken.map(|()| empty_response(StatusCode::OK)),
            Err(_) => {
                Err(HandlerError::request_timeout("the completion was not taken in time").into())
            }
        }
    }

    fn verify(&self, parts: &Parts) -> Result<Option<String>, HandlerError> {
        let Some((tokens, location)) = &self.tokens else {
            return Ok(None);
        };
        let token = match location {
            TokenLocation::Query(name) => query::parameter(parts.uri.query(), name).ok().flatten(),
            TokenLocation::Header(name) => headers::get(&parts.headers, name).map(str::to_owned),
        };
        let token =
            token.ok_or_else(|| HandlerError::unauthenticated("callback token is missing"))?;
        match tokens.verify(&token) {
            Ok(payload) => Ok(Some(payload)),
            Err(error) => Err(HandlerError::unauthenticated(error.to_string())),
        }
    }
}

fn read(
    parts: Parts,
    body: Bytes,
    token_payload: Option<String>,
) -> Result<ReceivedCompletion, HandlerError> {
    let map = &parts.headers;
    let state = headers::get(map, headers::NEXUS_OPERATION_STATE)
        .ok_or_else(|| HandlerError::bad_request("the header Nexus-Operation-State is missing"))?;
    let outcome = match status::state(state) {
        Some(OperationState::Succeeded) => Outcome::Succeeded(headers::content(map, body)),
        Some(state @ (OperationState::Failed | OperationState::Canceled)) => {
            if !headers::is_json(map) {
                return Err(HandlerError::bad_request(
                    "a failure is not application/json",
                ));
            }
            // Reads the draft's form as well: it has no type, and its state in the header.
            let failure = read_operation_failure(Dialect::Current, Some(state), &body)
                .map_err(|error| HandlerError::bad_request(error.to_string()).with_source(error))?;
            Outcome::Unsuccessful(failure)
        }
        _ => {
            return Err(HandlerError::bad_request(format!(
                "Nexus-Operation-State is {state:?}, not succeeded, failed or canceled"
            )));
        }
    };
    Ok(ReceivedCompletion {
        outcome,
        operation_token: token(map)?,
        start_time: match headers::get(map, headers::NEXUS_OPERATION_START_TIME) {
            Some(text) => date::parse_internet_message(text).map_err(bad_request)?,
            None => SystemTime::now(),
        },
        close_time: headers::get(map, headers::NEXUS_OPERATION_CLOSE_TIME)
            .map(date::parse_rfc3339)
            .transpose()
            .map_err(bad_request)?,
        links: link::read(map).map_err(bad_request)?,
        headers: headers::for_user(map),
        token_payload,
        request: parts,
    })
}

fn token(map: &HeaderMap) -> Result<Option<OperationToken>, HandlerError> {
    headers::get(map, headers::NEXUS_OPERATION_TOKEN)
        .or_else(|| headers::get(map, headers::NEXUS_OPERATION_ID))
        .map(OperationToken::new)
        .transpose()
        .map_err(bad_request)
}

fn bad_request(error: impl std::error::Error) -> HandlerError {
    HandlerError::bad_request(error.to_string())
}

impl<H> Clone for CompletionReceiver<H> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<H, B> Service<Request<B>> for CompletionReceiver<H>
where
    H: CompletionHandler,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    type Response = Response<ResponseBody>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let receiver = self.clone();
        Box::pin(async move { Ok(receiver.answer(request).await) })
    }
}

impl<H> fmt::Debug for CompletionReceiver<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CompletionReceiver").finish_non_exhaustive()
    }
}

impl<H> fmt::Debug for CompletionReceiverBuilder<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CompletionReceiverBuilder")
            .finish_non_exhaustive()
    }
}
