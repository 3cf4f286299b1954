//! The thread that writes: what waits while one commit is on its way to the disk goes into the next together.

use std::{
    sync::{Arc, PoisonError, RwLock},
    time::{Duration, Instant},
};

use redb::{Database, DatabaseError, Durability};
use tokio::sync::{mpsc, oneshot};

use super::{
    error::{Fault, contain_panic},
    tables::Tables,
};
use crate::operations::store::StoreError;

/// Most steps in one commit. Beyond it, the first would wait long for the last.
const BATCH: usize = 1024;
/// The database, while it can be used. Readers hold the lock while they read; they are short.
pub(super) type Shared = Arc<RwLock<Option<Database>>>;
pub(super) type Reopen = Box<dyn Fn() -> Result<Database, DatabaseError> + Send>;

/// A step, and where its answer goes.
pub(super) trait Job: Send {
    /// Takes the step. May be called again, on tables without its effect.
    fn step(&mut self, tables: &mut Tables<'_>) -> Result<(), Fault>;
    /// Whether it must be on the disk before it is answered.
    fn is_durable(&self) -> bool;
    /// Answers.
    fn answer(self: Box<Self>, outcome: Result<(), StoreError>);
}

pub(super) struct Step<F, T> {
    pub(super) step: F,
    pub(super) durable: bool,
    pub(super) value: Option<T>,
    pub(super) reply: oneshot::Sender<Result<T, StoreError>>,
}

impl<F, T> Job for Step<F, T>
where
    F: FnMut(&mut Tables<'_>) -> Result<T, Fault> + Send,
    T: Send,
{
    fn step(&mut self, tables: &mut Tables<'_>) -> Result<(), Fault> {
        self.value = Some((self.step)(tables)?);
        Ok(())
    }

    fn is_durable(&self) -> bool {
        self.durable
    }

    fn answer(self: Box<Self>, outcome: Result<(), StoreError>) {
        let Self { value, reply, .. } = *self;
        let value =
            outcome.and_then(|()| value.ok_or_else(|| unavailable("the step was not taken")));
        // Nobody may be waiting any more.
        let _ = reply.send(value);
    }
}

pub(super) struct Writer {
    database: Shared,
    reopen: Reopen,
    failed: Option<Instant>,
    pause: Duration,
}

impl Writer {
    pub(super) fn new(database: Shared, reopen: Reopen, pause: Duration) -> Self {
        Self {
            database,
            reopen,
            failed: None,
            pause,
        }
    }

    pub(super) fn run(mut self, mut jobs: mpsc::Receiver<Box<dyn Job>>) {
        let mut batch = Vec::with_capacity(BATCH);
        while jobs.blocking_recv_many(&mut batch, BATCH) > 0 {
            if self.failed.is_some_and(|at| at.elapsed() < self.pause) {
                for job in batch.drain(..) {
                    job.answer(Err(unavailable("a write failed a moment ago")));
                }
                continue;
            }
            match contain_panic(|| self.commit(&mut batch)) {
                Ok(()) => answer_all(&mut batch),
                // One of them met something odd; it must not take the others with it.
                Err(Fault::Content(_)) if batch.len() > 1 => {
                    for job in batch.drain(..) {
                        let mut alone = vec![job];
                        match contain_panic(|| self.commit(&mut alone)) {
                            Ok(()) => answer_all(&mut alone),
                            Err(fault) => self.fail(&mut alone, &fault),
                        }
                    }
                }
                Err(fault) => self.fail(&mut batch, &fault),
            }
        }
        // Readers may outlive the writer for a moment; the file is closed by the last of them.
        drop(self.write_lock().take());
    }

    fn commit(&self, batch: &mut [Box<dyn Job>]) -> Result<(), Fault> {
        let database = self.database.read().unwrap_or_else(PoisonError::into_inner);
        let database = database.as_ref().ok_or(Fault::Closed)?;
        let mut transaction = database.begin_write()?;
        if !batch.iter().any(|job| job.is_durable()) {
            transaction.set_durability(Durability::None)?;
        }
        let mut tables = Tables::open(&transaction)?;
        for job in batch {
            job.step(&mut tables)?;
        }
        let changed = tables.changed;
        drop(tables);
        if changed {
            transaction.commit()?;
        } else {
            transaction.abort()?;
        }
        Ok(())
    }

    fn fail(&mut self, batch: &mut Vec<Box<dyn Job>>, fault: &Fault) {
        let text = fault.to_string();
        let corrupted = matches!(fault, Fault::Content(_));
        tracing::error!(error = text, "the operation store failed");
        if !corrupted {
            self.reopen();
            self.failed = Some(Instant::now());
        }
        for job in batch.drain(..) {
            job.answer(Err(if corrupted {
                StoreError::Corrupted(text.clone().into())
            } else {
                unavailable(&text)
            }));
        }
    }

    /// After an error of the disk the database refuses everything, also what can be read, until it is opened again.
    fn reopen(&self) {
        let mut database = self.write_lock();
        // The old one has a lock on the file.
        drop(database.take());
        let opened = contain_panic(|| (self.reopen)().map_err(Fault::from));
        match opened {
            Ok(opened) => *database = Some(opened),
            Err(error) => tracing::error!(
                error = &error as &dyn std::error::Error,
                "cannot open the operation store again"
            ),
        }
    }

    fn write_lock(&self) -> std::sync::RwLockWriteGuard<'_, Option<Database>> {
        self.database
            .write()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

fn answer_all(batch: &mut Vec<Box<dyn Job>>) {
    for job in batch.drain(..) {
        job.answer(Ok(()));
    }
}

pub(super) fn unavailable(text: &str) -> StoreError {
    StoreError::Unavailable(text.into())
}
