//! Errors of handlers as Temporal's failures, through the client's failure converter so that its options (encoded attributes, for one)
//! hold for Nexus, too.

use std::{collections::HashMap, fmt};

use nexus_rpc::{
    Failure as NexusFailure, HandlerError, HandlerErrorType, OperationError, OperationState,
    RetryBehavior,
};
use temporalio_common::{
    data_converters::{DataConverter, PayloadConversionError},
    error::{ApplicationFailure, OutgoingActivityError, OutgoingError},
    payload_visitor::encode_payloads,
    protos::temporal::api::{
        common::v1::{Payload, Payloads},
        enums::v1::NexusHandlerErrorRetryBehavior,
        failure::v1::{
            ApplicationFailureInfo, CanceledFailureInfo, Failure, NexusHandlerFailureInfo,
            failure::FailureInfo,
        },
        nexus::v1::{self as proto, UnsuccessfulOperationError},
    },
};

use super::nexus_data;

/// Type of the application failure that stands for an operation error, as in the other SDKs.
const OPERATION_ERROR: &str = "OperationError";

pub(crate) struct FailureEncoder<'a> {
    pub(crate) converter: &'a DataConverter,
}

/// A handler error with its type alone, for when the user's converter or codec cannot be asked.
pub(crate) fn bare_handler_error(error: &HandlerError) -> Failure {
    Failure {
        message: "failure could not be encoded".to_owned(),
        failure_info: Some(handler_failure_info(error)),
        ..Failure::default()
    }
}

/// The same, for servers before 1.31.
pub(crate) fn bare_legacy_handler_error(error: &HandlerError) -> proto::HandlerError {
    proto::HandlerError {
        error_type: legacy_type(error.error_type()).to_owned(),
        failure: Some(proto::Failure {
            message: "failure could not be encoded".to_owned(),
            ..proto::Failure::default()
        }),
        retry_behavior: retry_behavior(error).into(),
    }
}

fn handler_failure_info(error: &HandlerError) -> FailureInfo {
    FailureInfo::NexusHandlerFailureInfo(NexusHandlerFailureInfo {
        r#type: error.error_type().as_str().to_owned(),
        retry_behavior: retry_behavior(error).into(),
    })
}

impl FailureEncoder<'_> {
    /// A handler error for servers that take failures. If the codec fails, the caller hears of the error all the same, without its text.
    pub(crate) async fn handler_error(&self, error: &HandlerError) -> Failure {
        let mut failure = self.shown(error.message(), error.cause());
        failure.failure_info = Some(handler_failure_info(error));
        self.encode_or_strip(failure).await
    }

    /// A handler error for servers before 1.31, which take Nexus's own form.
    pub(crate) async fn legacy_handler_error(&self, error: &HandlerError) -> proto::HandlerError {
        let failure = self.shown(error.message(), error.cause());
        proto::HandlerError {
            error_type: legacy_type(error.error_type()).to_owned(),
            failure: Some(nexus_failure(self.encode_or_strip(failure).await)),
            retry_behavior: retry_behavior(error).into(),
        }
    }

    /// An operation error for servers that take failures.
    pub(crate) async fn operation_error(
        &self,
        error: &OperationError,
        details: Option<Payload>,
    ) -> Result<Failure, PayloadConversionError> {
        let failure = self.operation_failure(error, details);
        self.encode(failure).await
    }

    /// An operation error for servers before 1.31, which take Nexus's own form.
    pub(crate) async fn legacy_operation_error(
        &self,
        error: &OperationError,
        details: Option<Payload>,
    ) -> Result<UnsuccessfulOperationError, PayloadConversionError> {
        let failure = self.operation_failure(error, details);
        Ok(UnsuccessfulOperationError {
            operation_state: error.state().as_str().to_owned(),
            failure: Some(nexus_failure(self.encode(failure).await?)),
        })
    }

    fn operation_failure(&self, error: &OperationError, details: Option<Payload>) -> Failure {
        let mut failure = self.shown(error.message(), error.cause());
        let details = details.map(|payload| Payloads {
            payloads: vec![payload],
        });
        failure.failure_info = Some(match error.state() {
            OperationState::Canceled => FailureInfo::CanceledFailureInfo(CanceledFailureInfo {
                details,
                ..CanceledFailureInfo::default()
            }),
            _ => FailureInfo::ApplicationFailureInfo(ApplicationFailureInfo {
                r#type: OPERATION_ERROR.to_owned(),
                non_retryable: true,
                details,
                ..ApplicationFailureInfo::default()
            }),
        });
        failure
    }

    /// What the caller may see, as the user's failure converter writes it.
    fn shown(&self, message: &str, cause: Option<&NexusFailure>) -> Failure {
        let shown = Shown {
            message: message.to_owned(),
            cause: cause.cloned(),
        };
        // The converter takes errors of activities and workflows only; its user sees an application failure either way.
        let error = OutgoingActivityError::Application(Box::new(ApplicationFailure::new(shown)));
        let mut failure = self
            .converter
            .to_failure(&nexus_data(), OutgoingError::Activity(error));
        restore_causes(&mut failure, cause);
        failure
    }

    /// Applies the codec.
    async fn encode(&self, mut failure: Failure) -> Result<Failure, PayloadConversionError> {
        encode_payloads(&mut failure, self.converter.codec(), &nexus_data()).await?;
        Ok(failure)
    }

    /// A codec that fails must not keep the caller from hearing that the request failed.
    async fn encode_or_strip(&self, failure: Failure) -> Failure {
        let info = failure.failure_info.clone();
        self.encode(failure).await.unwrap_or_else(|error| {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "payload codec cannot encode a failure: sending it without its content"
            );
            Failure {
                message: "failure could not be encoded".to_owned(),
                failure_info: info,
                ..Failure::default()
            }
        })
    }
}

