//! Corners of the flow that are hard to reach from outside: what an earlier process left, and what nobody needs.

use bytes::Bytes;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::clock::new_publication_id;
use super::*;
use crate::domain::attempt::{Attempt, Outcome};
use crate::domain::event::{EventName, EventPattern};
use crate::domain::hook::{ContentType, Hook, HookId, Receiver};
use crate::domain::job::{Fanout, Job, JobId};
use crate::domain::publication::{EventMark, Publication};
use crate::domain::receipt::{Receipt, Stage, Tally};
use crate::domain::source::{Dialect, Source, SourceName};
use crate::domain::subscription::Subscription;
use crate::domain::topic::Topic;
use crate::domain::value::{CallbackUrl, TopicUrl};
use crate::net::client::FetchLimits;
use crate::net::dial::Dialer;
use crate::net::resolve::Resolver;
use crate::net::sender::SenderLimits;
use crate::net::tls::Tls;
use crate::net::ways::Ways;
use crate::store::memory::MemoryStore;
use crate::store::{BacklogLimits, HookChange, SledStore, StoreOptions, Subscriber};

const PLENTY: Duration = Duration::from_secs(30);
/// Longer than any test takes, however busy the machine is.
const LEASE: Duration = Duration::from_secs(3_600);

/// A hub whose loop does not run.
pub(crate) fn hub(folder: &TempDir) -> Arc<Hub> {
    hub_with(folder, Settings::default())
}

/// The same, set to something else.
pub(super) fn hub_with(folder: &TempDir, settings: Settings) -> Arc<Hub> {
    let options = StoreOptions {
        cache_bytes: 16 << 20,
        backlog: BacklogLimits {
            entries: 10,
            bytes: 1_000,
            events: 1_000,
        },
    };
    let store = SledStore::open(folder.path(), options).expect("the store opens");
    let tls = Tls::new(None).expect("the common authorities");
    let guard = || {
        Arc::new(Guard::callbacks(vec![
            "127.0.0.0/8".parse().expect("a network"),
        ]))
    };
    let resolver = Arc::new(Resolver::new(guard()));
    let limits = FetchLimits {
        timeout: PLENTY,
        max_body: 1_000,
        max_redirects: 1,
    };
    let caller = Caller::new(Arc::clone(&resolver), &tls, PLENTY, 100, "test".to_owned());
    let dialer = Dialer::new(Arc::clone(&resolver), PLENTY);
    let idle = SenderLimits::default();
    let reach = Reach {
        fetcher: Fetcher::new(resolver, &tls, limits).expect("a fetcher"),
        caller: caller.expect("a caller"),
        unchecked: Ways::new(dialer.clone(), tls.unchecked(), idle),
        ways: Ways::new(dialer, tls, idle),
        callbacks: guard(),
        topics: guard(),
    };
    let environment = Environment {
        traces: Traces::default(),
        store: Arc::new(store),
        clock: Clock::System,
        reach,
        url: "http://hub.example/".to_owned(),
        product: "test".to_owned(),
        tracker: TaskTracker::new(),
        stop: CancellationToken::new(),
    };
    Arc::new(Hub::new(settings, environment))
}

/// The same, with a store that answers at once, and fails when it is told to.
pub(super) fn hub_in_memory(folder: &TempDir) -> (Arc<Hub>, Arc<MemoryStore>) {
    let limits = BacklogLimits {
        entries: 10,
        bytes: 1_000,
        events: 1_000,
    };
    let (mut hub, store) = (hub(folder), Arc::new(MemoryStore::new(limits)));
    Arc::get_mut(&mut hub).expect("it does not run").store = Arc::clone(&store) as SharedStore;
    (hub, store)
}

pub(super) fn topic(name: &str) -> Topic {
    Topic::new(TopicUrl::parse(&format!("http://t.example/{name}")).expect("a topic"))
}

