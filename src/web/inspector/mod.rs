//! `/api/v1/inspector`: callback addresses for people who build receivers are made, looked at, told how to answer, and ended. In: JSON.
//! Out: JSON, and server-sent events of what arrives.
//!
//! Whoever may keep hooks somewhere may have addresses, and sees their own; the administrator sees all.

pub mod follow;
mod view;

use std::sync::Arc;

use uuid::Uuid;
use warp::http::{HeaderMap, HeaderValue, StatusCode, header};

use self::view::{BinView, CaughtView, VerdictView};
use super::call::Call;
use super::object::Object;
use super::problem::{Problem, empty_answer, json_answer, shown};
use super::query::{Page, Query};
use super::tokens::Role;
use super::{Answer, Site};
use crate::domain::notation::{format_duration, parse_duration};
use crate::domain::token::Token;
use crate::domain::value::{SECRET_MAX_BYTES, Secret};
use crate::flow::inspector::{Caught, DELAY_MAX, Inspector, Manners};

/// The largest body of a request here, in bytes.
const BODY_MAX_BYTES: usize = 16 * 1024;
/// What can be said of how an address answers.
const FIELDS: [&str; 3] = ["status", "delay", "challenge"];

/// Whatever stands at and below `/api/v1/inspector`.
pub async fn handle(site: &Site, call: Call) -> Result<Answer, Problem> {
    let path = call.path.clone();
    let below = path.strip_prefix("/api/v1/inspector").unwrap_or_default();
    let segments: Vec<&str> = below.split('/').filter(|part| !part.is_empty()).collect();
    match (call.method.as_str(), segments.as_slice()) {
        ("GET" | "HEAD", []) => list(site, &call).await,
        ("POST", []) => make(site, call).await,
        (_, []) => Err(Problem::Method("GET, HEAD, POST")),
        ("GET" | "HEAD", [id]) => show(site, &call, id),
        ("PATCH", [id]) => teach(site, call, id).await,
        ("DELETE", [id]) => end(site, &call, id),
        (_, [_]) => Err(Problem::Method("GET, HEAD, PATCH, DELETE")),
        ("GET" | "HEAD", [id, "requests"]) => requests(site, &call, id).await,
        ("DELETE", [id, "requests"]) => empty(site, &call, id),
        (_, [_, "requests"]) => Err(Problem::Method("GET, HEAD, DELETE")),
        ("GET" | "HEAD", [id, "requests", number]) => request(site, &call, id, number),
        (_, [_, "requests", _]) => Err(Problem::Method("GET, HEAD")),
        ("POST", [id, "requests", number, "verify"]) => verify(site, call, id, number).await,
        (_, [_, "requests", _, "verify"]) => Err(Problem::Method("POST")),
        _ => Err(Problem::NotFound(
            "there is nothing here; the addresses are at /api/v1/inspector".into(),
        )),
    }
}

async fn list(site: &Site, call: &Call) -> Result<Answer, Problem> {
    let holder = holder(site, &call.headers)?;
    Query::read(call.query.as_deref(), &[]).await?;
    let mut bins = site.inspector.all();
    bins.retain(|bin| sees(&holder, bin.owner));
    let page = Page {
        items: bins,
        next: None,
    };
    Ok(json_answer(
        StatusCode::OK,
        &page.map(|bin| BinView::of(site, bin)),
    ))
}

async fn make(site: &Site, mut call: Call) -> Result<Answer, Problem> {
    let holder = holder(site, &call.headers)?;
    let body = call.read_body(BODY_MAX_BYTES, &site.limits).await?;
    let manners = manners(&body, Manners::default())?;
    let made = site.inspector.make(holder.id, manners);
    let bin = made.map_err(|full| Problem::Conflict(full.to_string()))?;
    let url = format!("{}api/v1/inspector/{}", site.hub.url, bin.id);
    let mut answer = json_answer(StatusCode::CREATED, &BinView::of(site, bin));
    if let Ok(url) = HeaderValue::try_from(url) {
        answer.headers_mut().insert(header::LOCATION, url);
    }
    Ok(answer)
}

fn show(site: &Site, call: &Call, id: &str) -> Result<Answer, Problem> {
    let bins = admit(site, &call.headers, id)?;
    found(id, bins.look(id)).map(|bin| json_answer(StatusCode::OK, &BinView::of(site, bin)))
}

async fn teach(site: &Site, mut call: Call, id: &str) -> Result<Answer, Problem> {
    let bins = admit(site, &call.headers, id)?;
    let body = call.read_body(BODY_MAX_BYTES, &site.limits).await?;
    let before = found(id, bins.look(id))?.manners;
    let taught = bins.teach(id, manners(&body, before)?);
    found(id, taught).map(|bin| json_answer(StatusCode::OK, &BinView::of(site, bin)))
}

fn end(site: &Site, call: &Call, id: &str) -> Result<Answer, Problem> {
    let bins = admit(site, &call.headers, id)?;
    found(id, bins.end(id).then_some(())).map(|()| empty_answer(StatusCode::NO_CONTENT))
}

