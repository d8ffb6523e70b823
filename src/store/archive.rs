//! The archive that a backup is. In: rows in the order of their keys. Out: bytes that say what is in them, and the same rows again, or
//! what is wrong with the bytes.
//!
//! | part | what it is |
//! |---|---|
//! | `fanfare backup 1` | a line |
//! | head | a line of JSON: [`Head`] |
//! | rows | length of the key (4 bytes), of the value (4), key, value; in ascending order |
//! | end | a key of length 0 |
//! | trailer | a line of JSON: [`Contents`], with the SHA-256 of all bytes before it |
//!
//! Numbers are big-endian. Each kind of row has a count and a SHA-256 of its own, over lengths, keys and values as they stand here,
//! so that a store can be compared with an archive kind by kind.

use std::collections::BTreeMap;
use std::io::{self, BufRead, Read as _, Write};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

const MAGIC: &str = "fanfare backup 1\n";
/// No line of an archive is longer, in bytes.
const LINE_MAX: u64 = 1 << 20;
/// No key is longer, in bytes.
const KEY_MAX: u32 = 1 << 16;
/// No value is longer, in bytes: the store keeps none that is nearly as long.
const VALUE_MAX: u32 = 16 << 20;

/// A key and its value.
pub(super) type Row = (Vec<u8>, Vec<u8>);

/// What an archive says of where it comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// The version of the binary that made it.
    pub version: String,
    /// The format of the rows.
    pub format: u64,
    /// When it was made.
    pub made_at: String,
    /// Small files that stood beside the database, by name.
    pub files: BTreeMap<String, String>,
}

/// What is in an archive, or in a store.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contents {
    /// How many rows.
    pub rows: u64,
    /// The rows of each kind.
    pub kinds: BTreeMap<String, Kind>,
    /// The SHA-256 of the whole archive up to its trailer; empty for a store.
    #[serde(default)]
    pub sha256: String,
}

/// The rows of one kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kind {
    /// How many.
    pub rows: u64,
    /// Their SHA-256.
    pub sha256: String,
}

/// Why bytes are not a whole archive.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// Something else.
    #[error("this is not a backup of Fanfare: it does not begin with {:?}", MAGIC.trim())]
    Foreign,
    /// Not as it was written.
    #[error("the backup is damaged {place}: {cause}")]
    Damaged {
        /// Where.
        place: String,
        /// How.
        cause: String,
    },
    /// The system's.
    #[error("it cannot be read: {0}")]
    Io(#[from] io::Error),
}

/// Sums up rows by kind.
#[derive(Default)]
pub(super) struct Sums(BTreeMap<u8, (u64, Sha256)>);

impl Sums {
    /// Counts a row; they come in the order of their keys.
    pub fn add(&mut self, key: &[u8], value: &[u8]) {
        let kind = key.first().copied().unwrap_or_default();
        let (rows, sum) = self.0.entry(kind).or_default();
        *rows += 1;
        for part in [&lengths(key, value)[..], key, value] {
            sum.update(part);
        }
    }

    /// What was counted.
    pub fn contents(self) -> Contents {
        let rows = self.0.values().map(|(rows, _)| rows).sum();
        let kinds = self.0.into_iter().map(|(kind, (rows, sum))| {
            let sha256 = hex::encode(sum.finalize());
            (kind_name(kind), Kind { rows, sha256 })
        });
        Contents {
            rows,
            kinds: kinds.collect(),
            sha256: String::new(),
        }
    }
}

/// Writes an archive.
pub(super) struct Writer<W> {
    out: W,
    whole: Sha256,
    sums: Sums,
}

impl<W: Write> Writer<W> {
    /// Begins one.
    pub fn new(out: W, head: &Head) -> io::Result<Self> {
        let mut writer = Self {
            out,
            whole: Sha256::new(),
            sums: Sums::default(),
        };
        writer.write(MAGIC.as_bytes())?;
        writer.write(&line(head)?)?;
        Ok(writer)
    }

    /// The next row.
    pub fn row(&mut self, key: &[u8], value: &[u8]) -> io::Result<()> {
        self.sums.add(key, value);
        self.write(&lengths(key, value))?;
        self.write(key)?;
        self.write(value)
    }

