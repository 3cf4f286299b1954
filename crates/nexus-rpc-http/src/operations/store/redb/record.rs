//! Records as they are kept, in JSON, and the ways to and from what the runtime sees.

use base64::{Engine, prelude::BASE64_STANDARD_NO_PAD};
use bytes::Bytes;
use nexus_rpc::{
    Content, Failure, Headers, Link, OperationState, OperationToken, context::Callback,
};
use serde::{Deserialize, Serialize};

use super::Fault;
use crate::{
    Dialect, OperationFailure, Outcome,
    operations::{
        CallbackTarget, Ended, NewOperation, OperationKey, OperationRecord,
        store::digest::{self, Short, from_millis, to_millis},
    },
};

type Pairs = Vec<(String, String)>;

/// An operation without its input and output.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Record {
    #[serde(default, skip_serializing_if = "String::is_empty")]
    tenant: String,
    service: String,
    operation: String,
    token: String,
    request_id: String,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    token_of_caller: bool,
    /// Of the input, in base64.
    pub(super) digest: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) input_headers: Pairs,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    headers: Pairs,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    links: Pairs,
    pub(super) started_at: u64,
    pub(super) attempt: u32,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(super) interruptions: u32,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) cancel_requested: bool,
    /// Number of callbacks that it ever had.
    pub(super) callbacks: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) end: Option<StoredEnd>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct StoredEnd {
    pub(super) at: u64,
    state: State,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    output_headers: Pairs,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    failure: Option<Failure>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    links: Pairs,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum State {
    Succeeded,
    Failed,
    Canceled,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct StoredCallback {
    draft: bool,
    url: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    headers: Pairs,
    pub(super) destination: String,
    pub(super) failures: u32,
}

#[allow(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

fn pairs(headers: &Headers) -> Pairs {
    let own = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    headers.iter().map(own).collect()
}

fn link_pairs(links: &[Link]) -> Pairs {
    let pair = |link: &Link| (link.url.clone(), link.link_type.clone());
    links.iter().map(pair).collect()
}

fn links(pairs: Pairs) -> Vec<Link> {
    let link = |(url, link_type)| Link { url, link_type };
    pairs.into_iter().map(link).collect()
}

pub(super) fn digest_of(content: &Content) -> String {
    BASE64_STANDARD_NO_PAD.encode(digest::of_content(content))
}

impl Record {
    pub(super) fn new(new: &NewOperation) -> Self {
        Self {
            tenant: new.key.tenant.clone(),
            service: new.key.service.clone(),
            operation: new.key.operation.clone(),
            token: new.key.token.as_str().to_owned(),
            request_id: new.request_id.clone(),
            token_of_caller: new.token_of_caller,
            digest: digest_of(&new.input),
            input_headers: pairs(&new.input.headers),
            headers: pairs(&new.headers),
            links: link_pairs(&new.links),
            started_at: to_millis(new.started_at),
            attempt: 0,
            interruptions: 0,
            cancel_requested: false,
            callbacks: 0,
            end: None,
        }
    }

    /// Keys of the operation: its own, and that of its start request where the caller did not choose the token.
    pub(super) fn index_keys(&self) -> Result<(Short, Option<Short>), Fault> {
        let key = self.key()?;
        let request = (!self.token_of_caller).then(|| digest::of_request(&key, &self.request_id));
        Ok((digest::of_key(&key), request))
    }

    fn key(&self) -> Result<OperationKey, Fault> {
        Ok(OperationKey {
            tenant: self.tenant.clone(),
            service: self.service.clone(),
            operation: self.operation.clone(),
            token: self.token()?,
        })
    }

    pub(super) fn token(&self) -> Result<OperationToken, Fault> {
        OperationToken::new(self.token.clone()).map_err(|error| Fault::Content(error.into()))
    }

    pub(super) fn input(&self, data: Bytes) -> Content {
        Content {
            headers: self.input_headers.iter().cloned().collect(),
            data,
        }
    }

    /// The record, with `output` where it succeeded.
    pub(super) fn restore(self, output: Bytes) -> Result<OperationRecord, Fault> {
        let key = self.key()?;
        Ok(OperationRecord {
            key,
            request_id: self.request_id,
            headers: self.headers.into_iter().collect(),
            links: links(self.links),
            started_at: from_millis(self.started_at),
            attempt: self.attempt,
            interruptions: self.interruptions,
            cancel_requested: self.cancel_requested,
            end: self.end.map(|end| end.restore(output)),
        })
    }
}

impl StoredEnd {
    /// The end, and the output to be kept beside it.
    pub(super) fn new(ended: &Ended) -> (Self, Option<&Bytes>) {
        let (output, failure) = match &ended.outcome {
            Outcome::Succeeded(content) => (Some(content), None),
            Outcome::Unsuccessful(failure) => (None, Some(readable(failure.failure()))),
        };
        let end = Self {
            at: to_millis(ended.at),
            state: match ended.outcome.state() {
                OperationState::Succeeded => State::Succeeded,
                OperationState::Canceled => State::Canceled,
                _ => State::Failed,
            },
            output_headers: output
                .map(|output| pairs(&output.headers))
                .unwrap_or_default(),
            failure,
            links: link_pairs(&ended.links),
        };
        (end, output.map(|output| &output.data))
    }

    pub(super) fn restore(self, output: Bytes) -> Ended {
        let failure = self.failure.unwrap_or_default();
        Ended {
            outcome: match self.state {
                State::Succeeded => Outcome::Succeeded(Content {
                    headers: self.output_headers.into_iter().collect(),
                    data: output,
                }),
                State::Failed => Outcome::Unsuccessful(OperationFailure::failed(failure)),
                State::Canceled => Outcome::Unsuccessful(OperationFailure::canceled(failure)),
            },
            at: from_millis(self.at),
            links: links(self.links),
        }
    }
}

/// The failure, or its message alone where the rest is nested deeper than JSON is read.
fn readable(failure: &Failure) -> Failure {
    // As deep as in a record.
    let json = serde_json::to_vec(&[[failure]]);
    if json.is_ok_and(|json| serde_json::from_slice::<serde_json::Value>(&json).is_ok()) {
        return failure.clone();
    }
    tracing::warn!(
        message = failure.message,
        "left out the details and causes of a failure that are nested too deep to be kept"
    );
    Failure::new(failure.message.clone())
}

impl StoredCallback {
    pub(super) fn new(target: &CallbackTarget) -> Self {
        Self {
            draft: target.dialect == Dialect::Draft,
            url: target.callback.url.clone(),
            headers: pairs(&target.callback.headers),
            destination: target.destination.clone(),
            failures: 0,
        }
    }

    pub(super) fn target(self) -> CallbackTarget {
        CallbackTarget {
            dialect: if self.draft {
                Dialect::Draft
            } else {
                Dialect::Current
            },
            callback: Callback {
                url: self.url,
                headers: self.headers.into_iter().collect(),
            },
            destination: self.destination,
        }
    }
}
