//! The hub as it works: a snapshot each second for as long as somebody looks, and the last hours, minute by minute.

use std::time::Duration;

use futures_util::Stream;
use futures_util::stream::unfold;
use serde::Serialize;
use warp::http::StatusCode;
use warp::reply::Response;

use std::sync::Arc;

use tokio::time::{Instant, Interval, MissedTickBehavior, interval};

use super::call::Call;
use super::problem::{Problem, json_answer, shown};
use super::query::Query;
use super::receipts::{ReceiptView, view};
use super::stream::Event;
use super::tokens::Role;
use super::{Answer, Site};
use crate::domain::attempt::Failure;
use crate::domain::value::Timestamp;
use crate::flow::late::Late;
use crate::flow::odometer::{Reading, Stretch};
use crate::flow::{Backlogs, Minute};
use crate::store::StoreError;

/// How often a snapshot goes out.
const EVERY: Duration = Duration::from_secs(1);
/// The newest publications that a snapshot tells of.
const PUBLICATIONS: usize = 8;
/// The minutes that are told of, unless it is said how many; and the most.
const MINUTES: (usize, usize) = (180, 1_440);

/// `GET /api/v1/live`: server-sent events, a snapshot in each.
pub fn watch(site: &Arc<Site>, call: &Call) -> Result<Response, Problem> {
    site.tokens.require(Role::Admin, &call.headers)?;
    let watcher = Watcher {
        headers: call.headers.clone(),
        site: Arc::clone(site),
        ticks: ticks(),
        at: Instant::now(),
        read: site.hub.odometer().read(),
    };
    site.streams.open(call, watcher.snapshots())
}

/// `GET /api/v1/history`: what was done in each of the last minutes.
pub async fn history(site: &Site, call: &Call) -> Result<Answer, Problem> {
    site.tokens.require(Role::Admin, &call.headers)?;
    let query = Query::read(call.query.as_deref(), &["minutes"]).await?;
    let minutes = match query.text("minutes") {
        None => MINUTES.0,
        Some(text) => {
            let count = text.parse().ok().filter(|it| (1..=MINUTES.1).contains(it));
            count.ok_or_else(|| {
                let (given, most) = (shown(text), MINUTES.1);
                Problem::Invalid(format!(
                    "minutes: {given:?} is not a number from 1 to {most}"
                ))
            })?
        }
    };
    let minutes = site.hub.history(minutes);
    let view = HistoryView {
        minutes: minutes.into_iter().map(MinuteView::from).collect(),
    };
    Ok(json_answer(StatusCode::OK, &view))
}

/// Who looks, and what was read when it last looked.
struct Watcher {
    headers: warp::http::HeaderMap,
    site: Arc<Site>,
    ticks: Interval,
    at: Instant,
    read: Reading,
}

impl Watcher {
    /// A snapshot each second, until the one who looks may not any more.
    fn snapshots(self) -> impl Stream<Item = Event> {
        unfold(self, async |mut watcher| {
            watcher.ticks.tick().await;
            let tokens = &watcher.site.tokens;
            tokens.require(Role::Admin, &watcher.headers).ok()?;
            let event = match watcher.snapshot().await {
                Ok(snapshot) => Event::default()
                    .event("snapshot")
                    .json_data(&snapshot)
                    .ok()?,
                Err(error) => {
                    tracing::error!(%error, "no snapshot");
                    Event::default().comment("the store cannot be read just now")
                }
            };
            Some((event, watcher))
        })
    }

