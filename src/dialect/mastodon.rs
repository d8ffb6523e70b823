//! Mastodon and Pleroma: an envelope of `event`, `created_at` and `object` (webhooks.md 1.1 and 1.2). Rebased, which is what became
//! of Pleroma's, says `type` for `event`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use hyper::header::{HeaderMap, HeaderName};
use sha2::{Digest as _, Sha256};

use super::layout::{Flaw, Misfit, Shape};
use super::signature::{HUB_SHA256, Scheme};
use super::view::{self, View};
use super::{Grammar, Occasion, value};
use crate::domain::event::{Event, EventName};
use crate::domain::hook::Hook;
use crate::domain::json::Json;
use crate::domain::value::Timestamp;

const DIGEST: HeaderName = HeaderName::from_static("digest");

/// What every account of the administration's API has.
const ACCOUNT: Shape = Shape::Object(&[
    ("id", Shape::Id("123456789")),
    ("username", Shape::Text("bobisaburger")),
]);
/// What every report and every status has.
const RECORD: Shape = Shape::Object(&[("id", Shape::Id("8437"))]);
const ANYTHING: Shape = Shape::Object(&[]);

/// Mastodon's administration webhooks.
pub(super) struct Mastodon;

/// Pleroma's.
pub(super) struct Pleroma;

impl Grammar for Mastodon {
    fn catalogue(&self) -> &'static [&'static str] {
        &[
            "account.approved",
            "account.created",
            "account.updated",
            "report.created",
            "report.updated",
            "status.created",
            "status.updated",
        ]
    }

    fn schemes(&self) -> &'static [Scheme] {
        &HUB_SHA256
    }

    fn accept(&self, name: &EventName, given: Json, now: Timestamp) -> Result<Event, Misfit> {
        read(name, given, now)
    }

    fn body(&self, event: &Event, _: bool) -> String {
        write("event", event)
    }

    fn payload<'a>(&self, body: &'a str) -> Option<&'a str> {
        object(body)
    }

    fn headers(&self, _: &Occasion<'_>, _: &Hook, body: &Bytes, headers: &mut HeaderMap) {
        let digest = BASE64.encode(Sha256::digest(body));
        headers.insert(DIGEST, value(format!("SHA-256={digest}")));
    }

    fn incoming_name(&self, _: &HeaderMap, body: &Json) -> Option<String> {
        name_in(body)
    }

    fn names_it_in(&self) -> &'static str {
        "the member `event` of the body"
    }
}

impl Grammar for Pleroma {
    fn catalogue(&self) -> &'static [&'static str] {
        &["account.created", "report.created"]
    }

    fn schemes(&self) -> &'static [Scheme] {
        &HUB_SHA256
    }

    fn accept(&self, name: &EventName, given: Json, now: Timestamp) -> Result<Event, Misfit> {
        read(name, given, now)
    }

    fn body(&self, event: &Event, type_key: bool) -> String {
        write(if type_key { "type" } else { "event" }, event)
    }

    fn payload<'a>(&self, body: &'a str) -> Option<&'a str> {
        object(body)
    }

    fn incoming_name(&self, _: &HeaderMap, body: &Json) -> Option<String> {
        name_in(body)
    }

    fn names_it_in(&self) -> &'static str {
        "the member `event` or `type` of the body"
    }
}

