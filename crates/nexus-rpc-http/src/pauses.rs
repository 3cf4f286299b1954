//! Pauses between attempts.

use std::time::Duration;

use backon::ExponentialBuilder;

/// Pauses that double, with jitter, from the first to the longest.
#[derive(Debug, Clone)]
pub(crate) struct Pauses {
    pub(crate) first: Duration,
    pub(crate) longest: Duration,
}

impl Pauses {
    /// Builds them; how many there are is left to say.
    pub(crate) fn builder(&self) -> ExponentialBuilder {
        ExponentialBuilder::new()
            .with_jitter()
            .with_factor(2.0)
            .with_min_delay(self.first)
            .with_max_delay(self.longest.max(self.first))
    }

    /// `usual`, or as long as the other side `asked` for (`Retry-After`), but no longer than the longest on that account.
    pub(crate) fn or_as_asked(&self, usual: Duration, asked: Option<Duration>) -> Duration {
        usual.max(asked.unwrap_or_default().min(self.longest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_pause_bounds_what_is_asked_for() {
        let [short, long, longest] = [1, 5, 10].map(Duration::from_secs);
        let pauses = Pauses {
            first: short,
            longest,
        };
        assert_eq!(pauses.or_as_asked(short, None), short);
        assert_eq!(pauses.or_as_asked(short, Some(long)), long);
        assert_eq!(pauses.or_as_asked(long, Some(short)), long);
        assert_eq!(pauses.or_as_asked(short, Some(Duration::MAX)), longest);
    }
}
