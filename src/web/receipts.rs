//! What became of a publication, for everyone who knows its id; and who has not got it, for those who publish.

use serde::Serialize;
use warp::http::StatusCode;

use super::call::Call;
use super::problem::{Problem, json_answer, shown};
use super::query::{Page, Query};
use super::request::read_topic;
use super::scan::scan;
use super::tokens::Role;
use super::{Answer, Site};
use crate::domain::attempt::{Attempt, Failure, Outcome};
use crate::domain::hook::HookId;
use crate::domain::receipt::{Bundle, Missing, MissingState, Receipt, Stage};
use crate::domain::value::{PublicationId, TargetId, Timestamp, TopicUrl};

/// `GET /api/v1/receipts/<id>`.
pub async fn show(site: &Site, id: &str) -> Result<Answer, Problem> {
    let id = parse(id)?;
    if let Some(receipt) = site.hub.receipt(id).await? {
        return Ok(json_answer(StatusCode::OK, &view(site, receipt)));
    }
    let bundle = site
        .hub
        .store
        .bundle(id)
        .await?
        .ok_or_else(|| unknown(id))?;
    Ok(json_answer(
        StatusCode::OK,
        &view_bundle(site, bundle).await?,
    ))
}

/// `GET /api/v1/receipts/<id>/missing`.
pub async fn missing(site: &Site, call: &Call, id: &str) -> Result<Answer, Problem> {
    site.tokens.require(Role::Publisher, &call.headers)?;
    let id = parse(id)?;
    let query = Query::read(call.query.as_deref(), &["after", "limit"]).await?;
    let after = query.parsed("after", TargetId::parse, "the next of a page")?;
    let limit = query.limit()?;
    if site.hub.receipt(id).await?.is_none() {
        return Err(unknown(id));
    }
    let rows = site.hub.store.missing(id, after, limit + 1).await?;
    let page = Page::of(rows, limit, |last| last.target.to_string());
    Ok(json_answer(StatusCode::OK, &page.map(MissingView::from)))
}

/// `GET /api/v1/receipts`: those of the last publications, newest first.
pub async fn list(site: &Site, call: &Call) -> Result<Answer, Problem> {
    site.tokens.require(Role::Admin, &call.headers)?;
    let known = ["topic", "state", "before", "limit"];
    let query = Query::read(call.query.as_deref(), &known).await?;
    let topic = query.text("topic");
    let topic = topic.map(|url| read_topic("topic", url, &site.limits));
    let topic = topic.transpose()?.map(|url| url.id());
    let state = |text: &str| Receipt::STATES.into_iter().find(|state| *state == text);
    let wanted = Receipt::STATES.join(", ");
    let state = query.parsed("state", state, &format!("one of {wanted}"))?;
    let before = query.parsed("before", PublicationId::parse, "the next of a page")?;
    let page = scan(
        before,
        query.limit()?,
        |before, limit| site.hub.store.receipts_before(before, limit),
        |receipt| receipt.id,
        |receipt| {
            let is_of_topic = topic.is_none_or(|topic| topic == receipt.topic.id());
            is_of_topic && state.is_none_or(|state| state == receipt.state())
        },
    )
    .await?;
    let page = page.map(|receipt| view(site, receipt));
    Ok(json_answer(StatusCode::OK, &page))
}

fn parse(id: &str) -> Result<PublicationId, Problem> {
    PublicationId::parse(id).ok_or_else(|| {
        Problem::NotFound(format!(
            "{:?} is not the id of a receipt; the answer to each publication names its own in Location",
            shown(id)
        ))
    })
}

fn unknown(id: PublicationId) -> Problem {
    Problem::NotFound(format!(
        "there is no receipt {id}; receipts are kept for a while only"
    ))
}

/// A receipt as the API shows it.
#[derive(Serialize)]
pub struct ReceiptView {
    id: PublicationId,
    topic: TopicUrl,
    state: &'static str,
    accepted_at: String,
    targets: u64,
    delivered: u64,
    in_backlog: u64,
    given_up: u64,
    gone: u64,
    first_delivery: Option<String>,
    last_delivery: Option<String>,
    reason: Option<String>,
    missing: String,
}

