//! The contract as tests, the same for every engine and for the model in memory.

use bytes::Bytes;
use tempfile::TempDir;
use uuid::Uuid;

use super::memory::MemoryStore;
use super::{BacklogLimits, Change, SledStore, Store, StoreOptions, Target, Waiting};
use crate::domain::attempt::{Attempt, Failure, Outcome};
use crate::domain::job::{Cursor, Deny, Fanout, Fetch, Job, JobId, Verify};
use crate::domain::publication::Publication;
use crate::domain::receipt::{Bundle, MissingState, Receipt, Stage, Tally};
use crate::domain::signature::Method;
use crate::domain::subscription::{Denial, Intent, Mode, Subscription};
use crate::domain::topic::{Hosted, Topic};
use crate::domain::value::{CallbackUrl, PublicationId, Secret, TargetId, Timestamp, TopicUrl};

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

/// Runs each test against every store.
macro_rules! contract {
    ($($name:ident),* $(,)?) => {
        mod on_sled {
            $(#[tokio::test]
            async fn $name() {
                let folder = tempfile::tempdir().expect("a folder");
                super::$name(&super::open(&folder)).await;
            })*
        }

        mod in_memory {
            $(#[tokio::test]
            async fn $name() {
                super::$name(&super::MemoryStore::new(super::LIMITS)).await;
            })*
        }
    };
}

contract!(
    subscriptions_begin_renew_and_end,
    an_end_spares_a_renewed_subscription,
    pages_come_in_key_order,
    a_topic_keeps_what_is_known_of_it,
    hosted_content_is_replaced_whole,
    a_receipt_begins_once_and_follows_its_stage,
    a_fanout_counts_once,
    the_body_stays_as_long_as_somebody_waits,
    a_backlog_begins_and_ends_with_its_entries,
    over_the_limits_the_oldest_are_given_up,
    what_waits_for_an_ended_target_is_gone,
    a_lost_delivery_is_gone_once,
    a_wait_comes_to_nothing_once_it_was_decided,
    pruning_forgets_everything,
    jobs_come_back_as_they_were_put,
);

async fn commit(store: &dyn Store, changes: Vec<Change>) {
    store.commit(changes).await.expect("a commit");
}

async fn tally(store: &dyn Store, n: u8) -> Tally {
    let receipt = store.receipt(id(n)).await.expect("a read");
    receipt.expect("a receipt").tally
}

/// A receipt and a journaled publication with ten bytes of body, delivering.
async fn publish(store: &dyn Store, n: u8) {
    let begin = Change::Receive(receipt(n, Stage::Delivering));
    let journal = Change::Journal(publication(n, 10), Bytes::from_static(b"0123456789"));
    let fanout = Fanout::new(id(n), vec![topic_url(0).id()]);
    commit(
        store,
        vec![begin, journal, Change::Put(Job::Fanout(fanout))],
    )
    .await;
}

async fn has_body(store: &dyn Store, n: u8) -> bool {
    store.publication(id(n)).await.expect("a read").is_some()
}

async fn subscriptions_begin_renew_and_end(store: &dyn Store) {
    let topic = topic_url(0).id();
    for at in [1, 2, 3] {
        commit(store, vec![Change::Activate(subscription(0, at, 5))]).await;
    }
    commit(store, vec![Change::Activate(subscription(0, 1, 9))]).await;
    assert_eq!(store.subscribers(topic).await.expect("a read"), 3);
    let at_host = |host| store.subscriptions_at_host(host);
    assert_eq!(at_host("c1.example").await.expect("a read"), 2);
    assert_eq!(at_host("c0.example").await.expect("a read"), 1);
    let renewed = store.subscription(target(0, 1)).await.expect("a read");
    assert_eq!(renewed, Some(subscription(0, 1, 9)));
    let topic_row = store.topic(topic).await.expect("a read");
    assert_eq!(topic_row, Some(Topic::new(topic_url(0))));

    for _ in 0..2 {
        let end = Change::End {
            target: target(0, 1),
            verified_at: None,
        };
        commit(store, vec![end]).await;
        assert_eq!(store.subscribers(topic).await.expect("a read"), 2);
        assert_eq!(at_host("c1.example").await.expect("a read"), 1);
    }
    let ended = store.subscription(target(0, 1)).await.expect("a read");
    assert_eq!(ended, None);
}

