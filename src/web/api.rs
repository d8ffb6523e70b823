//! The administrator's view: topics and subscriptions, page by page, and how to end a subscription.

use serde::{Deserialize, Serialize};
use warp::http::StatusCode;

use super::call::Call;
use super::problem::{Problem, empty_answer, json_answer, shown};
use super::query::{Page, Query};
use super::request::read_topic;
use super::scan::scan;
use super::tokens::Role;
use super::{Answer, Site};
use crate::domain::subscription::Subscription;
use crate::domain::topic::Topic;
use crate::domain::value::{CallbackUrl, PublicationId, TargetId, TopicId, TopicUrl};
use crate::store::{StoreError, Subscriber};

/// The largest body of a request here, in bytes.
const BODY_MAX_BYTES: usize = 16 * 1024;
/// The longest reason, in bytes: it goes into a URL.
const REASON_MAX_BYTES: usize = 500;
/// The reason where the administrator gives none.
const NO_REASON: &str = "the administrator of the hub has ended this subscription";
/// The most publications in a backlog that are counted.
const BACKLOG_COUNTED: usize = 1_000;

/// `GET /api/v1/topics`.
pub async fn topics(site: &Site, call: &Call) -> Result<Answer, Problem> {
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

/// `GET /api/v1/subscriptions`.
pub async fn subscriptions(site: &Site, call: &Call) -> Result<Answer, Problem> {
    site.tokens.require(Role::Admin, &call.headers)?;
    let known = ["search", "topic", "callback_host", "after", "limit"];
    let query = Query::read(call.query.as_deref(), &known).await?;
    let search = Search::of(query.text("search"));
    let host = query.text("callback_host").map(str::to_ascii_lowercase);
    let topic = query
        .text("topic")
        .map(|url| read_topic("topic", url, &site.limits))
        .transpose()?;
    let topic = topic.map(|url| url.id());
    let after = query.parsed("after", TargetId::parse, "the next of a page")?;
    let page = scan(
        after,
        query.limit()?,
        |after, limit| subscribers(site, topic, after, limit),
        |subscriber| subscriber.id,
        |subscriber| {
            let Subscription {
                topic, callback, ..
            } = &subscriber.subscription;
            let at_host = host.as_deref().is_none_or(|host| host == callback.host());
            at_host && search.finds(&[topic.as_str(), callback.as_str()])
        },
    )
    .await?;
    let mut items = Vec::with_capacity(page.items.len());
    for Subscriber { id, subscription } in page.items {
        items.push(view_subscription(site, id, subscription).await?);
    }
    Ok(json_answer(
        StatusCode::OK,
        &Page {
            items,
            next: page.next,
        },
    ))
}

/// `GET /api/v1/subscriptions/<id>`.
pub async fn subscription(site: &Site, call: &Call, id: &str) -> Result<Answer, Problem> {
    site.tokens.require(Role::Admin, &call.headers)?;
    let target = target_id(id)?;
    let subscription = site.hub.store.subscription(target).await?;
    let subscription = subscription.ok_or_else(|| unknown(id))?;
    Ok(json_answer(
        StatusCode::OK,
        &view_subscription(site, target, subscription).await?,
    ))
}

/// `DELETE /api/v1/subscriptions/<id>`: ends it without a word to the callback.
pub async fn end(site: &Site, call: &Call, id: &str) -> Result<Answer, Problem> {
    site.tokens.require(Role::Admin, &call.headers)?;
    match site.hub.end(target_id(id)?).await? {
        true => Ok(empty_answer(StatusCode::NO_CONTENT)),
        false => Err(unknown(id)),
    }
}

/// `POST /api/v1/subscriptions/<id>/deny`: ends it and tells the callback why (HUB-24, HUB-25). An empty body is a denial
/// without a reason of its own.
pub async fn deny(site: &Site, mut call: Call, id: &str) -> Result<Answer, Problem> {
    site.tokens.require(Role::Admin, &call.headers)?;
    let target = target_id(id)?;
    let body = call.read_body(BODY_MAX_BYTES, &site.limits).await?;
    let denial: Denial = match body.trim_ascii() {
        b"" => Denial::default(),
        body => serde_json::from_slice(body).map_err(|error| {
            Problem::Invalid(format!("the body is not {{\"reason\": \"...\"}}: {error}"))
        })?,
    };
    let reason = denial.reason.as_deref().unwrap_or(NO_REASON);
    let length = reason.len();
    if !(1..=REASON_MAX_BYTES).contains(&length) {
        return Err(Problem::Invalid(format!(
            "reason is {length} bytes long; write 1 to {REASON_MAX_BYTES}, or leave it out"
        )));
    }
    let ended = site.hub.deny(target, reason).await?;
    let ended = ended.ok_or_else(|| unknown(id))?;
    let denied = DeniedView {
        id: target.to_string(),
        topic: ended.topic,
        callback: ended.callback,
        state: "denied",
        reason,
    };
    Ok(json_answer(StatusCode::ACCEPTED, &denied))
}

/// The body of a denial.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Denial {
    reason: Option<String>,
}

