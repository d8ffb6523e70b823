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
mod erasures;
mod events;
pub mod form;
mod grants;
mod health;
mod hooks;
mod hub;
mod inbox;
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
mod scan;
mod serve;
pub mod settings;
mod sources;
mod tokens;
mod topics;

use std::sync::Arc;

use bytes::Bytes;
use tokio_util::task::TaskTracker;
use warp::Filter;
use warp::filters::BoxedFilter;
use warp::http::{HeaderValue, Method, Response, header};

use self::admission::Admission;
use self::call::Call;
use self::health::Readiness;
use self::problem::Problem;
use self::settings::LimitSettings;
use self::tokens::Keyring;
pub use self::{
    log::Log,
    serve::serve,
    tokens::{TokenDigest, Tokens},
};
use crate::domain::trace::TraceParent;
use crate::domain::value::PublicationId;
use crate::flow::Hub;
use crate::flow::backups::Backups;
use crate::flow::traces;

/// A reply before it goes out.
type Answer = Response<Bytes>;

/// What is served.
pub struct Web {
    /// The hub.
    pub hub: Arc<Hub>,
    /// Its backups.
    pub backups: Arc<Backups>,
    /// Its log.
    pub log: Arc<dyn Log>,
    /// How much of a request is accepted.
    pub limits: LimitSettings,
    /// Who may do what.
    pub tokens: Tokens,
    /// Writes the counters that the process keeps, in Prometheus' text format.
    pub metrics: Arc<dyn Fn() -> String + Send + Sync>,
}

/// What the handlers share.
struct Site {
    hub: Arc<Hub>,
    backups: Arc<Backups>,
    log: Arc<dyn Log>,
    limits: LimitSettings,
    tokens: Keyring,
    metrics: Arc<dyn Fn() -> String + Send + Sync>,
    admission: Admission,
    readiness: Readiness,
}

/// A place of the hub, with the part of the path that names a thing.
#[derive(Debug)]
enum Route {
    Hub,
    Hosted,
    Receipt(String),
    Missing(String),
    Topics,
    Subscriptions,
    Subscription(String),
    Deny(String),
    Hooks,
    Replay(String),
    Repositories,
    Pleroma,
    Sources,
    Source(String),
    Tokens,
    Token(String),
    Backups,
    Backup(String),
    Erasures,
    Log,
    Event { source: String, event: String },
    Inbox(String),
    OpenApi,
    Live,
    Ready,
    Metrics,
    Nowhere,
}

