//! Errors that a handler passed on with `?`, and that this SDK knows: gRPC statuses of the Temporal client, application failures.
//!
//! The table is that of the other SDKs, with one difference: they show the text of any error to the caller. Here it stays in the log,
//! unless the handler returned an application failure, whose text is written to be seen.
//!
//! The worker does it for all handlers, and workflow runs do it for themselves: they also answer where no worker is.

use nexus_rpc::{Failure, HandlerError, HandlerErrorType, RetryBehavior};
use temporalio_client::{
    errors::{
        WorkflowGetResultError, WorkflowInteractionError, WorkflowQueryError, WorkflowStartError,
        WorkflowUpdateError, WorkflowUpdateWithStartError,
    },
    tonic,
};
use temporalio_common::error::ApplicationFailure;

/// Type of the application failure with which a payload converter refuses an input.
const PAYLOAD_VALIDATION_ERROR: &str = "PayloadValidationError";

/// Gives an error that no handler classified the type of what is behind it.
pub(crate) fn classify(error: HandlerError) -> HandlerError {
    if !error.is_unclassified() {
        return error;
    }
    let passed_on = std::error::Error::source(&error);
    let mut known = passed_on
        .and_then(|error| error.downcast_ref())
        .map(application_failure);
    let mut source = passed_on;
    while let Some(error) = source
        && known.is_none()
    {
        known = recognize(error);
        source = error.source();
    }
    let Some(known) = known else {
        return error;
    };
    match error.into_source() {
        Some(source) => known.with_source(source),
        None => known,
    }
}

