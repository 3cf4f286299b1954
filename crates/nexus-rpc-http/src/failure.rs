//! Operations that ended without a result, and the forms of failures on the wire.

use std::{collections::BTreeMap, fmt};

use nexus_rpc::{
    Content, Failure, FromContent, OperationError, OperationState, Serializer,
    content::{ContentError, JsonSerializer},
};

mod details;
pub(crate) mod wire;

/// How an operation ended without a result: failed or canceled, and why.
///
/// This is [`OperationError`] as data: what a caller gets, what a completion carries, and what can be stored.
///
/// ```
/// use nexus_rpc::{OperationError, content::JsonSerializer};
/// use nexus_rpc_http::OperationFailure;
///
/// let error = OperationError::failed("card declined").with_details(51);
/// let failure = OperationFailure::from_error(error, &JsonSerializer)?;
/// assert_eq!(failure.message(), "card declined");
/// assert_eq!(failure.details::<u16>()?, Some(51));
/// # Ok::<(), nexus_rpc::content::ContentError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperationFailure {
    canceled: bool,
    failure: Failure,
}

impl OperationFailure {
    /// The operation failed.
    #[must_use]
    pub fn failed(failure: Failure) -> Self {
        Self {
            canceled: false,
            failure,
        }
    }

    /// The operation was canceled.
    #[must_use]
    pub fn canceled(failure: Failure) -> Self {
        Self {
            canceled: true,
            failure,
        }
    }

    /// What the caller may see of `error`; its details are written with `serializer`.
    ///
    /// In the `details` of the failure JSON stands as it is, under `data`. Other content stands there as a text, in base64 where it is no
    /// UTF-8, with its headers and `data-encoding: base64` under `metadata`.
    pub fn from_error(
        mut error: OperationError,
        serializer: &dyn Serializer,
    ) -> Result<Self, ContentError> {
        let details = error
            .take_details(serializer)?
            .filter(|content| !content.is_empty())
            .map(details::from_content);
        let failure = Failure {
            message: error.message().to_owned(),
            details,
            cause: error.cause().cloned().map(Box::new),
            ..Failure::default()
        };
        Ok(Self {
            canceled: error.state() == OperationState::Canceled,
            failure,
        })
    }

    /// [`OperationState::Failed`] or [`OperationState::Canceled`].
    #[must_use]
    pub fn state(&self) -> OperationState {
        if self.canceled {
            OperationState::Canceled
        } else {
            OperationState::Failed
        }
    }

    /// What happened, for a person.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.failure.message
    }

    /// What caused it.
    #[must_use]
    pub fn cause(&self) -> Option<&Failure> {
        self.failure.cause.as_deref()
    }

    /// All of it as it came, without the marks of the protocol. Nothing in it was decoded.
    #[must_use]
    pub fn failure(&self) -> &Failure {
        &self.failure
    }

    /// Decodes the details that the handler gave with [`OperationError::with_details`], as JSON or bytes.
    ///
    /// `None`: there are none. Details in a form of somebody else's are read as the JSON that they are.
    pub fn details<T: FromContent>(&self) -> Result<Option<T>, ContentError> {
        self.details_content()
            .map(|content| T::from_content(content, &JsonSerializer))
            .transpose()
    }

    /// The details as [`Content`], for another serializer than JSON.
    #[must_use]
    pub fn details_content(&self) -> Option<Content> {
        self.failure.details.as_ref().map(details::to_content)
    }
}

impl fmt::Display for OperationFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "operation {}", self.state())?;
        if !self.message().is_empty() {
            write!(f, ": {}", self.message())?;
        }
        Ok(())
    }
}

impl std::error::Error for OperationFailure {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.cause()
            .map(|cause| cause as &(dyn std::error::Error + 'static))
    }
}

/// How an operation ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// With this result.
    Succeeded(Content),
    /// Without one.
    Unsuccessful(OperationFailure),
}

impl Outcome {
    /// Succeeded, failed or canceled.
    #[must_use]
    pub fn state(&self) -> OperationState {
        match self {
            Self::Succeeded(_) => OperationState::Succeeded,
            Self::Unsuccessful(failure) => failure.state(),
        }
    }
}

type StringMap = BTreeMap<String, String>;
