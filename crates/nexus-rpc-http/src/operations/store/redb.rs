//! A store in a file, which survives crashes.

use std::{
    fmt,
    fs::File,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
    thread::JoinHandle,
    time::{Duration, SystemTime},
};

use ::redb::{Database, ReadTransaction, ReadableDatabase, ReadableTable, ReadableTableMetadata};
use bytes::Bytes;
use futures_util::FutureExt;
use tokio::sync::{mpsc, oneshot};

use super::{
    Canceled, Completed, Created, DeliveryClaim, DueDeliveries, End, OperationStore, Settlement,
    StoreError, StoreFuture, StoreStatistics, digest,
};
use crate::operations::{
    ClaimedOperation, DeliveryId, NewOperation, OperationKey, OperationRecord,
};

mod error;
mod record;
mod steps;
mod tables;
#[cfg(test)]
mod tests;
mod writer;

pub use error::OpenError;
use error::{Fault, contain_panic};
use record::Record;
use tables::Tables;
use writer::{Job, Reopen, Shared, Step, Writer};

/// How long writes are refused after one failed: a disk that is full stays so for a while, and each try may read the whole file.
const PAUSE: Duration = Duration::from_secs(5);

/// How often, and after which time, a read is tried again that met the database between a failed write and its opening.
const REOPENING: usize = 10;
const MOMENT: Duration = Duration::from_millis(10);

/// Keeps operations in one file, crash-safe.
///
/// One thread writes. What arrives while a commit is on its way to the disk shares the next one, so that many starts cost one sync. Reads
/// do not wait for writes.
///
/// When the disk fails or is full, writes are refused for five seconds at a time, and what is there can be read.
///
/// The file grows with what is in it and does not shrink; space that was freed is used again.
///
/// One process may have the file open. Dropping the store closes it, after what was asked of it has been written.
pub struct RedbStore {
    path: PathBuf,
    database: Shared,
    /// `None` while dropping.
    jobs: Option<mpsc::Sender<Box<dyn Job>>>,
    thread: Option<JoinHandle<()>>,
}

/// Opens a [`RedbStore`].
#[derive(Debug, Clone)]
#[must_use = "a builder does nothing until `open` is called"]
pub struct RedbStoreBuilder {
    cache: usize,
    queue: usize,
}

impl RedbStore {
    /// Opens the file at `path`, or makes it.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, OpenError> {
        Self::builder().open(path)
    }

    /// Settings other than the usual.
    pub fn builder() -> RedbStoreBuilder {
        RedbStoreBuilder {
            cache: 64 * 1024 * 1024,
            queue: 4096,
        }
    }

    /// `pause` is how long writes are refused after one failed.
    fn start_with(
        path: PathBuf,
        queue: usize,
        open: Reopen,
        pause: Duration,
    ) -> Result<Self, OpenError> {
        let database = contain_panic(|| {
            let database = open()?;
            let format = initialize(&database)?;
            Ok::<_, Fault>((database, format))
        });
        let database = match database {
            Ok((database, tables::FORMAT)) => database,
            Ok((_, found)) => {
                let expected = tables::FORMAT;
                return Err(OpenError::Format {
                    path,
                    found,
                    expected,
                });
            }
            Err(fault) => return Err(OpenError::new(path, fault)),
        };
        let database = Arc::new(RwLock::new(Some(database)));
        let (jobs, receiver) = mpsc::channel(queue);
        let writer = Writer::new(database.clone(), open, pause);
        let thread = std::thread::Builder::new()
            .name("nexus-operations".to_owned())
            .spawn(move || writer.run(receiver))
            .map_err(|error| OpenError::Io {
                path: path.clone(),
                source: error.into(),
            })?;
        Ok(Self {
            path,
            database,
            jobs: Some(jobs),
            thread: Some(thread),
        })
    }

    fn write<T: Send + 'static>(
        &self,
        durable: bool,
        step: impl FnMut(&mut Tables<'_>) -> Result<T, Fault> + Send + 'static,
    ) -> StoreFuture<'_, T> {
        async move {
            let (reply, answer) = oneshot::channel();
            let value = None;
            let job = Box::new(Step {
                step,
                durable,
                value,
                reply,
            });
            let closed = || writer::unavailable("the writer has ended");
            let jobs = self.jobs.as_ref().ok_or_else(closed)?;
            jobs.send(job).await.map_err(|_| closed())?;
            answer.await.map_err(|_| closed())?
        }
        .boxed()
    }

    fn read<T: Send + 'static>(
        &self,
        read: impl Fn(&ReadTransaction) -> Result<T, Fault> + Send + 'static,
    ) -> StoreFuture<'_, T> {
        let database = self.database.clone();
        let once = move || {
            let database = database.read().unwrap_or_else(PoisonError::into_inner);
            let database = database.as_ref().ok_or(Fault::Closed)?;
            contain_panic(|| read(&database.begin_read()?))
        };
        let read = move || {
            for _ in 0..REOPENING {
                match once() {
                    Err(fault) if fault.ends_with_reopening() => std::thread::sleep(MOMENT),
                    read => return read,
                }
            }
            once()
        };
        async move {
            match tokio::task::spawn_blocking(read).await {
                Ok(Ok(value)) => Ok(value),
                Ok(Err(Fault::Content(error))) => Err(StoreError::Corrupted(error)),
                Ok(Err(fault)) => Err(StoreError::Unavailable(fault.into())),
                Err(error) => Err(StoreError::Unavailable(error.into())),
            }
        }
        .boxed()
    }
}

