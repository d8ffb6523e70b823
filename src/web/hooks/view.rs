//! A hook as the API shows it: secrets are masked but for the one time that they are given out.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::dialect::repository::{MASK, config, name};
use crate::dialect::standard::public_key;
use crate::domain::event::EventPattern;
use crate::domain::hook::{ContentType, Hook, HookHealth, HookId, Receiver, Signing};
use crate::domain::job::Backlog;
use crate::domain::source::Dialect;

/// Whether secrets are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Showing {
    /// They are not.
    Masked,
    /// The secret is, this once.
    Whole,
}

/// A hook.
#[derive(Debug, Serialize)]
pub struct HookView {
    id: HookId,
    source: String,
    name: String,
    url: Option<String>,
    content_type: Option<ContentType>,
    config: Option<BTreeMap<String, String>>,
    events: Vec<String>,
    event_count: usize,
    dialect: Dialect,
    secret: Option<String>,
    old_secret_until: Option<String>,
    signing: Signing,
    public_key: Option<String>,
    active: bool,
    disabled_because: Option<String>,
    template: Option<String>,
    type_key: bool,
    verify_tls: bool,
    rate: Option<u32>,
    ordered: bool,
    filter: Option<String>,
    headers: BTreeMap<String, String>,
    created_at: String,
    updated_at: String,
    /// Events that wait for it.
    in_backlog: u64,
    /// When the next of them is tried; never while the hook is disabled.
    next_attempt_at: Option<String>,
    health: HealthView,
}

/// What the hub knows of a hook beside what it is.
pub struct Fares {
    /// How many events of its source it asks for.
    pub events: usize,
    /// How its deliveries went.
    pub health: HookHealth,
    /// What waits for it.
    pub backlog: Option<Backlog>,
}

#[derive(Debug, Serialize)]
struct HealthView {
    failing_since: Option<String>,
    last_response: Option<ResponseView>,
}

#[derive(Debug, Serialize)]
struct ResponseView {
    status: Option<u16>,
    message: String,
}

impl HookView {
    /// Writes a hook down.
    pub fn of(hook: Hook, fares: Fares, showing: Showing) -> Self {
        let Fares {
            events,
            health,
            backlog,
        } = fares;
        let backlog = backlog.as_ref();
        let (url, content_type, service) = match &hook.receiver {
            Receiver::Web { url, content_type } => {
                (Some(url.to_string()), Some(*content_type), None)
            }
            Receiver::Service { .. } => (None, None, Some(config(&hook))),
        };
        let secret = hook.secret.as_ref().map(|secret| match showing {
            Showing::Masked => MASK.to_owned(),
            Showing::Whole => secret.expose().to_owned(),
        });
        Self {
            id: hook.id,
            source: hook.source.to_string(),
            name: name(&hook.receiver).to_owned(),
            url,
            content_type,
            config: service,
            events: hook.events.iter().map(EventPattern::to_string).collect(),
            event_count: events,
            dialect: hook.dialect,
            secret,
            old_secret_until: hook.old_secret.as_ref().map(|old| old.until.to_string()),
            signing: hook.signing,
            public_key: hook.signing_key.as_ref().and_then(public_key),
            active: hook.active,
            in_backlog: backlog.map_or(0, |backlog| backlog.entries),
            next_attempt_at: backlog
                .filter(|_| hook.active)
                .map(|backlog| backlog.due.to_string()),
            disabled_because: hook.disabled_because,
            template: hook.template,
            type_key: hook.type_key,
            verify_tls: hook.verify_tls,
            rate: hook.rate,
            ordered: hook.ordered,
            filter: hook.filter,
            headers: masked(hook.headers),
            created_at: hook.created_at.to_string(),
            updated_at: hook.updated_at.to_string(),
            health: HealthView {
                failing_since: health.failing_since.map(|at| at.to_string()),
                last_response: health.last_response.map(|last| ResponseView {
                    status: last.status,
                    message: last.message,
                }),
            },
        }
    }
}

/// What a search looks at. The URL of a service may be a secret; its server is none.
pub fn searched(hook: &Hook) -> &str {
    match &hook.receiver {
        Receiver::Web { url, .. } => url.as_str(),
        Receiver::Service { .. } => hook.endpoint.origin(),
    }
}

/// Where a request went, as it may be shown: whoever has the URL of a chat's webhook can speak there.
pub fn shown_url<'a>(hook: &'a Hook, url: &'a str) -> &'a str {
    match hook.receiver {
        Receiver::Web { .. } => url,
        Receiver::Service { .. } => hook.endpoint.origin(),
    }
}

/// Headers as an object; of one that is there more than once, all values with commas between them.
pub fn object(headers: &[(String, String)]) -> BTreeMap<String, String> {
    let mut object = BTreeMap::<String, String>::new();
    for (name, value) in headers {
        object
            .entry(name.clone())
            .and_modify(|all| {
                all.push_str(", ");
                all.push_str(value);
            })
            .or_insert_with(|| value.clone());
    }
    masked(object)
}

/// With the values masked of those that let somebody in.
fn masked(headers: BTreeMap<String, String>) -> BTreeMap<String, String> {
    const WORDS: [&str; 6] = ["auth", "cookie", "key", "password", "secret", "token"];
    let mask = |(name, value): (String, String)| {
        let lower = name.to_ascii_lowercase();
        match WORDS.iter().any(|word| lower.contains(word)) {
            true => (name, MASK.to_owned()),
            false => (name, value),
        }
    };
    headers.into_iter().map(mask).collect()
}
