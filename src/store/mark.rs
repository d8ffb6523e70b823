//! The mark: a small file beside the database file that says how long that was when it was closed. The engine takes what
//! it finds in its file for all that there ever was, so a file that was cut short would pass for a younger one.
//!
//! Invariant: while the database is open, or after a crash, the mark names no length, as the length changes then.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::Path;

/// The mark's own file, and the one that it speaks of.
const NAME: &str = "db.length";
const DATABASE: &str = "db";
/// What stands there while the database is open.
const OPEN: &str = "open";

/// What a folder says of its database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    /// Nothing: there is none yet, or an older version wrote it.
    Missing,
    /// It was opened, and not closed since.
    Open,
    /// It was closed with so many bytes.
    Closed(u64),
}

impl Mark {
    /// Reads the mark of a folder.
    pub fn read(folder: &Path) -> io::Result<Self> {
        let text = match fs::read_to_string(folder.join(NAME)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::Missing),
            read => read?,
        };
        // A mark that nobody can read is as good as one that names no length.
        Ok(text.trim().parse().map_or(Self::Open, Self::Closed))
    }

    /// What the database file lacks, in words, if it is shorter than it was.
    pub fn complaint(self, folder: &Path) -> Option<String> {
        let length = length(folder).unwrap_or(0);
        match self {
            Self::Closed(whole) if length < whole => Some(format!(
                "its file {DATABASE} has {length} bytes and had {whole} when it was closed (delete {NAME} to go on with what is left)"
            )),
            _ => None,
        }
    }

    /// What is said of a database that is empty although it has been in use.
    pub fn complaint_of_empty(self) -> Option<String> {
        (self != Self::Missing).then(|| {
            format!("its file {DATABASE} has lost everything (delete {NAME} to go on with nothing)")
        })
    }

    /// Notes durably that the database is open.
    pub fn open(folder: &Path) -> io::Result<()> {
        write(folder, OPEN)
    }

    /// Notes durably that the database is closed, and how long its file is.
    pub fn close(folder: &Path) -> io::Result<()> {
        write(folder, &length(folder)?.to_string())
    }
}

fn length(folder: &Path) -> io::Result<u64> {
    Ok(fs::metadata(folder.join(DATABASE))?.len())
}

/// Replaces the mark at once: there is always the old one or the new one.
fn write(folder: &Path, text: &str) -> io::Result<()> {
    let fresh = folder.join(format!("{NAME}.new"));
    let mut file = File::create(&fresh)?;
    writeln!(file, "{text}")?;
    file.sync_all()?;
    fs::rename(fresh, folder.join(NAME))?;
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shorter_file_is_complained_of_after_it_was_closed() {
        let folder = tempfile::tempdir().expect("a folder");
        let folder = folder.path();
        let set = |length| fs::write(folder.join(DATABASE), vec![0; length]).expect("a file");
        let complaint = || Mark::read(folder).expect("a mark").complaint(folder);
        set(100);
        assert_eq!(Mark::read(folder).expect("none yet"), Mark::Missing);
        Mark::close(folder).expect("a new mark");
        for (length, complains) in [(100, false), (101, false), (99, true), (0, true)] {
            set(length);
            assert_eq!(complaint().is_some(), complains, "{length}");
        }
        Mark::open(folder).expect("another mark");
        assert_eq!(complaint(), None, "after a crash the length is not known");
    }

    #[test]
    fn only_a_folder_that_was_in_use_must_not_be_empty() {
        assert_eq!(Mark::Missing.complaint_of_empty(), None);
        assert!(Mark::Open.complaint_of_empty().is_some());
        assert!(Mark::Closed(1).complaint_of_empty().is_some());
    }
}
