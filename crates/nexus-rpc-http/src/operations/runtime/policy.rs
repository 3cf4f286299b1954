use std::time::Duration;

use backon::BackoffBuilder;

use crate::pauses::Pauses;

/// A pause that is longer is as good as for ever, and would lead beyond what clocks can tell.
pub(super) const LONGEST_PAUSE: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// How results are delivered to callbacks.
///
/// A delivery that fails is tried again, as long as the receiver's answer allows: after a 4xx in the draft dialect never, in the current one
/// as the type of the error or its override has it. The pauses double, with jitter; a receiver that asks for a longer one (`Retry-After`)
/// gets it, up to the longest. A server that does not answer at all gets a pause for all deliveries together (a circuit breaker), then one
/// delivery to try.
#[derive(Debug, Clone)]
#[must_use]
pub struct DeliveryPolicy {
    pub(super) concurrency: usize,
    pub(super) per_destination: usize,
    pub(super) timeout: Duration,
    pauses: Pauses,
    pub(super) give_up_after: Duration,
    pub(super) breaker_failures: u32,
    pub(super) breaker_pause: Duration,
}

impl Default for DeliveryPolicy {
    fn default() -> Self {
        Self {
            concurrency: 64,
            per_destination: 8,
            timeout: Duration::from_secs(10),
            pauses: Pauses {
                first: Duration::from_secs(1),
                longest: Duration::from_secs(60 * 60),
            },
            give_up_after: Duration::from_secs(7 * 24 * 60 * 60),
            breaker_failures: 10,
            breaker_pause: Duration::from_secs(30),
        }
    }
}

impl DeliveryPolicy {
    /// The usual.
    pub fn new() -> Self {
        Self::default()
    }

    /// Most deliveries at the same time. Default: 64.
    pub fn concurrency(mut self, deliveries: usize) -> Self {
        self.concurrency = deliveries.max(1);
        self
    }

    /// Most deliveries to one server (scheme, host and port) at the same time. Default: 8.
    pub fn per_destination(mut self, deliveries: usize) -> Self {
        self.per_destination = deliveries.max(1);
        self
    }

    /// How long to wait for a receiver's answer. Default: 10 s.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// The first pause between attempts. Default: 1 s.
    pub fn first_pause(mut self, pause: Duration) -> Self {
        self.pauses.first = pause;
        self
    }

    /// The longest pause between attempts, without jitter. Default: 1 hour.
    pub fn longest_pause(mut self, pause: Duration) -> Self {
        self.pauses.longest = pause;
        self
    }

    /// How long after the end of an operation its delivery is given up. Default: 7 days.
    pub fn give_up_after(mut self, time: Duration) -> Self {
        self.give_up_after = time;
        self
    }

    /// How many attempts in a row must fail until a server gets a pause, and how long it is. Default: 10, 30 s.
    pub fn breaker(mut self, failures: u32, pause: Duration) -> Self {
        self.breaker_failures = failures.max(1);
        self.breaker_pause = pause;
        self
    }

    /// The pause after an attempt that followed on `failures` others, when the receiver `asked` for one (`Retry-After`).
    pub(super) fn pause(&self, failures: u32, asked: Option<Duration>) -> Duration {
        let usual = self.usual_pause(failures);
        self.pauses.or_as_asked(usual, asked).min(LONGEST_PAUSE)
    }

    fn usual_pause(&self, failures: u32) -> Duration {
        /// From here on even a pause of a nanosecond is longer than a lifetime.
        const MOST_DOUBLINGS: u32 = 64;
        let Pauses { first, longest } = self.pauses;
        self.pauses
            .builder()
            .without_max_times()
            .build()
            .nth(failures.min(MOST_DOUBLINGS) as usize)
            .unwrap_or(longest.max(first))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Those that docs/protocol.md speaks of.
    #[test]
    fn a_receiver_that_is_down_is_given_a_week() {
        let policy = DeliveryPolicy::default();
        let day = Duration::from_secs(24 * 60 * 60);
        assert_eq!(policy.give_up_after, 7 * day);
        assert_eq!(policy.breaker_failures, 10);
        assert_eq!(policy.breaker_pause, Duration::from_secs(30));
    }

    #[test]
    fn a_pause_is_never_longer_than_clocks_can_tell() {
        let policy = DeliveryPolicy::default().first_pause(Duration::MAX);
        let pause = policy.pause(3, None);
        assert!(std::time::SystemTime::now().checked_add(pause).is_some());
    }

    #[test]
    fn pauses_double_up_to_the_longest() {
        let policy = DeliveryPolicy::default().longest_pause(Duration::from_secs(60));
        for (failures, seconds) in [(0, 1), (1, 2), (5, 32), (6, 60), (1000, 60), (u32::MAX, 60)] {
            let pause = policy.pause(failures, None);
            let least = Duration::from_secs(seconds);
            // The jitter adds less than the pause itself.
            assert!(
                (least..=least * 2).contains(&pause),
                "{failures}: {pause:?}"
            );
        }
    }
}