/// The type under which Nexus carries a failure of Temporal.
const TEMPORAL_FAILURE: &str = "temporal.api.failure.v1.Failure";

/// Gives causes back what an error's text does not have: their stack traces, and failures of Temporal as they were.
fn restore_causes(failure: &mut Failure, cause: Option<&NexusFailure>) {
    let (Some(slot), Some(cause)) = (&mut failure.cause, cause) else {
        return;
    };
    if let Some(original) = temporal_failure(cause) {
        **slot = original;
        return;
    }
    // Where the converter hides texts, a stack trace would show what it hides.
    if slot.encoded_attributes.is_none() {
        slot.stack_trace.clone_from(&cause.stack_trace);
    }
    restore_causes(slot, cause.cause.as_deref());
}

fn temporal_failure(failure: &NexusFailure) -> Option<Failure> {
    if failure.metadata.get("type").map(String::as_str) != Some(TEMPORAL_FAILURE) {
        return None;
    }
    let details = failure.details.clone()?;
    let mut original: Failure = serde_json::from_value(details).ok()?;
    original.message.clone_from(&failure.message);
    Some(original)
}

fn retry_behavior(error: &HandlerError) -> NexusHandlerErrorRetryBehavior {
    match error.retry_behavior() {
        RetryBehavior::Default => NexusHandlerErrorRetryBehavior::Unspecified,
        RetryBehavior::Retryable => NexusHandlerErrorRetryBehavior::Retryable,
        RetryBehavior::NonRetryable => NexusHandlerErrorRetryBehavior::NonRetryable,
    }
}

/// The type for servers that take Nexus's own form. Of one that they do not know they lose the message, and send the request again and
/// again: it is replaced by one that is retried, or not, in the same way.
fn legacy_type(error_type: &HandlerErrorType) -> &str {
    let known = match error_type {
        // HTTP's rule for a status of 4xx that is not known.
        HandlerErrorType::Conflict => &HandlerErrorType::BadRequest,
        HandlerErrorType::RequestTimeout => &HandlerErrorType::UpstreamTimeout,
        HandlerErrorType::Other(_) => &HandlerErrorType::Internal,
        known => known,
    };
    known.as_str()
}

/// Packs a failure of Temporal into one of Nexus: its message, and all the rest as JSON.
fn nexus_failure(mut failure: Failure) -> proto::Failure {
    let message = std::mem::take(&mut failure.message);
    let details = serde_json::to_vec(&failure).unwrap_or_else(|error| {
        tracing::error!(
            error = &error as &dyn std::error::Error,
            "cannot write a failure as JSON: sending its message only"
        );
        Vec::new()
    });
    proto::Failure {
        message,
        metadata: HashMap::from([("type".to_owned(), TEMPORAL_FAILURE.to_owned())]),
        details,
        ..proto::Failure::default()
    }
}

