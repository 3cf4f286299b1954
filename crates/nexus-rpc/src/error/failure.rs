use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};

/// A failure as it is on the wire (specification: `Failure`).
///
/// Recursive: what caused a failure is one, too. It is meant to be seen by the caller.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Failure {
    /// What happened, for a person.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// Where it happened.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub stack_trace: String,
    /// Says what `details` are; `type` is `nexus.HandlerError`, `nexus.OperationError`, or a type of the application's own.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
    /// More, for a program: any JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub details: Option<serde_json::Value>,
    /// What caused this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<Box<Failure>>,
}

impl Failure {
    /// A failure with a message only.
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            ..Self::default()
        }
    }

    /// `error` and its chain of sources, one message each. For errors that the caller may see.
    #[must_use]
    pub fn from_error(error: &(dyn std::error::Error + 'static)) -> Self {
        Self {
            message: error.to_string(),
            cause: error
                .source()
                .map(|source| Box::new(Self::from_error(source))),
            ..Self::default()
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.cause
            .as_deref()
            .map(|cause| cause as &(dyn std::error::Error + 'static))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absent_parts_are_not_written() {
        assert_eq!(serde_json::to_string(&Failure::default()).unwrap(), "{}");
        let failure = Failure {
            cause: Some(Box::new(Failure::new("inner"))),
            stack_trace: "at main".into(),
            ..Failure::new("outer")
        };
        let json = serde_json::to_string(&failure).unwrap();
        assert_eq!(
            json,
            r#"{"message":"outer","stackTrace":"at main","cause":{"message":"inner"}}"#
        );
        assert_eq!(serde_json::from_str::<Failure>(&json).unwrap(), failure);
    }

    #[test]
    fn the_chain_of_an_error_is_kept() {
        let inner = std::io::Error::other("disk full");
        let outer = crate::HandlerError::unavailable("try later").with_source(inner);
        let failure = Failure::from_error(&outer);
        assert_eq!(failure.cause.unwrap().message, "disk full");
    }
}