impl Site {
    fn new(web: Web) -> Self {
        Self {
            admission: Admission::new(&web.limits),
            readiness: Readiness::default(),
            tokens: Keyring::new(web.tokens, Arc::clone(&web.hub)),
            hub: web.hub,
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
fn routes(site: Arc<Site>, tracker: TaskTracker) -> BoxedFilter<(Answer,)> {
    route()
        .and(call::call())
        .then(move |route, call| answer(Arc::clone(&site), tracker.clone(), route, call))
        .boxed()
}

/// Finds the place that a path names.
fn route() -> BoxedFilter<(Route,)> {
    let hub = warp::path::end()
        .or(warp::path!("hub"))
        .unify()
        .or(warp::path!("subscribe"))
        .unify()
        .or(warp::path!("api" / "v3" / "hub"))
        .unify()
        .or(warp::path!("publish"))
        .unify();
    one_of([
        hub.map(|| Route::Hub).boxed(),
        warp::path!("topics" / ..).map(|| Route::Hosted).boxed(),
        warp::path!("repos" / ..)
            .or(warp::path!("hooks"))
            .unify()
            .map(|| Route::Repositories)
            .boxed(),
        warp::path!("api" / "v1" / "pleroma" / "admin" / "webhooks" / ..)
            .or(warp::path!("api" / "pleroma" / "admin" / "webhooks" / ..))
            .unify()
            .map(|| Route::Pleroma)
            .boxed(),
        warp::path!("api" / "openapi.json")
            .map(|| Route::OpenApi)
            .boxed(),
        api(),
        warp::path!("livez").map(|| Route::Live).boxed(),
        warp::path!("readyz").map(|| Route::Ready).boxed(),
        warp::path!("metrics").map(|| Route::Metrics).boxed(),
        of_a_source(),
        warp::any().map(|| Route::Nowhere).boxed(),
    ])
}

fn api() -> BoxedFilter<(Route,)> {
    let routes = one_of([
        warp::path!("hooks" / ..).map(|| Route::Hooks).boxed(),
        warp::path!("replays" / String).map(Route::Replay).boxed(),
        warp::path!("receipts" / String).map(Route::Receipt).boxed(),
        warp::path!("receipts" / String / "missing")
            .map(Route::Missing)
            .boxed(),
        warp::path!("topics").map(|| Route::Topics).boxed(),
        warp::path!("subscriptions")
            .map(|| Route::Subscriptions)
            .boxed(),
        warp::path!("subscriptions" / String)
            .map(Route::Subscription)
            .boxed(),
        warp::path!("subscriptions" / String / "deny")
            .map(Route::Deny)
            .boxed(),
        warp::path!("sources").map(|| Route::Sources).boxed(),
        warp::path!("sources" / String).map(Route::Source).boxed(),
        warp::path!("sources" / String / String)
            .map(|owner, name| Route::Source(format!("{owner}/{name}")))
            .boxed(),
        warp::path!("tokens").map(|| Route::Tokens).boxed(),
        warp::path!("tokens" / String).map(Route::Token).boxed(),
        warp::path!("backups").map(|| Route::Backups).boxed(),
        warp::path!("backups" / String).map(Route::Backup).boxed(),
        warp::path!("erasures").map(|| Route::Erasures).boxed(),
        warp::path!("log").map(|| Route::Log).boxed(),
    ]);
    warp::path!("api" / "v1" / ..).and(routes).boxed()
}

/// What belongs to a source, whose name has one segment or two. The hub's own places come before these.
fn of_a_source() -> BoxedFilter<(Route,)> {
    one_of([
        warp::path!(String / "events" / String)
            .map(|source, event| Route::Event { source, event })
            .boxed(),
        warp::path!(String / String / "events" / String)
            .map(|owner: String, name: String, event| Route::Event {
                source: format!("{owner}/{name}"),
                event,
            })
            .boxed(),
        warp::path!(String / "inbox").map(Route::Inbox).boxed(),
        warp::path!(String / String / "inbox")
            .map(|owner: String, name: String| Route::Inbox(format!("{owner}/{name}")))
            .boxed(),
    ])
}

/// The first of these that matches.
fn one_of<const N: usize>(routes: [BoxedFilter<(Route,)>; N]) -> BoxedFilter<(Route,)> {
    let nothing = warp::any()
        .and_then(async || Err::<Route, _>(warp::reject::not_found()))
        .boxed();
    routes
        .into_iter()
        .rev()
        .fold(nothing, |rest, route| route.or(rest).unify().boxed())
}

/// The surface of the hub.
async fn handle(site: &Site, route: Route, call: Call) -> Result<Answer, Problem> {
    if !matches!(route, Route::Live | Route::Ready | Route::Metrics) {
        site.admission.admit(&call)?;
    }
    let method = call.method.clone();
    match (route, method.as_str()) {
        (Route::Hub, "POST") => hub::post(site, call).await,
        (Route::Hub, "GET" | "HEAD") => page::show(site, &call),
        (Route::Hub, _) => Err(Problem::Method("GET, HEAD, POST")),

        (Route::Hosted, "PUT") => topics::put(site, call).await,
        (Route::Hosted, "GET" | "HEAD") => topics::get(site, &call).await,
        (Route::Hosted, "DELETE") => topics::delete(site, &call).await,
        (Route::Hosted, _) => Err(Problem::Method("GET, HEAD, PUT, DELETE")),

        (Route::Receipt(id), "GET" | "HEAD") => receipts::show(site, &id).await,
        (Route::Missing(id), "GET" | "HEAD") => receipts::missing(site, &call, &id).await,
        (Route::Topics, "GET" | "HEAD") => api::topics(site, &call).await,
        (Route::Subscriptions, "GET" | "HEAD") => api::subscriptions(site, &call).await,
        (Route::Subscription(id), "GET" | "HEAD") => api::subscription(site, &call, &id).await,
        (Route::Subscription(id), "DELETE") => api::end(site, &call, &id).await,
        (Route::Subscription(_), _) => Err(Problem::Method("GET, HEAD, DELETE")),
        (Route::Deny(id), "POST") => api::deny(site, call, &id).await,
        (Route::Deny(_), _) => Err(Problem::Method("POST")),

        (Route::Repositories, _) => Ok(repos::handle(site, call).await),
        (Route::Pleroma, _) => pleroma::handle(site, call).await,
        (Route::Hooks, _) => hooks::handle(site, call).await,
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
async fn answer(site: Arc<Site>, tracker: TaskTracker, route: Route, call: Call) -> Answer {
    let (method, path) = (call.method.clone(), call.path.clone());
    let is_for_programs =
        path.starts_with("/api/") || matches!(route, Route::Event { .. } | Route::Inbox(_));
    let from = traceparent(&site, &call);
    let handled = tracker
        .spawn(async move { traces::within(from, handle(&site, route, call)).await })
        .await
        .unwrap_or(Err(Problem::Crashed));
    let mut answer = handled.unwrap_or_else(|problem| problem.answer(is_for_programs));
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
    answer
}
