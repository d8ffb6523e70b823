//! What a hook must be before it is kept. In: a hook as it was drafted, its source, the other hooks of that source. Out: the
//! hook in its normal form, or the first thing that is wrong with it. Pure.

use std::collections::BTreeMap;

use url::Host;

use super::HookError;
use crate::dialect::filter::Filter;
use crate::dialect::repository::MASK;
use crate::dialect::service::{self, Destination};
use crate::dialect::template::Template;
use crate::dialect::{catalogue, check_headers, check_pattern};
use crate::domain::event::EventPattern;
use crate::domain::hook::{Hook, Receiver, Signing};
use crate::domain::host_pattern::HostPattern;
use crate::domain::source::{Dialect, Source};
use crate::domain::value::{CallbackUrl, UrlError};
use crate::flow::subscribe::as_ref;
use crate::net::guard::Guard;

/// The shortest secret in Mastodon's dialects, in bytes: Mastodon's own rule (webhooks.md 1.1).
pub const SECRET_MIN_BYTES: usize = 12;
/// The most that the texts of a hook have together, in bytes: it is one row of the store.
const TEXTS_MAX_BYTES: usize = 32 * 1024;
/// The most patterns of a hook.
const PATTERNS_MAX: usize = 200;

/// Where the hub may go.
pub struct Reachable<'a> {
    /// Which addresses.
    pub guard: &'a Guard,
    /// Which hosts not (`subscriptions.callback_hosts_deny`).
    pub denied: &'a [HostPattern],
}

impl Reachable<'_> {
    /// Checks a URL whose host is written out or a literal address. Where a name leads is judged at each connection.
    fn check(&self, endpoint: &CallbackUrl) -> Result<(), HookError> {
        // Not as a URL: the host of an `irc:` URL would be no address, however it is written.
        let host =
            Host::parse(endpoint.host()).map_err(|error| HookError::Url(UrlError::Host(error)))?;
        let is_denied = |pattern: &HostPattern| pattern.matches(as_ref(&host));
        if self.denied.iter().any(is_denied) {
            return Err(HookError::DeniedHost(endpoint.host().to_owned()));
        }
        match host {
            Host::Ipv4(address) => self.guard.check(address.into())?,
            Host::Ipv6(address) => self.guard.check(address.into())?,
            Host::Domain(_) => {}
        }
        Ok(())
    }
}

/// The URL to which the requests of a receiver go.
///
/// # Errors
/// What is wrong with the service or its config.
pub fn endpoint(receiver: &Receiver) -> Result<CallbackUrl, HookError> {
    match receiver {
        Receiver::Web { url, .. } => Ok(url.clone()),
        Receiver::Service { name, config } => {
            let service = service::find(name)?;
            service.check(config)?;
            match service.destination(config)? {
                Destination::Http { url } => Ok(url),
                Destination::Irc(room) => {
                    CallbackUrl::irc(&room.server, room.port, room.tls, &room.channel)
                        .map_err(HookError::Url)
                }
            }
        }
    }
}

/// The hook with its events in their normal form, and its endpoint as its receiver says.
///
/// # Errors
/// The first thing that is wrong with it, whatever other hooks there are.
pub fn check(
    mut hook: Hook,
    source: &Source,
    reachable: &Reachable<'_>,
) -> Result<Hook, HookError> {
    if hook.events.is_empty() {
        return Err(HookError::NoEvents(example_of(source)));
    }
    for pattern in &hook.events {
        check_pattern(source, pattern)?;
    }
    hook.events = EventPattern::normalise(hook.events);
    if hook.events.len() > PATTERNS_MAX {
        return Err(HookError::TooManyEvents {
            named: hook.events.len(),
            most: PATTERNS_MAX,
        });
    }
    check_masks(&hook)?;
    check_use(&hook)?;
    hook.endpoint = endpoint(&hook.receiver)?;
    reachable.check(&hook.endpoint)?;
    if let Some(template) = &hook.template {
        Template::parse(template)?;
    }
    if let Some(filter) = &hook.filter {
        Filter::parse(filter)?;
    }
    check_headers(&hook.headers)?;
    if hook.rate == Some(0) {
        return Err(HookError::Rate);
    }
    check_secret(&hook)?;
    check_signing(&hook)?;
    match texts(&hook) {
        0..=TEXTS_MAX_BYTES => Ok(hook),
        bytes => Err(HookError::TooLarge {
            bytes,
            most: TEXTS_MAX_BYTES,
        }),
    }
}