/// What a denial has done: the subscription has ended, and its callback will be told why.
#[derive(Serialize)]
struct DeniedView<'a> {
    id: String,
    topic: TopicUrl,
    callback: CallbackUrl,
    state: &'static str,
    reason: &'a str,
}

/// What to look for, whatever its case; nothing finds everything.
struct Search(String);

impl Search {
    fn of(text: Option<&str>) -> Self {
        Self(text.unwrap_or_default().to_lowercase())
    }

    fn finds(&self, texts: &[&str]) -> bool {
        self.0.is_empty()
            || texts
                .iter()
                .any(|text| text.to_lowercase().contains(&self.0))
    }
}

/// Subscriptions of one topic, or of all.
async fn subscribers(
    site: &Site,
    topic: Option<TopicId>,
    after: Option<TargetId>,
    limit: usize,
) -> Result<Vec<Subscriber>, StoreError> {
    match topic {
        None => site.hub.store.subscriptions(after, limit).await,
        Some(topic) => {
            let after = after
                .filter(|after| after.topic == topic)
                .map(|after| after.callback);
            site.hub.store.subscriptions_to(topic, after, limit).await
        }
    }
}

fn topic_id(text: &str) -> Option<TopicId> {
    Some(TopicId(hex::decode(text).ok()?.try_into().ok()?))
}

fn target_id(id: &str) -> Result<TargetId, Problem> {
    TargetId::parse(id).ok_or_else(|| {
        Problem::NotFound(format!(
            "{:?} is not the id of a subscription; that is 64 hexadecimal digits, the \"id\" of an item of \
             /api/v1/subscriptions",
            shown(id)
        ))
    })
}

fn unknown(id: &str) -> Problem {
    Problem::NotFound(format!(
        "there is no subscription {:?}, or no longer; /api/v1/subscriptions lists those that there are",
        shown(id)
    ))
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

/// A subscription as the API shows it: whether there is a secret, never which.
#[derive(Serialize)]
struct SubscriptionView {
    id: String,
    topic: TopicUrl,
    callback: CallbackUrl,
    secret: bool,
    signature: Option<&'static str>,
    active_since: String,
    verified_at: String,
    expires_at: String,
    from: Option<String>,
    in_backlog: usize,
}

async fn view_subscription(
    site: &Site,
    id: TargetId,
    subscription: Subscription,
) -> Result<SubscriptionView, StoreError> {
    Ok(SubscriptionView {
        id: id.to_string(),
        in_backlog: site.hub.store.waiting(id, BACKLOG_COUNTED).await?.len(),
        secret: subscription.secret.is_some(),
        signature: subscription.method.map(|method| method.name()),
        active_since: subscription.active_since.to_string(),
        verified_at: subscription.verified_at.to_string(),
        expires_at: subscription.expires_at.to_string(),
        from: subscription.from,
        topic: subscription.topic,
        callback: subscription.callback,
    })
}
