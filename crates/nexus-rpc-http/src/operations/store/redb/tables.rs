//! The tables of a store.

use redb::{AccessGuard, ReadableTable, Table, TableDefinition, WriteTransaction};
use serde::{Serialize, de::DeserializeOwned};

use super::{
    Fault,
    record::{Record, StoredCallback},
};
use crate::operations::{
    DeliveryId,
    store::digest::{self, Short},
};

/// Version of the tables and records: raise it with a change that older code would misread.
pub(super) const FORMAT: u64 = 1;

/// Number of an operation: they count up, so that new ones stand together.
type Id = u64;
/// Milliseconds since 1970.
type Millis = u64;
type Hash = &'static Short;
type Bytes = &'static [u8];

pub(super) const META: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");
pub(super) const FORMAT_KEY: &str = "format";
const LAST_ID: &str = "last-id";
pub(super) const LAST_COMMIT: &str = "last-commit";

pub(super) const KEYS: TableDefinition<'_, Hash, Id> = TableDefinition::new("keys");
const REQUESTS: TableDefinition<'_, Hash, Id> = TableDefinition::new("requests");
pub(super) const RECORDS: TableDefinition<'_, Id, Bytes> = TableDefinition::new("records");
const INPUTS: TableDefinition<'_, Id, Bytes> = TableDefinition::new("inputs");
pub(super) const OUTPUTS: TableDefinition<'_, Id, Bytes> = TableDefinition::new("outputs");
pub(super) const WAITING: TableDefinition<'_, Id, ()> = TableDefinition::new("waiting");
pub(super) const RUNNING: TableDefinition<'_, Id, ()> = TableDefinition::new("running");
pub(super) const EXPIRY: TableDefinition<'_, (Millis, Id), ()> = TableDefinition::new("expiry");
const CALLBACKS: TableDefinition<'_, (Id, u32), Bytes> = TableDefinition::new("callbacks");
/// Deliveries by destination and time, …
pub(super) const DUE: TableDefinition<'_, (Hash, Millis, Id, u32), ()> =
    TableDefinition::new("due");
/// … the destinations by the time of their first, …
const HEADS: TableDefinition<'_, (Millis, Hash), ()> = TableDefinition::new("heads");
/// … that time by destination, …
const HEAD_OF: TableDefinition<'_, Hash, Millis> = TableDefinition::new("head-of");
/// … and the deliveries that were handed out.
pub(super) const CLAIMED: TableDefinition<'_, (Id, u32), ()> = TableDefinition::new("claimed");

/// All tables, open for writing.
pub(super) struct Tables<'txn> {
    pub(super) meta: Table<'txn, &'static str, u64>,
    pub(super) keys: Table<'txn, Hash, Id>,
    pub(super) requests: Table<'txn, Hash, Id>,
    pub(super) records: Table<'txn, Id, Bytes>,
    pub(super) inputs: Table<'txn, Id, Bytes>,
    pub(super) outputs: Table<'txn, Id, Bytes>,
    pub(super) waiting: Table<'txn, Id, ()>,
    pub(super) running: Table<'txn, Id, ()>,
    pub(super) expiry: Table<'txn, (Millis, Id), ()>,
    pub(super) callbacks: Table<'txn, (Id, u32), Bytes>,
    pub(super) due: Table<'txn, (Hash, Millis, Id, u32), ()>,
    pub(super) heads: Table<'txn, (Millis, Hash), ()>,
    pub(super) head_of: Table<'txn, Hash, Millis>,
    pub(super) claimed: Table<'txn, (Id, u32), ()>,
    /// Whether there is anything to commit.
    pub(super) changed: bool,
}

impl<'txn> Tables<'txn> {
    pub(super) fn open(transaction: &'txn WriteTransaction) -> Result<Self, Fault> {
        Ok(Self {
            meta: transaction.open_table(META)?,
            keys: transaction.open_table(KEYS)?,
            requests: transaction.open_table(REQUESTS)?,
            records: transaction.open_table(RECORDS)?,
            inputs: transaction.open_table(INPUTS)?,
            outputs: transaction.open_table(OUTPUTS)?,
            waiting: transaction.open_table(WAITING)?,
            running: transaction.open_table(RUNNING)?,
            expiry: transaction.open_table(EXPIRY)?,
            callbacks: transaction.open_table(CALLBACKS)?,
            due: transaction.open_table(DUE)?,
            heads: transaction.open_table(HEADS)?,
            head_of: transaction.open_table(HEAD_OF)?,
            claimed: transaction.open_table(CLAIMED)?,
            changed: false,
        })
    }

