//! What only a file can do: last, be shared, fill the disk, rot.

use std::{
    fs::OpenOptions,
    io::{self, Seek, SeekFrom, Write},
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::Duration,
};

use ::redb::{StorageBackend, backends::FileBackend};
use nexus_rpc::Content;
use proptest::prelude::*;

use super::*;
use crate::operations::store::tests::{at, deliveries, file::TempFile, key, new, success};

const OPEN: usize = 1_000_000;

#[tokio::test]
async fn what_was_kept_is_there_when_it_is_opened_again() {
    let file = TempFile::new();
    let store = RedbStore::open(&file.0).unwrap();
    store.create(new("a"), OPEN).await.unwrap();
    store.create(new("b"), OPEN).await.unwrap();
    store.complete(key("a"), success(5)).await.unwrap();
    drop(store);
    let store = RedbStore::open(&file.0).unwrap();
    let record = store.get(key("a")).await.unwrap().unwrap();
    assert_eq!(record.end, Some(success(5).ended));
    assert_eq!(store.claim(9).await.unwrap()[0].input, new("b").input);
    let due = store.claim_deliveries(deliveries(5)).await.unwrap();
    assert_eq!(due.deliveries.len(), 1);
}

/// What a crash leaves at this moment: the file as it is, while the store has it open.
async fn after_crash(file: &TempFile) -> (TempFile, RedbStore) {
    let copy = TempFile::new();
    std::fs::copy(&file.0, &copy.0).unwrap();
    let store = RedbStore::open(&copy.0).unwrap();
    store.recover(at(10)).await.unwrap();
    (copy, store)
}

#[tokio::test]
async fn what_was_answered_survives_a_crash() {
    let file = TempFile::new();
    let store = RedbStore::open(&file.0).unwrap();
    for token in ["a", "b"] {
        store.create(new(token), OPEN).await.unwrap();
    }
    let (_file, crashed) = after_crash(&file).await;
    assert_eq!(crashed.statistics().await.unwrap().waiting, 2);

    store.claim(1).await.unwrap();
    let (_file, crashed) = after_crash(&file).await;
    assert_eq!(crashed.claim(1).await.unwrap()[0].record.attempt, 2);

    store.cancel(key("a"), success(1)).await.unwrap();
    let (_file, crashed) = after_crash(&file).await;
    let record = crashed.get(key("a")).await.unwrap().unwrap();
    assert!(record.cancel_requested);

    store.complete(key("a"), success(1)).await.unwrap();
    let (_file, crashed) = after_crash(&file).await;
    let record = crashed.get(key("a")).await.unwrap().unwrap();
    assert_eq!(record.end, Some(success(1).ended));

    let due = store.claim_deliveries(deliveries(1)).await.unwrap();
    let (_file, crashed) = after_crash(&file).await;
    let again = crashed.claim_deliveries(deliveries(10)).await.unwrap();
    assert_eq!(again.deliveries, due.deliveries);

    let settlement = Settlement::Failed { retry_at: at(20) };
    store
        .settle(due.deliveries[0].id, settlement)
        .await
        .unwrap();
    let (_file, crashed) = after_crash(&file).await;
    let again = crashed.claim_deliveries(deliveries(20)).await.unwrap();
    assert_eq!(again.deliveries[0].failures, 1);
}

#[tokio::test]
async fn many_starts_share_a_commit() {
    let file = TempFile::new();
    let store = RedbStore::open(&file.0).unwrap();
    let starts = (0..2000).map(|n| store.create(new(&n.to_string()), OPEN));
    for created in futures_util::future::join_all(starts).await {
        assert_eq!(created.unwrap(), Created::New);
    }
    assert_eq!(store.statistics().await.unwrap().waiting, 2000);
}