/// An error of the Temporal client, with the type that it has for a caller.
pub(crate) fn classified(
    error: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> HandlerError {
    classify(HandlerError::unclassified(error))
}

fn recognize(error: &(dyn std::error::Error + 'static)) -> Option<HandlerError> {
    if let Some(failure) = error.downcast_ref::<ApplicationFailure>() {
        return Some(without_text(failure));
    }
    if let Some(WorkflowStartError::AlreadyStarted { .. }) = error.downcast_ref() {
        return Some(
            HandlerError::internal("workflow already started")
                .with_retry_behavior(RetryBehavior::NonRetryable),
        );
    }
    hidden_status(error)
        .or_else(|| error.downcast_ref())
        .map(status)
}

/// The status in those errors of the client that do not have it as their source.
fn hidden_status<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a tonic::Status> {
    macro_rules! status_of {
        ($($error:ident)*) => {
            $(if let Some($error::Rpc(status)) = error.downcast_ref() {
                return Some(status);
            })*
        };
    }
    status_of! {
        WorkflowGetResultError
        WorkflowInteractionError
        WorkflowQueryError
        WorkflowUpdateError
        WorkflowUpdateWithStartError
    }
    None
}

/// An application failure that the handler itself returned: it was written to be seen, as Temporal shows it in every history.
fn application_failure(failure: &ApplicationFailure) -> HandlerError {
    let mut shown = Failure::new(failure.to_string());
    if let Some(name) = failure.type_name() {
        shown.metadata.insert("type".to_owned(), name.to_owned());
    }
    if failure.is_non_retryable() && failure.type_name() == Some(PAYLOAD_VALIDATION_ERROR) {
        return HandlerError::bad_request("invalid operation input").with_cause(shown);
    }
    without_text(failure).with_cause(shown)
}

/// One further down, the failure of another workflow for one: its text is not the handler's to show.
fn without_text(failure: &ApplicationFailure) -> HandlerError {
    if failure.is_non_retryable() {
        HandlerError::internal("handler failed with non-retryable application error")
            .with_retry_behavior(RetryBehavior::NonRetryable)
    } else {
        HandlerError::internal("handler failed with application error")
    }
}

fn status(status: &tonic::Status) -> HandlerError {
    use HandlerErrorType as Type;
    use RetryBehavior::{Default, NonRetryable};
    use tonic::Code;

    let (error_type, retry) = match status.code() {
        Code::InvalidArgument => (Type::BadRequest, Default),
        Code::AlreadyExists | Code::FailedPrecondition | Code::OutOfRange => {
            (Type::Internal, NonRetryable)
        }
        Code::Aborted | Code::Unavailable => (Type::Unavailable, Default),
        Code::NotFound => (Type::NotFound, Default),
        Code::ResourceExhausted => (Type::ResourceExhausted, Default),
        Code::Unimplemented => (Type::NotImplemented, Default),
        Code::DeadlineExceeded => (Type::UpstreamTimeout, Default),
        // Also when the handler's own credentials were refused: nothing that the caller could mend.
        Code::Ok
        | Code::Cancelled
        | Code::Unknown
        | Code::Internal
        | Code::DataLoss
        | Code::Unauthenticated
        | Code::PermissionDenied => (Type::Internal, Default),
    };
    HandlerError::new(error_type, "handler's request to a service failed")
        .with_retry_behavior(retry)
}

#[cfg(test)]
mod tests {
    use super::*;
    use nexus_rpc::StartError;
    use tonic::{Code, Status};

    fn classified(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> HandlerError {
        match StartError::from(error) {
            StartError::Handler(error) => classify(error),
            StartError::Operation(error) => panic!("{error}"),
        }
    }

    #[test]
    fn statuses_follow_the_table() {
        for (code, error_type, retryable) in [
            (Code::InvalidArgument, "BAD_REQUEST", false),
            (Code::AlreadyExists, "INTERNAL", false),
            (Code::FailedPrecondition, "INTERNAL", false),
            (Code::OutOfRange, "INTERNAL", false),
            (Code::Aborted, "UNAVAILABLE", true),
            (Code::Unavailable, "UNAVAILABLE", true),
            (Code::Cancelled, "INTERNAL", true),
            (Code::DataLoss, "INTERNAL", true),
            (Code::Internal, "INTERNAL", true),
            (Code::Unknown, "INTERNAL", true),
            (Code::Unauthenticated, "INTERNAL", true),
            (Code::PermissionDenied, "INTERNAL", true),
            (Code::NotFound, "NOT_FOUND", false),
            (Code::ResourceExhausted, "RESOURCE_EXHAUSTED", true),
            (Code::Unimplemented, "NOT_IMPLEMENTED", false),
            (Code::DeadlineExceeded, "UPSTREAM_TIMEOUT", true),
        ] {
            let error = classified(Status::new(code, "secret"));
            assert_eq!(error.error_type().as_str(), error_type, "{code:?}");
            assert_eq!(error.is_retryable(), retryable, "{code:?}");
            assert!(!error.to_string().contains("secret"));
            assert!(error.into_source().unwrap().to_string().contains("secret"));
        }
    }

    #[test]
    fn a_status_is_found_behind_other_errors() {
        let error = WorkflowStartError::Rpc(Status::new(Code::NotFound, ""));
        assert_eq!(classified(error).error_type().as_str(), "NOT_FOUND");
        let error = WorkflowStartError::AlreadyStarted {
            run_id: None,
            source: Status::new(Code::AlreadyExists, ""),
        };
        let error = classified(error);
        assert_eq!(error.message(), "workflow already started");
        assert!(!error.is_retryable());
    }

    #[test]
    fn a_status_is_found_in_errors_that_hide_it() {
        let status = || Status::new(Code::InvalidArgument, "secret");
        for error in [
            classified(WorkflowGetResultError::Rpc(status())),
            classified(WorkflowInteractionError::Rpc(status())),
            classified(WorkflowQueryError::Rpc(status())),
            classified(WorkflowUpdateError::Rpc(status())),
            classified(WorkflowUpdateWithStartError::Rpc(status())),
        ] {
            assert_eq!(error.error_type().as_str(), "BAD_REQUEST", "{error:?}");
        }
    }

    #[test]
    fn application_failures_show_their_text() {
        let error = classified(ApplicationFailure::new("try later"));
        assert!(error.is_retryable());
        assert_eq!(error.cause().unwrap().message, "try later");
        let error = classified(ApplicationFailure::non_retryable("never"));
        assert_eq!(error.error_type().as_str(), "INTERNAL");
        assert!(!error.is_retryable());
        let refused = ApplicationFailure::builder("too long")
            .type_name(PAYLOAD_VALIDATION_ERROR.to_owned())
            .non_retryable(true)
            .build();
        assert_eq!(classified(refused).error_type().as_str(), "BAD_REQUEST");
    }

    #[test]
    fn the_text_of_an_application_failure_further_down_stays_hidden() {
        #[derive(Debug, thiserror::Error)]
        #[error("another workflow failed")]
        struct Outer(#[source] ApplicationFailure);

        let error = classified(Outer(ApplicationFailure::non_retryable("secret")));
        assert!(!error.is_retryable());
        assert!(error.cause().is_none());
        assert!(!error.to_string().contains("secret"));
    }

    #[test]
    fn other_errors_stay_hidden() {
        let error = classified(std::io::Error::other("secret"));
        assert_eq!(error.message(), "internal handler error");
        assert!(error.cause().is_none());
    }

    #[test]
    fn what_a_handler_chose_stays() {
        let error = HandlerError::conflict("twice").with_source(Status::new(Code::NotFound, ""));
        assert_eq!(classify(error).error_type().as_str(), "CONFLICT");
    }
}
