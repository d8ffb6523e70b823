//! The contract as tests, the same for every engine and for the model in memory.

use std::time::Duration;

use bytes::Bytes;
use tempfile::TempDir;
use uuid::Uuid;

use super::memory::MemoryStore;
use super::{BacklogLimits, Change, SledStore, Store, StoreError, StoreOptions, Waiting};
use crate::domain::attempt::{Attempt, Failure, Outcome};
use crate::domain::job::{Cursor, Deny, Fanout, Fetch, Job, JobId, Verify};
use crate::domain::publication::Publication;
use crate::domain::receipt::{Bundle, MissingState, Receipt, Stage, Tally};
use crate::domain::signature::Method;
use crate::domain::subscription::{Denial, Intent, Mode, Subscription};
use crate::domain::topic::{Hosted, Topic};
use crate::domain::value::{
    CallbackUrl, PublicationId, Secret, TargetId, Timestamp, TopicId, TopicUrl,
};

mod random;
mod sled;

pub(super) const LIMITS: BacklogLimits = BacklogLimits {
    entries: 3,
    bytes: 1_000,
};

pub(super) fn options() -> StoreOptions {
    StoreOptions {
        cache_bytes: 16 << 20,
        backlog: LIMITS,
    }
}

pub(super) fn open(folder: &TempDir) -> SledStore {
    SledStore::open(folder.path(), options()).expect("the store opens")
}

pub(super) fn topic_url(n: u8) -> TopicUrl {
    TopicUrl::parse(&format!("https://t.example/{n}")).expect("a topic")
}

pub(super) fn callback(n: u8) -> CallbackUrl {
    CallbackUrl::parse(&format!("https://c{}.example/{n}", n % 2)).expect("a callback")
}

pub(super) fn target(topic: u8, at: u8) -> TargetId {
    TargetId {
        topic: topic_url(topic).id(),
        callback: callback(at).id(),
    }
}

pub(super) fn id(n: u8) -> PublicationId {
    PublicationId(Uuid::from_bytes([n; 16]))
}

pub(super) fn subscription(topic: u8, at: u8, verified_at: u64) -> Subscription {
    Subscription {
        topic: topic_url(topic),
        callback: callback(at),
        secret: Some(Secret::parse("kept").expect("a secret")),
        method: Some(Method::Sha256),
        active_since: Timestamp(1),
        verified_at: Timestamp(verified_at),
        expires_at: Timestamp(verified_at + 1_000),
        from: Some("who@example.org".to_owned()),
    }
}

pub(super) fn receipt(n: u8, stage: Stage) -> Receipt {
    Receipt {
        id: id(n),
        topic: topic_url(0),
        accepted_at: Timestamp(7),
        stage,
        tally: Tally::default(),
    }
}

pub(super) fn publication(n: u8, size: usize) -> Publication {
    Publication {
        id: id(n),
        topic: topic_url(0),
        content_type: "application/atom+xml; charset=utf-8".to_owned(),
        self_url: "https://t.example/0".to_owned(),
        hubs: vec!["https://hub.example/".to_owned()],
        size: size as u64,
        accepted_at: Timestamp(7),
    }
}

pub(super) fn attempt(at: u64) -> Attempt {
    Attempt {
        at: Timestamp(at),
        millis: 12,
        outcome: Outcome::Unanswered {
            failure: Failure::Connect,
            detail: "nobody there".to_owned(),
        },
    }
}

pub(super) fn waiting(n: u8, size: u64) -> Waiting {
    Waiting {
        publication: id(n),
        size,
        accepted_at: Timestamp(7),
    }
}

pub(super) fn wait(at: u8, n: u8, size: u64, failed: Option<u32>) -> Change {
    Change::Wait {
        target: target(0, at),
        callback: callback(at),
        entry: waiting(n, size),
        due: Timestamp(100 + u64::from(n)),
        failed: failed.map(|failures| (attempt(50), failures)),
    }
}
