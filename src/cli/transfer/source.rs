//! The input of an import: a path in, its lines out, as often as they are asked for.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Read as _, Seek as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use anyhow::Context as _;

/// The longest line, in bytes: some times more than any subscription needs.
const LINE_MAX: usize = 64 << 10;

/// Lines that can be read again.
pub struct Source {
    reader: BufReader<File>,
    line: Vec<u8>,
    number: u64,
}

/// One line that is not blank.
pub struct NumberedLine<'a> {
    /// Its number, from 1.
    pub number: u64,
    /// The line without its end; none, it is longer than any subscription.
    pub text: Option<&'a [u8]>,
}

impl Source {
    /// Opens a file. Standard input (`-`), and a file that can be read only once, such as a pipe, is copied into a nameless
    /// file in `folder`.
    ///
    /// # Errors
    /// If it cannot be read, or not be copied.
    pub fn open(path: &Path, folder: &Path) -> anyhow::Result<Self> {
        let file = if path == Path::new("-") {
            spool(io::stdin().lock(), folder).context("cannot copy standard input")?
        } else {
            let cannot = || format!("cannot read {}", path.display());
            let file = File::open(path).with_context(cannot)?;
            match file.metadata().with_context(cannot)?.is_file() {
                true => file,
                false => spool(file, folder).with_context(cannot)?,
            }
        };
        Ok(Self {
            reader: BufReader::with_capacity(1 << 20, file),
            line: Vec::new(),
            number: 0,
        })
    }

    /// Goes back to the first line.
    ///
    /// # Errors
    /// The system's.
    pub fn rewind(&mut self) -> io::Result<()> {
        self.number = 0;
        self.reader.rewind()
    }

    /// The next line that is not blank; none at the end.
    ///
    /// # Errors
    /// The system's.
    pub fn next_line(&mut self) -> io::Result<Option<NumberedLine<'_>>> {
        loop {
            self.line.clear();
            let most = LINE_MAX as u64 + 1;
            let read = (&mut self.reader)
                .take(most)
                .read_until(b'\n', &mut self.line)?;
            if read == 0 {
                return Ok(None);
            }
            self.number += 1;
            if read > LINE_MAX && self.line.last() != Some(&b'\n') {
                self.reader.skip_until(b'\n')?;
                return Ok(Some(NumberedLine {
                    number: self.number,
                    text: None,
                }));
            }
            if !self.line.trim_ascii().is_empty() {
                break;
            }
        }
        Ok(Some(NumberedLine {
            number: self.number,
            text: Some(self.line.trim_ascii()),
        }))
    }
}

/// Copies into a file that nobody else can open and that is gone when this process ends, for the lines hold secrets.
fn spool(mut from: impl io::Read, folder: &Path) -> io::Result<File> {
    let path = folder.join(format!("import.{}.spool", std::process::id()));
    let mut options = OpenOptions::new();
    let mut file = options
        .read(true)
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&path)?;
    fs::remove_file(&path)?;
    io::copy(&mut from, &mut file)?;
    Ok(file)
}
