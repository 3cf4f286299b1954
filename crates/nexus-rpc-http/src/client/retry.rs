use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};

use crate::retry_after;

/// When to send a failed request again: how often, and after which pauses. The pauses double, with jitter. A server that asks for a longer
/// one (`Retry-After`) gets it, up to the longest.
///
/// Which failures are worth it, the protocol says: see [`ClientError::is_retryable`](super::ClientError::is_retryable).
#[derive(Debug, Clone)]
#[must_use]
pub struct RetryPolicy {
    retries: usize,
    first_pause: Duration,
    longest_pause: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            retries: 4,
            first_pause: Duration::from_millis(100),
            longest_pause: Duration::from_secs(5),
        }
    }
}

impl RetryPolicy {
    /// Sends every request once.
    pub fn none() -> Self {
        Self {
            retries: 0,
            ..Self::default()
        }
    }

    /// How often to send a request again. Default: 4.
    pub fn retries(mut self, retries: usize) -> Self {
        self.retries = retries;
        self
    }

    /// The first pause. Default: 100 ms.
    pub fn first_pause(mut self, pause: Duration) -> Self {
        self.first_pause = pause;
        self
    }

    /// The longest pause. Default: 5 s.
    pub fn longest_pause(mut self, pause: Duration) -> Self {
        self.longest_pause = pause;
        self
    }

    /// `usual`, or as long as the server `asked` for (`Retry-After`) up to the longest pause.
    pub(super) fn pause(&self, usual: Duration, asked: Option<Duration>) -> Duration {
        retry_after::pause(usual, asked, self.longest_pause)
    }

    /// The pauses between the times that a request is sent.
    pub(super) fn pauses(&self) -> impl Iterator<Item = Duration> + Send {
        ExponentialBuilder::new()
            .with_jitter()
            .with_factor(2.0)
            .with_min_delay(self.first_pause)
            .with_max_delay(self.longest_pause.max(self.first_pause))
            .with_max_times(self.retries)
            .build()
    }
}
