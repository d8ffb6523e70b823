//! A source: something that raises named events, such as a forum, an instance, a repository. Each of its events is a topic.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::event::{EventName, EventPattern};
use super::value::{Secret, SourceId, Timestamp, TopicUrl};

/// The longest segment of a source's name, in bytes.
const SEGMENT_MAX_BYTES: usize = 100;

/// The name of the hub's own source, whose events are about the hub itself, such as a hook that was disabled. Nobody else
/// may declare it.
pub const OWN_SOURCE: &str = "fanfare";

/// First segments that the hub's own paths need.
const RESERVED: [&str; 17] = [
    "admin",
    "api",
    "assets",
    "favicon.ico",
    "hooks",
    "hub",
    "inspect",
    "livez",
    "metrics",
    "publish",
    "readyz",
    "repos",
    "robots.txt",
    "static",
    "subscribe",
    "subscription",
    "topics",
];

/// Why a text is no name of a source.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SourceNameError {
    /// Not one or two segments of the allowed characters.
    #[error(
        "{0:?} is not the name of a source; a name is one or two segments of letters, digits, `.`, `_` and `-`, such as social or octocat/hello-world"
    )]
    Malformed(String),
    /// The hub answers there itself.
    #[error(
        "{0:?} cannot be the name of a source, since the hub's own pages are at /{1}; choose another"
    )]
    Reserved(String, &'static str),
    /// The events of another source are there.
    #[error(
        "{0:?} cannot be the name of a source, since the events of the source {1} are at /{1}/events/; choose another"
    )]
    Events(String, String),
}

/// The name of a source, as it was first written: `social`, `octocat/Hello-World`.
#[derive(Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SourceName(String);

impl SourceName {
    /// Reads a name.
    ///
    /// # Errors
    /// The text, with what would be right.
    pub fn parse(text: &str) -> Result<Self, SourceNameError> {
        let segments: Vec<&str> = text.split('/').collect();
        if segments.len() > 2 || !segments.iter().all(|segment| is_segment(segment)) {
            return Err(SourceNameError::Malformed(text.to_owned()));
        }
        let taken = |reserved: &&&str| reserved.eq_ignore_ascii_case(segments[0]);
        match RESERVED.iter().find(taken) {
            Some(reserved) => Err(SourceNameError::Reserved(text.to_owned(), reserved)),
            None if is_events(&segments) => {
                let owner = segments[0].to_owned();
                Err(SourceNameError::Events(text.to_owned(), owner))
            }
            None => Ok(Self(text.to_owned())),
        }
    }

    /// The text as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The key: upper and lower case are the same, as repositories have it.
    pub fn key(&self) -> String {
        self.0.to_ascii_lowercase()
    }

    /// The key in a form that is short whatever the name is.
    pub fn id(&self) -> SourceId {
        SourceId::of(&self.key())
    }

    /// The last segment: the forum, the instance, the repository.
    pub fn last_segment(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or(&self.0)
    }

    /// The topic of one of its events. `base` is the hub's URL, which ends in a slash.
    pub fn topic(&self, base: &str, event: &EventName) -> TopicUrl {
        TopicUrl::below(base, &format!("{}/events/{event}", self.key()))
    }

    /// The topic under which the hooks stand that ask for a pattern of its events.
    pub fn pattern_topic(&self, base: &str, pattern: &EventPattern) -> TopicUrl {
        TopicUrl::below(base, &format!("{}/events/{pattern}", self.key()))
    }
}

/// Whether a name is taken by the events of a source whose name is its first segment: its inbox would be one of them.
fn is_events(segments: &[&str]) -> bool {
    matches!(segments, [_, second] if second.eq_ignore_ascii_case("events"))
}

fn is_segment(segment: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    (1..=SEGMENT_MAX_BYTES).contains(&segment.len())
        && segment.bytes().all(allowed)
        && segment.bytes().any(|byte| byte != b'.')
}

impl PartialEq for SourceName {
    fn eq(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl Eq for SourceName {}

impl fmt::Display for SourceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for SourceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// How an event becomes headers and a body, and how an incoming webhook becomes an event.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Dialect {
    /// The payload as it is, with WebSub's headers.
    #[default]
    Websub,
    /// Mastodon's administration webhooks.
    Mastodon,
    /// Pleroma's, which follow Mastodon's.
    Pleroma,
    /// Muut's forum webhooks.
    Muut,
    /// SocialGateway's repository hooks: GitHub's under another name.
    SocialGateway,
}

impl Dialect {
    /// Every dialect.
    pub const ALL: [Self; 5] = [
        Self::Websub,
        Self::Mastodon,
        Self::Pleroma,
        Self::Muut,
        Self::SocialGateway,
    ];

    /// The name in settings, in the API and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Websub => "websub",
            Self::Mastodon => "mastodon",
            Self::Pleroma => "pleroma",
            Self::Muut => "muut",
            Self::SocialGateway => "socialgateway",
        }
    }

    /// Reads a name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|dialect| dialect.name() == text)
    }
}

/// A source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// Its name.
    pub name: SourceName,
    /// The layout of its events, and what its hooks speak unless they say otherwise.
    pub dialect: Dialect,
    /// The events that it may raise beside those of its dialect.
    pub events: Vec<EventName>,
    /// Whether only who has a token may read its events and subscribe to them.
    pub private: bool,
    /// The key of the webhooks that come in for it; without one, any that come in are believed only with a token.
    pub inbound_secret: Option<Secret>,
    /// When it was declared.
    pub created_at: Timestamp,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_name_is_one_or_two_segments_that_the_hub_does_not_need() {
        for right in [
            "social",
            "octocat/Hello-World",
            "a.b/c_d",
            "x/api",
            "events",
            "x/inbox",
        ] {
            assert!(SourceName::parse(right).is_ok(), "{right}");
        }
        for wrong in [
            "", "/", "a/", "/a", "a/b/c", "a b", ".", "a/..", "ä", "API", "topics/x", "x/Events",
        ] {
            assert!(SourceName::parse(wrong).is_err(), "{wrong:?}");
        }
        assert_eq!(
            SourceName::parse("Octocat/X").expect("a name"),
            SourceName::parse("octocat/x").expect("a name")
        );
    }

    proptest! {
        #[test]
        fn a_name_cannot_leave_its_place(text in "[a-zA-Z./%~ ]{0,12}") {
            if let Ok(name) = SourceName::parse(&text) {
                let event = EventName::parse("push").expect("a name");
                let topic = name.topic("http://hub.example/", &event);
                let url = url::Url::parse(topic.as_str()).expect("a URL");
                prop_assert_eq!(url.path(), format!("/{}/events/push", name.key()));
            }
        }
    }
}
