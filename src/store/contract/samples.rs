//! Records of each kind, small numbers in, for the tests of the store.

use tempfile::TempDir;
use uuid::Uuid;

use super::super::{BacklogLimits, Change, Rejected, SledStore, StoreOptions, Waiting};
use crate::domain::attempt::{Attempt, Failure, Outcome};
use crate::domain::job::{Cursor, Deny, Fanout, Fetch, Job, Verify};
use crate::domain::publication::Publication;
use crate::domain::receipt::{Receipt, Stage, Tally};
use crate::domain::signature::Method;
use crate::domain::subscription::{Denial, Intent, Mode, Subscription};
use crate::domain::value::{CallbackUrl, PublicationId, Secret, TargetId, Timestamp, TopicUrl};

pub const LIMITS: BacklogLimits = BacklogLimits {
    entries: 3,
    bytes: 1_000,
    events: 4,
};

pub fn options() -> StoreOptions {
    StoreOptions {
        cache_bytes: 16 << 20,
        backlog: LIMITS,
    }
}

pub fn open(folder: &TempDir) -> SledStore {
    SledStore::open(folder.path(), options()).expect("the store opens")
}

pub fn topic_url(n: u8) -> TopicUrl {
    TopicUrl::parse(&format!("https://t.example/{n}")).expect("a topic")
}

pub fn callback(n: u8) -> CallbackUrl {
    CallbackUrl::parse(&format!("https://c{}.example/{n}", n % 2)).expect("a callback")
}

pub fn target(topic: u8, at: u8) -> TargetId {
    TargetId {
        topic: topic_url(topic).id(),
        callback: callback(at).id(),
    }
}

pub fn id(n: u8) -> PublicationId {
    PublicationId(Uuid::from_bytes([n; 16]))
}

pub fn subscription(topic: u8, at: u8, verified_at: u64) -> Subscription {
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

pub fn receipt(n: u8, stage: Stage) -> Receipt {
    Receipt {
        id: id(n),
        topic: topic_url(0),
        accepted_at: Timestamp(7),
        stage,
        tally: Tally::default(),
    }
}

pub fn publication(n: u8, size: usize) -> Publication {
    Publication {
        id: id(n),
        topic: topic_url(0),
        content_type: "application/atom+xml; charset=utf-8".to_owned(),
        self_url: "https://t.example/0".to_owned(),
        hubs: vec!["https://hub.example/".to_owned()],
        size: size as u64,
        accepted_at: Timestamp(7),
        event: None,
    }
}

pub fn attempt(at: u64) -> Attempt {
    Attempt {
        at: Timestamp(at),
        millis: 12,
        outcome: Outcome::Unanswered {
            failure: Failure::Connect,
            detail: "nobody there".to_owned(),
        },
    }
}

pub fn waiting(n: u8, size: u64) -> Waiting {
    Waiting {
        publication: id(n),
        size,
        accepted_at: Timestamp(7),
        rejected: None,
    }
}

pub fn rejected(edit: u64) -> Rejected {
    Rejected {
        edit: Timestamp(edit),
        due: Timestamp(edit + 10),
        times: 2,
    }
}

pub fn wait(at: u8, n: u8, size: u64, failed: Option<u32>) -> Change {
    Change::Wait {
        target: target(0, at),
        callback: callback(at),
        entry: waiting(n, size),
        due: Timestamp(100 + u64::from(n)),
        failed: failed.map(|failures| (attempt(50), failures)),
    }
}

/// One job of each kind but the backlog, in key order.
pub fn sample_jobs() -> Vec<Job> {
    let intent = Intent {
        id: Uuid::from_bytes([3; 16]),
        mode: Mode::Subscribe,
        topic: topic_url(0),
        callback: callback(1),
        secret: Some(Secret::parse("kept").expect("a secret")),
        method: Some(Method::Sha512),
        lease_seconds: 864_000,
        verify_token: Some("token".to_owned()),
        from: None,
        requested_at: Timestamp(1_790_000_000_000),
        refresh: true,
    };
    let denial = Denial {
        id: Uuid::from_bytes([4; 16]),
        topic: topic_url(0),
        callback: callback(1),
        reason: "not here".to_owned(),
    };
    vec![
        Job::Verify(Verify {
            intent,
            due: Timestamp(5),
            failures: 1,
        }),
        Job::Deny(Deny {
            denial,
            due: Timestamp(6),
            failures: 0,
        }),
        Job::Fetch(Fetch {
            publication: id(5),
            topic: topic_url(0),
            due: Timestamp(7),
            failures: 2,
        }),
        Job::Fanout(Fanout {
            publication: id(6),
            members: vec![topic_url(0).id(), topic_url(1).id()],
            cursor: Cursor {
                member: 1,
                after: Some(callback(1).id()),
            },
            open: vec![target(0, 1), target(0, 2)],
            tally: Tally {
                targets: 40,
                delivered: 30,
                backlog: 0,
                given_up: 1,
                gone: 2,
                first_delivery: Some(Timestamp(8)),
                last_delivery: None,
            },
        }),
    ]
}
