//! The memory of the hub: one trait, its contract, and the engines that keep it.
//!
//! The contract:
//!
//! 1. `commit` returns when all its changes are durable, and only then; they become visible together or not at all.
//! 2. Every change is idempotent: the same again, as after a crash, changes nothing more and counts nothing twice.
//! 3. Pages come in key order, and that order never changes.
//! 4. A row that cannot be read is set aside and counted (`Store::quarantined`), never a panic, never an end of a page.
//! 5. After a failed `commit` nothing of it is visible, and `Store::probe` tells the truth about the next one.

pub mod settings;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

mod apply;
pub mod archive;
mod backlog;
mod backup;
mod database;
mod engine;
pub mod hooks;
mod journal;
mod key;
mod mark;
mod overlay;
mod quarantine;
mod read;
mod recent;
mod record;
pub mod restore;
mod sled;
mod target;
mod watch;
mod writer;

#[cfg(test)]
mod contract;
#[cfg(test)]
pub mod memory;

use self::archive::Contents;
pub use self::hooks::{HookChange, HookStore};
pub use self::settings::StoreOptions;
pub use self::sled::SledStore;
pub use self::target::{Recipient, Subscriber, Target};

use crate::domain::attempt::Attempt;
use crate::domain::hook::HookId;
use crate::domain::job::{Backlog, Job, JobId};
use crate::domain::publication::Publication;
use crate::domain::receipt::{Bundle, Missing, Receipt, Stage, Tally};
use crate::domain::subscription::Subscription;
use crate::domain::topic::{Hosted, Topic};
use crate::domain::value::{CallbackId, CallbackUrl, PublicationId, TargetId, Timestamp, TopicId};

/// A store that any part of the hub may hold.
pub type SharedStore = Arc<dyn Store>;

/// Why the store did not do what it was asked.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// Another process has the data folder.
    #[error(
        "the data folder {0} is in use by another process; stop that one, or choose another folder with --data-dir"
    )]
    InUse(String),
    /// The data folder cannot be made, or this user may not write there.
    #[error(
        "the data folder {folder} cannot be used: {cause}; choose another with --data-dir, or let this user write there"
    )]
    Unusable {
        /// The folder.
        folder: String,
        /// What the system says.
        cause: String,
    },
    /// The data folder is there, but what is in it cannot be read.
    #[error(
        "the data folder {folder} cannot be read: {cause}; restore a backup, or move the folder away to start anew"
    )]
    Damaged {
        /// The folder.
        folder: String,
        /// What is wrong.
        cause: String,
    },
    /// A newer binary wrote the data folder in a way that this one cannot know.
    #[error(
        "the data folder {folder} has format {found} and this binary knows formats up to {known}; start the newer version again"
    )]
    Newer {
        /// The folder.
        folder: String,
        /// Its format.
        found: u64,
        /// The newest format that this binary reads.
        known: u64,
    },
    /// The engine failed: nothing of the commit is durable.
    #[error("the store cannot write: {0}")]
    Unavailable(String),
}

/// The result of a store's call.
pub type Result<T, E = StoreError> = std::result::Result<T, E>;

/// How much may wait for one target; what is over is given up, oldest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BacklogLimits {
    /// Publications for a subscription.
    pub entries: u64,
    /// The sum of their bodies, in bytes. A body is kept for a subscription's backlog alone.
    pub bytes: u64,
    /// Events for a hook. They are kept whoever waits, so their bytes do not count.
    pub events: u64,
}

impl BacklogLimits {
    /// Whether so much may wait for a target.
    fn allow(self, job: &Backlog) -> bool {
        match HookId::of(job.target) {
            Some(_) => job.entries <= self.events,
            None => job.entries <= self.entries && job.bytes <= self.bytes,
        }
    }
}

/// One publication that waits for a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// The publication.
    pub publication: PublicationId,
    /// The size of its body, in bytes.
    pub size: u64,
    /// When the publication was accepted: its age decides when it is given up.
    pub accepted_at: Timestamp,
    /// The target did not want this one, and takes others.
    pub rejected: Option<Rejected>,
}

/// How a publication that was rejected waits: others pass it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rejected {
    /// Which edit of the hook rejected it: its `updated_at`. What a later one makes of it is not known yet.
    pub edit: Timestamp,
    /// When to try it again.
    pub due: Timestamp,
    /// How often it was tried.
    pub times: u32,
}

/// One change of the store; a commit is a list of them.
#[derive(Clone, Debug)]
pub enum Change {
    /// A job is there, or stands differently than before. Backlog jobs are not put: `Wait` makes them.
    Put(Job),
    /// A job is done. Backlog jobs are not finished: they end with their last entry.
    Finish(JobId),