pub fn view(site: &Site, receipt: Receipt) -> ReceiptView {
    let time = |at: Option<Timestamp>| at.map(|at| at.to_string());
    ReceiptView {
        state: receipt.state(),
        missing: format!("{}/missing", site.receipt_url(receipt.id)),
        id: receipt.id,
        topic: receipt.topic,
        accepted_at: receipt.accepted_at.to_string(),
        targets: receipt.tally.targets,
        delivered: receipt.tally.delivered,
        in_backlog: receipt.tally.backlog,
        given_up: receipt.tally.given_up,
        gone: receipt.tally.gone,
        first_delivery: time(receipt.tally.first_delivery),
        last_delivery: time(receipt.tally.last_delivery),
        reason: match receipt.stage {
            Stage::Fetching { last_failure } => last_failure,
            Stage::Failed { reason } => Some(reason),
            Stage::Unchanged | Stage::Unheard | Stage::Delivering | Stage::Visited => None,
        },
    }
}

/// The receipts of a ping of several topics.
#[derive(Serialize)]
struct BundleView {
    id: PublicationId,
    state: &'static str,
    accepted_at: String,
    receipts: Vec<PartView>,
}

/// What became of one topic of a ping.
#[derive(Serialize)]
#[serde(untagged)]
enum PartView {
    Heard(Box<ReceiptView>),
    Unheard {
        topic: TopicUrl,
        state: &'static str,
    },
}

async fn view_bundle(site: &Site, bundle: Bundle) -> Result<BundleView, Problem> {
    let mut receipts = Vec::with_capacity(bundle.receipts.len() + bundle.unheard.len());
    let mut ended = true;
    for id in bundle.receipts {
        // One that has been pruned ended long ago.
        if let Some(receipt) = site.hub.receipt(id).await? {
            ended &= !matches!(receipt.state(), "fetching" | "delivering" | "retrying");
            receipts.push(PartView::Heard(Box::new(view(site, receipt))));
        }
    }
    receipts.extend(bundle.unheard.into_iter().map(|topic| PartView::Unheard {
        topic,
        state: "unheard",
    }));
    Ok(BundleView {
        id: bundle.id,
        state: if ended { "complete" } else { "delivering" },
        accepted_at: bundle.accepted_at.to_string(),
        receipts,
    })
}

/// A target that has not got a publication. Of a hook only the origin is shown: its URL may let somebody in, and publishers need
/// not manage hooks.
#[derive(Serialize)]
struct MissingView {
    target: String,
    hook: Option<HookId>,
    callback: String,
    state: MissingState,
    last_attempt: Option<AttemptView>,
}

impl From<Missing> for MissingView {
    fn from(missing: Missing) -> Self {
        let hook = HookId::of(missing.target);
        Self {
            target: missing.target.to_string(),
            hook,
            callback: match hook {
                Some(_) => missing.callback.origin().to_owned(),
                None => missing.callback.to_string(),
            },
            state: missing.state,
            last_attempt: missing.last_attempt.map(AttemptView::from),
        }
    }
}

/// A request to a callback: with the status and the beginning of its answer, or with why there was none.
#[derive(Default, Serialize)]
pub struct AttemptView {
    /// When it was made.
    pub at: String,
    /// How long it took.
    pub millis: u64,
    status: Option<u16>,
    failure: Option<Failure>,
    detail: Option<String>,
    excerpt: Option<String>,
}

impl AttemptView {
    /// What came of it.
    pub fn in_words(&self) -> String {
        match (self.status, &self.excerpt, &self.detail) {
            (Some(status), Some(excerpt), _) if !excerpt.is_empty() => {
                format!("{status}: {}", shown(excerpt))
            }
            (Some(status), ..) => status.to_string(),
            (None, _, detail) => detail.clone().unwrap_or_default(),
        }
    }
}

impl From<Attempt> for AttemptView {
    fn from(attempt: Attempt) -> Self {
        let made = Self {
            at: attempt.at.to_string(),
            millis: attempt.millis,
            ..Self::default()
        };
        match attempt.outcome {
            Outcome::Answered {
                status, excerpt, ..
            } => Self {
                status: Some(status),
                excerpt: Some(excerpt),
                ..made
            },
            Outcome::Unanswered { failure, detail } => Self {
                failure: Some(failure),
                detail: Some(detail),
                ..made
            },
        }
    }
}
