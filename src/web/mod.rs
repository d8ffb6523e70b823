//! HTTP in: requests of subscribers, publishers, operators and visitors come in, replies go out. The only module that
//! knows warp.
//!
//! [`handle`] is the whole surface in one table. A handler gives back a reply or a [`Problem`]; what becomes of a problem
//! stands in `problem`.
//!
//! Invariants:
//!
//! 1. A request that was begun is handled to its end, even if the client leaves: what became durable must be scheduled.
//! 2. No body is read beyond its cap, and no client is waited for without a deadline.

mod admission;
mod call;
pub mod form;
mod health;
mod hub;
mod page;
mod problem;
mod push;
mod request;
mod serve;
pub mod settings;
mod tokens;

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
pub use self::{
    serve::serve,
    tokens::{TokenDigest, Tokens},
};
use crate::domain::value::PublicationId;
use crate::flow::Hub;

/// A reply before it goes out.
type Answer = Response<Bytes>;

/// What is served.
pub struct Web {
    /// The hub.
    pub hub: Arc<Hub>,
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
    limits: LimitSettings,
    tokens: Tokens,
    metrics: Arc<dyn Fn() -> String + Send + Sync>,
    admission: Admission,
    readiness: Readiness,
}

/// A place of the hub, with the part of the path that names a thing.
#[derive(Debug)]
enum Route {
    Hub,
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
            hub: web.hub,
            limits: web.limits,
            tokens: web.tokens,
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
        .or(warp::path!("publish"))
        .unify()
        .map(|| Route::Hub);
    let health = warp::path!("livez")
        .map(|| Route::Live)
        .or(warp::path!("readyz").map(|| Route::Ready))
        .unify()
        .or(warp::path!("metrics").map(|| Route::Metrics))
        .unify();
    hub.or(health)
        .unify()
        .or(warp::any().map(|| Route::Nowhere))
        .unify()
        .boxed()
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

        (Route::Live, "GET" | "HEAD") => Ok(health::live()),
        (Route::Ready, "GET" | "HEAD") => Ok(health::ready(site).await),
        (Route::Metrics, "GET" | "HEAD") => Ok(health::metrics(site)),
        (Route::Live | Route::Ready | Route::Metrics, _) => Err(Problem::Method("GET, HEAD")),

        (Route::Nowhere, _) => Err(Problem::NotFound(format!(
            "there is nothing here; the hub itself is at {}",
            site.hub.url
        ))),
    }
}

/// Handles a request on a task of its own, and dresses what came of it.
async fn answer(site: Arc<Site>, tracker: TaskTracker, route: Route, call: Call) -> Answer {
    let head = call.method == Method::HEAD;
    let as_json = call.path.starts_with("/api/");
    let handled = tracker
        .spawn(async move { handle(&site, route, call).await })
        .await
        .unwrap_or(Err(Problem::Crashed));
    let mut answer = handled.unwrap_or_else(|problem| problem.answer(as_json));
    let headers = answer.headers_mut();
    let nosniff = HeaderValue::from_static("nosniff");
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, nosniff);
    if head {
        let length = answer.body().len();
        answer
            .headers_mut()
            .insert(header::CONTENT_LENGTH, length.into());
        *answer.body_mut() = Bytes::new();
    }
    answer
}
