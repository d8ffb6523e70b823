//! The classic PubSubHubbub of SocialGateway: an authenticated request for a repository's topic makes or ends an ordinary hook,
//! and nobody is asked whether they mean it (webhooks.md 1.4). In: the fields of a request to the hub. Out: 204, or 422 in words.

use std::collections::BTreeMap;

use url::Url;
use warp::http::{StatusCode, header};

use super::config::{Given, check_length};
use super::declared;
use super::{Refusal, Result};
use crate::dialect::service;
use crate::domain::event::{EventName, EventPattern};
use crate::domain::hook::{ContentType, Hook, Receiver};
use crate::domain::source::{Source, SourceName};
use crate::domain::token::Role;
use crate::domain::value::TopicUrl;
use crate::flow::errand::Errand;
use crate::flow::hooks::{check, draft};
use crate::web::call::Call;
use crate::web::form::Fields;
use crate::web::may::may;
use crate::web::problem::{Problem, empty_answer, text_answer};
use crate::web::{Answer, Site};

/// A repository's topic.
struct Topic {
    /// Whether it is a topic of this hub, and not only called so elsewhere.
    is_own: bool,
    source: Source,
    event: EventName,
    content_type: ContentType,
}

/// Answers a request that is one of this kind; `None`: it is any other request to the hub.
pub async fn answer(
    site: &Site,
    call: &Call,
    fields: &Fields,
) -> std::result::Result<Option<Answer>, Problem> {
    let mode = fields.first("hub.mode").unwrap_or_default();
    if !call.headers.contains_key(header::AUTHORIZATION) || mode == "publish" {
        return Ok(None);
    }
    let answer = match topic(site, call, fields).await {
        Ok(None) => return Ok(None),
        Ok(Some(topic)) if is_readers(site, call, &topic)? => return Ok(None),
        Ok(Some(topic)) => take(site, call, fields, topic).await,
        Err(refusal) => Err(refusal),
    };
    match answer {
        Ok(()) => Ok(Some(empty_answer(StatusCode::NO_CONTENT))),
        Err(Refusal::Other(problem)) => Err(problem),
        Err(refusal) => Ok(Some(text_answer(
            StatusCode::UNPROCESSABLE_ENTITY,
            &refusal.words(),
        ))),
    }
}

/// What `hub.topic` names, if that is an event of a repository, at whatever host.
async fn topic(site: &Site, call: &Call, fields: &Fields) -> Result<Option<Topic>> {
    let text = fields.first("hub.topic").unwrap_or_default();
    let Ok(url) = Url::parse(text) else {
        return Ok(None);
    };
    let segments: Vec<&str> = url.path().trim_matches('/').split('/').collect();
    let [owner, repo, "events", event] = segments.as_slice() else {
        return Ok(None);
    };
    let own = TopicUrl::parse(text).ok();
    let is_own = own.is_some_and(|own| site.hub.event_place(&own).is_some());
    // Its credentials may be for a proxy in front of the hub.
    if !is_own && matches!(site.tokens.holder(&call.headers), Err(Problem::NoToken)) {
        return Ok(None);
    }
    let name = format!("{owner}/{repo}");
    let Some(source) = declared(site, &name).await? else {
        return undeclared(site, call, &name, is_own).await;
    };
    let (event, is_json) = match event.strip_suffix(".json") {
        Some(event) => (event, true),
        None => (*event, accepts_json(call)),
    };
    let event =
        EventName::parse(event).map_err(|error| Refusal::custom(format!("hub.topic: {error}")))?;
    Ok(Some(Topic {
        is_own,
        source,
        event,
        content_type: match is_json {
            true => ContentType::Json,
            false => ContentType::Form,
        },
    }))
}

/// Refuses what names a repository that is not there, of a client that might keep hooks for it. Any other request is WebSub's: that of another
/// client, and one for the events of a source of this hub that is no repository.
async fn undeclared(site: &Site, call: &Call, name: &str, is_own: bool) -> Result<Option<Topic>> {
    let Ok(name) = SourceName::parse(name) else {
        return Ok(None);
    };
    let holder = site.tokens.holder(&call.headers)?;
    let is_another = is_own && site.hub.store.source(&name).await?.is_some();
    if is_another || !holder.may(Role::Manager, &name) {
        return Ok(None);
    }
    Err(Refusal::custom(format!(
        "hub.topic: no repository {name} is declared here, so it has no hooks; declare it as a source of the dialect socialgateway, \
         or leave the token out to subscribe to a topic elsewhere"
    )))
}

/// Whether the request is WebSub's after all: of somebody who may read the topic, which is this hub's, and keeps no hooks.
fn is_readers(site: &Site, call: &Call, topic: &Topic) -> std::result::Result<bool, Problem> {
    let holder = site.tokens.holder(&call.headers)?;
    let event = EventPattern::One(topic.event.clone());
    let may = |role| holder.may_for(role, &topic.source.name, &event);
    Ok(topic.is_own && may(Role::Reader) && !may(Role::Manager))
}