/// Whether a hook may stand beside the others of its source.
///
/// # Errors
/// The hook that is there already.
pub fn check_beside(hook: &Hook, others: &[Hook]) -> Result<(), HookError> {
    let mut others = others.iter().filter(|other| other.id != hook.id);
    match others.find(|other| is_twin(hook, other)) {
        Some(twin) => Err(HookError::Exists {
            twin: twin.id,
            url: match &hook.receiver {
                Receiver::Web { url, .. } if has_unique_urls(hook.dialect) => Some(url.clone()),
                _ => None,
            },
        }),
        None => Ok(()),
    }
}

/// The hook that a source has already for the service of this one: there is one at most.
pub fn same_service<'a>(hook: &Hook, others: &'a [Hook]) -> Option<&'a Hook> {
    let service = |hook: &Hook| match &hook.receiver {
        Receiver::Service { name, .. } => Some(name.to_ascii_lowercase()),
        Receiver::Web { .. } => None,
    };
    let own = service(hook)?;
    others
        .iter()
        .find(|other| service(other).as_deref() == Some(own.as_str()))
}

fn is_twin(hook: &Hook, other: &Hook) -> bool {
    match (&hook.receiver, &other.receiver) {
        (Receiver::Web { url, .. }, Receiver::Web { url: taken, .. })
            if has_unique_urls(hook.dialect) =>
        {
            url == taken
        }
        (Receiver::Web { .. }, Receiver::Web { .. }) => {
            hook.receiver == other.receiver && overlaps(&hook.events, &other.events)
        }
        _ => same_service(hook, std::slice::from_ref(other)).is_some(),
    }
}

/// Mastodon and Pleroma have a URL once.
fn has_unique_urls(dialect: Dialect) -> bool {
    matches!(dialect, Dialect::Mastodon | Dialect::Pleroma)
}

fn overlaps(own: &[EventPattern], others: &[EventPattern]) -> bool {
    own.iter().any(|own| {
        others
            .iter()
            .any(|other| own.contains(other) || other.contains(own))
    })
}

fn check_secret(hook: &Hook) -> Result<(), HookError> {
    let length = hook
        .secret
        .as_ref()
        .map(|secret| secret.expose().len())
        .filter(|length| *length < SECRET_MIN_BYTES);
    match length {
        Some(length) if has_unique_urls(hook.dialect) => Err(HookError::ShortSecret {
            length,
            dialect: hook.dialect.name(),
        }),
        _ => Ok(()),
    }
}

/// What was shown in the place of a secret, and was not put back in its place, is none.
fn check_masks(hook: &Hook) -> Result<(), HookError> {
    let has_mask = |map: &BTreeMap<String, String>| map.values().any(|value| value == MASK);
    let is_masked = hook.secret.as_ref().is_some_and(|own| own.expose() == MASK);
    match &hook.receiver {
        _ if is_masked => Err(HookError::Masked("secret")),
        _ if has_mask(&hook.headers) => Err(HookError::Masked("headers")),
        Receiver::Service { config, .. } if has_mask(config) => Err(HookError::Masked("config")),
        _ => Ok(()),
    }
}

/// A service has no use for what shapes the requests of a dialect.
fn check_use(hook: &Hook) -> Result<(), HookError> {
    let Receiver::Service { name, .. } = &hook.receiver else {
        return Ok(());
    };
    let fields = [
        ("template", hook.template.is_some()),
        ("headers", !hook.headers.is_empty()),
        ("signing", hook.signing != Signing::Dialect),
        ("secret", hook.secret.is_some()),
    ];
    match fields.into_iter().find(|(_, is_there)| *is_there) {
        Some((field, _)) => Err(HookError::Useless {
            field,
            service: name.clone(),
        }),
        None => Ok(()),
    }
}

/// Who asks for the signatures of Standard Webhooks has something to make them with.
fn check_signing(hook: &Hook) -> Result<(), HookError> {
    let has_key = hook.secret.is_some() || hook.signing_key.is_some();
    match hook.signing {
        Signing::Both if !has_key => Err(HookError::Keyless("both")),
        Signing::Standard if !has_key => Err(HookError::Keyless("standard")),
        _ => Ok(()),
    }
}

fn texts(hook: &Hook) -> usize {
    let pairs = |(name, value): (&String, &String)| name.len() + value.len();
    let receiver: usize = match &hook.receiver {
        Receiver::Web { url, .. } => url.as_str().len(),
        Receiver::Service { config, .. } => config.iter().map(pairs).sum(),
    };
    let headers: usize = hook.headers.iter().map(pairs).sum();
    let template = hook.template.as_ref().map_or(0, String::len);
    receiver + headers + template + hook.filter.as_ref().map_or(0, String::len)
}

fn example_of(source: &Source) -> String {
    let own = source.events.first().map(|name| name.to_string());
    let known = catalogue(source.dialect).first().map(|&name| name.into());
    own.or(known).unwrap_or_else(|| "*".into())
}

#[cfg(test)]
mod tests;
