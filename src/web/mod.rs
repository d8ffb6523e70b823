//! HTTP in: requests of subscribers, publishers, operators and visitors come in, replies go out. The only module that
//! knows warp.
//!
//! `handle` is the whole surface in one table. A handler gives back a reply or a `Problem`; what becomes of a problem
//! stands in `problem`.
//!
//! Invariants:
//!
//! 1. A request that was begun is handled to its end, even if the client leaves: what became durable must be scheduled.
//! 2. No body is read beyond its cap, and no client is waited for without a deadline.

mod admission;
mod api;
mod backups;
mod call;
mod desk;
mod erasures;
mod events;
pub mod form;
mod grants;
mod guesses;
mod health;
mod hooks;
mod hosted;
mod hub;
mod inbox;
mod inspect;
mod inspector;
mod live;
mod log;
mod may;
mod object;
mod openapi;
mod page;
mod payloads;
mod pleroma;
mod problem;
mod push;
mod query;
mod receipts;
mod repos;
mod request;
mod route;
mod scan;
mod serve;
pub mod settings;
mod sources;
mod stream;
mod subscription;
mod tokens;

use std::sync::Arc;

use bytes::Bytes;
use tokio_util::task::TaskTracker;
use warp::Filter;
use warp::filters::BoxedFilter;
use warp::http::{HeaderValue, Method, Response, header};

use self::admission::Admission;
pub use self::api::about::Setting;
use self::api::{about, subscriptions, topics};
use self::call::Call;
use self::guesses::Guesses;
use self::health::Readiness;
use self::problem::{Problem, TokenRefused};
use self::route::Route;
use self::settings::LimitSettings;
use self::stream::Streams;
use self::subscription::Counter;
use self::tokens::Keyring;
pub use self::{
    log::Log,
    serve::serve,
    tokens::{TokenDigest, Tokens},
};
use crate::domain::trace::TraceParent;
use crate::domain::value::{PublicationId, Timestamp};
use crate::flow::Hub;
use crate::flow::backups::Backups;
use crate::flow::inspector::Inspector;
use crate::flow::self_service::SelfService;
use crate::flow::traces;

/// A reply before it goes out.
type Answer = Response<Bytes>;

/// What goes out.
enum Reply {
    /// All of it at once.
    Whole(Answer),
    /// Bit by bit, as long as somebody reads it.
    Stream(warp::reply::Response),
}

impl warp::Reply for Reply {
    fn into_response(self) -> warp::reply::Response {
        match self {
            Self::Whole(answer) => answer.into_response(),
            Self::Stream(stream) => stream,
        }
    }
}

/// What is served.
pub struct Web {
    /// The hub.
    pub hub: Arc<Hub>,
    /// Its backups.
    pub backups: Arc<Backups>,
    /// Its log.
    pub log: Arc<dyn Log>,
    /// Callback addresses that show what arrives.
    pub inspector: Inspector,
    /// How much of a request is accepted.
    pub limits: LimitSettings,
    /// Who may do what.
    pub tokens: Tokens,
    /// Writes the counters that the process keeps, in Prometheus' text format.
    pub metrics: Arc<dyn Fn() -> String + Send + Sync>,
    /// What is set, and by whom.
    pub settings: Vec<Setting>,
}

/// What the handlers share.
struct Site {
    hub: Arc<Hub>,
    backups: Arc<Backups>,
    log: Arc<dyn Log>,
    inspector: Arc<Inspector>,
    counter: Counter,
    limits: LimitSettings,
    tokens: Keyring,
    metrics: Arc<dyn Fn() -> String + Send + Sync>,
    admission: Admission,
    guesses: Guesses,
    readiness: Readiness,
    streams: Streams,
    settings: Vec<Setting>,
    started_at: Timestamp,
}

impl Site {
    fn new(web: Web, streams: Streams) -> Self {
        Self {
            streams,
            admission: Admission::new(&web.limits),
            guesses: Guesses::default(),
            readiness: Readiness::default(),
            started_at: web.hub.clock.now(),
            tokens: Keyring::new(web.tokens, Arc::clone(&web.hub)),
            counter: Counter::new(SelfService::new(Arc::clone(&web.hub))),
            hub: web.hub,
            inspector: Arc::new(web.inspector),
            settings: web.settings,
            backups: web.backups,
            log: web.log,
            limits: web.limits,
            metrics: web.metrics,
        }
    }

    /// Where a receipt is.
    fn receipt_url(&self, receipt: PublicationId) -> String {
        format!("{}api/v1/receipts/{receipt}", self.hub.url)
    }
}

/// Everything that the hub answers.
fn routes(site: Arc<Site>, tracker: TaskTracker) -> BoxedFilter<(Reply,)> {
    route::route()
        .and(call::call())
        .then(move |route, call| answer(Arc::clone(&site), tracker.clone(), route, call))
        .boxed()
}

