use std::{borrow::Cow, fmt};

use super::Failure;
use crate::content::BoxError;

/// Why a request failed (specification: predefined handler errors).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum HandlerErrorType {
    /// The request is wrong and will stay so: bad input, bad token.
    BadRequest,
    /// The caller did not prove who it is.
    Unauthenticated,
    /// The caller may not do this.
    Unauthorized,
    /// There is no such service, operation, or thing.
    NotFound,
    /// The handler did not answer in the time that the caller gave it.
    RequestTimeout,
    /// The request contradicts the state of things: already started, for one.
    Conflict,
    /// Too many requests, or a quota is used up.
    ResourceExhausted,
    /// The handler is at fault.
    Internal,
    /// The handler does not do this.
    NotImplemented,
    /// The handler cannot be reached, or not now.
    Unavailable,
    /// A gateway got no answer from the handler in time.
    UpstreamTimeout,
    /// A type that this version does not know, as it is on the wire.
    Other(String),
}

impl HandlerErrorType {
    /// The type as it is on the wire, such as `BAD_REQUEST`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::BadRequest => "BAD_REQUEST",
            Self::Unauthenticated => "UNAUTHENTICATED",
            Self::Unauthorized => "UNAUTHORIZED",
            Self::NotFound => "NOT_FOUND",
            Self::RequestTimeout => "REQUEST_TIMEOUT",
            Self::Conflict => "CONFLICT",
            Self::ResourceExhausted => "RESOURCE_EXHAUSTED",
            Self::Internal => "INTERNAL",
            Self::NotImplemented => "NOT_IMPLEMENTED",
            Self::Unavailable => "UNAVAILABLE",
            Self::UpstreamTimeout => "UPSTREAM_TIMEOUT",
            Self::Other(name) => name,
        }
    }

    /// Whether a request that failed with this type may be sent again, unless the error says otherwise.
    ///
    /// The specification's table; a type that it does not have may.
    #[must_use]
    pub fn is_retryable_by_default(&self) -> bool {
        match self {
            Self::BadRequest
            | Self::Unauthenticated
            | Self::Unauthorized
            | Self::NotFound
            | Self::Conflict
            | Self::NotImplemented => false,
            Self::RequestTimeout
            | Self::ResourceExhausted
            | Self::Internal
            | Self::Unavailable
            | Self::UpstreamTimeout
            | Self::Other(_) => true,
        }
    }
}

impl From<&str> for HandlerErrorType {
    fn from(name: &str) -> Self {
        match name {
            "BAD_REQUEST" => Self::BadRequest,
            "UNAUTHENTICATED" => Self::Unauthenticated,
            "UNAUTHORIZED" => Self::Unauthorized,
            "NOT_FOUND" => Self::NotFound,
            "REQUEST_TIMEOUT" => Self::RequestTimeout,
            "CONFLICT" => Self::Conflict,
            "RESOURCE_EXHAUSTED" => Self::ResourceExhausted,
            "INTERNAL" => Self::Internal,
            "NOT_IMPLEMENTED" => Self::NotImplemented,
            "UNAVAILABLE" => Self::Unavailable,
            "UPSTREAM_TIMEOUT" => Self::UpstreamTimeout,
            other => Self::Other(other.to_owned()),
        }
    }
}

impl fmt::Display for HandlerErrorType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Whether the caller may send a failed request again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum RetryBehavior {
    /// As the type of the error has it.
    #[default]
    Default,
    /// It may, whatever the type.
    Retryable,
    /// It must not, whatever the type.
    NonRetryable,
}

/// The answer to a request that failed.
///
/// ```
/// use nexus_rpc::{HandlerError, HandlerErrorType};
///
/// let error = HandlerError::not_found("no order 17").with_source(std::io::Error::other("select returned no rows"));
/// assert_eq!(error.error_type(), &HandlerErrorType::NotFound);
/// assert_eq!(error.message(), "no order 17"); // the caller sees this, and not the source
/// assert!(!error.is_retryable());
/// ```
pub struct HandlerError(Box<Inner>);

// Boxed: an error should not make every `Result` of a handler large.
struct Inner {
    error_type: HandlerErrorType,
    message: Cow<'static, str>,
    retry: RetryBehavior,
    cause: Option<Failure>,
    source: Option<BoxError>,
    unclassified: bool,
}

/// What a caller sees of an error that the handler did not mean to show.
const INTERNAL_MESSAGE: &str = "internal handler error";

