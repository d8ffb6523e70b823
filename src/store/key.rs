//! The key layout: which row stands where. In: ids of the domain. Out: bytes that sort as the contract says.
//!
//! One tree holds every kind of row, so that one batch of the engine is atomic over all of them:
//!
//! | first byte | row | key after it | value |
//! |---|---|---|---|
//! | `0x00` | what the store knows of itself | a name | see [`Key::Format`], [`Key::Probe`], [`Key::KeptBytes`] |
//! | `a` | answered request, by the key that it gave | digest 32 | `Remembered` |
//! | `b` | bundle | id 16 | `Bundle` |
//! | `c` | hosted content, a piece | topic 16, index 4 | up to [`CHUNK_BYTES`] as they are |
//! | `d` | delivery of a hook | hook 8, delivery 8 | `Delivery` |
//! | `e` | event of a source | source 16, publication 16 | `EventName` |
//! | `f` | how a hook fares | hook 8 | `HookHealth` |
//! | `g` | token | digest 32 | `Token` |
//! | `h` | hosted content | topic 16 | `Hosted` |
//! | `i` | hook on a topic | topic 16, the hook's callback 16 | nothing |
//! | `j` | job | kind 1, id 16 (backlog: 32) | `Job` |
//! | `k` | hook | hook 8 | `HookRow` |
//! | `l` | hook of a source | source 16, hook 8 | nothing |
//! | `m` | missing target | publication 16, target 32 | `Missing` |
//! | `n` | number of subscriptions at a host | the host | `u64` |
//! | `o` | source | its key | `Source` |
//! | `p` | publication | id 16 | `Journaled` |
//! | `q` | copy of a row that could not be read | the row's key | its bytes as they are |
//! | `r` | receipt | id 16 | `Receipt` |
//! | `s` | subscription | topic 16, callback 16 | `Subscription` |
//! | `t` | topic | topic 16 | `Topic` |
//! | `u` | number of a topic's subscriptions | topic 16 | `u64` |
//! | `v` | latest event of a topic | topic 16 | `PublicationId` |
//! | `w` | waiting publication | target 32, publication 16 | `Waiting` |
//! | `x` | body of a publication, a piece | publication 16, index 4 | up to [`CHUNK_BYTES`] as they are |
//! | `y` | body of a hook's request, a piece | hook 8, delivery 8, index 4 | up to [`CHUNK_BYTES`] as they are |
//! | `z` | answered request, by its time | time 8, digest 32 | nothing |
//! | `R` | replay | id 16 | `Replay` |
//!
//! Numbers are big-endian, so that bytes sort as the values do. Values marked with a type are records (`record.rs`).

use uuid::Uuid;

use crate::domain::delivery::DeliveryId;
use crate::domain::hook::HookId;
use crate::domain::job::JobId;
use crate::domain::token::TokenDigest;
use crate::domain::value::{CallbackId, PublicationId, SourceId, TargetId, Timestamp, TopicId};

/// The longest piece of a body in one row. A page of the engine has up to 17 rows; as long as a page is below 128 KiB it
/// stays in the database file, and above that it gets a file of its own each time that it is written.
pub(super) const CHUNK_BYTES: usize = 7 * 1024;

/// The place of one row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Key {
    /// The number of the layout that this folder was written with.
    Format,
    /// Written to see whether writing works.
    Probe,
    /// The number of the next hook.
    NextHook,
    /// The size of all bodies of publications.
    KeptBytes,
    Remembered([u8; 32]),
    Bundle(PublicationId),
    HostedChunk(TopicId, u32),
    Delivery(HookId, DeliveryId),
    Event(SourceId, PublicationId),
    Health(HookId),
    Token(TokenDigest),
    Replay(Uuid),
    Hosted(TopicId),
    /// The hook with this callback gets the topic's publications.
    HookOn(TopicId, CallbackId),
    Job(JobId),
    Hook(HookId),
    HookOf(SourceId, HookId),
    Missing(PublicationId, TargetId),
    AtHost(String),
    Source(String),
    Publication(PublicationId),
    /// The copy of the row at these bytes.
    Quarantined(Vec<u8>),
    Receipt(PublicationId),
    Subscription(TargetId),
    Topic(TopicId),
    Subscribers(TopicId),
    LatestEvent(TopicId),
    Waiting(TargetId, PublicationId),
    BodyChunk(PublicationId, u32),
    RequestChunk(HookId, DeliveryId, u32),
    RememberedAt(Timestamp, [u8; 32]),
}

/// All rows of one kind, or those of one owner among them: the beginning that their keys share.
#[derive(Clone, Copy, Debug)]
pub(super) enum Group {
    Bundles,
    HostedChunks(TopicId),
    Deliveries(HookId),
    Events(SourceId),
    Tokens,
    Replays,
    HooksOn(TopicId),
    Jobs,
    Hooks,
    HooksOf(SourceId),
    Missing(PublicationId),
    AllMissing,
    Publications,
    Sources,
    Receipts,
    Subscriptions,
    SubscriptionsTo(TopicId),
    Topics,
    Waiting(TargetId),
    BodyChunks(PublicationId),
    /// Of all requests of a hook.
    RequestChunks(HookId),
    RequestChunksOf(HookId, DeliveryId),
    RememberedInTime,
}

