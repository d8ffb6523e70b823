//! The deliveries of a hook as SocialGateway shows them: items, one with its request and response, and the request to repeat it.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};
use warp::http::StatusCode;

use super::pages::{parameter, per_page, set_link};
use super::{Refusal, Result, Visit};
use crate::dialect::socialgateway::repository_id;
use crate::domain::attempt::Outcome;
use crate::domain::delivery::{Delivery, DeliveryId};
use crate::flow::errand::Errand;
use crate::web::Answer;
use crate::web::hooks::deliveries::unrepeatable;
use crate::web::hooks::view;
use crate::web::problem::json_answer;
use crate::web::scan::scan;

/// Stands before the number in a cursor, so that nobody takes it for a page's.
const CURSOR: &str = "v1_";

impl Visit<'_> {
    /// Newest first.
    pub async fn deliveries(&self, id: &str) -> Result<Answer> {
        let hook = self.hook(id).await?;
        let query = self.call.query.as_deref();
        let per_page = per_page(query)?;
        let cursor = parameter(query, "cursor").map(|text| cursor(&text));
        let fits = status(parameter(query, "status"))?;
        let store = &self.site.hub.store;
        let page = scan(
            cursor.transpose()?,
            per_page,
            |before, limit| store.deliveries_before(hook.id, before, limit),
            |delivery| delivery.id,
            fits,
        )
        .await?;
        let items: Vec<_> = page.items.iter().map(|one| self.item(one)).collect();
        let mut answer = json_answer(StatusCode::OK, &items);
        if let Some(next) = page.next {
            let url = crate::dialect::repository::hook_url(&self.site.hub.url, &hook);
            let link = format!(
                "<{url}/deliveries?per_page={per_page}&cursor={CURSOR}{next}>; rel=\"next\""
            );
            set_link(&[link], &mut answer);
        }
        Ok(answer)
    }

    /// One, with all that is known of it.
    pub async fn delivery(&self, id: &str, delivery: &str) -> Result<Answer> {
        let hook = self.hook(id).await?;
        let id = DeliveryId::parse(delivery).ok_or(Refusal::NotFound)?;
        let kept = self.site.hub.store.delivery(hook.id, id).await?;
        let (delivery, own) = kept.ok_or(Refusal::NotFound)?;
        let body = self.site.hub.request_body(&hook, &delivery, own).await?;
        let payload = body.as_deref().and_then(payload);
        let (headers, excerpt) = match &delivery.attempt.outcome {
            Outcome::Answered { excerpt, .. } => {
                (view::object(&delivery.response_headers), json!(excerpt))
            }
            Outcome::Unanswered { .. } => (BTreeMap::new(), Value::Null),
        };
        let mut told = self.item(&delivery);
        told["action"] = payload
            .as_ref()
            .map_or(Value::Null, |payload| payload["action"].clone());
        told["url"] = view::shown_url(&hook, &delivery.request.url).into();
        told["request"] = json!({
            "headers": view::object(&delivery.request.headers),
            "payload": payload,
        });
        told["response"] = json!({ "headers": headers, "payload": excerpt });
        Ok(json_answer(StatusCode::OK, &told))
    }

    /// Has one delivered again.
    pub async fn redeliver(&self, id: &str, delivery: &str) -> Result<Answer> {
        let hook = self.hook_told(id).await?;
        let id = DeliveryId::parse(delivery).ok_or(Refusal::NotFound)?;
        let kept = self.site.hub.store.delivery(hook.id, id).await?;
        let (delivery, _) = kept.ok_or(Refusal::NotFound)?;
        if let Some(why) = unrepeatable(self.site, &hook, &delivery).await? {
            return Err(Refusal::custom(why));
        }
        self.site.hub.run(Errand::Again(id), hook);
        Ok(json_answer(StatusCode::ACCEPTED, &json!({})))
    }

    fn item(&self, delivery: &Delivery) -> Value {
        let (code, status) = match &delivery.attempt.outcome {
            Outcome::Answered { status: code, .. } => (*code, phrase(*code)),
            Outcome::Unanswered { detail, .. } => (0, detail.clone()),
        };
        json!({
            "id": delivery.id,
            "guid": delivery.publication,
            "delivered_at": delivery.attempt.at.to_string(),
            "redelivery": delivery.redelivery,
            "duration": Duration::from_millis(delivery.attempt.millis).as_secs_f64(),
            "status": status,
            "status_code": code,
            "event": delivery.event,
            "action": Value::Null,
            "installation_id": Value::Null,
            "repository_id": repository_id(&self.source.name),
            "throttled_at": Value::Null,
        })
    }
}

fn cursor(text: &str) -> Result<DeliveryId> {
    let number = text.strip_prefix(CURSOR).and_then(DeliveryId::parse);
    number.ok_or_else(|| {
        Refusal::custom(format!(
            "cursor: {text:?} is not one that a Link header gave"
        ))
    })
}

/// Which deliveries are wanted: those with an answer below 400, or the others.
fn status(wanted: Option<String>) -> Result<fn(&Delivery) -> bool> {
    fn succeeded(delivery: &Delivery) -> bool {
        matches!(delivery.attempt.outcome, Outcome::Answered { status, .. } if status < 400)
    }
    match wanted.as_deref() {
        None => Ok(|_| true),
        Some("success") => Ok(succeeded),
        Some("failure") => Ok(|delivery| !succeeded(delivery)),
        Some(other) => Err(Refusal::custom(format!(
            "status: {other:?} is neither \"success\" nor \"failure\""
        ))),
    }
}

/// What a request held: the JSON of its body, or of its form's field.
fn payload(body: &[u8]) -> Option<Value> {
    let form = || {
        let (_, value) = url::form_urlencoded::parse(body).find(|(name, _)| name == "payload")?;
        serde_json::from_str(&value).ok()
    };
    serde_json::from_slice(body).ok().or_else(form)
}

fn phrase(code: u16) -> String {
    let phrase = StatusCode::from_u16(code).ok();
    let phrase = phrase.and_then(|code| code.canonical_reason());
    phrase.map_or_else(|| code.to_string(), str::to_owned)
}