impl HandlerError {
    /// An error of the type `error_type`. The caller sees `message`.
    pub fn new(error_type: HandlerErrorType, message: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Inner {
            error_type,
            message: message.into(),
            retry: RetryBehavior::Default,
            cause: None,
            source: None,
            unclassified: false,
        }))
    }

    /// [`HandlerErrorType::Internal`] with a neutral message. The caller sees nothing of `source`; the log does.
    ///
    /// A transport may know the error and choose a better type for it: see [`is_unclassified`](Self::is_unclassified).
    pub fn unclassified(source: impl Into<BoxError>) -> Self {
        let mut error = Self::internal(INTERNAL_MESSAGE).with_source(source);
        error.0.unclassified = true;
        error
    }

    /// Sets whether the caller may send the request again, against the type's default.
    #[must_use]
    pub fn with_retry_behavior(mut self, retry: RetryBehavior) -> Self {
        self.0.retry = retry;
        self
    }

    /// Sets the error behind this one. For the log: the caller does not see it.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<BoxError>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// Sets what caused this, for the caller to see.
    #[must_use]
    pub fn with_cause(mut self, cause: Failure) -> Self {
        self.0.cause = Some(cause);
        self
    }

    /// Why the request failed.
    #[must_use]
    pub fn error_type(&self) -> &HandlerErrorType {
        &self.0.error_type
    }

    /// What the caller is told.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Whether the caller may send the request again, as set by the handler.
    #[must_use]
    pub fn retry_behavior(&self) -> RetryBehavior {
        self.0.retry
    }

    /// Whether the caller may send the request again.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self.0.retry {
            RetryBehavior::Default => self.0.error_type.is_retryable_by_default(),
            RetryBehavior::Retryable => true,
            RetryBehavior::NonRetryable => false,
        }
    }

    /// What caused this, as far as the caller may see it.
    #[must_use]
    pub fn cause(&self) -> Option<&Failure> {
        self.0.cause.as_ref()
    }

    /// Whether no handler chose the type and message: the error came through `?`. Its source is the error itself.
    #[must_use]
    pub fn is_unclassified(&self) -> bool {
        self.0.unclassified
    }

    /// Takes the error behind this one, if there is one.
    #[must_use]
    pub fn into_source(self) -> Option<BoxError> {
        self.0.source
    }
}

macro_rules! constructors {
    ($($(#[$doc:meta])* $name:ident => $variant:ident,)*) => {
        impl HandlerError {
            $($(#[$doc])* pub fn $name(message: impl Into<Cow<'static, str>>) -> Self {
                Self::new(HandlerErrorType::$variant, message)
            })*
        }
    };
}

constructors! {
    /// [`HandlerErrorType::BadRequest`] with a message for the caller.
    bad_request => BadRequest,
    /// [`HandlerErrorType::Unauthenticated`] with a message for the caller.
    unauthenticated => Unauthenticated,
    /// [`HandlerErrorType::Unauthorized`] with a message for the caller.
    unauthorized => Unauthorized,
    /// [`HandlerErrorType::NotFound`] with a message for the caller.
    not_found => NotFound,
    /// [`HandlerErrorType::RequestTimeout`] with a message for the caller.
    request_timeout => RequestTimeout,
    /// [`HandlerErrorType::Conflict`] with a message for the caller.
    conflict => Conflict,
    /// [`HandlerErrorType::ResourceExhausted`] with a message for the caller.
    resource_exhausted => ResourceExhausted,
    /// [`HandlerErrorType::Internal`] with a message for the caller.
    internal => Internal,
    /// [`HandlerErrorType::NotImplemented`] with a message for the caller.
    not_implemented => NotImplemented,
    /// [`HandlerErrorType::Unavailable`] with a message for the caller.
    unavailable => Unavailable,
    /// [`HandlerErrorType::UpstreamTimeout`] with a message for the caller.
    upstream_timeout => UpstreamTimeout,
}

impl fmt::Display for HandlerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The form in which the other SDKs print it.
        write!(f, "handler error ({})", self.0.error_type)?;
        if !self.0.message.is_empty() {
            write!(f, ": {}", self.0.message)?;
        }
        Ok(())
    }
}

impl fmt::Debug for HandlerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HandlerError")
            .field("type", &self.0.error_type)
            .field("message", &self.0.message)
            .field("retry", &self.0.retry)
            .field("cause", &self.0.cause)
            .field("source", &self.0.source)
            .finish()
    }
}

impl std::error::Error for HandlerError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match (&self.0.source, &self.0.cause) {
            (Some(source), _) => Some(&**source),
            (None, Some(cause)) => Some(cause),
            (None, None) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_keep_their_names() {
        for name in [
            "BAD_REQUEST",
            "UNAUTHENTICATED",
            "UNAUTHORIZED",
            "NOT_FOUND",
            "REQUEST_TIMEOUT",
            "CONFLICT",
            "RESOURCE_EXHAUSTED",
            "INTERNAL",
            "NOT_IMPLEMENTED",
            "UNAVAILABLE",
            "UPSTREAM_TIMEOUT",
        ] {
            let error_type = HandlerErrorType::from(name);
            assert_eq!(error_type.as_str(), name);
            assert!(!matches!(error_type, HandlerErrorType::Other(_)), "{name}");
        }
        let other = HandlerErrorType::from("TEAPOT");
        assert_eq!(other, HandlerErrorType::Other("TEAPOT".into()));
        assert!(other.is_retryable_by_default());
    }

    #[test]
    fn the_override_beats_the_type() {
        let error = HandlerError::internal("x");
        assert!(error.is_retryable());
        let error = error.with_retry_behavior(RetryBehavior::NonRetryable);
        assert!(!error.is_retryable());
        let error = HandlerError::bad_request("x").with_retry_behavior(RetryBehavior::Retryable);
        assert!(error.is_retryable());
    }

    #[test]
    fn display_is_that_of_the_other_sdks() {
        assert_eq!(
            HandlerError::not_found("no such order").to_string(),
            "handler error (NOT_FOUND): no such order"
        );
        assert_eq!(
            HandlerError::internal("").to_string(),
            "handler error (INTERNAL)"
        );
    }
}
