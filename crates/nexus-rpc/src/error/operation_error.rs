use std::{borrow::Cow, fmt};

use super::Failure;
use crate::content::{BoxError, Content, ContentError, Serializer, ToContent};

/// The state of an operation (specification: `OperationInfo.state`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OperationState {
    /// It goes on.
    Running,
    /// It ended with a result.
    Succeeded,
    /// It ended without one.
    Failed,
    /// It ended because it was canceled.
    Canceled,
}

impl OperationState {
    /// The state as it is on the wire, such as `running`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Canceled => "canceled",
        }
    }
}

impl fmt::Display for OperationState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An operation that ended without a result: it failed, or it was canceled.
///
/// Final: the caller does not send the request again. It may carry details of the application's own type, which a caller decodes back.
///
/// ```
/// use nexus_rpc::OperationError;
///
/// #[derive(serde::Serialize)]
/// struct Declined { code: u16 }
///
/// let error = OperationError::failed("card declined").with_details(Declined { code: 51 });
/// assert_eq!(error.to_string(), "operation failed: card declined");
/// ```
pub struct OperationError(Box<Inner>);

struct Inner {
    canceled: bool,
    message: Cow<'static, str>,
    details: Option<Box<dyn Details>>,
    cause: Option<Failure>,
    source: Option<BoxError>,
}

impl OperationError {
    /// The operation failed. The caller sees `message`.
    pub fn failed(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(false, message.into())
    }

    /// The operation was canceled. The caller sees `message`.
    pub fn canceled(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(true, message.into())
    }

    fn new(canceled: bool, message: Cow<'static, str>) -> Self {
        Self(Box::new(Inner {
            canceled,
            message,
            details: None,
            cause: None,
            source: None,
        }))
    }

    /// Adds details for a program, written with the serializer of the transport. The caller can decode them back.
    #[must_use]
    pub fn with_details<T: ToContent + Sync>(mut self, details: T) -> Self {
        self.0.details = Some(Box::new(Once(Some(details))));
        self
    }

    /// Sets what caused this, for the caller to see.
    #[must_use]
    pub fn with_cause(mut self, cause: Failure) -> Self {
        self.0.cause = Some(cause);
        self
    }

    /// Sets the error behind this one. For the log: the caller does not see it.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<BoxError>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// [`OperationState::Failed`] or [`OperationState::Canceled`].
    #[must_use]
    pub fn state(&self) -> OperationState {
        if self.0.canceled {
            OperationState::Canceled
        } else {
            OperationState::Failed
        }
    }

    /// What the caller is told.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// What caused this, as far as the caller may see it.
    #[must_use]
    pub fn cause(&self) -> Option<&Failure> {
        self.0.cause.as_ref()
    }

    /// Writes the details with `serializer`, and takes them out. For transports.
    pub fn take_details(
        &mut self,
        serializer: &dyn Serializer,
    ) -> Result<Option<Content>, ContentError> {
        match self.0.details.take() {
            Some(mut details) => details.write(serializer),
            None => Ok(None),
        }
    }
}

/// Details of a type that only the handler knows.
trait Details: Send + Sync {
    fn write(&mut self, serializer: &dyn Serializer) -> Result<Option<Content>, ContentError>;
}

struct Once<T>(Option<T>);

impl<T: ToContent + Sync> Details for Once<T> {
    fn write(&mut self, serializer: &dyn Serializer) -> Result<Option<Content>, ContentError> {
        self.0
            .take()
            .map(|details| details.to_content(serializer))
            .transpose()
    }
}

impl fmt::Display for OperationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "operation {}", self.state())?;
        if !self.0.message.is_empty() {
            write!(f, ": {}", self.0.message)?;
        }
        Ok(())
    }
}

impl fmt::Debug for OperationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OperationError")
            .field("state", &self.state())
            .field("message", &self.0.message)
            .field("cause", &self.0.cause)
            .field("source", &self.0.source)
            .finish_non_exhaustive()
    }
}

impl std::error::Error for OperationError {
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
    use crate::content::JsonSerializer;

    #[test]
    fn details_are_written_once() {
        let mut error = OperationError::failed("declined").with_details(51u16);
        let details = error.take_details(&JsonSerializer).unwrap().unwrap();
        assert_eq!(details, Content::new("application/json", "51"));
        assert_eq!(error.take_details(&JsonSerializer).unwrap(), None);
    }
}
