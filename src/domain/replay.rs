//! A replay: the events of a time, once more, for one hook. In: what it shall get again. Out: how far that has come.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::hook::HookId;
use super::value::{PublicationId, Timestamp};

/// Which events a hook gets again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Selection {
    /// All that its patterns and its filter let through, whether it had them or not.
    All,
    /// Those whose last delivery in the log has failed.
    Failed,
}

/// How a replay stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Progress {
    /// It goes on, also after a restart.
    Running,
    /// It has come to its end.
    Finished(Timestamp),
    /// It was broken off.
    Stopped {
        /// When.
        at: Timestamp,
        /// Why.
        reason: String,
    },
}

/// A replay.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replay {
    /// Its id; time-ordered.
    pub id: Uuid,
    /// Who gets them.
    pub hook: HookId,
    /// Which.
    pub selection: Selection,
    /// The time of the first.
    pub since: Timestamp,
    /// When it was asked for: later events come by themselves.
    pub begun_at: Timestamp,
    /// The last event that it has dealt with.
    pub cursor: Option<PublicationId>,
    /// Events looked at.
    pub seen: u64,
    /// Of those, what the hook took.
    pub delivered: u64,
    /// Of those, what it did not take, however often it was tried.
    pub failed: u64,
    /// How it stands.
    pub progress: Progress,
}

impl Replay {
    /// Whether there is more to do.
    pub fn is_running(&self) -> bool {
        self.progress == Progress::Running
    }
}
