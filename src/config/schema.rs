//! The keys that exist, read off the serialized settings: a `Config` becomes a list of full keys with TOML values, and
//! such a list becomes a `Config` again; a source likewise. What a value may be is told by the default that stands there.

use serde::{Serialize, de::DeserializeOwned};
use toml_edit::{DocumentMut, Item, TableLike, Value, de, ser};

use crate::domain::notation;

/// What stands behind these keys is a secret.
const SECRETS: [&str; 3] = [
    "auth.admin_token",
    "auth.publisher_tokens",
    "source.inbound_secret",
];

/// Every one of the `settings`, as its full key and its value, in the order of the struct.
pub fn entries(settings: &impl Serialize) -> Vec<(String, Value)> {
    let document = ser::to_document(settings)
        .expect("settings were read from text, so they can be written as text");
    let mut entries = Vec::new();
    flatten("", document.as_table(), &mut entries);
    entries
}

fn flatten(section: &str, table: &dyn TableLike, entries: &mut Vec<(String, Value)>) {
    for (name, item) in table.iter() {
        let key = join(section, name);
        match (item.as_table_like(), item.as_value()) {
            (Some(table), _) => flatten(&key, table, entries),
            (None, Some(value)) => entries.push((key, value.clone())),
            (None, None) => {}
        }
    }
}

/// The full key of `name` in `section`, which is empty at the top level.
pub fn join(section: &str, name: &str) -> String {
    if section.is_empty() {
        name.to_owned()
    } else {
        format!("{section}.{name}")
    }
}

/// The settings that `entries` say.
///
/// # Errors
/// The sentence of the first value that is refused.
pub fn assemble<'a, T: DeserializeOwned>(
    entries: impl IntoIterator<Item = (&'a String, &'a Value)>,
) -> Result<T, String> {
    let mut document = DocumentMut::new();
    for (key, value) in entries {
        let item = Item::Value(value.clone());
        match key.split_once('.') {
            Some((section, name)) => document[section][name] = item,
            None => document[key] = item,
        }
    }
    T::deserialize(de::Deserializer::from(document)).map_err(|error| error.message().to_owned())
}

/// Checks that `value` is of the type of `default`.
///
/// # Errors
/// A sentence that quotes the value, unless it is a secret, and names the type.
pub fn same_type(key: &str, value: &Value, default: &Value) -> Result<(), String> {
    let (fits, expected) = match default {
        Value::Integer(_) => (
            value
                .as_integer()
                .is_some_and(|number| u32::try_from(number).is_ok()),
            "a whole number from 0 to 4294967295",
        ),
        Value::Boolean(_) => (value.is_bool(), "true or false"),
        Value::Array(_) => (
            value
                .as_array()
                .is_some_and(|list| list.iter().all(Value::is_str)),
            "a list of texts in quotes",
        ),
        _ => (value.is_str(), "a text in quotes"),
    };
    if fits {
        return Ok(());
    }
    let example = match default {
        Value::Boolean(_) => String::new(),
        Value::Array(list) if list.is_empty() => String::new(),
        Value::String(text) if text.value().is_empty() => String::new(),
        _ => format!(", such as {}", show(key, default)),
    };
    Err(format!("{} is not {expected}{example}", show(key, value)))
}

/// The value that a text means where no types are written (environment, flags): lists are separated by commas. A text
/// that does not fit stays a text, for [`same_type`] to refuse.
pub fn from_text(text: &str, default: &Value) -> Value {
    let parsed = match default {
        Value::Integer(_) => text.trim().parse::<i64>().ok().map(Value::from),
        Value::Boolean(_) => text.trim().parse::<bool>().ok().map(Value::from),
        Value::Array(_) => {
            let parts = text
                .split(',')
                .map(str::trim)
                .filter(|part| !part.is_empty());
            Some(parts.collect())
        }
        _ => None,
    };
    parsed.unwrap_or_else(|| Value::from(text))
}

/// The value as TOML in one line; a secret is masked, unless it is empty.
pub fn show(key: &str, value: &Value) -> String {
    const MASK: &str = "********";
    let secret = SECRETS.contains(&key);
    match value {
        Value::Array(list) if secret => list.iter().map(|_| MASK).collect::<Value>().to_string(),
        Value::String(text) if text.value().is_empty() => "\"\"".into(),
        _ if secret => format!("{MASK:?}"),
        _ => value.clone().decorated("", "").to_string(),
    }
}

/// The key that `wrong` most likely meant: the same name in another section, or the nearest spelling.
pub fn nearest_key<'a>(
    wrong: &str,
    keys: impl Iterator<Item = &'a str> + Clone,
) -> Option<&'a str> {
    let same_name = keys.clone().filter(|key| last(key) == last(wrong));
    same_name
        .min_by_key(|key| strsim::damerau_levenshtein(wrong, key))
        .or_else(|| notation::nearest(wrong, keys))
}

fn last(key: &str) -> &str {
    key.rsplit('.').next().unwrap_or(key)
}
