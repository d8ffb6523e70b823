//! A backup of a store that is in use. In: the rows as a walk finds them, and what is written meanwhile. Out: an archive (`archive.rs`)
//! of all rows as they stood at one moment, the end of the walk.
//!
//! The walk takes a page at a time, so it holds nobody up, and what it has found grows old behind it. But each batch that the writer
//! applies from before its beginning is handed over too; laid over what was found, these make it what the store has at the end. No
//! batch is half in it: the writer hands over before it goes on, and the walk ends between two batches.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{BufReader, BufWriter, Read as _, Seek as _, Write};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::sync::mpsc::Receiver;

use super::archive::{Contents, Head, Row, Writer, lengths};
use super::database::{Rows, unavailable};
use super::engine::{Engine, FORMAT};
use super::key::Key;
use super::{Result, StoreError};

/// Rows that are read while no batch comes in between.
const PAGE: usize = 1_000;
/// The most that is kept in memory of what is written meanwhile, in bytes.
const MEANWHILE_MAX: usize = 512 << 20;
/// How much of the disk a backup leaves free, in bytes.
const SPACE_BYTES: u64 = 256 << 20;

/// What was written since the walk began.
#[derive(Default)]
struct Meanwhile {
    rows: Rows,
    bytes: usize,
}

/// Makes an archive of all rows under this path, for this user only. It takes its name when it is whole.
pub(super) fn back_up(
    engine: &Engine,
    path: &Path,
    made_at: String,
    files: BTreeMap<String, String>,
) -> Result<Contents> {
    let folder = path.parent().unwrap_or(Path::new("."));
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(unavailable)?;
    let part = path.with_extension("part");
    let found = path.with_extension("found");
    let made = walk(engine, &found, folder).and_then(|(found, meanwhile)| {
        let head = Head {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            format: FORMAT,
            made_at,
            files,
        };
        write(found, meanwhile, &part, folder, &head)
    });
    let made = made.and_then(|contents| {
        fs::rename(&part, path).map_err(unavailable)?;
        Ok(contents)
    });
    if made.is_err() {
        // What is not there need not be removed.
        let _ = fs::remove_file(&part);
    }
    made
}

/// Writes all rows into a file that loses its name at once; they come back with what was written over them.
fn walk(engine: &Engine, path: &Path, folder: &Path) -> Result<(File, Rows)> {
    let mut file = new_file(path)?;
    fs::remove_file(path).map_err(unavailable)?;
    let watch = engine.watch()?;
    let mut meanwhile = Meanwhile::default();
    let mut out = BufWriter::with_capacity(1 << 20, &mut file);
    let mut after: Option<Vec<u8>> = None;
    loop {
        let page = engine.page(after.as_deref(), PAGE)?;
        for (key, value) in &page {
            put(&mut out, key, value).map_err(unavailable)?;
        }
        meanwhile.take(watch.batches())?;
        check_space(folder)?;
        match page.last() {
            Some((last, _)) => after = Some(last.to_vec()),
            None => break,
        }
    }
    out.flush().map_err(unavailable)?;
    drop(out);
    watch.end()?;
    meanwhile.take(watch.batches())?;
    file.rewind().map_err(unavailable)?;
    Ok((file, meanwhile.rows))
}

impl Meanwhile {
    /// Lays the batches that have come over those before them.
    fn take(&mut self, batches: &Receiver<Rows>) -> Result<()> {
        for batch in batches.try_iter() {
            for (key, value) in batch {
                self.bytes += key.len() + value.as_ref().map_or(0, Vec::len);
                self.rows.insert(key, value);
            }
        }
        match self.bytes > MEANWHILE_MAX {
            true => Err(StoreError::Unavailable(format!(
                "more than {} MiB were written while the backup was made; try again when less is going on",
                MEANWHILE_MAX >> 20
            ))),
            false => Ok(()),
        }
    }
}

/// Writes the archive: what was found, and over it what was written meanwhile.
fn write(
    found: File,
    meanwhile: Rows,
    path: &Path,
    folder: &Path,
    head: &Head,
) -> Result<Contents> {
    let out = BufWriter::with_capacity(1 << 20, new_file(path)?);
    let mut archive = Writer::new(out, head).map_err(unavailable)?;
    let mut found = BufReader::with_capacity(1 << 20, found);
    let mut later = meanwhile.into_iter().peekable();
    let mut count = 0_usize;
    while let Some((key, value)) = take(&mut found)? {
        while let Some((key, value)) = later.next_if(|(later, _)| *later < key) {
            keep(&mut archive, &key, value.as_deref())?;
        }
        match later.next_if(|(later, _)| *later == key) {
            Some((_, value)) => keep(&mut archive, &key, value.as_deref())?,
            None => keep(&mut archive, &key, Some(&value))?,
        }
        count += 1;
        if count.is_multiple_of(PAGE) {
            check_space(folder)?;
        }
    }
    for (key, value) in later {
        keep(&mut archive, &key, value.as_deref())?;
    }
    let (out, contents) = archive.finish().map_err(unavailable)?;
    let file = out
        .into_inner()
        .map_err(|error| unavailable(error.into_error()))?;
    file.sync_all().map_err(unavailable)?;
    Ok(contents)
}

/// A row that is there, and that means something elsewhere.
fn keep(archive: &mut Writer<impl Write>, key: &[u8], value: Option<&[u8]>) -> Result<()> {
    match value {
        Some(value) if is_kept(key) => archive.row(key, value).map_err(unavailable),
        _ => Ok(()),
    }
}

/// Whether a row goes into archives: all but what a folder says of itself.
pub(super) fn is_kept(key: &[u8]) -> bool {
    key != Key::Format.bytes() && key != Key::Probe.bytes()
}

fn put(out: &mut impl Write, key: &[u8], value: &[u8]) -> std::io::Result<()> {
    out.write_all(&lengths(key, value))?;
    out.write_all(key)?;
    out.write_all(value)
}

/// The next row of those that `put` has written.
fn take(found: &mut BufReader<File>) -> Result<Option<Row>> {
    let mut lengths = [0; 8];
    match found.read_exact(&mut lengths) {
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => return Ok(None),
        read => read.map_err(unavailable)?,
    }
    let both = u64::from_be_bytes(lengths);
    let mut key = vec![0; (both >> 32) as usize];
    let mut value = vec![0; (both & u64::from(u32::MAX)) as usize];
    found.read_exact(&mut key).map_err(unavailable)?;
    found.read_exact(&mut value).map_err(unavailable)?;
    Ok(Some((key, value)))
}

fn new_file(path: &Path) -> Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
        .map_err(unavailable)
}

/// A backup must not take the last of the disk from the hub.
fn check_space(folder: &Path) -> Result<()> {
    match fs2::available_space(folder).map_err(unavailable)? {
        0..SPACE_BYTES => Err(StoreError::Unavailable(format!(
            "the disk of {} has less than {} MiB left, so no backup is made there; make room",
            folder.display(),
            SPACE_BYTES >> 20
        ))),
        _ => Ok(()),
    }
}
