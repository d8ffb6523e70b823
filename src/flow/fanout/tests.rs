//! What a fan-out writes down while very many deliveries are open.

use std::time::Duration;

use bytes::Bytes;

use super::super::tests::{fanout, hub, publication, subscriber, topic};
use super::*;
use crate::domain::job::JobId;
use crate::domain::receipt::Stage;

const TARGETS: usize = 6_000;
/// The largest value that the store should have to keep, in bytes.
const LARGE: usize = 64 << 10;

#[tokio::test]
async fn a_checkpoint_stays_small_though_everybody_is_slow() {
    let folder = tempfile::tempdir().expect("a folder");
    let hub = hub(&folder);
    let subscribers = (0..TARGETS).map(|at| subscriber(&hub, &format!("http://slow.example/{at}")));
    let subscribers: Vec<_> = subscribers.collect();
    let mut changes: Vec<_> = subscribers
        .iter()
        .map(|subscriber| Change::Activate(subscriber.subscription.clone()))
        .collect();
    let job = Fanout::new(fanout(&hub, 0).await.publication, topic("news").members());
    let publication = publication(&hub, job.publication);
    let id = publication.id;
    changes.push(Change::Journal(publication, Bytes::from_static(b"x")));
    hub.store.commit(changes).await.expect("a commit");
    // Nobody gets a slot, so all wait aside until they lose patience.
    let gate = hub.gates.of(subscribers[0].subscription.callback.origin());
    let slots = (0..hub.settings.delivery.per_origin).map(|_| gate.try_pass());
    let slots = slots.collect::<Option<Vec<_>>>().expect("all are free");

    let its = Arc::clone(&hub);
    let run = tokio::spawn(async move { its.run_fanout(job).await.expect("the store works") });
    let mut largest = 0;
    while let Some(Job::Fanout(checkpoint)) =
        hub.store.job(JobId::Fanout(id)).await.expect("a read")
    {
        largest = largest.max(checkpoint.open.len());
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    run.await.expect("no panic");
    drop(slots);
    let receipt = hub.store.receipt(id).await.expect("a read");
    let receipt = receipt.expect("a receipt");
    let all = TARGETS as u64;
    assert_eq!(receipt.stage, Stage::Visited);
    assert_eq!((receipt.tally.targets, receipt.tally.backlog), (all, all));
    assert!(largest > 1_000, "they were slow: {largest}");
    assert!(largest * size_of::<CallbackId>() < LARGE, "{largest}");
}
