//! The flow of a publication to its targets, one file for each arrow:
//!
//! ```text
//! subscribe -> verify -> (store) <- publish, raise
//!                          |
//!                          v
//!              fetch -> fanout -> deliver -> diary
//!                          |         ^
//!                          +-> backlog
//! ```
//!
//! `work` is the one loop that runs the durable jobs; `turns` keeps the order for each target, `gate` the limits for each
//! origin; `sweep` ends what time ends; `pulse` tells whether all this gets on.

mod backlog;
pub mod backups;
pub mod byhand;
pub mod clock;
mod deliver;
mod diary;
mod dispatch;
mod editions;
mod endings;
pub mod erase;
pub mod errand;
mod fanout;
mod fetch;
pub mod gate;
mod gauges;
mod history;
pub mod hooks;
pub mod inspector;
pub mod late;
mod ledger;
mod meters;
mod names;
mod notice;
pub mod odometer;
mod pace;
pub mod publish;
mod pulse;
pub mod raise;
mod receipts;
mod recover;
mod render;
mod replay;
mod round;
pub mod self_service;
pub mod settings;
pub mod sources;
pub mod subscribe;
mod sweep;
mod tell;
#[cfg(test)]
pub(crate) mod tests;
pub mod tokens;
pub mod traces;
mod trail;
pub mod turns;
mod verdicts;
mod verify;
mod vitals;
pub mod work;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use dashmap::DashMap;
use hyper::header::HeaderValue;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::clock::{Clock, jitter};
use self::diary::Diary;
use self::dispatch::Places;
use self::editions::Editions;
use self::gate::{GateRules, Gates};
use self::history::History;
pub use self::history::Minute;
use self::late::Census;
use self::meters::Meters;
pub use self::meters::{Gauge, Series};
use self::names::{Names, Stripes};
use self::pace::Paces;
use self::receipts::Unheard;
use self::settings::{
    CompatSettings, DeliverySettings, FetchSettings, HookSettings, RetentionSettings,
    SubscriptionSettings,
};
use self::sources::Sources;
use self::tokens::Tokens;
use self::traces::Traces;
use self::trail::Trails;
use self::turns::Turns;
use self::verdicts::Verdicts;
use self::vitals::Counted;
pub use self::vitals::{Backlogs, Vitals};
use self::work::{Capacity, Work};
use crate::dialect::occurrence::Imprint;
use crate::domain::retry::Schedule;
use crate::domain::subscription::LeasePolicy;
use crate::domain::value::{PublicationId, TargetId, Timestamp, TopicId};
use crate::net::client::{Caller, Fetcher};
use crate::net::guard::Guard;
use crate::net::ways::Ways;
use crate::store::{Change, SharedStore, StoreError};

/// How long to wait before a store that failed is tried again.
const STORE_PAUSE: Duration = Duration::from_secs(1);
/// Fan-outs that run side by side.
const FANOUTS: usize = 64;
/// Callbacks that are asked side by side.
const VERIFICATIONS: usize = 256;

/// Everything that the flow is set to do.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// `[subscriptions]`.
    pub subscriptions: SubscriptionSettings,
    /// `[delivery]`.
    pub delivery: DeliverySettings,
    /// `[hooks]`.
    pub hooks: HookSettings,
    /// `[fetch]`.
    pub fetch: FetchSettings,
    /// `[compat]`.
    pub compat: CompatSettings,
    /// `[retention]`.
    pub retention: RetentionSettings,
    /// `limits.subscriptions_per_callback_host`; 0 is no limit.
    pub subscriptions_per_callback_host: u64,
    /// `limits.hooks_per_source`; 0 is no limit.
    pub hooks_per_source: u64,
    /// `telemetry.late_origins`: so many are named by the metrics.
    pub late_origins: usize,
}

/// What the flow reaches the world with.
pub struct Reach {
    /// Fetches topics.
    pub fetcher: Fetcher,
    /// Asks callbacks.
    pub caller: Caller,
    /// Delivers to callbacks.
    pub ways: Ways,
    /// Delivers to hooks whose owners have the receiver's certificate not checked.
    pub unchecked: Ways,
    /// Which callbacks may be called.
    pub callbacks: Arc<Guard>,
    /// Which topics may be fetched.
    pub topics: Arc<Guard>,
}

