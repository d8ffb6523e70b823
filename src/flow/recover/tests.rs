//! What a fan-out counts, and where it goes on, when it runs again.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::super::tests::{fanout, hub, publication, subscriber, topic};
use super::*;
use crate::domain::attempt::{Attempt, Outcome};
use crate::domain::receipt::{Stage, Tally};
use crate::domain::value::Timestamp;
use crate::store::memory::MemoryStore;
use crate::store::{BacklogLimits, SharedStore, Subscriber};

/// Nobody listens there.
const CALLBACKS: [&str; 3] = [
    "http://127.0.0.1:9/a",
    "http://127.0.0.1:9/b",
    "http://127.0.0.1:9/c",
];

/// Three subscribers to the topic, none of whom is subscribed yet, in the order of their visit.
fn three(hub: &Hub) -> [Subscriber; 3] {
    let mut three = CALLBACKS.map(|url| subscriber(hub, url));
    three.sort_by_key(|subscriber| subscriber.id);
    three
}

fn subscribe(subscriber: &Subscriber) -> Change {
    Change::Activate(subscriber.subscription.clone())
}

/// It says 410 at a visit.
fn lose(subscriber: &Subscriber, publication: PublicationId) -> Change {
    Change::Lose {
        target: subscriber.id,
        callback: subscriber.subscription.callback.clone(),
        publication,
        attempt: Attempt {
            at: Timestamp(1),
            millis: 1,
            outcome: Outcome::Answered {
                status: 410,
                retry_after: None,
                excerpt: String::new(),
            },
        },
    }
}

/// It gets the publication from its backlog.
fn get_later(subscriber: &Subscriber, hub: &Hub, publication: PublicationId) -> [Change; 2] {
    let callback = &subscriber.subscription.callback;
    let entry = waiting(&super::super::tests::publication(hub, publication));
    let settle = Change::Settle {
        target: subscriber.id,
        publication,
        at: Timestamp(1),
    };
    [
        wait(subscriber.id, callback, entry, Timestamp(0), None),
        settle,
    ]
}

/// A fan-out to the topic, whose body is kept.
async fn journaled(hub: &Hub) -> Fanout {
    let id = fanout(hub, 0).await.publication;
    let journal = Change::Journal(publication(hub, id), Bytes::from_static(b"x"));
    hub.store.commit(vec![journal]).await.expect("a commit");
    Fanout::new(id, topic("news").members())
}

/// The counts of a publication whose fan-out is over: targets, delivered, backlog, given up, gone.
async fn counts(hub: &Hub, id: PublicationId) -> [u64; 5] {
    let receipt = hub.store.receipt(id).await.expect("a read");
    let receipt = receipt.expect("a receipt");
    assert_eq!(receipt.stage, Stage::Visited);
    let it: Tally = receipt.tally;
    [it.targets, it.delivered, it.backlog, it.given_up, it.gone]
}

#[tokio::test]
async fn who_ended_after_the_checkpoint_counts() {
    let folder = tempfile::tempdir().expect("a folder");
    let hub = hub(&folder);
    let [got, gone, fails] = three(&hub);
    let mut job = journaled(&hub).await;
    let id = job.publication;
    // The checkpoint stands behind the first one. After it the second one said 410, and nobody has visited the third.
    job.cursor.after = Some(got.id.callback);
    job.tally.targets = 1;
    let mut changes = vec![subscribe(&got), subscribe(&fails)];
    changes.extend(get_later(&got, &hub, id));
    changes.extend([lose(&gone, id), Change::Put(Job::Fanout(job.clone()))]);
    hub.store.commit(changes).await.expect("a commit");
    hub.run_fanout(job).await.expect("run");
    hub.tracker.close();
    hub.tracker.wait().await;
    assert_eq!(counts(&hub, id).await, [3, 1, 1, 0, 1]);
    hub.store.close().await.expect("closed");
}

#[tokio::test]
async fn who_is_visited_again_counts_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let hub = hub(&folder);
    let [got, waits, gone] = three(&hub);
    let job = journaled(&hub).await;
    let id = job.publication;
    // There was no checkpoint. The first one has got it, the second one waits, the last one ended.
    let mut changes = vec![subscribe(&got), subscribe(&waits), lose(&gone, id)];
    changes.extend(get_later(&got, &hub, id));
    changes.extend(get_later(&waits, &hub, id).into_iter().take(1));
    changes.push(Change::Put(Job::Fanout(job.clone())));
    hub.store.commit(changes).await.expect("a commit");
    hub.run_fanout(job).await.expect("run");
    hub.tracker.close();
    hub.tracker.wait().await;
    // The first one gets it once more, later.
    assert_eq!(counts(&hub, id).await, [3, 0, 2, 0, 1]);
    hub.store.close().await.expect("closed");
}