/// The envelope: keys in this order, the object as it was given.
pub(super) fn write(key: &str, event: &Event) -> String {
    let Event {
        name,
        created_at,
        payload,
    } = event;
    let object = payload.as_str();
    format!(r#"{{"{key}":"{name}","created_at":"{created_at}","object":{object}}}"#)
}

/// The object of an envelope that [`write`] made: neither a name nor a time can hold what it is looked for by.
fn object(body: &str) -> Option<&str> {
    let (_, object) = body.split_once(r#","object":"#)?;
    object.strip_suffix('}')
}

/// The name in an envelope from elsewhere.
fn name_in(body: &Json) -> Option<String> {
    let View::Object(members) = View::of(body.as_str()) else {
        return None;
    };
    let name = members.get("event").or_else(|| members.get("type"))?;
    view::string(name.get())
}

/// Reads the record alone, or the envelope with the record in it.
fn read(name: &EventName, given: Json, now: Timestamp) -> Result<Event, Misfit> {
    let shape = match name.as_str().split_once('.') {
        Some(("account", _)) => &ACCOUNT,
        Some(("report" | "status", _)) => &RECORD,
        _ => &ANYTHING,
    };
    let opened = match Envelope::find(given.as_str()) {
        Some(envelope) => envelope.open(name, shape, now).map(Some),
        None => shape.check("", Some(given.as_str())).map(|()| None),
    };
    let opened = opened.map_err(|flaw| flaw.of(name, shape.example()))?;
    let (payload, created_at) = opened.unwrap_or((given, now));
    Ok(Event {
        name: name.clone(),
        created_at,
        payload,
    })
}

/// An envelope; the texts of its members.
struct Envelope<'a> {
    key: &'static str,
    name: &'a str,
    created_at: Option<&'a str>,
    object: &'a str,
}

impl<'a> Envelope<'a> {
    /// An envelope has no `id`, which every record has.
    fn find(text: &'a str) -> Option<Self> {
        let View::Object(members) = View::of(text) else {
            return None;
        };
        let member = |key: &str| members.get(key).map(|member| member.get());
        let (key, name) = ["event", "type"]
            .into_iter()
            .find_map(|key| member(key).map(|name| (key, name)))?;
        let (created_at, object) = (member("created_at"), member("object")?);
        let envelope = Self {
            key,
            name,
            created_at,
            object,
        };
        member("id").is_none().then_some(envelope)
    }

    /// The record, and when the event was: as it says, to the millisecond, or now.
    fn open(
        &self,
        name: &EventName,
        shape: &Shape,
        now: Timestamp,
    ) -> Result<(Json, Timestamp), Flaw> {
        if view::string(self.name).as_deref() != Some(name.as_str()) {
            let wanted = format!("{:?}, the event that is raised", name.as_str());
            return Err(Flaw::new(self.key, Some(self.name), wanted));
        }
        shape.check("object", Some(self.object))?;
        let created_at = self.created_at.map_or(Some(now), time).ok_or_else(|| {
            let wanted = "a time after 1970 in RFC 3339, such as \"2023-10-26T13:34:00.351Z\"";
            Flaw::new("created_at", self.created_at, wanted)
        })?;
        let record = view::part(self.object)
            .ok_or_else(|| Flaw::new("object", Some(self.object), "JSON"))?;
        Ok((record, created_at))
    }
}

fn time(text: &str) -> Option<Timestamp> {
    let time: jiff::Timestamp = view::string(text)?.parse().ok()?;
    u64::try_from(time.as_millisecond()).ok().map(Timestamp)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_700_000_000_000);

    fn accept(name: &str, text: &str) -> Result<Event, Misfit> {
        let name = EventName::parse(name).expect("a name");
        let given = Json::parse(text.as_bytes()).expect("JSON");
        Mastodon.accept(&name, given, NOW)
    }

    #[test]
    fn a_record_alone_and_one_in_its_envelope_are_the_same() {
        let alone = accept("report.created", r#"{"id":"1","x":1.0}"#).expect("a record");
        assert_eq!(
            (alone.payload.as_str(), alone.created_at),
            (r#"{"id":"1","x":1.0}"#, NOW)
        );
        for key in ["event", "type"] {
            let text = format!(
                r#"{{"{key}":"report.created","created_at":"2023-10-26T13:34:00.351999Z","object":{{"id":"1","x":1.0}}}}"#
            );
            let read = accept("report.created", &text).expect("an envelope");
            assert_eq!(read.payload, alone.payload);
            assert_eq!(read.created_at.to_string(), "2023-10-26T13:34:00.351Z");
        }
        let timeless = accept(
            "status.created",
            r#"{"event":"status.created","object":{"id":1}}"#,
        );
        assert_eq!(timeless.expect("an envelope").created_at, NOW);
    }

    #[test]
    fn a_record_that_looks_like_an_envelope_is_a_record() {
        let activity = r#"{"id":"7","type":"Create","object":{"type":"Note"}}"#;
        let read = accept("status.created", activity).expect("a record");
        assert_eq!(read.payload.as_str(), activity);
    }

    #[test]
    fn what_does_not_fit_is_named_with_its_path() {
        for (name, text, said) in [
            (
                "account.created",
                "[]",
                "the payload is an array; it should be an object with id, username",
            ),
            (
                "account.created",
                r#"{"id":"1"}"#,
                "username is missing; it should be a text",
            ),
            (
                "report.created",
                "{}",
                "id is missing; it should be a text or a number",
            ),
            (
                "report.created",
                r#"{"event":"report.updated","object":{"id":1}}"#,
                "event is a text \"report.updated\"; it should be \"report.created\"",
            ),
            (
                "report.created",
                r#"{"event":"report.created","object":[1]}"#,
                "object is an array",
            ),
            (
                "report.created",
                r#"{"event":"report.created","object":{}}"#,
                "object.id is missing",
            ),
            (
                "report.created",
                r#"{"event":"report.created","created_at":"yesterday","object":{"id":1}}"#,
                "created_at is a text \"yesterday\"; it should be a time",
            ),
            (
                "report.created",
                r#"{"event":"report.created","created_at":"1969-12-31T23:59:59Z","object":{"id":1}}"#,
                "created_at is a text",
            ),
        ] {
            let error = accept(name, text).expect_err(text).to_string();
            assert!(error.starts_with(said), "{error}");
            assert!(error.contains("an example of"), "{error}");
        }
    }
}
