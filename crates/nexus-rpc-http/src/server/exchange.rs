//! One request and its response.

use std::time::{Duration, Instant};

use http::{Request, Response, StatusCode, request::Parts};
use http_body::Body;
use nexus_rpc::{
    CancelOperationContext, HandlerError, OperationContext, OperationToken,
    content::BoxError,
    context::{CancelReason, Extensions, RequestInfo},
};

use super::{
    Refusal, ResponseBody, Server, respond,
    route::{Action, Route},
};
use crate::{Dialect, headers, query, timeout};

/// The names of the operation that a request is for.
pub(super) struct Target {
    pub(super) dialect: Dialect,
    pub(super) service: String,
    pub(super) operation: String,
    /// When the server gives up.
    pub(super) deadline: Instant,
}

impl Server {
    pub(super) async fn exchange<B>(
        &self,
        route: Route,
        request: Request<B>,
    ) -> Response<ResponseBody>
    where
        B: Body + Send,
        B::Data: Send,
        B::Error: Into<BoxError>,
    {
        let dialect = route.dialect;
        self.try_exchange(route, request)
            .await
            .unwrap_or_else(|refusal| refusal.into_response(dialect))
    }

    async fn try_exchange<B>(
        &self,
        route: Route,
        request: Request<B>,
    ) -> Result<Response<ResponseBody>, Refusal>
    where
        B: Body + Send,
        B::Data: Send,
        B::Error: Into<BoxError>,
    {
        let (parts, body) = request.into_parts();
        self.check_headers(&parts)?;
        let asked = timeout::read(&parts.headers)
            .map_err(|error| HandlerError::bad_request(error.to_string()))?;
        let mut granted = self.limits.request;
        if matches!(route.action, Action::Result { .. }) {
            granted = granted.saturating_add(self.limits.wait);
        }
        granted = asked.map_or(granted, |asked| asked.min(granted));
        let deadline = Instant::now().checked_add(granted).ok_or_else(|| {
            HandlerError::internal("the request timeout of the server is too long")
        })?;
        let target = Target {
            dialect: route.dialect,
            service: route.service,
            operation: route.operation,
            deadline,
        };
        let answer = async {
            match route.action {
                Action::Start { id } => self.start(target, id, parts, body).await,
                Action::Cancel { token } => self.cancel(target, token, parts).await,
                Action::Info { id } => self.info(target, id, parts).await,
                Action::Result { id } => self.result(target, id, parts).await,
            }
        };
        match tokio::time::timeout_at(deadline.into(), answer).await {
            Ok(answer) => answer,
            Err(_) => Err(HandlerError::request_timeout(format!(
                "the request was not answered within {}",
                nexus_rpc::duration::format(granted)
            ))
            .into()),
        }
    }

    /// What every context of this server has.
    pub(super) fn extensions(&self) -> Extensions {
        self.extensions.clone()
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

    async fn cancel(
        &self,
        target: Target,
        token: Option<String>,
        parts: Parts,
    ) -> Result<Response<ResponseBody>, Refusal> {
        let token = match token {
            Some(token) => token,
            None => token_of(&parts)?,
        };
        let token = operation_token(token)?;
        let guard = Guard::new(target, parts, self.extensions());
        let ctx = CancelOperationContext::new(guard.context());
        let canceled = self.registry.cancel(ctx, token).await;
        guard.answered();
        canceled?;
        Ok(respond::empty(StatusCode::ACCEPTED))
    }

    async fn info(
        &self,
        target: Target,
        id: String,
        parts: Parts,
    ) -> Result<Response<ResponseBody>, Refusal> {
        let token = operation_token(id)?;
        let guard = Guard::new(target, parts, self.extensions());
        let info = self.registry.info(guard.context(), token).await;
        guard.answered();
        Ok(respond::info(info?.state))
    }
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

/// The context of a request, which is told when the server gives the request up: its time was over, or the caller went away.
pub(super) struct Guard {
    context: OperationContext,
    answered: bool,
}

impl Guard {
    pub(super) fn new(target: Target, parts: Parts, mut extensions: Extensions) -> Self {
        let headers = headers::for_user(&parts.headers);
        extensions.insert(parts);
        Self {
            context: OperationContext::new(RequestInfo {
                service: target.service,
                operation: target.operation,
                headers,
                deadline: Some(target.deadline),
                extensions,
            }),
            answered: false,
        }
    }

    pub(super) fn context(&self) -> OperationContext {
        self.context.clone()
    }

    pub(super) fn answered(mut self) {
        self.answered = true;
    }
}

impl Drop for Guard {
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

/// How long until `deadline`.
pub(super) fn remaining(deadline: std::time::SystemTime) -> Duration {
    deadline
        .duration_since(std::time::SystemTime::now())
        .unwrap_or_default()
}