impl RedbStoreBuilder {
    /// Most memory for parts of the file, in bytes. Default: 64 MiB.
    pub fn cache_size(mut self, bytes: usize) -> Self {
        self.cache = bytes;
        self
    }

    /// Most changes that wait to be written; beyond it, callers wait. Default: 4096.
    pub fn queue_length(mut self, changes: usize) -> Self {
        self.queue = changes.max(1);
        self
    }

    /// Opens the file at `path`, or makes it.
    pub fn open(self, path: impl AsRef<Path>) -> Result<RedbStore, OpenError> {
        let path = path.as_ref().to_owned();
        let file = path.clone();
        let is_new = !path.exists();
        let open = move || Database::builder().set_cache_size(self.cache).create(&file);
        let store = RedbStore::start_with(path, self.queue, Box::new(open), PAUSE)?;
        if is_new {
            sync_directory(&store.path);
        }
        Ok(store)
    }
}

/// A new file is found after a crash of the machine once its directory is on the disk, too. Some file systems see to it themselves, and
/// refuse.
fn sync_directory(file: &Path) {
    let directory = match file.parent() {
        Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
        Some(parent) => parent,
        None => return,
    };
    // Elsewhere directories cannot be opened as files.
    if cfg!(unix)
        && let Err(error) = File::open(directory).and_then(|directory| directory.sync_all())
    {
        tracing::warn!(
            error = &error as &dyn std::error::Error,
            "cannot sync the directory of the operation store"
        );
    }
}

/// Makes the tables of a new file; gets the format of an old one.
fn initialize(database: &Database) -> Result<u64, Fault> {
    let transaction = database.begin_write()?;
    let found = {
        let mut meta = transaction.open_table(tables::META)?;
        let found = meta.get(tables::FORMAT_KEY)?.map(|format| format.value());
        if found.is_none() {
            meta.insert(tables::FORMAT_KEY, tables::FORMAT)?;
        }
        found
    };
    if let Some(found) = found {
        transaction.abort()?;
        return Ok(found);
    }
    // Readers open tables that have to be there.
    Tables::open(&transaction)?;
    transaction.commit()?;
    Ok(tables::FORMAT)
}

impl OperationStore for RedbStore {
    fn recover(&self, now: SystemTime) -> StoreFuture<'_, ()> {
        let now = digest::to_millis(now);
        self.write(true, move |tables| tables.recover(now))
    }

    fn create(&self, new: NewOperation, max_open: usize) -> StoreFuture<'_, Created> {
        self.write(true, move |tables| tables.create(&new, max_open))
    }

    fn claim(&self, limit: usize) -> StoreFuture<'_, Vec<ClaimedOperation>> {
        self.write(true, move |tables| tables.claim(limit))
    }

    fn release(&self, key: OperationKey) -> StoreFuture<'_, ()> {
        self.write(true, move |tables| tables.release(&key))
    }

    fn cancel(&self, key: OperationKey, unbegun: End) -> StoreFuture<'_, Canceled> {
        self.write(true, move |tables| tables.cancel(&key, &unbegun))
    }

    fn complete(&self, key: OperationKey, end: End) -> StoreFuture<'_, Completed> {
        self.write(true, move |tables| tables.complete(&key, &end))
    }

    fn get(&self, key: OperationKey) -> StoreFuture<'_, Option<OperationRecord>> {
        self.read(move |transaction| {
            let keys = transaction.open_table(tables::KEYS)?;
            let Some(id) = keys.get(&digest::of_key(&key))?.map(|id| id.value()) else {
                return Ok(None);
            };
            let records = transaction.open_table(tables::RECORDS)?;
            let record: Record = tables::read(records.get(id)?, "record")?;
            let outputs = transaction.open_table(tables::OUTPUTS)?;
            let output = outputs.get(id)?;
            let output =
                output.map_or_else(Bytes::new, |data| Bytes::copy_from_slice(data.value()));
            record.restore(output).map(Some)
        })
    }

    fn claim_deliveries(&self, claim: DeliveryClaim) -> StoreFuture<'_, DueDeliveries> {
        self.write(false, move |tables| tables.claim_deliveries(&claim))
    }

    fn settle(&self, id: DeliveryId, settlement: Settlement) -> StoreFuture<'_, ()> {
        self.write(true, move |tables| tables.settle(id, settlement))
    }

    fn postpone(&self, destination: String, until: SystemTime) -> StoreFuture<'_, ()> {
        let until = digest::to_millis(until);
        self.write(false, move |tables| tables.postpone(&destination, until))
    }

    fn purge(&self, now: SystemTime, limit: usize) -> StoreFuture<'_, usize> {
        let now = digest::to_millis(now);
        self.write(true, move |tables| tables.purge(now, limit))
    }

    fn statistics(&self) -> StoreFuture<'_, StoreStatistics> {
        self.read(|transaction| {
            let due = transaction.open_table(tables::DUE)?.len()?;
            let claimed = transaction.open_table(tables::CLAIMED)?.len()?;
            Ok(StoreStatistics {
                waiting: transaction.open_table(tables::WAITING)?.len()?,
                running: transaction.open_table(tables::RUNNING)?.len()?,
                ended: transaction.open_table(tables::EXPIRY)?.len()?,
                deliveries: due + claimed,
            })
        })
    }
}

impl Drop for RedbStore {
    fn drop(&mut self) {
        // The writer ends with what was sent so far, and closes the file.
        drop(self.jobs.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl fmt::Debug for RedbStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedbStore")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}
