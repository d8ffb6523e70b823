//! The contract as tests, the same for every engine and for the model in memory.

use bytes::Bytes;
use tempfile::TempDir;
use uuid::Uuid;

use self::backlog::*;
use self::hooks::*;
use self::samples::*;
use self::tally::*;
use super::memory::MemoryStore;
use super::{Change, SledStore, Store, Subscriber};
use crate::domain::job::{Fanout, Job, JobId};
use crate::domain::receipt::{Bundle, MissingState, Stage, Tally};
use crate::domain::subscription::Subscription;
use crate::domain::topic::{Hosted, Topic};
use crate::domain::value::{PublicationId, Timestamp};

mod backlog;
mod backup;
pub(super) mod hooks;
mod random;
pub(super) mod samples;
mod sled;
mod tally;

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
    who_was_rejected_waits_by_itself,
    a_rejection_takes_nothing_back,
    over_the_limits_the_oldest_are_given_up,
    what_waits_for_an_ended_target_is_gone,
    what_waits_for_a_renewed_target_survives_the_end_of_the_old_one,
    a_failed_attempt_counts_though_its_entry_was_given_up,
    a_lost_delivery_is_gone_once,
    a_wait_comes_to_nothing_once_it_was_decided,
    who_got_it_from_the_backlog_and_is_visited_again_counts_once,
    who_waits_again_after_a_crash_counts_once,
    who_ended_before_a_crash_counts,
    who_ended_does_not_take_the_place_of_who_got_it_from_the_backlog,
    who_was_visited_in_vain_is_given_up,
    pruning_forgets_everything,
    jobs_come_back_as_they_were_put,
    a_topic_s_targets_are_its_subscriptions_and_its_hooks,
    an_edited_hook_leaves_its_old_topics_and_source,
    a_hook_that_ends_takes_everything_with_it,
    deliveries_are_paged_both_ways_and_pruned_below_an_id,
    a_body_of_a_request_of_its_own_comes_back,
    an_event_is_kept_until_it_is_pruned,
    the_latest_event_is_the_one_that_was_made_last,
    an_answer_is_remembered_until_its_time,
    a_replay_is_kept_with_how_far_it_has_come,
    a_token_is_found_by_its_digest_alone,
    sources_are_known_whatever_the_case,
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

    let held = |Subscriber { id, subscription }| {
        assert_eq!(id, subscription.id());
        subscription
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
        let whole = store.subscriptions_to(topic, None, 100).await;
        let whole = whole.expect("a page").into_iter().map(held);
        assert_eq!(whole.collect::<Vec<_>>(), expected);
        let after = Some(expected[4].id().callback);
        let rest = store.subscriptions_to(topic, after, 3).await;
        let rest = rest.expect("a page").into_iter().map(held);
        assert_eq!(rest.collect::<Vec<_>>(), expected[5..8]);
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
    let forget = || vec![Change::ForgetTopic(topic.id())];
    commit(store, forget()).await;
    let kept = store.topic(topic.id()).await.expect("a read");
    assert_eq!(kept, Some(topic.clone()), "it has a subscriber");
    let end = Change::End {
        target: target(0, 1),
        verified_at: None,
    };
    commit(store, vec![end]).await;
    commit(store, forget()).await;
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
        delivered: 9,
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
