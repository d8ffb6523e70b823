//! The administrator's view of subscriptions: page by page, one with what it has not got, and what can be done with it.

use serde::{Deserialize, Serialize};
use uuid::Uuid;
use warp::http::StatusCode;

use super::Search;
use crate::domain::attempt::Attempt;
use crate::domain::job::{Job, JobId};
use crate::domain::subscription::Subscription;
use crate::domain::value::{CallbackUrl, PublicationId, TargetId, Timestamp, TopicId, TopicUrl};
use crate::flow::byhand::Behind;
use crate::flow::subscribe::Accepted;
use crate::store::{StoreError, Subscriber, Waiting};
use crate::web::call::Call;
use crate::web::problem::{Problem, empty_answer, json_answer, shown};
use crate::web::query::{Page, Query};
use crate::web::receipts::AttemptView;
use crate::web::request::read_topic;
use crate::web::scan::scan;
use crate::web::tokens::Role;
use crate::web::{Answer, Site};

/// The largest body of a request here, in bytes.
const BODY_MAX_BYTES: usize = 16 * 1024;
/// The longest reason, in bytes: it goes into a URL.
const REASON_MAX_BYTES: usize = 500;
/// The reason where the administrator gives none.
const NO_REASON: &str = "the administrator of the hub has ended this subscription";
/// Jobs that are looked at in one go.
const JOBS: usize = 1_000;

