use std::fmt;

use nexus_rpc::{
    FromContent, HandlerError, HandlerErrorType, OperationToken, RetryBehavior,
    content::ContentError, name::InvalidName,
};
use temporalio_common::{
    data_converters::{
        ActivityExecutionDecodeHint, DefaultFailureConverter, FailureConverter, FailureDecodeHint,
        PayloadConversionError, PayloadConverter, SerializationContextData,
        WorkflowSerializationContext,
    },
    error::{
        ActivityExecutionError, ApplicationFailure, IncomingError, IncomingNexusHandlerError,
        TimeoutType,
    },
    protos::{
        coresdk::nexus::nexus_operation_result::Status,
        temporal::api::{
            common::v1::Payload,
            enums::v1::NexusHandlerErrorRetryBehavior,
            failure::v1::{Failure, failure::FailureInfo},
        },
    },
};
use temporalio_workflow::WorkflowTermination;

use crate::convert::{PayloadSerializer, payload_to_content};

/// Why a workflow got no result of an operation.
///
/// With `?` the workflow ends with the same failure, as in the other SDKs: a canceled operation ends a canceled workflow as canceled.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NexusOperationError {
    /// The operation failed, or the request to start it did.
    #[error("nexus operation {} failed", .0.name())]
    Failed(#[source] Box<NexusOperationFailure>),
    /// The operation was canceled.
    #[error("nexus operation {} was canceled", .0.name())]
    Canceled(#[source] Box<NexusOperationFailure>),
    /// One of the timeouts of the call passed.
    #[error("nexus operation {} timed out", .0.name())]
    TimedOut(#[source] Box<NexusOperationFailure>),
    /// The name of the service or the operation is not valid. Only names that are known at run time alone can be.
    #[error("nexus operation cannot be called")]
    Name(#[source] InvalidName),
    /// The input could not be serialized, or the result not be deserialized. With `?` the workflow task fails and is retried.
    #[error("input or result of a nexus operation cannot be converted")]
    Serialization(#[source] Box<ContentError>),
}

impl NexusOperationError {
    /// What the server reports of the operation. `None` if the error is the workflow's own.
    #[must_use]
    pub fn failure(&self) -> Option<&NexusOperationFailure> {
        match self {
            Self::Failed(failure) | Self::Canceled(failure) | Self::TimedOut(failure) => {
                Some(failure)
            }
            Self::Serialization(_) | Self::Name(_) => None,
        }
    }

    /// The handler's answer to the request, if that is what failed. Handler errors that may be retried do not come here: the server
    /// sends the request again until it succeeds or the operation times out, and shows the last one in the description of the workflow.
    #[must_use]
    pub fn handler_error(&self) -> Option<HandlerError> {
        self.failure()?.handler_error()
    }

    /// The details of an operation error (or of the application failure of a backing workflow), read as the type that the handler gave
    /// them.
    ///
    /// # Errors
    ///
    /// They are of another type.
    pub fn details<T: FromContent>(&self) -> Result<Option<T>, ContentError> {
        self.failure()
            .map_or(Ok(None), NexusOperationFailure::details)
    }

    /// Which timeout passed, if one did.
    #[must_use]
    pub fn timeout_type(&self) -> Option<TimeoutType> {
        let Self::TimedOut(failure) = self else {
            return None;
        };
        match failure.cause()? {
            IncomingError::Timeout(timeout) => Some(timeout.timeout_type()),
            _ => None,
        }
    }
}

/// A call, as its errors name it.
#[derive(Clone)]
pub(super) struct Call {
    pub(super) endpoint: String,
    pub(super) service: String,
    pub(super) operation: String,
    pub(super) converter: PayloadConverter,
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.endpoint, self.service, self.operation)
    }
}

impl Call {
    /// Why the operation did not start, of what the server reports.
    pub(super) fn not_started(
        &self,
        failure: Failure,
        workflow_canceled: bool,
    ) -> NexusOperationError {
        let failure = match self.failure(failure, workflow_canceled) {
            Ok(failure) => failure,
            Err(error) => return error,
        };
        match failure.cause() {
            Some(IncomingError::Cancelled(_)) => NexusOperationError::Canceled(failure),
            Some(IncomingError::Timeout(_)) => NexusOperationError::TimedOut(failure),
            _ => NexusOperationError::Failed(failure),
        }
    }

    /// How the operation ended, of what the server reports.
    ///
    /// The cause would not tell: an operation also fails because the workflow behind it timed out.
    pub(super) fn ended(
        &self,
        status: Option<Status>,
        workflow_canceled: bool,
    ) -> Result<Payload, NexusOperationError> {
        let (variant, failure): (fn(_) -> _, _) = match status {
            Some(Status::Completed(payload)) => return Ok(payload),
            Some(Status::Failed(failure)) => (NexusOperationError::Failed, failure),
            Some(Status::Cancelled(failure)) => (NexusOperationError::Canceled, failure),
            Some(Status::TimedOut(failure)) => (NexusOperationError::TimedOut, failure),
            None => {
                let failure = Failure {
                    message: "operation resolved without a result".to_owned(),
                    ..Failure::default()
                };
                (NexusOperationError::Failed, failure)
            }
        };
        Err(self
            .failure(failure, workflow_canceled)
            .map_or_else(|error| error, variant))
    }

    fn failure(
        &self,
        failure: Failure,
        workflow_canceled: bool,
    ) -> Result<Box<NexusOperationFailure>, NexusOperationError> {
        let data = SerializationContextData::Workflow(WorkflowSerializationContext::new());
        // The contexts of workflows give no way to the worker's failure converter; its only option on reading, encoded attributes, is
        // read by the default one as well.
        let converter = DefaultFailureConverter::default();
        let error = converter
            .to_error(failure, &self.converter, &data)
            .map_err(conversion_failed)?;
        Ok(Box::new(NexusOperationFailure {
            call: self.clone(),
            error,
            workflow_canceled,
        }))
    }
}

fn conversion_failed(error: PayloadConversionError) -> NexusOperationError {
    NexusOperationError::Serialization(Box::new(ContentError::Serializer(error.into())))
}

/// What the server reports of an operation that ended without a result.
pub struct NexusOperationFailure {
    call: Call,
    error: IncomingError,
    /// Whether the calling workflow was canceled when the operation ended.
    workflow_canceled: bool,
}

impl NexusOperationFailure {
    /// Name of the endpoint.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.call.endpoint
    }

    /// Name of the service.
    #[must_use]
    pub fn service(&self) -> &str {
        &self.call.service
    }

    /// Name of the operation.
    #[must_use]
    pub fn operation(&self) -> &str {
        &self.call.operation
    }

    /// The operation's token, if it had started.
    #[must_use]
    pub fn operation_token(&self) -> Option<OperationToken> {
        match &self.failure().failure_info {
            Some(FailureInfo::NexusOperationExecutionFailureInfo(info)) => {
                OperationToken::new(&info.operation_token).ok()
            }
            _ => None,
        }
    }

    /// The failure as it is in the history.
    #[must_use]
    pub fn failure(&self) -> &Failure {
        self.error.failure()
    }

    /// What is behind it: a handler error, an operation error as an application failure, a timeout, a cancellation.
    #[must_use]
    pub fn cause(&self) -> Option<&IncomingError> {
        match &self.error {
            IncomingError::NexusOperationExecution(error) => error.cause(),
            // Without the usual wrapper the failure is the cause itself.
            error => Some(error),
        }
    }

    /// The handler's answer to the request, if that is what failed.
    #[must_use]
    pub fn handler_error(&self) -> Option<HandlerError> {
        // Not further down: a workflow behind the operation may have failed by a handler error of its own.
        match self.cause()? {
            IncomingError::NexusHandler(error) => handler_error(error),
            _ => None,
        }
    }

    fn details<T: FromContent>(&self) -> Result<Option<T>, ContentError> {
        let payloads = match self.cause() {
            Some(IncomingError::Application(error)) => error.raw_details(),
            Some(IncomingError::Cancelled(error)) => error.raw_details(),
            _ => None,
        };
        let Some(payload) = payloads.and_then(<[_]>::first) else {
            return Ok(None);
        };
        let serializer = PayloadSerializer::new(self.call.converter.clone());
        T::from_content(payload_to_content(payload.clone()), &serializer).map(Some)
    }

    fn name(&self) -> String {
        format!("{:?}", self.call)
    }
}

fn handler_error(error: &IncomingNexusHandlerError) -> Option<HandlerError> {
    let failure = error.failure();
    let Some(FailureInfo::NexusHandlerFailureInfo(info)) = &failure.failure_info else {
        return None;
    };
    let error_type = HandlerErrorType::from(info.r#type.as_str());
    let retry = match info.retry_behavior() {
        NexusHandlerErrorRetryBehavior::Unspecified => RetryBehavior::Default,
        NexusHandlerErrorRetryBehavior::Retryable => RetryBehavior::Retryable,
        NexusHandlerErrorRetryBehavior::NonRetryable => RetryBehavior::NonRetryable,
    };
    // Some SDKs and servers write the type in front of the message.
    let prefix = format!("handler error ({error_type})");
    let message = match failure.message.strip_prefix(&prefix) {
        Some(rest) => rest.strip_prefix(": ").unwrap_or(rest),
        None => &failure.message,
    };
    // Before 1.31 the message travels as the cause, which alone can be decoded.
    let message = match (&failure.cause, error.cause()) {
        (Some(raw), Some(decoded)) if message.is_empty() || message == raw.message => {
            &decoded.failure().message
        }
        _ => message,
    };
    Some(HandlerError::new(error_type, message.to_owned()).with_retry_behavior(retry))
}

impl fmt::Debug for NexusOperationFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NexusOperationFailure")
            .field("call", &self.call)
            .field("failure", self.failure())
            .finish()
    }
}

