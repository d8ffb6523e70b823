//! Filters of hooks: a JSONPath query (RFC 9535) over the event. In: a query and an event. Out: whether it finds anything.
//!
//! The query sees `{"event", "created_at", "object"}`, whatever the dialect: `$[?@.category == "violation"]` lets the reports of
//! violations through, `$.object[?@.number > 5]` whatever has such a member.

use serde_json::{Value, json};
use serde_json_path::JsonPath;

use crate::domain::event::Event;

/// The longest query, in bytes.
pub const FILTER_MAX_BYTES: usize = 1024;
/// The deepest nesting of brackets: the parser goes down as deep.
const DEPTH: usize = 12;
/// The most descents (`..`): one looks at every value of the payload, and a second one may do so for each of them.
const DESCENTS: usize = 1;
/// The most commas: `[*,*]` doubles what is looked at, as often as it is written.
const COMMAS: usize = 8;
/// Signs of those parts that find many values. Behind a second `$` they would look through all of the event for each of its values.
const MANY: [char; 3] = ['*', '?', ':'];

/// A query that has been read.
#[derive(Clone, Debug)]
pub struct Filter(JsonPath);

/// Why a text is no filter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "column {column}: {reason}; a filter is a JSONPath query (RFC 9535) that must find something, such as $.object[?@ == \"violation\"] or $[?@.account.bot == true]"
)]
pub struct FilterError {
    /// Where, from 1, in characters.
    pub column: usize,
    /// What is wrong there.
    pub reason: String,
}

impl Filter {
    /// Reads a query.
    ///
    /// # Errors
    /// The place of the mistake.
    pub fn parse(text: &str) -> Result<Self, FilterError> {
        let refuse = |at: usize, reason: String| FilterError {
            column: text.chars().take(at).count() + 1,
            reason,
        };
        if text.len() > FILTER_MAX_BYTES {
            let reason = format!("longer than {FILTER_MAX_BYTES} bytes");
            return Err(refuse(FILTER_MAX_BYTES, reason));
        }
        if let Some((at, cause)) = too_costly(text) {
            return Err(refuse(at, format!("too costly: {cause}")));
        }
        JsonPath::parse(text)
            .map(Self)
            .map_err(|error| refuse(error.position(), error.message().to_owned()))
    }

    /// Whether an event gets through, given as [`subject`] has it.
    pub fn matches(&self, subject: &Value) -> bool {
        !self.0.query(subject).is_empty()
    }
}

/// What queries see of an event; made once for all hooks.
pub fn subject(event: &Event) -> Value {
    json!({
        "event": event.name.as_str(),
        "created_at": event.created_at.to_string(),
        "object": event.payload.value(),
    })
}

