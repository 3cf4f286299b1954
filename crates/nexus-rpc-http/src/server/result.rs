//! Draft: the result of an operation, now or after a wait.

use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use http::{Response, StatusCode, request::Parts};
use nexus_rpc::{HandlerError, OperationResult, StartError};

use super::{
    Refusal, ResponseBody, Server,
    exchange::{Exchange, operation_token},
    respond,
};
use crate::{date, query};

/// For a handler that takes a little longer than it was told to wait.
const GRACE: Duration = Duration::from_secs(1);
/// Kept of a request's own time, to say that there is no result yet.
const MARGIN: Duration = Duration::from_millis(100);

impl Server {
    pub(super) async fn result(
        &self,
        exchange: Exchange,
        id: String,
    ) -> Result<Response<ResponseBody>, Refusal> {
        let dialect = exchange.dialect;
        let token = operation_token(id)?;
        let wait = self.wait(&exchange.parts)?;
        let _permit = match wait {
            Some(wait) if !wait.is_zero() => Some(self.waits.try_acquire().map_err(|_| {
                HandlerError::unavailable("too many requests wait for a result, try again later")
            })?),
            _ => None,
        };
        let time_left = exchange.context.deadline().map_or(Duration::ZERO, |at| {
            at.saturating_duration_since(Instant::now())
        });
        let wait_granted = wait
            .unwrap_or_default()
            .min(time_left.saturating_sub(MARGIN));
        let result = self.registry.result(
            exchange.context.clone(),
            token,
            wait_granted,
            Arc::clone(&self.serializer),
        );
        let result = match wait {
            Some(_) => tokio::time::timeout(wait_granted + GRACE, result).await,
            None => Ok(result.await),
        };
        let Ok(result) = result else {
            return Ok(respond::empty(StatusCode::REQUEST_TIMEOUT));
        };
        exchange.answered();
        match result {
            Ok(OperationResult::Succeeded(content)) => respond::succeeded(dialect, content, &[]),
            Ok(OperationResult::Running) if wait.is_some() => {
                Ok(respond::empty(StatusCode::REQUEST_TIMEOUT))
            }
            Ok(OperationResult::Running) => Ok(respond::running()),
            Ok(_) => {
                Err(HandlerError::internal("the handler gave an answer of an unknown kind").into())
            }
            Err(StartError::Operation(error)) => {
                Ok(respond::unsuccessful(dialect, &self.failure(error)?, &[]))
            }
            Err(StartError::Handler(error)) => Err(error.into()),
        }
    }

    /// How long the caller wants to wait, cut to what the server allows. `None`: not at all.
    fn wait(&self, parts: &Parts) -> Result<Option<Duration>, Refusal> {
        let malformed = |why: String| {
            HandlerError::bad_request(format!(
                "the query parameter `wait_deadline` is malformed{why}"
            ))
        };
        let Some(text) = query::parameter(parts.uri.query(), "wait_deadline")
            .map_err(|_| malformed(String::new()))?
            .filter(|text| !text.is_empty())
        else {
            return Ok(None);
        };
        let deadline =
            date::parse_deadline(&text).map_err(|error| malformed(format!(": {error}")))?;
        let left = deadline
            .duration_since(SystemTime::now())
            .unwrap_or_default();
        Ok(Some(left.min(self.limits.wait)))
    }
}