impl fmt::Display for NexusOperationFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.failure().message)
    }
}

impl std::error::Error for NexusOperationFailure {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.error {
            IncomingError::NexusOperationExecution(error) => std::error::Error::source(error),
            _ => None,
        }
    }
}

impl From<NexusOperationError> for WorkflowTermination {
    fn from(error: NexusOperationError) -> Self {
        let failure = match error {
            NexusOperationError::Name(error) => {
                return ApplicationFailure::non_retryable(error).into();
            }
            NexusOperationError::Serialization(error) => {
                return PayloadConversionError::EncodingError(error).into();
            }
            NexusOperationError::Canceled(failure)
            | NexusOperationError::Failed(failure)
            | NexusOperationError::TimedOut(failure) => failure,
        };
        // A canceled workflow ends as canceled: for that the SDK wants to see the cancellation itself.
        if failure.workflow_canceled {
            match failure.error {
                IncomingError::NexusOperationExecution(error)
                    if matches!(error.cause(), Some(IncomingError::Cancelled(_))) =>
                {
                    return match error.into_parts() {
                        (_, Some(IncomingError::Cancelled(error))) => {
                            ActivityExecutionError::Cancelled(error).into()
                        }
                        (failure, _) => ApplicationFailure::new(failure.message).into(),
                    };
                }
                IncomingError::Cancelled(error) => {
                    return ActivityExecutionError::Cancelled(error).into();
                }
                error => return pass_on(error),
            }
        }
        pass_on(failure.error)
    }
}

