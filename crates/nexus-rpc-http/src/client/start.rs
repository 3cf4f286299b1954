//! Start of an operation, and what comes of it.

use std::fmt::Write;

use bytes::Bytes;
use http::{HeaderMap, Method, Response, StatusCode};
use nexus_rpc::{
    Content, FromContent, Link, OperationDefinition, OperationState, OperationToken, ToContent,
};
use serde::Deserialize;

use super::{
    ClientError, InvalidRequest, NexusHttpClient, OperationHandle, StartOptions,
    response::{self, protocol},
};
use crate::{
    Dialect,
    headers::{self, CALLBACK_PREFIX, NEXUS_REQUEST_ID, OPERATION_TIMEOUT},
    link,
    path::{encode, validate_unreserved},
    timeout,
};

/// The answer to a start request.
#[derive(Debug)]
pub enum StartedOperation<O> {
    /// The operation is done.
    Completed {
        /// Its result.
        output: O,
        /// What the handler links to.
        links: Vec<Link>,
    },
    /// The operation goes on.
    Pending(OperationHandle<O>),
}

/// The answer, before the output is read.
enum Answer {
    Completed {
        content: Content,
        links: Vec<Link>,
    },
    Pending {
        token: OperationToken,
        links: Vec<Link>,
        callback_supported: Option<bool>,
    },
}

impl NexusHttpClient {
    pub(super) async fn start_operation<Op>(
        &self,
        operation: &Op,
        input: Op::Input,
        options: StartOptions,
    ) -> Result<StartedOperation<Op::Output>, ClientError>
    where
        Op: OperationDefinition,
        Op::Input: ToContent,
        Op::Output: FromContent,
    {
        let dialect = self.0.dialect;
        let path = self.path(operation)?;
        let content = input
            .to_content(&*self.0.serializer)
            .map_err(InvalidRequest::Input)?;
        let mut headers = self.start_headers(&options)?;
        let body = headers::write_content(content, &mut headers).map_err(InvalidRequest::Header)?;
        let target = self.start_target(&path, &options)?;
        let mut request = self.request(Method::POST, &target, headers)?;
        request.body = body;
        request.timeout = options.request_timeout.unwrap_or(request.timeout);

        let requested = options.operation_id.as_deref();
        let answer = self
            .call(&request, |response| read(dialect, requested, response))
            .await?;
        match answer {
            Answer::Completed { content, links } => {
                let output = Op::Output::from_content(content, &*self.0.serializer)
                    .map_err(ClientError::Result)?;
                Ok(StartedOperation::Completed { output, links })
            }
            Answer::Pending {
                token,
                links,
                callback_supported,
            } => {
                let mut handle = OperationHandle::new(self.clone(), path, token);
                handle.links = links;
                handle.callback_supported = callback_supported;
                Ok(StartedOperation::Pending(handle))
            }
        }
    }

    fn start_headers(&self, options: &StartOptions) -> Result<HeaderMap, InvalidRequest> {
        let mut headers = self.base_headers(&options.headers)?;
        let request_id = match &options.request_id {
            Some(id) => id.clone(),
            None => uuid::Uuid::new_v4().to_string(),
        };
        headers::extend(&mut headers, [(NEXUS_REQUEST_ID.as_str(), &*request_id)])?;
        if let Some(limit) = options.operation_timeout {
            headers.insert(OPERATION_TIMEOUT, timeout::header(limit));
        }
        if self.0.dialect == Dialect::Current {
            link::write(&options.links, &mut headers);
        }
        if let Some(callback) = &options.callback {
            if self.0.dialect == Dialect::Draft && !callback.headers.is_empty() {
                return Err(self.not_in_dialect("headers for callbacks"));
            }
            for (name, value) in callback.headers.iter() {
                let name = format!("{CALLBACK_PREFIX}{name}");
                headers::extend(&mut headers, [(name.as_str(), value)])?;
            }
        }
        Ok(headers)
    }