/// `GET /api/v1/subscriptions`.
pub async fn list(site: &Site, call: &Call) -> Result<Answer, Problem> {
    site.tokens.require(Role::Admin, &call.headers)?;
    let known = [
        "search",
        "topic",
        "callback_host",
        "state",
        "after",
        "limit",
    ];
    let query = Query::read(call.query.as_deref(), &known).await?;
    let search = Search::of(query.text("search"));
    let host = query.text("callback_host").map(str::to_ascii_lowercase);
    let topic = query
        .text("topic")
        .map(|url| read_topic("topic", url, &site.limits))
        .transpose()?;
    let topic = topic.map(|url| url.id());
    let is_known = |text: &str| (text == "behind").then_some(());
    let is_behind = query.parsed("state", is_known, "behind")?.is_some();
    let after = query.parsed("after", TargetId::parse, "the next of a page")?;
    let page = scan(
        after,
        query.limit()?,
        async |after, limit| match is_behind {
            false => subscribers(site, topic, after, limit).await,
            true => behind(site, after, limit).await,
        },
        |subscriber| subscriber.id,
        |subscriber| {
            let is_asked_for = topic.is_none_or(|topic| topic == subscriber.id.topic);
            let Subscription {
                topic, callback, ..
            } = &subscriber.subscription;
            let at_host = host.as_deref().is_none_or(|host| host == callback.host());
            is_asked_for && at_host && search.finds(&[topic.as_str(), callback.as_str()])
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
pub async fn show(site: &Site, call: &Call, id: &str) -> Result<Answer, Problem> {
    site.tokens.require(Role::Admin, &call.headers)?;
    let found = find(site, id).await?;
    let view = view_subscription(site, found.id, found.subscription).await?;
    Ok(json_answer(StatusCode::OK, &view))
}

/// `GET /api/v1/subscriptions/<id>/backlog`: what it has not got, what became of the attempts, and when the next one is.
pub async fn backlog(site: &Site, call: &Call, id: &str) -> Result<Answer, Problem> {
    site.tokens.require(Role::Admin, &call.headers)?;
    let found = find(site, id).await?;
    let view = BacklogView::of(site.hub.behind(&found).await?);
    Ok(json_answer(StatusCode::OK, &view))
}

/// `POST /api/v1/subscriptions/<id>/verify`: asks the callback whether it still wants it. If so, the lease begins anew.
pub async fn verify(site: &Site, call: &Call, id: &str) -> Result<Answer, Problem> {
    site.tokens.require(Role::Admin, &call.headers)?;
    match site.hub.verify_again(target_id(id)?).await? {
        None => Err(unknown(id)),
        Some(Accepted::Later | Accepted::NotYet) => Ok(empty_answer(StatusCode::ACCEPTED)),
        Some(Accepted::Verified) => {
            let found = find(site, id).await?;
            let view = view_subscription(site, found.id, found.subscription).await?;
            Ok(json_answer(StatusCode::OK, &view))
        }
    }
}

/// `POST /api/v1/subscriptions/<id>/try`: what waits for it is tried at once.
pub async fn try_now(site: &Site, call: &Call, id: &str) -> Result<Answer, Problem> {
    site.tokens.require(Role::Admin, &call.headers)?;
    let found = find(site, id).await?;
    match site.hub.try_now(found.id).await? {
        true => Ok(empty_answer(StatusCode::ACCEPTED)),
        false => Err(Problem::Conflict(
            "nothing waits for this subscription: it has got everything so far".into(),
        )),
    }
}

/// `GET /api/v1/verifications`: requests of subscribers whose callbacks have not said yet whether they meant them.
pub async fn verifications(site: &Site, call: &Call) -> Result<Answer, Problem> {
    site.tokens.require(Role::Admin, &call.headers)?;
    let query = Query::read(call.query.as_deref(), &["after", "limit"]).await?;
    let after = query.parsed(
        "after",
        |text| Uuid::parse_str(text).ok(),
        "the next of a page",
    )?;
    let limit = query.limit()?;
    // They are the first of the jobs.
    let jobs = site
        .hub
        .store
        .jobs(after.map(JobId::Verify), limit + 1)
        .await?;
    let intents = jobs.into_iter().map_while(|job| match job {
        Job::Verify(verify) => Some(VerificationView {
            id: verify.intent.id,
            mode: verify.intent.mode.name(),
            topic: verify.intent.topic,
            callback: verify.intent.callback,
            requested_at: verify.intent.requested_at.to_string(),
            unanswered: verify.failures,
            next_attempt_at: verify.due.to_string(),
            renewal: verify.intent.refresh,
        }),
        _ => None,
    });
    let page = Page::of(intents.collect(), limit, |last: &VerificationView| {
        last.id.to_string()
    });
    Ok(json_answer(StatusCode::OK, &page))
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

/// Subscriptions for which something waits: their jobs lead to them, so that nobody else is looked at.
async fn behind(
    site: &Site,
    after: Option<TargetId>,
    limit: usize,
) -> Result<Vec<Subscriber>, StoreError> {
    let store = &site.hub.store;
    // Backlogs are the last of the jobs.
    let last_fanout = JobId::Fanout(PublicationId::bound(Timestamp(u64::MAX)));
    let mut after = after.map_or(last_fanout, JobId::Backlog);
    let mut found = Vec::new();
    loop {
        let page = store
            .jobs(Some(after), JOBS.min(limit - found.len()))
            .await?;
        let Some(last) = page.last() else {
            return Ok(found);
        };
        after = last.id();
        for job in &page {
            let JobId::Backlog(id) = job.id() else {
                continue;
            };
            let subscription = store.subscription(id).await?;
            found.extend(subscription.map(|subscription| Subscriber { id, subscription }));
        }
        if found.len() == limit {
            return Ok(found);
        }
    }
}

async fn find(site: &Site, id: &str) -> Result<Subscriber, Problem> {
    let target = target_id(id)?;
    let subscription = site.hub.store.subscription(target).await?;
    let subscription = subscription.ok_or_else(|| unknown(id))?;
    Ok(Subscriber {
        id: target,
        subscription,
    })
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
    in_backlog: u64,
}

async fn view_subscription(
    site: &Site,
    id: TargetId,
    subscription: Subscription,
) -> Result<SubscriptionView, StoreError> {
    Ok(SubscriptionView {
        id: id.to_string(),
        in_backlog: match site.hub.store.job(JobId::Backlog(id)).await? {
            Some(Job::Backlog(backlog)) => backlog.entries,
            _ => 0,
        },
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

/// What a subscription has not got.
#[derive(Serialize)]
struct BacklogView {
    entries: u64,
    bytes: u64,
    failures: u32,
    next_attempt_at: Option<String>,
    paused_until: Option<String>,
    waiting: Vec<WaitingView>,
    attempts: Vec<AttemptView>,
}

/// A publication that waits.
#[derive(Serialize)]
struct WaitingView {
    publication: PublicationId,
    accepted_at: String,
    size: u64,
    last_attempt: Option<AttemptView>,
}

/// A request whose callback has not said yet whether it meant it.
#[derive(Serialize)]
struct VerificationView {
    id: Uuid,
    mode: &'static str,
    topic: TopicUrl,
    callback: CallbackUrl,
    requested_at: String,
    unanswered: u32,
    next_attempt_at: String,
    renewal: bool,
}

impl BacklogView {
    fn of(behind: Behind) -> Self {
        let waiting = |(entry, last): (Waiting, Option<Attempt>)| WaitingView {
            publication: entry.publication,
            accepted_at: entry.accepted_at.to_string(),
            size: entry.size,
            last_attempt: last.map(AttemptView::from),
        };
        let job = behind.job.as_ref();
        Self {
            entries: job.map_or(0, |job| job.entries),
            bytes: job.map_or(0, |job| job.bytes),
            failures: job.map_or(0, |job| job.failures),
            next_attempt_at: job.map(|job| job.due.to_string()),
            paused_until: behind.paused_until.map(|at| at.to_string()),
            waiting: behind.waiting.into_iter().map(waiting).collect(),
            attempts: behind.attempts.into_iter().map(AttemptView::from).collect(),
        }
    }
}