/// The character at which a query becomes too costly to read or to run, and why. What stands inside of its texts counts too: nobody
/// needs many.
fn too_costly(text: &str) -> Option<(usize, String)> {
    let (mut depth, mut descents, mut commas, mut roots, mut last) = (0_usize, 0, 0, 0, ' ');
    text.chars().enumerate().find_map(|(at, letter)| {
        match letter {
            '(' | '[' => depth += 1,
            ')' | ']' => depth = depth.saturating_sub(1),
            '.' if last == '.' => descents += 1,
            ',' => commas += 1,
            '$' => roots += 1,
            _ => {}
        }
        last = letter;
        let cause = if depth > DEPTH {
            format!("more than {DEPTH} brackets in one another")
        } else if descents > DESCENTS {
            "`..` twice".to_owned()
        } else if commas > COMMAS {
            format!("more than {COMMAS} commas")
        } else if roots > 1 && MANY.contains(&letter) {
            format!(
                "`{letter}` behind a second `$`, which may only name one value, as $.object.id does"
            )
        } else {
            return None;
        };
        Some((at, cause))
    })
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use proptest::prelude::*;
    use serde_json_path::functions::{NodesType, ValueType};

    use super::*;
    use crate::domain::event::EventName;
    use crate::domain::json::Json;
    use crate::domain::value::Timestamp;

    fn event() -> Event {
        Event {
            name: EventName::parse("report.created").expect("a name"),
            created_at: Timestamp(1_698_327_240_351),
            payload: Json::parse(
                br#"{"category":"violation","account":{"bot":false,"ips":[1,2]}}"#,
            )
            .expect("JSON"),
        }
    }

    #[test]
    fn a_query_that_finds_something_lets_the_event_through() {
        for (query, passes) in [
            ("$", true),
            ("$.object.account", true),
            ("$.object.nobody", false),
            (r#"$[?@.category == "violation"]"#, true),
            (
                r#"$[?@.category == "spam" || @.account.bot == false]"#,
                true,
            ),
            (r#"$[?@.category == "spam"]"#, false),
            (r#"$[?@ == "report.created"]"#, true),
            (r#"$.object[?@.bot == $.object.account.bot]"#, true),
            ("$.object['category','account'].bot", true),
            ("$.object.account.ips[?@ > 1]", true),
            ("$.object.account.ips[?@ > 2]", false),
            ("$..bot", true),
        ] {
            let filter = Filter::parse(query).expect(query);
            assert_eq!(filter.matches(&subject(&event())), passes, "{query}");
        }
    }

    #[test]
    fn a_mistake_is_found_with_its_place() {
        for (query, column) in [
            ("", 1),
            ("object", 1),
            ("$.object[?@.a = 1]", 15),
            ("$.a b", 4),
            ("$..a..b", 6),
            (r#"$[?match(@, "report.*")]"#, 4),
            (r#"$[?search(@, $.object.pattern)]"#, 4),
            ("$..[?count($.object.*) > 3]", 21),
            ("$.object[?count($[?@]) > 3]", 19),
        ] {
            let error = Filter::parse(query).expect_err(query);
            assert_eq!(error.column, column, "{query}: {error}");
        }
        assert!(Filter::parse(&"$.a".repeat(400)).is_err());
        assert!(Filter::parse(&format!("$.object{}", "[*,*]".repeat(9))).is_err());
    }

    #[test]
    fn what_is_nested_deeply_is_refused_before_it_is_read() {
        let nested = |part: &str, times: usize| format!("$[?{}", part.repeat(times));
        for part in ["(", "!(", "[?@", "$[?(", "[?$[", "[?count("] {
            let error = Filter::parse(&nested(part, 100)).expect_err(part);
            assert!(error.reason.starts_with("too costly: "), "{part}: {error}");
            for times in [DEPTH - 1, (DEPTH - 1) / 2] {
                assert!(Filter::parse(&nested(part, times)).is_err(), "{part}");
            }
        }
        assert!(Filter::parse(&nested("!", 300)).is_err());
        let closed = format!("$[?{}@.a{}]", "(".repeat(DEPTH - 1), ")".repeat(DEPTH - 1));
        assert!(Filter::parse(&closed).is_ok());
        let unequal = format!("$[?@.a{}]", " != 1 && @.a".repeat(40));
        assert!(Filter::parse(&unequal).is_ok());
    }

    thread_local! {
        /// Values that `looked_at` was given.
        static LOOKED_AT: Cell<usize> = const { Cell::new(0) };
    }

    /// Counts what the engine hands over as it runs, once for each time; in a query it is what `count` is.
    #[serde_json_path::function]
    fn looked_at(values: NodesType) -> ValueType {
        LOOKED_AT.set(LOOKED_AT.get() + values.len());
        ValueType::Value(values.len().into())
    }

    /// How many values a run looks at.
    fn counted(run: impl FnOnce()) -> usize {
        LOOKED_AT.set(0);
        run();
        LOOKED_AT.get()
    }

    /// An event with so many values, and as many again, some levels down.
    fn large(size: usize) -> Value {
        let values: Vec<_> = (0..size).map(|n| json!({ "n": n })).collect();
        let nested = (0..COMMAS).fold(json!(values), |inner, _| json!([inner]));
        json!({ "object": { "nested": nested } })
    }

    /// The engine itself counts, in the filter's own run: each value that a test judges, and each that a test asks for. What it copies from
    /// step to step is not seen. Twice the event may cost twice as much, and each comma may double that.
    #[test]
    fn what_a_query_looks_at_grows_no_faster_than_the_event() {
        const SIZE: usize = 500;
        let seen = "looked_at(@) < 0";
        let doubled = |times: usize| format!("$.object.nested{}[?{seen}]", "[*,*]".repeat(times));
        let nested = (0..4).fold(seen.to_owned(), |inner, _| format!("{seen} || @[?{inner}]"));
        for (query, times) in [
            (format!("$..[?{seen}]"), 1),
            ("$..[?looked_at(@.*) < 0]".to_owned(), 1),
            (format!("$..[?{nested}]"), 5),
            (doubled(COMMAS), 1 << COMMAS),
        ] {
            let filter = Filter::parse(&query).expect(&query);
            let cost = |size| {
                let event = large(size);
                counted(|| assert!(!filter.matches(&event), "{query}"))
            };
            let (once, twice) = (cost(SIZE), cost(2 * SIZE));
            let all = 2 * SIZE + COMMAS + 2;
            assert!(once >= SIZE, "{query}: it is counted");
            assert!(once <= times * all, "{query}: {once} of {all}");
            assert!(twice <= 2 * once, "{query}: {once}, then {twice}");
        }
        // What is refused would grow faster, or double once more: the count shows it.
        let squared = "$..[?looked_at($..*) < 0]";
        for beyond in [squared, &doubled(COMMAS + 1), "$..*..*"] {
            assert!(Filter::parse(beyond).is_err(), "{beyond}");
        }
        let query = JsonPath::parse(squared).expect(squared);
        let cost = |size| {
            let event = large(size);
            counted(|| drop(query.query(&event)))
        };
        assert!(cost(40) > 3 * cost(20));
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "[$@.\\[\\]?()!&|='\"a-c0-9 *:,<-]{0,24}|.{0,24}") {
            match Filter::parse(&text) {
                Ok(filter) => drop(filter.matches(&subject(&event()))),
                Err(error) => prop_assert!(error.column <= text.chars().count() + 1),
            }
        }
    }
}
