use http::{HeaderValue, Response, StatusCode, header};
use nexus_rpc::{HandlerError, HandlerErrorType, content::BoxError};

use super::{ResponseBody, respond};
use crate::{Dialect, failure::wire, headers, status};

/// A request that gets an error for an answer.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// An error of the protocol.
    Handler(HandlerError),
    /// An error of the protocol, for which the draft, having none, uses this status.
    InDraft(StatusCode, HandlerError),
    /// The path exists, for these methods.
    Method(&'static str),
}

impl Refusal {
    pub(super) fn body_too_large(limit: usize) -> Self {
        Self::InDraft(
            StatusCode::PAYLOAD_TOO_LARGE,
            HandlerError::bad_request(format!(
                "the body of the request has more than {limit} bytes"
            )),
        )
    }

    pub(super) fn headers_too_large(limit: usize) -> Self {
        Self::InDraft(
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            HandlerError::bad_request(format!(
                "the headers of the request have more than {limit} bytes"
            )),
        )
    }

    pub(crate) fn into_response(self, dialect: Dialect) -> Response<ResponseBody> {
        match self {
            Self::Handler(error) => response(dialect, status::of_error(dialect, &error), error),
            Self::InDraft(status, error) if dialect == Dialect::Draft => {
                response(dialect, status, error)
            }
            Self::InDraft(_, error) => {
                response(dialect, status::of_type(error.error_type()), error)
            }
            Self::Method(allow) => {
                let mut response = respond::json(
                    StatusCode::METHOD_NOT_ALLOWED,
                    br#"{"message":"method not allowed"}"#.to_vec(),
                );
                response
                    .headers_mut()
                    .insert(header::ALLOW, HeaderValue::from_static(allow));
                response
            }
        }
    }
}

fn response(dialect: Dialect, status: StatusCode, error: HandlerError) -> Response<ResponseBody> {
    let mut response = respond::json(status, wire::handler_error(dialect, &error));
    if dialect == Dialect::Current
        && let Some(retryable) = wire::retryable_override(error.retry_behavior())
    {
        let value = HeaderValue::from_static(if retryable { "true" } else { "false" });
        response
            .headers_mut()
            .insert(headers::NEXUS_REQUEST_RETRYABLE, value);
    }
    log(error);
    response
}

/// The caller has its answer; this is for the operator.
fn log(error: HandlerError) {
    let at_fault = matches!(
        error.error_type(),
        HandlerErrorType::Internal | HandlerErrorType::Other(_)
    );
    let text = error.to_string();
    let source = error.into_source().map(|source| chain(&source));
    if at_fault {
        tracing::error!(source, "{text}");
    } else {
        tracing::debug!(source, "{text}");
    }
}

/// An error with all that caused it.
fn chain(error: &BoxError) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}

impl From<HandlerError> for Refusal {
    fn from(error: HandlerError) -> Self {
        Self::Handler(error)
    }
}
