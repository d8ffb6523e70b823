//! Pleroma's admin API of webhooks, as Rebased has it (webhooks.md 1.2): `/api/v1/pleroma/admin/webhooks` and
//! `/api/pleroma/admin/webhooks`. In: its requests. Out: its answers, each 200 with the webhook; and 422 for a URL that is there
//! already.

use serde::Serialize;
use warp::http::StatusCode;

use super::call::Call;
use super::may::may;
use super::object::Object;
use super::problem::{Problem, json_answer, shown};
use super::query::Query;
use super::{Answer, Site};
use crate::dialect::repository::MASK;
use crate::domain::event::EventPattern;
use crate::domain::hook::{ContentType, Hook, HookId, Receiver};
use crate::domain::source::{Dialect, Source, SourceName};
use crate::domain::token::Role;
use crate::domain::value::CallbackUrl;
use crate::flow::hooks::{HookError, draft};

/// The largest body of a request here, in bytes.
const BODY_MAX_BYTES: usize = 64 * 1024;
/// Sources that are looked at for one of Pleroma's.
const SOURCES_SEEN: usize = 10_000;

/// A webhook as Pleroma shows it.
#[derive(Serialize)]
struct Webhook {
    id: String,
    url: String,
    events: Vec<String>,
    secret: Option<String>,
    enabled: bool,
    internal: bool,
    created_at: String,
    updated_at: String,
}

/// Whatever stands at and below the two paths.
pub async fn handle(site: &Site, call: Call) -> Result<Answer, Problem> {
    let path = call.path.clone();
    let (_, below) = path
        .split_once("/pleroma/admin/webhooks")
        .unwrap_or_default();
    let segments: Vec<&str> = below.split('/').filter(|part| !part.is_empty()).collect();
    let reads = matches!(call.method.as_str(), "GET" | "HEAD");
    let role = if reads { Role::Reader } else { Role::Manager };
    let allowed = match segments.as_slice() {
        [] => "GET, HEAD, POST",
        [_] => "GET, HEAD, PATCH, DELETE",
        [_, "enable" | "disable" | "rotate_secret"] => "POST",
        _ => return Err(Problem::NotFound("there is nothing here".into())),
    };
    if !allowed
        .split(", ")
        .any(|method| method == call.method.as_str())
    {
        return Err(Problem::Method(allowed));
    }
    let source = source(site, &call, role).await?;
    match (call.method.as_str(), segments.as_slice()) {
        ("GET" | "HEAD", []) => list(site, &call, &source).await,
        ("POST", []) => create(site, call, &source).await,
        ("GET" | "HEAD", [id]) => {
            let hook = find(site, &call, &source, id, role).await?;
            Ok(answer(site, &call, hook))
        }
        ("PATCH", [id]) => {
            let id = find(site, &call, &source, id, role).await?.id;
            edit(site, call, id).await
        }
        ("DELETE", [id]) => {
            let hook = find(site, &call, &source, id, role).await?;
            site.hub.delete_hook(hook.id).await?;
            Ok(answer(site, &call, hook))
        }
        ("POST", [id, action @ ("enable" | "disable" | "rotate_secret")]) => {
            let id = find(site, &call, &source, id, role).await?.id;
            let hook = match *action {
                "enable" => site.hub.enable_hook(id).await?,
                "disable" => site.hub.disable_hook(id).await?,
                _ => site.hub.rotate_secret(id, None).await?,
            };
            Ok(answer(site, &call, hook))
        }
        _ => Err(Problem::NotFound("there is nothing here".into())),
    }
}

async fn list(site: &Site, call: &Call, source: &Source) -> Result<Answer, Problem> {
    let holder = site.tokens.holder(&call.headers)?;
    let may_read = |hook: &Hook| holder.may_for_each(Role::Reader, &hook.source, &hook.events);
    let hooks = site.hub.all_hooks_of(&source.name).await?;
    let webhooks = hooks
        .into_iter()
        .filter(|hook| is_web(hook) && may_read(hook));
    let webhooks: Vec<_> = webhooks.map(|hook| view(site, call, hook)).collect();
    Ok(json_answer(StatusCode::OK, &webhooks))
}

async fn create(site: &Site, mut call: Call, source: &Source) -> Result<Answer, Problem> {
    let object = body(site, &mut call).await?;
    let url = url(site, &object)?.ok_or_else(|| Problem::Invalid("url is missing".into()))?;
    let receiver = Receiver::Web {
        url,
        content_type: ContentType::Json,
    };
    let events = events(&object)?.unwrap_or_default();
    let mut hook = draft(source, events, receiver)?;
    hook.active = object.member("enabled")?.unwrap_or(true);
    let may_keep = |hook: &Hook| manage(site, &call, hook);
    may_keep(&hook)?;
    let hook = site.hub.create_hook(hook, may_keep).await?.hook;
    Ok(answer(site, &call, hook))
}

