//! An error and its causes in one line.

use std::error::Error;
use temporalio_client::{
    errors::{ClientError, WorkflowGetResultError, WorkflowInteractionError, WorkflowStartError},
    tonic::Status,
};
use temporalio_common::error::IncomingError;

/// The words of `error` and of each of its causes, from the outermost to the innermost, joined by
/// `: `.
///
/// What an outer error already says is not said again: many errors of the SDK and of its transport
/// have their source's words in their own.
pub(crate) fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = words(error);
    let mut next = cause(error);
    while let Some(error) = next {
        let words = words(error);
        if !said(&text, &words) {
            text.push_str(": ");
            text.push_str(&words);
        }
        next = cause(error);
    }
    text
}

/// Whether `text` is or ends with `words`.
fn said(text: &str, words: &str) -> bool {
    let before = text.strip_suffix(words);
    before.is_some_and(|before| before.is_empty() || before.ends_with(": "))
}

/// One error's own words, without the field dumps that SDK errors have in their `Display`.
fn words(error: &(dyn Error + 'static)) -> String {
    if let Some(status) = status(error) {
        return match status.message() {
            "" => status.code().to_string(),
            message => message.to_owned(),
        };
    }
    match error.downcast_ref() {
        // These know their failure only if it came from a server, and are not dumps anyway.
        Some(IncomingError::Application(application)) => return application.to_string(),
        Some(incoming) => return incoming.failure().message.clone(),
        None => {}
    }
    match error.downcast_ref() {
        Some(WorkflowGetResultError::Failed(_)) => "workflow failed".to_owned(),
        _ => error.to_string(),
    }
}

fn cause<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    if let Some(status) = status(error) {
        return status.source();
    }
    if let Some(incoming) = error.downcast_ref::<IncomingError>() {
        // Its source is the same failure once more, in a wrapper that only prints as a dump.
        return incoming.cause().map(|cause| cause as _);
    }
    match error.downcast_ref() {
        Some(WorkflowGetResultError::Failed(failure)) => Some(&**failure),
        _ => error.source(),
    }
}

/// The server's answer, where an error is only a wrapper around it.
fn status<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a Status> {
    if let Some(status) = error.downcast_ref::<Status>() {
        return Some(status);
    }
    if let Some(
        WorkflowStartError::AlreadyStarted { source: status, .. } | WorkflowStartError::Rpc(status),
    ) = error.downcast_ref()
    {
        return Some(status);
    }
    if let Some(WorkflowGetResultError::NotFound(status) | WorkflowGetResultError::Rpc(status)) =
        error.downcast_ref()
    {
        return Some(status);
    }
    if let Some(
        WorkflowInteractionError::NotFound(status) | WorkflowInteractionError::Rpc(status),
    ) = error.downcast_ref()
    {
        return Some(status);
    }
    match error.downcast_ref() {
        Some(ClientError::Rpc(status)) => Some(status),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;
    use temporalio_common::{
        data_converters::{
            DefaultFailureConverter, FailureConverter as _, PayloadConverter,
            SerializationContextData,
        },
        error::ApplicationFailure,
        protos::temporal::api::failure::v1::{
            ApplicationFailureInfo, Failure, NexusHandlerFailureInfo, NexusOperationFailureInfo,
            failure::FailureInfo,
        },
    };

    #[derive(Debug, thiserror::Error)]
    #[error("{words}")]
    struct Link {
        words: &'static str,
        source: Option<Box<dyn Error + Send + Sync>>,
    }

    fn link(words: &'static str, source: impl Into<Box<dyn Error + Send + Sync>>) -> Link {
        Link {
            words,
            source: Some(source.into()),
        }
    }

    #[test]
    fn causes_follow_each_other() {
        assert_eq!(chain(&link("a", link("b", "c"))), "a: b: c");
    }

    #[test]
    fn words_said_already_are_not_said_again() {
        let chain = |outer, inner, innermost| chain(&link(outer, link(inner, innermost)));
        assert_eq!(chain("cannot x: y", "y", "z"), "cannot x: y: z");
        assert_eq!(chain("cannot x: y: z", "y: z", "z"), "cannot x: y: z");
        assert_eq!(chain("same", "same", "same"), "same");
        assert_eq!(chain("cannot", "not", "t"), "cannot: not: t");
    }

    #[test]
    fn a_status_is_its_message() {
        let error = WorkflowStartError::Rpc(Status::not_found("no namespace \"x\""));
        assert_eq!(chain(&error), "no namespace \"x\"");
        let error = WorkflowGetResultError::Rpc(Status::unavailable(""));
        assert_eq!(chain(&error), "The service is currently unavailable");
    }

    #[test]
    fn a_status_keeps_the_cause_that_the_transport_gave() {
        let status = Status::from_error(Box::new(io::Error::other("broken pipe")));
        assert!(chain(&status).ends_with("broken pipe"), "{status:?}");
    }

    #[test]
    fn a_started_workflow_is_told_by_the_server() {
        let error = WorkflowStartError::AlreadyStarted {
            run_id: Some("r".to_owned()),
            source: Status::already_exists("already running. WorkflowId: w, RunId: r."),
        };
        assert_eq!(chain(&error), "already running. WorkflowId: w, RunId: r.");
    }

    #[test]
    fn a_failed_workflow_tells_why_down_to_the_handler() {
        let failure = |message: &str, info, cause: Option<Failure>| Failure {
            message: message.to_owned(),
            failure_info: Some(info),
            cause: cause.map(Box::new),
            ..Default::default()
        };
        let application = || FailureInfo::ApplicationFailureInfo(ApplicationFailureInfo::default());
        let nexus = FailureInfo::NexusOperationExecutionFailureInfo;
        let handler = FailureInfo::NexusHandlerFailureInfo;
        let innermost = failure("no such language", application(), None);
        let inner = handler(NexusHandlerFailureInfo::default());
        let inner = failure("handler error", inner, Some(innermost));
        let outer = nexus(NexusOperationFailureInfo::default());
        let outer = failure("operation failed", outer, Some(inner));
        let outermost = failure("cannot greet", application(), Some(outer));
        let incoming = DefaultFailureConverter::new(false)
            .to_error(
                outermost,
                &PayloadConverter::default(),
                &SerializationContextData::None,
            )
            .unwrap();
        assert_eq!(
            chain(&WorkflowGetResultError::Failed(Box::new(incoming))),
            "workflow failed: cannot greet: operation failed: handler error: no such language"
        );
    }

    #[test]
    fn a_failure_made_here_can_be_told_too() {
        let incoming = IncomingError::Application(ApplicationFailure::new("made here"));
        assert_eq!(chain(&incoming), "made here");
    }
}
