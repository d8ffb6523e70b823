//! The webhooks of other systems: a real Mastodon, Rebased, Pleroma, Muut or GitHub, or a hub of our own kind. In: the request.
//! Out: the event that it tells of, if its signature is right.

use std::borrow::Cow;

use hyper::header::{CONTENT_TYPE, HeaderMap};

use super::layout::Misfit;
use super::signature::{self, Verdict};
use super::{DELIVERY, FORM, Grammar, accept, grammar, socialgateway, standard};
use crate::domain::event::{Event, EventName, NameError};
use crate::domain::json::{Json, JsonError};
use crate::domain::source::{Dialect, Source};
use crate::domain::value::Timestamp;

/// The longest id of a sender that is kept, in bytes.
const ID_MAX_BYTES: usize = 200;

/// What came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Incoming {
    /// Signed under the source's secret.
    Signed(Webhook),
    /// Nobody signed it, for the source has no secret: believe it only with a token.
    Unsigned(Webhook),
}

/// A webhook that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webhook {
    /// The event; `None` for a ping, which is answered and no more.
    pub event: Option<Event>,
    /// What the sender calls it: the same on every repeat.
    pub id: Option<String>,
}

/// Why a webhook is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InboxError {
    /// The source has a secret, and the request no signature.
    #[error(
        "the request is not signed; the source has an inbound secret, so {0} must carry the signature of the body under it"
    )]
    NoSignature(String),
    /// The signature is not that of the body.
    #[error(
        "the signature is not that of the body; check that the sender's secret is the source's inbound secret"
    )]
    WrongSignature,
    /// A form without the field.
    #[error("the form has no field payload, in which the JSON should stand")]
    NoPayload,
    /// Not JSON.
    #[error("the body {0}")]
    Json(JsonError),
    /// Nothing says which event it is.
    #[error("the request does not say which event it is; {0} should")]
    NoName(&'static str),
    /// It says so in a way that no event is called.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The source has no such event, or the payload does not fit.
    #[error(transparent)]
    Misfit(#[from] Misfit),
}

/// Reads a webhook for a source, in the source's dialect. Its signature is checked before anything else is looked at.
///
/// # Errors
/// See [`InboxError`].
pub fn read(
    source: &Source,
    headers: &HeaderMap,
    body: &[u8],
    now: Timestamp,
) -> Result<Incoming, InboxError> {
    let grammar = grammar(source.dialect);
    let incoming = match &source.inbound_secret {
        None => Incoming::Unsigned,
        Some(secret) => {
            let schemes = grammar.schemes();
            let own = signature::check(schemes, headers, secret, body);
            let verdict = match own {
                Verdict::Missing => standard::check(headers, secret, body, now),
                own => own,
            };
            match verdict {
                Verdict::Right => Incoming::Signed,
                Verdict::Wrong => return Err(InboxError::WrongSignature),
                Verdict::Missing => {
                    return Err(InboxError::NoSignature(schemes[0].name().to_owned()));
                }
            }
        }
    };
    let event = event(source, grammar, headers, body, now)?;
    let id = id(headers);
    Ok(incoming(Webhook { event, id }))
}

fn event(
    source: &Source,
    grammar: &dyn Grammar,
    headers: &HeaderMap,
    body: &[u8],
    now: Timestamp,
) -> Result<Option<Event>, InboxError> {
    let json = Json::parse(&payload(headers, body)?).map_err(InboxError::Json)?;
    let name = grammar
        .incoming_name(headers, &json)
        .ok_or(InboxError::NoName(grammar.names_it_in()))?;
    let name = EventName::parse(&name)?;
    if source.dialect == Dialect::SocialGateway && name.as_str() == socialgateway::PING {
        return Ok(None);
    }
    Ok(Some(accept(source, &name, json, now)?))
}

/// The JSON: the body, or the field `payload` of a form.
fn payload<'a>(headers: &HeaderMap, body: &'a [u8]) -> Result<Cow<'a, [u8]>, InboxError> {
    let media_type = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let essence = media_type.and_then(|value| value.split(';').next());
    if !essence.is_some_and(|essence| essence.trim().eq_ignore_ascii_case(FORM)) {
        return Ok(Cow::Borrowed(body));
    }
    url::form_urlencoded::parse(body)
        .find(|(field, _)| field == "payload")
        .map(|(_, payload)| Cow::Owned(payload.into_owned().into_bytes()))
        .ok_or(InboxError::NoPayload)
}

/// The sender's id: that of the event where it has one, else that of the delivery.
fn id(headers: &HeaderMap) -> Option<String> {
    let id = headers
        .get(standard::ID)
        .or_else(|| socialgateway::delivery_id(headers))
        .or_else(|| headers.get(DELIVERY))?;
    let text = id.to_str().ok().filter(|text| !text.is_empty())?;
    (text.len() <= ID_MAX_BYTES).then(|| text.to_owned())
}
