//! A store out of an archive. In: an archive, and a folder that is not there or has nothing in it. Out: a store with the same rows, which
//! was closed, opened again, counted and summed up kind by kind; or nothing at all.
//!
//! The rows go into a folder beside the one that is wanted, and that takes its name when all is proven: whatever happens, no hub ever
//! starts with half of a backup.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{BufReader, Read, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use super::StoreError;
use super::archive::{ArchiveError, Contents, Head, Reader, Sums, difference};
use super::backup::is_kept;
use super::database::Rows;
use super::engine::{Engine, FORMAT};
use super::key::Key;
use super::record::check;

/// Rows, and bytes of them, that are written at once.
const BATCH_ROWS: usize = 8_192;
const BATCH_BYTES: usize = 4 << 20;
/// Rows that are read at once.
const PAGE: usize = 10_000;
/// Memory for the engine, in bytes.
const CACHE_BYTES: u64 = 64 << 20;

/// What was restored.
#[derive(Clone, Debug)]
pub struct Restored {
    /// Where it comes from.
    pub head: Head,
    /// What is there now, and was in the archive.
    pub contents: Contents,
    /// Rows that could not be read in the hub that was backed up, and cannot be here.
    pub unreadable: u64,
}

/// Why nothing was restored.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// There is something already.
    #[error(
        "{0} is not empty; restore into a folder that is not there, and keep what is in this one until the hub runs again"
    )]
    NotEmpty(PathBuf),
    /// A newer binary has made it.
    #[error(
        "the backup has format {found} (it was made by Fanfare {version}) and this binary knows formats up to {FORMAT}; use \
         the newer version"
    )]
    Newer {
        /// Its format.
        found: u64,
        /// Whose that is.
        version: String,
    },
    /// A row that has no place here.
    #[error("row {0} of the backup has a key that this version does not know")]
    Unknown(u64),
    /// What was written is not what is there.
    #[error("what was restored is not what was in the backup: {0}; nothing is kept of it")]
    Different(String),
    /// The archive.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// The store's.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The system's.
    #[error("{0} cannot be written: {1}")]
    Io(PathBuf, #[source] std::io::Error),
}

/// Restores an archive into a folder. While what is there is compared with it, `told` is called now and then: so many rows of so many.
///
/// # Errors
/// See [`RestoreError`]; the folder is as it was then.
pub fn restore(
    archive: impl Read,
    folder: &Path,
    told: impl FnMut(u64, u64),
) -> Result<Restored, RestoreError> {
    let is_empty = match fs::read_dir(folder) {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => true,
        Err(error) => return Err(RestoreError::Io(folder.to_owned(), error)),
    };
    if !is_empty {
        return Err(RestoreError::NotEmpty(folder.to_owned()));
    }
    let aside = beside(folder);
    let failed = |error| RestoreError::Io(aside.clone(), error);
    // One that was cut short may have left it.
    remove(&aside).map_err(failed)?;
    let restored = restore_aside(archive, &aside, told).and_then(|restored| {
        fs::rename(&aside, folder)
            .and_then(|()| File::open(folder.join(".."))?.sync_all())
            .map_err(|error| RestoreError::Io(folder.to_owned(), error))?;
        Ok(restored)
    });
    if restored.is_err() {
        remove(&aside).map_err(failed)?;
    }
    restored
}

fn restore_aside(
    archive: impl Read,
    aside: &Path,
    mut told: impl FnMut(u64, u64),
) -> Result<Restored, RestoreError> {
    let (mut reader, head) = Reader::new(BufReader::with_capacity(1 << 20, archive))?;
    if head.format > FORMAT {
        return Err(RestoreError::Newer {
            found: head.format,
            version: head.version,
        });
    }
    let engine = Engine::open(aside, CACHE_BYTES)?;
    let mut batch = Rows::new();
    let (mut rows, mut bytes) = (0, 0);
    while let Some((key, value)) = reader.row()? {
        rows += 1;
        if !is_kept(&key) || Key::parse(&key).is_none() {
            return Err(RestoreError::Unknown(rows));
        }
        bytes += key.len() + value.len();
        batch.insert(key, Some(value));
        if batch.len() >= BATCH_ROWS || bytes >= BATCH_BYTES {
            engine.write(std::mem::take(&mut batch))?;
            bytes = 0;
        }
    }
    let said = reader.finish()?;
    engine.write(batch)?;
    engine.close()?;
    drop(engine);
    for (name, text) in &head.files {
        keep_file(aside, name, text)?;
    }
    // From here on nothing is believed but what is on the disk.
    let engine = Engine::open(aside, CACHE_BYTES)?;
    let (found, unreadable) = sum_up(&engine, |so_far| told(so_far, rows))?;
    engine.close()?;
    if let Some(what) = difference(&said, &found) {
        return Err(RestoreError::Different(what));
    }
    Ok(Restored {
        head,
        contents: said,
        unreadable,
    })
}

/// Counts and sums up what is in a store, and how many of its rows cannot be read.
fn sum_up(engine: &Engine, mut told: impl FnMut(u64)) -> Result<(Contents, u64), StoreError> {
    let (mut sums, mut unreadable, mut rows) = (Sums::default(), 0, 0);
    told(rows);
    let mut after: Option<Vec<u8>> = None;
    loop {
        let page = engine.page(after.as_deref(), PAGE)?;
        for (key, value) in page.iter().filter(|(key, _)| is_kept(key)) {
            rows += 1;
            sums.add(key, value);
            let is_sound = Key::parse(key).is_some_and(|key| check(&key, value).is_ok());
            unreadable += u64::from(!is_sound);
        }
        told(rows);
        match page.last() {
            Some((last, _)) => after = Some(last.to_vec()),
            None => return Ok((sums.contents(), unreadable)),
        }
    }
}

/// Only plain names: an archive says nothing about other folders.
fn keep_file(folder: &Path, name: &str, text: &str) -> Result<(), RestoreError> {
    let is_plain = name
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    let path = folder.join(name);
    if !is_plain || path.exists() {
        let cause = format!("it has a file {name:?} that does not belong there");
        return Err(RestoreError::Different(cause));
    }
    let written = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&path)
        .and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.sync_all()
        });
    written.map_err(|error| RestoreError::Io(path, error))
}

/// `data` is restored by way of `data.restoring`.
fn beside(folder: &Path) -> PathBuf {
    let mut name: OsString = folder.components().collect::<PathBuf>().into_os_string();
    name.push(".restoring");
    name.into()
}

fn remove(folder: &Path) -> std::io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}