impl Key {
    /// The key's bytes.
    pub fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Format => join(0, &[b"format"]),
            Self::Probe => join(0, &[b"probe"]),
            Self::NextHook => join(0, &[b"next-hook"]),
            Self::KeptBytes => join(0, &[b"kept-bytes"]),
            Self::Remembered(digest) => join(b'a', &[digest]),
            Self::Bundle(id) => join(b'b', &[id.0.as_bytes()]),
            Self::HostedChunk(topic, index) => join(b'c', &[&topic.0, &index.to_be_bytes()]),
            Self::Delivery(hook, id) => join(b'd', &[&hook.0.to_be_bytes(), &id.0.to_be_bytes()]),
            Self::Event(source, id) => join(b'e', &[&source.0, id.0.as_bytes()]),
            Self::Health(hook) => join(b'f', &[&hook.0.to_be_bytes()]),
            Self::Token(digest) => join(b'g', &[digest]),
            Self::Replay(id) => join(b'R', &[id.as_bytes()]),
            Self::Hosted(topic) => join(b'h', &[&topic.0]),
            Self::HookOn(topic, callback) => join(b'i', &[&topic.0, &callback.0]),
            Self::Job(JobId::Verify(id)) => join(b'j', &[&[0], id.as_bytes()]),
            Self::Job(JobId::Deny(id)) => join(b'j', &[&[1], id.as_bytes()]),
            Self::Job(JobId::Fetch(id)) => join(b'j', &[&[2], id.0.as_bytes()]),
            Self::Job(JobId::Fanout(id)) => join(b'j', &[&[3], id.0.as_bytes()]),
            Self::Job(JobId::Backlog(target)) => {
                join(b'j', &[&[4], &target.topic.0, &target.callback.0])
            }
            Self::Hook(id) => join(b'k', &[&id.0.to_be_bytes()]),
            Self::HookOf(source, hook) => join(b'l', &[&source.0, &hook.0.to_be_bytes()]),
            Self::Missing(id, target) => join(
                b'm',
                &[id.0.as_bytes(), &target.topic.0, &target.callback.0],
            ),
            Self::AtHost(host) => join(b'n', &[host.as_bytes()]),
            Self::Source(key) => join(b'o', &[key.as_bytes()]),
            Self::Publication(id) => join(b'p', &[id.0.as_bytes()]),
            Self::Quarantined(key) => join(b'q', &[key]),
            Self::Receipt(id) => join(b'r', &[id.0.as_bytes()]),
            Self::Subscription(target) => join(b's', &[&target.topic.0, &target.callback.0]),
            Self::Topic(topic) => join(b't', &[&topic.0]),
            Self::Subscribers(topic) => join(b'u', &[&topic.0]),
            Self::LatestEvent(topic) => join(b'v', &[&topic.0]),
            Self::Waiting(target, id) => join(
                b'w',
                &[&target.topic.0, &target.callback.0, id.0.as_bytes()],
            ),
            Self::BodyChunk(id, index) => join(b'x', &[id.0.as_bytes(), &index.to_be_bytes()]),
            Self::RequestChunk(hook, id, index) => join(
                b'y',
                &[
                    &hook.0.to_be_bytes(),
                    &id.0.to_be_bytes(),
                    &index.to_be_bytes(),
                ],
            ),
            Self::RememberedAt(at, digest) => join(b'z', &[&at.0.to_be_bytes(), digest]),
        }
    }

    /// Whether the bytes are the key of a row that says who a target is.
    pub fn is_of_target(bytes: &[u8]) -> bool {
        matches!(bytes.first(), Some(b'i' | b'k' | b's'))
    }

    /// The place that the bytes name, if they name one.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let (kind, rest) = bytes.split_first()?;
        Some(match kind {
            0 if rest == b"format" => Self::Format,
            0 if rest == b"probe" => Self::Probe,
            0 if rest == b"next-hook" => Self::NextHook,
            0 if rest == b"kept-bytes" => Self::KeptBytes,
            b'a' => Self::Remembered(rest.try_into().ok()?),
            b'b' => Self::Bundle(publication(rest)?),
            b'c' => {
                let (topic, index) = rest.split_at_checked(16)?;
                Self::HostedChunk(topic_id(topic)?, number(index)?)
            }
            b'd' => {
                let (of, id) = rest.split_at_checked(8)?;
                Self::Delivery(hook(of)?, DeliveryId(long(id)?))
            }
            b'e' => {
                let (source, id) = rest.split_at_checked(16)?;
                Self::Event(source_id(source)?, publication(id)?)
            }
            b'f' => Self::Health(hook(rest)?),
            b'g' => Self::Token(rest.try_into().ok()?),
            b'R' => Self::Replay(Uuid::from_slice(rest).ok()?),
            b'h' => Self::Hosted(topic_id(rest)?),
            b'i' => {
                let TargetId { topic, callback } = target(rest)?;
                Self::HookOn(topic, callback)
            }
            b'j' => Self::Job(job(rest)?),
            b'k' => Self::Hook(hook(rest)?),
            b'l' => {
                let (source, id) = rest.split_at_checked(16)?;
                Self::HookOf(source_id(source)?, hook(id)?)
            }
            b'm' => {
                let (id, of) = rest.split_at_checked(16)?;
                Self::Missing(publication(id)?, target(of)?)
            }
            b'n' => Self::AtHost(String::from_utf8(rest.to_vec()).ok()?),
            b'o' => Self::Source(String::from_utf8(rest.to_vec()).ok()?),
            b'p' => Self::Publication(publication(rest)?),
            b'q' => Self::Quarantined(rest.to_vec()),
            b'r' => Self::Receipt(publication(rest)?),
            b's' => Self::Subscription(target(rest)?),
            b't' => Self::Topic(topic_id(rest)?),
            b'u' => Self::Subscribers(topic_id(rest)?),
            b'v' => Self::LatestEvent(topic_id(rest)?),
            b'w' => {
                let (of, id) = rest.split_at_checked(32)?;
                Self::Waiting(target(of)?, publication(id)?)
            }
            b'x' => {
                let (id, index) = rest.split_at_checked(16)?;
                Self::BodyChunk(publication(id)?, number(index)?)
            }
            b'y' => {
                let (of, rest) = rest.split_at_checked(8)?;
                let (id, index) = rest.split_at_checked(8)?;
                Self::RequestChunk(hook(of)?, DeliveryId(long(id)?), number(index)?)
            }
            b'z' => {
                let (at, digest) = rest.split_at_checked(8)?;
                Self::RememberedAt(Timestamp(long(at)?), digest.try_into().ok()?)
            }
            _ => return None,
        })
    }
}

