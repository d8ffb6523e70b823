//! `/api/v1/hooks`: hooks of every dialect are listed, made, edited, tried out and ended. In: JSON. Out: JSON.

pub mod deliveries;
mod draft;
pub mod replays;
pub mod view;

use serde_json::json;
use warp::http::{HeaderValue, StatusCode, header};

use self::view::{Fares, HookView, Showing};
use super::call::Call;
use super::may::may;
use super::object::Object;
use super::problem::{Problem, empty_answer, json_answer, shown};
use super::query::{Page, Query};
use super::scan::scan;
use super::{Answer, Site};
use crate::dialect;
use crate::domain::event::{EventName, EventPattern};
use crate::domain::hook::{Hook, HookId};
use crate::domain::job::{Job, JobId};
use crate::domain::json::Json;
use crate::domain::source::{Source, SourceName};
use crate::domain::token::Role;
use crate::flow::errand::Errand;
use crate::flow::hooks::HookError;
use crate::store::StoreError;

/// The largest body of a request here, in bytes.
const BODY_MAX_BYTES: usize = 256 * 1024;
/// Why a hook is told of nothing.
const DISABLED: &str = "this hook is disabled, and nothing is sent to it; enable it first, with POST /api/v1/hooks/<id>/enable";

/// Whatever stands at and below `/api/v1/hooks`.
pub async fn handle(site: &Site, call: Call) -> Result<Answer, Problem> {
    let path = call.path.clone();
    let below = path.strip_prefix("/api/v1/hooks").unwrap_or_default();
    let segments: Vec<&str> = below.split('/').filter(|part| !part.is_empty()).collect();
    match (call.method.as_str(), segments.as_slice()) {
        ("GET" | "HEAD", []) => list(site, &call).await,
        ("POST", []) => create(site, call).await,
        (_, []) => Err(Problem::Method("GET, HEAD, POST")),
        ("POST", ["preview"]) => preview(site, call, None).await,
        (_, ["preview"]) => Err(Problem::Method("POST")),
        ("GET" | "HEAD", [id]) => show(site, &call, id).await,
        ("PATCH", [id]) => edit(site, call, id).await,
        ("DELETE", [id]) => delete(site, &call, id).await,
        (_, [_]) => Err(Problem::Method("GET, HEAD, PATCH, DELETE")),
        ("POST", [id, "enable"]) => switch(site, &call, id, true).await,
        ("POST", [id, "disable"]) => switch(site, &call, id, false).await,
        ("POST", [id, "rotate"]) => rotate(site, call, id).await,
        ("POST", [id, "ping"]) => ping(site, &call, id).await,
        ("POST", [id, "preview"]) => preview(site, call, Some(id)).await,
        (_, [_, "enable" | "disable" | "rotate" | "ping" | "preview"]) => {
            Err(Problem::Method("POST"))
        }
        ("GET" | "HEAD", [id, "deliveries"]) => deliveries::list(site, &call, id).await,
        ("GET" | "HEAD", [id, "deliveries", delivery]) => {
            deliveries::show(site, &call, id, delivery).await
        }
        ("POST", [id, "deliveries", delivery, "redeliver"]) => {
            deliveries::redeliver(site, &call, id, delivery).await
        }
        (_, [_, "deliveries", _, "redeliver"]) => Err(Problem::Method("POST")),
        ("POST", [id, "replay"]) => replays::begin(site, call, id).await,
        (_, [_, "replay"]) => Err(Problem::Method("POST")),
        ("GET" | "HEAD", [id, "replays"]) => replays::list(site, &call, id).await,
        (_, [_, "replays"]) => Err(Problem::Method("GET, HEAD")),
        (_, [_, "deliveries"] | [_, "deliveries", _]) => Err(Problem::Method("GET, HEAD")),
        _ => Err(Problem::NotFound(
            "there is nothing here; the hooks are at /api/v1/hooks".into(),
        )),
    }
}

