//! The key layout: which row stands where. In: ids of the domain. Out: bytes that sort as the contract says.
//!
//! One tree holds every kind of row, so that one batch of the engine is atomic over all of them:
//!
//! | first byte | row | key after it | value |
//! |---|---|---|---|
//! | `0x00` | what the store knows of itself | a name | see [`Key::Format`], [`Key::Probe`] |
//! | `b` | bundle | id 16 | `Bundle` |
//! | `c` | hosted content, a piece | topic 16, index 4 | up to [`CHUNK_BYTES`] as they are |
//! | `h` | hosted content | topic 16 | `Hosted` |
//! | `j` | job | kind 1, id 16 (backlog: 32) | `Job` |
//! | `m` | missing target | publication 16, target 32 | `Missing` |
//! | `n` | number of subscriptions at a host | the host | `u64` |
//! | `p` | publication | id 16 | `Publication` |
//! | `q` | copy of a row that could not be read | the row's key | its bytes as they are |
//! | `r` | receipt | id 16 | `Receipt` |
//! | `s` | subscription | topic 16, callback 16 | `Subscription` |
//! | `t` | topic | topic 16 | `Topic` |
//! | `u` | number of a topic's subscriptions | topic 16 | `u64` |
//! | `w` | waiting publication | target 32, publication 16 | `Waiting` |
//! | `x` | body of a publication, a piece | publication 16, index 4 | up to [`CHUNK_BYTES`] as they are |
//!
//! Numbers are big-endian, so that bytes sort as the values do. Values marked with a type are records (`record.rs`).

use uuid::Uuid;

use crate::domain::job::JobId;
use crate::domain::value::{CallbackId, PublicationId, TargetId, TopicId};

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
    Bundle(PublicationId),
    HostedChunk(TopicId, u32),
    Hosted(TopicId),
    Job(JobId),
    Missing(PublicationId, TargetId),
    AtHost(String),
    Publication(PublicationId),
    /// The copy of the row at these bytes.
    Quarantined(Vec<u8>),
    Receipt(PublicationId),
    Subscription(TargetId),
    Topic(TopicId),
    Subscribers(TopicId),
    Waiting(TargetId, PublicationId),
    BodyChunk(PublicationId, u32),
}

/// All rows of one kind, or those of one owner among them: the beginning that their keys share.
#[derive(Clone, Copy, Debug)]
pub(super) enum Group {
    Bundles,
    HostedChunks(TopicId),
    Jobs,
    Missing(PublicationId),
    Receipts,
    Subscriptions,
    Targets(TopicId),
    Topics,
    Waiting(TargetId),
    BodyChunks(PublicationId),
}