    async fn snapshot(&mut self) -> Result<Snapshot, StoreError> {
        let site = &self.site;
        let hub = &site.hub;
        let read = hub.odometer().read();
        let (done, span) = (read.since(&self.read), self.at.elapsed());
        (self.read, self.at) = (read, Instant::now());
        let newest = hub.store.receipts_before(None, PUBLICATIONS).await?;
        let vitals = hub.vitals().await?;
        Ok(Snapshot {
            at: hub.clock.now().to_string(),
            seconds: span.as_secs_f64(),
            done: done.into(),
            in_flight: vitals.in_flight,
            jobs: vitals.jobs,
            backlog: vitals.backlog.into(),
            open_circuits: vitals.open_circuits,
            origins: vitals.late.into_iter().map(OriginView::from).collect(),
            stalls: vitals.stalls,
            publications: newest
                .into_iter()
                .map(|receipt| view(site, receipt))
                .collect(),
        })
    }
}

fn ticks() -> Interval {
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

/// How the hub is at one moment.
#[derive(Serialize)]
struct Snapshot {
    at: String,
    seconds: f64,
    done: DoneView,
    in_flight: usize,
    jobs: usize,
    backlog: BacklogView,
    open_circuits: usize,
    origins: Vec<OriginView>,
    stalls: Vec<String>,
    publications: Vec<ReceiptView>,
}

/// What was done in a stretch of time.
#[derive(Serialize)]
struct DoneView {
    delivered: u64,
    failed: u64,
    given_up: u64,
    published: u64,
    p50_ms: Option<f64>,
    p99_ms: Option<f64>,
}

impl From<Stretch> for DoneView {
    fn from(done: Stretch) -> Self {
        let millis = |took: Option<Duration>| took.map(|took| took.as_micros() as f64 / 1_000.0);
        Self {
            delivered: done.delivered,
            failed: done.failed,
            given_up: done.given_up,
            published: done.published,
            p50_ms: millis(done.p50),
            p99_ms: millis(done.p99),
        }
    }
}

#[derive(Serialize)]
struct BacklogView {
    counted_at: String,
    targets: u64,
    entries: u64,
    oldest: Option<String>,
}

impl From<Backlogs> for BacklogView {
    fn from(backlogs: Backlogs) -> Self {
        Self {
            counted_at: backlogs.at.to_string(),
            targets: backlogs.targets,
            entries: backlogs.entries,
            oldest: backlogs.oldest.map(|at| at.to_string()),
        }
    }
}

/// An origin that is late.
#[derive(Serialize)]
struct OriginView {
    origin: Box<str>,
    reason: &'static str,
    failing_since: Option<String>,
    failures: u32,
    status: Option<u16>,
    failure: Option<Failure>,
    paused_until: Option<String>,
    in_flight: usize,
    waiting: usize,
    backlog: u64,
    usual_ms: Option<u128>,
}

impl From<Late> for OriginView {
    fn from(late: Late) -> Self {
        let time = |at: Timestamp| at.to_string();
        let standing = late.standing;
        let trouble = standing.trouble;
        Self {
            origin: late.origin,
            reason: late.reason.name(),
            failing_since: trouble.map(|it| time(it.since)),
            failures: trouble.map_or(0, |it| it.failures),
            status: trouble.and_then(|it| it.status),
            failure: trouble.and_then(|it| it.failure),
            paused_until: standing.closed_until.map(time),
            in_flight: standing.in_flight,
            waiting: standing.parked,
            backlog: late.waiting.entries,
            usual_ms: standing.usual.map(|usual| usual.as_millis()),
        }
    }
}

#[derive(Serialize)]
struct HistoryView {
    minutes: Vec<MinuteView>,
}

/// What was done in a minute.
#[derive(Serialize)]
struct MinuteView {
    at: String,
    #[serde(flatten)]
    done: DoneView,
    waiting: Option<u64>,
    oldest: Option<String>,
}

impl From<Minute> for MinuteView {
    fn from(minute: Minute) -> Self {
        Self {
            at: minute.at.to_string(),
            done: minute.done.into(),
            waiting: minute.waiting.map(|it| it.entries),
            oldest: minute
                .waiting
                .and_then(|it| it.oldest)
                .map(|at| at.to_string()),
        }
    }
}