#[tokio::test]
async fn a_change_whose_future_is_dropped_is_made_whole_or_not_at_all() {
    let file = TempFile::new();
    let store = RedbStore::open(&file.0).unwrap();
    for n in 0..50 {
        let create = store.create(new(&n.to_string()), OPEN);
        let _ = tokio::time::timeout(Duration::from_micros(n * 20), create).await;
    }
    // Whatever is there comes out in one piece.
    let claimed = store.claim(OPEN).await.unwrap();
    for operation in &claimed {
        let token = operation.record.key.token.as_str();
        assert_eq!(operation.input, new(token).input);
    }
    let running = store.statistics().await.unwrap().running;
    assert_eq!(running, claimed.len() as u64);
}

#[test]
fn one_at_a_time_has_the_file() {
    let file = TempFile::new();
    let store = RedbStore::open(&file.0).unwrap();
    let error = RedbStore::open(&file.0).unwrap_err();
    assert!(matches!(error, OpenError::InUse { .. }), "{error:?}");
    drop(store);
    RedbStore::open(&file.0).unwrap();
}

#[test]
fn a_file_of_something_else_is_refused_and_left_alone() {
    let file = TempFile::new();
    let text = "dear diary, ".repeat(1000);
    std::fs::write(&file.0, &text).unwrap();
    let error = RedbStore::open(&file.0).unwrap_err();
    assert!(matches!(error, OpenError::Corrupted { .. }), "{error:?}");
    assert!(error.to_string().contains("move it away to begin anew"));
    assert_eq!(std::fs::read_to_string(&file.0).unwrap(), text);
}

#[test]
fn a_directory_that_is_not_there_is_an_error_of_the_file_system() {
    let path = TempFile::new().0.join("store.redb");
    let error = RedbStore::open(path).unwrap_err();
    assert!(matches!(error, OpenError::Io { .. }), "{error:?}");
}

#[test]
fn a_format_of_the_future_is_refused() {
    let file = TempFile::new();
    drop(RedbStore::open(&file.0).unwrap());
    let database = Database::open(&file.0).unwrap();
    let transaction = database.begin_write().unwrap();
    let mut meta = transaction.open_table(tables::META).unwrap();
    meta.insert(tables::FORMAT_KEY, 99).unwrap();
    drop(meta);
    transaction.commit().unwrap();
    drop(database);
    let error = RedbStore::open(&file.0).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "operation store {:?} has format 99, this version reads 1",
            file.0
        )
    );
}

#[tokio::test]
async fn a_record_that_cannot_be_read_harms_no_other() {
    let file = TempFile::new();
    let store = RedbStore::open(&file.0).unwrap();
    for token in ["a", "b"] {
        store.create(new(token), OPEN).await.unwrap();
    }
    drop(store);
    let database = Database::open(&file.0).unwrap();
    let transaction = database.begin_write().unwrap();
    let mut records = transaction.open_table(tables::RECORDS).unwrap();
    records.insert(1, b"{".as_slice()).unwrap();
    drop(records);
    transaction.commit().unwrap();
    drop(database);
    let store = RedbStore::open(&file.0).unwrap();
    let read = store.get(key("a")).await;
    assert!(matches!(read, Err(StoreError::Corrupted(_))), "{read:?}");
    // Both in one commit, if they are quick.
    let (bad, good) = tokio::join!(
        store.complete(key("a"), success(1)),
        store.complete(key("b"), success(1))
    );
    assert!(matches!(bad, Err(StoreError::Corrupted(_))), "{bad:?}");
    assert_eq!(good.unwrap(), Completed::Ended);
}

/// A disk that can be full: then nothing fits behind what was written so far.
#[derive(Debug)]
struct Disk {
    file: FileBackend,
    state: Arc<DiskState>,
}

#[derive(Debug, Default)]
struct DiskState {
    full: AtomicBool,
    written: AtomicU64,
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }
    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read(offset, out)
    }
    fn set_len(&self, len: u64) -> io::Result<()> {
        // The file has holes.
        self.file.set_len(len)
    }
    fn sync_data(&self) -> io::Result<()> {
        self.file.sync_data()
    }
    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let end = offset + data.len() as u64;
        if !self.state.full.load(Ordering::SeqCst) {
            self.state.written.fetch_max(end, Ordering::SeqCst);
        } else if end > self.state.written.load(Ordering::SeqCst) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.file.write(offset, data)
    }
    fn close(&self) -> io::Result<()> {
        self.file.close()
    }
}

