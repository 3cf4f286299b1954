//! What ends a program, told to the person who ran it.

use crate::chain::chain;
use std::{error::Error as StdError, fmt};

/// What `main` returns.
pub type Result<T = (), E = Error> = std::result::Result<T, E>;

/// A failure that ends the program, and what the program was doing.
///
/// A `main` that returns this error prints its `Debug` form and exits with status 1. That form is
/// therefore written for people: what the program was doing and every cause, on one line unless a
/// cause has advice to give, and no backtrace.
///
/// It is made by [`Context::context`] alone, so that no failure reaches a person without a word
/// about what was attempted.
pub struct Error {
    doing: String,
    cause: Box<dyn StdError + Send + Sync>,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.doing)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&chain(self))
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(&*self.cause)
    }
}

/// Says what the program was doing when something failed.
pub trait Context<T> {
    /// Wraps a failure in an [`Error`] that begins with `doing`, such as `Unable to start worker`.
    ///
    /// # Errors
    ///
    /// The failure of `self`, wrapped.
    fn context(self, doing: impl Into<String>) -> Result<T>;
}

impl<T, E: Into<Box<dyn StdError + Send + Sync>>> Context<T> for Result<T, E> {
    fn context(self, doing: impl Into<String>) -> Result<T> {
        self.map_err(|cause| Error {
            doing: doing.into(),
            cause: cause.into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;

    #[test]
    fn debug_is_what_a_person_reads() {
        let failure: Result = Err(io::Error::other("no more ports")).context("Unable to start");
        let error = failure.unwrap_err();
        assert_eq!(format!("{error:?}"), "Unable to start: no more ports");
        assert_eq!(error.to_string(), "Unable to start");
    }

    #[test]
    fn contexts_nest() {
        let failure: Result = Err("inner").context("middle").context("outer");
        assert_eq!(
            format!("{:?}", failure.unwrap_err()),
            "outer: middle: inner"
        );
    }

    #[test]
    fn success_passes_through() {
        let success = Ok::<_, io::Error>(7).context("never seen");
        assert_eq!(success.unwrap(), 7);
    }
}
