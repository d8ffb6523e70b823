//! `/api/v1/session`: signs in with a token, tells who one is, signs out.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use warp::http::{HeaderValue, StatusCode, header};

use super::super::call::Call;
use super::super::problem::{Problem, empty_answer, json_answer};
use super::super::tokens::Role;
use super::super::{Answer, Site};
use super::session::{check_origin, set_cookie};
use crate::domain::token::Token;
use crate::domain::value::Timestamp;

/// The largest body of a request here, in bytes.
const BODY_MAX_BYTES: usize = 16 * 1024;

/// `POST /api/v1/session`: begins a session for the holder of a token.
pub async fn post(site: &Site, mut call: Call) -> Result<Answer, Problem> {
    check_origin(&call.headers, &site.hub.url)?;
    let body = call.read_body(BODY_MAX_BYTES, &site.limits).await?;
    let SignIn { token } = serde_json::from_slice(&body).map_err(|error| {
        Problem::Invalid(format!("the body is not {{\"token\": \"...\"}}: {error}"))
    })?;
    let (holder, id, ends_at) = site.tokens.sign_in(token.trim())?;
    let view = SessionView::of(&holder, Some(ends_at), &site.hub.url);
    let mut answer = json_answer(StatusCode::OK, &view);
    put_cookie(&mut answer, &id, &site.hub.url);
    Ok(answer)
}

/// `GET /api/v1/session`: who one is, whether by a session or by a token.
pub fn show(site: &Site, call: &Call) -> Result<Answer, Problem> {
    let (holder, ends_at) = site.tokens.presence(&call.headers)?;
    let view = SessionView::of(&holder, ends_at, &site.hub.url);
    Ok(json_answer(StatusCode::OK, &view))
}

/// `DELETE /api/v1/session`: ends it; if there is none, all is well too.
pub fn delete(site: &Site, call: &Call) -> Answer {
    site.tokens.sign_out(&call.headers);
    let mut answer = empty_answer(StatusCode::NO_CONTENT);
    put_cookie(&mut answer, "", &site.hub.url);
    answer
}

fn put_cookie(answer: &mut Answer, id: &str, hub: &str) {
    // ASCII: an id in hexadecimal digits, and the path of a URL.
    if let Ok(cookie) = HeaderValue::from_maybe_shared(Bytes::from(set_cookie(id, hub))) {
        answer.headers_mut().insert(header::SET_COOKIE, cookie);
    }
}

/// The body of a sign-in.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SignIn {
    token: String,
}

/// Who one is, and what one may.
#[derive(Serialize)]
struct SessionView {
    name: String,
    token: Option<Uuid>,
    role: Role,
    sources: Vec<String>,
    events: Vec<String>,
    everywhere: bool,
    ends_at: Option<String>,
    version: &'static str,
    hub: String,
}

impl SessionView {
    fn of(token: &Token, ends_at: Option<Timestamp>, hub: &str) -> Self {
        let ends_at = match (ends_at, token.expires_at) {
            (Some(session), Some(token)) => Some(session.min(token)),
            (session, token) => session.or(token),
        };
        Self {
            name: token.name.clone(),
            token: Some(token.id).filter(|id| !id.is_nil()),
            role: token.role,
            sources: token.sources.iter().map(ToString::to_string).collect(),
            events: token.events.iter().map(ToString::to_string).collect(),
            everywhere: token.may_everywhere(token.role),
            ends_at: ends_at.map(|at| at.to_string()),
            version: env!("CARGO_PKG_VERSION"),
            hub: hub.to_owned(),
        }
    }
}
