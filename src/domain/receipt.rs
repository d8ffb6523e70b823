//! The receipt: what became of a publication.

use serde::{Deserialize, Serialize};

use super::attempt::Attempt;
use super::value::{CallbackUrl, PublicationId, TargetId, Timestamp, TopicUrl};

/// What is kept of a publication for those who ask what became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// The publication's id, also before it is known whether there will be one.
    pub id: PublicationId,
    /// The topic.
    pub topic: TopicUrl,
    /// When the ping, or the content, was accepted.
    pub accepted_at: Timestamp,
    /// How far it has come.
    pub stage: Stage,
    /// Who got it.
    pub tally: Tally,
}

/// The receipt of a ping that named several topics: one receipt for each of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bundle {
    /// Its own id.
    pub id: PublicationId,
    /// When the ping was accepted.
    pub accepted_at: Timestamp,
    /// The receipts of the topics that have subscribers, in the order of the ping.
    pub receipts: Vec<PublicationId>,
    /// The topics that nobody subscribes to.
    pub unheard: Vec<TopicUrl>,
}

/// How far a publication has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stage {
    /// Its content is being fetched.
    Fetching {
        /// Why the last fetch failed, if one did.
        last_failure: Option<String>,
    },
    /// There was nothing new.
    Unchanged,
    /// Nobody subscribes to the topic, so there was nothing to do.
    Unheard,
    /// The content could not be had.
    Failed {
        /// Why, in words.
        reason: String,
    },
    /// The fan-out visits the targets.
    Delivering,
    /// Every target has been visited.
    Visited,
}

impl Receipt {
    /// Every state that the API tells of.
    pub const STATES: [&str; 7] = [
        "fetching",
        "unchanged",
        "unheard",
        "failed",
        "delivering",
        "retrying",
        "complete",
    ];

    /// The state as the API tells it: one word.
    pub fn state(&self) -> &'static str {
        match self.stage {
            Stage::Fetching { .. } => "fetching",
            Stage::Unchanged => "unchanged",
            Stage::Unheard => "unheard",
            Stage::Failed { .. } => "failed",
            Stage::Delivering => "delivering",
            Stage::Visited if self.tally.backlog > 0 => "retrying",
            Stage::Visited => "complete",
        }
    }
}

/// The counts of a receipt. `targets` is the sum of the four after it plus those in flight; after a crash it may lag behind
/// them for a while. Once everybody was visited it is their sum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Targets visited.
    pub targets: u64,
    /// Deliveries that were answered with success.
    pub delivered: u64,
    /// Targets for whom it waits.
    pub backlog: u64,
    /// Targets for whom it was given up.
    pub given_up: u64,
    /// Targets that ended before they got it: a 410, an unsubscription, a lease that ran out.
    pub gone: u64,
    /// The first success.
    pub first_delivery: Option<Timestamp>,
    /// The last success.
    pub last_delivery: Option<Timestamp>,
}

impl Tally {
    /// Counts a success at `at`.
    pub fn delivered(&mut self, at: Timestamp) {
        self.delivered += 1;
        self.first_delivery = Some(self.first_delivery.map_or(at, |first| first.min(at)));
        self.last_delivery = Some(self.last_delivery.map_or(at, |last| last.max(at)));
    }

    /// Both counts together: that of the fan-out and that of the backlogs.
    pub fn merged(self, other: Self) -> Self {
        let both = |a: Option<Timestamp>,
                    b: Option<Timestamp>,
                    pick: fn(Timestamp, Timestamp) -> Timestamp| {
            a.zip(b).map(|(a, b)| pick(a, b)).or(a).or(b)
        };
        Self {
            targets: self.targets + other.targets,
            delivered: self.delivered + other.delivered,
            backlog: self.backlog + other.backlog,
            given_up: self.given_up + other.given_up,
            gone: self.gone + other.gone,
            first_delivery: both(self.first_delivery, other.first_delivery, Ord::min),
            last_delivery: both(self.last_delivery, other.last_delivery, Ord::max),
        }
    }

    /// Both counts together, once the fan-out has visited everybody: each target stands in exactly one of the four.
    ///
    /// The fan-out counts each target once, also over a crash. A delivery does not, as it may be repeated: who has got it
    /// is who is not missing.
    pub fn closed(self, fanout: Self) -> Self {
        let mut both = self.merged(fanout);
        let missing = both.backlog + both.given_up + both.gone;
        let most = fanout.targets.saturating_sub(missing);
        both.delivered = both.delivered.min(most);
        // Who was visited and has not got it, as the body was lost, does not get it any more.
        both.given_up += most - both.delivered;
        both.targets = both.delivered + both.backlog + both.given_up + both.gone;
        both
    }
}

/// A target that has not got a publication.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Missing {
    /// The target.
    pub target: TargetId,
    /// Where it is called.
    pub callback: CallbackUrl,
    /// Why it has not got it.
    pub state: MissingState,
    /// The last request that was made for it, if any was.
    pub last_attempt: Option<Attempt>,
}

/// Why a target has not got a publication.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MissingState {
    /// It waits in the target's backlog.
    Backlog,
    /// It was given up: too old, or too much waited.
    GivenUp,
    /// The target ended first.
    Gone,
}
