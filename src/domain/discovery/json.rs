//! JSON Feed: the text of a document in, its `feed_url` and its WebSub `hubs` out.
//!
//! The document is never built in memory, and one that breaks off keeps what stood before the break.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use url::Url;

use super::Discovered;

/// Reads as far as the document can be read.
pub(super) fn links(document: &Url, text: &str) -> Discovered {
    let mut found = Discovered::default();
    let feed = Feed {
        document,
        found: &mut found,
    };
    // The error says only where the document broke off.
    feed.deserialize(&mut serde_json::Deserializer::from_str(text))
        .unwrap_or_default();
    found
}

/// The top-level object.
struct Feed<'a> {
    document: &'a Url,
    found: &'a mut Discovered,
}

/// Its list of hubs.
struct Hubs<'a>(Feed<'a>);

/// One of those: `{"type": "WebSub", "url": "https://hub.example/"}`.
#[derive(Deserialize)]
struct Hub<'a> {
    #[serde(rename = "type", borrow)]
    protocol: Cow<'a, str>,
    #[serde(borrow)]
    url: Cow<'a, str>,
}

impl<'de> DeserializeSeed<'de> for Feed<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Feed<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON Feed")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut members: A) -> Result<(), A::Error> {
        while let Some(name) = members.next_key::<Cow<'de, str>>()? {
            match name.as_ref() {
                "feed_url" => self.add("self", &members.next_value::<Cow<'de, str>>()?),
                "hubs" => members.next_value_seed(Hubs(Feed {
                    document: self.document,
                    found: self.found,
                }))?,
                _ => {
                    members.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Hubs<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Hubs<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of hubs")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut hubs: A) -> Result<(), A::Error> {
        while let Some(hub) = hubs.next_element::<Hub<'de>>()? {
            if hub.protocol.eq_ignore_ascii_case("websub") {
                self.0.add("hub", &hub.url);
            }
        }
        Ok(())
    }
}

impl Feed<'_> {
    fn add(&mut self, rel: &str, url: &str) {
        self.found.add(rel, url, self.document);
    }
}