async fn an_end_spares_a_renewed_subscription(store: &dyn Store) {
    commit(store, vec![Change::Activate(subscription(0, 1, 9))]).await;
    let end = |verified_at| Change::End {
        target: target(0, 1),
        verified_at: Some(Timestamp(verified_at)),
    };
    commit(store, vec![end(5)]).await;
    let current = store.subscription(target(0, 1)).await.expect("a read");
    assert_eq!(current, Some(subscription(0, 1, 9)));
    commit(store, vec![end(9)]).await;
    let current = store.subscription(target(0, 1)).await.expect("a read");
    assert_eq!(current, None);
}

async fn pages_come_in_key_order(store: &dyn Store) {
    let mut all = Vec::new();
    for topic in 0..3 {
        for at in 0..20 {
            all.push(subscription(topic, at, 5));
        }
    }
    commit(store, all.iter().cloned().map(Change::Activate).collect()).await;
    all.sort_by_key(Subscription::id);

    let held = |target: Target| {
        assert_eq!(target.id, target.subscription.id());
        target.subscription
    };
    let mut paged = Vec::new();
    while paged.len() < 60 {
        let after = paged.last().map(Subscription::id);
        let page = store.subscriptions(after, 17).await.expect("a page");
        assert!(!page.is_empty());
        paged.extend(page.into_iter().map(held));
    }
    assert_eq!(paged, all);

    for topic in 0..3 {
        let topic = topic_url(topic).id();
        let mut expected = all.clone();
        expected.retain(|it| it.id().topic == topic);
        let whole = store.targets(topic, None, 100).await.expect("a page");
        let whole: Vec<Subscription> = whole.into_iter().map(held).collect();
        assert_eq!(whole, expected);
        let after = expected[4].id().callback;
        let rest = store.targets(topic, Some(after), 3).await.expect("a page");
        let rest: Vec<Subscription> = rest.into_iter().map(held).collect();
        assert_eq!(rest, expected[5..8]);
    }
    let topics = store.topics(None, 10).await.expect("a page");
    assert!(topics.is_sorted_by_key(Topic::id));
    assert_eq!(topics.len(), 3);
}

async fn a_topic_keeps_what_is_known_of_it(store: &dyn Store) {
    let mut topic = Topic::new(topic_url(0));
    topic.hubs = vec!["https://hub.example/".to_owned()];
    commit(store, vec![Change::PutTopic(topic.clone())]).await;
    commit(store, vec![Change::Activate(subscription(0, 1, 5))]).await;
    let kept = store.topic(topic.id()).await.expect("a read");
    assert_eq!(kept, Some(topic.clone()));
    commit(store, vec![Change::ForgetTopic(topic.id())]).await;
    assert_eq!(store.topic(topic.id()).await.expect("a read"), None);
}

async fn hosted_content_is_replaced_whole(store: &dyn Store) {
    let topic = topic_url(0).id();
    for size in [200_000, 7_168, 7_169, 0, 5] {
        let body = Bytes::from(vec![size as u8; size]);
        let hosted = Hosted {
            name: "news".to_owned(),
            topic: topic_url(0),
            content_type: "text/plain".to_owned(),
            digest: [size as u8; 32],
            modified_at: Timestamp(3),
            size: size as u64,
        };
        commit(store, vec![Change::Host(hosted.clone(), body.clone())]).await;
        let served = store.hosted(topic).await.expect("a read");
        assert_eq!(served, Some((hosted, body)), "{size} bytes");
    }
    commit(store, vec![Change::Unhost(topic)]).await;
    assert_eq!(store.hosted(topic).await.expect("a read"), None);
}