/// A receipt that is being delivered, and its fan-out, which counts these many targets.
pub(super) async fn fanout(hub: &Hub, targets: u64) -> Fanout {
    let topic = topic("news");
    let mut fanout = Fanout::new(new_publication_id(), topic.members());
    fanout.tally.targets = targets;
    let receipt = Receipt {
        id: fanout.publication,
        topic: topic.url,
        accepted_at: hub.clock.now(),
        stage: Stage::Delivering,
        tally: Tally::default(),
    };
    let begin = vec![
        Change::Receive(receipt),
        Change::Put(Job::Fanout(fanout.clone())),
    ];
    hub.store.commit(begin).await.expect("a commit");
    fanout
}

/// Who subscribes to `news` from now on.
pub(super) fn subscriber(hub: &Hub, callback: &str) -> Subscriber {
    let now = hub.clock.now();
    let subscription = Subscription {
        topic: topic("news").url,
        callback: CallbackUrl::parse(callback).expect("a callback"),
        secret: None,
        method: None,
        active_since: now,
        verified_at: now,
        expires_at: now.plus(LEASE),
        from: None,
    };
    Subscriber {
        id: subscription.id(),
        subscription,
    }
}

pub(super) fn publication(hub: &Hub, id: PublicationId) -> Publication {
    let news = topic("news").url;
    Publication {
        id,
        self_url: news.to_string(),
        topic: news,
        content_type: "text/plain".to_owned(),
        hubs: Vec::new(),
        size: 1,
        accepted_at: hub.clock.now(),
        event: None,
    }
}

fn source() -> Source {
    Source {
        name: SourceName::parse("social").expect("a name"),
        dialect: Dialect::Websub,
        events: Vec::new(),
        private: false,
        inbound_secret: None,
        created_at: Timestamp(1),
    }
}

/// An event of a source.
pub(super) fn event(hub: &Hub, id: PublicationId) -> Publication {
    let source = source();
    let mark = EventMark {
        source: source.name,
        name: EventName::parse("made").expect("a name"),
        dialect: source.dialect,
        created_at: hub.clock.now(),
    };
    Publication {
        event: Some(mark),
        ..publication(hub, id)
    }
}

/// A hook without a past on all events of that source, which did not come over the desk.
pub(super) async fn hook_on(hub: &Hub, url: &str) -> Hook {
    let url = CallbackUrl::parse(url).expect("a URL");
    let receiver = Receiver::Web {
        url: url.clone(),
        content_type: ContentType::Json,
    };
    let hook = Hook {
        id: HookId(1),
        ..Hook::plain(&source(), vec![EventPattern::All], receiver, url)
    };
    keep(hub, &hook).await;
    hook
}

/// A hub that has one request at a time under way to an origin, and a hook that bears one in a second.
pub(super) async fn paced_in_one_slot(folder: &TempDir) -> (Arc<Hub>, Hook) {
    let mut settings = Settings::default();
    settings.delivery.per_origin = 1;
    let hub = hub_with(folder, settings);
    let hook = Hook {
        rate: Some(1),
        ..hook_on(&hub, "http://127.0.0.1:9/").await
    };
    keep(&hub, &hook).await;
    (hub, hook)
}

/// A hook is like this from now on.
pub(super) async fn keep(hub: &Hub, hook: &Hook) {
    let put = HookChange::PutHook {
        hook: hook.clone(),
        topics: Vec::new(),
    };
    hub.store.commit(vec![put.into()]).await.expect("a commit");
}

/// Where requests arrive, one after the other.
pub(super) struct Station(TcpListener);

