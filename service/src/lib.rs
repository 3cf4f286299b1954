//! The contract of the hello sample: what its handler offers and its callers call.
//!
//! Wire-compatible with the sample of Temporal's Go SDK: the same names, and JSON with the same keys.

use std::fmt;

use nexus_rpc::{NexusService, Operation};
use serde::{Deserialize, Serialize};

/// Returns what it is told, and greets in five languages.
#[derive(NexusService)]
#[nexus(name = "my-hello-service")]
pub struct HelloService {
    /// Returns its input. Synchronous: the answer comes with the request.
    pub echo: Operation<EchoInput, EchoOutput>,
    /// Greets in the language asked for. Asynchronous: the answer says that it has begun, and the greeting comes when it is there.
    #[nexus(name = "say-hello")]
    pub say_hello: Operation<HelloInput, HelloOutput>,
}

/// What to echo.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct EchoInput {
    /// Comes back as it is.
    pub message: String,
}

/// The echo has the shape of what it echoes.
pub type EchoOutput = EchoInput;

/// Whom to greet, and how.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct HelloInput {
    /// Whom to greet.
    pub name: String,
    /// In which language.
    pub language: Language,
}

/// A greeting.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct HelloOutput {
    /// The greeting, for a person.
    pub message: String,
}

/// A language by its ISO 639-1 code, a string on the wire.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// English, `en`.
    En,
    /// French, `fr`.
    Fr,
    /// German, `de`.
    De,
    /// Spanish, `es`.
    Es,
    /// Turkish, `tr`.
    Tr,
    /// Any other code. Part of the contract, so that it is the handler that says what it cannot speak.
    #[serde(untagged)]
    Other(String),
}

impl From<&str> for Language {
    fn from(code: &str) -> Self {
        match code {
            "en" => Self::En,
            "fr" => Self::Fr,
            "de" => Self::De,
            "es" => Self::Es,
            "tr" => Self::Tr,
            other => Self::Other(other.to_owned()),
        }
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::En => "en",
            Self::Fr => "fr",
            Self::De => "de",
            Self::Es => "es",
            Self::Tr => "tr",
            Self::Other(code) => code,
        })
    }
}

/// The id of the workflow that greets: made from the input, so that a person finds it, and a second request for the same greeting meets
/// the first. Case and spaces do not count: who asks for `ADA` while `Ada` is being greeted gets that greeting.
pub fn hello_workflow_id(input: &HelloInput) -> String {
    let name = input.name.trim().replace(' ', "-").to_lowercase();
    format!("hello-{}-{name}", input.language)
}

#[cfg(test)]
mod tests {
    use nexus_rpc::ServiceDefinition;

    use super::*;

    #[test]
    fn names_are_those_of_the_go_sample() {
        assert_eq!(HelloService::NAME, "my-hello-service");
        assert_eq!(HelloService::OPERATIONS, ["echo", "say-hello"]);
    }

    #[test]
    fn json_is_that_of_the_go_sample() {
        let json = r#"{"Name":"Nexus","Language":"es"}"#;
        let input: HelloInput = serde_json::from_str(json).unwrap();
        assert_eq!(input.language, Language::Es);
        assert_eq!(serde_json::to_string(&input).unwrap(), json);

        let json = r#"{"Name":"Nexus","Language":"xx"}"#;
        let input: HelloInput = serde_json::from_str(json).unwrap();
        assert_eq!(input.language, Language::from("xx"));
        assert_eq!(serde_json::to_string(&input).unwrap(), json);

        let echo: EchoInput = serde_json::from_str(r#"{"Message":"hey"}"#).unwrap();
        assert_eq!(
            serde_json::to_string(&echo).unwrap(),
            r#"{"Message":"hey"}"#
        );
    }

    #[test]
    fn every_code_is_read_as_it_is_written() {
        for code in ["en", "fr", "de", "es", "tr", "xx"] {
            assert_eq!(Language::from(code).to_string(), code);
            let read: Language = serde_json::from_value(code.into()).unwrap();
            assert_eq!(read, Language::from(code));
        }
    }

    #[test]
    fn workflow_ids_are_those_of_the_go_sample() {
        let input = HelloInput {
            name: " Ada Lovelace ".into(),
            language: Language::Es,
        };
        assert_eq!(hello_workflow_id(&input), "hello-es-ada-lovelace");
    }
}
