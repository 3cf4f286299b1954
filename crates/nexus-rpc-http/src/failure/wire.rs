//! Failures as JSON: the current dialect's `HandlerError` and `OperationError`, the draft's `Failure`.

use http::{HeaderMap, StatusCode};
use nexus_rpc::{Failure, HandlerError, HandlerErrorType, OperationState, RetryBehavior};
use serde_json::{Map, Value, json};

use super::{OperationFailure, details};
use crate::{Dialect, headers, status};

const TYPE: &str = "type";
const STATE: &str = "state";
const OPERATION_ERROR: &str = "nexus.OperationError";
const HANDLER_ERROR: &str = "nexus.HandlerError";
const RETRYABLE_OVERRIDE: &str = "retryableOverride";

/// A body that is not the failure it should be.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InvalidFailure {
    /// The body is not a failure.
    #[error("body is not a failure in JSON")]
    Json(#[source] serde_json::Error),
    /// The details do not fit the draft's schema.
    #[error("details of the failure are not an object with strings in `metadata` and `data`")]
    Details,
    /// Neither header nor body say how the operation ended.
    #[error("neither Nexus-Operation-State nor the body say `failed` or `canceled`")]
    State,
}

/// The body for an operation that ended without a result.
pub(crate) fn operation_failure(dialect: Dialect, failure: &OperationFailure) -> Vec<u8> {
    to_json(&match dialect {
        Dialect::Current => current(failure),
        Dialect::Draft => draft(failure.failure()),
    })
}

fn current(operation: &OperationFailure) -> Failure {
    let state = operation.state().as_str();
    let failure = operation.failure();
    if failure.metadata.contains_key(TYPE) || matches!(&failure.details, Some(d) if !d.is_object())
    {
        // It is of a type of its own, which is kept whole as the cause.
        return Failure {
            message: failure.message.clone(),
            metadata: [(TYPE.to_owned(), OPERATION_ERROR.to_owned())].into(),
            details: Some(json!({ STATE: state })),
            cause: Some(Box::new(failure.clone())),
            ..Failure::default()
        };
    }
    let mut marked = failure.clone();
    marked
        .metadata
        .insert(TYPE.to_owned(), OPERATION_ERROR.to_owned());
    let details = marked.details.get_or_insert_with(|| Map::new().into());
    details[STATE] = state.into();
    marked
}

fn draft(failure: &Failure) -> Failure {
    let mut failure = failure.clone();
    if let Some(details) = failure.details.as_ref().and_then(details::to_draft) {
        failure.details = Some(details);
    }
    failure
}

/// Reads the body of an operation that ended without a result. `state` is what the header says.
///
/// The body's own state wins. A body that is no `OperationError` is older or of the draft, and has its state in the header only.
pub(crate) fn read_operation_failure(
    dialect: Dialect,
    state: Option<OperationState>,
    body: &[u8],
) -> Result<OperationFailure, InvalidFailure> {
    let mut failure: Failure = read(body).map_err(InvalidFailure::Json)?;
    let mut state = state;
    match dialect {
        Dialect::Draft => {
            if failure
                .details
                .as_ref()
                .is_some_and(|d| !details::is_draft(d))
            {
                return Err(InvalidFailure::Details);
            }
        }
        Dialect::Current => {
            if failure.metadata.get(TYPE).map(String::as_str) == Some(OPERATION_ERROR) {
                failure.metadata.remove(TYPE);
                state = take_state(&mut failure).or(state);
            }
        }
    }
    match state {
        Some(OperationState::Failed) => Ok(OperationFailure::failed(failure)),
        Some(OperationState::Canceled) => Ok(OperationFailure::canceled(failure)),
        _ => Err(InvalidFailure::State),
    }
}

fn take_state(failure: &mut Failure) -> Option<OperationState> {
    let details = failure.details.as_mut()?.as_object_mut()?;
    let state = details.remove(STATE);
    if details.is_empty() {
        failure.details = None;
    }
    status::state(state?.as_str()?)
}

