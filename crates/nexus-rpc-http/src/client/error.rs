use std::{fmt, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use nexus_rpc::{HandlerError, OperationToken, content::ContentError};

use crate::{InvalidHeader, InvalidSegment, OperationFailure, TransportError};

/// Why a call has no result.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The request was wrong, and was not sent.
    #[error("request cannot be made")]
    Request(#[source] InvalidRequest),
    /// The server was not reached, or its answer did not come through.
    #[error("no response from the server")]
    Transport(#[source] TransportError),
    /// The server did not answer in time.
    #[error("no response from the server within {timeout:?}")]
    Timeout {
        /// How long the client waited.
        timeout: Duration,
    },
    /// The request failed; the handler says why.
    #[error(transparent)]
    Handler(HandlerError),
    /// The operation ended without a result.
    #[error(transparent)]
    Operation(Box<OperationFailure>),
    /// A status that means nothing in the protocol.
    #[error("unexpected response: {0}")]
    UnexpectedResponse(Box<UnexpectedResponse>),
    /// A response whose status is right and whose rest is not.
    #[error("response breaks the protocol: {reason}")]
    Protocol {
        /// What is wrong.
        reason: String,
        /// The response.
        response: Box<UnexpectedResponse>,
    },
    /// The result came, but is not of the operation's type.
    #[error("cannot read the result of the operation")]
    Result(#[source] ContentError),
    /// The operation has no result yet, and there is no more waiting for it.
    #[error("operation {token:?} is still running", token = .token.as_str())]
    StillRunning {
        /// The reference of the operation.
        token: OperationToken,
    },
}

impl ClientError {
    /// Whether the same request may do better at another time.
    ///
    /// Current dialect: as the type of the handler error has it, or its override. Draft: every 5xx, no 4xx. Both: when the server was not
    /// reached or did not answer in time, and every status from 500 on that means nothing in the protocol.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Transport(error) => error.is_retryable(),
            Self::Timeout { .. } => true,
            Self::Handler(error) => error.is_retryable(),
            Self::UnexpectedResponse(response) => response.status.is_server_error(),
            Self::Request(_)
            | Self::Operation(_)
            | Self::Protocol { .. }
            | Self::Result(_)
            | Self::StillRunning { .. } => false,
        }
    }
}

impl From<InvalidRequest> for ClientError {
    fn from(error: InvalidRequest) -> Self {
        Self::Request(error)
    }
}

/// A response as it came, for you to make sense of.
#[derive(Clone, PartialEq, Eq)]
pub struct UnexpectedResponse {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl fmt::Display for UnexpectedResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "status {}", self.status.as_u16())?;
        match crate::status::reason(self.status) {
            Some(reason) => write!(f, " {reason}"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for UnexpectedResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 200;
        let body = String::from_utf8_lossy(&self.body[..self.body.len().min(SHOWN)]);
        f.debug_struct("UnexpectedResponse")
            .field("status", &self.status)
            .field("headers", &self.headers)
            .field("body", &body)
            .finish()
    }
}

/// A request that cannot be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidRequest {
    /// A name is empty.
    #[error("the {what} is empty")]
    Empty {
        /// Which name.
        what: &'static str,
    },
    /// A name or id has characters that the draft dialect does not allow.
    #[error("invalid {what} {text:?}")]
    Segment {
        /// Which name or id.
        what: &'static str,
        /// The name or id.
        text: String,
        /// Why it is invalid.
        source: InvalidSegment,
    },
    /// The dialect has nothing like it.
    #[error("the {dialect} dialect has no {what}")]
    NotInDialect {
        /// What was asked for.
        what: &'static str,
        /// The dialect of the client.
        dialect: crate::Dialect,
    },
    /// A header cannot be sent.
    #[error("cannot send a header")]
    Header(
        #[source]
        #[from]
        InvalidHeader,
    ),
    /// The input cannot be written.
    #[error("cannot write the input of the operation")]
    Input(#[source] ContentError),
    /// The URL is too long.
    #[error("cannot make a URL")]
    Url(#[source] http::uri::InvalidUri),
}
