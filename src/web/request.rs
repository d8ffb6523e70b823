//! Fields in, a typed hub request out, or the first thing that is wrong with it in words. Pure.
//!
//! Parameters that are not understood are ignored (HUB-07). A parameter that was sent twice must say the same twice, except
//! where lists are meant.

#[cfg(test)]
mod tests;

use super::form::Fields;
use super::problem::{Problem, shown};
use super::settings::LimitSettings;
use crate::domain::signature::Method;
use crate::domain::subscription::Mode;
use crate::domain::value::{CallbackUrl, SECRET_MAX_BYTES, Secret, TopicUrl, UrlError};
use crate::flow::subscribe::Request;

/// The most of a `From` header that is kept, in bytes: no mail address is longer.
const FROM_MAX_BYTES: usize = 320;

/// What a hub is asked for.
#[derive(Debug)]
pub enum HubRequest {
    /// To begin, renew or end a subscription.
    Subscription(Request),
    /// To look at topics that have changed.
    Ping(Vec<Named>),
}

/// What one value of a ping names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Named {
    /// A topic.
    Topic(TopicUrl),
    /// Several topics with commas or semicolons between them; or one whose URL has such in it, if `whole` is a topic that
    /// somebody subscribes to.
    List {
        /// The value as one URL, if it is one.
        whole: Option<TopicUrl>,
        /// The value as a list, of two or more.
        topics: Vec<TopicUrl>,
    },
}

/// Reads a request; `from` is its `From` header.
///
/// # Errors
/// [`Problem::Invalid`], in words that name the field, its value, and what would be right.
pub fn read(
    fields: &Fields,
    from: Option<&str>,
    limits: &LimitSettings,
) -> Result<HubRequest, Problem> {
    let subscription =
        |mode| read_subscription(mode, fields, from, limits).map(HubRequest::Subscription);
    match single(fields, "hub.mode")?.unwrap_or_default() {
        "subscribe" => subscription(Mode::Subscribe),
        "unsubscribe" => subscription(Mode::Unsubscribe),
        "publish" => read_ping(fields, limits).map(HubRequest::Ping),
        "" if fields.contains("mode") => invalid(
            "hub.mode is missing: the parameters' names begin with \"hub.\", so write hub.mode and not mode",
        ),
        "" => invalid("hub.mode is missing; send subscribe, unsubscribe or publish"),
        other => invalid(format!(
            "hub.mode: {:?} is not a mode; send subscribe, unsubscribe or publish",
            shown(other)
        )),
    }
}

/// A topic's URL, from wherever it came: `name` is the field or header that held it.
///
/// # Errors
/// [`Problem::Invalid`].
pub fn read_topic(name: &str, text: &str, limits: &LimitSettings) -> Result<TopicUrl, Problem> {
    read_url(name, text, limits, TopicUrl::parse)
}

/// A callback's URL, from wherever it came.
///
/// # Errors
/// [`Problem::Invalid`].
pub fn read_callback(
    name: &str,
    text: &str,
    limits: &LimitSettings,
) -> Result<CallbackUrl, Problem> {
    read_url(name, text, limits, CallbackUrl::parse)
}

fn read_subscription(
    mode: Mode,
    fields: &Fields,
    from: Option<&str>,
    limits: &LimitSettings,
) -> Result<Request, Problem> {
    let topic = required(fields, "hub.topic", "https://example.org/feed")?;
    let topic = read_topic("hub.topic", topic, limits)?;
    let callback = required(fields, "hub.callback", "https://you.example/callback")?;
    let callback = read_callback("hub.callback", callback, limits)?;
    let verify_token = read_verify_token(fields, limits)?;
    // What only a subscription needs does not stand in the way of ending one (HUB-06).
    let (secret, lease_seconds, method) = match mode {
        Mode::Subscribe => (
            read_secret(fields)?,
            read_lease(fields)?,
            read_method(fields)?,
        ),
        Mode::Unsubscribe => (None, None, None),
    };
    Ok(Request {
        mode,
        topic,
        callback,
        secret,
        lease_seconds,
        method,
        sync: prefers_sync(fields),
        verify_token,
        from: from.map(|from| clipped(from, FROM_MAX_BYTES).to_owned()),
    })
}

fn read_ping(fields: &Fields, limits: &LimitSettings) -> Result<Vec<Named>, Problem> {
    let mut named = Vec::new();
    let mut count = 0;
    for name in ["hub.url", "hub.topic"] {
        for value in fields.all(name) {
            let value = read_named(name, value, limits)?;
            if named.contains(&value) {
                continue;
            }
            count += match &value {
                Named::Topic(_) => 1,
                Named::List { topics, .. } => topics.len(),
            };
            if count > limits.pings_per_request {
                let most = limits.pings_per_request;
                return invalid(format!(
                    "{name}: this ping names more than {most} topics; send at most {most} at once"
                ));
            }
            named.push(value);
        }
    }
    match named.is_empty() {
        true => invalid("hub.url is missing; send the URL of the topic that has changed"),
        false => Ok(named),
    }
}

