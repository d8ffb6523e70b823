//! JSON that is passed on: text comes in, and the very same tokens go out. Order, numbers and escapes are nobody's to change;
//! only the white space between tokens goes, so that equal payloads are equal bytes.

use std::fmt;

use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A JSON text, valid and without white space between its tokens.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Json(String);

/// Why bytes are not JSON.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// Not UTF-8, the only encoding of JSON between systems (RFC 8259 section 8.1).
    #[error("is not UTF-8 from byte {0} on; send JSON in UTF-8")]
    Encoding(usize),
    /// Not JSON.
    #[error("is not JSON: {0}")]
    Syntax(String),
}

impl Json {
    /// Reads a JSON text of any type.
    ///
    /// # Errors
    /// Where it stops being JSON.
    pub fn parse(bytes: &[u8]) -> Result<Self, JsonError> {
        let text =
            std::str::from_utf8(bytes).map_err(|error| JsonError::Encoding(error.valid_up_to()))?;
        serde_json::from_str::<Readable>(text)
            .map_err(|error| JsonError::Syntax(error.to_string()))?;
        Ok(Self(compact(text)))
    }

    /// Writes a value.
    pub fn of(value: &Value) -> Self {
        Self(value.to_string())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The value. Numbers beyond what a double can hold lose precision here, and here alone.
    pub fn value(&self) -> Value {
        serde_json::from_str(&self.0).unwrap_or(Value::Null)
    }

    /// Whether it is an object.
    pub fn is_object(&self) -> bool {
        self.0.starts_with('{')
    }

    /// Whether it is an array.
    pub fn is_array(&self) -> bool {
        self.0.starts_with('[')
    }
}

impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Reads what `Value` can hold and keeps nothing. Serde's own `IgnoredAny` is not enough: it lets nesting of any depth, numbers
/// beyond a double and halves of surrogate pairs pass.
struct Readable;

impl<'de> Deserialize<'de> for Readable {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Self)
    }
}

impl<'de> Visitor<'de> for Readable {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self, A::Error> {
        while let Some(Self) = items.next_element()? {}
        Ok(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self, A::Error> {
        while let Some((Self, Self)) = members.next_entry()? {}
        Ok(self)
    }
}

/// A valid JSON text without the white space between its tokens.
fn compact(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let (mut in_string, mut escaped) = (false, false);
    for character in text.chars() {
        if in_string {
            in_string = escaped || character != '"';
            escaped = !escaped && character == '\\';
        } else if character == '"' {
            in_string = true;
        } else if character.is_ascii_whitespace() {
            continue;
        }
        out.push(character);
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn tokens_stay_as_they_are() {
        let text = r#" { "b" : 1.10 , "a" : [ "x \" y\\" , 12345678901234567890123 , "\u003cp\u003e" ] } "#;
        let json = Json::parse(text.as_bytes()).expect("JSON");
        assert_eq!(
            json.as_str(),
            r#"{"b":1.10,"a":["x \" y\\",12345678901234567890123,"\u003cp\u003e"]}"#
        );
    }

    #[test]
    fn what_is_not_json_is_refused_with_the_place() {
        let error = Json::parse(b"{\"a\": }").expect_err("no value");
        assert!(error.to_string().contains("line 1 column 7"), "{error}");
        assert_eq!(Json::parse(b"\"\xff\""), Err(JsonError::Encoding(1)));
        for unreadable in [
            "1e999",
            r#""\ud800""#,
            &"[".repeat(200),
            r#"{"a":{"b":-1e400}}"#,
        ] {
            assert!(Json::parse(unreadable.as_bytes()).is_err(), "{unreadable}");
        }
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            ".{0,12}".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 24, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                proptest::collection::btree_map(".{0,6}", inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn white_space_is_all_that_goes(value in value()) {
            let pretty = serde_json::to_string_pretty(&value).expect("JSON");
            let json = Json::parse(pretty.as_bytes()).expect("JSON");
            prop_assert_eq!(json.as_str(), value.to_string());
            prop_assert_eq!(json.value(), value);
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = Json::parse(&bytes);
        }
    }
}
