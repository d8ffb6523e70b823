//! The payloads of a request that raises events: media type and body in, JSON texts with their places out, or what is wrong in
//! words. Pure.

use std::fmt;

use serde_json::value::RawValue;

use super::problem::{Problem, shown};
use crate::domain::json::Json;
use crate::domain::source::Dialect;

/// What the body of a request is.
const WANTED: &str = "send one event as a JSON object with Content-Type: application/json, several as a JSON array, or as JSON lines \
                      with application/x-ndjson";

/// Where in the request a payload stood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// It is the whole of it.
    Whole,
    /// An item of the array, counted from 0.
    Item(usize),
    /// A line, counted from 1.
    Line(usize),
}

/// Reads the payloads of a request for a source of a dialect, `most` at most.
///
/// # Errors
/// [`Problem::MediaType`], [`Problem::Invalid`]: with the place.
pub fn read(
    content_type: Option<&str>,
    dialect: Dialect,
    body: &[u8],
    most: usize,
) -> Result<Vec<(Place, Json)>, Problem> {
    let payloads = match Kind::of(content_type)? {
        Kind::Json => from_json(dialect, body)?,
        Kind::Form => {
            let payload = url::form_urlencoded::parse(body).find(|(field, _)| field == "payload");
            let (_, payload) = payload.ok_or_else(|| {
                Problem::Invalid(format!(
                    "the body is a form without the field payload; {WANTED}"
                ))
            })?;
            from_json(dialect, payload.as_bytes())?
        }
        Kind::Lines => from_lines(body)?,
    };
    match payloads.len() {
        0 => Err(Problem::Invalid(format!("there is no event; {WANTED}"))),
        count if count > most => Err(Problem::Invalid(format!(
            "these are {count} events, and one request may have {most}; send them in several requests"
        ))),
        _ => Ok(payloads),
    }
}

impl Place {
    /// A text about it, which says where it is.
    pub fn say(self, text: impl fmt::Display) -> String {
        match self {
            Self::Whole => text.to_string(),
            Self::Item(index) => format!("event [{index}]: {text}; nothing was raised"),
            Self::Line(line) => format!("line {line}: {text}; nothing was raised"),
        }
    }
}

enum Kind {
    Json,
    Lines,
    Form,
}

impl Kind {
    fn of(content_type: Option<&str>) -> Result<Self, Problem> {
        let essence = content_type.unwrap_or_default().split(';').next();
        let essence = essence.unwrap_or_default().trim().to_ascii_lowercase();
        Ok(match essence.as_str() {
            "" | "application/json" | "text/json" => Self::Json,
            "application/x-ndjson"
            | "application/ndjson"
            | "application/jsonl"
            | "application/x-jsonlines" => Self::Lines,
            "application/x-www-form-urlencoded" => Self::Form,
            json if json.ends_with("+json") => Self::Json,
            other => {
                return Err(Problem::MediaType(format!(
                    "Content-Type is {:?}; {WANTED}",
                    shown(other)
                )));
            }
        })
    }
}

/// One payload, or an array of several. A Muut event is itself an array, which begins with a text.
fn from_json(dialect: Dialect, body: &[u8]) -> Result<Vec<(Place, Json)>, Problem> {
    let whole = Json::parse(body)
        .map_err(|error| Problem::Invalid(format!("the body {error}; {WANTED}")))?;
    if !whole.is_array() {
        return Ok(vec![(Place::Whole, whole)]);
    }
    let items: Vec<&RawValue> = serde_json::from_str(whole.as_str())
        .map_err(|error| Problem::Invalid(format!("the body is not JSON: {error}")))?;
    let is_event = |first: &&RawValue| dialect == Dialect::Muut && first.get().starts_with('"');
    if items.first().is_some_and(is_event) {
        return Ok(vec![(Place::Whole, whole)]);
    }
    let payload = |(index, item): (usize, &&RawValue)| {
        let place = Place::Item(index);
        parse(place, item.get().as_bytes())
    };
    items.iter().enumerate().map(payload).collect()
}