    /// A subscription begins, or is renewed; its topic is made known if it is not yet.
    Activate(Subscription),
    /// A subscription ends, if it is still the one that was verified at that time; `None` ends it whatever it is.
    /// What waits for it is `Gone` in its receipts, and its backlog ends, also when there is no subscription (any more).
    End {
        /// Whose.
        target: TargetId,
        /// The verification that the decision was based on.
        verified_at: Option<Timestamp>,
    },

    /// What is known of a topic.
    PutTopic(Topic),
    /// Nothing is known of a topic any longer, unless it has subscribers.
    ForgetTopic(TopicId),
    /// The hub serves this content.
    Host(Hosted, Bytes),
    /// The hub serves it no longer.
    Unhost(TopicId),

    /// A receipt begins. One that is there already stays as it is.
    Receive(Receipt),
    /// A ping of several topics.
    Bundle(Bundle),
    /// A receipt's stage changes; that of a receipt that is not there does not.
    Stage(PublicationId, Stage),
    /// A publication and its body are kept until every target has it or lost it. An event is kept until `Prune`, stands in
    /// its source's log, and is the latest of its topic unless there is a later one.
    Journal(Publication, Bytes),
    /// The fan-out has visited every target: its job is done, its counts go into the receipt, whose counts add up from
    /// then on ([`Tally::closed`]), the stage becomes `Visited`, and the body goes if nobody waits for it.
    Visited(PublicationId, Tally),

    /// A publication waits for a target: a row of its backlog and of the receipt's missing targets, counted as
    /// `backlog` in the receipt. The target's `Backlog` job is made with `due` if there is none. With `failed`, the
    /// job's `due` and `failures` are set even if there is one. Over the limits, the oldest entries are given up, be it
    /// this one. Nothing happens without a receipt, or if the target was given up or gone for it before. `targets` of the
    /// receipt is the fan-out's to count, so a row that is new comes before `Visited`.
    Wait {
        /// Who has not got it.
        target: TargetId,
        /// Where that is.
        callback: CallbackUrl,
        /// What waits.
        entry: Waiting,
        /// When to try.
        due: Timestamp,
        /// The attempt that failed just now, and how many have in a row.
        failed: Option<(Attempt, u32)>,
    },
    /// A target in backlog has got the publication: the entry goes, `backlog` becomes `delivered`, and the job is due
    /// at `at` without failures, or gone with its last entry.
    Settle {
        /// Who.
        target: TargetId,
        /// What.
        publication: PublicationId,
        /// When it was answered.
        at: Timestamp,
    },
    /// A publication is given up for a target in backlog: `backlog` becomes `given_up`; the job stays as it is, or is gone with its
    /// last entry.
    GiveUp {
        /// Who.
        target: TargetId,
        /// What.
        publication: PublicationId,
    },
    /// A target in backlog is to end without a publication: `backlog` becomes `gone`; else as `GiveUp`. For whom so much waits that
    /// it would be too much for one `End`.
    Forgo {
        /// Who.
        target: TargetId,
        /// What.
        publication: PublicationId,
    },
    /// What waits for a target in backlog may be tried at this time, as if nothing had failed.
    Rouse {
        /// Who.
        target: TargetId,
        /// When.
        at: Timestamp,
    },
    /// An attempt for a target in backlog failed: the job's next time, and the attempt for the receipt.
    Postpone {
        /// Who.
        target: TargetId,
        /// What was tried.
        publication: PublicationId,
        /// When to try again.
        due: Timestamp,
        /// Failures in a row.
        failures: u32,
        /// What happened.
        attempt: Attempt,
        /// If this one waits by itself, how, and then `due` and `failures` take nothing back from what is set; else the entry
        /// stays as it is.
        rejected: Option<Rejected>,
    },
    /// A target ended at this delivery of the fan-out (a 410): `gone` in the receipt, with the attempt. Comes with `End`.
    Lose {
        /// Who.
        target: TargetId,
        /// Where that was.
        callback: CallbackUrl,
        /// What it did not get.
        publication: PublicationId,
        /// What happened.
        attempt: Attempt,
    },
    /// A receipt names a target no longer that has not got the publication; its counts stay. Nothing, while the target waits for it.
    Unname {
        /// The receipt.
        publication: PublicationId,
        /// Who.
        target: TargetId,
    },
    /// Everything about a publication is forgotten: receipt, missing targets, body, backlog entries, its fetch and fan-out
    /// jobs, its place in the log of events, the bundle of that id.
    Prune(PublicationId),
    /// What belongs to webhooks.
    Hooks(HookChange),
}

/// The store. See the module for its contract.
#[async_trait]
pub trait Store: HookStore {
    /// Makes the changes durable, in their order, all or none.
    async fn commit(&self, changes: Vec<Change>) -> Result<()>;

