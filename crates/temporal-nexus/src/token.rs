use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use nexus_rpc::{HandlerError, OperationToken};
use serde::{Deserialize, Serialize};

/// The token of an operation that a workflow run backs: base64url without padding over compact JSON, as every Temporal SDK writes it.
///
/// It has no run id, so that cancelling reaches the workflow also after it continued as new or was reset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkflowRunToken {
    /// Namespace of the workflow. Some SDKs leave it empty.
    pub namespace: String,
    /// Id of the workflow.
    pub workflow_id: String,
}

/// `t` of a workflow run.
const WORKFLOW_RUN: u8 = 1;

#[derive(Serialize)]
struct Written<'a> {
    t: u8,
    ns: &'a str,
    wid: &'a str,
}

#[derive(Deserialize)]
struct Read {
    #[serde(default)]
    v: u32,
    t: u8,
    #[serde(default)]
    ns: String,
    #[serde(default)]
    wid: String,
}

/// A token that is not that of a workflow run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidWorkflowRunToken {
    /// It is not base64url.
    #[error("operation token is not base64url")]
    Base64(#[source] base64::DecodeError),
    /// It is not the JSON of a token.
    #[error("operation token is not the JSON of a token")]
    Json(#[source] serde_json::Error),
    /// It has a version that this SDK does not know.
    #[error("operation token has version {0}, expected none")]
    Version(u32),
    /// It is that of something else: 2 is an activity, 3 a workflow update.
    #[error("operation token has type {0}, expected {WORKFLOW_RUN} (workflow run)")]
    Type(u8),
    /// It has no workflow id.
    #[error("operation token has no workflow id")]
    NoWorkflowId,
}

impl From<InvalidWorkflowRunToken> for HandlerError {
    fn from(error: InvalidWorkflowRunToken) -> Self {
        Self::bad_request("invalid operation token").with_source(error)
    }
}

impl WorkflowRunToken {
    /// Writes the token, byte for byte as Go's SDK does.
    #[must_use]
    pub fn encode(&self) -> String {
        let token = Written {
            t: WORKFLOW_RUN,
            ns: &self.namespace,
            wid: &self.workflow_id,
        };
        let json = serde_json::to_string(&token).unwrap_or_default();
        URL_SAFE_NO_PAD.encode(escape_like_go(&json))
    }

    /// Reads a token that any SDK wrote, with its members in any order.
    pub fn decode(token: &OperationToken) -> Result<Self, InvalidWorkflowRunToken> {
        // Go's decoder ignores padding that others may have added.
        let json = URL_SAFE_NO_PAD
            .decode(token.as_str().trim_end_matches('='))
            .map_err(InvalidWorkflowRunToken::Base64)?;
        let read: Read = serde_json::from_slice(&json).map_err(InvalidWorkflowRunToken::Json)?;
        if read.v != 0 {
            return Err(InvalidWorkflowRunToken::Version(read.v));
        }
        if read.t != WORKFLOW_RUN {
            return Err(InvalidWorkflowRunToken::Type(read.t));
        }
        if read.wid.is_empty() {
            return Err(InvalidWorkflowRunToken::NoWorkflowId);
        }
        Ok(Self {
            namespace: read.ns,
            workflow_id: read.wid,
        })
    }
}

/// Go's JSON encoder escapes what HTML or JavaScript could trip over.
fn escape_like_go(json: &str) -> String {
    let mut escaped = String::with_capacity(json.len());
    for c in json.chars() {
        match c {
            '<' => escaped.push_str("\\u003c"),
            '>' => escaped.push_str("\\u003e"),
            '&' => escaped.push_str("\\u0026"),
            '\u{2028}' => escaped.push_str("\\u2028"),
            '\u{2029}' => escaped.push_str("\\u2029"),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn token(namespace: &str, workflow_id: &str) -> WorkflowRunToken {
        WorkflowRunToken {
            namespace: namespace.into(),
            workflow_id: workflow_id.into(),
        }
    }

    fn decode(json: &str) -> Result<WorkflowRunToken, InvalidWorkflowRunToken> {
        WorkflowRunToken::decode(&OperationToken::new(URL_SAFE_NO_PAD.encode(json)).unwrap())
    }

    #[test]
    fn is_written_as_go_writes_it() {
        assert_eq!(
            token("my-target-namespace", "hello-es-nexus").encode(),
            "eyJ0IjoxLCJucyI6Im15LXRhcmdldC1uYW1lc3BhY2UiLCJ3aWQiOiJoZWxsby1lcy1uZXh1cyJ9"
        );
        let json = URL_SAFE_NO_PAD
            .decode(token("n", "a<b>&c").encode())
            .unwrap();
        assert_eq!(
            String::from_utf8(json).unwrap(),
            r#"{"t":1,"ns":"n","wid":"a\u003cb\u003e\u0026c"}"#
        );
    }

    #[test]
    fn is_read_from_any_sdk() {
        assert_eq!(
            decode(r#"{"wid":"w","t":1,"ns":"n"}"#).unwrap(),
            token("n", "w")
        );
        assert_eq!(
            decode(r#"{"t":1,"wid":"w","v":0}"#).unwrap(),
            token("", "w")
        );
        let padded = format!("{}==", token("n", "w").encode());
        WorkflowRunToken::decode(&OperationToken::new(padded).unwrap()).unwrap();
    }

    #[test]
    fn refuses_what_is_no_workflow_run() {
        for (json, message) in [
            ("x", "operation token is not the JSON of a token"),
            (r#"{"t":1,"ns":"n"}"#, "operation token has no workflow id"),
            (
                r#"{"t":1,"ns":"n","wid":""}"#,
                "operation token has no workflow id",
            ),
            (
                r#"{"t":2,"ns":"n","aid":"a"}"#,
                "operation token has type 2, expected 1 (workflow run)",
            ),
            (
                r#"{"v":1,"t":1,"ns":"n","wid":"w"}"#,
                "operation token has version 1, expected none",
            ),
        ] {
            assert_eq!(decode(json).unwrap_err().to_string(), message, "{json}");
        }
        let error = WorkflowRunToken::decode(&OperationToken::new("a b").unwrap()).unwrap_err();
        assert_eq!(error.to_string(), "operation token is not base64url");
    }

    proptest! {
        #[test]
        fn round_trips(namespace in ".{0,40}", workflow_id in ".{1,40}") {
            let token = token(&namespace, &workflow_id);
            let encoded = OperationToken::new(token.encode()).unwrap();
            prop_assert_eq!(WorkflowRunToken::decode(&encoded).unwrap(), token);
        }

        #[test]
        fn never_panics(text in "[!-~]{1,60}") {
            let _ = WorkflowRunToken::decode(&OperationToken::new(text).unwrap());
        }
    }
}