impl Group {
    /// The first bytes of all its keys, and of no others.
    pub fn prefix(self) -> Vec<u8> {
        match self {
            Self::Bundles => vec![b'b'],
            Self::HostedChunks(topic) => join(b'c', &[&topic.0]),
            Self::Deliveries(hook) => join(b'd', &[&hook.0.to_be_bytes()]),
            Self::Events(source) => join(b'e', &[&source.0]),
            Self::Tokens => vec![b'g'],
            Self::Replays => vec![b'R'],
            Self::HooksOn(topic) => join(b'i', &[&topic.0]),
            Self::Jobs => vec![b'j'],
            Self::Hooks => vec![b'k'],
            Self::HooksOf(source) => join(b'l', &[&source.0]),
            Self::Missing(id) => join(b'm', &[id.0.as_bytes()]),
            Self::AllMissing => vec![b'm'],
            Self::Publications => vec![b'p'],
            Self::Sources => vec![b'o'],
            Self::Receipts => vec![b'r'],
            Self::Subscriptions => vec![b's'],
            Self::SubscriptionsTo(topic) => join(b's', &[&topic.0]),
            Self::Topics => vec![b't'],
            Self::Waiting(target) => join(b'w', &[&target.topic.0, &target.callback.0]),
            Self::BodyChunks(id) => join(b'x', &[id.0.as_bytes()]),
            Self::RequestChunks(hook) => join(b'y', &[&hook.0.to_be_bytes()]),
            Self::RequestChunksOf(hook, id) => {
                join(b'y', &[&hook.0.to_be_bytes(), &id.0.to_be_bytes()])
            }
            Self::RememberedInTime => vec![b'z'],
        }
    }
}

fn join(kind: u8, parts: &[&[u8]]) -> Vec<u8> {
    let length = parts.iter().map(|part| part.len()).sum::<usize>();
    let mut key = Vec::with_capacity(1 + length);
    key.push(kind);
    for part in parts {
        key.extend_from_slice(part);
    }
    key
}

fn topic_id(bytes: &[u8]) -> Option<TopicId> {
    bytes.try_into().ok().map(TopicId)
}

fn source_id(bytes: &[u8]) -> Option<SourceId> {
    bytes.try_into().ok().map(SourceId)
}

fn hook(bytes: &[u8]) -> Option<HookId> {
    long(bytes).map(HookId)
}

fn publication(bytes: &[u8]) -> Option<PublicationId> {
    Uuid::from_slice(bytes).ok().map(PublicationId)
}

fn target(bytes: &[u8]) -> Option<TargetId> {
    let (topic, callback) = bytes.split_at_checked(16)?;
    Some(TargetId {
        topic: topic_id(topic)?,
        callback: CallbackId(callback.try_into().ok()?),
    })
}

fn number(bytes: &[u8]) -> Option<u32> {
    bytes.try_into().ok().map(u32::from_be_bytes)
}

fn long(bytes: &[u8]) -> Option<u64> {
    bytes.try_into().ok().map(u64::from_be_bytes)
}

fn job(bytes: &[u8]) -> Option<JobId> {
    let (kind, id) = bytes.split_first()?;
    Some(match kind {
        0 => JobId::Verify(Uuid::from_slice(id).ok()?),
        1 => JobId::Deny(Uuid::from_slice(id).ok()?),
        2 => JobId::Fetch(publication(id)?),
        3 => JobId::Fanout(publication(id)?),
        4 => JobId::Backlog(target(id)?),
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
