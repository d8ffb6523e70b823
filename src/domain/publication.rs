//! One new content of a topic: what is sent, and what is said of it in the headers.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::event::EventName;
use super::source::{Dialect, SourceName};
use super::value::{PublicationId, Timestamp, TopicUrl};

/// The description of a publication; its body is kept beside it, once for all targets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Publication {
    /// Time-ordered: publications of a topic sort in the order in which they were accepted.
    pub id: PublicationId,
    /// The topic whose content this is.
    pub topic: TopicUrl,
    /// The topic's media type, untouched, charset included (HUB-41).
    pub content_type: String,
    /// `rel="self"`: the canonical URL, from discovery (HUB-42).
    pub self_url: String,
    /// `rel="hub"` links, this hub's first.
    pub hubs: Vec<String>,
    /// Length of the body, in bytes.
    pub size: u64,
    /// When the hub took it: who was active then gets it.
    pub accepted_at: Timestamp,
    /// For an event of a source: which one. Its content is then the event's payload as WebSub carries it, and is kept after
    /// the fan-out.
    pub event: Option<EventMark>,
}

/// What makes a publication an event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventMark {
    /// Who raised it.
    pub source: SourceName,
    /// What happened.
    pub name: EventName,
    /// In whose layout the content is.
    pub dialect: Dialect,
    /// When, as the event itself says.
    pub created_at: Timestamp,
}

/// The digest by which contents are compared: equal only for equal media types and equal bodies.
pub fn digest(content_type: &str, body: &[u8]) -> [u8; 32] {
    Sha256::new()
        .chain_update(content_type)
        .chain_update([0])
        .chain_update(body)
        .finalize()
        .into()
}
