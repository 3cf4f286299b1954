use std::fmt;

/// The reference of a started operation: what the caller holds to cancel it.
///
/// Made by the handler, opaque to everybody else. It holds 1 to [`MAX_LENGTH`](Self::MAX_LENGTH) bytes that are valid in an HTTP header
/// value: visible ASCII, with spaces and tabs inside only.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct OperationToken(String);

impl OperationToken {
    /// Longest token in bytes: the limit of Temporal's server.
    pub const MAX_LENGTH: usize = 4096;

    /// Checks `token` and wraps it.
    ///
    /// ```
    /// use nexus_rpc::OperationToken;
    ///
    /// assert_eq!(OperationToken::new("order-17").unwrap().as_str(), "order-17");
    /// assert!(OperationToken::new("").is_err());
    /// ```
    pub fn new(token: impl Into<String>) -> Result<Self, InvalidToken> {
        let token = token.into();
        if token.is_empty() {
            return Err(InvalidToken::Empty);
        }
        if token.len() > Self::MAX_LENGTH {
            return Err(InvalidToken::TooLong {
                length: token.len(),
            });
        }
        let bytes = token.as_bytes();
        let last = bytes.len() - 1;
        let refused = bytes.iter().enumerate().find(|&(at, byte)| match byte {
            b' ' | b'\t' => at == 0 || at == last,
            byte => !byte.is_ascii_graphic(),
        });
        match refused {
            Some((at, _)) => Err(InvalidToken::Character { at }),
            None => Ok(Self(token)),
        }
    }

    /// The token as it is on the wire.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Unwraps the token.
    #[must_use]
    pub fn into_string(self) -> String {
        self.0
    }
}

impl fmt::Display for OperationToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl AsRef<str> for OperationToken {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

/// A string that cannot be an [`OperationToken`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidToken {
    /// The token has no characters.
    #[error("operation token is empty")]
    Empty,
    /// The token has more than [`OperationToken::MAX_LENGTH`] bytes.
    #[error(
        "operation token has {length} bytes, the limit is {}",
        OperationToken::MAX_LENGTH
    )]
    TooLong {
        /// Length of the refused token in bytes.
        length: usize,
    },
    /// The token has a character that no HTTP header value may hold there.
    #[error("operation token has a character at byte {at} that a header value cannot hold")]
    Character {
        /// Offset of the first such byte.
        at: usize,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_must_fit_into_a_header_value() {
        for good in ["a", "a b", "a\tb", "eyJ0IjoxfQ", "~!@#$%^&*()"] {
            assert_eq!(OperationToken::new(good).unwrap().as_str(), good);
        }
        for (bad, at) in [
            (" a", 0),
            ("a ", 1),
            ("a\n", 1),
            ("a\r\nb", 1),
            ("\0", 0),
            ("aé", 1),
        ] {
            assert_eq!(
                OperationToken::new(bad),
                Err(InvalidToken::Character { at }),
                "{bad:?}"
            );
        }
    }

    #[test]
    fn tokens_have_a_limit() {
        assert!(OperationToken::new("x".repeat(4096)).is_ok());
        assert_eq!(
            OperationToken::new("x".repeat(4097)),
            Err(InvalidToken::TooLong { length: 4097 })
        );
    }
}