async fn a_receipt_begins_once_and_follows_its_stage(store: &dyn Store) {
    commit(store, vec![Change::Stage(id(1), Stage::Unchanged)]).await;
    assert_eq!(store.receipt(id(1)).await.expect("a read"), None);
    let fetching = Stage::Fetching { last_failure: None };
    let first = receipt(1, fetching.clone());
    commit(store, vec![Change::Receive(first.clone())]).await;
    commit(store, vec![Change::Stage(id(1), Stage::Unchanged)]).await;
    commit(store, vec![Change::Receive(first)]).await;
    let stage = store.receipt(id(1)).await.expect("a read");
    assert_eq!(stage, Some(receipt(1, Stage::Unchanged)));
}

async fn a_fanout_counts_once(store: &dyn Store) {
    publish(store, 1).await;
    let counted = Tally {
        targets: 9,
        delivered: 8,
        first_delivery: Some(Timestamp(3)),
        last_delivery: Some(Timestamp(8)),
        ..Tally::default()
    };
    let mut fanout = Fanout::new(id(1), vec![topic_url(0).id()]);
    fanout.tally = counted;
    commit(store, vec![Change::Put(Job::Fanout(fanout))]).await;
    assert_eq!(tally(store, 1).await, counted);
    let page = store.receipts(None, 5).await.expect("a page");
    assert_eq!(page[0].tally, counted);
    for _ in 0..2 {
        commit(store, vec![Change::Visited(id(1), counted)]).await;
        assert_eq!(tally(store, 1).await, counted);
    }
    let job = store.job(JobId::Fanout(id(1))).await.expect("a read");
    assert_eq!(job, None);
    assert!(!has_body(store, 1).await);
}

async fn the_body_stays_as_long_as_somebody_waits(store: &dyn Store) {
    publish(store, 1).await;
    commit(store, vec![wait(1, 1, 10, None), wait(2, 1, 10, None)]).await;
    commit(store, vec![Change::Visited(id(1), Tally::default())]).await;
    let (kept, body) = store
        .publication(id(1))
        .await
        .expect("a read")
        .expect("kept");
    assert_eq!((kept, &body[..]), (publication(1, 10), &b"0123456789"[..]));
    let settle = |at| Change::Settle {
        target: target(0, at),
        publication: id(1),
        at: Timestamp(70),
    };
    commit(store, vec![settle(1)]).await;
    assert!(has_body(store, 1).await);
    commit(store, vec![settle(2)]).await;
    assert!(!has_body(store, 1).await);
    assert_eq!(tally(store, 1).await.delivered, 2);
}

