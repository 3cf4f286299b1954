//! What responses say.

use bytes::Bytes;
use http::{Response, StatusCode};
use nexus_rpc::{Content, Link, OperationState};

use super::{ClientError, UnexpectedResponse};
use crate::{
    Dialect,
    failure::wire::{read_handler_error, read_operation_failure},
    headers, link, status,
};

/// The response to a request that failed.
pub(crate) fn failure(dialect: Dialect, response: Response<Bytes>) -> ClientError {
    let rebuilt = read_handler_error(
        dialect,
        response.status(),
        response.headers(),
        response.body(),
    );
    match rebuilt {
        Some(error) => ClientError::Handler(error),
        None => ClientError::UnexpectedResponse(Box::new(raw(response))),
    }
}

/// The response of an operation that ended without a result.
pub(super) fn unsuccessful(dialect: Dialect, response: Response<Bytes>) -> ClientError {
    if !headers::is_json(response.headers()) {
        return protocol("a failure is not application/json", response);
    }
    match read_operation_failure(dialect, state(&response), response.body()) {
        Ok(failure) => ClientError::Operation(Box::new(failure)),
        Err(error) => {
            let reason = match std::error::Error::source(&error) {
                Some(source) => format!("{error}: {source}"),
                None => error.to_string(),
            };
            protocol(reason, response)
        }
    }
}

/// The result in a response: the draft's 204 has none, in a good sense.
pub(super) fn result(dialect: Dialect, response: Response<Bytes>) -> Result<Content, ClientError> {
    let named = response
        .headers()
        .get(headers::NEXUS_OPERATION_STATE)
        .map(|state| state.as_bytes() == OperationState::Succeeded.as_str().as_bytes());
    // Go's servers do not name the state of a result.
    let optional = dialect == Dialect::Current || response.status() == StatusCode::OK;
    match named {
        Some(true) => {}
        None if optional => {}
        Some(false) | None => {
            return Err(protocol(
                "the state of a result is not `succeeded`",
                response,
            ));
        }
    }
    let (parts, body) = response.into_parts();
    Ok(headers::content(&parts.headers, body))
}

/// The state that the header names.
pub(super) fn state(response: &Response<Bytes>) -> Option<OperationState> {
    status::state(headers::get(
        response.headers(),
        headers::NEXUS_OPERATION_STATE,
    )?)
}

/// The links of a response. They are decoration: bad ones do not undo what was done.
pub(super) fn links(dialect: Dialect, response: &Response<Bytes>) -> Vec<Link> {
    if dialect == Dialect::Draft {
        return Vec::new();
    }
    link::read(response.headers()).unwrap_or_else(|error| {
        tracing::warn!(%error, "dropped the links of a response");
        Vec::new()
    })
}

/// An object in JSON, as the body of a response that must have one.
pub(super) fn object<T: serde::de::DeserializeOwned>(
    response: &Response<Bytes>,
) -> Result<T, String> {
    if !headers::is_json(response.headers()) {
        return Err("the body is not application/json".to_owned());
    }
    let object: serde_json::Map<String, serde_json::Value> =
        serde_json::from_slice(response.body()).map_err(|error| error.to_string())?;
    serde_json::from_value(object.into()).map_err(|error| error.to_string())
}

pub(super) fn protocol(reason: impl Into<String>, response: Response<Bytes>) -> ClientError {
    ClientError::Protocol {
        reason: reason.into(),
        response: Box::new(raw(response)),
    }
}

fn raw(response: Response<Bytes>) -> UnexpectedResponse {
    let (parts, body) = response.into_parts();
    UnexpectedResponse {
        status: parts.status,
        headers: parts.headers,
        body,
    }
}