async fn list(site: &Site, call: &Call) -> Result<Answer, Problem> {
    let known = ["source", "state", "search", "after", "limit"];
    let query = Query::read(call.query.as_deref(), &known).await?;
    let parse = |text: &str| SourceName::parse(text).ok();
    let source = query.parsed("source", parse, "the name of a source")?;
    let holder = match &source {
        Some(source) => site
            .tokens
            .require_in(Role::Reader, source, None, &call.headers)?,
        None => site.tokens.holder(&call.headers)?,
    };
    let state = |text: &str| match text {
        "active" => Some(true),
        "disabled" => Some(false),
        _ => None,
    };
    let state = query.parsed("state", state, "active or disabled")?;
    let search = query.text("search").unwrap_or_default().to_lowercase();
    let after = query.parsed("after", HookId::parse, "the next of a page")?;
    let page = scan(
        after,
        query.limit()?,
        |after, limit| hooks(site, source.as_ref(), after, limit),
        |hook| hook.id,
        |hook| {
            let is_in_state = state.is_none_or(|active| active == hook.active);
            holder.may_for_each(Role::Reader, &hook.source, &hook.events)
                && is_in_state
                && view::searched(hook).to_lowercase().contains(&search)
        },
    )
    .await?;
    let mut items = Vec::with_capacity(page.items.len());
    for hook in page.items {
        items.push(view(site, hook, Showing::Masked).await?);
    }
    let page = Page {
        items,
        next: page.next,
    };
    Ok(json_answer(StatusCode::OK, &page))
}

async fn create(site: &Site, mut call: Call) -> Result<Answer, Problem> {
    // Strangers are not told which sources there are.
    site.tokens.holder(&call.headers)?;
    let body = call.read_body(BODY_MAX_BYTES, &site.limits).await?;
    let object = Object::parse(&body)?.only(&draft::FIELDS)?;
    let source = source_of(site, &object).await?;
    let draft = draft::create(&object, &source, &site.limits)?;
    let may_keep = |hook: &Hook| manage(site, &call, hook);
    may_keep(&draft)?;
    let created = site.hub.create_hook(draft, may_keep).await?;
    let status = match created.is_new {
        true => StatusCode::CREATED,
        false => StatusCode::OK,
    };
    let url = format!("{}api/v1/hooks/{}", site.hub.url, created.hook.id);
    let mut answer = json_answer(status, &view(site, created.hook, Showing::Whole).await?);
    if let Ok(url) = HeaderValue::try_from(url) {
        answer.headers_mut().insert(header::LOCATION, url);
    }
    Ok(answer)
}

async fn show(site: &Site, call: &Call, id: &str) -> Result<Answer, Problem> {
    let hook = find(site, call, id, Role::Reader).await?;
    shown_as(site, hook, Showing::Masked).await
}

async fn edit(site: &Site, mut call: Call, id: &str) -> Result<Answer, Problem> {
    let hook = find(site, &call, id, Role::Manager).await?;
    let body = call.read_body(BODY_MAX_BYTES, &site.limits).await?;
    let object = Object::parse(&body)?.only(&draft::FIELDS)?;
    let edit = |hook: &mut Hook| {
        draft::edit(&object, hook, &site.limits)?;
        manage(site, &call, hook)
    };
    let hook = site.hub.edit_hook(hook.id, edit).await?;
    shown_as(site, hook, Showing::Masked).await
}

async fn delete(site: &Site, call: &Call, id: &str) -> Result<Answer, Problem> {
    let hook = find(site, call, id, Role::Manager).await?;
    site.hub.delete_hook(hook.id).await?;
    Ok(empty_answer(StatusCode::NO_CONTENT))
}

async fn switch(site: &Site, call: &Call, id: &str, on: bool) -> Result<Answer, Problem> {
    let hook = find(site, call, id, Role::Manager).await?;
    let hook = match on {
        true => site.hub.enable_hook(hook.id).await?,
        false => site.hub.disable_hook(hook.id).await?,
    };
    shown_as(site, hook, Showing::Masked).await
}

async fn rotate(site: &Site, mut call: Call, id: &str) -> Result<Answer, Problem> {
    let hook = find(site, &call, id, Role::Manager).await?;
    let body = call.read_body(BODY_MAX_BYTES, &site.limits).await?;
    let object = Object::parse(&body)?.only(&["secret"])?;
    let secret = object.nullable::<String>("secret")?.flatten();
    let secret = secret.as_deref().map(draft::secret).transpose()?;
    let hook = site.hub.rotate_secret(hook.id, secret).await?;
    shown_as(site, hook, Showing::Whole).await
}

async fn ping(site: &Site, call: &Call, id: &str) -> Result<Answer, Problem> {
    let hook = find(site, call, id, Role::Manager).await?;
    if !hook.active {
        return Err(Problem::Unprocessable(DISABLED.to_owned()));
    }
    site.hub.run(Errand::Ping, hook);
    Ok(empty_answer(StatusCode::ACCEPTED))
}

