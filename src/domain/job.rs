//! The durable jobs: what is still to be done, and how far it has come.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::receipt::Tally;
use super::subscription::{Denial, Intent};
use super::value::{CallbackId, PublicationId, TargetId, Timestamp, TopicId, TopicUrl};

/// Work that outlives the process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Job {
    /// Ask a callback whether it meant what was asked for in its name.
    Verify(Verify),
    /// Tell a callback that it is denied.
    Deny(Deny),
    /// Get a topic's content.
    Fetch(Fetch),
    /// Bring a publication to all targets.
    Fanout(Fanout),
    /// Bring a failing target what it has missed, oldest first.
    Backlog(Backlog),
}

/// A job's key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum JobId {
    /// By the intent.
    Verify(Uuid),
    /// By the denial.
    Deny(Uuid),
    /// By the publication that it may become.
    Fetch(PublicationId),
    /// By the publication.
    Fanout(PublicationId),
    /// By the target.
    Backlog(TargetId),
}

impl Job {
    /// Its key.
    pub fn id(&self) -> JobId {
        match self {
            Self::Verify(job) => JobId::Verify(job.intent.id),
            Self::Deny(job) => JobId::Deny(job.denial.id),
            Self::Fetch(job) => JobId::Fetch(job.publication),
            Self::Fanout(job) => JobId::Fanout(job.publication),
            Self::Backlog(job) => JobId::Backlog(job.target),
        }
    }

    /// When it should next be worked on.
    pub fn due(&self) -> Timestamp {
        match self {
            Self::Verify(job) => job.due,
            Self::Deny(job) => job.due,
            Self::Fetch(job) => job.due,
            Self::Fanout(_) => Timestamp::default(),
            Self::Backlog(job) => job.due,
        }
    }
}

/// See [`Job::Verify`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verify {
    /// What was asked for.
    pub intent: Intent,
    /// When to ask.
    pub due: Timestamp,
    /// Requests that got no answer so far.
    pub failures: u32,
}

/// See [`Job::Deny`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deny {
    /// What is to be told.
    pub denial: Denial,
    /// When to tell it.
    pub due: Timestamp,
    /// Requests that got no answer so far.
    pub failures: u32,
}

/// See [`Job::Fetch`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fetch {
    /// The id that the publication will have if the content is new; the receipt's id.
    pub publication: PublicationId,
    /// What to fetch.
    pub topic: TopicUrl,
    /// When.
    pub due: Timestamp,
    /// Fetches that failed so far.
    pub failures: u32,
}

/// See [`Job::Fanout`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fanout {
    /// What is brought.
    pub publication: PublicationId,
    /// The topics whose targets get it, in the order of the visit: the topic itself, then its aliases.
    pub members: Vec<TopicId>,
    /// The last target visited.
    pub cursor: Cursor,
    /// Visited targets whose delivery is still open: after a crash they are tried again. Written down topic by topic, as
    /// most of them are of one, and there may be thousands.
    #[serde(with = "by_topic")]
    pub open: Vec<TargetId>,
    /// What has been counted up to the cursor.
    pub tally: Tally,
}

impl Fanout {
    /// A fan-out that has visited nobody.
    pub fn new(publication: PublicationId, members: Vec<TopicId>) -> Self {
        Self {
            publication,
            members,
            cursor: Cursor::default(),
            open: Vec::new(),
            tally: Tally::default(),
        }
    }

    /// Where the cursor stands when every target is visited.
    pub fn end(&self) -> Cursor {
        Cursor {
            member: self.members.len(),
            after: None,
        }
    }
}

/// A place in the order of a fan-out's targets: so many members are done, and in the next one all up to a callback.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Cursor {
    /// How many members are done.
    pub member: usize,
    /// The last callback visited in the member after those.
    pub after: Option<CallbackId>,
}

/// See [`Job::Backlog`]. It exists as long as its target has entries in the backlog.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backlog {
    /// Whose backlog.
    pub target: TargetId,
    /// When the next attempt may be made.
    pub due: Timestamp,
    /// Failures since the last success.
    pub failures: u32,
    /// How many publications wait.
    pub entries: u64,
    /// The sum of their sizes, in bytes.
    pub bytes: u64,
}

/// Targets, each topic written once.
mod by_topic {
    use std::collections::BTreeMap;

    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};

    use super::{CallbackId, TargetId, TopicId};

    type ByTopic = BTreeMap<TopicId, Vec<CallbackId>>;

    pub(super) fn serialize<S: Serializer>(
        targets: &[TargetId],
        out: S,
    ) -> Result<S::Ok, S::Error> {
        let mut topics = ByTopic::new();
        for target in targets {
            topics
                .entry(target.topic)
                .or_default()
                .push(target.callback);
        }
        topics.serialize(out)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Vec<TargetId>, D::Error> {
        let topics = ByTopic::deserialize(from)?;
        let targets = topics.into_iter().flat_map(|(topic, callbacks)| {
            callbacks
                .into_iter()
                .map(move |callback| TargetId { topic, callback })
        });
        Ok(targets.collect())
    }
}
