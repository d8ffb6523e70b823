//! A look into JSON that leaves its tokens as they are. In: the text of a value. Out: its kind, and the texts of what it holds.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

use crate::domain::json::Json;

/// A value, one level deep.
#[derive(Debug)]
pub(super) enum View<'a> {
    /// `null`, and whatever is not JSON.
    Null,
    /// `true` or `false`.
    Boolean,
    /// A number.
    Number,
    /// What stands between the quotes, escapes and all.
    Text(&'a str),
    /// The items.
    Array(Vec<&'a RawValue>),
    /// The members; of two with one name the last.
    Object(BTreeMap<String, &'a RawValue>),
}

impl<'a> View<'a> {
    /// Looks at a text that is JSON without white space around it.
    pub fn of(text: &'a str) -> Self {
        match text.as_bytes().first() {
            Some(b'{') => serde_json::from_str(text).map_or(Self::Null, Self::Object),
            Some(b'[') => serde_json::from_str(text).map_or(Self::Null, Self::Array),
            Some(b'"') => Self::Text(text.get(1..text.len() - 1).unwrap_or_default()),
            Some(b't' | b'f') => Self::Boolean,
            Some(b'n') | None => Self::Null,
            Some(_) => Self::Number,
        }
    }

    /// The kind, with an article: what a refusal says stands there.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Boolean => "a boolean",
            Self::Number => "a number",
            Self::Text(_) => "a text",
            Self::Array(_) => "an array",
            Self::Object(_) => "an object",
        }
    }
}

/// The text that a JSON string stands for; `None` for other values.
pub(super) fn string(text: &str) -> Option<String> {
    serde_json::from_str(text).ok()
}

/// A part of a JSON text as JSON of its own; `None` when it is none.
pub(super) fn part(text: &str) -> Option<Json> {
    Json::parse(text.as_bytes()).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn tokens_stay_as_they_are() {
        let View::Object(members) = View::of(r#"{"b":1.10,"a":[1e2,"\u003c"],"b":2}"#) else {
            panic!("an object");
        };
        assert_eq!(members["b"].get(), "2");
        let View::Array(items) = View::of(members["a"].get()) else {
            panic!("an array");
        };
        assert_eq!(items[0].get(), "1e2");
        assert!(matches!(View::of(items[1].get()), View::Text("\\u003c")));
        assert_eq!(string(items[1].get()).as_deref(), Some("<"));
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in ".{0,40}|[\\[\\]{}\":,0-9a-z\\\\]{0,20}") {
            let _ = (View::of(&text).kind(), string(&text), part(&text));
        }
    }
}
