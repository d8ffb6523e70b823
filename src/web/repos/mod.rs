//! SocialGateway's API of repository hooks (webhooks.md 1.4): `/repos/:owner/:repo/hooks` and what is below, and `/hooks`. In: its
//! requests. Out: its answers, its refusals included.

pub mod classic;
mod config;
mod deliveries;
mod names;
mod pages;
mod refusal;

use serde_json::Value;
use warp::http::{HeaderValue, StatusCode, header};

use self::config::Given;
use self::pages::Pages;
use self::refusal::Refusal;
use super::call::Call;
use super::may::may;
use super::object::Object;
use super::problem::{Problem, empty_answer, json_answer};
use super::{Answer, Site};
use crate::dialect::repository::{self, hook_object, hook_url};
use crate::domain::event::EventPattern;
use crate::domain::hook::{Hook, HookId, Receiver};
use crate::domain::source::{Dialect, Source, SourceName};
use crate::domain::token::Role;
use crate::flow::errand::Errand;
use crate::flow::hooks::draft;

/// The largest body of a request here, in bytes.
const BODY_MAX_BYTES: usize = 256 * 1024;
/// What a hook asks for that asks for nothing.
const DEFAULT_EVENT: &str = "push";
/// Why a hook is told of nothing.
const DISABLED: &str = "this hook is disabled, and nothing is sent to it; make it active first: PATCH it with {\"active\": true}";

type Result<T, E = Refusal> = std::result::Result<T, E>;

/// One request about the hooks of a repository.
struct Visit<'a> {
    site: &'a Site,
    call: Call,
    source: Source,
    /// What it takes to do what it asks for.
    role: Role,
}

/// Whatever stands below `/repos` and at `/hooks`.
pub async fn handle(site: &Site, call: Call) -> Answer {
    let path = call.path.clone();
    let segments: Vec<&str> = path.trim_matches('/').split('/').collect();
    let answer = match (call.method.as_str(), segments.as_slice()) {
        ("GET" | "HEAD", ["hooks"]) => Ok(names::list()),
        (_, ["hooks"]) => Err(Problem::Method("GET, HEAD").into()),
        (_, ["repos", owner, repo, "hooks", below @ ..]) => {
            repository_hooks(site, call, &format!("{owner}/{repo}"), below).await
        }
        _ => Err(Refusal::NotFound),
    };
    answer.unwrap_or_else(|refusal| refusal.answer(&site.hub.url))
}

async fn repository_hooks(
    site: &Site,
    call: Call,
    repository: &str,
    below: &[&str],
) -> Result<Answer> {
    let source = declared(site, repository).await?;
    let role = role_of(&call, below);
    let name = source.as_ref().map(|source| &source.name);
    may(site, &call.headers, role, name, &[])?;
    let source = source.ok_or(Refusal::NotFound)?;
    let visit = Visit {
        site,
        call,
        source,
        role,
    };
    match (visit.call.method.as_str(), below) {
        ("GET" | "HEAD", []) => visit.list().await,
        ("POST", []) => visit.create().await,
        ("GET" | "HEAD", [id]) => visit.show(id).await,
        ("PATCH", [id]) => visit.edit(id).await,
        ("DELETE", [id]) => visit.delete(id).await,
        ("GET" | "HEAD", [id, "config"]) => visit.show_config(id).await,
        ("PATCH", [id, "config"]) => visit.edit_config(id).await,
        ("POST", [id, "tests" | "test"]) => visit.test(id).await,
        ("POST", [id, "pings"]) => visit.ping(id).await,
        ("GET" | "HEAD", [id, "deliveries"]) => visit.deliveries(id).await,
        ("GET" | "HEAD", [id, "deliveries", delivery]) => visit.delivery(id, delivery).await,
        ("POST", [id, "deliveries", delivery, "attempts"]) => visit.redeliver(id, delivery).await,
        _ => Err(Refusal::NotFound),
    }
}

