//! The sled database and what sled leaves to its user. In: batches and reads. Out: batches that are really on disk,
//! reads that see whole batches, and errors where sled would panic, hang or go on after a failed write.
//!
//! Invariants:
//! - After a clean close the `mark` says how long the file was: a shorter one is refused.
//! - `lock` is held as long as the database may be open: nobody else has the folder.
//! - Whatever is in `recent` is what the database says.
//! - A batch is applied under the write half of `database`, and each read holds the read half: no read sees half a batch.
//! - After any failed write the database is closed and opened anew, so that memory shows what the disk has: nothing of a
//!   batch that sled did not write. (A batch that was written whole, and only whose sync failed, can come back.)

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File, TryLockError};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock, RwLockReadGuard};
use std::thread;
use std::time::Duration;

use ::sled::IVec;

use super::database::{Database, Rows, caught, unavailable};
use super::key::Key;
use super::mark::Mark;
use super::recent::Recent;
use super::record::Record as _;
use super::watch::{Place, Watch};
use super::{Result, StoreError};

/// The layout that this binary writes; it reads this one and all before it.
///
/// 1: the hub. 2: webhooks; a publication may be an event, which 1 would not read. 3: a fan-out lists its open targets by topic;
/// what waits may wait by itself; a hook knows since when it is disabled.
pub(super) const FORMAT: u64 = 3;

/// How often, and how long between, a database that this process has just closed is asked to let go of its file.
const REOPEN_TRIES: u32 = 500;
const REOPEN_PAUSE: Duration = Duration::from_millis(10);

/// How much of the disk is left for the database's own use, in bytes.
const SPACE_BYTES: u64 = 16 << 20;

/// The open data folder.
pub(super) struct Engine {
    folder: PathBuf,
    cache_bytes: u64,
    lock: File,
    database: RwLock<Option<Database>>,
    syncs: AtomicU64,
    recent: Recent,
    watch: Place,
}

