//! `/api/v1/hooks/<id>/deliveries`: what a hook was sent, and what it answered.

use bytes::Bytes;
use serde::Serialize;
use serde_json::{Value, json};
use warp::http::StatusCode;

use super::{DISABLED, find, view};
use crate::dialect::socialgateway::PING;
use crate::domain::attempt::{Failure, Outcome, Verdict};
use crate::domain::delivery::{Delivery, DeliveryId};
use crate::domain::event::EventName;
use crate::domain::hook::Hook;
use crate::domain::token::Role;
use crate::domain::value::PublicationId;
use crate::flow::errand::Errand;
use crate::store::StoreError;
use crate::web::call::Call;
use crate::web::problem::{Problem, empty_answer, json_answer, shown};
use crate::web::query::{Page, Query};
use crate::web::scan::scan;
use crate::web::{Answer, Site};

/// A delivery in a list.
#[derive(Serialize)]
struct Item {
    id: DeliveryId,
    publication: PublicationId,
    event: EventName,
    at: String,
    millis: u64,
    status: Option<u16>,
    failure: Option<Failure>,
    detail: Option<String>,
    redelivery: bool,
}

/// The deliveries of a hook, newest first.
pub async fn list(site: &Site, call: &Call, id: &str) -> Result<Answer, Problem> {
    let hook = find(site, call, id, Role::Manager).await?;
    let known = ["before", "status", "limit"];
    let query = Query::read(call.query.as_deref(), &known).await?;
    let before = query.parsed("before", DeliveryId::parse, "the next of a page")?;
    let status = |text: &str| match text {
        "success" => Some(true),
        "failure" => Some(false),
        _ => None,
    };
    let status = query.parsed("status", status, "success or failure")?;
    let page = scan(
        before,
        query.limit()?,
        |before, limit| site.hub.store.deliveries_before(hook.id, before, limit),
        |delivery| delivery.id,
        |delivery| status.is_none_or(|success| success == has_succeeded(delivery)),
    )
    .await?;
    let page: Page<Item> = page.map(item);
    Ok(json_answer(StatusCode::OK, &page))
}

/// One delivery, with its request and its response.
pub async fn show(site: &Site, call: &Call, id: &str, delivery: &str) -> Result<Answer, Problem> {
    let hook = find(site, call, id, Role::Manager).await?;
    let (delivery, own) = kept(site, &hook, delivery).await?;
    let body = site.hub.request_body(&hook, &delivery, own).await?;
    let answer = whole(&hook, delivery, body.as_deref());
    Ok(json_answer(StatusCode::OK, &answer))
}

/// Has one made again, as the hook stands now; what comes of it stands in the list.
pub async fn redeliver(
    site: &Site,
    call: &Call,
    id: &str,
    delivery: &str,
) -> Result<Answer, Problem> {
    let hook = find(site, call, id, Role::Manager).await?;
    let (delivery, _) = kept(site, &hook, delivery).await?;
    if let Some(why) = unrepeatable(site, &hook, &delivery).await? {
        return Err(Problem::Unprocessable(why));
    }
    site.hub.run(Errand::Again(delivery.id), hook);
    Ok(empty_answer(StatusCode::ACCEPTED))
}

/// Why a delivery cannot be made again, if it cannot.
pub async fn unrepeatable(
    site: &Site,
    hook: &Hook,
    delivery: &Delivery,
) -> Result<Option<String>, StoreError> {
    if !hook.active {
        return Ok(Some(DISABLED.to_owned()));
    }
    let event = &delivery.event;
    let is_ping = event.as_str() == PING;
    if is_ping
        || site
            .hub
            .store
            .publication(delivery.publication)
            .await?
            .is_some()
    {
        return Ok(None);
    }
    Ok(Some(format!(
        "the event of this delivery is not kept any longer; see retention in the settings, and GET /{}/events/{event} for the latest",
        hook.source
    )))
}

/// A delivery of a hook, with what was kept of its body.
async fn kept(site: &Site, hook: &Hook, delivery: &str) -> Result<(Delivery, Bytes), Problem> {
    let kept = match DeliveryId::parse(delivery) {
        Some(id) => site.hub.store.delivery(hook.id, id).await?,
        None => None,
    };
    kept.ok_or_else(|| {
        Problem::NotFound(format!(
            "there is no delivery {:?} of this hook, or no longer",
            shown(delivery)
        ))
    })
}

fn whole(hook: &Hook, delivery: Delivery, body: Option<&[u8]>) -> Value {
    let request = json!({
        "method": delivery.request.method,
        "url": view::shown_url(hook, &delivery.request.url),
        "headers": view::object(&delivery.request.headers),
        "body": body.map(String::from_utf8_lossy),
    });
    let response = match &delivery.attempt.outcome {
        Outcome::Answered {
            status, excerpt, ..
        } => json!({
            "status": status,
            "headers": view::object(&delivery.response_headers),
            "body": excerpt,
        }),
        Outcome::Unanswered { .. } => Value::Null,
    };
    let mut answer = json!(item(delivery));
    answer["request"] = request;
    answer["response"] = response;
    answer
}

fn has_succeeded(delivery: &Delivery) -> bool {
    delivery.attempt.outcome.verdict() == Verdict::Delivered
}

fn item(delivery: Delivery) -> Item {
    let (status, failure, detail) = match delivery.attempt.outcome {
        Outcome::Answered { status, .. } => (Some(status), None, None),
        Outcome::Unanswered { failure, detail } => (None, Some(failure), Some(detail)),
    };
    Item {
        id: delivery.id,
        publication: delivery.publication,
        event: delivery.event,
        at: delivery.attempt.at.to_string(),
        millis: delivery.attempt.millis,
        status,
        failure,
        detail,
        redelivery: delivery.redelivery,
    }
}