async fn requests(site: &Site, call: &Call, id: &str) -> Result<Answer, Problem> {
    let bins = admit(site, &call.headers, id)?;
    let query = Query::read(call.query.as_deref(), &["after", "limit"]).await?;
    let number = |text: &str| text.parse().ok();
    let after = query.parsed("after", number, "the number of a request")?;
    let limit = query.limit()?;
    let caught = bins.caught(id, after.unwrap_or(0), limit + 1);
    let page = Page::of(found(id, caught)?, limit, |last| last.number.to_string());
    let Page { items, next } = page;
    let items: Vec<_> = items.iter().map(|caught| CaughtView::of(caught)).collect();
    Ok(json_answer(StatusCode::OK, &Page { items, next }))
}

fn empty(site: &Site, call: &Call, id: &str) -> Result<Answer, Problem> {
    let bins = admit(site, &call.headers, id)?;
    found(id, bins.empty(id).then_some(())).map(|()| empty_answer(StatusCode::NO_CONTENT))
}

fn request(site: &Site, call: &Call, id: &str, number: &str) -> Result<Answer, Problem> {
    let bins = admit(site, &call.headers, id)?;
    let caught = one(bins, id, number)?;
    Ok(json_answer(StatusCode::OK, &CaughtView::of(&caught)))
}

/// The secret is read, used and forgotten.
async fn verify(site: &Site, mut call: Call, id: &str, number: &str) -> Result<Answer, Problem> {
    let bins = admit(site, &call.headers, id)?;
    let body = call.read_body(BODY_MAX_BYTES, &site.limits).await?;
    let object = Object::parse(&body)?.only(&["secret"])?;
    let secret = object.member::<String>("secret")?.ok_or_else(|| {
        Problem::Invalid("secret is missing; send {\"secret\": \"...\"}".to_owned())
    })?;
    let secret = Secret::parse(&secret).map_err(|length| {
        Problem::Unprocessable(format!(
            "secret: it has {length} bytes; a secret has 1 to {SECRET_MAX_BYTES}"
        ))
    })?;
    let caught = one(bins, id, number)?;
    if caught.is_cut() {
        let kept = site.inspector.body_max();
        return Err(Problem::Unprocessable(format!(
            "the body was longer than {kept} bytes, and only its beginning is kept: its signature cannot be checked; raise inspector.body"
        )));
    }
    Ok(json_answer(
        StatusCode::OK,
        &VerdictView::of(&caught, &secret),
    ))
}

/// The bins, for who may look into this one.
fn admit<'a>(site: &'a Site, headers: &HeaderMap, id: &str) -> Result<&'a Inspector, Problem> {
    let holder = holder(site, headers)?;
    let owner = site.inspector.owner(id);
    // That there is another's is nobody's business.
    found(id, owner.filter(|owner| sees(&holder, *owner))).map(|_| &*site.inspector)
}

/// Who may keep hooks, wherever that is.
fn holder(site: &Site, headers: &HeaderMap) -> Result<Arc<Token>, Problem> {
    let holder = site.tokens.holder(headers)?;
    match holder.role >= Role::Manager {
        true => Ok(holder),
        false => Err(Problem::Forbidden(format!(
            "the role {} does not do here; it takes {}",
            holder.role.name(),
            Role::Manager.name()
        ))),
    }
}

fn sees(holder: &Token, owner: Uuid) -> bool {
    holder.id == owner || holder.may_everywhere(Role::Admin)
}

fn found<T>(id: &str, thing: Option<T>) -> Result<T, Problem> {
    thing.ok_or_else(|| {
        Problem::NotFound(format!(
            "there is no address {:?}, or no longer; /api/v1/inspector lists yours",
            shown(id)
        ))
    })
}

fn one(bins: &Inspector, id: &str, number: &str) -> Result<Arc<Caught>, Problem> {
    let caught = number.parse().ok().and_then(|number| bins.one(id, number));
    caught.ok_or_else(|| {
        Problem::NotFound(format!(
            "there is no request {:?}, or it is kept no longer",
            shown(number)
        ))
    })
}

/// How an address shall answer, from what is said and how it does already.
fn manners(body: &[u8], before: Manners) -> Result<Manners, Problem> {
    let object = Object::parse(body)?.only(&FIELDS)?;
    let status = match object.member::<u32>("status")? {
        None => before.status,
        Some(status) => u16::try_from(status)
            .ok()
            .filter(|status| (200..=599).contains(status))
            .ok_or_else(|| {
                Problem::Unprocessable(format!(
                    "status: {status} is no status that ends a request; send 200 to 599"
                ))
            })?,
    };
    let delay = match object.member::<String>("delay")? {
        None => before.delay,
        Some(text) => {
            let delay = parse_duration(&text)
                .map_err(|error| Problem::Unprocessable(format!("delay: {error}")))?;
            if delay > DELAY_MAX {
                let most = format_duration(DELAY_MAX);
                return Err(Problem::Unprocessable(format!(
                    "delay: {text} is more than {most}; no sender should wait so long"
                )));
            }
            delay
        }
    };
    let challenge = object.member::<bool>("challenge")?;
    Ok(Manners {
        status,
        delay,
        challenge: challenge.unwrap_or(before.challenge),
    })
}