async fn edit(site: &Site, mut call: Call, id: HookId) -> Result<Answer, Problem> {
    let object = body(site, &mut call).await?;
    let (new_url, events) = (url(site, &object)?, events(&object)?);
    let enabled = object.member::<bool>("enabled")?;
    let edit = |hook: &mut Hook| {
        if let (Some(new), Receiver::Web { url, .. }) = (new_url, &mut hook.receiver) {
            *url = new;
        }
        if let Some(events) = events {
            hook.events = events;
        }
        hook.active = enabled.unwrap_or(hook.active);
        manage(site, &call, hook)
    };
    let hook = site.hub.edit_hook(id, edit).await?;
    Ok(answer(site, &call, hook))
}

/// The source that a request is about: the one that it names, or the only one of this dialect that its token is for.
async fn source(site: &Site, call: &Call, role: Role) -> Result<Source, Problem> {
    let query = Query::read(call.query.as_deref(), &["source"]).await?;
    let parse = |text: &str| SourceName::parse(text).ok();
    let named = query.parsed("source", parse, "the name of a source")?;
    let holder = site.tokens.holder(&call.headers)?;
    let is_ours = |source: &Source| source.dialect == Dialect::Pleroma;
    if let Some(name) = named {
        may(site, &call.headers, role, Some(&name), &[])?;
        let source = site.hub.store.source(&name).await?;
        return source.filter(is_ours).ok_or_else(|| {
            Problem::NotFound(format!(
                "source: {name} is not a source of the dialect pleroma"
            ))
        });
    }
    let mut sources = site.hub.store.sources(None, SOURCES_SEEN).await?;
    sources.retain(is_ours);
    let are_there = !sources.is_empty();
    sources.retain(|source| holder.may(role, &source.name));
    match sources.len() {
        1 => Ok(sources.remove(0)),
        0 if are_there => Err(Problem::Forbidden(format!(
            "this takes the role {} in a source of the dialect pleroma, and the token has it in none",
            role.name()
        ))),
        0 => Err(Problem::NotFound(
            "there is no source of the dialect pleroma; declare one first".into(),
        )),
        _ => {
            let names: Vec<_> = sources.iter().map(|source| source.name.as_str()).collect();
            Err(Problem::Invalid(format!(
                "source: there are several of the dialect pleroma, {}; say which with ?source=",
                names.join(", ")
            )))
        }
    }
}

/// The webhook of an id, if the request may do this with it.
async fn find(
    site: &Site,
    call: &Call,
    source: &Source,
    id: &str,
    role: Role,
) -> Result<Hook, Problem> {
    let hook = match HookId::parse(id) {
        Some(id) => site.hub.store.hook(id).await?,
        None => None,
    };
    let hook = hook
        .filter(|hook| hook.source == source.name && is_web(hook))
        .ok_or_else(|| {
            Problem::NotFound(format!(
                "there is no webhook {:?} of {}",
                shown(id),
                source.name
            ))
        })?;
    may(site, &call.headers, role, Some(&hook.source), &hook.events)?;
    Ok(hook)
}

async fn body(site: &Site, call: &mut Call) -> Result<Object, Problem> {
    let body = call.read_body(BODY_MAX_BYTES, &site.limits).await?;
    Object::parse(&body)
}

fn url(site: &Site, object: &Object) -> Result<Option<CallbackUrl>, Problem> {
    let Some(text) = object.member::<String>("url")? else {
        return Ok(None);
    };
    let most = site.limits.url_bytes;
    if text.len() > most {
        return Err(Problem::Invalid(format!(
            "url is {} bytes long; this hub takes up to {most}",
            text.len()
        )));
    }
    Ok(Some(CallbackUrl::parse(&text).map_err(HookError::Url)?))
}

fn events(object: &Object) -> Result<Option<Vec<EventPattern>>, Problem> {
    let Some(texts) = object.member::<Vec<String>>("events")? else {
        return Ok(None);
    };
    let patterns: Result<_, _> = texts.iter().map(|text| EventPattern::parse(text)).collect();
    patterns
        .map(Some)
        .map_err(|error| Problem::Invalid(format!("events: {error}")))
}

fn manage(site: &Site, call: &Call, hook: &Hook) -> Result<(), Problem> {
    let source = Some(&hook.source);
    may(site, &call.headers, Role::Manager, source, &hook.events)
}

fn is_web(hook: &Hook) -> bool {
    matches!(hook.receiver, Receiver::Web { .. })
}

fn answer(site: &Site, call: &Call, hook: Hook) -> Answer {
    json_answer(StatusCode::OK, &view(site, call, hook))
}

/// Pleroma shows the secret at all times; here only to those who could set another one.
fn view(site: &Site, call: &Call, hook: Hook) -> Webhook {
    let secret = hook.secret.as_ref();
    let secret = secret.map(|secret| match manage(site, call, &hook) {
        Ok(()) => secret.expose().to_owned(),
        Err(_) => MASK.to_owned(),
    });
    Webhook {
        id: hook.id.to_string(),
        url: hook.endpoint.to_string(),
        events: hook.events.iter().map(EventPattern::to_string).collect(),
        secret,
        enabled: hook.active,
        internal: false,
        created_at: hook.created_at.to_string(),
        updated_at: hook.updated_at.to_string(),
    }
}
