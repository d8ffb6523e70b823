//! How an event becomes the headers and the body of a request, and how an incoming webhook becomes an event; pure.
//!
//! One file for each dialect, all of one shape (`Grammar`). In the order of an event's life: [`check_name`] and [`accept`] (what a
//! program raises), [`body`] (what is kept, and [`event`] back from it), [`template`] and [`filter`] (what a hook makes of it),
//! [`encode`] and [`request`] (what is sent), [`inbox`] (what comes in from another system). [`websub`] has the deliveries of
//! subscriptions, too.

use bytes::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::domain::event::{Event, EventName};
use crate::domain::hook::{ContentType, Hook, Receiver, Signing};
use crate::domain::json::Json;
use crate::domain::source::{Dialect, Source, SourceName};
use crate::domain::value::{PublicationId, Timestamp};

mod catalogue;
mod custom;
pub mod filter;
pub mod inbox;
mod layout;
mod mastodon;
mod muut;
pub mod occurrence;
pub mod repository;
pub mod service;
mod signature;
pub mod socialgateway;
pub mod standard;
pub mod template;
pub mod verdict;
mod view;
pub mod websub;

#[cfg(test)]
mod tests;

pub use catalogue::{catalogue, check_name, check_pattern, count_matches, example, unknown};
pub use custom::{HeaderError, check_headers};
pub use layout::Misfit;

/// The delivery's id, the same on every repeat.
const DELIVERY: HeaderName = HeaderName::from_static("x-fanfare-delivery");
/// The event's name, where the dialect has no header of its own for it.
const EVENT: HeaderName = HeaderName::from_static("x-fanfare-event");

/// What all requests for one event have in common.
#[derive(Clone, Copy, Debug)]
pub struct Occasion<'a> {
    /// The event.
    pub event: &'a Event,
    /// One for each event: the same for all hooks and all repeats.
    pub id: PublicationId,
    /// Who raised it.
    pub source: &'a SourceName,
    /// The hub's own URL, which ends in a slash.
    pub public_url: &'a str,
    /// Whose name SocialGateway's headers bear: `SocialGateway`, or `GitHub` for its libraries.
    pub brand: &'a str,
    /// Names the hub.
    pub user_agent: &'a HeaderValue,
}

/// What is sent to a hook.
#[derive(Clone, Debug)]
pub struct Request {
    /// All headers but `Host` and those of the connection.
    pub headers: HeaderMap,
    /// The body, to the byte: the signatures are made of it.
    pub body: Bytes,
}

/// A dialect.
trait Grammar: Sync {
    /// The names of its events.
    fn catalogue(&self) -> &'static [&'static str];

    /// How it signs, strongest first.
    fn schemes(&self) -> &'static [signature::Scheme];

    /// Reads what a program raised: any object, where the dialect has no layout of its own.
    fn accept(&self, name: &EventName, given: Json, now: Timestamp) -> Result<Event, Misfit> {
        const ANYTHING: layout::Shape = layout::Shape::Object(&[]);
        ANYTHING
            .check("", Some(given.as_str()))
            .map_err(|flaw| flaw.of(name, ANYTHING.example()))?;
        Ok(Event {
            name: name.clone(),
            created_at: now,
            payload: given,
        })
    }

    /// Writes the default body: the payload as it is, where the dialect has no layout of its own.
    fn body(&self, event: &Event, _type_key: bool) -> String {
        event.payload.as_str().to_owned()
    }

    /// The payload in a body that `body` wrote.
    fn payload<'a>(&self, body: &'a str) -> Option<&'a str> {
        Some(body)
    }

    /// Adds the headers that are the dialect's own, signatures apart.
    fn headers(&self, _: &Occasion<'_>, _: &Hook, _body: &Bytes, _: &mut HeaderMap) {}

    /// The event that a request from elsewhere tells of.
    fn incoming_name(&self, headers: &HeaderMap, body: &Json) -> Option<String>;

    /// Where it says so, in words.
    fn names_it_in(&self) -> &'static str;
}

fn grammar(dialect: Dialect) -> &'static dyn Grammar {
    match dialect {
        Dialect::Websub => &websub::Websub,
        Dialect::Mastodon => &mastodon::Mastodon,
        Dialect::Pleroma => &mastodon::Pleroma,
        Dialect::Muut => &muut::Muut,
        Dialect::SocialGateway => &socialgateway::SocialGateway,
    }
}

/// Makes an event of what a program raised: the payload alone, or the whole layout of the source's dialect. `now` is the time of an
/// event that does not say its own.
///
/// # Errors
/// The source has no such event, or the payload does not fit.
pub fn accept(
    source: &Source,
    name: &EventName,
    given: Json,
    now: Timestamp,
) -> Result<Event, Misfit> {
    check_name(source, name)?;
    grammar(source.dialect).accept(name, given, now)
}

/// The body of an event in a dialect, which may be another than its source's. `type_key` is the key `type` for `event` in
/// Pleroma's.
pub fn body(dialect: Dialect, event: &Event, type_key: bool) -> Bytes {
    grammar(dialect).body(event, type_key).into()
}

/// The event whose `body` this is, in the dialect of its source; `None` for bytes that are none.
pub fn event(
    dialect: Dialect,
    name: EventName,
    created_at: Timestamp,
    body: &[u8],
) -> Option<Event> {
    let body = std::str::from_utf8(body).ok()?;
    let payload = view::part(grammar(dialect).payload(body)?)?;
    Some(Event {
        name,
        created_at,
        payload,
    })
}

/// Writes a body as a hook wants it: as it is, or in the field `payload` of a form.
pub fn encode(body: &Bytes, content_type: ContentType) -> Bytes {
    /// What stands in a form as it is.
    const PLAIN: &AsciiSet = &NON_ALPHANUMERIC
        .remove(b'-')
        .remove(b'.')
        .remove(b'_')
        .remove(b'*');
    match content_type {
        ContentType::Json => body.clone(),
        ContentType::Form => {
            let text = String::from_utf8_lossy(body);
            format!("payload={}", utf8_percent_encode(&text, PLAIN)).into()
        }
    }
}

/// The request that tells a hook of an event. `body` is what is sent: made by [`body`] or a template, then by [`encode`].
pub fn request(occasion: &Occasion<'_>, hook: &Hook, body: Bytes, now: Timestamp) -> Request {
    let media_type = match hook.receiver {
        Receiver::Web {
            content_type: ContentType::Form,
            ..
        } => FORM,
        _ => "application/json",
    };
    let grammar = grammar(hook.dialect);
    let mut headers = HeaderMap::with_capacity(20);
    // First, so that whatever the hub writes itself replaces them.
    custom::add(&hook.headers, &mut headers);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(USER_AGENT, occasion.user_agent.clone());
    let delivery = occasion.id.delivery(hook.id.target());
    headers.insert(DELIVERY, value(delivery.to_string()));
    grammar.headers(occasion, hook, &body, &mut headers);
    if hook.signing != Signing::Standard {
        signature::add(grammar.schemes(), hook.secrets(now), &body, &mut headers);
    }
    if hook.signing != Signing::Dialect {
        let (id, key) = (occasion.id.to_string(), hook.signing_key.as_ref());
        standard::add(&id, now, hook.secrets(now), key, &body, &mut headers);
    }
    Request { headers, body }
}

/// The media type of a form.
const FORM: &str = "application/x-www-form-urlencoded";

/// A header's value; what could not stand in a header (only stored data of an older version might) becomes empty.
fn value(text: String) -> HeaderValue {
    HeaderValue::try_from(text).unwrap_or_else(|_| HeaderValue::from_static(""))
}