/// What may be asked at all; then what goes on as long as somebody reads it, and what is answered at once.
async fn reply(site: Arc<Site>, route: Route, call: Call) -> Result<Reply, Problem> {
    if !matches!(route, Route::Live | Route::Ready | Route::Metrics) {
        site.admission.admit(&call)?;
    }
    desk::session::check(&call, &site.hub.url)?;
    match (route, call.method.as_str()) {
        (Route::Watch, "GET") => live::watch(&site, &call).map(Reply::Stream),
        (Route::Follow(id), "GET") => {
            let stream = inspector::follow::open(&site, &call, &id).await;
            stream.map(Reply::Stream)
        }
        // Boxed: its largest arm is large, and a task is moved about before it begins.
        (route, _) => Box::pin(handle(&site, route, call)).await.map(Reply::Whole),
    }
}

/// The surface of the hub.
async fn handle(site: &Site, route: Route, call: Call) -> Result<Answer, Problem> {
    let method = call.method.clone();
    match (route, method.as_str()) {
        (Route::Hub, "POST") => hub::post(site, call).await,
        (Route::Hub, "GET" | "HEAD") => page::show(site, &call),
        (Route::Hub, _) => Err(Problem::Method("GET, HEAD, POST")),

        (Route::Hosted, "PUT") => hosted::put(site, call).await,
        (Route::Hosted, "GET" | "HEAD") => hosted::get(site, &call).await,
        (Route::Hosted, "DELETE") => hosted::delete(site, &call).await,
        (Route::Hosted, _) => Err(Problem::Method("GET, HEAD, PUT, DELETE")),

        (Route::Receipts, "GET" | "HEAD") => receipts::list(site, &call).await,
        (Route::Receipt(id), "GET" | "HEAD") => receipts::show(site, &id).await,
        (Route::Missing(id), "GET" | "HEAD") => receipts::missing(site, &call, &id).await,
        (Route::Topics, "GET" | "HEAD") => topics::list(site, &call).await,
        (Route::Topic(id), "GET" | "HEAD") => topics::show(site, &call, &id).await,
        (Route::Content(id), "GET" | "HEAD") => topics::content(site, &call, &id).await,
        (Route::Growth(id), "GET" | "HEAD") => topics::subscribers(site, &call, &id).await,
        (Route::Ping(id), "POST") => topics::ping(site, &call, &id).await,
        (Route::Subscriptions, "GET" | "HEAD") => subscriptions::list(site, &call).await,
        (Route::Subscription(id), "GET" | "HEAD") => subscriptions::show(site, &call, &id).await,
        (Route::Subscription(id), "DELETE") => subscriptions::end(site, &call, &id).await,
        (Route::Subscription(_), _) => Err(Problem::Method("GET, HEAD, DELETE")),
        (Route::Backlog(id), "GET" | "HEAD") => subscriptions::backlog(site, &call, &id).await,
        (Route::Verify(id), "POST") => subscriptions::verify(site, &call, &id).await,
        (Route::Try(id), "POST") => subscriptions::try_now(site, &call, &id).await,
        (Route::Deny(id), "POST") => subscriptions::deny(site, call, &id).await,
        (Route::Ping(_) | Route::Verify(_) | Route::Try(_) | Route::Deny(_), _) => {
            Err(Problem::Method("POST"))
        }
        (Route::Verifications, "GET" | "HEAD") => subscriptions::verifications(site, &call).await,
        (Route::About, "GET" | "HEAD") => about::show(site, &call).await,
        (Route::Settings, "GET" | "HEAD") => about::settings(site, &call),

        (Route::Repositories, _) => Ok(repos::handle(site, call).await),
        (Route::Pleroma, _) => pleroma::handle(site, call).await,
        (Route::Hooks, _) => hooks::handle(site, call).await,
        (Route::Inspector, _) => inspector::handle(site, call).await,
        (Route::Follow(_), _) => Err(Problem::Method("GET")),
        (Route::Inspect(id), _) => inspect::receive(site, call, &id).await,
        (Route::SelfService, "GET" | "HEAD") => subscription::form(site, &call).await,
        (Route::SelfService, "POST") => subscription::post(site, call).await,
        (Route::SelfService, _) => Err(Problem::Method("GET, HEAD, POST")),
        (Route::Replay(id), "GET" | "HEAD") => hooks::replays::show(site, &call, &id).await,
        (Route::Replay(id), "DELETE") => hooks::replays::stop(site, &call, &id).await,
        (Route::Replay(_), _) => Err(Problem::Method("GET, HEAD, DELETE")),
        (Route::Sources, "GET" | "HEAD") => sources::list(site, &call).await,
        (Route::Source(name), "GET" | "HEAD") => sources::show(site, &call, &name).await,
        (Route::Source(name), "PUT") => sources::put(site, call, &name).await,
        (Route::Source(name), "DELETE") => sources::delete(site, &call, &name).await,
        (Route::Source(_), _) => Err(Problem::Method("GET, HEAD, PUT, DELETE")),
        (Route::Tokens, "GET" | "HEAD") => grants::list(site, &call).await,
        (Route::Tokens, "POST") => grants::post(site, call).await,
        (Route::Tokens, _) => Err(Problem::Method("GET, HEAD, POST")),
        (Route::Token(id), "DELETE") => grants::delete(site, &call, &id).await,
        (Route::Token(_), _) => Err(Problem::Method("DELETE")),
        (Route::Session, "GET" | "HEAD") => desk::sign_in::show(site, &call),
        (Route::Session, "POST") => desk::sign_in::post(site, call).await,
        (Route::Session, "DELETE") => Ok(desk::sign_in::delete(site, &call)),
        (Route::Session, _) => Err(Problem::Method("GET, HEAD, POST, DELETE")),
        (Route::Watch, _) => Err(Problem::Method("GET")),
        (Route::History, "GET" | "HEAD") => live::history(site, &call).await,
        (Route::Page, "GET" | "HEAD") => desk::assets::page(&call),
        (Route::PageFile, "GET" | "HEAD") => desk::assets::file(&call),
        (Route::Backups, "POST") => backups::post(site, &call).await,
        (Route::Backups, _) => Err(Problem::Method("POST")),
        (Route::Backup(id), "GET" | "HEAD") => backups::piece(site, &call, &id).await,
        (Route::Backup(id), "DELETE") => backups::delete(site, &call, &id).await,
        (Route::Backup(_), _) => Err(Problem::Method("GET, HEAD, DELETE")),
        (Route::Erasures, "POST") => erasures::post(site, call).await,
        (Route::Erasures, _) => Err(Problem::Method("POST")),
        (Route::Log, "GET" | "HEAD") => log::show(site, &call).await,
        (Route::Log, "PUT") => log::put(site, call).await,
        (Route::Log, _) => Err(Problem::Method("GET, HEAD, PUT")),

        (Route::Event { source, event }, "POST") => {
            events::raise(site, call, &source, &event).await
        }
        (Route::Event { source, event }, "GET" | "HEAD") => {
            events::latest(site, &call, &source, &event).await
        }
        (Route::Event { .. }, _) => Err(Problem::Method("GET, HEAD, POST")),
        (Route::Inbox(source), "POST") => inbox::post(site, call, &source).await,
        (Route::Inbox(_), _) => Err(Problem::Method("POST")),

        (Route::OpenApi, "GET" | "HEAD") => Ok(openapi::show(site)),
        (Route::Live, "GET" | "HEAD") => Ok(health::live()),
        (Route::Ready, "GET" | "HEAD") => Ok(health::ready(site).await),
        (Route::Metrics, "GET" | "HEAD") => Ok(health::metrics(site)),
        (Route::Nowhere, _) => Err(Problem::NotFound(format!(
            "there is nothing here; the hub itself is at {}",
            site.hub.url
        ))),
        (_, _) => Err(Problem::Method("GET, HEAD")),
    }
}