fn read_named(name: &str, value: &str, limits: &LimitSettings) -> Result<Named, Problem> {
    let topic = |text| read_topic(name, text, limits);
    let parts: Vec<&str> = value
        .split([',', ';'])
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .collect();
    if parts.len() < 2 {
        return topic(value).map(Named::Topic);
    }
    let whole = topic(value).ok();
    let topics: Result<Vec<TopicUrl>, Problem> = parts.into_iter().map(topic).collect();
    match (topics, whole) {
        (Ok(topics), whole) => Ok(Named::List { whole, topics }),
        (Err(_), Some(whole)) => Ok(Named::Topic(whole)),
        (Err(problem), None) => Err(problem),
    }
}

fn required<'a>(fields: &'a Fields, name: &str, example: &str) -> Result<&'a str, Problem> {
    match single(fields, name)? {
        Some(value) if !value.is_empty() => Ok(value),
        _ => invalid(format!(
            "{name} is missing; send an absolute http or https URL, such as {example}"
        )),
    }
}

/// The value of a parameter that has one. Which of several is meant only the client knows.
fn single<'a>(fields: &'a Fields, name: &str) -> Result<Option<&'a str>, Problem> {
    let mut values = fields.all(name);
    let first = values.next();
    let Some((first, other)) = first.zip(values.find(|other| Some(*other) != first)) else {
        return Ok(first);
    };
    let is_secret = matches!(name, "hub.secret" | "hub.verify_token");
    let values = match is_secret {
        true => String::new(),
        false => format!(", {:?} and {:?}", shown(first), shown(other)),
    };
    invalid(format!(
        "{name} was sent with two different values{values}; send one"
    ))
}

fn read_url<U>(
    name: &str,
    text: &str,
    limits: &LimitSettings,
    parse: fn(&str) -> Result<U, UrlError>,
) -> Result<U, Problem> {
    let (length, most) = (text.len(), limits.url_bytes);
    if length > most {
        return invalid(format!(
            "{name}: the URL is {length} bytes long, and this hub takes up to {most}: {:?}",
            shown(text)
        ));
    }
    parse(text).or_else(|error| invalid(format!("{name}: {:?} {error}", shown(text))))
}

/// The value is never shown: it is secret.
fn read_secret(fields: &Fields) -> Result<Option<Secret>, Problem> {
    let Some(text) = single(fields, "hub.secret")?.filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    Secret::parse(text).map(Some).or_else(|length| {
        invalid(format!(
            "hub.secret is {length} bytes long; it must be shorter than 200, that is {SECRET_MAX_BYTES} at most"
        ))
    })
}

/// Missing and empty is "as the hub likes"; a number too large to count is as large as a number can be.
fn read_lease(fields: &Fields) -> Result<Option<u64>, Problem> {
    let text = single(fields, "hub.lease_seconds")?
        .unwrap_or_default()
        .trim();
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return invalid(format!(
            "hub.lease_seconds: {:?} is not a number of seconds; send digits only, such as 864000, or leave it out",
            shown(text)
        ));
    }
    Ok((!text.is_empty()).then(|| text.parse().unwrap_or(u64::MAX)))
}

fn read_method(fields: &Fields) -> Result<Option<Method>, Problem> {
    let Some(text) = single(fields, "hub.signature")?.filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    Method::parse(text).map(Some).ok_or_else(|| {
        Problem::Invalid(format!(
            "hub.signature: {:?} is not a method; send {}",
            shown(text),
            Method::ALL.map(Method::name).join(", ")
        ))
    })
}

/// An empty token is none.
fn read_verify_token(fields: &Fields, limits: &LimitSettings) -> Result<Option<String>, Problem> {
    let token = single(fields, "hub.verify_token")?.unwrap_or_default();
    let (length, most) = (token.len(), limits.url_bytes);
    if length > most {
        return invalid(format!(
            "hub.verify_token is {length} bytes long; this hub takes up to {most}"
        ));
    }
    Ok((!token.is_empty()).then(|| token.to_owned()))
}

/// Whether the first keyword that is understood is `sync` (HUB-70, Q-02).
fn prefers_sync(fields: &Fields) -> bool {
    let mut keywords = fields
        .all("hub.verify")
        .flat_map(|value| value.split([',', ' ']))
        .filter(|keyword| matches!(*keyword, "sync" | "async"));
    keywords.next() == Some("sync")
}

/// The beginning of a text, in whole characters.
fn clipped(text: &str, bytes: usize) -> &str {
    &text[..text.floor_char_boundary(bytes)]
}

fn invalid<T>(text: impl Into<String>) -> Result<T, Problem> {
    Err(Problem::Invalid(text.into()))
}
