//! Tokens of the hub's API: who holds one may do what its role allows, in the sources and for the events that it names.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::event::EventPattern;
use super::source::{SourceName, SourceNameError};
use super::value::Timestamp;

/// The SHA-256 of a token: all that is kept of it.
pub type TokenDigest = [u8; 32];

/// The digest of a token as its holder shows it.
pub fn digest(token: &str) -> TokenDigest {
    Sha256::digest(token.as_bytes()).into()
}

/// A token.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// What it is known by; time-ordered.
    pub id: Uuid,
    /// What its owner calls it.
    pub name: String,
    /// What is kept of its text.
    pub digest: TokenDigest,
    /// What it lets its holder do.
    pub role: Role,
    /// Where; nowhere if there is none.
    pub sources: Vec<SourcePattern>,
    /// For which events; none named is all.
    pub events: Vec<EventPattern>,
    /// When it was made.
    pub created_at: Timestamp,
    /// From when it is worth nothing.
    pub expires_at: Option<Timestamp>,
}

/// What a token lets its holder do; each role may all that those before it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Read the events of private sources, and subscribe to them; see sources and hooks, without secrets.
    Reader,
    /// Raise events, push content.
    Publisher,
    /// Keep the hooks of sources, and see what they were sent.
    Manager,
    /// Everything.
    Admin,
}

impl Role {
    /// Every role, the weakest first.
    pub const ALL: [Self; 4] = [Self::Reader, Self::Publisher, Self::Manager, Self::Admin];

    /// The name in the API and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Reader => "reader",
            Self::Publisher => "publisher",
            Self::Manager => "manager",
            Self::Admin => "admin",
        }
    }

    /// Reads a name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == text)
    }
}

/// Which sources a token is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SourcePattern {
    /// `*`: all, those that come to be later included.
    All,
    /// `octocat/*`: all whose name has this first segment and another one. In lower case.
    Below(String),
    /// One.
    One(SourceName),
}

impl SourcePattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// What is wrong with the name in it.
    pub fn parse(text: &str) -> Result<Self, SourceNameError> {
        if text == "*" {
            return Ok(Self::All);
        }
        match text.strip_suffix("/*") {
            Some(owner) if !owner.contains('/') => {
                SourceName::parse(owner).map(|owner| Self::Below(owner.key()))
            }
            _ => SourceName::parse(text).map(Self::One),
        }
    }

    /// Whether a source is one of them.
    pub fn matches(&self, source: &SourceName) -> bool {
        match self {
            Self::All => true,
            Self::Below(owner) => source
                .key()
                .strip_prefix(owner.as_str())
                .is_some_and(|rest| rest.starts_with('/')),
            Self::One(one) => one == source,
        }
    }
}

impl Token {
    /// Whether it has not expired.
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.expires_at.is_none_or(|end| now < end)
    }

    /// Whether it lets its holder do what a role may in a source, whatever event that is about.
    pub fn may(&self, role: Role, source: &SourceName) -> bool {
        self.role >= role && self.sources.iter().any(|pattern| pattern.matches(source))
    }

    /// The same for what is about events: for every one that the pattern matches.
    pub fn may_for(&self, role: Role, source: &SourceName, events: &EventPattern) -> bool {
        let is_named = |named: &EventPattern| named.contains(events);
        self.may(role, source) && (self.events.is_empty() || self.events.iter().any(is_named))
    }

    /// The same for what is about several patterns, such as a hook.
    pub fn may_for_each(&self, role: Role, source: &SourceName, events: &[EventPattern]) -> bool {
        self.may(role, source) && events.iter().all(|one| self.may_for(role, source, one))
    }

    /// The same for what is about no source in particular, such as the list of them.
    pub fn may_everywhere(&self, role: Role) -> bool {
        self.role >= role && self.events.is_empty() && self.sources.contains(&SourcePattern::All)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token")
            .field("id", &self.id)
            .field("name", &self.name)
            .field("role", &self.role)
            .field("sources", &self.sources)
            .field("events", &self.events)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for SourcePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("*"),
            Self::Below(owner) => write!(f, "{owner}/*"),
            Self::One(name) => name.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(role: Role, sources: &[&str], events: &[&str]) -> Token {
        let source = |text: &&str| SourcePattern::parse(text).expect("a pattern");
        let event = |text: &&str| EventPattern::parse(text).expect("a pattern");
        Token {
            id: Uuid::nil(),
            name: "of a test".to_owned(),
            digest: digest("shown"),
            role,
            sources: sources.iter().map(source).collect(),
            events: events.iter().map(event).collect(),
            created_at: Timestamp(0),
            expires_at: Some(Timestamp(10)),
        }
    }

    fn source(text: &str) -> SourceName {
        SourceName::parse(text).expect("a name")
    }

    #[test]
    fn a_pattern_names_sources_whatever_their_case() {
        for (pattern, name, matches) in [
            ("*", "any/thing", true),
            ("Octocat/*", "octocat/Hello", true),
            ("octocat/*", "octocat", false),
            ("octocat/*", "octocats/hello", false),
            ("octocat/Hello", "Octocat/hello", true),
            ("octocat/hello", "octocat/other", false),
        ] {
            let pattern = SourcePattern::parse(pattern).expect("a pattern");
            assert_eq!(pattern.matches(&source(name)), matches, "{pattern} {name}");
            assert_eq!(SourcePattern::parse(&pattern.to_string()), Ok(pattern));
        }
        for wrong in ["", "/*", "a/b/*", "a*", "*/*", "api/*"] {
            assert!(SourcePattern::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_role_may_all_that_lesser_ones_may_and_no_more() {
        for (held, wanted) in [(Role::Manager, Role::Reader), (Role::Admin, Role::Manager)] {
            let name = source("social");
            assert!(token(held, &["social"], &[]).may(wanted, &name));
            assert!(!token(wanted, &["social"], &[]).may(held, &name));
            assert!(!token(held, &["other"], &[]).may(wanted, &name));
            assert!(!token(held, &[], &[]).may(wanted, &name));
        }
        assert!(Role::ALL.is_sorted());
        for role in Role::ALL {
            assert_eq!(Role::parse(role.name()), Some(role));
        }
    }

    #[test]
    fn events_are_allowed_by_whole_patterns() {
        let held = token(Role::Manager, &["social"], &["account.*", "report.created"]);
        for (events, allowed) in [
            ("account.created", true),
            ("account.*", true),
            ("report.created", true),
            ("report.*", false),
            ("status.created", false),
            ("*", false),
        ] {
            let pattern = EventPattern::parse(events).expect("a pattern");
            let may = |token: &Token| token.may_for(Role::Manager, &source("social"), &pattern);
            assert_eq!(may(&held), allowed, "{events}");
            assert!(may(&token(Role::Manager, &["*"], &[])), "{events}");
            assert!(!may(&token(Role::Reader, &["*"], &[])), "{events}");
        }
    }

    #[test]
    fn only_who_may_everything_everywhere_may_what_is_about_no_source() {
        assert!(token(Role::Admin, &["a", "*"], &[]).may_everywhere(Role::Admin));
        assert!(!token(Role::Admin, &["*"], &["account.*"]).may_everywhere(Role::Reader));
        assert!(!token(Role::Admin, &["a/*"], &[]).may_everywhere(Role::Reader));
    }

    #[test]
    fn a_token_expires_and_is_not_written_down() {
        let token = token(Role::Admin, &["*"], &[]);
        assert!(token.is_live(Timestamp(9)) && !token.is_live(Timestamp(10)));
        assert!(!format!("{token:?}").contains("digest"));
    }
}
