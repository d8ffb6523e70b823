//! One request of a delivery, what came of it, and what that means (WebSub REC section 7).

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::value::Timestamp;

/// The most of a response that is kept, in bytes.
pub const EXCERPT_MAX_BYTES: usize = 1024;

/// A request that was made, or refused before it could be made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// When it began.
    pub at: Timestamp,
    /// How long it took, in milliseconds.
    pub millis: u64,
    /// What came of it.
    pub outcome: Outcome,
}

/// How a request ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// The receiver answered.
    Answered {
        /// The status code.
        status: u16,
        /// `Retry-After`, in seconds from the answer.
        retry_after: Option<u64>,
        /// The beginning of the body, made readable.
        excerpt: String,
    },
    /// No answer came.
    Unanswered {
        /// What kind of failure.
        failure: Failure,
        /// The cause in words.
        detail: String,
    },
}

/// The ways in which no answer comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Failure {
    /// The guard does not let the hub go there.
    Refused,
    /// The host name has no address.
    Resolve,
    /// Nobody accepts the connection.
    Connect,
    /// The encrypted session could not be made.
    Tls,
    /// The deadline passed.
    Timeout,
    /// The connection broke, or what came was not HTTP.
    Protocol,
    /// The request could not be made: the hook and the event do not fit.
    Unfit,
}

/// What a delivery's outcome means for the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// A 2xx: the target has it (HUB-44).
    Delivered,
    /// A 410: the subscription ends (HUB-45).
    Gone,
    /// Anything else: try again (HUB-47), not before the time that the receiver asked for.
    Failed {
        /// `Retry-After`.
        not_before: Option<Duration>,
    },
}

impl Outcome {
    /// A body's beginning as text that can be shown and stored.
    pub fn excerpt(body: &[u8]) -> String {
        String::from_utf8_lossy(&body[..body.len().min(EXCERPT_MAX_BYTES)]).into_owned()
    }

    /// What it means for the target.
    pub fn verdict(&self) -> Verdict {
        match self {
            Self::Answered {
                status: 200..=299, ..
            } => Verdict::Delivered,
            Self::Answered { status: 410, .. } => Verdict::Gone,
            Self::Answered { retry_after, .. } => Verdict::Failed {
                not_before: retry_after.map(Duration::from_secs),
            },
            Self::Unanswered { .. } => Verdict::Failed { not_before: None },
        }
    }

    /// Whether it says that this very publication is not wanted, or cannot be told, and that another one may be: not that the
    /// receiver is busy, broken, gone or away.
    pub fn rejects(&self) -> bool {
        match self {
            Self::Answered {
                status: 408 | 410 | 429,
                ..
            } => false,
            Self::Answered {
                status,
                retry_after: None,
                ..
            } => (300..500).contains(status),
            Self::Answered { .. } => false,
            Self::Unanswered { failure, .. } => *failure == Failure::Unfit,
        }
    }

    /// Whether it says that the whole origin is in trouble, not just one callback of it.
    pub fn blames_origin(&self) -> bool {
        matches!(self, Self::Unanswered { .. }) && self.asked_origin()
    }

    /// Whether anything was asked of the origin at all.
    pub fn asked_origin(&self) -> bool {
        !matches!(
            self,
            Self::Unanswered {
                failure: Failure::Refused | Failure::Unfit,
                ..
            }
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_2xx_is_success_and_only_410_ends_a_subscription() {
        for status in 100..600 {
            let outcome = Outcome::Answered {
                status,
                retry_after: Some(7),
                excerpt: String::new(),
            };
            let expected = match status {
                200..300 => Verdict::Delivered,
                410 => Verdict::Gone,
                _ => Verdict::Failed {
                    not_before: Some(Duration::from_secs(7)),
                },
            };
            assert_eq!(outcome.verdict(), expected, "{status}");
        }
    }

    #[test]
    fn who_rejects_says_so_of_this_publication_and_asks_for_no_pause() {
        let answered = |status, retry_after| Outcome::Answered {
            status,
            retry_after,
            excerpt: String::new(),
        };
        let rejected = [302, 400, 401, 404, 413, 422, 499];
        let others = [200, 204, 408, 410, 429, 500, 503];
        for status in rejected {
            assert!(answered(status, None).rejects(), "{status}");
            assert!(!answered(status, Some(1)).rejects(), "{status}");
        }
        for status in others {
            assert!(!answered(status, None).rejects(), "{status}");
        }
        for (failure, rejects) in [(Failure::Unfit, true), (Failure::Connect, false)] {
            let detail = String::new();
            let outcome = Outcome::Unanswered { failure, detail };
            assert_eq!(outcome.rejects(), rejects, "{failure:?}");
        }
    }

    #[test]
    fn an_excerpt_is_bounded_and_readable() {
        assert_eq!(Outcome::excerpt(b"ok\xff"), "ok\u{fffd}");
        assert_eq!(Outcome::excerpt(&[b'x'; 5000]).len(), EXCERPT_MAX_BYTES);
    }
}
