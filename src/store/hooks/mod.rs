//! What the store keeps for webhooks: sources and their events, hooks and their deliveries, answered requests, tokens. Here
//! are the changes and the reads; they keep the store's contract.

use async_trait::async_trait;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Change, Result};
use crate::domain::delivery::{Delivery, DeliveryId};
use crate::domain::event::EventName;
use crate::domain::hook::{Hook, HookHealth, HookId};
use crate::domain::replay::Replay;
use crate::domain::source::{Source, SourceName};
use crate::domain::token::{Token, TokenDigest};
use crate::domain::value::{PublicationId, Timestamp, TopicId};

pub(super) mod apply;
mod sled;

/// A change of what is kept for webhooks. Events are not here: `Change::Journal` keeps a publication that is one, and
/// `Change::Prune` forgets it.
#[derive(Clone, Debug)]
pub enum HookChange {
    /// A source is declared, or declared differently.
    PutSource(Source),
    /// A source is no longer declared. Its hooks and events stay: each ends by a change of its own.
    DropSource(SourceName),

    /// A hook begins, or is edited. It is a target of each of these topics, be it active or not, and of no others; its events must
    /// be normal (`EventPattern::normalise`), so that an event finds it once.
    PutHook {
        /// The hook.
        hook: Hook,
        /// The topics of its patterns.
        topics: Vec<TopicId>,
    },
    /// A hook ends, and all that is kept of it with it. What waits for it is `Gone` in its receipts. Its number is not given
    /// to another one. It takes the deliveries, and what waits, in one go: who has many prunes them before, in steps.
    DropHook(HookId),
    /// How a hook fares; nothing if there is no such hook (any more).
    Health(HookId, HookHealth),

    /// An attempt is kept, with the body of its request if that is one of its own (else none). Nothing if there is no such
    /// hook (any more).
    Log(Delivery, Bytes),
    /// The deliveries of a hook below an id are forgotten, in one go: who has many does it in steps.
    PruneDeliveries {
        /// Whose.
        hook: HookId,
        /// The first that stays.
        before: DeliveryId,
    },

    /// The answer to a request is kept under the key that came with it, in the place of what was kept there.
    Remember(Remembered),
    /// Answers that were given before a time are forgotten, in one go: who has many does it in steps.
    Forget {
        /// The first time that stays.
        before: Timestamp,
    },

    /// A replay begins, or has come further.
    PutReplay(Replay),
    /// Nobody asks for a replay any more.
    DropReplay(Uuid),

    /// A token is given out, or changed: another one of that id goes.
    PutToken(Token),
    /// A token is worth nothing any longer.
    DropToken(Uuid),
}

impl From<HookChange> for Change {
    fn from(change: HookChange) -> Self {
        Self::Hooks(change)
    }
}

/// A request that was answered, so that the same again is answered the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remembered {
    /// The digest of who asked and of the key that came with the request.
    pub key: [u8; 32],
    /// The digest of what was asked, which tells another request under the same key.
    pub request: [u8; 32],
    /// What came of it: the id of a publication, or of a bundle.
    pub publication: PublicationId,
    /// When it was answered.
    pub at: Timestamp,
}

/// An event in its source's log. Its publication has the rest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Raised {
    /// The publication.
    pub publication: PublicationId,
    /// Which event it is.
    pub event: EventName,
}

/// The row of a hook.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct HookRow {
    pub hook: Hook,
    /// The topics in whose index it stands.
    pub topics: Vec<TopicId>,
}

/// The reads of what is kept for webhooks.
#[async_trait]
pub trait HookStore: Send + Sync + 'static {
    /// One source.
    async fn source(&self, name: &SourceName) -> Result<Option<Source>>;
    /// Sources in the order of their keys.
    async fn sources(&self, after: Option<&SourceName>, limit: usize) -> Result<Vec<Source>>;

    /// One hook.
    async fn hook(&self, id: HookId) -> Result<Option<Hook>>;
    /// All hooks, by number.
    async fn hooks(&self, after: Option<HookId>, limit: usize) -> Result<Vec<Hook>>;
    /// The hooks of a source, by number, those that are not active too.
    async fn hooks_of(
        &self,
        source: &SourceName,
        after: Option<HookId>,
        limit: usize,
    ) -> Result<Vec<Hook>>;
    /// The number that no hook ever had, the lowest of those above all that were given. Who puts two hooks at a time takes
    /// care that they do not take the same one.
    async fn next_hook(&self) -> Result<HookId>;
    /// How a hook fares; all is well if nothing was ever said.
    async fn health(&self, hook: HookId) -> Result<HookHealth>;

    /// The deliveries of a hook, newest first.
    async fn deliveries_before(
        &self,
        hook: HookId,
        before: Option<DeliveryId>,
        limit: usize,
    ) -> Result<Vec<Delivery>>;
    /// The deliveries of a hook, oldest first.
    async fn deliveries_after(
        &self,
        hook: HookId,
        after: Option<DeliveryId>,
        limit: usize,
    ) -> Result<Vec<Delivery>>;
    /// The numbers of a hook's deliveries, oldest first.
    async fn oldest_deliveries(&self, hook: HookId, limit: usize) -> Result<Vec<DeliveryId>>;
    /// One delivery, and the body of its request if that is one of its own.
    async fn delivery(&self, hook: HookId, id: DeliveryId) -> Result<Option<(Delivery, Bytes)>>;
    /// The oldest of the newest `keep` deliveries, if there are older ones: from where on `PruneDeliveries` leaves as many.
    async fn oldest_kept(&self, hook: HookId, keep: usize) -> Result<Option<DeliveryId>>;
    /// The oldest of the newest deliveries that have so many bytes together at the most, and of the newest one in any case; if there are
    /// older ones.
    async fn oldest_within(&self, hook: HookId, bytes: u64) -> Result<Option<DeliveryId>>;

    /// The events of a source, newest first.
    async fn events_before(
        &self,
        source: &SourceName,
        before: Option<PublicationId>,
        limit: usize,
    ) -> Result<Vec<Raised>>;
    /// The events of a source, oldest first.
    async fn events_after(
        &self,
        source: &SourceName,
        after: Option<PublicationId>,
        limit: usize,
    ) -> Result<Vec<Raised>>;
    /// The latest event of a topic, until that is pruned.
    async fn latest_event(&self, topic: TopicId) -> Result<Option<PublicationId>>;

    /// What came of a request with this key.
    async fn remembered(&self, key: [u8; 32]) -> Result<Option<Remembered>>;
    /// When the oldest answer that is still kept was given.
    async fn oldest_remembered(&self) -> Result<Option<Timestamp>>;

    /// One replay.
    async fn replay(&self, id: Uuid) -> Result<Option<Replay>>;
    /// All replays, the oldest first: they are few.
    async fn replays(&self) -> Result<Vec<Replay>>;

    /// All tokens, the oldest first.
    async fn tokens(&self) -> Result<Vec<Token>>;
    /// The token with a digest.
    async fn token(&self, digest: TokenDigest) -> Result<Option<Token>>;
}