impl Engine {
    /// Takes the folder, which is made (for this user only) if it is not there, and opens what is in it.
    pub fn open(folder: &Path, cache_bytes: u64) -> Result<Self> {
        let blocked = |error: std::io::Error| StoreError::Damaged {
            folder: folder.display().to_string(),
            cause: error.to_string(),
        };
        let unusable = |error: std::io::Error| StoreError::Unusable {
            folder: folder.display().to_string(),
            cause: error.to_string(),
        };
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .map_err(unusable)?;
        let lock = File::create(folder.join("lock")).map_err(unusable)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(StoreError::InUse(folder.display().to_string()));
            }
            Err(TryLockError::Error(error)) => return Err(blocked(error)),
        }
        let engine = Self {
            folder: folder.to_owned(),
            cache_bytes,
            lock,
            database: RwLock::new(None),
            syncs: AtomicU64::new(0),
            recent: Recent::default(),
            watch: Place::default(),
        };
        let mark = Mark::read(folder).map_err(blocked)?;
        if let Some(cause) = mark.complaint(folder) {
            return Err(engine.damaged(cause));
        }
        // From now on the length changes.
        if mark != Mark::Missing {
            Mark::open(folder).map_err(unavailable)?;
        }
        engine.start()?;
        if mark == Mark::Missing {
            Mark::open(folder).map_err(unavailable)?;
        }
        Ok(engine)
    }

    /// How many times the database file was made durable.
    pub fn syncs(&self) -> u64 {
        self.syncs.load(Ordering::Relaxed)
    }

    /// What was read before and has not changed since. Who puts something in holds the database for reading.
    pub fn recent(&self) -> &Recent {
        &self.recent
    }

    /// The database for reading, while no batch can come in between.
    pub fn reading(&self) -> Reading<'_> {
        Reading(self.database.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The same, unless a batch is just being applied.
    pub fn try_reading(&self) -> Option<Reading<'_>> {
        self.database.try_read().ok().map(Reading)
    }

    /// From now on each batch that is written is handed over, too.
    pub fn watch(&self) -> Result<Watch<'_>> {
        self.watch.take()
    }

    /// The first rows behind a key, as they stand at one moment.
    pub fn page(&self, after: Option<&[u8]>, limit: usize) -> Result<Vec<(IVec, IVec)>> {
        let reading = self.reading();
        let rows = reading.database()?.rows(&[], after);
        rows.take(limit).collect()
    }

    /// Opens the database again if it had to be closed.
    pub fn ensure_open(&self) -> Result<()> {
        if self.reading().0.is_some() {
            return Ok(());
        }
        self.start()
    }

    /// Writes all rows or none, and makes them durable. If that fails, the database is opened anew as it is on disk.
    pub fn write(&self, rows: Rows) -> Result<()> {
        self.check_space()?;
        let mut watch = self.watch.hold();
        let copy = watch.copy(&rows);
        let written = self.apply(rows).and_then(|()| self.sync());
        watch.settle(copy, written.is_ok());
        if let Err(error) = &written {
            tracing::error!(store.error = %error, "a write failed; opening the store anew");
            self.stop();
            if let Err(error) = self.start() {
                tracing::error!(store.error = %error, "the store stays closed until a write is tried again");
            }
        }
        written
    }

    /// Writes out what is in memory and gives the folder free.
    pub fn close(&self) -> Result<()> {
        let synced = self.sync();
        self.stop();
        let closed = synced.and_then(|()| self.mark_closed());
        closed.and(self.lock.unlock().map_err(unavailable))
    }

    /// Notes how long the file is, once the engine's background threads have let go of it.
    fn mark_closed(&self) -> Result<()> {
        let file = File::open(self.folder.join("db")).map_err(unavailable)?;
        for _ in 0..REOPEN_TRIES {
            if file.try_lock().is_ok() {
                return Mark::close(&self.folder).map_err(unavailable);
            }
            std::thread::sleep(REOPEN_PAUSE);
        }
        Ok(())
    }

    /// Refuses before the disk is full: a write that fails halfway costs a restart of the database, which needs space too.
    fn check_space(&self) -> Result<()> {
        match fs2::available_space(&self.folder).map_err(unavailable)? {
            0..SPACE_BYTES => Err(StoreError::Unavailable(format!(
                "the disk of {} has less than {} MiB left; make room",
                self.folder.display(),
                SPACE_BYTES >> 20
            ))),
            _ => Ok(()),
        }
    }

    fn apply(&self, rows: Rows) -> Result<()> {
        let database = self
            .database
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        let database = database.as_ref().ok_or_else(closed)?;
        self.recent.forget(rows.keys().map(Vec::as_slice));
        database.apply(rows)
    }

    fn sync(&self) -> Result<()> {
        let reading = self.reading();
        reading.database()?.sync()?;
        self.syncs.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    fn stop(&self) {
        let mut held = self
            .database
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        self.recent.forget_all();
        let database = held.take();
        drop(held);
        // Dropping flushes, and sled panics where that fails; there is nothing left to save.
        if let Err(error) = caught(move || drop(database)) {
            tracing::warn!(store.error = %error, "closing the database failed");
        }
    }

    fn start(&self) -> Result<()> {
        let damaged = |cause| self.damaged(cause);
        self.remove_half_snapshots().map_err(unavailable)?;
        let config = ::sled::Config::new()
            .path(&self.folder)
            .cache_capacity(self.cache_bytes);
        let mut tries = 0;
        let tree = loop {
            match caught(|| config.open()).map_err(|error| damaged(error.to_string()))? {
                Err(::sled::Error::Io(error)) if !is_damage(&error) => {
                    return Err(unavailable(error));
                }
                // Background threads of a database that was just dropped hold its file a little longer.
                Err(error) if is_locked(&error) && tries < REOPEN_TRIES => {
                    tries += 1;
                    thread::sleep(REOPEN_PAUSE);
                }
                opened => break opened.map_err(|error| damaged(error.to_string()))?,
            }
        };
        let file = File::open(self.folder.join("db")).map_err(unavailable)?;
        let database = Database::new(tree, file)?;
        let is_marked = self.mark_format(&database)?;
        *self
            .database
            .write()
            .unwrap_or_else(PoisonError::into_inner) = Some(database);
        if is_marked {
            self.sync()?;
            File::open(&self.folder)
                .and_then(|folder| folder.sync_all())
                .map_err(unavailable)?;
        }
        Ok(())
    }

    /// A start that was cut short leaves a piece of a snapshot, which sled would take for the newest one and refuse to
    /// open. Snapshots only make the start quicker: without this one, sled reads the one before, or the whole file.
    fn remove_half_snapshots(&self) -> std::io::Result<()> {
        for entry in fs::read_dir(&self.folder)? {
            let path = entry?.path();
            if path
                .extension()
                .is_some_and(|extension| extension == "generating")
            {
                fs::remove_file(path)?;
            }
        }
        Ok(())
    }

    /// Refuses a folder of a newer binary, and marks a new one and one of an older binary, which must not write there any
    /// more; says whether it did.
    fn mark_format(&self, database: &Database) -> Result<bool> {
        let key = Key::Format.bytes();
        if let Some(found) = database.value(&key)? {
            match u64::decode(&found) {
                Ok(FORMAT) => return Ok(false),
                Ok(1..FORMAT) => {}
                Ok(found) => {
                    return Err(StoreError::Newer {
                        folder: self.folder.display().to_string(),
                        found,
                        known: FORMAT,
                    });
                }
                Err(error) => {
                    return Err(self.damaged(format!("the number of its format {error}")));
                }
            }
        } else {
            if database.rows(&[], None).next().is_some() {
                return Err(self.damaged("it does not say which format it has".to_owned()));
            }
            let mark = Mark::read(&self.folder).map_err(unavailable)?;
            if let Some(cause) = mark.complaint_of_empty() {
                return Err(self.damaged(cause));
            }
        }
        database.apply(BTreeMap::from([(key, Some(FORMAT.encode()))]))?;
        Ok(true)
    }

    fn damaged(&self, cause: String) -> StoreError {
        StoreError::Damaged {
            folder: self.folder.display().to_string(),
            cause,
        }
    }
}

/// Access to the database for one read, be it of many rows: no batch is applied meanwhile.
pub(super) struct Reading<'a>(RwLockReadGuard<'a, Option<Database>>);

impl Reading<'_> {
    /// The database, unless it is closed.
    pub fn database(&self) -> Result<&Database> {
        self.0.as_ref().ok_or_else(closed)
    }
}

fn closed() -> StoreError {
    StoreError::Unavailable("it is closed".to_owned())
}
/// Whether the error comes from what is in the files, and not from the disk or the rights to it.
fn is_damage(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{InvalidData, InvalidInput, Other, UnexpectedEof};
    matches!(
        error.kind(),
        InvalidData | InvalidInput | Other | UnexpectedEof
    )
}

fn is_locked(error: &::sled::Error) -> bool {
    error.to_string().contains("could not acquire lock")
}
