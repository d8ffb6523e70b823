//! What an attempt takes, and in which order: a place, room, its origin's slot, the body, the circuit's passage.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tempfile::TempDir;

use super::super::Settings;
use super::super::dispatch::Places;
use super::super::round::{wait, waiting};
use super::super::tests::{
    Station, event, fanout, hook_on, hub_with, keep, paced_in_one_slot, publication, subscriber,
};
use super::*;
use crate::domain::attempt::{Failure, Outcome};
use crate::domain::value::PublicationId;

const PATIENCE: Duration = Duration::from_secs(20);
const HOUR: Duration = Duration::from_secs(3_600);

/// A target in backlog, and what it has missed.
struct Scene {
    _folder: TempDir,
    hub: Arc<Hub>,
    receiver: Station,
    target: Target,
    publication: PublicationId,
}

impl Scene {
    /// With `body`, or with none, as if it had been lost.
    async fn new(settings: Settings, body: Option<&'static [u8]>) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let hub = hub_with(&folder, settings);
        let receiver = Station::start().await;
        let subscriber = subscriber(&hub, &receiver.url());
        let publication = publication(&hub, fanout(&hub, 1).await.publication);
        let activate = Change::Activate(subscriber.subscription.clone());
        let target = Target::from(subscriber);
        let entry = waiting(&publication);
        let now = hub.clock.now();
        let mut changes = vec![
            activate,
            wait(target.id, target.callback(), entry, now, None),
        ];
        let id = publication.id;
        changes.extend(body.map(|body| Change::Journal(publication, Bytes::from_static(body))));
        hub.store.commit(changes).await.expect("a commit");
        Self {
            _folder: folder,
            hub,
            receiver,
            target,
            publication: id,
        }
    }

    /// The job runs, on a task of its own.
    fn run(&self) -> tokio::task::JoinHandle<()> {
        let hub = Arc::clone(&self.hub);
        let job = wake_up(self.target.id, hub.clock.now());
        tokio::spawn(async move {
            let left = hub.run_backlog(job).await.expect("the store works");
            assert_eq!(left, []);
        })
    }

    async fn is_settled(&self) -> bool {
        let waiting = self.hub.store.waiting(self.target.id, 10).await;
        waiting.expect("a read").is_empty()
    }
}

async fn eventually(what: &str, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "in vain: {what}");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

fn all_room(hub: &Hub) -> u32 {
    u32::try_from(hub.settings.delivery.concurrency).expect("a small number")
}

#[tokio::test]
async fn an_attempt_waits_for_room_and_keeps_no_slot_of_its_origin() {
    let scene = Scene::new(Settings::default(), Some(b"x")).await;
    let hub = &scene.hub;
    let (room, all) = (Arc::clone(&hub.room), all_room(hub));
    let taken = room.acquire_many_owned(all).await.expect("the room");
    let run = scene.run();
    let it_waits = || hub.places.swift.available_permits() < Places::SWIFT || run.is_finished();
    eventually("the attempt", it_waits).await;
    let gate = hub.gates.of(scene.target.callback().origin());
    let slots = (0..hub.settings.delivery.per_origin).map(|_| gate.try_pass());
    assert!(slots.collect::<Option<Vec<_>>>().is_some(), "all are free");
    assert!(!run.is_finished());

    drop(taken);
    let called = scene.receiver.called().await;
    assert_eq!(hub.room.available_permits(), all as usize - 1);
    called.answer(200).await;
    run.await.expect("no panic");
    assert!(scene.is_settled().await);
    assert_eq!(hub.room.available_permits(), all as usize);
}

#[tokio::test]
async fn who_is_parked_holds_no_room() {
    let scene = Scene::new(Settings::default(), Some(b"x")).await;
    let hub = &scene.hub;
    let gate = hub.gates.of(scene.target.callback().origin());
    let slots = (0..hub.settings.delivery.per_origin).map(|_| gate.try_pass());
    let taken = slots.collect::<Option<Vec<_>>>().expect("all are free");
    scene.run().await.expect("no panic");
    assert!(!scene.is_settled().await);
    assert_eq!(hub.room.available_permits(), all_room(hub) as usize);
    assert_eq!(hub.places.swift.available_permits(), Places::SWIFT);
    drop(taken);
}

#[tokio::test]
async fn a_body_that_is_lost_does_not_use_up_the_probe() {
    let mut settings = Settings::default();
    settings.delivery.circuit_failures = 1;
    settings.delivery.retry = vec![Duration::from_millis(1)];
    let scene = Scene::new(settings, None).await;
    let gates = &scene.hub.gates;
    let gate = gates.of(scene.target.callback().origin());
    let failed = Outcome::Unanswered {
        failure: Failure::Connect,
        detail: String::new(),
    };
    gates.record(&gate, &failed, Duration::ZERO);
    eventually("the time of the probe", || {
        gates.closed_until(&gate).is_none()
    })
    .await;
    scene.run().await.expect("no panic");
    assert!(scene.is_settled().await, "given up");
    assert_eq!(
        gates.passage(&gate),
        Passage::Free,
        "the probe is yet to come"
    );
}

#[tokio::test]
async fn attempts_share_the_body_with_everybody_who_delivers_it() {
    let scene = Scene::new(Settings::default(), Some(b"x")).await;
    let edition = scene.hub.edition(scene.publication).await;
    let edition = edition.expect("the store works").expect("it has the body");
    let run = scene.run();
    let called = scene.receiver.called().await;
    assert_eq!(Arc::strong_count(&edition), 2);
    called.answer(200).await;
    run.await.expect("no panic");
    assert_eq!(Arc::strong_count(&edition), 1);
}

