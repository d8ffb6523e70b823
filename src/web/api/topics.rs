//! The administrator's view of topics: page by page, one by one, what one says now; and a ping by hand.

use serde::Serialize;
use warp::http::StatusCode;

use super::Search;
use crate::domain::topic::Topic;
use crate::domain::value::{PublicationId, Timestamp, TopicId, TopicUrl};
use crate::flow::byhand::{Place, Said};
use crate::store::StoreError;
use crate::web::call::Call;
use crate::web::problem::{Problem, json_answer, shown};
use crate::web::query::{Page, Query};
use crate::web::scan::scan;
use crate::web::tokens::Role;
use crate::web::{Answer, Site};

/// How much of a topic's content is shown, in bytes.
const SHOWN_BYTES: usize = 16 * 1024;
/// Subscriptions of a topic that are looked at to tell when they began.
const LOOKED_AT: usize = 5_000;
/// The steps in which that is told.
const POINTS: u32 = 60;

/// `GET /api/v1/topics`.
pub async fn list(site: &Site, call: &Call) -> Result<Answer, Problem> {
    site.tokens.require(Role::Admin, &call.headers)?;
    let query = Query::read(call.query.as_deref(), &["search", "after", "limit"]).await?;
    let search = Search::of(query.text("search"));
    let after = query.parsed("after", topic_id, "the next of a page")?;
    let page = scan(
        after,
        query.limit()?,
        |after, limit| site.hub.store.topics(after, limit),
        Topic::id,
        |topic| search.finds(&[topic.url.as_str()]),
    )
    .await?;
    let mut items = Vec::with_capacity(page.items.len());
    for topic in page.items {
        items.push(view_topic(site, topic).await?);
    }
    Ok(json_answer(
        StatusCode::OK,
        &Page {
            items,
            next: page.next,
        },
    ))
}

/// `GET /api/v1/topics/<id>`.
pub async fn show(site: &Site, call: &Call, id: &str) -> Result<Answer, Problem> {
    site.tokens.require(Role::Admin, &call.headers)?;
    let topic = find(site, id).await?;
    Ok(json_answer(StatusCode::OK, &view_topic(site, topic).await?))
}

/// `GET /api/v1/topics/<id>/content`: the beginning of what it says now, fetched if need be.
pub async fn content(site: &Site, call: &Call, id: &str) -> Result<Answer, Problem> {
    site.tokens.require(Role::Admin, &call.headers)?;
    let topic = find(site, id).await?;
    match site.hub.say(&topic.url).await? {
        Ok(said) => Ok(json_answer(StatusCode::OK, &ContentView::of(&said))),
        Err(reason) => Err(Problem::Conflict(format!(
            "the topic's content cannot be shown: {reason}"
        ))),
    }
}

/// `POST /api/v1/topics/<id>/ping`: has it fetched now, as if its publisher had pinged.
pub async fn ping(site: &Site, call: &Call, id: &str) -> Result<Answer, Problem> {
    site.tokens.require(Role::Admin, &call.headers)?;
    let topic = find(site, id).await?;
    let receipt = site.hub.ping(vec![topic.url]).await?;
    let view = PingedView {
        receipt,
        url: site.receipt_url(receipt),
    };
    Ok(json_answer(StatusCode::ACCEPTED, &view))
}

/// `GET /api/v1/topics/<id>/subscribers`: those that it has now, by when they began. Of many only some are looked at, who stand for all: their
/// keys are digests, so the first of them are as good as any.
pub async fn subscribers(site: &Site, call: &Call, id: &str) -> Result<Answer, Problem> {
    site.tokens.require(Role::Admin, &call.headers)?;
    let topic = find(site, id).await?.id();
    let store = &site.hub.store;
    let total = store.subscribers(topic).await?;
    let some = store.subscriptions_to(topic, None, LOOKED_AT).await?;
    let mut since: Vec<Timestamp> = some.iter().map(|it| it.subscription.active_since).collect();
    since.sort_unstable();
    let view = GrowthView {
        total,
        looked_at: since.len(),
        points: growth(&since, site.hub.clock.now(), total),
    };
    Ok(json_answer(StatusCode::OK, &view))
}

