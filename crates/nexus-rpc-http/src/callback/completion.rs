use std::time::SystemTime;

use http::request::Parts;
use nexus_rpc::{
    Content, FromContent, Headers, Link, OperationToken, Serializer, content::ContentError,
};

use crate::{OperationFailure, Outcome};

/// The end of an operation, as its caller is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Completion {
    /// How it ended.
    pub outcome: Outcome,
    /// The reference of the operation, for a caller that has not had the answer to its start request yet. Not sent in the draft, like
    /// all that follows.
    pub operation_token: Option<OperationToken>,
    /// When it started (full seconds are sent).
    pub start_time: Option<SystemTime>,
    /// When it ended (full milliseconds are sent).
    pub close_time: Option<SystemTime>,
    /// What the operation links to.
    pub links: Vec<Link>,
}

impl Completion {
    /// An outcome without anything else.
    #[must_use]
    pub fn new(outcome: Outcome) -> Self {
        Self {
            outcome,
            operation_token: None,
            start_time: None,
            close_time: None,
            links: Vec::new(),
        }
    }

    /// A result.
    #[must_use]
    pub fn succeeded(content: Content) -> Self {
        Self::new(Outcome::Succeeded(content))
    }

    /// A failure or a cancellation.
    #[must_use]
    pub fn unsuccessful(failure: OperationFailure) -> Self {
        Self::new(Outcome::Unsuccessful(failure))
    }
}

/// A completion as it arrived.
///
/// It may arrive more than once, and before the answer to the start request: know it by what you put into its URL or token.
#[derive(Debug)]
#[non_exhaustive]
pub struct ReceivedCompletion {
    /// How the operation ended.
    pub outcome: Outcome,
    /// The reference of the operation, if the sender gave it.
    pub operation_token: Option<OperationToken>,
    /// When the operation started; when the completion arrived, if the sender did not say.
    pub start_time: SystemTime,
    /// When the operation ended, if the sender said so.
    pub close_time: Option<SystemTime>,
    /// What the operation links to.
    pub links: Vec<Link>,
    /// The other headers, among them those that you gave with the callback.
    pub headers: Headers,
    /// What the verified callback token carries, if the receiver demands one.
    pub token_payload: Option<String>,
    /// The request: its URI, and the extensions that layers put there.
    pub request: Parts,
}

impl ReceivedCompletion {
    /// Reads the result with `serializer`, or gets why there is none.
    pub fn result<O: FromContent>(
        &self,
        serializer: &dyn Serializer,
    ) -> Result<Result<O, OperationFailure>, ContentError> {
        match &self.outcome {
            Outcome::Succeeded(content) => O::from_content(content.clone(), serializer).map(Ok),
            Outcome::Unsuccessful(failure) => Ok(Err(failure.clone())),
        }
    }
}