#[derive(Debug)]
struct Shown {
    message: String,
    cause: Option<NexusFailure>,
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Shown {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.cause
            .as_ref()
            .map(|cause| cause as &(dyn std::error::Error + 'static))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use temporalio_common::data_converters::{
        DefaultFailureConverter, DefaultPayloadCodec, PayloadConverter,
    };

    fn converter(encode_attributes: bool) -> DataConverter {
        DataConverter::new(
            PayloadConverter::default(),
            DefaultFailureConverter::new(encode_attributes),
            DefaultPayloadCodec,
        )
    }

    #[tokio::test]
    async fn a_handler_error_is_one_in_both_forms() {
        let converter = converter(false);
        let encoder = FailureEncoder {
            converter: &converter,
        };
        let error = HandlerError::conflict("twice")
            .with_retry_behavior(RetryBehavior::Retryable)
            .with_source(std::io::Error::other("secret"))
            .with_cause(NexusFailure::new("because"));

        let failure = encoder.handler_error(&error).await;
        assert_eq!(failure.message, "twice");
        assert_eq!(failure.cause.as_ref().unwrap().message, "because");
        let Some(FailureInfo::NexusHandlerFailureInfo(info)) = &failure.failure_info else {
            panic!("wrong kind of failure: {failure:?}");
        };
        assert_eq!(info.r#type, "CONFLICT");
        assert_eq!(
            info.retry_behavior(),
            NexusHandlerErrorRetryBehavior::Retryable
        );
        assert!(!format!("{failure:?}").contains("secret"));

        let legacy = encoder.legacy_handler_error(&error).await;
        assert_eq!(legacy.error_type, "BAD_REQUEST");
        let failure = legacy.failure.unwrap();
        assert_eq!(failure.message, "twice");
        assert_eq!(failure.metadata["type"], "temporal.api.failure.v1.Failure");
        // The names of protobuf's JSON mapping: the server reads nothing else.
        assert_eq!(
            String::from_utf8(failure.details).unwrap(),
            r#"{"cause":{"message":"because","applicationFailureInfo":{}},"applicationFailureInfo":{}}"#
        );
    }

    #[test]
    fn a_type_that_old_servers_do_not_know_is_replaced_by_one_that_is_retried_alike() {
        for (error_type, legacy) in [
            (HandlerErrorType::Conflict, "BAD_REQUEST"),
            (HandlerErrorType::RequestTimeout, "UPSTREAM_TIMEOUT"),
            (HandlerErrorType::Other("TEAPOT".into()), "INTERNAL"),
            (HandlerErrorType::NotFound, "NOT_FOUND"),
        ] {
            assert_eq!(legacy_type(&error_type), legacy);
            assert_eq!(
                HandlerErrorType::from(legacy).is_retryable_by_default(),
                error_type.is_retryable_by_default()
            );
        }
    }

    #[tokio::test]
    async fn an_operation_error_keeps_state_and_details() {
        let converter = converter(false);
        let encoder = FailureEncoder {
            converter: &converter,
        };
        let details = Payload {
            data: b"1".to_vec(),
            ..Payload::default()
        };
        let failure = encoder
            .operation_error(&OperationError::failed("no"), Some(details.clone()))
            .await
            .unwrap();
        let Some(FailureInfo::ApplicationFailureInfo(info)) = failure.failure_info else {
            panic!("wrong kind of failure");
        };
        assert!(info.non_retryable);
        assert_eq!(info.r#type, "OperationError");
        assert_eq!(info.details.unwrap().payloads, [details]);

        let failure = encoder
            .operation_error(&OperationError::canceled("stop"), None)
            .await
            .unwrap();
        assert!(matches!(
            failure.failure_info,
            Some(FailureInfo::CanceledFailureInfo(_))
        ));
        let legacy = encoder
            .legacy_operation_error(&OperationError::canceled("stop"), None)
            .await
            .unwrap();
        assert_eq!(legacy.operation_state, "canceled");
    }

    #[tokio::test]
    async fn causes_keep_their_stack_trace_and_their_kind() {
        let converter = converter(false);
        let encoder = FailureEncoder {
            converter: &converter,
        };
        let original = NexusFailure {
            metadata: [("type".to_owned(), TEMPORAL_FAILURE.to_owned())].into(),
            details: Some(serde_json::json!({"applicationFailureInfo": {"type": "Declined"}})),
            ..NexusFailure::new("declined")
        };
        let cause = NexusFailure {
            stack_trace: "at charge".into(),
            cause: Some(Box::new(original)),
            ..NexusFailure::new("charge failed")
        };
        let error = HandlerError::conflict("twice").with_cause(cause);
        let failure = encoder.handler_error(&error).await;
        let cause = failure.cause.unwrap();
        assert_eq!(cause.stack_trace, "at charge");
        let original = cause.cause.unwrap();
        assert_eq!(original.message, "declined");
        assert_eq!(
            original.maybe_application_failure().unwrap().r#type,
            "Declined"
        );
    }

    #[tokio::test]
    async fn attributes_are_encoded_if_the_client_wants_it() {
        let converter = converter(true);
        let encoder = FailureEncoder {
            converter: &converter,
        };
        let failure = encoder
            .handler_error(&HandlerError::bad_request("personal"))
            .await;
        assert_eq!(failure.message, "Encoded failure");
        assert!(failure.encoded_attributes.is_some());
    }
}
