//! `/api/v1/hooks/<id>/replay`, `/api/v1/hooks/<id>/replays` and `/api/v1/replays/<id>`: what a source has raised, sent to a hook once
//! more. In: JSON. Out: how far it has come.

use serde::Serialize;
use uuid::Uuid;
use warp::http::{HeaderValue, StatusCode, header};

use super::{BODY_MAX_BYTES, DISABLED, find};
use crate::domain::hook::HookId;
use crate::domain::notation::parse_duration;
use crate::domain::replay::{Progress, Replay, Selection};
use crate::domain::token::Role;
use crate::domain::value::Timestamp;
use crate::flow::hooks::HookError;
use crate::web::call::Call;
use crate::web::may::may;
use crate::web::object::Object;
use crate::web::problem::{Problem, json_answer, shown};
use crate::web::query::{Page, Query};
use crate::web::{Answer, Site};

/// A replay as the API shows it.
#[derive(Serialize)]
struct ReplayView {
    id: Uuid,
    hook: HookId,
    only: Selection,
    since: String,
    begun_at: String,
    seen: u64,
    delivered: u64,
    failed: u64,
    state: &'static str,
    reason: Option<String>,
    ended_at: Option<String>,
}

/// `POST /api/v1/hooks/<id>/replay`: begins one.
pub async fn begin(site: &Site, mut call: Call, id: &str) -> Result<Answer, Problem> {
    let hook = find(site, &call, id, Role::Manager).await?;
    let body = call.read_body(BODY_MAX_BYTES, &site.limits).await?;
    let object = Object::parse(&body)?.only(&["since", "only"])?;
    let now = site.hub.clock.now();
    let (since, selection) = (since(&object, now)?, selection(&object)?);
    if !hook.active {
        return Err(Problem::Unprocessable(DISABLED.to_owned()));
    }
    let begun = site.hub.begin_replay(hook.id, since, selection).await?;
    let replay = begun.ok_or(HookError::NoHook(hook.id))?;
    let url = format!("{}api/v1/replays/{}", site.hub.url, replay.id);
    let mut answer = json_answer(StatusCode::ACCEPTED, &view(replay));
    if let Ok(url) = HeaderValue::try_from(url) {
        answer.headers_mut().insert(header::LOCATION, url);
    }
    Ok(answer)
}

/// `GET /api/v1/hooks/<id>/replays`: those of a hook, the newest first.
pub async fn list(site: &Site, call: &Call, id: &str) -> Result<Answer, Problem> {
    let hook = find(site, call, id, Role::Manager).await?;
    let query = Query::read(call.query.as_deref(), &["after", "limit"]).await?;
    let number = |text: &str| Uuid::parse_str(text).ok();
    let after = query.parsed("after", number, "the next of a page")?;
    let limit = query.limit()?;
    let replays = site.hub.replays_to(hook.id).await?.into_iter();
    // Their ids tell when they were begun.
    let older = replays.filter(|replay| after.is_none_or(|after| replay.id < after));
    let page = Page::of(older.take(limit + 1).collect(), limit, |replay| {
        replay.id.to_string()
    });
    Ok(json_answer(StatusCode::OK, &page.map(view)))
}

/// `GET /api/v1/replays/<id>`: how far it has come.
pub async fn show(site: &Site, call: &Call, id: &str) -> Result<Answer, Problem> {
    let replay = find_replay(site, call, id).await?;
    Ok(json_answer(StatusCode::OK, &view(replay)))
}

/// `DELETE /api/v1/replays/<id>`: breaks it off, and shows how far it came. One that has ended stays as it is.
pub async fn stop(site: &Site, call: &Call, id: &str) -> Result<Answer, Problem> {
    let replay = find_replay(site, call, id).await?;
    let stopped = site.hub.stop_replay(replay.id).await?;
    let stopped = stopped.ok_or_else(|| unknown(id))?;
    Ok(json_answer(StatusCode::OK, &view(stopped)))
}

/// The replay of an id, if the request may manage its hook.
async fn find_replay(site: &Site, call: &Call, id: &str) -> Result<Replay, Problem> {
    let replay = match Uuid::parse_str(id) {
        Ok(id) => site.hub.replay(id).await?,
        Err(_) => None,
    };
    let hook = match &replay {
        Some(replay) => site.hub.store.hook(replay.hook).await?,
        None => None,
    };
    let source = hook.as_ref().map(|hook| &hook.source);
    let events = hook.as_ref().map_or(&[][..], |hook| &hook.events);
    may(site, &call.headers, Role::Manager, source, events)?;
    replay.ok_or_else(|| unknown(id))
}

fn unknown(id: &str) -> Problem {
    Problem::NotFound(format!(
        "there is no replay {:?}, or no longer; /api/v1/hooks/<id>/replays lists those of a hook",
        shown(id)
    ))
}

fn since(object: &Object, now: Timestamp) -> Result<Timestamp, Problem> {
    const WANTED: &str = "write a time, such as 2026-11-22T19:00:00Z, or how long ago, such as 2h";
    let text = object.member::<String>("since")?;
    let text = text.ok_or_else(|| Problem::Invalid(format!("since is missing; {WANTED}")))?;
    let span = || parse_duration(&text).ok().map(|span| now.minus(span));
    let since = Timestamp::parse(&text).or_else(span).ok_or_else(|| {
        Problem::Invalid(format!("since: {:?} is no time; {WANTED}", shown(&text)))
    })?;
    match since > now {
        true => Err(Problem::Unprocessable(format!(
            "since: {since} is still to come; here it is {now}"
        ))),
        false => Ok(since),
    }
}

fn selection(object: &Object) -> Result<Selection, Problem> {
    match object.member::<String>("only")?.as_deref() {
        None | Some("all") => Ok(Selection::All),
        Some("failed") => Ok(Selection::Failed),
        Some(other) => Err(Problem::Invalid(format!(
            "only: {:?} is neither all nor failed",
            shown(other)
        ))),
    }
}

fn view(replay: Replay) -> ReplayView {
    let (state, reason, ended_at) = match replay.progress {
        Progress::Running => ("running", None, None),
        Progress::Finished(at) => ("finished", None, Some(at)),
        Progress::Stopped { at, reason } => ("stopped", Some(reason), Some(at)),
    };
    ReplayView {
        id: replay.id,
        hook: replay.hook,
        only: replay.selection,
        since: replay.since.to_string(),
        begun_at: replay.begun_at.to_string(),
        seen: replay.seen,
        delivered: replay.delivered,
        failed: replay.failed,
        state,
        reason,
        ended_at: ended_at.map(|at| at.to_string()),
    }
}
