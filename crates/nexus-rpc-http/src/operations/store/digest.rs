//! Keys of fixed length, and times as numbers.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nexus_rpc::Content;
use sha2::{Digest, Sha256};

use crate::operations::OperationKey;

/// Half of a SHA-256: short enough for an index, too long to be met by chance or by trying.
pub(super) type Short = [u8; 16];

/// Most callbacks of one operation.
pub(super) const MAX_CALLBACKS: usize = 32;
/// How long an operation with deliveries left is kept beyond its time, in milliseconds.
pub(super) const KEEP_LONGER: u64 = 60 * 60 * 1000;

fn hash<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> [u8; 32] {
    let mut sha = Sha256::new();
    for part in parts {
        // With its length, so that no two lists run into the same bytes.
        sha.update((part.len() as u64).to_be_bytes());
        sha.update(part);
    }
    sha.finalize().into()
}

fn short<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Short {
    let mut short = Short::default();
    short.copy_from_slice(&hash(parts)[..size_of::<Short>()]);
    short
}

#[cfg(feature = "redb")]
pub(super) fn of_key(key: &OperationKey) -> Short {
    let names = [
        &*key.tenant,
        &key.service,
        &key.operation,
        key.token.as_str(),
    ];
    short(names.map(str::as_bytes))
}

pub(super) fn of_request(key: &OperationKey, request_id: &str) -> Short {
    let names = [&*key.tenant, &key.service, &key.operation, request_id];
    short(names.map(str::as_bytes))
}

pub(super) fn of_destination(destination: &str) -> Short {
    short([destination.as_bytes()])
}

/// Tells inputs apart when they are not kept any more.
pub(super) fn of_content(content: &Content) -> [u8; 32] {
    let headers = content.headers.iter();
    let headers = headers.flat_map(|(name, value)| [name.as_bytes(), value.as_bytes()]);
    hash(headers.chain([&*content.data]))
}

pub(super) fn to_millis(time: SystemTime) -> u64 {
    let since_epoch = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX)
}

pub(super) fn from_millis(millis: u64) -> SystemTime {
    UNIX_EPOCH
        .checked_add(Duration::from_millis(millis))
        .unwrap_or(UNIX_EPOCH)
}
