//! Rules for the names of services and operations.
//!
//! A name must not be empty, must have at most [`MAX_NAME_LENGTH`] bytes (the limit of Temporal's server for either), and must not
//! start with [`RESERVED_PREFIX`], which Temporal keeps for itself. Beyond that any characters will do; transports may narrow this.

/// Longest name of a service or an operation, in bytes.
pub const MAX_NAME_LENGTH: usize = 1000;

/// Names with this prefix are Temporal's own.
pub const RESERVED_PREFIX: &str = "__temporal_";

/// A name that cannot be that of a service or an operation.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidName {
    /// The name has no characters.
    #[error("name is empty")]
    Empty,
    /// The name has more than [`MAX_NAME_LENGTH`] bytes.
    #[error("name has {length} bytes, the limit is {MAX_NAME_LENGTH}")]
    TooLong {
        /// Length of the refused name in bytes.
        length: usize,
    },
    /// The name starts with [`RESERVED_PREFIX`].
    #[error("name {name:?} starts with {RESERVED_PREFIX:?}, which is reserved for Temporal")]
    Reserved {
        /// The refused name.
        name: String,
    },
}

/// Checks the name of a service or an operation against the rules of this module.
///
/// ```
/// use nexus_rpc::name::{InvalidName, validate};
///
/// assert_eq!(validate("say-hello"), Ok(()));
/// assert_eq!(validate(""), Err(InvalidName::Empty));
/// ```
pub fn validate(name: &str) -> Result<(), InvalidName> {
    if name.is_empty() {
        return Err(InvalidName::Empty);
    }
    if name.len() > MAX_NAME_LENGTH {
        return Err(InvalidName::TooLong { length: name.len() });
    }
    if name.starts_with(RESERVED_PREFIX) {
        return Err(InvalidName::Reserved {
            name: name.to_owned(),
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn length_is_counted_in_bytes() {
        assert_eq!(validate(&"é".repeat(500)), Ok(()));
        assert_eq!(
            validate(&"é".repeat(501)),
            Err(InvalidName::TooLong { length: 1002 })
        );
    }

    #[test]
    fn reserved_prefix_is_refused_and_named() {
        let error = validate("__temporal_system").unwrap_err();
        assert_eq!(
            error.to_string(),
            r#"name "__temporal_system" starts with "__temporal_", which is reserved for Temporal"#
        );
        assert_eq!(validate("_temporal_system"), Ok(()));
    }
}
