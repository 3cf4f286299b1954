//! What only a file can do: last, be shared, fill the disk, rot.

use std::{
    fs::OpenOptions,
    io::{self, Seek, SeekFrom, Write},
    sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering},
    time::Duration,
};

use ::redb::{StorageBackend, backends::FileBackend};
use nexus_rpc::{Content, Failure, OperationState};
use proptest::prelude::*;

use super::*;
use crate::{
    OperationFailure, Outcome,
    operations::store::tests::{at, deliveries, file::TempFile, key, new, success},
};

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

/// A store with the operations `a` and `b`, whose record of `a` is damaged.
async fn with_damaged_record(file: &TempFile, prepare: impl AsyncFn(&RedbStore)) -> RedbStore {
    let store = RedbStore::open(&file.0).unwrap();
    for token in ["a", "b"] {
        store.create(new(token), OPEN).await.unwrap();
    }
    prepare(&store).await;
    drop(store);
    let database = Database::open(&file.0).unwrap();
    let transaction = database.begin_write().unwrap();
    let mut records = transaction.open_table(tables::RECORDS).unwrap();
    records.insert(1, b"{".as_slice()).unwrap();
    drop(records);
    transaction.commit().unwrap();
    drop(database);
    RedbStore::open(&file.0).unwrap()
}

#[tokio::test]
async fn a_record_that_cannot_be_read_holds_up_no_work() {
    let file = TempFile::new();
    let store = with_damaged_record(&file, async |_| {}).await;
    let claimed = store.claim(9).await.unwrap();
    assert_eq!(claimed.len(), 1);
    assert_eq!(claimed[0].record.key, key("b"));
}

#[tokio::test]
async fn a_record_that_cannot_be_read_holds_up_no_delivery_and_no_purge() {
    let file = TempFile::new();
    let store = with_damaged_record(&file, async |store: &RedbStore| {
        for token in ["a", "b"] {
            store.complete(key(token), success(1)).await.unwrap();
        }
    })
    .await;
    let due = store.claim_deliveries(deliveries(1)).await.unwrap();
    assert_eq!(due.deliveries.len(), 1);
    assert_eq!(due.deliveries[0].token, key("b").token);
    let id = due.deliveries[0].id;
    store.settle(id, Settlement::Done).await.unwrap();
    store.purge(at(u64::MAX / 2), 9).await.unwrap();
    assert_eq!(store.get(key("b")).await.unwrap(), None);
}

#[tokio::test]
async fn a_failure_with_countless_causes_can_be_read_again() {
    let file = TempFile::new();
    let store = RedbStore::open(&file.0).unwrap();
    store.create(new("a"), OPEN).await.unwrap();
    let mut failure = Failure::new("the first");
    for _ in 0..1000 {
        failure = Failure {
            cause: Some(Box::new(failure)),
            ..Failure::new("the next")
        };
    }
    let mut end = success(1);
    end.ended.outcome = Outcome::Unsuccessful(OperationFailure::canceled(failure));
    store.complete(key("a"), end).await.unwrap();
    let record = store.get(key("a")).await.unwrap().unwrap();
    let Some(Outcome::Unsuccessful(kept)) = record.end.map(|end| end.outcome) else {
        panic!("it was canceled");
    };
    assert_eq!(kept.state(), OperationState::Canceled);
    assert_eq!(kept.message(), "the next");
    let due = store.claim_deliveries(deliveries(1)).await.unwrap();
    assert_eq!(due.deliveries.len(), 1);
}

#[tokio::test]
async fn what_a_failed_commit_wrote_all_the_same_is_not_lost() {
    // Whichever step of the disk fails.
    for nth in 0..8 {
        let file = TempFile::new();
        let disk = Arc::new(DiskState::default());
        let store = store_on(&file, &disk);
        store.create(new("a"), OPEN).await.unwrap();
        disk.syncs_until_failure.store(nth, Ordering::SeqCst);
        let mut claimed = store.claim(9).await.unwrap_or_default();
        disk.syncs_until_failure.store(i64::MAX, Ordering::SeqCst);
        claimed.extend(store.claim(9).await.unwrap());
        assert_eq!(claimed.len(), 1, "failure {nth}");

        store.complete(key("a"), success(1)).await.unwrap();
        disk.syncs_until_failure.store(nth, Ordering::SeqCst);
        let mut due = store
            .claim_deliveries(deliveries(1))
            .await
            .unwrap_or_default();
        disk.syncs_until_failure.store(i64::MAX, Ordering::SeqCst);
        let more = store.claim_deliveries(deliveries(1)).await.unwrap();
        due.deliveries.extend(more.deliveries);
        assert_eq!(due.deliveries.len(), 1, "failure {nth}");
    }
}

