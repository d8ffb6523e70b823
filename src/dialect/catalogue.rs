//! Which events a source may raise: those of its dialect, and those that it names itself. In: a source and a name, or the pattern
//! of a hook. Out: nothing, or a refusal that lists the events.

use serde_json::Value;

use super::layout::Misfit;
use super::{accept, grammar};
use crate::domain::event::{Event, EventName, EventPattern};
use crate::domain::json::Json;
use crate::domain::notation::nearest;
use crate::domain::source::{Dialect, Source};
use crate::domain::value::Timestamp;

/// The events of a dialect; none for WebSub, whose sources name their own.
pub fn catalogue(dialect: Dialect) -> &'static [&'static str] {
    grammar(dialect).catalogue()
}

/// Checks that a source has an event.
///
/// # Errors
/// Its events, and the nearest.
pub fn check_name(source: &Source, name: &EventName) -> Result<(), Misfit> {
    match names(source).any(|own| own == name.as_str()) {
        true => Ok(()),
        false => Err(unknown(source, name.as_str())),
    }
}

/// Checks that a pattern of a hook can match an event of the source.
///
/// # Errors
/// The source's events, and the nearest.
pub fn check_pattern(source: &Source, pattern: &EventPattern) -> Result<(), Misfit> {
    let matches = |name| EventName::parse(name).is_ok_and(|name| pattern.matches(&name));
    match *pattern == EventPattern::All || names(source).any(matches) {
        true => Ok(()),
        false => Err(unknown(source, &pattern.to_string())),
    }
}

/// An event as the source could raise it, with a payload that fits.
///
/// # Errors
/// It has no such event.
pub fn example(source: &Source, name: &EventName, now: Timestamp) -> Result<Event, Misfit> {
    // Nothing takes `null` for a payload, and the refusal of one comes with an example.
    let nothing = Json::of(&Value::Null);
    match accept(source, name, nothing.clone(), now) {
        Err(Misfit::Layout { example, .. }) => {
            let example = Json::parse(example.as_bytes());
            accept(source, name, example.unwrap_or(nothing), now)
        }
        other => other,
    }
}

/// How many events of the source some patterns match.
pub fn count_matches(source: &Source, patterns: &[EventPattern]) -> usize {
    let is_wanted = |name: &&str| {
        let name = EventName::parse(name);
        name.is_ok_and(|name| patterns.iter().any(|pattern| pattern.matches(&name)))
    };
    names(source).filter(is_wanted).count()
}

fn names(source: &Source) -> impl Iterator<Item = &str> {
    let own = source.events.iter().map(EventName::as_str);
    catalogue(source.dialect).iter().copied().chain(own)
}

/// The refusal of what is no event of a source: its events, and the nearest.
pub fn unknown(source: &Source, name: &str) -> Misfit {
    Misfit::Unknown {
        name: name.to_owned(),
        whose: source.name.to_string(),
        catalogue: names(source).map(str::to_owned).collect(),
        nearest: nearest(name, names(source)).map(str::to_owned),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::tests::source;

    #[test]
    fn a_source_has_the_events_of_its_dialect_and_its_own() {
        let mut social = source("social", Dialect::Mastodon);
        let name = |text| EventName::parse(text).expect("a name");
        assert_eq!(check_name(&social, &name("account.created")), Ok(()));
        let error = check_name(&social, &name("acount.created")).expect_err("a typing error");
        assert_eq!(
            error.to_string(),
            "acount.created is not an event of social; its events are account.approved, account.created, account.updated, \
             report.created, report.updated, status.created, status.updated; did you mean account.created?"
        );
        social.events.push(name("domain.blocked"));
        assert_eq!(check_name(&social, &name("domain.blocked")), Ok(()));
        let empty = source("blog", Dialect::Websub);
        let error = check_name(&empty, &name("posted")).expect_err("no events");
        assert!(error.to_string().contains("none yet"), "{error}");
    }

    #[test]
    fn a_pattern_must_be_able_to_match() {
        let social = source("social", Dialect::Mastodon);
        for (pattern, fits) in [
            ("*", true),
            ("account.*", true),
            ("report.created", true),
            ("acount.*", false),
            ("account.created.*", false),
            ("push", false),
        ] {
            let pattern = EventPattern::parse(pattern).expect("a pattern");
            assert_eq!(check_pattern(&social, &pattern).is_ok(), fits, "{pattern}");
        }
    }

    #[test]
    fn the_catalogues_hold_names_in_order_and_once() {
        for (dialect, count) in [
            (Dialect::Websub, 0),
            (Dialect::Mastodon, 7),
            (Dialect::Pleroma, 2),
            (Dialect::Muut, 9),
            (Dialect::SocialGateway, 75),
        ] {
            let names = catalogue(dialect);
            assert_eq!(names.len(), count, "{dialect:?}");
            assert!(names.iter().all(|name| EventName::parse(name).is_ok()));
            let mut once = names.to_vec();
            once.sort_unstable();
            once.dedup();
            assert_eq!(once.len(), count, "{dialect:?}");
        }
    }
}