/// What a request has to be allowed to. Who reads a hook need not see what it was sent.
fn role_of(call: &Call, below: &[&str]) -> Role {
    match (call.method.as_str(), below) {
        (_, [_, "deliveries", ..]) => Role::Manager,
        ("GET" | "HEAD", _) => Role::Reader,
        _ => Role::Manager,
    }
}

/// The source that a repository is.
async fn declared(site: &Site, repository: &str) -> Result<Option<Source>> {
    let Ok(name) = SourceName::parse(repository) else {
        return Ok(None);
    };
    let source = site.hub.store.source(&name).await?;
    Ok(source.filter(|source| source.dialect == Dialect::SocialGateway))
}

impl Visit<'_> {
    async fn list(&self) -> Result<Answer> {
        let holder = self.site.tokens.holder(&self.call.headers)?;
        let mut hooks = self.site.hub.all_hooks_of(&self.source.name).await?;
        hooks.retain(|hook| holder.may_for_each(self.role, &hook.source, &hook.events));
        let pages = Pages::read(self.call.query.as_deref())?;
        let mut objects = Vec::new();
        for hook in pages.of(&hooks) {
            objects.push(self.object(hook).await?);
        }
        let mut answer = json_answer(StatusCode::OK, &objects);
        let url = format!("{}repos/{}/hooks", self.site.hub.url, self.source.name);
        pages.link(&url, hooks.len(), &mut answer);
        Ok(answer)
    }

    async fn create(mut self) -> Result<Answer> {
        let object = self.body().await?;
        let name = object.member::<String>("name").map_err(Refusal::wrong)?;
        let given =
            Given::read(&object, &self.site.limits)?.ok_or_else(|| Refusal::missing("config"))?;
        let name = name.ok_or_else(|| Refusal::missing("name"))?;
        let events = events(&object, "events")?;
        let events = events.unwrap_or_else(|| vec![default_event()]);
        let receiver = given.receiver(&name)?;
        let mut hook = draft(&self.source, events, receiver)?;
        given.fill(&mut hook)?;
        hook.active = active(&object)?.unwrap_or(true);
        self.manage(&hook)?;
        let may_keep = |hook: &Hook| self.manage(hook);
        let created = self.site.hub.create_hook(hook, may_keep).await?;
        let hook = created.hook;
        let status = match created.is_new {
            true => StatusCode::CREATED,
            false => StatusCode::OK,
        };
        let mut answer = json_answer(status, &self.object(&hook).await?);
        if let Ok(url) = HeaderValue::try_from(hook_url(&self.site.hub.url, &hook)) {
            answer.headers_mut().insert(header::LOCATION, url);
        }
        if created.is_new && hook.active && matches!(hook.receiver, Receiver::Web { .. }) {
            self.site.hub.run(Errand::Ping, hook);
        }
        Ok(answer)
    }

    async fn show(&self, id: &str) -> Result<Answer> {
        let hook = self.hook(id).await?;
        Ok(json_answer(StatusCode::OK, &self.object(&hook).await?))
    }

    async fn edit(mut self, id: &str) -> Result<Answer> {
        let hook = self.hook(id).await?;
        let object = self.body().await?;
        let given = Given::read(&object, &self.site.limits)?;
        let whole = events(&object, "events")?;
        let added = events(&object, "add_events")?.unwrap_or_default();
        let removed = events(&object, "remove_events")?.unwrap_or_default();
        let active = active(&object)?;
        let edit = |hook: &mut Hook| {
            if let Some(given) = given {
                given.replace(hook)?;
            }
            if let Some(whole) = whole {
                hook.events = whole;
            }
            hook.events.extend(added);
            hook.events.retain(|pattern| !removed.contains(pattern));
            hook.active = active.unwrap_or(hook.active);
            self.manage(hook)
        };
        let hook = self.site.hub.edit_hook(hook.id, edit).await?;
        Ok(json_answer(StatusCode::OK, &self.object(&hook).await?))
    }

    async fn delete(&self, id: &str) -> Result<Answer> {
        let hook = self.hook(id).await?;
        self.site.hub.delete_hook(hook.id).await?;
        Ok(empty_answer(StatusCode::NO_CONTENT))
    }

    async fn show_config(&self, id: &str) -> Result<Answer> {
        let hook = self.hook(id).await?;
        Ok(json_answer(StatusCode::OK, &repository::config(&hook)))
    }

    async fn edit_config(mut self, id: &str) -> Result<Answer> {
        let hook = self.hook(id).await?;
        let members = self.body().await?.into_members();
        let given = Given::of(&members, &self.site.limits)?;
        let edit = |hook: &mut Hook| given.patch(hook);
        let hook = self.site.hub.edit_hook(hook.id, edit).await?;
        Ok(json_answer(StatusCode::OK, &repository::config(&hook)))
    }

    async fn ping(&self, id: &str) -> Result<Answer> {
        let hook = self.hook_told(id).await?;
        self.site.hub.run(Errand::Ping, hook);
        Ok(empty_answer(StatusCode::NO_CONTENT))
    }

    /// A test that there is nothing for is none, says the document; so is that of a hook which is disabled.
    async fn test(&self, id: &str) -> Result<Answer> {
        let hook = self.hook(id).await?;
        if hook.active {
            self.site.hub.run(Errand::Test, hook);
        }
        Ok(empty_answer(StatusCode::NO_CONTENT))
    }

    /// The hook of an id, if it may be told something.
    async fn hook_told(&self, id: &str) -> Result<Hook> {
        let hook = self.hook(id).await?;
        match hook.active {
            true => Ok(hook),
            false => Err(Refusal::custom(DISABLED.into())),
        }
    }

    /// Whether the request may keep such a hook.
    fn manage(&self, hook: &Hook) -> Result<()> {
        let (headers, source) = (&self.call.headers, Some(&hook.source));
        Ok(may(
            self.site,
            headers,
            Role::Manager,
            source,
            &hook.events,
        )?)
    }

    /// The hook of an id, if it is this repository's and the request may do with it what it wants.
    async fn hook(&self, id: &str) -> Result<Hook> {
        let id = HookId::parse(id).ok_or(Refusal::NotFound)?;
        let hook = self.site.hub.store.hook(id).await?;
        let hook = hook
            .filter(|hook| hook.source == self.source.name)
            .ok_or(Refusal::NotFound)?;
        let (headers, source) = (&self.call.headers, Some(&hook.source));
        may(self.site, headers, self.role, source, &hook.events)?;
        Ok(hook)
    }

    /// The JSON object of the body, whatever media type it says that it has: the examples of the documents say none.
    async fn body(&mut self) -> Result<Object> {
        let limits = &self.site.limits;
        let body = self.call.read_body(BODY_MAX_BYTES, limits).await?;
        Object::parse(&body).map_err(|_| Refusal::NotJson)
    }

    async fn object(&self, hook: &Hook) -> Result<repository::HookObject> {
        let health = self.site.hub.store.health(hook.id).await?;
        Ok(hook_object(&self.site.hub.url, hook, &health))
    }
}

/// A list of events.
fn events(object: &Object, name: &'static str) -> Result<Option<Vec<EventPattern>>> {
    let texts = object.member::<Vec<String>>(name).map_err(Refusal::wrong)?;
    let Some(texts) = texts else {
        return Ok(None);
    };
    let patterns = texts.iter().map(|text| EventPattern::parse(text));
    let patterns: std::result::Result<Vec<_>, _> = patterns.collect();
    patterns
        .map(Some)
        .map_err(|error| Refusal::custom(format!("{name}: {error}")))
}

/// Booleans come as such, and as the texts that they are stored as.
fn active(object: &Object) -> Result<Option<bool>> {
    match object.raw("active") {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Bool(active)) => Ok(Some(*active)),
        Some(Value::String(text)) if text == "1" => Ok(Some(true)),
        Some(Value::String(text)) if text == "0" => Ok(Some(false)),
        Some(_) => Err(Refusal::custom("active: write true or false".into())),
    }
}

fn default_event() -> EventPattern {
    EventPattern::parse(DEFAULT_EVENT).expect("a constant that is a pattern")
}