impl Station {
    pub(super) async fn start() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").await.expect("a port"))
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}/", self.0.local_addr().expect("an address"))
    }

    /// The next request has come; it is answered when the caller says so.
    pub(super) async fn called(&self) -> Called {
        let (mut stream, _) = self.0.accept().await.expect("a connection");
        let mut head = vec![0; 4_096];
        let length = stream.read(&mut head).await.expect("a request");
        assert!(length > 0);
        head.truncate(length);
        let head = String::from_utf8_lossy(&head).into_owned();
        Called { stream, head }
    }

    /// Answers all that come until something has ended, and counts them; gives what came of it.
    pub(super) async fn answering<T>(
        &self,
        status: u16,
        work: impl Future<Output = T>,
    ) -> (usize, T) {
        let mut work = std::pin::pin!(work);
        let mut count = 0;
        loop {
            tokio::select! {
                ended = &mut work => return (count, ended),
                called = self.called() => {
                    count += 1;
                    assert!(count < 1_000, "there is no end");
                    called.answer(status).await;
                }
            }
        }
    }
}

pub(super) struct Called {
    stream: TcpStream,
    head: String,
}

impl Called {
    /// What has come of the request.
    pub(super) fn head(&self) -> &str {
        &self.head
    }

    pub(super) async fn answer(mut self, status: u16) {
        let answer =
            format!("HTTP/1.1 {status} Said\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        let written = self.stream.write_all(answer.as_bytes()).await;
        written.expect("an open connection");
    }
}

#[tokio::test]
async fn who_was_lost_after_the_checkpoint_stays_counted() {
    let folder = tempfile::tempdir().expect("a folder");
    let hub = hub(&folder);
    let mut fanout = fanout(&hub, 2).await;
    let news = topic("news").url;
    let publication = publication(&hub, fanout.publication);
    let callbacks = ["http://a.example/", "http://b.example/"]
        .map(|url| CallbackUrl::parse(url).expect("a callback"));
    fanout.open = callbacks
        .iter()
        .map(|callback| TargetId {
            topic: news.id(),
            callback: callback.id(),
        })
        .collect();
    let lose = Change::Lose {
        target: fanout.open[0],
        callback: callbacks[0].clone(),
        publication: fanout.publication,
        attempt: Attempt {
            at: hub.clock.now(),
            millis: 1,
            outcome: Outcome::Answered {
                status: 410,
                retry_after: None,
                excerpt: String::new(),
            },
        },
    };
    let journal = Change::Journal(publication, Bytes::from_static(b"x"));
    let changes = vec![journal, lose];
    hub.store.commit(changes).await.expect("a commit");
    // Neither is subscribed any longer: the first was lost, and counts; the second left.
    let recovered = hub.recover_fanout(fanout).await.expect("recovered");
    assert!(recovered.open.is_empty());
    assert_eq!(recovered.tally.targets, 1);
    hub.store.close().await.expect("closed");
}

#[tokio::test]
async fn a_fanout_without_a_body_ends_its_receipt() {
    let folder = tempfile::tempdir().expect("a folder");
    let hub = hub(&folder);
    let fanout = fanout(&hub, 3).await;
    let id = fanout.publication;
    hub.run_fanout(fanout).await.expect("run");
    let receipt = hub.store.receipt(id).await.expect("a read");
    let receipt = receipt.expect("a receipt");
    assert_eq!((receipt.stage, receipt.tally.targets), (Stage::Visited, 3));
    assert_eq!(receipt.tally.given_up, 3, "nobody gets it any more");
    let job = hub.store.job(JobId::Fanout(id)).await.expect("a read");
    assert_eq!(job, None);
    hub.store.close().await.expect("closed");
}

#[tokio::test]
async fn a_name_without_subscribers_is_forgotten_and_then_its_owner() {
    let folder = tempfile::tempdir().expect("a folder");
    let hub = hub(&folder);
    let (mut owner, mut alias) = (topic("owner"), topic("alias"));
    owner.adopt(&mut alias);
    let changes = [&owner, &alias].map(|topic| Change::PutTopic(topic.clone()));
    hub.store.commit(changes.into()).await.expect("a commit");
    for _ in 0..2 {
        hub.sweep().await.expect("a sweep");
    }
    let left = hub.store.topics(None, 10).await.expect("a page");
    assert_eq!(left, Vec::new());
    hub.store.close().await.expect("closed");
}