    /// Path and query.
    fn start_target(&self, path: &str, options: &StartOptions) -> Result<String, InvalidRequest> {
        let mut target = path.to_owned();
        if let Some(id) = &options.operation_id {
            if self.0.dialect == Dialect::Current {
                return Err(self.not_in_dialect("operation ids chosen by the caller"));
            }
            validate_unreserved(id).map_err(|source| InvalidRequest::Segment {
                what: "operation id",
                text: id.clone(),
                source,
            })?;
            let _ = write!(target, "/{id}");
        }
        if let Some(callback) = &options.callback {
            let name = self.0.dialect.callback_parameter();
            let _ = write!(target, "?{name}={}", encode(&callback.url));
        }
        Ok(target)
    }

    pub(super) fn not_in_dialect(&self, what: &'static str) -> InvalidRequest {
        InvalidRequest::NotInDialect {
            what,
            dialect: self.0.dialect,
        }
    }
}

fn read(
    dialect: Dialect,
    requested: Option<&str>,
    response: Response<Bytes>,
) -> Result<Answer, ClientError> {
    match (dialect, response.status()) {
        (_, StatusCode::OK) | (Dialect::Draft, StatusCode::NO_CONTENT) => Ok(Answer::Completed {
            links: response::links(dialect, &response),
            content: response::result(dialect, response)?,
        }),
        (Dialect::Current, StatusCode::CREATED) => started(response),
        (Dialect::Draft, StatusCode::CREATED) => draft_started(requested, response),
        (_, status) if status == dialect.unsuccessful_status() => {
            Err(response::unsuccessful(dialect, response))
        }
        _ => Err(response::failure(dialect, response)),
    }
}

/// `OperationInfo` of the specification.
#[derive(Deserialize)]
struct Started {
    #[serde(default)]
    token: String,
    /// What the token was called before 2025.
    #[serde(default)]
    id: String,
    #[serde(default)]
    state: String,
}

fn started(response: Response<Bytes>) -> Result<Answer, ClientError> {
    let started: Started = match response::object(&response) {
        Ok(started) => started,
        Err(reason) => return Err(protocol(reason, response)),
    };
    if started.state != OperationState::Running.as_str() {
        return Err(protocol(
            format!(
                "the state of a started operation is {:?}, not \"running\"",
                started.state
            ),
            response,
        ));
    }
    let token = if started.token.is_empty() {
        started.id
    } else {
        started.token
    };
    match OperationToken::new(token) {
        Ok(token) => Ok(Answer::Pending {
            token,
            links: response::links(Dialect::Current, &response),
            callback_supported: None,
        }),
        Err(error) => Err(protocol(error.to_string(), response)),
    }
}

/// `OperationStarted` of the draft.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DraftStarted {
    operation_id: Option<String>,
    #[serde(default)]
    callback_url_supported: bool,
}

fn draft_started(
    requested: Option<&str>,
    response: Response<Bytes>,
) -> Result<Answer, ClientError> {
    let started: DraftStarted = match response::object(&response) {
        Ok(started) => started,
        Err(reason) => return Err(protocol(reason, response)),
    };
    let id = match (started.operation_id, requested) {
        (Some(id), Some(requested)) if id != requested => {
            return Err(protocol(
                format!("the operation was started as {id:?}, not as {requested:?}"),
                response,
            ));
        }
        (Some(id), _) => id,
        (None, Some(requested)) => requested.to_owned(),
        (None, None) => return Err(protocol("the operation has no id", response)),
    };
    if let Err(error) = validate_unreserved(&id) {
        return Err(protocol(
            format!("invalid operation id {id:?}: {error}"),
            response,
        ));
    }
    match OperationToken::new(id) {
        Ok(token) => Ok(Answer::Pending {
            token,
            links: Vec::new(),
            callback_supported: Some(started.callback_url_supported),
        }),
        Err(error) => Err(protocol(error.to_string(), response)),
    }
}
