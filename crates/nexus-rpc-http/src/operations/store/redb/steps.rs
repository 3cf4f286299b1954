//! What each method of the store does with the tables.

use std::{collections::HashMap, ops::ControlFlow};

use bytes::Bytes;
use redb::{ReadableTable, ReadableTableMetadata};

use super::{
    Fault,
    record::{Record, StoredCallback, StoredEnd, digest_of},
    tables::Tables,
};
use crate::operations::{
    CallbackTarget, ClaimedOperation, Delivery, DeliveryId, NewOperation, OperationKey,
    store::{
        Canceled, Completed, Created, DeliveryClaim, DueDeliveries, End, Settlement,
        digest::{self, KEEP_LONGER, MAX_CALLBACKS, Short, from_millis, to_millis},
    },
};

impl Tables<'_> {
    pub(super) fn recover(&mut self, now: u64) -> Result<(), Fault> {
        while let Some((id, _)) = self.running.pop_first()? {
            self.waiting.insert(id.value(), ())?;
            self.changed = true;
        }
        loop {
            let first = self.claimed.pop_first()?.map(|(id, _)| id.value());
            let Some((operation, callback)) = first else {
                break;
            };
            let id = DeliveryId {
                operation,
                callback,
            };
            let queued = self.enqueue(id, now);
            readable(operation, queued)?;
            self.changed = true;
        }
        Ok(())
    }

    pub(super) fn create(&mut self, new: &NewOperation, max_open: usize) -> Result<Created, Fault> {
        let mut record = Record::new(new);
        let (key, request) = record.index_keys()?;
        let mut existing = self.keys.get(&key)?.map(|id| id.value());
        if existing.is_none()
            && let Some(request) = &request
        {
            existing = self.requests.get(request)?.map(|id| id.value());
        }
        if let Some(id) = existing {
            return self.repeat(id, new);
        }
        if self.waiting.len()?.saturating_add(self.running.len()?) >= max_open as u64 {
            return Ok(Created::Full);
        }
        let id = self.next_id()?;
        self.keys.insert(&key, id)?;
        if let Some(request) = &request {
            self.requests.insert(request, id)?;
        }
        self.inputs.insert(id, &*new.input.data)?;
        self.waiting.insert(id, ())?;
        if let Some(target) = &new.callback {
            self.add_callback(id, &mut record, target)?;
        }
        self.set_record(id, &record)?;
        self.changed = true;
        Ok(Created::New)
    }

    fn repeat(&mut self, id: u64, new: &NewOperation) -> Result<Created, Fault> {
        let mut record = self.record(id)?;
        if record.digest != digest_of(&new.input) {
            return Ok(Created::Conflict);
        }
        if record.end.is_none()
            && let Some(target) = &new.callback
            && !self.has_callback(id, &record, target)?
        {
            if record.callbacks as usize >= MAX_CALLBACKS {
                return Ok(Created::Full);
            }
            self.add_callback(id, &mut record, target)?;
            self.set_record(id, &record)?;
            self.changed = true;
        }
        let output = self.output(id)?;
        Ok(Created::Existing(Box::new(record.restore(output)?)))
    }

    fn has_callback(
        &self,
        operation: u64,
        record: &Record,
        target: &CallbackTarget,
    ) -> Result<bool, Fault> {
        for callback in 0..record.callbacks {
            let known = self.callback(DeliveryId {
                operation,
                callback,
            })?;
            if known.is_some_and(|known| known.target().callback == target.callback) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn add_callback(
        &mut self,
        operation: u64,
        record: &mut Record,
        target: &CallbackTarget,
    ) -> Result<(), Fault> {
        let callback = record.callbacks;
        record.callbacks += 1;
        let id = DeliveryId {
            operation,
            callback,
        };
        self.set_callback(id, &StoredCallback::new(target))
    }

    fn output(&self, id: u64) -> Result<Bytes, Fault> {
        let output = self.outputs.get(id)?;
        Ok(output.map_or_else(Bytes::new, |data| Bytes::copy_from_slice(data.value())))
    }

    pub(super) fn claim(&mut self, limit: usize) -> Result<Vec<ClaimedOperation>, Fault> {
        let mut claimed = Vec::new();
        while claimed.len() < limit {
            let Some(id) = self.waiting.pop_first()?.map(|(id, _)| id.value()) else {
                break;
            };
            self.changed = true;
            self.running.insert(id, ())?;
            let operation = self.hand_out(id);
            claimed.extend(readable(id, operation)?);
        }
        Ok(claimed)
    }

    fn hand_out(&mut self, id: u64) -> Result<ClaimedOperation, Fault> {
        let mut record = self.record(id)?;
        record.attempt = record.attempt.saturating_add(1);
        self.set_record(id, &record)?;
        let data = self.inputs.get(id)?;
        let data = data.map_or_else(Bytes::new, |data| Bytes::copy_from_slice(data.value()));
        Ok(ClaimedOperation {
            input: record.input(data),
            record: record.restore(Bytes::new())?,
        })
    }

    pub(super) fn release(&mut self, key: &OperationKey) -> Result<(), Fault> {
        let Some(id) = self.id_of(key)? else {
            return Ok(());
        };
        if self.running.remove(id)?.is_some() {
            self.waiting.insert(id, ())?;
            let mut record = self.record(id)?;
            record.interruptions = record.interruptions.saturating_add(1);
            self.set_record(id, &record)?;
            self.changed = true;
        }
        Ok(())
    }

    pub(super) fn cancel(&mut self, key: &OperationKey, unbegun: &End) -> Result<Canceled, Fault> {
        let Some(id) = self.id_of(key)? else {
            return Ok(Canceled::Unknown);
        };
        let mut record = self.record(id)?;
        if record.end.is_some() {
            return Ok(Canceled::AlreadyEnded);
        }
        if record.cancel_requested {
            return Ok(Canceled::Requested);
        }
        self.changed = true;
        record.cancel_requested = true;
        if record.attempt == 0 {
            self.end(id, record, unbegun)?;
            return Ok(Canceled::Ended);
        }
        self.set_record(id, &record)?;
        Ok(Canceled::Requested)
    }

    pub(super) fn complete(&mut self, key: &OperationKey, end: &End) -> Result<Completed, Fault> {
        let Some(id) = self.id_of(key)? else {
            return Ok(Completed::Unknown);
        };
        let record = self.record(id)?;
        if record.end.is_some() {
            return Ok(Completed::AlreadyEnded);
        }
        self.changed = true;
        self.end(id, record, end)?;
        Ok(Completed::Ended)
    }

    fn id_of(&self, key: &OperationKey) -> Result<Option<u64>, Fault> {
        Ok(self.keys.get(&digest::of_key(key))?.map(|id| id.value()))
    }

    fn end(&mut self, id: u64, mut record: Record, end: &End) -> Result<(), Fault> {
        let (stored, output) = StoredEnd::new(&end.ended);
        self.waiting.remove(id)?;
        self.running.remove(id)?;
        self.inputs.remove(id)?;
        record.input_headers.clear();
        if let Some(output) = output {
            self.outputs.insert(id, &**output)?;
        }
        self.expiry.insert((to_millis(end.keep_until), id), ())?;
        for callback in 0..record.callbacks {
            let delivery = DeliveryId {
                operation: id,
                callback,
            };
            self.enqueue(delivery, stored.at)?;
        }
        record.end = Some(stored);
        self.set_record(id, &record)
    }

    pub(super) fn claim_deliveries(
        &mut self,
        claim: &DeliveryClaim,
    ) -> Result<DueDeliveries, Fault> {
        let now = to_millis(claim.now);
        let mut used: HashMap<Short, usize> = claim
            .in_flight
            .iter()
            .map(|(destination, used)| (digest::of_destination(destination), *used))
            .collect();
        let capacity = |used: &HashMap<Short, usize>, destination: &Short| {
            let used = used.get(destination).copied().unwrap_or_default();
            claim.per_destination.saturating_sub(used)
        };
        let mut due = Vec::new();
        self.each_head(|time, destination| {
            if time > now || due.len() >= claim.limit {
                return ControlFlow::Break(());
            }
            if capacity(&used, &destination) > 0 {
                due.push(destination);
            }
            ControlFlow::Continue(())
        })?;
        let mut deliveries = Vec::new();
        for destination in due {
            let most = capacity(&used, &destination).min(claim.limit - deliveries.len());
            if most == 0 {
                break;
            }
            let taken = self.take_due(&destination, now, most)?;
            self.changed = true;
            *used.entry(destination).or_default() += taken.len();
            for id in taken {
                deliveries.extend(readable(id.operation, self.delivery(id))?);
            }
        }
        let mut next = None;
        self.each_head(|time, destination| {
            if capacity(&used, &destination) == 0 {
                return ControlFlow::Continue(());
            }
            next = Some(from_millis(time));
            ControlFlow::Break(())
        })?;
        Ok(DueDeliveries { deliveries, next })
    }

    fn delivery(&self, id: DeliveryId) -> Result<Delivery, Fault> {
        let missing = |what: &str| Fault::Content(format!("a delivery has no {what}").into());
        let callback = self.callback(id)?.ok_or_else(|| missing("callback"))?;
        let record = self.record(id.operation)?;
        let token = record.token()?;
        let end = record.end.ok_or_else(|| missing("result"))?;
        Ok(Delivery {
            id,
            token,
            failures: callback.failures,
            target: callback.target(),
            started_at: from_millis(record.started_at),
            end: end.restore(self.output(id.operation)?),
        })
    }

    pub(super) fn settle(&mut self, id: DeliveryId, settlement: Settlement) -> Result<(), Fault> {
        let claimed = self.claimed.remove((id.operation, id.callback))?.is_some();
        if !claimed {
            return Ok(());
        }
        self.changed = true;
        match settlement {
            Settlement::Done => {
                self.callbacks.remove((id.operation, id.callback))?;
                Ok(())
            }
            Settlement::Failed { retry_at } => {
                if let Some(mut callback) = self.callback(id)? {
                    callback.failures = callback.failures.saturating_add(1);
                    self.set_callback(id, &callback)?;
                }
                self.enqueue(id, to_millis(retry_at))
            }
            Settlement::Deferred { until } => self.enqueue(id, to_millis(until)),
        }
    }

    pub(super) fn postpone(&mut self, destination: &str, until: u64) -> Result<(), Fault> {
        let destination = digest::of_destination(destination);
        if let Some(first) = self.first_due(&destination)? {
            self.changed = true;
            self.set_head(&destination, Some(until.max(first)))?;
        }
        Ok(())
    }

    pub(super) fn purge(&mut self, now: u64, limit: usize) -> Result<usize, Fault> {
        let mut over = Vec::new();
        for entry in self.expiry.range(..=(now, u64::MAX))?.take(limit) {
            over.push(entry?.0.value());
        }
        self.changed |= !over.is_empty();
        for &(time, id) in &over {
            self.expiry.remove((time, id))?;
            let mut left = self.callbacks.range((id, 0)..=(id, u32::MAX))?;
            let is_left = left.next().transpose()?.is_some();
            drop(left);
            if is_left {
                let later = now.saturating_add(KEEP_LONGER);
                self.expiry.insert((later, id), ())?;
                continue;
            }
            let keys = self.record(id).and_then(|record| record.index_keys());
            if let Some((key, request)) = readable(id, keys)? {
                self.keys.remove(&key)?;
                if let Some(request) = &request {
                    self.requests.remove(request)?;
                }
            }
            self.records.remove(id)?;
            self.outputs.remove(id)?;
        }
        Ok(over.len())
    }

    fn each_head(&self, mut visit: impl FnMut(u64, Short) -> ControlFlow<()>) -> Result<(), Fault> {
        for head in self.heads.iter()? {
            let head = head?;
            let (time, destination) = head.0.value();
            if visit(time, *destination).is_break() {
                break;
            }
        }
        Ok(())
    }
}

/// `None`: what is kept of the operation is damaged. It stays where it is until the store is recovered, and holds up no other.
fn readable<T>(operation: u64, read: Result<T, Fault>) -> Result<Option<T>, Fault> {
    match read {
        Ok(value) => Ok(Some(value)),
        Err(Fault::Content(error)) => {
            let error = &*error as &dyn std::error::Error;
            tracing::error!(operation, error, "an operation in the store is damaged");
            Ok(None)
        }
        Err(fault) => Err(fault),
    }
}