/// How many of `total` had begun at each of so many times, the last of which is now, as far as the times at which some of them began tell.
fn growth(since: &[Timestamp], now: Timestamp, total: u64) -> Vec<PointView> {
    let Some(first) = since.first() else {
        return Vec::new();
    };
    let span = now.since(*first);
    let point = |step: u32| {
        let at = first.plus(span * step / POINTS);
        let begun = since.partition_point(|it| *it <= at) as u64;
        PointView {
            at: at.to_string(),
            subscribers: (u128::from(begun) * u128::from(total) / since.len() as u128) as u64,
        }
    };
    (0..=POINTS).map(point).collect()
}

async fn find(site: &Site, id: &str) -> Result<Topic, Problem> {
    let topic = match topic_id(id) {
        Some(id) => site.hub.store.topic(id).await?,
        None => None,
    };
    topic.ok_or_else(|| {
        Problem::NotFound(format!(
            "there is no topic {:?}; /api/v1/topics lists those that there are, by \"id\"",
            shown(id)
        ))
    })
}

fn topic_id(text: &str) -> Option<TopicId> {
    Some(TopicId(hex::decode(text).ok()?.try_into().ok()?))
}

/// A topic as the API shows it.
#[derive(Serialize)]
struct TopicView {
    id: String,
    url: TopicUrl,
    subscribers: u64,
    alias_of: Option<TopicUrl>,
    aliases: Vec<TopicUrl>,
    #[serde(rename = "self")]
    self_url: Option<String>,
    hubs: Vec<String>,
    last_publication: Option<PublicationId>,
    last_fetch: Option<FetchView>,
    next_fetch_at: Option<String>,
}

#[derive(Serialize)]
struct FetchView {
    at: String,
    outcome: String,
}

async fn view_topic(site: &Site, topic: Topic) -> Result<TopicView, StoreError> {
    let id = topic.id();
    Ok(TopicView {
        id: id.to_string(),
        next_fetch_at: site.hub.next_fetch(&topic).map(|due| due.to_string()),
        subscribers: site.hub.store.subscribers(id).await?,
        url: topic.url,
        alias_of: topic.alias_of,
        aliases: topic.aliases,
        self_url: topic.self_url,
        hubs: topic.hubs,
        last_publication: topic.last_publication,
        last_fetch: topic.last_fetch.map(|fetch| FetchView {
            at: fetch.at.to_string(),
            outcome: fetch.outcome,
        }),
    })
}

/// What a topic says now.
#[derive(Serialize)]
struct ContentView {
    place: &'static str,
    content_type: String,
    since: Option<String>,
    size: usize,
    text: String,
    whole: bool,
}

/// When the subscribers of a topic began.
#[derive(Serialize)]
struct GrowthView {
    total: u64,
    looked_at: usize,
    points: Vec<PointView>,
}

/// How many had begun at a time.
#[derive(Serialize)]
struct PointView {
    at: String,
    subscribers: u64,
}

/// A ping was taken.
#[derive(Serialize)]
struct PingedView {
    receipt: PublicationId,
    url: String,
}

impl ContentView {
    fn of(said: &Said) -> Self {
        let beginning = &said.body[..said.body.len().min(SHOWN_BYTES)];
        Self {
            place: match said.place {
                Place::Hosted => "hosted",
                Place::Event => "event",
                Place::Fetched => "fetched",
            },
            content_type: said.content_type.clone(),
            since: said.since.map(|at| at.to_string()),
            size: said.body.len(),
            text: String::from_utf8_lossy(beginning).into_owned(),
            whole: beginning.len() == said.body.len(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_stand_for_all() {
        let minutes =
            |times: &[u64]| -> Vec<_> { times.iter().map(|it| Timestamp(it * 60_000)).collect() };
        let now = Timestamp(60 * 60_000);
        let told = growth(&minutes(&[0, 30, 30, 45]), now, 400);
        let at = |minute: usize| told[minute].subscribers;
        assert_eq!(told.len(), 61);
        assert_eq!(
            [at(0), at(29), at(30), at(44), at(45), at(60)],
            [100, 100, 300, 300, 400, 400]
        );
        assert_eq!(told[60].at, now.to_string());
        assert!(growth(&[], now, 0).is_empty());
        let all_at_once = growth(&[now], now, 1);
        assert!(all_at_once.iter().all(|it| it.subscribers == 1));
    }
}
