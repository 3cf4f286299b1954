use std::time::Duration;

use backon::BackoffBuilder;

use crate::pauses::Pauses;

/// When to send a failed request again: how often, and after which pauses. The pauses double, with jitter. A server that asks for a longer
/// one (`Retry-After`) gets it, up to the longest.
///
/// Which failures are worth it, the protocol says: see [`ClientError::is_retryable`](super::ClientError::is_retryable).
#[derive(Debug, Clone)]
#[must_use]
pub struct RetryPolicy {
    retries: usize,
    pauses: Pauses,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            retries: 4,
            pauses: Pauses {
                first: Duration::from_millis(100),
                longest: Duration::from_secs(5),
            },
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
        self.pauses.first = pause;
        self
    }

    /// The longest pause. Default: 5 s.
    pub fn longest_pause(mut self, pause: Duration) -> Self {
        self.pauses.longest = pause;
        self
    }

    /// `usual`, or as long as the server `asked` for (`Retry-After`) up to the longest pause.
    pub(super) fn pause(&self, usual: Duration, asked: Option<Duration>) -> Duration {
        self.pauses.or_as_asked(usual, asked)
    }

    /// The pauses between the times that a request is sent.
    pub(super) fn pauses(&self) -> impl Iterator<Item = Duration> + Send {
        self.pauses.builder().with_max_times(self.retries).build()
    }
}
