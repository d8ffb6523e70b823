//! The record codec. In: the domain's records. Out: compact bytes that say which version wrote them, and back.
//!
//! The first byte of each tells which version of its shape follows. When a record changes its shape, the old shape moves
//! into a struct of its own here, the record takes the next number, and reads the old one as well: for good (`golden/`).

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::Waiting;
use super::hooks::{HookRow, Remembered};
use super::journal::Journaled;
use super::key::Key;
use crate::domain::delivery::Delivery;
use crate::domain::event::{EventName, EventPattern};
use crate::domain::hook::{Hook, HookHealth, HookId, OldSecret, Receiver, Signing};
use crate::domain::job::{Backlog, Cursor, Deny, Fanout, Fetch, Job, Verify};
use crate::domain::publication::Publication;
use crate::domain::receipt::{Bundle, Missing, Receipt, Tally};
use crate::domain::replay::Replay;
use crate::domain::source::{Dialect, Source, SourceName};
use crate::domain::subscription::Subscription;
use crate::domain::token::Token;
use crate::domain::topic::{Hosted, Topic};
use crate::domain::value::{
    CallbackUrl, PublicationId, Secret, TargetId, Timestamp, TopicId, TopicUrl,
};

/// Why bytes are not the record that should be there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum RecordError {
    /// Nothing there.
    #[error("is empty")]
    Empty,
    /// Written by something newer.
    #[error("has version tag {0}; this binary knows tags up to {1}")]
    Version(u8, u8),
    /// Not what the version says.
    #[error("is malformed: {0}")]
    Malformed(postcard::Error),
    /// More than the record.
    #[error("has {0} bytes too many")]
    Trailing(usize),
}

/// What can be the value of a row.
pub(super) trait Record: Serialize + DeserializeOwned {
    /// The version that is written. The first one is 0.
    const TAG: u8 = 0;

    /// The bytes to store.
    fn encode(&self) -> Vec<u8> {
        postcard::to_extend(self, vec![Self::TAG])
            .expect("derived Serialize into a Vec: every length is known and there is no I/O")
    }

    /// Reads what this or an older version stored.
    fn decode(bytes: &[u8]) -> Result<Self, RecordError> {
        match bytes.split_first() {
            None => Err(RecordError::Empty),
            Some((tag, shape)) if *tag == Self::TAG => whole(shape),
            Some((tag, shape)) => Self::decode_older(*tag, shape),
        }
    }

    /// Reads what an older version stored.
    fn decode_older(tag: u8, _shape: &[u8]) -> Result<Self, RecordError> {
        Err(RecordError::Version(tag, Self::TAG))
    }
}

/// Whether the row at this place can be read.
pub(super) fn check(key: &Key, value: &[u8]) -> Result<(), RecordError> {
    match key {
        Key::Format
        | Key::Probe
        | Key::NextHook
        | Key::KeptBytes
        | Key::AtHost(_)
        | Key::Subscribers(_) => u64::decode(value).map(drop),
        Key::Remembered(_) => Remembered::decode(value).map(drop),
        Key::Bundle(_) => Bundle::decode(value).map(drop),
        Key::Delivery(..) => Delivery::decode(value).map(drop),
        Key::Event(..) => EventName::decode(value).map(drop),
        Key::Health(_) => HookHealth::decode(value).map(drop),
        Key::Token(_) => Token::decode(value).map(drop),
        Key::Replay(_) => Replay::decode(value).map(drop),
        Key::Hosted(_) => Hosted::decode(value).map(drop),
        Key::Job(_) => Job::decode(value).map(drop),
        Key::Hook(_) => HookRow::decode(value).map(drop),
        Key::Missing(..) => Missing::decode(value).map(drop),
        Key::Source(_) => Source::decode(value).map(drop),
        Key::Publication(_) => Journaled::decode(value).map(drop),
        Key::Receipt(_) => Receipt::decode(value).map(drop),
        Key::Subscription(_) => Subscription::decode(value).map(drop),
        Key::Topic(_) => Topic::decode(value).map(drop),
        Key::LatestEvent(_) => PublicationId::decode(value).map(drop),
        Key::Waiting(..) => Waiting::decode(value).map(drop),
        // Bytes as they are, or nothing.
        Key::HostedChunk(..)
        | Key::HookOn(..)
        | Key::HookOf(..)
        | Key::Quarantined(_)
        | Key::BodyChunk(..)
        | Key::RequestChunk(..)
        | Key::RememberedAt(..) => Ok(()),
    }
}

fn whole<T: DeserializeOwned>(shape: &[u8]) -> Result<T, RecordError> {
    let (record, rest) = postcard::take_from_bytes(shape).map_err(RecordError::Malformed)?;
    match rest.len() {
        0 => Ok(record),
        length => Err(RecordError::Trailing(length)),
    }
}

impl Record for Bundle {}
impl Record for EventName {}
impl Record for HookHealth {}
impl Record for Hosted {}
impl Record for Missing {}
impl Record for PublicationId {}
impl Record for Receipt {}
impl Record for Remembered {}
impl Record for Source {}
impl Record for Subscription {}
impl Record for Replay {}
impl Record for Token {}
impl Record for Topic {}
impl Record for u64 {}

impl Record for Delivery {
    const TAG: u8 = 1;

    fn decode_older(tag: u8, shape: &[u8]) -> Result<Self, RecordError> {
        match tag {
            // One kind of body has come, and none of the old ones has changed.
            0 => whole(shape),
            tag => Err(RecordError::Version(tag, Self::TAG)),
        }
    }
}