/// Events wait for a hook; of each it is given whether the hook has rejected it.
async fn events_wait(hub: &Hub, hook: &Hook, rejected: &[Option<Rejected>]) {
    let (target, now) = (hook.id.target(), hub.clock.now());
    let mut changes = Vec::new();
    for rejected in rejected {
        let event = event(hub, fanout(hub, 1).await.publication);
        let entry = Waiting {
            rejected: *rejected,
            ..waiting(&event)
        };
        changes.push(wait(target, &hook.endpoint, entry, now, None));
        changes.push(Change::Journal(event, Bytes::from_static(b"{}")));
    }
    hub.store.commit(changes).await.expect("a commit");
}

/// How an event waits that this hook has rejected: for an hour.
fn rejected_by(hub: &Hub, hook: &Hook) -> Rejected {
    Rejected {
        edit: hook.updated_at,
        due: hub.clock.now().plus(HOUR),
        times: 1,
    }
}

#[tokio::test]
async fn of_too_many_that_were_rejected_the_oldest_are_given_up_so_that_others_pass() {
    for (rejected, left) in [
        (PAGE + 1, PAGE + 1),
        (ALONE, ALONE),
        (ALONE + 1, ALONE + 1 - EXCESS),
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        let hub = hub_with(&folder, Settings::default());
        let receiver = Station::start().await;
        let hook = hook_on(&hub, &receiver.url()).await;
        let mut entries = vec![Some(rejected_by(&hub, &hook)); rejected];
        entries.push(None);
        events_wait(&hub, &hook, &entries).await;
        let job = wake_up(hook.id.target(), hub.clock.now());
        let (requests, ran) = receiver.answering(200, hub.run_backlog(job)).await;
        ran.expect("the store works");
        assert_eq!(requests, 1);
        let waiting = hub.store.waiting(hook.id.target(), 2 * ALONE).await;
        let waiting = waiting.expect("a read");
        assert_eq!(waiting.len(), left);
        assert!(waiting.iter().all(|entry| entry.rejected.is_some()));
        hub.store.close().await.expect("closed");
    }
}

#[tokio::test]
async fn an_edit_that_asks_for_order_or_a_rate_holds_back_what_would_follow_at_once() {
    type Edit = fn(&mut Hook);
    let as_it_was = |_: &mut Hook| ();
    let edits: [(Edit, usize); 3] = [
        (as_it_was, 5),
        (|hook| hook.ordered = true, 0),
        (|hook| hook.rate = Some(1), 1),
    ];
    for (edit, follow) in edits {
        let folder = tempfile::tempdir().expect("a folder");
        let hub = hub_with(&folder, Settings::default());
        let receiver = Station::start().await;
        let mut hook = hook_on(&hub, &receiver.url()).await;
        events_wait(&hub, &hook, &[None; 6]).await;
        let job = wake_up(hook.id.target(), hub.clock.now());
        let run = tokio::spawn({
            let hub = Arc::clone(&hub);
            async move { hub.run_backlog(job).await }
        });
        let first = receiver.called().await;
        edit(&mut hook);
        keep(&hub, &hook).await;
        first.answer(200).await;
        let (requests, ran) = receiver.answering(200, run).await;
        ran.expect("no panic").expect("the store works");
        assert_eq!(requests, follow);
        hub.store.close().await.expect("closed");
    }
}

#[tokio::test]
async fn what_a_hook_rejects_is_not_tried_anew_because_the_clock_was_set_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let hub = hub_with(&folder, Settings::default());
    let receiver = Station::start().await;
    let hook = Hook {
        updated_at: hub.clock.now().plus(HOUR),
        ..hook_on(&hub, &receiver.url()).await
    };
    keep(&hub, &hook).await;
    events_wait(&hub, &hook, &[None]).await;
    let job = wake_up(hook.id.target(), hub.clock.now());
    let (requests, ran) = receiver.answering(400, hub.run_backlog(job)).await;
    ran.expect("the store works");
    assert_eq!(requests, 1);
    hub.store.close().await.expect("closed");
}

#[tokio::test]
async fn an_edit_frees_what_was_rejected_also_with_a_clock_that_was_set_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let hub = hub_with(&folder, Settings::default());
    let receiver = Station::start().await;
    let hook = hook_on(&hub, &receiver.url()).await;
    let before = Hook {
        updated_at: hub.clock.now(),
        ..hook.clone()
    };
    events_wait(&hub, &hook, &[Some(rejected_by(&hub, &before))]).await;
    let job = wake_up(hook.id.target(), hub.clock.now());
    let (requests, ran) = receiver.answering(200, hub.run_backlog(job)).await;
    ran.expect("the store works");
    assert_eq!(requests, 1);
    hub.store.close().await.expect("closed");
}

#[tokio::test(start_paused = true)]
async fn who_finds_no_slot_takes_no_place_of_its_rate() {
    let folder = tempfile::tempdir().expect("a folder");
    let (hub, hook) = paced_in_one_slot(&folder).await;
    events_wait(&hub, &hook, &[None]).await;
    let taken = hub.gates.of(hook.endpoint.origin()).try_pass();
    let job = wake_up(hook.id.target(), hub.clock.now());
    hub.run_backlog(job).await.expect("the store works");
    assert_eq!(hub.paces.take(&hook), Ok(()), "nobody has gone yet");
    drop(taken);
    hub.store.close().await.expect("closed");
}
