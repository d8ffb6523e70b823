//! What an attempt takes, and in which order: a place, room, its origin's slot, the body, the circuit's passage.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::super::Settings;
use super::super::dispatch::Places;
use super::super::round::{wait, waiting};
use super::super::tests::{fanout, hub_with, publication, subscriber};
use super::*;
use crate::domain::attempt::{Failure, Outcome};
use crate::domain::event::{EventName, EventPattern};
use crate::domain::hook::{ContentType, Receiver};
use crate::domain::publication::EventMark;
use crate::domain::source::{Dialect, Source, SourceName};
use crate::domain::value::{CallbackUrl, PublicationId};
use crate::store::HookChange;

const PATIENCE: Duration = Duration::from_secs(20);

/// A target in backlog, and what it has missed.
struct Scene {
    _folder: TempDir,
    hub: Arc<Hub>,
    receiver: TcpListener,
    target: Target,
    publication: PublicationId,
}

impl Scene {
    /// With `body`, or with none, as if it had been lost.
    async fn new(settings: Settings, body: Option<&'static [u8]>) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let hub = hub_with(&folder, settings);
        let receiver = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = receiver.local_addr().expect("an address");
        let subscriber = subscriber(&hub, &format!("http://{address}/"));
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

    /// The request has come; it is answered when the caller says so.
    async fn called(&self) -> Called {
        let (mut stream, _) = self.receiver.accept().await.expect("a connection");
        let mut head = [0; 4_096];
        assert!(stream.read(&mut head).await.expect("a request") > 0);
        Called(stream)
    }

    async fn is_settled(&self) -> bool {
        let waiting = self.hub.store.waiting(self.target.id, 10).await;
        waiting.expect("a read").is_empty()
    }
}

struct Called(TcpStream);

impl Called {
    async fn answer(mut self) {
        let answer = b"HTTP/1.1 200 Fine\r\nContent-Length: 0\r\n\r\n";
        self.0.write_all(answer).await.expect("an open connection");
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
    let called = scene.called().await;
    assert_eq!(hub.room.available_permits(), all as usize - 1);
    called.answer().await;
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
    let called = scene.called().await;
    assert_eq!(Arc::strong_count(&edition), 2);
    called.answer().await;
    run.await.expect("no panic");
    assert_eq!(Arc::strong_count(&edition), 1);
}

/// A hook on a receiver, which has rejected so many events an hour before they are tried again, and one that waits behind them.
async fn rejecting(hub: &Hub, receiver: &TcpListener, rejected: usize) -> TargetId {
    let source = Source {
        name: SourceName::parse("social").expect("a name"),
        dialect: Dialect::Websub,
        events: Vec::new(),
        private: false,
        inbound_secret: None,
        created_at: Timestamp(1),
    };
    let address = receiver.local_addr().expect("an address");
    let url = CallbackUrl::parse(&format!("http://{address}/")).expect("a URL");
    let web = Receiver::Web {
        url: url.clone(),
        content_type: ContentType::Json,
    };
    let hook = Hook {
        id: HookId(1),
        ..Hook::plain(&source, vec![EventPattern::All], web, url.clone())
    };
    let target = hook.id.target();
    let put = HookChange::PutHook {
        hook,
        topics: Vec::new(),
    };
    let mut changes = vec![put.into()];
    let now = hub.clock.now();
    for n in 0..=rejected {
        let mut publication = publication(hub, fanout(hub, 1).await.publication);
        publication.event = Some(EventMark {
            source: source.name.clone(),
            name: EventName::parse("made").expect("a name"),
            dialect: source.dialect,
            created_at: now,
        });
        let entry = Waiting {
            rejected: (n < rejected).then_some(Rejected {
                at: now,
                due: now.plus(Duration::from_secs(3_600)),
                times: 1,
            }),
            ..waiting(&publication)
        };
        changes.push(wait(target, &url, entry, now, None));
        changes.push(Change::Journal(publication, Bytes::from_static(b"{}")));
    }
    hub.store.commit(changes).await.expect("a commit");
    target
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
        let receiver = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let target = rejecting(&hub, &receiver, rejected).await;
        let job = wake_up(target, hub.clock.now());
        let answered = async {
            let (mut stream, _) = receiver.accept().await.expect("a connection");
            let mut head = [0; 4_096];
            assert!(stream.read(&mut head).await.expect("a request") > 0);
            Called(stream).answer().await;
        };
        let (ran, ()) = tokio::join!(hub.run_backlog(job), answered);
        ran.expect("the store works");
        let waiting = hub.store.waiting(target, 2 * ALONE).await;
        let waiting = waiting.expect("a read");
        assert_eq!(waiting.len(), left);
        assert!(waiting.iter().all(|entry| entry.rejected.is_some()));
        hub.store.close().await.expect("closed");
    }
}