/// What a new hook would be sent, or one that there is if it were edited.
async fn preview(site: &Site, mut call: Call, id: Option<&str>) -> Result<Answer, Problem> {
    site.tokens.holder(&call.headers)?;
    let own = match id {
        Some(id) => Some(find(site, &call, id, Role::Manager).await?),
        None => None,
    };
    let body = call.read_body(BODY_MAX_BYTES, &site.limits).await?;
    let known: Vec<&str> = draft::FIELDS
        .into_iter()
        .chain(["event", "payload"])
        .collect();
    let object = Object::parse(&body)?.only(&known)?;
    let (source, mut draft) = match own {
        Some(mut hook) => {
            draft::edit(&object, &mut hook, &site.limits)?;
            (source_named(site, hook.source.clone()).await?, hook)
        }
        None => {
            let source = source_of(site, &object).await?;
            let draft = draft::create(&object, &source, &site.limits)?;
            (source, draft)
        }
    };
    let name = object.member::<String>("event")?;
    let name = name.as_deref().map(EventName::parse).transpose();
    let name = name.map_err(|error| Problem::Invalid(format!("event: {error}")))?;
    let payload = object.raw("payload");
    if let (Some(name), None) = (&name, payload) {
        draft.events = vec![EventPattern::One(name.clone())];
    }
    // Of those events, and of no others, the latest is shown.
    manage(site, &call, &draft)?;
    let event = match (name, payload) {
        (Some(name), Some(payload)) => {
            let now = site.hub.clock.now();
            let event = dialect::accept(&source, &name, Json::of(payload), now);
            Some(event.map_err(HookError::from)?)
        }
        (None, Some(_)) => {
            return Err(Problem::Invalid(
                "payload: of which event is it? Write its name into event".into(),
            ));
        }
        (_, None) => None,
    };
    let preview = site.hub.preview_hook(draft, event).await?;
    let request = preview.request;
    let answer = json!({
        "event": preview.event,
        "is_example": preview.is_example,
        "passes_filter": preview.passes,
        "request": {
            "method": request.method,
            "url": request.url,
            "headers": view::object(&request.headers),
            "body": request.body,
        },
    });
    Ok(json_answer(StatusCode::OK, &answer))
}

async fn hooks(
    site: &Site,
    source: Option<&SourceName>,
    after: Option<HookId>,
    limit: usize,
) -> Result<Vec<Hook>, StoreError> {
    match source {
        Some(source) => site.hub.store.hooks_of(source, after, limit).await,
        None => site.hub.store.hooks(after, limit).await,
    }
}

/// The hook of an id, if the request may do this with it.
async fn find(site: &Site, call: &Call, id: &str, role: Role) -> Result<Hook, Problem> {
    let unknown = || {
        Problem::NotFound(format!(
            "there is no hook {:?}, or no longer; /api/v1/hooks lists those that there are",
            shown(id)
        ))
    };
    let hook = match HookId::parse(id) {
        Some(id) => site.hub.store.hook(id).await?,
        None => None,
    };
    let source = hook.as_ref().map(|hook| &hook.source);
    let events = hook.as_ref().map_or(&[][..], |hook| &hook.events);
    may(site, &call.headers, role, source, events)?;
    hook.ok_or_else(unknown)
}

/// Whether the request may keep such a hook.
fn manage(site: &Site, call: &Call, hook: &Hook) -> Result<(), Problem> {
    let source = Some(&hook.source);
    may(site, &call.headers, Role::Manager, source, &hook.events)
}

async fn source_of(site: &Site, object: &Object) -> Result<Source, Problem> {
    let name = object.member::<String>("source")?;
    let name = name.ok_or_else(|| {
        Problem::Invalid(
            "source is missing; write the name of the source whose events the hook shall get"
                .into(),
        )
    })?;
    let name =
        SourceName::parse(&name).map_err(|error| Problem::Invalid(format!("source: {error}")))?;
    source_named(site, name).await
}

async fn source_named(site: &Site, name: SourceName) -> Result<Source, Problem> {
    let source = site.hub.store.source(&name).await?;
    Ok(source.ok_or(HookError::NoSource(name))?)
}

async fn shown_as(site: &Site, hook: Hook, showing: Showing) -> Result<Answer, Problem> {
    Ok(json_answer(
        StatusCode::OK,
        &view(site, hook, showing).await?,
    ))
}

async fn view(site: &Site, hook: Hook, showing: Showing) -> Result<HookView, StoreError> {
    let store = &site.hub.store;
    let source = store.source(&hook.source).await?;
    let fares = Fares {
        events: source.map_or(0, |source| dialect::count_matches(&source, &hook.events)),
        health: store.health(hook.id).await?,
        backlog: match store.job(JobId::Backlog(hook.id.target())).await? {
            Some(Job::Backlog(backlog)) => Some(backlog),
            _ => None,
        },
    };
    Ok(HookView::of(hook, fares, showing))
}