async fn take(site: &Site, call: &Call, fields: &Fields, topic: Topic) -> Result<()> {
    let pattern = EventPattern::One(topic.event.clone());
    let name = Some(&topic.source.name);
    may(
        site,
        &call.headers,
        Role::Manager,
        name,
        std::slice::from_ref(&pattern),
    )?;
    let needed = |field: &str| {
        let given = fields.first(field).filter(|text| !text.is_empty());
        given.ok_or_else(|| Refusal::custom(format!("Needs {field}.")))
    };
    let mode = needed("hub.mode")?;
    let callback = needed("hub.callback")?;
    check_length("hub.callback", callback, &site.limits)?;
    let receiver = receiver(site, callback, topic.content_type)?;
    let known = known(site, &topic, &pattern, &receiver).await?;
    // A request for one event changes the hook for all of its events.
    let may_keep = |hook: &Hook| may(site, &call.headers, Role::Manager, name, &hook.events);
    known.as_ref().map_or(Ok(()), may_keep)?;
    match mode {
        "subscribe" => {
            let secret = fields.first("hub.secret").filter(|text| !text.is_empty());
            let mut wish = draft(&topic.source, vec![pattern], receiver)?;
            let config = secret.map(|secret| ("secret".to_owned(), secret.to_owned()));
            let config = Given::pairs(BTreeMap::from_iter(config));
            config.fill(&mut wish)?;
            subscribe(site, wish, known, may_keep).await
        }
        "unsubscribe" => unsubscribe(site, &topic, &pattern, known, may_keep).await,
        other => Err(Refusal::custom(format!(
            "hub.mode: {other:?} is neither subscribe nor unsubscribe"
        ))),
    }
}

/// Makes a hook, or changes the one that goes to the same callback.
async fn subscribe(
    site: &Site,
    wish: Hook,
    known: Option<Hook>,
    may_keep: impl FnOnce(&Hook) -> Result<(), Problem>,
) -> Result<()> {
    if let Some(known) = known {
        let edit = |hook: &mut Hook| {
            may_keep(hook)?;
            hook.events.extend(wish.events);
            hook.receiver = wish.receiver;
            hook.secret = wish.secret;
            hook.verify_tls = wish.verify_tls;
            hook.active = true;
            Ok::<_, Problem>(())
        };
        site.hub.edit_hook(known.id, edit).await?;
        return Ok(());
    }
    let hook = site.hub.create_hook(wish, may_keep).await?.hook;
    if let Receiver::Web { .. } = hook.receiver {
        site.hub.run(Errand::Ping, hook);
    }
    Ok(())
}

/// Takes the event from the hook that goes to the callback, and ends a hook that has no other.
async fn unsubscribe(
    site: &Site,
    topic: &Topic,
    pattern: &EventPattern,
    known: Option<Hook>,
    may_keep: impl FnOnce(&Hook) -> Result<(), Problem>,
) -> Result<()> {
    let Some(hook) = known.filter(|hook| hook.wants(&topic.event)) else {
        return Ok(());
    };
    if hook.events.as_slice() == std::slice::from_ref(pattern) {
        return Ok(site.hub.delete_hook(hook.id).await?);
    }
    if !hook.events.contains(pattern) {
        let events: Vec<_> = hook.events.iter().map(ToString::to_string).collect();
        return Err(Refusal::custom(format!(
            "hub.topic: hook {} asks for {}, of which {pattern} cannot be taken away; edit that hook",
            hook.id,
            events.join(", ")
        )));
    }
    let edit = |hook: &mut Hook| {
        may_keep(hook)?;
        hook.events.retain(|own| own != pattern);
        Ok::<_, Problem>(())
    };
    site.hub.edit_hook(hook.id, edit).await?;
    Ok(())
}

/// The hook of the repository that goes to the same callback; of several, the one that asks for the event.
async fn known(
    site: &Site,
    topic: &Topic,
    pattern: &EventPattern,
    receiver: &Receiver,
) -> Result<Option<Hook>> {
    let endpoint = check::endpoint(receiver)?;
    let is_it = |hook: &Hook| match (&hook.receiver, receiver) {
        (Receiver::Service { name: own, .. }, Receiver::Service { name, .. }) => own == name,
        (Receiver::Web { .. }, Receiver::Web { .. }) => hook.endpoint == endpoint,
        _ => false,
    };
    let mut hooks = site.hub.all_hooks_of(&topic.source.name).await?;
    hooks.retain(is_it);
    let wants = |hook: &Hook| hook.events.iter().any(|own| own.contains(pattern));
    let best = hooks.iter().position(wants).unwrap_or(0);
    Ok((!hooks.is_empty()).then(|| hooks.swap_remove(best)))
}

/// Where a callback leads: to a URL, or to a service.
fn receiver(site: &Site, callback: &str, content_type: ContentType) -> Result<Receiver> {
    let service = service::parse_callback(site.hub.brand(), callback);
    match service {
        Some(Ok((service, config))) => Ok(Receiver::Service {
            name: service.name.to_owned(),
            config,
        }),
        Some(Err(error)) => Err(Refusal::custom(format!("hub.callback {error}"))),
        None => {
            let url = crate::domain::value::CallbackUrl::parse(callback);
            let url = url.map_err(|error| Refusal::custom(format!("hub.callback {error}")))?;
            Ok(Receiver::Web { url, content_type })
        }
    }
}

fn accepts_json(call: &Call) -> bool {
    let accept = call.header(header::ACCEPT).unwrap_or_default();
    accept
        .split(',')
        .map(|range| range.split(';').next().unwrap_or_default().trim())
        .any(|range| range.eq_ignore_ascii_case("application/json"))
}
