//! What is known of the servers that callbacks lead to: how busy they are, and whether they answer.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use super::{DeliveryPolicy, policy::LONGEST_PAUSE};

/// Servers with a delivery on its way, or whose last delivery failed. The others are not kept.
#[derive(Debug)]
pub(super) struct Destinations {
    limit: usize,
    failures: u32,
    pause: Duration,
    known: Mutex<HashMap<String, Destination>>,
}

#[derive(Debug, Default)]
struct Destination {
    in_flight: usize,
    /// Attempts that failed in a row.
    failures: u32,
    /// Nothing is sent before (the breaker is open).
    closed_until: Option<Instant>,
    /// With nothing to do since its last failure it is as good as unknown then.
    known_until: Option<Instant>,
}

impl Destinations {
    pub(super) fn new(policy: &DeliveryPolicy) -> Self {
        Self {
            limit: policy.per_destination,
            failures: policy.breaker_failures,
            pause: policy.breaker_pause.min(LONGEST_PAUSE),
            known: Mutex::default(),
        }
    }

    /// How much of the capacity of each is used.
    pub(super) fn used(&self) -> HashMap<String, usize> {
        self.used_at(Instant::now())
    }

    fn used_at(&self, now: Instant) -> HashMap<String, usize> {
        let mut known = self.lock();
        known.retain(|_, destination| {
            destination.in_flight > 0 || destination.known_until.is_some_and(|until| now < until)
        });
        let used = |destination: &Destination| match destination.closed_until {
            Some(until) if now < until => usize::MAX,
            // One to try.
            Some(_) if destination.in_flight == 0 => self.limit.saturating_sub(1),
            Some(_) => usize::MAX,
            None => destination.in_flight,
        };
        known
            .iter()
            .map(|(name, destination)| (name.clone(), used(destination)))
            .collect()
    }

    pub(super) fn begun(&self, name: &str) {
        self.lock().entry(name.to_owned()).or_default().in_flight += 1;
    }

    /// Notes that an attempt reached the server. Returns whether it did not answer before.
    pub(super) fn answered(&self, name: &str) -> bool {
        let mut known = self.lock();
        let Some(destination) = known.get_mut(name) else {
            return false;
        };
        destination.in_flight -= 1;
        destination.failures = 0;
        let was_closed = destination.closed_until.take().is_some();
        if destination.in_flight == 0 {
            known.remove(name);
        }
        was_closed
    }

    /// Notes that an attempt did not reach the server. Returns how long to leave it alone, if that is to begin now.
    pub(super) fn failed(&self, name: &str) -> Option<Duration> {
        self.failed_at(name, Instant::now())
    }

    fn failed_at(&self, name: &str, now: Instant) -> Option<Duration> {
        let mut known = self.lock();
        let destination = known.get_mut(name)?;
        destination.in_flight -= 1;
        destination.failures = destination.failures.saturating_add(1);
        destination.known_until = now.checked_add(self.pause * 11);
        let is_closed = destination.closed_until.is_some_and(|until| now < until);
        if destination.failures < self.failures || is_closed {
            return None;
        }
        destination.closed_until = now.checked_add(self.pause);
        Some(self.pause)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Destination>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAUSE: Duration = Duration::from_secs(30);

    fn destinations() -> Destinations {
        Destinations::new(&DeliveryPolicy::new().per_destination(4).breaker(2, PAUSE))
    }

    #[test]
    fn a_server_that_does_not_answer_gets_a_pause_and_then_one_to_try() {
        let (all, now) = (destinations(), Instant::now());
        for _ in 0..3 {
            all.begun("a");
        }
        assert_eq!(all.used_at(now)["a"], 3);
        assert_eq!(all.failed_at("a", now), None);
        assert_eq!(all.failed_at("a", now), Some(PAUSE));
        // The third was on its way already.
        assert_eq!(all.failed_at("a", now), None);
        assert_eq!(all.used_at(now)["a"], usize::MAX);
        let later = now + PAUSE;
        assert_eq!(all.used_at(later)["a"], 3);
        all.begun("a");
        assert_eq!(all.used_at(later)["a"], usize::MAX);
        assert_eq!(all.failed_at("a", later), Some(PAUSE));
        assert_eq!(all.used_at(later)["a"], usize::MAX);
        all.begun("a");
        assert!(all.answered("a"));
        assert!(all.used_at(later).is_empty());
    }

    #[test]
    fn one_success_makes_up_for_failures() {
        let (all, now) = (destinations(), Instant::now());
        for _ in 0..5 {
            all.begun("a");
            assert_eq!(all.failed_at("a", now), None);
            all.begun("a");
            assert!(!all.answered("a"));
        }
    }

    #[test]
    fn those_without_a_use_are_forgotten() {
        let (all, now) = (destinations(), Instant::now());
        for n in 0..100 {
            let name = n.to_string();
            all.begun(&name);
            all.failed_at(&name, now);
            all.begun(&name);
            all.failed_at(&name, now);
        }
        all.begun("once");
        all.failed_at("once", now);
        assert_eq!(all.used_at(now).len(), 101);
        assert_eq!(all.used_at(now + PAUSE * 12).len(), 0);
    }

    #[test]
    fn a_pause_for_ever_is_no_overflow() {
        let all = Destinations::new(&DeliveryPolicy::new().breaker(1, Duration::MAX / 8));
        all.begun("a");
        all.failed("a");
        assert_eq!(all.used()["a"], usize::MAX);
    }
}
