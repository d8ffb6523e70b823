//! The only place where the flow learns the time and rolls dice: everything pure takes both as parameters.

use std::time::{SystemTime, UNIX_EPOCH};

use tokio::time::Instant;
use uuid::Uuid;

use crate::domain::value::{PublicationId, Timestamp};

/// What time it is.
#[derive(Clone, Copy, Debug)]
pub enum Clock {
    /// The machine's clock.
    System,
    /// A clock that starts at a given time and goes on with the runtime's, which a test may pause.
    Runtime {
        /// The time at the start.
        start: Timestamp,
        /// The start.
        at: Instant,
    },
}

impl Clock {
    /// A clock that follows the runtime's own, paused or not.
    pub fn runtime(start: Timestamp) -> Self {
        Self::Runtime {
            start,
            at: Instant::now(),
        }
    }

    /// Now.
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads the clock"
    )]
    pub fn now(self) -> Timestamp {
        match self {
            Self::System => {
                let since = SystemTime::now().duration_since(UNIX_EPOCH);
                Timestamp::default().plus(since.unwrap_or_default())
            }
            Self::Runtime { start, at } => start.plus(at.elapsed()),
        }
    }
}

/// Uniform in 0..1, to spread retries.
#[expect(clippy::disallowed_methods, reason = "the one place that rolls dice")]
pub fn jitter() -> f64 {
    rand::random()
}

/// A challenge for a verification: 32 hexadecimal digits, from 128 random bits (HUB-27, HUB-28, HUB-29).
#[expect(clippy::disallowed_methods, reason = "the one place that rolls dice")]
pub fn challenge() -> String {
    hex::encode(rand::random::<[u8; 16]>())
}

/// Bytes that nobody can guess: for secrets and keys.
#[expect(clippy::disallowed_methods, reason = "the one place that rolls dice")]
pub fn random_bytes<const N: usize>() -> [u8; N] {
    rand::random()
}

/// The text of a new token: 48 hexadecimal digits, from 192 random bits, behind what tells where it is from.
#[expect(clippy::disallowed_methods, reason = "the one place that rolls dice")]
pub fn new_token() -> String {
    format!("fanfare_{}", hex::encode(rand::random::<[u8; 24]>()))
}

/// A new id; ids made later sort behind (UUID version 7).
#[expect(clippy::disallowed_methods, reason = "the one place that makes ids")]
pub fn new_id() -> Uuid {
    Uuid::now_v7()
}

/// A new publication's id.
pub fn new_publication_id() -> PublicationId {
    PublicationId(new_id())
}
