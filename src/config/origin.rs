//! Where a setting came from, and what is wrong with one: the words of every refusal.

use std::{fmt, path::PathBuf};

/// Where a setting came from. A later variant wins over an earlier one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// Built in.
    Default,
    /// A line of the file.
    File {
        /// The file, as it was named.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
    },
    /// The environment variable of this name.
    Env(String),
    /// The flag of this name: `--listen`.
    Flag(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
            Self::Env(name) => f.write_str(name),
            Self::Flag(name) => f.write_str(name),
        }
    }
}

/// One thing that is wrong: where it stands, and a sentence.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{origin}: {sentence}")]
pub struct Problem {
    /// Where it stands.
    pub origin: Origin,
    /// What is wrong, which value, and what would be right.
    pub sentence: String,
}

impl Problem {
    /// A problem with the value of `key`. The variables and flags are named for their key; a line of the file is not.
    pub(super) fn of_value(origin: Origin, key: &str, sentence: String) -> Self {
        let sentence = match origin {
            Origin::File { .. } => format!("{key}: {sentence}"),
            _ => sentence,
        };
        Self { origin, sentence }
    }
}

/// Why the configuration is refused.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{}: cannot be read: {cause}", .path.display())]
    Unreadable {
        /// The file, as it was named.
        path: PathBuf,
        /// What the system said. It stands in the words already, so it is no `source` beside them.
        cause: std::io::Error,
    },
    /// Some values are refused: all that were found, one a line.
    #[error("{}", lines(.0))]
    Refused(Vec<Problem>),
}

fn lines(problems: &[Problem]) -> String {
    problems
        .iter()
        .map(Problem::to_string)
        .collect::<Vec<_>>()
        .join("\n")
}
