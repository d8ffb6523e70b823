//! What a fan-out counts, and where it goes on, after a crash.

use bytes::Bytes;

use super::super::tests::{fanout, hub, publication, subscriber, topic};
use super::*;
use crate::domain::attempt::{Attempt, Outcome};
use crate::domain::receipt::{Stage, Tally};
use crate::domain::value::Timestamp;
use crate::store::Subscriber;

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