impl Key {
    /// The key's bytes.
    pub fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Format => join(0, &[b"format"]),
            Self::Probe => join(0, &[b"probe"]),
            Self::Bundle(id) => join(b'b', &[id.0.as_bytes()]),
            Self::HostedChunk(topic, index) => join(b'c', &[&topic.0, &index.to_be_bytes()]),
            Self::Hosted(topic) => join(b'h', &[&topic.0]),
            Self::Job(JobId::Verify(id)) => join(b'j', &[&[0], id.as_bytes()]),
            Self::Job(JobId::Deny(id)) => join(b'j', &[&[1], id.as_bytes()]),
            Self::Job(JobId::Fetch(id)) => join(b'j', &[&[2], id.0.as_bytes()]),
            Self::Job(JobId::Fanout(id)) => join(b'j', &[&[3], id.0.as_bytes()]),
            Self::Job(JobId::Backlog(target)) => {
                join(b'j', &[&[4], &target.topic.0, &target.callback.0])
            }
            Self::Missing(id, target) => join(
                b'm',
                &[id.0.as_bytes(), &target.topic.0, &target.callback.0],
            ),
            Self::AtHost(host) => join(b'n', &[host.as_bytes()]),
            Self::Publication(id) => join(b'p', &[id.0.as_bytes()]),
            Self::Quarantined(key) => join(b'q', &[key]),
            Self::Receipt(id) => join(b'r', &[id.0.as_bytes()]),
            Self::Subscription(target) => join(b's', &[&target.topic.0, &target.callback.0]),
            Self::Topic(topic) => join(b't', &[&topic.0]),
            Self::Subscribers(topic) => join(b'u', &[&topic.0]),
            Self::Waiting(target, id) => join(
                b'w',
                &[&target.topic.0, &target.callback.0, id.0.as_bytes()],
            ),
            Self::BodyChunk(id, index) => join(b'x', &[id.0.as_bytes(), &index.to_be_bytes()]),
        }
    }

    /// The place that the bytes name, if they name one.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let (kind, rest) = bytes.split_first()?;
        Some(match kind {
            0 if rest == b"format" => Self::Format,
            0 if rest == b"probe" => Self::Probe,
            b'b' => Self::Bundle(publication(rest)?),
            b'c' => {
                let (topic, index) = rest.split_at_checked(16)?;
                Self::HostedChunk(topic_id(topic)?, number(index)?)
            }
            b'h' => Self::Hosted(topic_id(rest)?),
            b'j' => Self::Job(job(rest)?),
            b'm' => {
                let (id, of) = rest.split_at_checked(16)?;
                Self::Missing(publication(id)?, target(of)?)
            }
            b'n' => Self::AtHost(String::from_utf8(rest.to_vec()).ok()?),
            b'p' => Self::Publication(publication(rest)?),
            b'q' => Self::Quarantined(rest.to_vec()),
            b'r' => Self::Receipt(publication(rest)?),
            b's' => Self::Subscription(target(rest)?),
            b't' => Self::Topic(topic_id(rest)?),
            b'u' => Self::Subscribers(topic_id(rest)?),
            b'w' => {
                let (of, id) = rest.split_at_checked(32)?;
                Self::Waiting(target(of)?, publication(id)?)
            }
            b'x' => {
                let (id, index) = rest.split_at_checked(16)?;
                Self::BodyChunk(publication(id)?, number(index)?)
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
            Self::Jobs => vec![b'j'],
            Self::Missing(id) => join(b'm', &[id.0.as_bytes()]),
            Self::Receipts => vec![b'r'],
            Self::Subscriptions => vec![b's'],
            Self::Targets(topic) => join(b's', &[&topic.0]),
            Self::Topics => vec![b't'],
            Self::Waiting(target) => join(b'w', &[&target.topic.0, &target.callback.0]),
            Self::BodyChunks(id) => join(b'x', &[id.0.as_bytes()]),
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
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn topics() -> impl Strategy<Value = TopicId> {
        // Few values in each byte, so that equal beginnings happen.
        let bytes = prop::array::uniform16(prop_oneof![Just(0), Just(255), any::<u8>()]);
        bytes.prop_map(TopicId).boxed()
    }

    fn ids() -> impl Strategy<Value = PublicationId> {
        topics().prop_map(|id| PublicationId(Uuid::from_bytes(id.0)))
    }

    fn targets() -> impl Strategy<Value = TargetId> {
        (topics(), topics()).prop_map(|(topic, callback)| TargetId {
            topic,
            callback: CallbackId(callback.0),
        })
    }

    fn jobs() -> impl Strategy<Value = JobId> {
        prop_oneof![
            ids().prop_map(|id| JobId::Verify(id.0)),
            ids().prop_map(|id| JobId::Deny(id.0)),
            ids().prop_map(JobId::Fetch),
            ids().prop_map(JobId::Fanout),
            targets().prop_map(JobId::Backlog),
        ]
    }

    fn keys() -> impl Strategy<Value = Key> {
        prop_oneof![
            Just(Key::Format),
            Just(Key::Probe),
            ids().prop_map(Key::Bundle),
            (topics(), any::<u32>()).prop_map(|(topic, index)| Key::HostedChunk(topic, index)),
            topics().prop_map(Key::Hosted),
            jobs().prop_map(Key::Job),
            (ids(), targets()).prop_map(|(id, target)| Key::Missing(id, target)),
            "[a-z.]{0,20}".prop_map(Key::AtHost),
            ids().prop_map(Key::Publication),
            prop::collection::vec(any::<u8>(), 0..40).prop_map(Key::Quarantined),
            ids().prop_map(Key::Receipt),
            targets().prop_map(Key::Subscription),
            topics().prop_map(Key::Topic),
            topics().prop_map(Key::Subscribers),
            (targets(), ids()).prop_map(|(target, id)| Key::Waiting(target, id)),
            (ids(), any::<u32>()).prop_map(|(id, index)| Key::BodyChunk(id, index)),
        ]
    }

    proptest! {
        #[test]
        fn a_key_comes_back(key in keys()) {
            prop_assert_eq!(Key::parse(&key.bytes()), Some(key));
        }

        #[test]
        fn any_bytes_are_a_key_or_none(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            if let Some(key) = Key::parse(&bytes) {
                prop_assert_eq!(key.bytes(), bytes);
            }
        }

        #[test]
        fn bytes_sort_as_ids_do(a in (targets(), ids(), any::<u32>()), b in (targets(), ids(), any::<u32>())) {
            let sorted = |one: Key, other: Key| one.bytes().cmp(&other.bytes());
            prop_assert_eq!(sorted(Key::Subscription(a.0), Key::Subscription(b.0)), a.0.cmp(&b.0));
            prop_assert_eq!(sorted(Key::Receipt(a.1), Key::Receipt(b.1)), a.1.cmp(&b.1));
            prop_assert_eq!(sorted(Key::Missing(a.1, a.0), Key::Missing(b.1, b.0)), (a.1, a.0).cmp(&(b.1, b.0)));
            prop_assert_eq!(sorted(Key::Waiting(a.0, a.1), Key::Waiting(b.0, b.1)), (a.0, a.1).cmp(&(b.0, b.1)));
            prop_assert_eq!(sorted(Key::BodyChunk(a.1, a.2), Key::BodyChunk(b.1, b.2)), (a.1, a.2).cmp(&(b.1, b.2)));
        }

        #[test]
        fn jobs_sort_as_their_ids_do(a in jobs(), b in jobs()) {
            prop_assert_eq!(Key::Job(a).bytes().cmp(&Key::Job(b).bytes()), a.cmp(&b));
        }
    }

    #[test]
    fn a_group_is_the_beginning_of_its_keys() {
        let topic = TopicId([7; 16]);
        let target = TargetId {
            topic,
            callback: CallbackId([8; 16]),
        };
        let id = PublicationId(Uuid::from_bytes([9; 16]));
        for (group, key) in [
            (Group::Bundles, Key::Bundle(id)),
            (Group::HostedChunks(topic), Key::HostedChunk(topic, 3)),
            (Group::Jobs, Key::Job(JobId::Fanout(id))),
            (Group::Missing(id), Key::Missing(id, target)),
            (Group::Receipts, Key::Receipt(id)),
            (Group::Subscriptions, Key::Subscription(target)),
            (Group::Targets(topic), Key::Subscription(target)),
            (Group::Topics, Key::Topic(topic)),
            (Group::Waiting(target), Key::Waiting(target, id)),
            (Group::BodyChunks(id), Key::BodyChunk(id, 3)),
        ] {
            assert!(key.bytes().starts_with(&group.prefix()), "{group:?}");
        }
    }
}