#[tokio::test]
async fn who_was_counted_before_a_second_crash_is_not_counted_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let hub = hub(&folder);
    let [_, gone, _] = three(&hub);
    let mut job = journaled(&hub).await;
    let lost = lose(&gone, job.publication);
    hub.store.commit(vec![lost]).await.expect("a commit");
    for (passed, beyond) in [(None, 1), (Some(gone.id.callback), 0)] {
        job.cursor.after = passed;
        let mut known = hub.known_beyond(&job).await.expect("read");
        assert_eq!(known.pass(job.cursor), 0);
        assert_eq!(known.pass(job.end()), beyond);
    }
    hub.store.close().await.expect("closed");
}

#[tokio::test]
async fn a_fanout_that_was_cut_short_goes_on_from_its_checkpoint_and_keeps_nobody_busy() {
    let folder = tempfile::tempdir().expect("a folder");
    let hub = hub(&folder);
    let three = three(&hub);
    let mut job = journaled(&hub).await;
    let id = job.publication;
    let begin = three.iter().map(subscribe);
    hub.store.commit(begin.collect()).await.expect("a commit");
    hub.store
        .commit(vec![Change::Put(Job::Fanout(job.clone()))])
        .await
        .expect("a commit");
    // There is no place to begin a round, so all three, whose origin is known, stand in one that is not sent.
    let gate = hub.gates.of(three[0].subscription.callback.origin());
    let answer = Outcome::Answered {
        status: 200,
        retry_after: None,
        excerpt: String::new(),
    };
    hub.gates.record(&gate, &answer, Duration::from_millis(1));
    let places = u32::try_from(hub.places.swift.available_permits()).expect("a few");
    let places = Arc::clone(&hub.places.swift)
        .acquire_many_owned(places)
        .await
        .expect("open");
    let (its, begun) = (Arc::clone(&hub), job.clone());
    let run = tokio::spawn(async move { its.run_fanout(begun).await });
    while hub.turns.len() < three.len() {
        tokio::task::yield_now().await;
    }
    run.abort();
    assert!(run.await.expect_err("it was cut short").is_cancelled());
    assert!(hub.turns.is_empty());
    drop(places);

    // By then there had been a checkpoint.
    let started = job.clone();
    job.cursor = job.end();
    job.tally.targets = 3;
    hub.store
        .commit(vec![Change::Put(Job::Fanout(job))])
        .await
        .expect("a commit");
    hub.run_fanout(started).await.expect("run");
    assert_eq!(
        counts(&hub, id).await,
        [3, 0, 0, 3, 0],
        "it visits nobody anew"
    );
    hub.store.close().await.expect("closed");
}

/// How a fan-out to so many callbacks of a receiver that never answers stands, after the store has panicked once in such a call.
async fn run_with_panic_in(call: &'static str, targets: u64) -> Fanout {
    let folder = tempfile::tempdir().expect("a folder");
    let mut hub = hub(&folder);
    let store = Arc::new(MemoryStore::new(BacklogLimits {
        entries: 10,
        bytes: 1_000,
        events: 1_000,
    }));
    Arc::get_mut(&mut hub).expect("it does not run").store = Arc::clone(&store) as SharedStore;
    let receiver = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/", receiver.local_addr().expect("an address"));
    let begin = (0..targets).map(|at| subscribe(&subscriber(&hub, &format!("{url}{at}"))));
    hub.store.commit(begin.collect()).await.expect("a commit");
    let job = journaled(&hub).await;
    store.panic_once_in(call);
    hub.run_fanout(job.clone()).await.expect("run");
    let stored = hub.store.job(JobId::Fanout(job.publication)).await;
    let Some(Job::Fanout(stored)) = stored.expect("a read") else {
        panic!("it is not over");
    };
    assert_eq!(stored.cursor, job.end());
    assert_eq!(stored.tally.targets, targets);
    stored
}

#[tokio::test]
async fn a_page_whose_reading_panics_is_read_again() {
    let more_than_a_page = PAGE as u64 + 1;
    run_with_panic_in("more targets", more_than_a_page).await;
}

#[tokio::test]
async fn a_checkpoint_whose_writing_panics_is_written_again() {
    assert_eq!(run_with_panic_in("commit", 1).await.open.len(), 1);
}