/// One payload a line; empty lines count, and hold nothing.
fn from_lines(body: &[u8]) -> Result<Vec<(Place, Json)>, Problem> {
    let lines = body.split(|&byte| byte == b'\n').zip(1..);
    lines
        .filter(|(line, _)| !line.trim_ascii().is_empty())
        .map(|(line, number)| parse(Place::Line(number), line))
        .collect()
}

fn parse(place: Place, text: &[u8]) -> Result<(Place, Json), Problem> {
    match Json::parse(text) {
        Ok(json) => Ok((place, json)),
        Err(error) => Err(Problem::Invalid(place.say(format!("it {error}")))),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn places(content_type: &str, dialect: Dialect, body: &str) -> Vec<String> {
        let content_type = Some(content_type).filter(|text| !text.is_empty());
        match read(content_type, dialect, body.as_bytes(), 3) {
            Ok(payloads) => payloads
                .iter()
                .map(|(place, json)| format!("{place:?} {json:?}"))
                .collect(),
            Err(problem) => vec![format!("{} {problem}", problem.status().as_u16())],
        }
    }

    #[test]
    fn a_body_is_one_event_or_several() {
        let form = "application/x-www-form-urlencoded";
        let lines = "application/x-ndjson";
        for (content_type, dialect, body, expected) in [
            ("", Dialect::Websub, "{\"a\": 1}", &["Whole {\"a\":1}"][..]),
            (
                "application/json; charset=utf-8",
                Dialect::Websub,
                "{}",
                &["Whole {}"],
            ),
            (
                "application/cloudevents+json",
                Dialect::Websub,
                "{}",
                &["Whole {}"],
            ),
            (
                "application/json",
                Dialect::Mastodon,
                "[{}, 2]",
                &["Item(0) {}", "Item(1) 2"],
            ),
            (
                "application/json",
                Dialect::Muut,
                "[\"like\", \"/a\"]",
                &["Whole [\"like\",\"/a\"]"],
            ),
            (
                "application/json",
                Dialect::Muut,
                "[[\"like\"],{}]",
                &["Item(0) [\"like\"]", "Item(1) {}"],
            ),
            (
                form,
                Dialect::SocialGateway,
                "a=b&payload=%7B%22a%22%3A+1%7D",
                &["Whole {\"a\":1}"],
            ),
            (
                lines,
                Dialect::Websub,
                "{}\r\n\n{\"b\":2}\n",
                &["Line(1) {}", "Line(3) {\"b\":2}"],
            ),
        ] {
            assert_eq!(places(content_type, dialect, body), expected, "{body}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_refused_with_its_place() {
        let lines = "application/x-ndjson";
        for (content_type, body, words) in [
            ("text/plain", "{}", "415 Content-Type is \"text/plain\""),
            (
                "application/json",
                "{\"a\": }",
                "400 the body is not JSON: expected value at line 1",
            ),
            ("application/json", "", "400 the body is not JSON"),
            ("application/json", "[]", "400 there is no event"),
            (
                "application/json",
                "[{},{},{},{}]",
                "400 these are 4 events, and one request may have 3",
            ),
            (
                "application/x-www-form-urlencoded",
                "{}",
                "400 the body is a form without",
            ),
            (lines, "", "400 there is no event"),
            (lines, "{}\n{", "400 line 2: it is not JSON"),
        ] {
            let said = places(content_type, Dialect::Websub, body).join("|");
            assert!(said.starts_with(words), "{said}");
        }
    }

    proptest! {
        #[test]
        fn no_body_makes_it_panic(body in prop::collection::vec(any::<u8>(), 0..60)) {
            for kind in ["application/json", "application/x-ndjson", "application/x-www-form-urlencoded"] {
                let _ = read(Some(kind), Dialect::Muut, &body, 3);
            }
        }
    }
}