    /// Ends it.
    pub fn finish(mut self) -> io::Result<(W, Contents)> {
        self.write(&lengths(&[], &[]))?;
        let contents = Contents {
            sha256: hex::encode(self.whole.finalize()),
            ..self.sums.contents()
        };
        self.out.write_all(&line(&contents)?)?;
        self.out.flush()?;
        Ok((self.out, contents))
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.whole.update(bytes);
        self.out.write_all(bytes)
    }
}

/// Reads an archive.
pub(super) struct Reader<R> {
    input: R,
    whole: Sha256,
    sums: Sums,
    rows: u64,
    last: Vec<u8>,
}

impl<R: BufRead> Reader<R> {
    /// Begins to read one.
    pub fn new(input: R) -> Result<(Self, Head), ArchiveError> {
        let mut reader = Self {
            input,
            whole: Sha256::new(),
            sums: Sums::default(),
            rows: 0,
            last: Vec::new(),
        };
        if reader.line()? != MAGIC.as_bytes() {
            return Err(ArchiveError::Foreign);
        }
        let head = reader.line()?;
        let head = serde_json::from_slice(&head).map_err(|error| damaged("in its head", error))?;
        Ok((reader, head))
    }

    /// The next row; none at the end.
    pub fn row(&mut self) -> Result<Option<Row>, ArchiveError> {
        let mut lengths = [0; 8];
        self.fill(&mut lengths)?;
        let [key, value] = [0, 4].map(|at| {
            u32::from_be_bytes([
                lengths[at],
                lengths[at + 1],
                lengths[at + 2],
                lengths[at + 3],
            ])
        });
        if (key, value) == (0, 0) {
            return Ok(None);
        }
        if key == 0 || key > KEY_MAX || value > VALUE_MAX {
            return Err(self.broken("it has a length that no row has"));
        }
        let (mut key, mut value) = (vec![0; key as usize], vec![0; value as usize]);
        self.fill(&mut key)?;
        self.fill(&mut value)?;
        if key <= self.last {
            return Err(self.broken("it is out of order"));
        }
        self.sums.add(&key, &value);
        self.rows += 1;
        self.last.clone_from(&key);
        Ok(Some((key, value)))
    }

    /// What the archive says is in it, once all rows are read: they are that.
    pub fn finish(mut self) -> Result<Contents, ArchiveError> {
        let whole = hex::encode(std::mem::take(&mut self.whole).finalize());
        let trailer = self.line()?;
        let said: Contents =
            serde_json::from_slice(&trailer).map_err(|error| damaged("in its last line", error))?;
        let found = Contents {
            sha256: whole,
            ..self.sums.contents()
        };
        if let Some(difference) = difference(&said, &found) {
            return Err(damaged("as a whole", difference));
        }
        match said == found {
            true => Ok(said),
            false => Err(damaged("as a whole", "its checksum is another one")),
        }
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), ArchiveError> {
        match self.input.read_exact(bytes) {
            Ok(()) => {
                self.whole.update(bytes);
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                Err(self.broken("the archive ends here, and has no end"))
            }
            Err(error) => Err(error.into()),
        }
    }

    fn line(&mut self) -> Result<Vec<u8>, ArchiveError> {
        let mut line = Vec::new();
        (&mut self.input)
            .take(LINE_MAX)
            .read_until(b'\n', &mut line)?;
        self.whole.update(&line);
        Ok(line)
    }

    fn broken(&self, cause: &str) -> ArchiveError {
        damaged(&format!("at row {}", self.rows + 1), cause)
    }
}

/// The first kind of which there is not the same in both, in words.
pub(super) fn difference(said: &Contents, found: &Contents) -> Option<String> {
    let names = said.kinds.keys().chain(found.kinds.keys());
    let differs = |name: &&String| said.kinds.get(*name) != found.kinds.get(*name);
    let name = names.into_iter().find(differs)?;
    let rows = |contents: &Contents| contents.kinds.get(name).map_or(0, |kind| kind.rows);
    Some(match (rows(said), rows(found)) {
        (said, found) if said != found => {
            format!("of {name} there should be {said} rows, and there are {found}")
        }
        _ => format!("the checksum of {name} is another one"),
    })
}

