//! A hook as SocialGateway's API shows it, and the ping that tells a new hook of itself (webhooks.md 1.4). In: a hook and how it
//! fares. Out: what is written as JSON. Pure.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, json};

use super::service;
use super::socialgateway::repository_id;
use crate::domain::event::EventPattern;
use crate::domain::hook::{ContentType, Hook, HookHealth, LastResponse, Receiver};
use crate::domain::source::SourceName;
use crate::domain::value::Timestamp;

/// What stands in the place of a secret.
pub const MASK: &str = "********";
/// What pings say.
const ZEN: &str = "Tell many listeners at once.";

/// A hook object.
#[derive(Debug, Serialize)]
pub struct HookObject {
    #[serde(rename = "type")]
    kind: &'static str,
    id: u64,
    name: String,
    active: bool,
    events: Vec<String>,
    config: BTreeMap<String, String>,
    updated_at: String,
    created_at: String,
    url: String,
    test_url: String,
    ping_url: String,
    deliveries_url: String,
    last_response: ResponseObject,
}

/// What came of the last delivery.
#[derive(Debug, Serialize)]
struct ResponseObject {
    code: Option<u16>,
    status: &'static str,
    message: Option<String>,
}

/// The hook object. `base` is the hub's URL, which ends in a slash.
pub fn hook_object(base: &str, hook: &Hook, health: &HookHealth) -> HookObject {
    let url = hook_url(base, hook);
    HookObject {
        kind: "Repository",
        id: hook.id.0,
        name: name(&hook.receiver).to_owned(),
        active: hook.active,
        events: hook.events.iter().map(EventPattern::to_string).collect(),
        config: config(hook),
        updated_at: seconds(hook.updated_at),
        created_at: seconds(hook.created_at),
        test_url: format!("{url}/tests"),
        ping_url: format!("{url}/pings"),
        deliveries_url: format!("{url}/deliveries"),
        url,
        last_response: response_object(health.last_response.as_ref()),
    }
}

/// Where a hook is.
pub fn hook_url(base: &str, hook: &Hook) -> String {
    format!("{base}repos/{}/hooks/{}", hook.source, hook.id)
}

/// `web`, or the name of the service.
pub fn name(receiver: &Receiver) -> &str {
    match receiver {
        Receiver::Web { .. } => "web",
        Receiver::Service { name, .. } => name,
    }
}

/// The config as it may be shown: every value is a text, secrets are masked.
pub fn config(hook: &Hook) -> BTreeMap<String, String> {
    match &hook.receiver {
        Receiver::Service { name, config } => match service::find(name) {
            Ok(service) => service.masked(config),
            Err(_) => BTreeMap::new(),
        },
        Receiver::Web { url, content_type } => {
            let content_type = match content_type {
                ContentType::Json => "json",
                ContentType::Form => "form",
            };
            let insecure = if hook.verify_tls { "0" } else { "1" };
            let secret = hook.secret.as_ref().map(|_| ("secret", MASK));
            [
                ("url", url.as_str()),
                ("content_type", content_type),
                ("insecure_ssl", insecure),
            ]
            .into_iter()
            .chain(secret)
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect()
        }
    }
}

/// What a ping holds.
pub fn ping(base: &str, hook: &Hook, health: &HookHealth) -> Value {
    json!({
        "zen": ZEN,
        "hook_id": hook.id.0,
        "hook": hook_object(base, hook, health),
        "repository": repository(base, &hook.source),
        "sender": sender(base),
    })
}

/// A time as SocialGateway writes it: without milliseconds.
pub fn seconds(at: Timestamp) -> String {
    let written = at.to_string();
    match written.split_once('.') {
        Some((seconds, _)) => format!("{seconds}Z"),
        None => written,
    }
}

fn repository(base: &str, source: &SourceName) -> Value {
    let owner = source.as_str().split('/').next().unwrap_or_default();
    json!({
        "id": repository_id(source),
        "name": source.last_segment(),
        "full_name": source.as_str(),
        "owner": { "login": owner },
        "url": format!("{base}repos/{source}"),
        "hooks_url": format!("{base}repos/{source}/hooks"),
    })
}

fn sender(base: &str) -> Value {
    json!({ "login": "fanfare", "type": "Bot", "url": base })
}

fn response_object(last: Option<&LastResponse>) -> ResponseObject {
    match last {
        None => ResponseObject {
            code: None,
            status: "unused",
            message: None,
        },
        Some(last) => ResponseObject {
            code: last.status,
            status: match last.status {
                Some(200..=299) => "active",
                Some(_) => "invalid_http_response",
                None => "failed_to_connect",
            },
            message: Some(last.message.clone()),
        },
    }
}
