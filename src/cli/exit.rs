//! The exit codes. In: why a verb failed. Out: the code that a script can tell it by.

use std::process::ExitCode;

use reqwest::StatusCode;

/// What each code means, for `--help`.
pub const CODES: &str = "  0  done
  1  it failed, or was refused, for a reason that is printed
  2  the command line is wrong
  3  what was named is not there
  4  not allowed: a token is missing, wrong, or for less
  5  nobody answered: the hub, or the topic, cannot be reached";

/// A failure that has a code of its own. Every other one ends with 1.
#[derive(Debug, thiserror::Error)]
#[error("{words}")]
pub struct Failure {
    code: u8,
    words: String,
}

impl Failure {
    /// The command line asks for what cannot be.
    pub fn usage(words: String) -> Self {
        Self { code: 2, words }
    }

    /// What was named is not there.
    pub fn not_found(words: String) -> Self {
        Self { code: 3, words }
    }

    /// No answer came.
    pub fn unreachable(words: String) -> Self {
        Self { code: 5, words }
    }

    /// A server has answered, and not with success.
    pub fn refused(status: StatusCode, words: String) -> Self {
        let code = match status {
            StatusCode::NOT_FOUND | StatusCode::GONE => 3,
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => 4,
            _ => 1,
        };
        Self { code, words }
    }
}

/// The exit code of a failure.
pub fn code(error: &anyhow::Error) -> ExitCode {
    let failure = error.downcast_ref::<Failure>();
    failure.map_or(ExitCode::FAILURE, |failure| failure.code.into())
}