async fn a_backlog_begins_and_ends_with_its_entries(store: &dyn Store) {
    publish(store, 1).await;
    publish(store, 2).await;
    let backlog = async || match store.job(JobId::Backlog(target(0, 1))).await {
        Ok(Some(Job::Backlog(job))) => Some((job.due.0, job.failures, job.entries, job.bytes)),
        Ok(None) => None,
        other => panic!("{other:?}"),
    };
    commit(store, vec![wait(1, 1, 10, Some(1))]).await;
    assert_eq!(backlog().await, Some((101, 1, 1, 10)));
    // One that only joins does not move the time of the next attempt.
    commit(store, vec![wait(1, 2, 30, None)]).await;
    assert_eq!(backlog().await, Some((101, 1, 2, 40)));
    commit(store, vec![wait(1, 2, 30, None)]).await;
    assert_eq!(backlog().await, Some((101, 1, 2, 40)));
    let queue = store.waiting(target(0, 1), 9).await.expect("a page");
    assert_eq!(queue, [waiting(1, 10), waiting(2, 30)]);

    let postpone = Change::Postpone {
        target: target(0, 1),
        publication: id(1),
        due: Timestamp(500),
        failures: 2,
        attempt: attempt(400),
    };
    commit(store, vec![postpone]).await;
    assert_eq!(backlog().await, Some((500, 2, 2, 40)));
    let missing = store.missing(id(1), None, 9).await.expect("a page");
    assert_eq!(missing[0].last_attempt, Some(attempt(400)));
    assert_eq!(missing[0].state, MissingState::Backlog);

    for _ in 0..2 {
        let settle = Change::Settle {
            target: target(0, 1),
            publication: id(1),
            at: Timestamp(510),
        };
        commit(store, vec![settle]).await;
        assert_eq!(backlog().await, Some((510, 0, 1, 30)));
        assert_eq!(tally(store, 1).await.delivered, 1);
        assert_eq!(tally(store, 1).await.last_delivery, Some(Timestamp(510)));
    }
    assert_eq!(store.missing(id(1), None, 9).await.expect("a page"), []);

    for _ in 0..2 {
        let give_up = Change::GiveUp {
            target: target(0, 1),
            publication: id(2),
        };
        commit(store, vec![give_up]).await;
        assert_eq!(backlog().await, None);
        let counted = tally(store, 2).await;
        assert_eq!((counted.backlog, counted.given_up), (0, 1));
    }
    let missing = store.missing(id(2), None, 9).await.expect("a page");
    assert_eq!(missing[0].state, MissingState::GivenUp);
}

async fn over_the_limits_the_oldest_are_given_up(store: &dyn Store) {
    for n in 1..=6 {
        publish(store, n).await;
    }
    let waiting_for = async |at| {
        let queue = store.waiting(target(0, at), 9).await.expect("a page");
        queue.iter().map(|it| it.publication).collect::<Vec<_>>()
    };
    let by_count = (1..=5).map(|n| wait(1, n, 10, None)).collect();
    commit(store, by_count).await;
    assert_eq!(waiting_for(1).await, [id(3), id(4), id(5)]);
    assert_eq!(tally(store, 1).await.given_up, 1);

    commit(store, vec![wait(2, 1, 500, None), wait(2, 2, 500, None)]).await;
    commit(store, vec![wait(2, 3, 501, None)]).await;
    assert_eq!(waiting_for(2).await, [id(3)]);
    let missing = store.missing(id(2), None, 9).await.expect("a page");
    assert!(missing.iter().all(|it| it.state == MissingState::GivenUp));
    assert_eq!(missing.len(), 2);

    // One that is too big alone is given up at once, and the backlog with it.
    commit(store, vec![wait(3, 6, 1_001, Some(1))]).await;
    assert_eq!(waiting_for(3).await, []);
    let job = store.job(JobId::Backlog(target(0, 3))).await;
    assert_eq!(job.expect("a read"), None);
}

async fn what_waits_for_an_ended_target_is_gone(store: &dyn Store) {
    publish(store, 1).await;
    publish(store, 2).await;
    commit(store, vec![Change::Activate(subscription(0, 1, 5))]).await;
    commit(store, vec![wait(1, 1, 10, None), wait(1, 2, 10, None)]).await;
    commit(store, vec![Change::Visited(id(1), Tally::default())]).await;
    for _ in 0..2 {
        let end = Change::End {
            target: target(0, 1),
            verified_at: Some(Timestamp(5)),
        };
        commit(store, vec![end]).await;
        for n in [1, 2] {
            let counted = tally(store, n).await;
            assert_eq!((counted.backlog, counted.gone), (0, 1));
            let missing = store.missing(id(n), None, 9).await.expect("a page");
            assert_eq!(missing[0].state, MissingState::Gone);
        }
        assert_eq!(store.waiting(target(0, 1), 9).await.expect("a page"), []);
        let job = store.job(JobId::Backlog(target(0, 1))).await;
        assert_eq!(job.expect("a read"), None);
        assert!(!has_body(store, 1).await);
        assert!(has_body(store, 2).await);
    }
}

