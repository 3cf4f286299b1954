//! Deliveries that wait.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::Short;
use crate::operations::DeliveryId;

/// Deliveries by destination and time, and the destinations by the time of their first. Times are in milliseconds.
#[derive(Debug, Default)]
pub(super) struct Queues {
    due: BTreeMap<Short, BTreeSet<(u64, DeliveryId)>>,
    heads: BTreeSet<(u64, Short)>,
    head_of: HashMap<Short, u64>,
    claimed: BTreeSet<DeliveryId>,
}

impl Queues {
    pub(super) fn len(&self) -> usize {
        self.due.values().map(BTreeSet::len).sum::<usize>() + self.claimed.len()
    }

    pub(super) fn add(&mut self, destination: Short, time: u64, id: DeliveryId) {
        let queue = self.due.entry(destination).or_default();
        let first = queue.first().map(|(time, _)| *time);
        queue.insert((time, id));
        match self.head_of.get(&destination) {
            // It may have been postponed beyond its first delivery; a later one changes nothing about that.
            Some(head) if first.is_some_and(|first| first <= time) || *head <= time => {}
            _ => self.set_head(destination, Some(time)),
        }
    }

    fn set_head(&mut self, destination: Short, time: Option<u64>) {
        if let Some(head) = self.head_of.remove(&destination) {
            self.heads.remove(&(head, destination));
        }
        if let Some(time) = time {
            self.head_of.insert(destination, time);
            self.heads.insert((time, destination));
        }
    }

    pub(super) fn postpone(&mut self, destination: Short, until: u64) {
        let queue = self.due.get(&destination);
        if let Some((first, _)) = queue.and_then(BTreeSet::first) {
            self.set_head(destination, Some(until.max(*first)));
        }
    }

    /// Destinations with a delivery that is due, the longest-waiting first.
    pub(super) fn due_by(&self, now: u64) -> Vec<Short> {
        let due = self.heads.range(..=(now, [u8::MAX; 16]));
        due.map(|(_, destination)| *destination).collect()
    }

    /// When the first delivery is due of those whose destination will do.
    pub(super) fn first(&self, will_do: impl Fn(&Short) -> bool) -> Option<u64> {
        let mut heads = self.heads.iter();
        heads
            .find(|(_, destination)| will_do(destination))
            .map(|(time, _)| *time)
    }

    /// Takes up to `most` deliveries that are due.
    pub(super) fn take(&mut self, destination: Short, now: u64, most: usize) -> Vec<DeliveryId> {
        let Some(queue) = self.due.get_mut(&destination) else {
            return Vec::new();
        };
        let mut taken = Vec::new();
        while taken.len() < most
            && queue.first().is_some_and(|(time, _)| *time <= now)
            && let Some((_, id)) = queue.pop_first()
        {
            taken.push(id);
        }
        let first = queue.first().map(|(time, _)| *time);
        if first.is_none() {
            self.due.remove(&destination);
        }
        self.set_head(destination, first);
        self.claimed.extend(&taken);
        taken
    }

    pub(super) fn unclaim(&mut self, id: DeliveryId) -> bool {
        self.claimed.remove(&id)
    }

    pub(super) fn take_claimed(&mut self) -> BTreeSet<DeliveryId> {
        std::mem::take(&mut self.claimed)
    }
}
