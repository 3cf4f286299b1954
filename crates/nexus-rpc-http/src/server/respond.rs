//! Responses.

use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use hyper::ext::ReasonPhrase;
use nexus_rpc::{Content, HandlerError, Link, OperationState};
use serde_json::json;

use super::{Refusal, ResponseBody};
use crate::{Dialect, OperationFailure, failure::wire, headers, link, status};

/// A response without a body.
pub(crate) fn empty(status: StatusCode) -> Response<ResponseBody> {
    with_body(status, HeaderMap::new(), ResponseBody::default())
}

pub(super) fn json(status: StatusCode, body: Vec<u8>) -> Response<ResponseBody> {
    let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, headers::JSON)]);
    with_body(status, headers, body.into())
}

fn with_body(status: StatusCode, headers: HeaderMap, body: ResponseBody) -> Response<ResponseBody> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    if status.canonical_reason().is_none()
        && let Some(reason) = status::reason(status)
    {
        let reason = ReasonPhrase::from_static(reason.as_bytes());
        response.extensions_mut().insert(reason);
    }
    response
}

/// The operation succeeded. The draft has a status of its own for an empty result.
pub(super) fn succeeded(
    dialect: Dialect,
    content: Content,
    links: &[Link],
) -> Result<Response<ResponseBody>, Refusal> {
    let mut headers = HeaderMap::new();
    let body = headers::write_content(content, &mut headers).map_err(|error| {
        HandlerError::internal("cannot write the result's content headers").with_source(error)
    })?;
    set_state(&mut headers, OperationState::Succeeded);
    write_links(dialect, links, &mut headers);
    let status = match dialect {
        Dialect::Draft if body.is_empty() => StatusCode::NO_CONTENT,
        Dialect::Draft | Dialect::Current => StatusCode::OK,
    };
    Ok(with_body(status, headers, body.into()))
}

/// The operation failed or was canceled.
pub(super) fn unsuccessful(
    dialect: Dialect,
    failure: &OperationFailure,
    links: &[Link],
) -> Response<ResponseBody> {
    let mut response = json(
        dialect.unsuccessful_status(),
        wire::operation_failure(dialect, failure),
    );
    set_state(response.headers_mut(), failure.state());
    write_links(dialect, links, response.headers_mut());
    response
}

/// The operation was started and goes on. `callback_supported` is for the draft.
pub(super) fn started(
    dialect: Dialect,
    token: &str,
    callback_supported: bool,
    links: &[Link],
) -> Response<ResponseBody> {
    let body = match dialect {
        Dialect::Draft => json!({
            "operationId": token,
            "callbackUrlSupported": callback_supported,
        }),
        Dialect::Current => json!({
            "token": token,
            // What the token was called before 2025: the clients of then read it.
            "id": token,
            "state": OperationState::Running.as_str(),
        }),
    };
    let mut response = json(StatusCode::CREATED, body.to_string().into_bytes());
    write_links(dialect, links, response.headers_mut());
    response
}

/// Draft: the state of an operation.
pub(super) fn info(state: OperationState) -> Response<ResponseBody> {
    let body = json!({ "state": state.as_str() });
    let mut response = json(StatusCode::OK, body.to_string().into_bytes());
    set_state(response.headers_mut(), state);
    response
}

/// Draft: there is no result yet.
pub(super) fn running() -> Response<ResponseBody> {
    let mut response = empty(StatusCode::NO_CONTENT);
    set_state(response.headers_mut(), OperationState::Running);
    response
}

fn set_state(headers: &mut HeaderMap, state: OperationState) {
    headers.insert(
        headers::NEXUS_OPERATION_STATE,
        HeaderValue::from_static(state.as_str()),
    );
}

/// The draft has no links.
fn write_links(dialect: Dialect, links: &[Link], headers: &mut HeaderMap) {
    if dialect == Dialect::Current {
        link::write(links, headers);
    }
}