/// The body for a request that failed.
pub(crate) fn handler_error(dialect: Dialect, error: &HandlerError) -> Vec<u8> {
    let mut failure = Failure {
        message: error.message().to_owned(),
        cause: error.cause().cloned().map(Box::new),
        ..Failure::default()
    };
    if dialect == Dialect::Current {
        let mut details = json!({ TYPE: error.error_type().as_str() });
        if let Some(retryable) = retryable_override(error.retry_behavior()) {
            details[RETRYABLE_OVERRIDE] = retryable.into();
        }
        failure.metadata = [(TYPE.to_owned(), HANDLER_ERROR.to_owned())].into();
        failure.details = Some(details);
    }
    to_json(&failure)
}

pub(crate) fn retryable_override(retry: RetryBehavior) -> Option<bool> {
    match retry {
        RetryBehavior::Default => None,
        RetryBehavior::Retryable => Some(true),
        RetryBehavior::NonRetryable => Some(false),
    }
}

/// Rebuilds the error of a failed request from its response. `None`: the status stands for none, and neither does the body.
pub(crate) fn read_handler_error(
    dialect: Dialect,
    response_status: StatusCode,
    response_headers: &HeaderMap,
    body: &[u8],
) -> Option<HandlerError> {
    let from_status = status::to_type(response_status)?;
    let failure = headers::is_json(response_headers)
        .then(|| read(body).ok())
        .flatten();
    match dialect {
        Dialect::Current => {
            let header = match headers::get(response_headers, headers::NEXUS_REQUEST_RETRYABLE) {
                Some(text) if text.eq_ignore_ascii_case("true") => RetryBehavior::Retryable,
                Some(text) if text.eq_ignore_ascii_case("false") => RetryBehavior::NonRetryable,
                _ => RetryBehavior::Default,
            };
            Some(match failure.map(typed) {
                Some(Ok(error)) if error.retry_behavior() == RetryBehavior::Default => {
                    error.with_retry_behavior(header)
                }
                Some(Ok(error)) => error,
                Some(Err(failure)) => from_plain(from_status, response_status, Some(*failure))
                    .with_retry_behavior(header),
                None => from_plain(from_status, response_status, None).with_retry_behavior(header),
            })
        }
        Dialect::Draft => {
            let message = failure.map(|failure| failure.message).unwrap_or_default();
            let error = HandlerError::new(from_status, message);
            // The class of the status decides, whatever the type.
            let retryable = response_status.is_server_error();
            Some(match (retryable, error.is_retryable()) {
                (true, false) => error.with_retry_behavior(RetryBehavior::Retryable),
                (false, true) => error.with_retry_behavior(RetryBehavior::NonRetryable),
                _ => error,
            })
        }
    }
}

/// The handler error that a failure says it is.
fn typed(failure: Failure) -> Result<HandlerError, Box<Failure>> {
    let details = failure.details.as_ref();
    let error_type = match details.and_then(|details| details.get(TYPE)) {
        Some(Value::String(name))
            if failure.metadata.get(TYPE).map(String::as_str) == Some(HANDLER_ERROR) =>
        {
            HandlerErrorType::from(name.as_str())
        }
        _ => return Err(Box::new(failure)),
    };
    let retry = match details.and_then(|details| details.get(RETRYABLE_OVERRIDE)) {
        Some(Value::Bool(true)) => RetryBehavior::Retryable,
        Some(Value::Bool(false)) => RetryBehavior::NonRetryable,
        _ => RetryBehavior::Default,
    };
    let error = HandlerError::new(error_type, failure.message).with_retry_behavior(retry);
    Ok(match failure.cause {
        Some(cause) => error.with_cause(*cause),
        None => error,
    })
}

fn from_plain(
    error_type: HandlerErrorType,
    response_status: StatusCode,
    failure: Option<Failure>,
) -> HandlerError {
    let error = HandlerError::new(
        error_type,
        status::reason(response_status).unwrap_or_default(),
    );
    match failure {
        Some(failure) => error.with_cause(failure),
        None => error,
    }
}

/// A failure is an object: `null` and arrays, which serde would take, are not.
fn read(body: &[u8]) -> Result<Failure, serde_json::Error> {
    let object: Map<String, Value> = serde_json::from_slice(body)?;
    serde_json::from_value(object.into())
}

fn to_json(failure: &Failure) -> Vec<u8> {
    serde_json::to_vec(failure)
        .unwrap_or_else(|error| unreachable!("strings and JSON can be written: {error}"))
}

#[cfg(test)]
mod tests;
