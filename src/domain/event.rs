//! Named events, and the patterns by which hooks ask for them. In: text from strangers. Out: names that can stand in a URL.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::json::Json;
use super::value::Timestamp;

/// The longest name of an event, in bytes.
pub const NAME_MAX_BYTES: usize = 64;

/// Why a text is no name of an event, or no pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is not the name of an event; a name has 1 to 64 lower-case letters, digits, `_`, `-` and dots between them, such as account.created or pull_request"
)]
pub struct NameError(pub String);

/// The name of an event: `account.created`, `pull_request`, `like`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EventName(String);

impl EventName {
    /// Reads a name.
    ///
    /// # Errors
    /// The text, with what would be right.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let segment = |segment: &str| {
            let allowed = |byte: u8| {
                byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-".contains(&byte)
            };
            !segment.is_empty() && segment.bytes().all(allowed)
        };
        let is_name = text.len() <= NAME_MAX_BYTES && text.split('.').all(segment);
        match is_name {
            true => Ok(Self(text.to_owned())),
            false => Err(NameError(text.to_owned())),
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What stands before the last dot: `account` of `account.created`. Permissions are given by group. `None` without a dot.
    pub fn group(&self) -> Option<&str> {
        self.0.rsplit_once('.').map(|(group, _)| group)
    }

    /// The patterns that match this name, each of which is a key of the index of hooks: the name, the wildcard of each
    /// group that it is in, and `*`.
    pub fn patterns(&self) -> Vec<EventPattern> {
        let dots = self.0.match_indices('.').map(|(at, _)| at);
        let mut patterns = vec![EventPattern::All, EventPattern::One(self.clone())];
        patterns.extend(dots.map(|at| EventPattern::Group(self.0[..at].to_owned())));
        patterns
    }
}

/// Which events a hook wants.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum EventPattern {
    /// `*`: all of the source, those that come to be later included.
    All,
    /// `account.*`: all whose name begins with `account.`.
    Group(String),
    /// One, by its name.
    One(EventName),
}

impl EventPattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// The text, with what would be right.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        if text == "*" {
            return Ok(Self::All);
        }
        match text.strip_suffix(".*") {
            Some(group) => match EventName::parse(group) {
                Ok(name) => Ok(Self::Group(name.0)),
                Err(_) => Err(NameError(text.to_owned())),
            },
            None => EventName::parse(text).map(Self::One),
        }
    }

    /// The same wish without what is said twice, in the same order: a pattern that stands within another one goes. So an
    /// event matches one of them at most, and finds a hook once in the index.
    pub fn normalise(patterns: Vec<Self>) -> Vec<Self> {
        let is_needed = |(at, pattern): &(usize, &Self)| {
            !patterns.iter().enumerate().any(|(other_at, other)| {
                other.contains(pattern) && (other != *pattern || other_at < *at)
            })
        };
        let needed = patterns.iter().enumerate().filter(is_needed);
        needed.map(|(_, pattern)| pattern.clone()).collect()
    }

    /// Whether every event that the other one matches is matched by this one.
    pub fn contains(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::All, _) => true,
            (_, Self::One(name)) => self.matches(name),
            (Self::Group(outer), Self::Group(inner)) => outer == inner || is_below(inner, outer),
            _ => false,
        }
    }

    /// Whether an event is wanted.
    pub fn matches(&self, name: &EventName) -> bool {
        match self {
            Self::All => true,
            Self::Group(group) => is_below(&name.0, group),
            Self::One(one) => one == name,
        }
    }
}

fn is_below(name: &str, group: &str) -> bool {
    name.strip_prefix(group)
        .is_some_and(|rest| rest.starts_with('.'))
}

/// An event that a source raised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// What happened.
    pub name: EventName,
    /// When: the event's own time, not that of what it is about.
    pub created_at: Timestamp,
    /// What it is about, in the layout of the source's dialect (see `dialect`): an object, or Muut's array.
    pub payload: Json,
}

impl fmt::Display for EventName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for EventName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl fmt::Display for EventPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("*"),
            Self::Group(group) => write!(f, "{group}.*"),
            Self::One(name) => name.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_and_patterns_say_what_they_mean() {
        let name = EventName::parse("account.created").expect("a name");
        assert_eq!(name.group(), Some("account"));
        for (pattern, matches) in [
            ("*", true),
            ("account.*", true),
            ("account.created", true),
            ("account.created.*", false),
            ("acc.*", false),
            ("report.*", false),
            ("account", false),
        ] {
            let pattern = EventPattern::parse(pattern).expect("a pattern");
            assert_eq!(pattern.matches(&name), matches, "{pattern}");
        }
        for wrong in [
            "", ".", "a..b", "A", "a b", "a/b", "*.a", "a*", ".*", "a.**",
        ] {
            assert!(EventPattern::parse(wrong).is_err(), "{wrong:?}");
        }
    }

    proptest! {
        #[test]
        fn what_matches_is_what_the_index_finds(
            name in "[ab]{1,2}(\\.[ab]{1,2}){0,2}",
            pattern in "(\\*|[ab]{1,2}(\\.[ab]{1,2}){0,2}(\\.\\*)?)",
        ) {
            let name = EventName::parse(&name).expect("a name");
            let pattern = EventPattern::parse(&pattern).expect("a pattern");
            prop_assert_eq!(pattern.matches(&name), name.patterns().contains(&pattern));
            prop_assert_eq!(EventPattern::parse(&pattern.to_string()), Ok(pattern));
        }

        #[test]
        fn a_normal_wish_is_the_same_wish_said_once(
            patterns in proptest::collection::vec("(\\*|[ab](\\.[ab]){0,2}(\\.\\*)?)", 0..6),
            names in proptest::collection::vec("[ab](\\.[ab]){0,3}", 1..20),
        ) {
            let parsed = |text: &String| EventPattern::parse(text).expect("a pattern");
            let patterns: Vec<_> = patterns.iter().map(parsed).collect();
            let normal = EventPattern::normalise(patterns.clone());
            for name in names {
                let name = EventName::parse(&name).expect("a name");
                let wanted = patterns.iter().any(|pattern| pattern.matches(&name));
                let matches = normal.iter().filter(|pattern| pattern.matches(&name)).count();
                prop_assert_eq!(matches, usize::from(wanted));
                let found = name.patterns().iter().filter(|key| normal.contains(key)).count();
                prop_assert_eq!(found, matches);
            }
            let mut rest = patterns.iter();
            prop_assert!(normal.iter().all(|kept| rest.any(|given| given == kept)), "the order is kept");
            prop_assert_eq!(EventPattern::normalise(normal.clone()), normal);
        }

        #[test]
        fn no_text_makes_it_panic(text in ".{0,80}") {
            let _ = EventPattern::parse(&text);
        }
    }
}
