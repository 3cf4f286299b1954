use std::fmt;

use super::{HandlerError, OperationError};
use crate::content::BoxError;

/// What a handler returns when it has no result: an [`OperationError`] or a [`HandlerError`].
///
/// `?` makes one of any error. Both of the types above keep their meaning, also inside a `Box<dyn Error>`; every other error becomes
/// [`HandlerError::unclassified`]: `INTERNAL` with a neutral text for the caller, and the error itself for the log.
///
/// ```
/// use nexus_rpc::{HandlerError, HandlerErrorType, StartError};
///
/// fn parse(text: &str) -> Result<u32, StartError> {
///     let number = text.parse()?; // any error
///     if number == 0 {
///         return Err(HandlerError::bad_request("zero is no order number").into());
///     }
///     Ok(number)
/// }
///
/// let StartError::Handler(error) = parse("x").unwrap_err() else { panic!() };
/// assert_eq!(error.to_string(), "handler error (INTERNAL): internal handler error");
/// let StartError::Handler(error) = parse("0").unwrap_err() else { panic!() };
/// assert_eq!(error.error_type(), &HandlerErrorType::BadRequest);
/// ```
// Not a `std::error::Error` itself: that would collide with the conversion from any error.
pub enum StartError {
    /// The operation ended without a result.
    Operation(OperationError),
    /// The request failed.
    Handler(HandlerError),
}

impl<E: Into<BoxError>> From<E> for StartError {
    fn from(error: E) -> Self {
        let error = match error.into().downcast::<HandlerError>() {
            Ok(error) => return Self::Handler(*error),
            Err(error) => error,
        };
        match error.downcast::<OperationError>() {
            Ok(error) => Self::Operation(*error),
            Err(error) => Self::Handler(HandlerError::unclassified(error)),
        }
    }
}

impl fmt::Debug for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Operation(error) => error.fmt(f),
            Self::Handler(error) => error.fmt(f),
        }
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Operation(error) => error.fmt(f),
            Self::Handler(error) => error.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{HandlerErrorType, OperationState};

    #[test]
    fn meaning_survives_a_box() {
        let boxed: BoxError = OperationError::canceled("stop").into();
        let StartError::Operation(error) = boxed.into() else {
            panic!("an operation error stays one");
        };
        assert_eq!(error.state(), OperationState::Canceled);

        let boxed: BoxError = HandlerError::conflict("twice").into();
        let StartError::Handler(error) = boxed.into() else {
            panic!("a handler error stays one");
        };
        assert_eq!(error.error_type(), &HandlerErrorType::Conflict);
        assert!(!error.is_unclassified());
    }

    #[test]
    fn other_errors_are_hidden_and_kept() {
        let StartError::Handler(error) = StartError::from("password is hunter2") else {
            panic!("a text is a handler error");
        };
        assert!(error.is_unclassified());
        assert!(!error.to_string().contains("hunter2"));
        assert_eq!(
            error.into_source().unwrap().to_string(),
            "password is hunter2"
        );
    }

    #[test]
    fn is_small() {
        assert!(size_of::<StartError>() <= 16);
    }
}