    pub(super) fn next_id(&mut self) -> Result<Id, Fault> {
        self.next(LAST_ID)
    }

    /// The number by which this commit is known again.
    pub(super) fn next_commit(&mut self) -> Result<u64, Fault> {
        self.next(LAST_COMMIT)
    }

    fn next(&mut self, counter: &str) -> Result<u64, Fault> {
        let last = self.meta.get(counter)?.map_or(0, |last| last.value());
        self.meta.insert(counter, last + 1)?;
        Ok(last + 1)
    }

    pub(super) fn record(&self, id: Id) -> Result<Record, Fault> {
        read(self.records.get(id)?, "record")
    }

    pub(super) fn set_record(&mut self, id: Id, record: &Record) -> Result<(), Fault> {
        self.records.insert(id, &*to_json(record)?)?;
        Ok(())
    }

    pub(super) fn callback(&self, id: DeliveryId) -> Result<Option<StoredCallback>, Fault> {
        match self.callbacks.get((id.operation, id.callback))? {
            None => Ok(None),
            json => read(json, "callback").map(Some),
        }
    }

    pub(super) fn set_callback(
        &mut self,
        id: DeliveryId,
        callback: &StoredCallback,
    ) -> Result<(), Fault> {
        let json = to_json(callback)?;
        self.callbacks.insert((id.operation, id.callback), &*json)?;
        Ok(())
    }

    /// Lets a delivery be due at `time`.
    pub(super) fn enqueue(&mut self, id: DeliveryId, time: Millis) -> Result<(), Fault> {
        let Some(callback) = self.callback(id)? else {
            return Ok(());
        };
        let destination = digest::of_destination(&callback.destination);
        let first = self.first_due(&destination)?;
        self.due
            .insert((&destination, time, id.operation, id.callback), ())?;
        let head = self.head_of.get(&destination)?.map(|head| head.value());
        match head {
            // It may have been postponed beyond its first delivery; a later one changes nothing about that.
            Some(head) if first.is_some_and(|first| first <= time) || head <= time => Ok(()),
            _ => self.set_head(&destination, Some(time)),
        }
    }

    pub(super) fn set_head(
        &mut self,
        destination: &Short,
        time: Option<Millis>,
    ) -> Result<(), Fault> {
        let head = self.head_of.remove(destination)?.map(|head| head.value());
        if let Some(head) = head {
            self.heads.remove((head, destination))?;
        }
        if let Some(time) = time {
            self.head_of.insert(destination, time)?;
            self.heads.insert((time, destination), ())?;
        }
        Ok(())
    }

    pub(super) fn first_due(&self, destination: &Short) -> Result<Option<Millis>, Fault> {
        let range = (destination, 0, 0, 0)..=(destination, Millis::MAX, Id::MAX, u32::MAX);
        match self.due.range(range)?.next() {
            Some(entry) => Ok(Some(entry?.0.value().1)),
            None => Ok(None),
        }
    }

    /// Takes up to `most` deliveries that are due.
    pub(super) fn take_due(
        &mut self,
        destination: &Short,
        now: Millis,
        most: usize,
    ) -> Result<Vec<DeliveryId>, Fault> {
        let range = (destination, 0, 0, 0)..=(destination, now, Id::MAX, u32::MAX);
        let mut taken = Vec::new();
        for entry in self.due.range(range)?.take(most) {
            let entry = entry?;
            let (_, time, operation, callback) = entry.0.value();
            taken.push((time, operation, callback));
        }
        for &(time, operation, callback) in &taken {
            self.due.remove((destination, time, operation, callback))?;
            self.claimed.insert((operation, callback), ())?;
        }
        let first = self.first_due(destination)?;
        self.set_head(destination, first)?;
        let ids = taken
            .into_iter()
            .map(|(_, operation, callback)| DeliveryId {
                operation,
                callback,
            });
        Ok(ids.collect())
    }
}

/// Reads a record that must be there.
pub(super) fn read<T: DeserializeOwned>(
    json: Option<AccessGuard<'_, Bytes>>,
    what: &str,
) -> Result<T, Fault> {
    let json = json.ok_or_else(|| Fault::Content(format!("a {what} is missing").into()))?;
    serde_json::from_slice(json.value()).map_err(|error| Fault::Content(error.into()))
}

fn to_json<T: Serialize>(value: &T) -> Result<Vec<u8>, Fault> {
    serde_json::to_vec(value).map_err(|error| Fault::Content(error.into()))
}
