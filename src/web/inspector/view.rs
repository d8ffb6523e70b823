//! How the API shows the inspector's addresses, and what has arrived there. In: what the inspector keeps. Out: JSON.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

use super::Site;
use crate::dialect::verdict::{Finding, Verdict, signatures};
use crate::domain::notation::format_duration;
use crate::domain::value::Secret;
use crate::flow::inspector::{Caught, Standing};

/// An address.
#[derive(Serialize)]
pub struct BinView {
    id: String,
    url: String,
    made_at: String,
    expires_at: String,
    status: u16,
    delay: String,
    challenge: bool,
    received: u64,
    kept: usize,
}

impl BinView {
    /// An address at this hub.
    pub fn of(site: &Site, bin: Standing) -> Self {
        Self {
            url: format!("{}inspect/{}", site.hub.url, bin.id),
            id: bin.id,
            made_at: bin.made_at.to_string(),
            expires_at: bin.expires_at.to_string(),
            status: bin.manners.status,
            delay: format_duration(bin.manners.delay),
            challenge: bin.manners.challenge,
            received: bin.received,
            kept: bin.kept,
        }
    }
}

/// A request that has arrived. Its body is text, or else base64.
#[derive(Serialize)]
pub struct CaughtView<'a> {
    number: u64,
    at: String,
    from: String,
    method: &'a str,
    query: Option<&'a str>,
    headers: Vec<HeaderView<'a>>,
    body: Option<&'a str>,
    body_base64: Option<String>,
    size: usize,
    is_cut: bool,
    answered: u16,
    is_challenge: bool,
}

#[derive(Serialize)]
struct HeaderView<'a> {
    name: &'a str,
    value: String,
}

impl<'a> CaughtView<'a> {
    /// All of it.
    pub fn of(caught: &'a Caught) -> Self {
        let arrival = &caught.arrival;
        let headers = arrival.headers.iter().map(|(name, value)| HeaderView {
            name: name.as_str(),
            value: String::from_utf8_lossy(value.as_bytes()).into_owned(),
        });
        let body = readable(&arrival.body, caught.is_cut());
        Self {
            number: caught.number,
            at: caught.at.to_string(),
            from: arrival.from.to_string(),
            method: arrival.method.as_str(),
            query: arrival.query.as_deref(),
            headers: headers.collect(),
            body_base64: body.is_none().then(|| STANDARD.encode(&arrival.body)),
            body,
            size: arrival.size,
            is_cut: caught.is_cut(),
            answered: caught.reply.status,
            is_challenge: caught.reply.challenge.is_some(),
        }
    }
}

/// A body as text, if it is; where it was cut off in the middle of a letter, up to that one.
fn readable(body: &[u8], is_cut: bool) -> Option<&str> {
    match std::str::from_utf8(body) {
        Ok(text) => Some(text),
        Err(error) if is_cut && error.error_len().is_none() => {
            std::str::from_utf8(&body[..error.valid_up_to()]).ok()
        }
        Err(_) => None,
    }
}

/// What the signatures of a request are worth.
#[derive(Serialize)]
pub struct VerdictView {
    verdict: &'static str,
    signatures: Vec<SignatureView>,
}

#[derive(Serialize)]
struct SignatureView {
    header: String,
    scheme: String,
    worth: &'static str,
}

impl VerdictView {
    /// Under a secret.
    pub fn of(caught: &Caught, secret: &Secret) -> Self {
        let arrival = &caught.arrival;
        let found = signatures(&arrival.headers, &arrival.body, secret, caught.at);
        let verdict = Verdict::of(&found).name();
        let view = |found: Finding| SignatureView {
            header: found.header,
            scheme: found.scheme,
            worth: found.worth.name(),
        };
        Self {
            verdict,
            signatures: found.into_iter().map(view).collect(),
        }
    }
}
