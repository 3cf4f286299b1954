//! Completions: from this sender to the peer's receiver, and the other way around.

mod received;
mod refusals;
mod sent;
mod unsuccessful;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A time of full seconds, which is all that the header of the start has.
fn start_time() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_700_000_000)
}

/// A time of full milliseconds.
fn close_time() -> SystemTime {
    start_time() + Duration::from_millis(65_432)
}

const START_TIME: &str = "2023-11-14T22:13:20Z";
const CLOSE_TIME: &str = "2023-11-14T22:14:25.432Z";