#[tokio::test]
async fn a_full_disk_stops_writes_and_nothing_else() {
    let file = TempFile::new();
    let disk = Arc::new(DiskState::default());
    let open = {
        let (path, disk) = (file.0.clone(), disk.clone());
        move || {
            let mut options = OpenOptions::new();
            options.read(true).write(true).create(true).truncate(false);
            let file = FileBackend::new(options.open(&path)?)?;
            let state = disk.clone();
            Database::builder().create_with_backend(Disk { file, state })
        }
    };
    let store = RedbStore::start_with(file.0.clone(), 16, Box::new(open), Duration::ZERO).unwrap();
    store.create(new("a"), OPEN).await.unwrap();
    store.complete(key("a"), success(1)).await.unwrap();

    disk.full.store(true, Ordering::SeqCst);
    let big = |token: &str| NewOperation {
        input: Content::new("text/plain", vec![b'x'; 100_000]),
        ..new(token)
    };
    let mut kept = 0;
    // There are holes in what was written so far.
    let refused = loop {
        match store.create(big(&format!("full {kept}")), OPEN).await {
            Ok(_) => kept += 1,
            Err(error) => break error,
        }
        assert!(kept < 1000);
    };
    assert!(matches!(refused, StoreError::Unavailable(_)), "{refused:?}");
    for _ in 0..3 {
        assert!(store.create(big("b"), OPEN).await.is_err());
        let record = store.get(key("a")).await.unwrap().unwrap();
        assert_eq!(record.end, Some(success(1).ended));
        // What could not be kept is not there in part.
        assert_eq!(store.get(key("b")).await.unwrap(), None);
    }

    disk.full.store(false, Ordering::SeqCst);
    assert_eq!(store.create(big("b"), OPEN).await.unwrap(), Created::New);
    let waiting = store.statistics().await.unwrap().waiting;
    assert_eq!(waiting, kept + 1);
}

/// A store with a few of everything.
fn filled(file: &TempFile) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(async {
        let store = RedbStore::open(&file.0).unwrap();
        for n in 0..30 {
            store.create(new(&n.to_string()), OPEN).await.unwrap();
        }
        store.claim(10).await.unwrap();
        for n in 0..5 {
            store
                .complete(key(&n.to_string()), success(n))
                .await
                .unwrap();
        }
        store.recover(at(0)).await.unwrap();
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Where a file is damaged it is refused, or what is damaged is not met: nothing hangs or ends the process.
    #[test]
    fn damage_is_an_error(place in any::<proptest::sample::Index>(), damage in prop::collection::vec(any::<u8>(), 1..600), cut in prop::bool::weighted(0.2)) {
        let file = TempFile::new();
        filled(&file);
        let mut handle = OpenOptions::new().write(true).open(&file.0).unwrap();
        let length = handle.metadata().unwrap().len();
        let place = place.index(usize::try_from(length).unwrap()) as u64;
        if cut {
            handle.set_len(place).unwrap();
        } else {
            handle.seek(SeekFrom::Start(place)).unwrap();
            handle.write_all(&damage).unwrap();
        }
        drop(handle);
        match RedbStore::open(&file.0) {
            Ok(store) => {
                let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
                runtime.block_on(async {
                    for n in 0..30 {
                        let _ = store.get(key(&n.to_string())).await;
                    }
                    let _ = store.claim(5).await;
                    let _ = store.create(new("new"), OPEN).await;
                });
            }
            // A file of no length is a new one to the file system's eyes.
            Err(error) => prop_assert!(matches!(error, OpenError::Corrupted { .. } | OpenError::Format { .. }), "{:?}", error),
        }
    }
}
