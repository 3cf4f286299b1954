use std::{fmt, str::FromStr};

/// A version of the protocol.
///
/// They differ in paths, in the form of failures, and in what can be asked about a started operation:
///
/// | | [`Current`](Self::Current) | [`Draft`](Self::Draft) |
/// |---|---|---|
/// | start | `POST /{service}/{operation}` | `POST /api/v1/services/{service}/operations/{operation}[/{id}]` |
/// | names | any characters, percent-encoded | letters, digits, `-` `.` `_` `~` |
/// | reference of an operation | token, made by the handler | id, made by the handler or the caller |
/// | failed or canceled | status 424 | status 482 |
/// | result, state | by callback only | by callback, or `GET` with waiting |
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Dialect {
    /// The first draft of the specification (2023-08), with operation ids in the path, get-info and get-result.
    Draft,
    /// The specification as it is now, which Temporal's server speaks.
    #[default]
    Current,
}

impl Dialect {
    /// Query parameter of a start request with the URL to call when the operation has ended.
    pub(crate) fn callback_parameter(self) -> &'static str {
        match self {
            Self::Draft => "callback_url",
            Self::Current => "callback",
        }
    }

    /// Status of an operation that ended without a result.
    pub(crate) fn unsuccessful_status(self) -> http::StatusCode {
        match self {
            Self::Draft => crate::status::OPERATION_FAILED,
            Self::Current => http::StatusCode::FAILED_DEPENDENCY,
        }
    }
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Draft => "draft",
            Self::Current => "current",
        })
    }
}

impl FromStr for Dialect {
    type Err = UnknownDialect;

    /// Reads what [`Display`](fmt::Display) writes: `draft` or `current`.
    fn from_str(name: &str) -> Result<Self, UnknownDialect> {
        match name {
            "draft" => Ok(Self::Draft),
            "current" => Ok(Self::Current),
            _ => Err(UnknownDialect(())),
        }
    }
}

/// The name of no dialect.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown dialect, it is `draft` or `current`")]
pub struct UnknownDialect(());

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        for dialect in [Dialect::Draft, Dialect::Current] {
            assert_eq!(dialect.to_string().parse(), Ok(dialect));
        }
        let error = "newest".parse::<Dialect>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "unknown dialect, it is `draft` or `current`"
        );
    }
}