/// The trace that a request is part of, if it is of somebody who is known: others could have all of theirs looked at.
fn traceparent(site: &Site, call: &Call) -> Option<TraceParent> {
    let named = call.headers.get("traceparent")?;
    site.tokens.holder(&call.headers).ok()?;
    TraceParent::parse(named.to_str().ok()?)
}

/// Handles a request on a task of its own, and dresses what came of it.
async fn answer(site: Arc<Site>, tracker: TaskTracker, route: Route, call: Call) -> Reply {
    let (method, path) = (call.method.clone(), call.path.clone());
    let is_for_programs = path.starts_with("/api/")
        || matches!(route, Route::Event { .. } | Route::Inbox(_))
        || matches!(route, Route::SelfService) && subscription::prefers_json(&call.headers);
    let from = traceparent(&site, &call);
    let client = site.admission.customer(&call);
    let door = Arc::clone(&site);
    let handled = tracker
        .spawn(async move { traces::within(from, reply(site, route, call)).await })
        .await
        .unwrap_or(Err(Problem::Crashed));
    let mut answer = match handled {
        Ok(Reply::Whole(answer)) => answer,
        Ok(stream) => return stream,
        Err(problem) => problem.answer(is_for_programs),
    };
    if answer.extensions().get::<TokenRefused>().is_some() {
        door.guesses.note(client);
    }
    tracing::debug!(http.method = %method, http.path = path, http.status = answer.status().as_u16());
    let headers = answer.headers_mut();
    let nosniff = HeaderValue::from_static("nosniff");
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, nosniff);
    if method == Method::HEAD && !answer.body().is_empty() {
        let length = answer.body().len();
        answer
            .headers_mut()
            .insert(header::CONTENT_LENGTH, length.into());
        *answer.body_mut() = Bytes::new();
    }
    Reply::Whole(answer)
}