/// Until the failure that was ordered has come.
async fn until_failed(disk: &DiskState) {
    while disk.syncs_until_failure.load(Ordering::SeqCst) >= 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test]
async fn what_became_of_a_commit_shows_when_the_disk_is_back() {
    let file = TempFile::new();
    let disk = Arc::new(DiskState::default());
    let store = store_on(&file, &disk);
    store.create(new("a"), OPEN).await.unwrap();
    disk.gone.store(true, Ordering::SeqCst);
    disk.syncs_until_failure.store(0, Ordering::SeqCst);
    let back = async {
        until_failed(&disk).await;
        for _ in 0..3 {
            assert!(store.create(new("b"), OPEN).await.is_err());
        }
        // Nobody asks for anything any more.
        disk.gone.store(false, Ordering::SeqCst);
    };
    let (claimed, ()) = tokio::join!(store.claim(1), back);
    let mut claimed = claimed.unwrap_or_default();
    store.create(new("c"), OPEN).await.unwrap();
    claimed.extend(store.claim(9).await.unwrap());
    let tokens = claimed.iter().map(|operation| &operation.record.key);
    assert!(tokens.eq([&key("a"), &key("c")]), "{claimed:?}");
}

/// A disk that can be full: then nothing fits behind what was written so far.
#[derive(Debug)]
struct Disk {
    file: FileBackend,
    state: Arc<DiskState>,
}

#[derive(Debug)]
struct DiskState {
    full: AtomicBool,
    written: AtomicU64,
    /// How often it syncs before it says once that it failed, though what was written can be read.
    syncs_until_failure: AtomicI64,
    /// Whether it cannot be opened.
    gone: AtomicBool,
}

impl Default for DiskState {
    fn default() -> Self {
        Self {
            full: AtomicBool::default(),
            written: AtomicU64::default(),
            syncs_until_failure: AtomicI64::new(i64::MAX),
            gone: AtomicBool::default(),
        }
    }
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
        let left = &self.state.syncs_until_failure;
        if left.fetch_sub(1, Ordering::SeqCst) == 0 {
            return Err(io::Error::other("the disk does not answer"));
        }
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

/// A store that writes again at once after a write failed.
fn store_on(file: &TempFile, disk: &Arc<DiskState>) -> RedbStore {
    store_with_pause(file, disk, Duration::ZERO)
}

fn store_with_pause(file: &TempFile, disk: &Arc<DiskState>, pause: Duration) -> RedbStore {
    let (path, disk) = (file.0.clone(), disk.clone());
    let open = move || {
        if disk.gone.load(Ordering::SeqCst) {
            return Err(redb::StorageError::Io(io::ErrorKind::NotFound.into()).into());
        }
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let file = FileBackend::new(options.open(&path)?)?;
        let state = disk.clone();
        Database::builder().create_with_backend(Disk { file, state })
    };
    RedbStore::start_with(file.0.clone(), 16, Box::new(open), pause).unwrap()
}

#[tokio::test]
async fn after_a_write_that_failed_the_disk_is_left_alone_for_a_while() {
    assert_eq!(PAUSE, Duration::from_secs(5));
    let file = TempFile::new();
    let disk = Arc::new(DiskState::default());
    let store = store_with_pause(&file, &disk, Duration::from_secs(3600));
    store.create(new("a"), OPEN).await.unwrap();
    disk.gone.store(true, Ordering::SeqCst);
    disk.syncs_until_failure.store(0, Ordering::SeqCst);
    // What became of this one cannot be told as long as the disk is gone.
    let undecided = store.create(new("b"), OPEN);
    tokio::select! {
        created = undecided => panic!("{created:?}"),
        () = until_failed(&disk) => {}
    }
    // Now the failure has been dealt with.
    assert!(store.create(new("c"), OPEN).await.is_err());
    let syncs = disk.syncs_until_failure.load(Ordering::SeqCst);
    assert!(store.create(new("c"), OPEN).await.is_err());
    assert_eq!(disk.syncs_until_failure.load(Ordering::SeqCst), syncs);
}

#[tokio::test]
async fn a_full_disk_stops_writes_and_nothing_else() {
    let file = TempFile::new();
    let disk = Arc::new(DiskState::default());
    let store = store_on(&file, &disk);
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
