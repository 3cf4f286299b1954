//! Which status says what.

use http::StatusCode;
use nexus_rpc::{HandlerError, HandlerErrorType, OperationState};

use crate::Dialect;

/// Draft dialect: the operation ended as failed or canceled.
pub(crate) const OPERATION_FAILED: StatusCode = custom(482);
/// Current dialect: a gateway got no answer in time.
const UPSTREAM_TIMEOUT: StatusCode = custom(520);

const fn custom(code: u16) -> StatusCode {
    match StatusCode::from_u16(code) {
        Ok(status) => status,
        Err(_) => panic!("not a status"),
    }
}

/// Status of a handler error (specification: predefined handler errors).
pub(crate) fn of_type(error_type: &HandlerErrorType) -> StatusCode {
    match error_type {
        HandlerErrorType::BadRequest => StatusCode::BAD_REQUEST,
        HandlerErrorType::Unauthenticated => StatusCode::UNAUTHORIZED,
        HandlerErrorType::Unauthorized => StatusCode::FORBIDDEN,
        HandlerErrorType::NotFound => StatusCode::NOT_FOUND,
        HandlerErrorType::RequestTimeout => StatusCode::REQUEST_TIMEOUT,
        HandlerErrorType::Conflict => StatusCode::CONFLICT,
        HandlerErrorType::ResourceExhausted => StatusCode::TOO_MANY_REQUESTS,
        HandlerErrorType::NotImplemented => StatusCode::NOT_IMPLEMENTED,
        HandlerErrorType::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        HandlerErrorType::UpstreamTimeout => UPSTREAM_TIMEOUT,
        // A type that nobody knows must not look like one with another meaning.
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// Type of the handler error that a status stands for, if it is one of the table.
pub(crate) fn to_type(status: StatusCode) -> Option<HandlerErrorType> {
    Some(match status.as_u16() {
        400 => HandlerErrorType::BadRequest,
        401 => HandlerErrorType::Unauthenticated,
        403 => HandlerErrorType::Unauthorized,
        404 => HandlerErrorType::NotFound,
        408 => HandlerErrorType::RequestTimeout,
        409 => HandlerErrorType::Conflict,
        429 => HandlerErrorType::ResourceExhausted,
        500 => HandlerErrorType::Internal,
        501 => HandlerErrorType::NotImplemented,
        503 => HandlerErrorType::Unavailable,
        520 => HandlerErrorType::UpstreamTimeout,
        _ => return None,
    })
}

/// Status of a handler error in a dialect.
///
/// The draft knows no retry behaviour but the class of the status: 4xx must not be retried, 5xx may be. So where the usual status of an
/// error has the wrong class, it gets a general one of the right class.
pub(crate) fn of_error(dialect: Dialect, error: &HandlerError) -> StatusCode {
    let status = of_type(error.error_type());
    match dialect {
        Dialect::Draft if error.is_retryable() && status.is_client_error() => {
            StatusCode::SERVICE_UNAVAILABLE
        }
        Dialect::Draft if !error.is_retryable() && status.is_server_error() => {
            StatusCode::BAD_REQUEST
        }
        Dialect::Draft | Dialect::Current => status,
    }
}

/// The reason phrase of a status that is not registered.
pub(crate) fn reason(status: StatusCode) -> Option<&'static str> {
    match status.as_u16() {
        482 => Some("Operation Failed"),
        520 => Some("Upstream Timeout"),
        _ => status.canonical_reason(),
    }
}

/// The state with this name on the wire, in exactly this case.
pub(crate) fn state(name: &str) -> Option<OperationState> {
    Some(match name {
        "running" => OperationState::Running,
        "succeeded" => OperationState::Succeeded,
        "failed" => OperationState::Failed,
        "canceled" => OperationState::Canceled,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use nexus_rpc::RetryBehavior;

    #[test]
    fn the_class_of_a_draft_status_tells_the_retry_behaviour() {
        let status = |error| of_error(Dialect::Draft, &error).as_u16();
        assert_eq!(status(HandlerError::not_found("")), 404);
        assert_eq!(status(HandlerError::internal("")), 500);
        assert_eq!(status(HandlerError::upstream_timeout("")), 520);
        assert_eq!(status(HandlerError::resource_exhausted("")), 503);
        assert_eq!(status(HandlerError::request_timeout("")), 503);
        assert_eq!(status(HandlerError::not_implemented("")), 400);
        let error = HandlerError::internal("").with_retry_behavior(RetryBehavior::NonRetryable);
        assert_eq!(status(error), 400);
    }

    #[test]
    fn types_and_statuses_are_one_to_one() {
        let mut types = 0;
        for status in (100..1000).filter_map(|code| StatusCode::from_u16(code).ok()) {
            if let Some(error_type) = to_type(status) {
                types += 1;
                assert_eq!(of_type(&error_type), status);
            }
        }
        assert_eq!(types, 11);
        assert_eq!(of_type(&HandlerErrorType::Other("X".into())).as_u16(), 500);
    }
}
