//! The sled database: rows out, batches in, and what sled does not do by itself. In: rows to read and to write. Out: rows,
//! writes that are durable after a sync, and errors where sled would panic, hang, or let its file grow.

mod flusher;

use std::collections::BTreeMap;
use std::fs::File;
use std::ops::Bound::{Excluded, Included, Unbounded};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};

use self::flusher::Flusher;
use super::{Result, StoreError};

/// Rows to write: a value for each key, or none to remove it.
pub(super) type Rows = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

/// What a row costs beside its key and value, about, in bytes.
const ROW_BYTES: usize = 64;
/// How much is written for each stroke of the broom, in bytes.
const BYTES_PER_STROKE: usize = 1024;

/// The database and a handle of its file, for the sync that sled does not do.
pub(super) struct Database {
    tree: ::sled::Db,
    /// One row, written only to make sled clean up: see [`Database::clean_up`].
    broom: ::sled::Tree,
    strokes: AtomicU64,
    flusher: Flusher,
    file: File,
}

impl Database {
    /// A tree that sled has opened, and a handle of the file that it keeps it in.
    pub fn new(tree: ::sled::Db, file: File) -> Result<Self> {
        let broom = caught(|| tree.open_tree("broom"))?.map_err(unavailable)?;
        Ok(Self {
            flusher: Flusher::new(tree.clone())?,
            tree,
            broom,
            strokes: AtomicU64::new(0),
            file,
        })
    }

    /// Writes rows, all or none; they are on disk after the next `sync`.
    pub fn apply(&self, rows: Rows) -> Result<()> {
        let mut batch = ::sled::Batch::default();
        let (count, mut bytes) = (rows.len(), 0);
        for (key, value) in rows {
            bytes += ROW_BYTES + key.len() + value.as_ref().map_or(0, Vec::len);
            match value {
                Some(value) => batch.insert(key, value),
                None => batch.remove(key),
            }
        }
        caught(|| self.tree.apply_batch(batch))?.map_err(unavailable)?;
        self.clean_up(bytes, count)
    }

    /// Makes what was written durable. sled's own flush ends in `sync_file_range`, which is no barrier against power loss.
    pub fn sync(&self) -> Result<()> {
        self.flusher.flush()?;
        self.file.sync_data().map_err(unavailable)
    }

    /// The value of a row.
    pub fn value(&self, key: &[u8]) -> Result<Option<::sled::IVec>> {
        caught(|| self.tree.get(key))?.map_err(unavailable)
    }

    /// The rows whose keys begin with `prefix`, in key order, behind `after`.
    pub fn rows(
        &self,
        prefix: &[u8],
        after: Option<&[u8]>,
    ) -> impl Iterator<Item = Result<(::sled::IVec, ::sled::IVec)>> + use<> {
        let mut rows = match after {
            None => self.tree.scan_prefix(prefix),
            Some(after) => {
                let end = end_of(prefix).map_or(Unbounded, Excluded);
                self.tree
                    .range::<Vec<u8>, _>((Excluded(after.to_vec()), end))
            }
        };
        std::iter::from_fn(move || sound(|| rows.next()))
    }

    /// The same rows from the other end: the last one before `before` first.
    pub fn rows_back(
        &self,
        prefix: &[u8],
        before: Option<&[u8]>,
    ) -> impl Iterator<Item = Result<(::sled::IVec, ::sled::IVec)>> + use<> {
        let end = match before {
            None => end_of(prefix).map_or(Unbounded, Excluded),
            Some(before) => Excluded(before.to_vec()),
        };
        let mut rows = self
            .tree
            .range::<Vec<u8>, _>((Included(prefix.to_vec()), end));
        std::iter::from_fn(move || sound(|| rows.next_back()))
    }

    /// Has sled reclaim about as much of the file as was just written. sled moves one page out of the way of its cleaner
    /// whenever it rewrites some page, and that is too rarely while big values come and go: the file would grow without
    /// end. A row that is written again and again has its page, a tiny one, rewritten at every tenth time. So has any other row,
    /// which makes small ones clean up after themselves.
    fn clean_up(&self, written: usize, rows: usize) -> Result<()> {
        for _ in rows..=written / BYTES_PER_STROKE {
            let stroke = self.strokes.fetch_add(1, Ordering::Relaxed);
            caught(|| self.broom.insert(b"", &stroke.to_be_bytes()))?.map_err(unavailable)?;
        }
        Ok(())
    }
}

/// The next row, or why there is none that can be had.
fn sound<T>(next: impl FnOnce() -> Option<::sled::Result<T>>) -> Option<Result<T>> {
    match caught(next) {
        Ok(row) => row.map(|row| row.map_err(unavailable)),
        Err(error) => Some(Err(error)),
    }
}

/// The first bytes behind all that begin with `prefix`.
fn end_of(prefix: &[u8]) -> Option<Vec<u8>> {
    let last = prefix.iter().rposition(|byte| *byte != 255)?;
    let mut end = prefix[..=last].to_vec();
    end[last] += 1;
    Some(end)
}

/// Runs a call of sled, which panics on some kinds of damage instead of saying so.
pub(super) fn caught<T>(call: impl FnOnce() -> T) -> Result<T> {
    catch_unwind(AssertUnwindSafe(call)).map_err(|panic| {
        let words = panic
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| panic.downcast_ref::<&str>().copied());
        StoreError::Unavailable(format!(
            "the engine failed inside: {}",
            words.unwrap_or("for no reason that it names")
        ))
    })
}

pub(super) fn unavailable(error: impl std::fmt::Display) -> StoreError {
    StoreError::Unavailable(error.to_string())
}