impl Record for Job {
    const TAG: u8 = 1;

    fn decode_older(tag: u8, shape: &[u8]) -> Result<Self, RecordError> {
        match tag {
            0 => whole::<JobV1>(shape).map(Self::from),
            tag => Err(RecordError::Version(tag, Self::TAG)),
        }
    }
}

/// A job, when a fan-out listed each open target with its topic.
#[derive(Serialize, Deserialize)]
enum JobV1 {
    Verify(Verify),
    Deny(Deny),
    Fetch(Fetch),
    Fanout(FanoutV1),
    Backlog(Backlog),
}

#[derive(Serialize, Deserialize)]
struct FanoutV1 {
    publication: PublicationId,
    members: Vec<TopicId>,
    cursor: Cursor,
    open: Vec<TargetId>,
    tally: Tally,
}

impl From<JobV1> for Job {
    fn from(old: JobV1) -> Self {
        match old {
            JobV1::Verify(job) => Self::Verify(job),
            JobV1::Deny(job) => Self::Deny(job),
            JobV1::Fetch(job) => Self::Fetch(job),
            JobV1::Fanout(old) => Self::Fanout(Fanout {
                publication: old.publication,
                members: old.members,
                cursor: old.cursor,
                open: old.open,
                tally: old.tally,
            }),
            JobV1::Backlog(job) => Self::Backlog(job),
        }
    }
}

impl Record for Journaled {
    const TAG: u8 = 1;

    fn decode_older(tag: u8, shape: &[u8]) -> Result<Self, RecordError> {
        match tag {
            0 => whole::<PublicationV1>(shape).map(Self::from),
            tag => Err(RecordError::Version(tag, Self::TAG)),
        }
    }
}

/// The row of a publication before there were events. Its body was always in pieces.
#[derive(Serialize, Deserialize)]
struct PublicationV1 {
    id: PublicationId,
    topic: TopicUrl,
    content_type: String,
    self_url: String,
    hubs: Vec<String>,
    size: u64,
    accepted_at: Timestamp,
}

impl From<PublicationV1> for Journaled {
    fn from(old: PublicationV1) -> Self {
        Self {
            publication: Publication {
                id: old.id,
                topic: old.topic,
                content_type: old.content_type,
                self_url: old.self_url,
                hubs: old.hubs,
                size: old.size,
                accepted_at: old.accepted_at,
                event: None,
            },
            body: None,
        }
    }
}

impl Record for HookRow {
    const TAG: u8 = 1;

    fn decode_older(tag: u8, shape: &[u8]) -> Result<Self, RecordError> {
        match tag {
            0 => whole::<HookV2>(shape).map(Self::from),
            tag => Err(RecordError::Version(tag, Self::TAG)),
        }
    }
}

/// The row of a hook before it was known when it was disabled.
#[derive(Serialize, Deserialize)]
struct HookV2 {
    id: HookId,
    source: SourceName,
    events: Vec<EventPattern>,
    receiver: Receiver,
    endpoint: CallbackUrl,
    dialect: Dialect,
    secret: Option<Secret>,
    old_secret: Option<OldSecret>,
    signing: Signing,
    signing_key: Option<[u8; 32]>,
    active: bool,
    disabled_because: Option<String>,
    template: Option<String>,
    type_key: bool,
    verify_tls: bool,
    rate: Option<u32>,
    ordered: bool,
    filter: Option<String>,
    headers: BTreeMap<String, String>,
    active_since: Timestamp,
    created_at: Timestamp,
    updated_at: Timestamp,
    topics: Vec<TopicId>,
}

impl From<HookV2> for HookRow {
    fn from(old: HookV2) -> Self {
        let hook = Hook {
            id: old.id,
            source: old.source,
            events: old.events,
            receiver: old.receiver,
            endpoint: old.endpoint,
            dialect: old.dialect,
            secret: old.secret,
            old_secret: old.old_secret,
            signing: old.signing,
            signing_key: old.signing_key,
            active: old.active,
            disabled_because: old.disabled_because,
            template: old.template,
            type_key: old.type_key,
            verify_tls: old.verify_tls,
            rate: old.rate,
            ordered: old.ordered,
            filter: old.filter,
            headers: old.headers,
            active_since: old.active_since,
            // Or earlier: whoever is not active was last edited then.
            inactive_since: (!old.active).then_some(old.updated_at),
            created_at: old.created_at,
            updated_at: old.updated_at,
        };
        Self {
            hook,
            topics: old.topics,
        }
    }
}

impl Record for Waiting {
    const TAG: u8 = 1;

    fn decode_older(tag: u8, shape: &[u8]) -> Result<Self, RecordError> {
        match tag {
            0 => whole::<WaitingV2>(shape).map(Self::from),
            tag => Err(RecordError::Version(tag, Self::TAG)),
        }
    }
}

/// A publication that waits, before each could wait by itself.
#[derive(Serialize, Deserialize)]
struct WaitingV2 {
    publication: PublicationId,
    size: u64,
    accepted_at: Timestamp,
}

impl From<WaitingV2> for Waiting {
    fn from(old: WaitingV2) -> Self {
        Self {
            publication: old.publication,
            size: old.size,
            accepted_at: old.accepted_at,
            rejected: None,
        }
    }
}

#[cfg(test)]
mod tests;
