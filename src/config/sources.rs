//! The sources that the file declares, one `[[source]]` each. In: a table of TOML. Out: a [`SourceSettings`], or what is wrong.

use serde::{Deserialize, Deserializer, Serialize, de};
use toml_edit::Value;

use super::{Origin, Origins, Problem, schema};
use crate::domain::{
    event::EventName,
    notation,
    source::{Dialect, OWN_SOURCE, Source, SourceName},
    value::{SECRET_MAX_BYTES, Secret, Timestamp},
};

/// The full key of the one setting that each source must have.
pub const NAME: &str = "source.name";

/// `[[source]]`: what [`Source`] is, but for when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourceSettings {
    /// Its name; each needs one, and no two have the same.
    #[serde(deserialize_with = "name")]
    pub name: SourceName,
    /// The layout of its events, and what its hooks speak unless they say otherwise.
    #[serde(deserialize_with = "notation::choice")]
    pub dialect: Dialect,
    /// The events that it may raise beside those of its dialect.
    #[serde(deserialize_with = "events")]
    pub events: Vec<EventName>,
    /// Whether only who has a token may read its events and subscribe to them.
    pub private: bool,
    /// The key of the webhooks that come in for it.
    #[serde(
        serialize_with = "notation::blank::serialize",
        deserialize_with = "inbound_secret"
    )]
    pub inbound_secret: Option<Secret>,
}

impl SourceSettings {
    /// What each setting is when it is left out. The name, which cannot be, is an example.
    pub(super) fn example() -> Self {
        Self {
            name: SourceName::parse("social").expect("a name that the hub does not need"),
            dialect: Dialect::default(),
            events: Vec::new(),
            private: false,
            inbound_secret: None,
        }
    }

    /// The source that this declares.
    pub fn declared(&self, created_at: Timestamp) -> Source {
        Source {
            name: self.name.clone(),
            dialect: self.dialect,
            events: self.events.clone(),
            private: self.private,
            inbound_secret: self.inbound_secret.clone(),
            created_at,
        }
    }
}

/// One source with its full keys, `source.name` and so on, as [`schema`] reads and writes them.
#[derive(Serialize, Deserialize)]
pub struct Section {
    /// The one.
    pub source: SourceSettings,
}

impl Section {
    /// Of this source.
    pub fn of(source: SourceSettings) -> Self {
        Self { source }
    }
}

/// The settings that a source has, each with its full key and what it is when it is left out.
pub fn entries() -> Vec<(String, Value)> {
    schema::entries(&Section::of(SourceSettings::example()))
}

/// A problem for each source whose name is taken by one before it. A name that was refused takes none.
pub fn duplicates(sources: &[SourceSettings], origins: &[Origins]) -> Vec<Problem> {
    let names = sources
        .iter()
        .zip(origins)
        .map(|(s, o)| (&s.name, &o[NAME]));
    let named: Vec<_> = names.filter(|(_, o)| **o != Origin::Default).collect();
    let problem = |(at, (name, origin)): (usize, &(&SourceName, &Origin))| {
        let (_, first) = named[..at].iter().find(|(earlier, _)| earlier == name)?;
        let sentence = format!(
            "{name:?} is declared already ({first}), and upper and lower case are the same; give each source a name of its own"
        );
        Some(Problem::of_value((*origin).clone(), NAME, sentence))
    };
    named.iter().enumerate().filter_map(problem).collect()
}

fn name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SourceName, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text.eq_ignore_ascii_case(OWN_SOURCE) {
        return Err(de::Error::custom(format!(
            "{text:?} cannot be declared: it is the hub's own source, on which it raises events about itself; choose another name"
        )));
    }
    SourceName::parse(&text).map_err(de::Error::custom)
}

fn events<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<EventName>, D::Error> {
    let texts = Vec::<String>::deserialize(deserializer)?;
    let events = texts.iter().map(|text| EventName::parse(text));
    events.collect::<Result<_, _>>().map_err(de::Error::custom)
}

fn inbound_secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Secret>, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text.is_empty() {
        return Ok(None);
    }
    Secret::parse(&text).map(Some).map_err(|length| {
        de::Error::custom(format!(
            "the secret has {length} bytes; the most is {SECRET_MAX_BYTES}"
        ))
    })
}
