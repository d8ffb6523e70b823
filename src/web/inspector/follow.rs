//! `GET /api/v1/inspector/<id>/live`: what arrives at an address, as it does. In: a request. Out: server-sent events, until the address ends,
//! or whoever looks may not any more.

use std::sync::Arc;
use std::time::Duration;

use futures_util::Stream;
use futures_util::stream::{StreamExt as _, iter, unfold};
use warp::http::HeaderMap;
use warp::reply::Response;

use super::super::call::Call;
use super::super::problem::Problem;
use super::super::query::Query;
use super::super::stream::Event;
use super::view::CaughtView;
use super::{Site, admit, found};
use crate::flow::inspector::{Caught, Follower};

/// Where a client goes on that follows an address.
const LAST_EVENT_ID: &str = "last-event-id";
/// How often a reader hears that the hub is still there, at least: proxies close connections on which nothing comes.
const BREATH: Duration = Duration::from_secs(5);

/// Follows an address.
///
/// # Errors
/// 401, 403 and 404 as for the address itself; and [`Problem::TooMany`].
pub async fn open(site: &Arc<Site>, call: &Call, id: &str) -> Result<Response, Problem> {
    let bins = admit(site, &call.headers, id)?;
    let query = Query::read(call.query.as_deref(), &["after"]).await?;
    let number = |text: &str| text.parse().ok();
    let after = query.parsed("after", number, "the number of a request")?;
    let last = call.headers.get(LAST_EVENT_ID);
    let seen = last.and_then(|value| value.to_str().ok()?.parse().ok());
    let follower = found(id, bins.follow(id, seen.or(after).unwrap_or(0)))?;
    let watcher = Watcher {
        site: Arc::clone(site),
        headers: call.headers.clone(),
        id: id.to_owned(),
        follower: Some(follower),
    };
    site.streams.open(call, watcher.events())
}

struct Watcher {
    site: Arc<Site>,
    headers: HeaderMap,
    id: String,
    /// None once the address has ended.
    follower: Option<Follower>,
}

impl Watcher {
    fn events(self) -> impl Stream<Item = Event> {
        // A connection is quiet on which nothing goes out for the time in which a client must have asked something.
        let breath = BREATH.min(self.site.limits.header_timeout / 2);
        let batches = unfold(self, move |mut watcher| async move {
            let follower = watcher.follower.as_mut()?;
            let next = watcher.site.inspector.next(follower);
            let next = tokio::time::timeout(breath, next).await;
            let batch = match next {
                Ok(Some(caught)) => caught.iter().map(|caught| told(caught)).collect(),
                Ok(None) => {
                    watcher.follower = None;
                    vec![Event::default().event("end").data("{}")]
                }
                Err(_) => vec![Event::default().comment("")],
            };
            if watcher.follower.is_some() {
                admit(&watcher.site, &watcher.headers, &watcher.id).ok()?;
            }
            Some((batch, watcher))
        });
        batches.flat_map(iter)
    }
}

fn told(caught: &Caught) -> Event {
    let event = Event::default()
        .event("request")
        .id(caught.number.to_string());
    event
        .json_data(CaughtView::of(caught))
        .unwrap_or_else(|error| {
            tracing::error!(%error, "a request could not be written as JSON");
            Event::default().comment("a request could not be shown")
        })
}
