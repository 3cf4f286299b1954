//! One request and its response.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use http::{Response, StatusCode, request::Parts};
use http_body::Body;
use nexus_rpc::{
    CancelOperationContext, HandlerError, Headers, OperationContext, OperationToken,
    content::BoxError,
    context::{CancelReason, Extensions, RequestInfo},
};
use tokio::time::timeout_at;
use tracing::{Instrument, Span};

use super::{
    Refusal, ResponseBody, Server, respond,
    route::{self, Action, Route},
};
use crate::{
    Dialect, headers,
    operations::{Access, StartRequest},
    query, timeout,
};

/// What is left to do for a request.
struct Received {
    exchange: Exchange,
    action: Action,
    /// How long the server takes for it at most.
    granted: Duration,
    deadline: Instant,
}

impl Server {
    // A request goes into the heap before the first await. A future that held it would be large, is moved several times, and every await
    // within would hold it once more; allocators take longer for what is above 1 KiB.
    pub(super) async fn answer<B>(
        self: Arc<Self>,
        parts: Arc<Parts>,
        body: B,
    ) -> Response<ResponseBody>
    where
        B: Body + Send,
        B::Data: Send,
        B::Error: Into<BoxError>,
    {
        let (dialect, span, received) = self.receive(parts);
        let answer = match received {
            Ok(received) => {
                let answer = self.act(received.exchange, received.action, body);
                timeout_at(received.deadline.into(), answer)
                    .instrument(span.clone())
                    .await
                    .unwrap_or_else(|_| Err(not_within(received.granted)))
            }
            Err(refusal) => Err(refusal),
        };
        span.in_scope(|| {
            let response = answer.unwrap_or_else(|refusal| refusal.into_response(dialect));
            span.record("status", response.status().as_u16());
            response
        })
    }

    fn receive(&self, parts: Arc<Parts>) -> (Dialect, Span, Result<Received, Refusal>) {
        let route = route::resolve(self.dialects, &self.prefix, &parts.method, parts.uri.path());
        let route = match route {
            Ok(route) => route,
            Err((dialect, refusal)) => return (dialect, Span::none(), Err(refusal)),
        };
        let dialect = route.dialect;
        let span = tracing::info_span!(
            "nexus_request",
            otel.kind = "server",
            %dialect,
            method = route.action.name(),
            service = route.service,
            operation = route.operation,
            status = tracing::field::Empty,
        );
        (dialect, span, self.check(route, parts))
    }

    fn check(&self, route: Route, parts: Arc<Parts>) -> Result<Received, Refusal> {
        self.check_headers(&parts)?;
        let granted = self.granted(&route.action, &parts)?;
        let deadline = Instant::now().checked_add(granted).ok_or_else(|| {
            HandlerError::internal("the request timeout of the server is too long")
        })?;
        let mut extensions = self.extensions.clone();
        let keeps_operations = extensions.get::<Access>().is_some();
        extensions.insert_shared(parts.clone());
        if keeps_operations && matches!(route.action, Action::Start { .. }) {
            extensions.insert(StartRequest::new(route.dialect));
        }
        let request = RequestInfo {
            service: route.service,
            operation: route.operation,
            deadline: Some(deadline),
            extensions,
            ..RequestInfo::default()
        };
        let exchange = Exchange {
            dialect: route.dialect,
            context: OperationContext::with_headers(request, read_headers),
            parts,
            answered: false,
        };
        Ok(Received {
            exchange,
            action: route.action,
            granted,
            deadline,
        })
    }

    /// How long the server takes for a request at most.
    fn granted(&self, action: &Action, parts: &Parts) -> Result<Duration, Refusal> {
        let asked = timeout::read(&parts.headers)
            .map_err(|error| HandlerError::bad_request(error.to_string()))?;
        let mut granted = self.limits.request;
        if matches!(action, Action::Result { .. }) {
            granted = granted.saturating_add(self.limits.wait);
        }
        Ok(asked.map_or(granted, |asked| asked.min(granted)))
    }

    fn check_headers(&self, parts: &Parts) -> Result<(), Refusal> {
        let size: usize = parts
            .headers
            .iter()
            .map(|(name, value)| name.as_str().len() + value.len())
            .sum();
        if size > self.limits.headers {
            return Err(Refusal::headers_too_large(self.limits.headers));
        }
        Ok(())
    }

    async fn act<B>(
        &self,
        exchange: Exchange,
        action: Action,
        body: B,
    ) -> Result<Response<ResponseBody>, Refusal>
    where
        B: Body + Send,
        B::Data: Send,
        B::Error: Into<BoxError>,
    {
        match action {
            Action::Start { id } => self.start(exchange, id, body).await,
            Action::Cancel { token } => self.cancel(exchange, token).await,
            Action::Info { id } => self.info(exchange, id).await,
            Action::Result { id } => self.result(exchange, id).await,
        }
    }

    async fn cancel(
        &self,
        exchange: Exchange,
        token: Option<String>,
    ) -> Result<Response<ResponseBody>, Refusal> {
        let token = match token {
            Some(token) => token,
            None => token_of(&exchange.parts)?,
        };
        let token = operation_token(token)?;
        let ctx = CancelOperationContext::new(exchange.context.clone());
        let canceled = self.registry.cancel(ctx, token).await;
        exchange.answered();
        canceled?;
        Ok(respond::empty(StatusCode::ACCEPTED))
    }

    async fn info(
        &self,
        exchange: Exchange,
        id: String,
    ) -> Result<Response<ResponseBody>, Refusal> {
        let token = operation_token(id)?;
        let info = self.registry.info(exchange.context.clone(), token).await;
        exchange.answered();
        Ok(respond::info(info?.state))
    }
}

fn not_within(granted: Duration) -> Refusal {
    let granted = nexus_rpc::duration::format(granted);
    HandlerError::request_timeout(format!("the request was not answered within {granted}")).into()
}

/// What the context of a request shows of its headers.
fn read_headers(extensions: &Extensions) -> Headers {
    extensions
        .get::<Parts>()
        .map(|parts| headers::for_user(&parts.headers))
        .unwrap_or_default()
}

/// Current dialect: the token is in a header or, failing that, in the query.
fn token_of(parts: &Parts) -> Result<String, Refusal> {
    if let Some(token) = parts.headers.get(headers::NEXUS_OPERATION_TOKEN)
        && !token.is_empty()
    {
        // Checked for what a token may hold further on.
        return Ok(String::from_utf8_lossy(token.as_bytes()).into_owned());
    }
    query::parameter(parts.uri.query(), "token")
        .map_err(|_| HandlerError::bad_request("the query parameter `token` is malformed"))?
        .filter(|token| !token.is_empty())
        .ok_or_else(|| {
            HandlerError::bad_request(
                "the operation token is missing: send it in the header Nexus-Operation-Token or the query parameter `token`",
            )
            .into()
        })
}

pub(super) fn operation_token(token: String) -> Result<OperationToken, Refusal> {
    OperationToken::new(token).map_err(|error| HandlerError::bad_request(error.to_string()).into())
}

/// A request on its way. Its context is told when the server gives it up: its time was over, or the caller went away.
pub(super) struct Exchange {
    pub(super) dialect: Dialect,
    pub(super) parts: Arc<Parts>,
    pub(super) context: OperationContext,
    answered: bool,
}

impl Exchange {
    pub(super) fn answered(mut self) {
        self.answered = true;
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        if !self.answered {
            let over = self
                .context
                .deadline()
                .is_some_and(|at| at <= Instant::now());
            self.context.cancel(if over {
                CancelReason::TimedOut
            } else {
                CancelReason::CallerGone
            });
        }
    }
}