/// What the hub stands in.
pub struct Environment {
    /// The memory.
    pub store: SharedStore,
    /// The time.
    pub clock: Clock,
    /// The ways out.
    pub reach: Reach,
    /// The hub's own URL, ending in a slash.
    pub url: String,
    /// The name and version that it goes by.
    pub product: String,
    /// Where its traces go.
    pub traces: Traces,
    /// Where its tasks live.
    pub tracker: TaskTracker,
    /// When this is cancelled, nothing new begins.
    pub stop: CancellationToken,
}

/// The hub: the state that the arrows of the flow share. Each arrow is an `impl Hub` in its own file.
pub struct Hub {
    /// The memory.
    pub store: SharedStore,
    /// The time.
    pub clock: Clock,
    /// The hub's own URL, ending in a slash.
    pub url: String,
    settings: Settings,
    product: String,
    imprint: Imprint,
    leases: LeasePolicy,
    verify_schedule: Schedule,
    fetch_schedule: Schedule,
    delivery_schedule: Schedule,
    fetcher: Fetcher,
    caller: Caller,
    ways: Ways,
    unchecked: Ways,
    callbacks: Arc<Guard>,
    topics: Arc<Guard>,
    work: Arc<Work>,
    turns: Turns,
    gates: Gates,
    /// Publications that are being delivered.
    editions: Editions,
    /// Room for deliveries in flight, of all fan-outs and backlogs together. Who needs a place, room and a slot of an origin
    /// takes them in this order: else two could wait for each other.
    room: Arc<Semaphore>,
    /// Places for deliveries that begin.
    places: Places,
    /// Of each topic the newest fetch that has not begun, and when it is due: further pings share it.
    fetches: DashMap<TopicId, (PublicationId, Timestamp)>,
    /// Subscriptions that have been asked to stay, with the verification that was about to lapse.
    refreshed: DashMap<TargetId, Timestamp>,
    /// Intents that clients wait for, or that wait for another try.
    verdicts: Verdicts,
    /// Whose turn it is to change a topic.
    names: Names,
    /// The sources that were asked for.
    sources: Sources,
    /// Requests with the same key raise events one after the other.
    raising: Stripes,
    /// The tokens that were given out.
    tokens: Tokens,
    /// Pings that nobody heard.
    unheard: Unheard,
    /// Who changes a hook holds it.
    desk: tokio::sync::Mutex<()>,
    /// Who writes a replay's row holds it.
    replaying: tokio::sync::Mutex<()>,
    /// Shared by those who decide what becomes of a request to subscribe; alone, who erases some, or ends a
    /// subscription by hand.
    deciding: tokio::sync::RwLock<()>,
    /// Near a host's limit its subscriptions begin one after the other.
    hosts: Stripes,
    /// What hooks were sent.
    diary: Diary,
    /// How soon hooks may be sent more.
    paces: Paces,
    meters: Meters,
    traces: Traces,
    /// What the last sweep has counted.
    census: Mutex<Option<Census>>,
    /// What waits, as last counted for who looks.
    counted: Counted,
    /// The last hours.
    history: History,
    /// The last attempts for those who fail.
    trails: Trails,
    tracker: TaskTracker,
    stop: CancellationToken,
}