/// The SDK's outgoing errors have none for Nexus yet. That of an activity keeps any failure as it is, and so the workflow's failure is the
/// operation's, not a text about it.
fn pass_on(error: IncomingError) -> WorkflowTermination {
    ActivityExecutionDecodeHint::new(false).adapt(error).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use temporalio_common::{
        error::{OutgoingError, OutgoingWorkflowError},
        protos::temporal::api::failure::v1::{
            ApplicationFailureInfo, CanceledFailureInfo, NexusHandlerFailureInfo,
            NexusOperationFailureInfo, TimeoutFailureInfo,
        },
    };

    fn failed(cause: Failure) -> NexusOperationError {
        call().not_started(wrapped(cause), false)
    }

    fn call() -> Call {
        Call {
            endpoint: "orders-endpoint".into(),
            service: "orders".into(),
            operation: "place".into(),
            converter: PayloadConverter::default(),
        }
    }

    fn wrapped(cause: Failure) -> Failure {
        Failure {
            message: "nexus operation completed unsuccessfully".into(),
            failure_info: Some(FailureInfo::NexusOperationExecutionFailureInfo(
                NexusOperationFailureInfo {
                    operation_token: "token".into(),
                    ..NexusOperationFailureInfo::default()
                },
            )),
            cause: Some(Box::new(cause)),
            ..Failure::default()
        }
    }

    fn failure(message: &str, info: FailureInfo) -> Failure {
        Failure {
            message: message.into(),
            failure_info: Some(info),
            ..Failure::default()
        }
    }

    fn handler_failure(message: &str) -> Failure {
        failure(
            message,
            FailureInfo::NexusHandlerFailureInfo(NexusHandlerFailureInfo {
                r#type: "CONFLICT".into(),
                ..NexusHandlerFailureInfo::default()
            }),
        )
    }

    /// What the workflow's history would hold.
    fn outgoing(error: NexusOperationError) -> Failure {
        let WorkflowTermination::Failed(error) = error.into() else {
            panic!("expected a failed workflow");
        };
        DefaultFailureConverter::default().to_failure(
            OutgoingError::Workflow(error),
            &PayloadConverter::default(),
            &SerializationContextData::None,
        )
    }

    #[test]
    fn a_handler_error_is_rebuilt_from_all_forms() {
        for message in ["twice", "handler error (CONFLICT): twice"] {
            let error = failed(handler_failure(message)).handler_error().unwrap();
            assert_eq!(error.error_type(), &HandlerErrorType::Conflict);
            assert_eq!(error.message(), "twice");
        }
        let mut legacy = handler_failure("handler error (CONFLICT)");
        legacy.cause = Some(Box::new(failure(
            "twice",
            FailureInfo::ApplicationFailureInfo(ApplicationFailureInfo::default()),
        )));
        assert_eq!(failed(legacy).handler_error().unwrap().message(), "twice");
    }

    #[test]
    fn the_message_names_the_operation_and_the_chain_the_cause() {
        let error = failed(handler_failure("twice"));
        assert_eq!(
            error.to_string(),
            "nexus operation orders-endpoint/orders/place failed"
        );
        let failure = error.failure().unwrap();
        assert_eq!(failure.operation_token().unwrap().as_str(), "token");
        assert_eq!(
            failure.to_string(),
            "nexus operation completed unsuccessfully"
        );
    }

    #[test]
    fn a_failed_workflow_keeps_the_failure_of_the_operation() {
        let cause = handler_failure("twice");
        assert_eq!(outgoing(failed(cause.clone())), wrapped(cause));
    }

    #[test]
    fn timeouts_and_cancellations_are_told_apart() {
        let timeout = FailureInfo::TimeoutFailureInfo(TimeoutFailureInfo {
            timeout_type: 3,
            ..TimeoutFailureInfo::default()
        });
        let error = failed(failure("operation timed out", timeout));
        assert!(matches!(error, NexusOperationError::TimedOut(_)));
        assert_eq!(error.timeout_type(), Some(TimeoutType::ScheduleToClose));

        let error = failed(canceled());
        assert!(matches!(error, NexusOperationError::Canceled(_)));
        assert_eq!(error.timeout_type(), None);
    }

    fn canceled() -> Failure {
        let info = FailureInfo::CanceledFailureInfo(CanceledFailureInfo::default());
        failure("canceled", info)
    }

    #[test]
    fn a_workflow_ends_as_canceled_only_if_it_was() {
        assert_eq!(outgoing(failed(canceled())), wrapped(canceled()));

        let error = call().not_started(wrapped(canceled()), true);
        let WorkflowTermination::Failed(error) = error.into() else {
            panic!("expected a failed workflow");
        };
        // By this the SDK ends a canceled workflow as canceled.
        assert!(error.as_cancelled().is_some());
        assert!(matches!(error, OutgoingWorkflowError::ActivityExecution(_)));

        // Canceled, and the operation failed for another reason.
        let error = call().not_started(wrapped(handler_failure("twice")), true);
        assert_eq!(outgoing(error), wrapped(handler_failure("twice")));
    }

    #[test]
    fn a_handler_error_further_down_is_somebody_elses() {
        let mut child = failure(
            "child failed",
            FailureInfo::ApplicationFailureInfo(ApplicationFailureInfo::default()),
        );
        child.cause = Some(Box::new(wrapped(handler_failure("inner"))));
        assert!(failed(child).handler_error().is_none());
    }

    #[test]
    fn a_timeout_of_the_handlers_workflow_is_not_one_of_the_call() {
        let timeout = FailureInfo::TimeoutFailureInfo(TimeoutFailureInfo::default());
        let status = Some(Status::Failed(wrapped(failure("timed out", timeout))));
        let error = call().ended(status, false).unwrap_err();
        assert!(matches!(error, NexusOperationError::Failed(_)));
        assert_eq!(error.timeout_type(), None);
    }
}
