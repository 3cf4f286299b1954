use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
};

use nexus_rpc::content::BoxError;

/// A file that cannot be used as a store.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Another process, or this one, has it open.
    #[error("operation store {path:?} is in use: stop the other process or choose another file")]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// It is damaged, or no store.
    #[error(
        "operation store {path:?} is damaged or no operation store: restore a copy of it, or move it away to begin anew"
    )]
    Corrupted {
        /// The file.
        path: PathBuf,
        /// What was found.
        source: BoxError,
    },
    /// It was written by a version of this library that has another format.
    #[error("operation store {path:?} has format {found}, this version reads {expected}")]
    Format {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u64,
        /// The format of this version.
        expected: u64,
    },
    /// The file or its directory cannot be read or written.
    #[error("cannot open operation store {path:?}")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: BoxError,
    },
}

impl OpenError {
    pub(super) fn new(path: PathBuf, fault: Fault) -> Self {
        let source = match fault {
            Fault::Storage(error) => match *error {
                redb::Error::DatabaseAlreadyOpen => return Self::InUse { path },
                redb::Error::Io(source) if is_of_file_system(&source) => {
                    let source = source.into();
                    return Self::Io { path, source };
                }
                error => error.into(),
            },
            fault => fault.into(),
        };
        Self::Corrupted { path, source }
    }
}

/// A file that ends early or is something else altogether is an error of I/O as well.
fn is_of_file_system(error: &io::Error) -> bool {
    !matches!(
        error.kind(),
        io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof
    )
}

/// Why a step was not taken.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    #[error(transparent)]
    Storage(Box<redb::Error>),
    #[error("the operation store is closed")]
    Closed,
    #[error("the database cannot make sense of its file")]
    Panicked,
    #[error("unexpected content: {0}")]
    Content(BoxError),
}

impl Fault {
    /// Whether it comes of a write that failed, and is over when the database has been opened again.
    pub(super) fn ends_with_reopening(&self) -> bool {
        match self {
            Self::Storage(error) => matches!(**error, redb::Error::PreviousIo),
            Self::Closed => true,
            Self::Panicked | Self::Content(_) => false,
        }
    }
}

/// The database panics over some kinds of damage.
pub(super) fn contain_panic<T, E: From<Fault>>(
    step: impl FnOnce() -> Result<T, E>,
) -> Result<T, E> {
    catch_unwind(AssertUnwindSafe(step)).unwrap_or_else(|_| Err(Fault::Panicked.into()))
}

macro_rules! storage_faults {
    ($($error:ident)*) => {
        $(impl From<redb::$error> for Fault {
            fn from(error: redb::$error) -> Self {
                match redb::Error::from(error) {
                    error @ redb::Error::Corrupted(_) => Self::Content(error.into()),
                    error => Self::Storage(Box::new(error)),
                }
            }
        })*
    };
}

storage_faults!(DatabaseError StorageError TableError TransactionError CommitError SetDurabilityError);