impl Hub {
    /// Puts the hub together; nothing runs yet.
    pub fn new(settings: Settings, environment: Environment) -> Self {
        let Environment {
            store,
            clock,
            reach,
            url,
            product,
            traces,
            tracker,
            stop,
        } = environment;
        let delivery = &settings.delivery;
        let work = Arc::new(Work::new(Capacity {
            verify: VERIFICATIONS,
            fetch: settings.fetch.concurrency,
            fanout: FANOUTS,
            // Those who have failed before leave half of the room to the others.
            backlog: delivery.concurrency.div_ceil(2),
        }));
        let delivery_schedule = Schedule::new(delivery.retry.clone());
        let rules = GateRules {
            per_origin: delivery.per_origin,
            circuit_failures: delivery.circuit_failures,
            circuit_schedule: delivery_schedule.clone(),
            probe_for: delivery.timeout,
            remember: delivery_schedule.longest() * 2,
        };
        let user_agent = format!("{product} (+{url})");
        Self {
            clock,
            imprint: Imprint {
                public_url: url.clone(),
                brand: settings.hooks.brand.as_str().to_owned(),
                user_agent: HeaderValue::from_str(&user_agent)
                    .unwrap_or_else(|_| HeaderValue::from_static("Fanfare")),
            },
            leases: LeasePolicy {
                default: settings.subscriptions.default_lease,
                min: settings.subscriptions.min_lease,
                max: settings.subscriptions.max_lease,
            },
            verify_schedule: Schedule::new(settings.subscriptions.verify_retry.clone()),
            fetch_schedule: Schedule::new(settings.fetch.retry.clone()),
            delivery_schedule,
            fetcher: reach.fetcher,
            caller: reach.caller,
            ways: reach.ways,
            unchecked: reach.unchecked,
            callbacks: reach.callbacks,
            topics: reach.topics,
            gates: Gates::new(rules, clock, Arc::clone(&work)),
            work,
            turns: Turns::default(),
            editions: Editions::default(),
            room: Arc::new(Semaphore::new(delivery.concurrency)),
            places: Places::default(),
            fetches: DashMap::new(),
            refreshed: DashMap::new(),
            verdicts: Verdicts::default(),
            names: Names::default(),
            sources: Sources::default(),
            raising: Stripes::default(),
            tokens: Tokens::default(),
            unheard: Unheard::default(),
            desk: tokio::sync::Mutex::default(),
            replaying: tokio::sync::Mutex::default(),
            deciding: tokio::sync::RwLock::default(),
            hosts: Stripes::default(),
            diary: Diary::default(),
            paces: Paces::default(),
            meters: Meters::default(),
            traces,
            census: Mutex::default(),
            counted: Counted::default(),
            history: History::default(),
            trails: Trails::default(),
            store,
            url,
            settings,
            product,
            tracker,
            stop,
        }
    }

    /// Takes over what an earlier process left, then works until the hub stops.
    ///
    /// # Errors
    /// The store's, while taking over.
    pub async fn start(self: &Arc<Self>) -> Result<usize, StoreError> {
        self.declare_own_source().await?;
        self.load_tokens().await?;
        let taken_over = work::take_over(self).await?;
        self.resume_replays().await?;
        self.tracker.spawn(work::run(Arc::clone(self)));
        self.tracker.spawn(Arc::clone(self).sweep_regularly());
        self.tracker.spawn(Arc::clone(self).keep_diary());
        self.tracker.spawn(Arc::clone(self).keep_history());
        Ok(taken_over)
    }

    fn in_flight(&self) -> usize {
        self.settings.delivery.concurrency - self.room.available_permits()
    }

    /// The delay after so many failed attempts in a row.
    fn retry_delay(&self, failures: u32, asked: Option<Duration>) -> Duration {
        let cap = self.settings.delivery.retry_after_max;
        self.delivery_schedule
            .delay_at_least(failures, jitter(), asked, cap)
    }

    /// Commits, again and again until it works. False if the process stops before that.
    async fn commit_at_last(&self, changes: Vec<Change>) -> bool {
        let written = self.at_last(|| self.store.commit(changes.clone())).await;
        self.note_overflow();
        written.is_some()
    }

    /// Asks the store, again and again until it answers. `None` if the process stops before that.
    async fn at_last<T, F>(&self, mut ask: impl FnMut() -> F) -> Option<T>
    where
        F: Future<Output = Result<T, StoreError>>,
    {
        loop {
            match ask().await {
                Ok(answer) => return Some(answer),
                Err(error) if self.stop.is_cancelled() => {
                    tracing::error!(%error, "the store failed while stopping");
                    return None;
                }
                Err(error) => tracing::error!(%error, "the store failed; trying again"),
            }
            tokio::time::sleep(STORE_PAUSE).await;
        }
    }
}
