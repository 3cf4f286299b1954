//! The thread that writes: what waits while one commit is on its way to the disk goes into the next together.

use std::{
    sync::{Arc, PoisonError, RwLock},
    time::{Duration, Instant},
};

use redb::{Database, DatabaseError, Durability, ReadableDatabase};
use tokio::sync::{
    mpsc::{self, error::TryRecvError},
    oneshot,
};

use super::{
    MOMENT,
    error::{Fault, contain_panic},
    tables::{self, Tables},
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

type Batch = Vec<Box<dyn Job>>;

pub(super) struct Writer {
    database: Shared,
    reopen: Reopen,
    failed: Option<Instant>,
    pause: Duration,
    /// Number of the last commit that was begun, until it is known to have failed.
    attempted: Option<u64>,
    /// Steps of that commit, whose fate shows when the database can be read again.
    undecided: Vec<Box<dyn Job>>,
}

impl Writer {
    pub(super) fn new(database: Shared, reopen: Reopen, pause: Duration) -> Self {
        Self {
            database,
            reopen,
            failed: None,
            pause,
            attempted: None,
            undecided: Vec::new(),
        }
    }

    pub(super) fn run(mut self, mut jobs: mpsc::Receiver<Box<dyn Job>>) {
        let mut batch = Vec::with_capacity(BATCH);
        while self.receive(&mut jobs, &mut batch) {
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

    /// Waits for steps. `false`: there will be none.
    fn receive(&mut self, jobs: &mut mpsc::Receiver<Box<dyn Job>>, batch: &mut Batch) -> bool {
        // Somebody waits for what became of a commit, and it may be those who would ask for the next.
        while !self.undecided.is_empty() {
            match jobs.try_recv() {
                Ok(job) => {
                    batch.push(job);
                    return true;
                }
                Err(TryRecvError::Disconnected) => return false,
                Err(TryRecvError::Empty) => std::thread::sleep(MOMENT),
            }
            if self.failed.is_none_or(|at| at.elapsed() >= self.pause) {
                self.reopen();
                self.failed = Some(Instant::now());
                self.decide("a write failed");
            }
        }
        jobs.blocking_recv_many(batch, BATCH) > 0
    }

    fn commit(&mut self, batch: &mut [Box<dyn Job>]) -> Result<(), Fault> {
        if !self.undecided.is_empty() {
            return Err(Fault::Closed);
        }
        self.attempted = None;
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
        if tables.changed {
            let number = tables.next_commit()?;
            drop(tables);
            self.attempted = Some(number);
            transaction.commit()?;
        } else {
            drop(tables);
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
            if self.undecided.is_empty() && self.attempted.is_some() {
                self.undecided.append(batch);
            }
            self.decide(&text);
        }
        for job in batch.drain(..) {
            job.answer(Err(if corrupted {
                StoreError::Corrupted(text.clone().into())
            } else {
                unavailable(&text)
            }));
        }
    }

    /// A commit that failed may be in the file all the same. What it handed out would be lost if its callers were told otherwise.
    fn decide(&mut self, text: &str) {
        if self.undecided.is_empty() {
            return;
        }
        let Ok(last) = contain_panic(|| self.last_commit()) else {
            return;
        };
        let is_kept = last == self.attempted.take();
        for job in self.undecided.drain(..) {
            job.answer(if is_kept {
                Ok(())
            } else {
                Err(unavailable(text))
            });
        }
    }

    fn last_commit(&self) -> Result<Option<u64>, Fault> {
        let database = self.database.read().unwrap_or_else(PoisonError::into_inner);
        let database = database.as_ref().ok_or(Fault::Closed)?;
        let meta = database.begin_read()?.open_table(tables::META)?;
        Ok(meta.get(tables::LAST_COMMIT)?.map(|last| last.value()))
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