    /// What is known of a topic.
    async fn topic(&self, topic: TopicId) -> Result<Option<Topic>>;
    /// Topics in key order.
    async fn topics(&self, after: Option<TopicId>, limit: usize) -> Result<Vec<Topic>>;
    /// Content that the hub serves.
    async fn hosted(&self, topic: TopicId) -> Result<Option<(Hosted, Bytes)>>;

    /// One subscription.
    async fn subscription(&self, target: TargetId) -> Result<Option<Subscription>>;
    /// All subscriptions, in key order.
    async fn subscriptions(&self, after: Option<TargetId>, limit: usize)
    -> Result<Vec<Subscriber>>;
    /// The subscriptions to one topic, in key order.
    async fn subscriptions_to(
        &self,
        topic: TopicId,
        after: Option<CallbackId>,
        limit: usize,
    ) -> Result<Vec<Subscriber>>;
    /// The targets of one topic, in the order of their callbacks: its subscriptions, and the hooks that were put on it.
    async fn targets(
        &self,
        topic: TopicId,
        after: Option<CallbackId>,
        limit: usize,
    ) -> Result<Vec<Target>>;
    /// The target with this id: a subscription, or a hook that may be inactive.
    async fn target(&self, id: TargetId) -> Result<Option<Target>> {
        match HookId::of(id) {
            Some(hook) => Ok(self.hook(hook).await?.map(Target::from)),
            None => {
                let subscription = self.subscription(id).await?;
                Ok(subscription.map(|subscription| Subscriber { id, subscription }.into()))
            }
        }
    }
    /// How many subscriptions a topic has; lapsed ones count until they are swept.
    async fn subscribers(&self, topic: TopicId) -> Result<u64>;
    /// How many subscriptions have callbacks at a host.
    async fn subscriptions_at_host(&self, host: &str) -> Result<u64>;

    /// A publication and its body, as long as someone waits for it; an event as long as it is kept.
    async fn publication(&self, id: PublicationId) -> Result<Option<(Publication, Bytes)>>;
    /// A receipt, with the counts of the fan-out's last checkpoint.
    async fn receipt(&self, id: PublicationId) -> Result<Option<Receipt>>;
    /// Receipts in key order, oldest first.
    async fn receipts(&self, after: Option<PublicationId>, limit: usize) -> Result<Vec<Receipt>>;
    /// Receipts against key order, newest first.
    async fn receipts_before(
        &self,
        before: Option<PublicationId>,
        limit: usize,
    ) -> Result<Vec<Receipt>>;
    /// The receipt of a ping of several topics.
    async fn bundle(&self, id: PublicationId) -> Result<Option<Bundle>>;
    /// Bundles in key order, oldest first.
    async fn bundles(&self, after: Option<PublicationId>, limit: usize) -> Result<Vec<Bundle>>;
    /// The targets that have not got a publication, in key order.
    async fn missing(
        &self,
        id: PublicationId,
        after: Option<TargetId>,
        limit: usize,
    ) -> Result<Vec<Missing>>;
    /// What is known of one target that has not got a publication.
    async fn missing_one(&self, id: PublicationId, target: TargetId) -> Result<Option<Missing>>;
    /// The targets that have not got something, of all publications, in key order.
    async fn all_missing(
        &self,
        after: Option<(PublicationId, TargetId)>,
        limit: usize,
    ) -> Result<Vec<(PublicationId, Missing)>>;
    /// The publications that are kept, oldest first, without their bodies.
    async fn publications(
        &self,
        after: Option<PublicationId>,
        limit: usize,
    ) -> Result<Vec<Publication>>;
    /// The size of their bodies together, in bytes.
    async fn kept_bytes(&self) -> Result<u64>;
    /// What waits for a target, oldest first.
    async fn waiting(&self, target: TargetId, limit: usize) -> Result<Vec<Waiting>>;

    /// One job.
    async fn job(&self, id: JobId) -> Result<Option<Job>>;
    /// All jobs, in an order that does not change: for start-up and take-over.
    async fn jobs(&self, after: Option<JobId>, limit: usize) -> Result<Vec<Job>>;

    /// Makes an archive of all that is kept, as it stands at one moment, under this path; meanwhile the store goes on. The
    /// archive says when that was, and has these small files beside the rows, by name.
    async fn back_up(
        &self,
        path: PathBuf,
        made_at: String,
        files: BTreeMap<String, String>,
    ) -> Result<Contents>;
    /// Makes a row durable and says whether that worked.
    async fn probe(&self) -> Result<()>;
    /// For whom commits have given up publications since this was last asked, since more waited than may: a target for each.
    fn overflow(&self) -> Vec<TargetId>;
    /// How many rows could not be read so far.
    fn quarantined(&self) -> u64;
    /// Writes out what is in memory; called once, last.
    async fn close(&self) -> Result<()>;
}
