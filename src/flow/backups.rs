//! Backups of a hub that runs: one at a time, made as a file in the data folder, and taken from there piece by piece. In: the wish for one.
//! Out: what is in it, and its pieces, until it is fetched or nobody has asked for a piece for a while.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::Mutex;
use uuid::Uuid;

use super::clock::{Clock, new_id};
use crate::domain::value::Timestamp;
use crate::store::archive::Contents;
use crate::store::{SharedStore, StoreError};

/// What an archive is called.
const EXTENSION: &str = "fanfare";
/// How long one that nobody fetches stays.
const KEPT_FOR: Duration = Duration::from_secs(600);

/// Where backups are made.
pub struct Backups {
    folder: PathBuf,
    beside: Vec<PathBuf>,
    store: SharedStore,
    clock: Clock,
    /// Held while one is made.
    made: Mutex<Option<Backup>>,
}

/// A backup that waits to be fetched.
#[derive(Clone, Debug)]
pub struct Backup {
    /// Its name.
    pub id: Uuid,
    /// The moment that it shows.
    pub made_at: Timestamp,
    /// How long it is.
    pub bytes: u64,
    /// What is in it.
    pub contents: Contents,
    used_at: Timestamp,
}

/// Why there is no backup.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// One is being made.
    #[error("another backup is just being made; wait until it is done")]
    Busy,
    /// The folder cannot be used.
    #[error("the hub cannot write a backup into its data folder: {0}")]
    Io(#[from] io::Error),
    /// The store's.
    #[error("the hub cannot make a backup: {0}")]
    Store(StoreError),
}

impl Backups {
    /// In this folder, whose contents are nobody else's, with these small files beside the rows. What an earlier process left is gone.
    ///
    /// # Errors
    /// If that cannot be removed.
    pub fn new(
        folder: PathBuf,
        beside: Vec<PathBuf>,
        store: SharedStore,
        clock: Clock,
    ) -> io::Result<Self> {
        match fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        Ok(Self {
            folder,
            beside,
            store,
            clock,
            made: Mutex::default(),
        })
    }

    /// Makes one, in the place of the last one.
    ///
    /// # Errors
    /// See [`BackupError`].
    pub async fn make(&self) -> Result<Backup, BackupError> {
        let mut made = self.made.try_lock().map_err(|_| BackupError::Busy)?;
        self.drop(&mut made)?;
        let (id, now) = (new_id(), self.clock.now());
        let mut files = BTreeMap::new();
        for path in &self.beside {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            match fs::read_to_string(path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                text => {
                    files.insert(name.into_owned(), text?);
                }
            }
        }
        let path = self.path(id);
        let contents = self
            .store
            .back_up(path.clone(), now.to_string(), files)
            .await;
        let contents = contents.map_err(BackupError::Store)?;
        let backup = Backup {
            id,
            made_at: now,
            bytes: fs::metadata(path)?.len(),
            contents,
            used_at: self.clock.now(),
        };
        tracing::info!(
            rows = backup.contents.rows,
            bytes = backup.bytes,
            "a backup was made"
        );
        *made = Some(backup.clone());
        Ok(backup)
    }

    /// A piece of one, from an offset on, and at most so long; empty behind its end. `None` if there is no such backup.
    ///
    /// # Errors
    /// If it cannot be read.
    pub async fn piece(&self, id: Uuid, from: u64, most: usize) -> io::Result<Option<Vec<u8>>> {
        let mut made = self.made.lock().await;
        let Some(backup) = made.as_mut().filter(|backup| backup.id == id) else {
            return Ok(None);
        };
        backup.used_at = self.clock.now();
        let left = backup.bytes.saturating_sub(from);
        let length = usize::try_from(left).unwrap_or(most).min(most);
        let path = self.path(id);
        let read = tokio::task::spawn_blocking(move || {
            let mut piece = vec![0; length];
            fs::File::open(path)?.read_exact_at(&mut piece, from)?;
            Ok::<_, io::Error>(piece)
        });
        read.await.map_err(io::Error::other)?.map(Some)
    }

    /// Removes one that nobody needs any longer. False if there is no such backup.
    ///
    /// # Errors
    /// If its file cannot be removed.
    pub async fn remove(&self, id: Uuid) -> io::Result<bool> {
        let mut made = self.made.lock().await;
        let is_there = made.as_ref().is_some_and(|backup| backup.id == id);
        if is_there {
            self.drop(&mut made)?;
        }
        Ok(is_there)
    }

    /// Removes one that nobody has asked for in a while.
    pub fn tidy(&self) {
        let Ok(mut made) = self.made.try_lock() else {
            return;
        };
        let now = self.clock.now();
        let is_old = |backup: &Backup| now.since(backup.used_at) > KEPT_FOR;
        if made.as_ref().is_some_and(is_old)
            && let Err(error) = self.drop(&mut made)
        {
            tracing::warn!(%error, "an old backup could not be removed");
        }
    }

    fn drop(&self, made: &mut Option<Backup>) -> io::Result<()> {
        match made.take() {
            Some(backup) => fs::remove_file(self.path(backup.id)),
            None => Ok(()),
        }
    }

    fn path(&self, id: Uuid) -> PathBuf {
        self.folder.join(id.to_string()).with_extension(EXTENSION)
    }
}