fn damaged(place: &str, cause: impl ToString) -> ArchiveError {
    ArchiveError::Damaged {
        place: place.to_owned(),
        cause: cause.to_string(),
    }
}

fn line(json: &impl Serialize) -> io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(json)?;
    line.push(b'\n');
    Ok(line)
}

/// Of a row that the store keeps, whose lengths fit.
pub(super) fn lengths(key: &[u8], value: &[u8]) -> [u8; 8] {
    let [key, value] = [key, value].map(|part| part.len() as u32);
    ((u64::from(key) << 32) | u64::from(value)).to_be_bytes()
}

/// What the rows are that begin with this byte.
fn kind_name(kind: u8) -> String {
    let name = match kind {
        0 => "counters",
        b'a' => "answered_requests",
        b'b' => "bundles",
        b'c' => "hosted_bodies",
        b'd' => "deliveries",
        b'e' => "events",
        b'f' => "hook_health",
        b'g' => "tokens",
        b'h' => "hosted_topics",
        b'i' => "hooks_on_topics",
        b'j' => "jobs",
        b'k' => "hooks",
        b'l' => "hooks_of_sources",
        b'm' => "missing_targets",
        b'n' => "hosts",
        b'o' => "sources",
        b'p' => "publications",
        b'q' => "unreadable_copies",
        b'r' => "receipts",
        b's' => "subscriptions",
        b't' => "topics",
        b'u' => "subscriber_counts",
        b'v' => "latest_events",
        b'w' => "backlog",
        b'x' => "bodies",
        b'y' => "request_bodies",
        b'z' => "answer_times",
        b'R' => "replays",
        other => return format!("kind_{other:02x}"),
    };
    name.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head() -> Head {
        Head {
            version: "0.1.0".into(),
            format: 3,
            made_at: "2026-11-28T00:00:00Z".into(),
            files: BTreeMap::from([("token".into(), "abc\n".into())]),
        }
    }

    fn rows() -> Vec<Row> {
        let row = |key: &[u8], value: &[u8]| (key.to_vec(), value.to_vec());
        vec![row(b"k1", b""), row(b"s1", b"one"), row(b"s2", b"two")]
    }

    fn archive() -> Vec<u8> {
        let mut writer = Writer::new(Vec::new(), &head()).expect("a head");
        for (key, value) in rows() {
            writer.row(&key, &value).expect("a row");
        }
        writer.finish().expect("an end").0
    }

    fn read(bytes: &[u8]) -> Result<(Vec<Row>, Contents), ArchiveError> {
        let (mut reader, _) = Reader::new(bytes)?;
        let mut rows = Vec::new();
        while let Some(row) = reader.row()? {
            rows.push(row);
        }
        Ok((rows, reader.finish()?))
    }

    #[test]
    fn what_was_written_comes_back_and_is_counted_by_kind() {
        let (read, contents) = read(&archive()).expect("an archive");
        assert_eq!(read, rows());
        assert_eq!(contents.rows, 3);
        assert_eq!(contents.kinds["subscriptions"].rows, 2);
        assert_eq!(contents.kinds["hooks"].rows, 1);
        assert_eq!(Reader::new(&archive()[..]).expect("one").1, head());
    }

    #[test]
    fn no_byte_can_be_changed_or_taken_away_without_being_noticed() {
        let whole = archive();
        for at in 0..whole.len() - 1 {
            assert!(read(&whole[..at]).is_err(), "cut at {at}");
            let mut changed = whole.clone();
            changed[at] ^= 1;
            assert!(read(&changed).is_err(), "changed at {at}");
        }
    }

    #[test]
    fn what_differs_is_named() {
        let (_, said) = read(&archive()).expect("an archive");
        let mut found = said.clone();
        assert_eq!(difference(&said, &found), None);
        found.kinds.remove("hooks");
        let told = difference(&said, &found).expect("a difference");
        assert_eq!(told, "of hooks there should be 1 rows, and there are 0");
    }
}
