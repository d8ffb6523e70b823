//! Deliveries to a hook that gets one event after the other are written together, and nothing is lost or overtaken by that.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tempfile::TempDir;
use tokio::task::JoinHandle;

use super::super::super::Settings;
use super::super::super::round::{wait, waiting};
use super::super::super::tests::{Called, Station, event, fanout, hook_on, hub_with, keep};
use super::super::wake_up;
use crate::domain::hook::Hook;
use crate::domain::job::{Job, JobId};
use crate::domain::value::{PublicationId, TargetId};
use crate::flow::Hub;
use crate::store::Change;

const PATIENCE: Duration = Duration::from_secs(20);

/// A hook that gets three events in order, the last of which has come to its receiver, and is not answered yet.
struct InLine {
    _folder: TempDir,
    hub: Arc<Hub>,
    target: TargetId,
    receiver: Station,
    third: Called,
    run: JoinHandle<()>,
}

impl InLine {
    async fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let hub = hub_with(&folder, Settings::default());
        let receiver = Station::start().await;
        let hook = Hook {
            ordered: true,
            ..hook_on(&hub, &receiver.url()).await
        };
        keep(&hub, &hook).await;
        let (target, now) = (hook.id.target(), hub.clock.now());
        let mut changes = Vec::new();
        for _ in 0..3 {
            let event = event(&hub, fanout(&hub, 1).await.publication);
            changes.push(wait(target, &hook.endpoint, waiting(&event), now, None));
            changes.push(Change::Journal(event, Bytes::from_static(b"{}")));
        }
        hub.store.commit(changes).await.expect("a commit");
        let (its, job) = (Arc::clone(&hub), wake_up(target, now));
        let run = tokio::spawn(async move {
            its.run_backlog(job).await.expect("the store works");
        });
        for _ in 0..2 {
            receiver.called().await.answer(200).await;
        }
        let third = receiver.called().await;
        Self {
            _folder: folder,
            hub,
            target,
            receiver,
            third,
            run,
        }
    }
}

async fn waiting_in(hub: &Hub, target: TargetId) -> Vec<PublicationId> {
    let waiting = hub.store.waiting(target, 10).await.expect("a read");
    waiting.iter().map(|entry| entry.publication).collect()
}

async fn until_waiting(hub: &Hub, target: TargetId, count: usize) {
    let looking = async {
        while waiting_in(hub, target).await.len() != count {
            tokio::task::yield_now().await;
        }
    };
    let found = tokio::time::timeout(PATIENCE, looking).await;
    found.unwrap_or_else(|_| panic!("{count} should wait"));
}

#[tokio::test]
async fn what_a_hook_has_got_is_written_though_the_next_one_takes_long() {
    let line = InLine::start().await;
    until_waiting(&line.hub, line.target, 1).await;
    line.third.answer(200).await;
    line.run.await.expect("no panic");
    assert_eq!(waiting_in(&line.hub, line.target).await, []);
    let job = line.hub.store.job(JobId::Backlog(line.target)).await;
    assert_eq!(job.expect("a read"), None);
    line.hub.store.close().await.expect("closed");
}

#[tokio::test]
async fn a_failure_stands_though_what_was_delivered_before_it_is_written_with_others() {
    let line = InLine::start().await;
    line.third.answer(500).await;
    let ran = tokio::time::timeout(PATIENCE, line.run).await;
    ran.expect("it breaks off").expect("no panic");
    assert_eq!(waiting_in(&line.hub, line.target).await.len(), 1);
    let job = line.hub.store.job(JobId::Backlog(line.target)).await;
    let Some(Job::Backlog(job)) = job.expect("a read") else {
        panic!("one waits");
    };
    assert_eq!((job.failures, job.entries), (1, 1));
    assert!(job.due > line.hub.clock.now(), "{job:?}");
    line.hub.store.close().await.expect("closed");
}

#[tokio::test]
async fn who_goes_on_after_a_crash_repeats_what_was_not_written_in_its_order() {
    let InLine {
        _folder,
        hub,
        target,
        receiver,
        third,
        run,
    } = InLine::start().await;
    run.abort();
    assert!(run.await.is_err(), "as if it had crashed");
    drop(third);
    // Behind whatever was on its way to the store.
    hub.store.probe().await.expect("it works");
    let left = waiting_in(&hub, target).await;
    assert!(!left.is_empty());
    let (its, job) = (Arc::clone(&hub), wake_up(target, hub.clock.now()));
    let run = tokio::spawn(async move { its.run_backlog(job).await.map(drop) });
    for publication in left {
        let called = receiver.called().await;
        let id = publication.delivery(target).to_string();
        assert!(called.head().contains(&id), "{}", called.head());
        called.answer(200).await;
    }
    run.await.expect("no panic").expect("the store works");
    assert_eq!(waiting_in(&hub, target).await, []);
    hub.store.close().await.expect("closed");
}