async fn a_lost_delivery_is_gone_once(store: &dyn Store) {
    publish(store, 1).await;
    for _ in 0..2 {
        let lose = Change::Lose {
            target: target(0, 1),
            callback: callback(1),
            publication: id(1),
            attempt: attempt(5),
        };
        let end = Change::End {
            target: target(0, 1),
            verified_at: None,
        };
        commit(store, vec![lose, end]).await;
        assert_eq!(tally(store, 1).await.gone, 1);
    }
    let missing = store.missing(id(1), None, 9).await.expect("a page");
    assert_eq!(missing[0].state, MissingState::Gone);
    assert_eq!(missing[0].last_attempt, Some(attempt(5)));
}

async fn a_wait_comes_to_nothing_once_it_was_decided(store: &dyn Store) {
    commit(store, vec![wait(1, 1, 10, None)]).await;
    assert_eq!(store.jobs(None, 9).await.expect("a page"), []);

    publish(store, 1).await;
    commit(store, vec![wait(1, 1, 10, None)]).await;
    let give_up = Change::GiveUp {
        target: target(0, 1),
        publication: id(1),
    };
    commit(store, vec![give_up]).await;
    commit(store, vec![wait(1, 1, 10, Some(4))]).await;
    assert_eq!(store.waiting(target(0, 1), 9).await.expect("a page"), []);
    let counted = tally(store, 1).await;
    assert_eq!((counted.backlog, counted.given_up), (0, 1));
}

async fn pruning_forgets_everything(store: &dyn Store) {
    publish(store, 1).await;
    publish(store, 2).await;
    let bundle = Bundle {
        id: id(1),
        accepted_at: Timestamp(7),
        receipts: vec![id(2)],
        unheard: vec![topic_url(3)],
    };
    commit(store, vec![Change::Bundle(bundle.clone())]).await;
    assert_eq!(store.bundle(id(1)).await.expect("a read"), Some(bundle));
    let waits = vec![
        wait(1, 1, 10, None),
        wait(1, 2, 10, None),
        wait(2, 1, 10, None),
    ];
    commit(store, waits).await;
    for _ in 0..2 {
        commit(store, vec![Change::Prune(id(1))]).await;
        assert_eq!(store.receipt(id(1)).await.expect("a read"), None);
        assert_eq!(store.bundles(None, 9).await.expect("a page"), []);
        assert_eq!(store.missing(id(1), None, 9).await.expect("a page"), []);
        assert!(!has_body(store, 1).await);
        let queue = store.waiting(target(0, 1), 9).await.expect("a page");
        assert_eq!(queue, [waiting(2, 10)]);
        let jobs = store.jobs(None, 9).await.expect("a page");
        let left: Vec<_> = jobs.iter().map(Job::id).collect();
        assert_eq!(left, [JobId::Fanout(id(2)), JobId::Backlog(target(0, 1))]);
    }
}

async fn jobs_come_back_as_they_were_put(store: &dyn Store) {
    let jobs = sample_jobs();
    let put = jobs.iter().rev().cloned().map(Change::Put).collect();
    commit(store, put).await;
    assert_eq!(store.jobs(None, 99).await.expect("a page"), jobs);
    let rest = store.jobs(Some(jobs[1].id()), 1).await.expect("a page");
    assert_eq!(rest, jobs[2..3]);
    for job in &jobs {
        let found = store.job(job.id()).await.expect("a read");
        assert_eq!(found.as_ref(), Some(job));
        commit(store, vec![Change::Finish(job.id())]).await;
        assert_eq!(store.job(job.id()).await.expect("a read"), None);
    }
}

/// One job of each kind but the backlog, in key order.
pub(super) fn sample_jobs() -> Vec<Job> {
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
