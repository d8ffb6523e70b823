//! The JSON object that a request brings: bytes come in, members of the right type go out, or in words which one is wrong.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::problem::{Problem, shown};
use crate::domain::notation::nearest;

/// An object.
#[derive(Debug, Default)]
pub struct Object(Map<String, Value>);

/// What a member can be read as.
pub trait Member: Sized {
    /// In words, with an article.
    const WANTED: &'static str;
    /// Reads it; `None` for a value of another type.
    fn read(value: &Value) -> Option<Self>;
}

impl Object {
    /// Reads a body; an empty one is an empty object.
    ///
    /// # Errors
    /// [`Problem::Invalid`]: it is no object.
    pub fn parse(body: &[u8]) -> Result<Self, Problem> {
        if body.trim_ascii().is_empty() {
            return Ok(Self::default());
        }
        match serde_json::from_slice(body) {
            Ok(Value::Object(members)) => Ok(Self(members)),
            Ok(_) => Err(Problem::Invalid(
                "the body is JSON, but no object; write {\"name\": value, ...}".into(),
            )),
            Err(error) => Err(Problem::Invalid(format!("the body is not JSON: {error}"))),
        }
    }

    /// The same, if it has none but these members.
    ///
    /// # Errors
    /// [`Problem::Invalid`] names the first that is not known, and the nearest.
    pub fn only(self, known: &[&str]) -> Result<Self, Problem> {
        let Some(name) = self.0.keys().find(|name| !known.contains(&name.as_str())) else {
            return Ok(self);
        };
        let hint = nearest(name, known.iter().copied())
            .map(|near| format!("; did you mean {near}?"))
            .unwrap_or_default();
        Err(Problem::Invalid(format!(
            "{:?} is not known here; the fields are {}{hint}",
            shown(name),
            known.join(", ")
        )))
    }

    /// All members.
    pub fn into_members(self) -> Map<String, Value> {
        self.0
    }

    /// Whether a member is there, be it null.
    pub fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// A member as it is.
    pub fn raw(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// A member; `None` if it is not there.
    ///
    /// # Errors
    /// [`Problem::Invalid`]: it is of another type.
    pub fn member<T: Member>(&self, name: &str) -> Result<Option<T>, Problem> {
        let Some(value) = self.0.get(name) else {
            return Ok(None);
        };
        let wrong = || {
            Problem::Invalid(format!(
                "{name}: {} is not {}",
                shown(&value.to_string()),
                T::WANTED
            ))
        };
        T::read(value).ok_or_else(wrong).map(Some)
    }

    /// A member that may be null, which says that there shall be none.
    ///
    /// # Errors
    /// [`Problem::Invalid`]: it is of another type.
    pub fn nullable<T: Member>(&self, name: &str) -> Result<Option<Option<T>>, Problem> {
        match self.0.get(name) {
            Some(Value::Null) => Ok(Some(None)),
            _ => Ok(self.member(name)?.map(Some)),
        }
    }
}

impl Member for String {
    const WANTED: &'static str = "a text";
    fn read(value: &Value) -> Option<Self> {
        value.as_str().map(str::to_owned)
    }
}

impl Member for bool {
    const WANTED: &'static str = "true or false";
    fn read(value: &Value) -> Option<Self> {
        value.as_bool()
    }
}

impl Member for u32 {
    const WANTED: &'static str = "a whole number from 0 to 4294967295";
    fn read(value: &Value) -> Option<Self> {
        value.as_u64()?.try_into().ok()
    }
}

impl Member for Vec<String> {
    const WANTED: &'static str = "a list of texts, such as [\"push\"]";
    fn read(value: &Value) -> Option<Self> {
        value.as_array()?.iter().map(String::read).collect()
    }
}

impl Member for BTreeMap<String, String> {
    const WANTED: &'static str = "an object of texts, such as {\"X-Api-Key\": \"...\"}";
    fn read(value: &Value) -> Option<Self> {
        let pair = |(name, value): (&String, &Value)| Some((name.clone(), String::read(value)?));
        value.as_object()?.iter().map(pair).collect()
    }
}

impl Member for Map<String, Value> {
    const WANTED: &'static str = "an object, such as {\"url\": \"https://...\"}";
    fn read(value: &Value) -> Option<Self> {
        value.as_object().cloned()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn mistakes_are_told_in_words() {
        let known = ["events", "active"];
        for (body, word) in [
            ("[]", "no object"),
            ("{", "not JSON"),
            (r#"{"evnts":[]}"#, "did you mean events?"),
            (r#"{"events":"push"}"#, "a list of texts"),
            (r#"{"events":[1]}"#, "a list of texts"),
            (
                r#"{"active":"yes"}"#,
                "active: \"yes\" is not true or false",
            ),
            (r#"{"active":null}"#, "active: null"),
        ] {
            let read = || {
                let object = Object::parse(body.as_bytes())?.only(&known)?;
                object.member::<Vec<String>>("events")?;
                object.member::<bool>("active")
            };
            let error = read().expect_err(body).to_string();
            assert!(error.contains(word), "{body}: {error}");
        }
        let object = Object::parse(br#"{"rate":null}"#).expect("an object");
        assert_eq!(object.nullable::<u32>("rate").expect("null"), Some(None));
        assert_eq!(object.nullable::<u32>("other").expect("absent"), None);
    }

    proptest! {
        #[test]
        fn no_body_panics(body in "[{}\\[\\]\",:a-z0-9]{0,30}") {
            if let Ok(object) = Object::parse(body.as_bytes()) {
                let _ = object.only(&["a", "b"]).map(|object| object.member::<u32>("a"));
            }
        }
    }
}
