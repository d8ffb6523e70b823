//! What a service needs to know: fields that are named, needed or not, and checked. In: the config of a hook. Out: the
//! same, or the first mistake in words.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::domain::notation;
use crate::domain::value::CallbackUrl;

/// A hook's config: every value is a text, booleans are `1` and `0`.
pub type Config = BTreeMap<String, String>;

/// The longest value, in bytes.
const VALUE_MAX_BYTES: usize = 2048;

/// One field of a service's config.
#[derive(Debug)]
pub struct Field {
    /// Its name.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// Whether the service can do without it.
    pub required: bool,
    /// What it means, for people.
    pub means: &'static str,
    check: fn(&str) -> Result<(), &'static str>,
}

/// What a field holds; `name` is what lists of services say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A text.
    Text,
    /// A text that is not shown again.
    Password,
    /// An http(s) URL.
    Url,
    /// `1` or `0`.
    Boolean,
}

/// What is wrong with a config.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// A field that the service needs is absent or empty.
    #[error("{service} needs config.{field}: {means}")]
    Missing {
        /// The service.
        service: &'static str,
        /// The field.
        field: &'static str,
        /// What it would hold.
        means: &'static str,
    },
    /// A field that the service does not know.
    #[error("{service} has no config.{field}; {}", .suggestion)]
    Unknown {
        /// The service.
        service: &'static str,
        /// The field.
        field: String,
        /// The nearest field, or all of them.
        suggestion: String,
    },
    /// A value that cannot be right. The value itself may be a secret and is not repeated.
    #[error("config.{field} {problem}")]
    Wrong {
        /// The field.
        field: String,
        /// What is wrong, and what would be right.
        problem: String,
    },
}

impl Field {
    pub(super) const fn required(name: &'static str, kind: Kind, means: &'static str) -> Self {
        Self {
            name,
            kind,
            required: true,
            means,
            check: checks::anything,
        }
    }

    pub(super) const fn optional(name: &'static str, kind: Kind, means: &'static str) -> Self {
        Self {
            required: false,
            ..Self::required(name, kind, means)
        }
    }

    /// With a check beyond that of its kind.
    pub(super) const fn checked(self, check: fn(&str) -> Result<(), &'static str>) -> Self {
        Self { check, ..self }
    }

    /// Whether its value is not shown again. Whoever knows the URL of an incoming webhook can post there.
    pub fn is_secret(&self) -> bool {
        matches!(self.kind, Kind::Password) || self.name == "url"
    }

    /// Its value; an empty one is none, as forms send empty fields for what was left out.
    pub(super) fn of<'c>(&self, config: &'c Config) -> Option<&'c str> {
        value(config, self.name)
    }

    fn problem(&self, value: &str) -> Option<String> {
        if value.len() > VALUE_MAX_BYTES {
            return Some(format!("is longer than {VALUE_MAX_BYTES} bytes"));
        }
        if value.chars().any(char::is_control) {
            return Some("contains a control character, such as a line end; leave it out".into());
        }
        match self.kind {
            Kind::Url => {
                if let Err(error) = CallbackUrl::parse(value) {
                    return Some(error.to_string());
                }
            }
            Kind::Boolean if value != "0" && value != "1" => {
                return Some(r#"is neither true ("1") nor false ("0")"#.into());
            }
            Kind::Text | Kind::Password | Kind::Boolean => {}
        }
        (self.check)(value).err().map(str::to_owned)
    }
}

impl Kind {
    /// The name in lists of services.
    pub fn name(self) -> &'static str {
        match self {
            Self::Text => "string",
            Self::Password => "password",
            Self::Url => "url",
            Self::Boolean => "boolean",
        }
    }
}

/// The value of a field, unless it is absent or empty.
pub(super) fn value<'c>(config: &'c Config, name: &str) -> Option<&'c str> {
    let value = config.get(name)?.as_str();
    (!value.is_empty()).then_some(value)
}

/// Whether a boolean field is set.
pub(super) fn is_set(config: &Config, name: &str) -> bool {
    value(config, name) == Some("1")
}

/// Reads the config of a hook from JSON: booleans become `1` and `0`, numbers their digits, nulls nothing.
///
/// # Errors
/// The first value that is an array or an object.
pub fn from_json(object: &Map<String, Value>) -> Result<Config, ConfigError> {
    let mut config = Config::new();
    for (name, value) in object {
        let text = match value {
            Value::Null => continue,
            Value::Bool(true) => "1".to_owned(),
            Value::Bool(false) => "0".to_owned(),
            Value::Number(number) => number.to_string(),
            Value::String(text) => text.clone(),
            Value::Array(_) | Value::Object(_) => {
                return Err(ConfigError::Wrong {
                    field: name.clone(),
                    problem: "is an array or an object; write a text, a number or a boolean".into(),
                });
            }
        };
        config.insert(name.clone(), text);
    }
    Ok(config)
}

/// Holds a config to the fields of a service.
///
/// # Errors
/// The first mistake: an unknown field (it may be the missing one, misspelt), a missing one, a wrong value.
pub(super) fn check(
    service: &'static str,
    fields: &'static [Field],
    config: &Config,
) -> Result<(), ConfigError> {
    let names = || fields.iter().map(|field| field.name);
    for name in config.keys() {
        if !names().any(|known| known == name) {
            let suggestion = match notation::nearest(name, names()) {
                Some(nearest) => format!("did you mean {nearest:?}?"),
                None => format!("its fields are {}", names().collect::<Vec<_>>().join(", ")),
            };
            return Err(ConfigError::Unknown {
                service,
                field: name.clone(),
                suggestion,
            });
        }
    }
    for field in fields {
        let problem = match field.of(config) {
            Some(value) => field.problem(value),
            None if field.required => {
                return Err(ConfigError::Missing {
                    service,
                    field: field.name,
                    means: field.means,
                });
            }
            None => None,
        };
        if let Some(problem) = problem {
            return Err(ConfigError::Wrong {
                field: field.name.to_owned(),
                problem,
            });
        }
    }
    Ok(())
}

/// What single values must be, beyond their kind. Each answers with what would be right.
pub(super) mod checks {
    use url::Host;

    type Check = Result<(), &'static str>;

    pub fn anything(_: &str) -> Check {
        Ok(())
    }

    /// One label of a host name, so that a value cannot lead to another host.
    pub fn host_label(text: &str) -> Check {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        let is_label = (1..=63).contains(&text.len())
            && text.bytes().all(allowed)
            && !text.starts_with('-')
            && !text.ends_with('-');
        expect(
            is_label,
            "is not one part of a host name; write letters, digits and hyphens, such as acme",
        )
    }

    pub fn host(text: &str) -> Check {
        expect(
            Host::parse(text).is_ok() && !text.contains(' '),
            "is not a host name or an address; write it without scheme, port and path, such as irc.example.org",
        )
    }

    pub fn port(text: &str) -> Check {
        let is_port = text.parse::<u16>().is_ok_and(|port| port != 0);
        expect(is_port, "is not a port; write a number from 1 to 65535")
    }

    /// A base that paths are appended to.
    pub fn base_url(text: &str) -> Check {
        expect(!text.contains('?'), "has a query; write the URL without it")
    }

    /// Text that is encoded into a path; only these two could leave their place.
    pub fn path_segment(text: &str) -> Check {
        expect(!matches!(text, "." | ".."), "is not the name of a room")
    }

    pub fn room_id(text: &str) -> Check {
        expect(
            text.starts_with('!'),
            "is not a room's internal id, which begins with ! and stands in the room's advanced settings",
        )
    }

    pub fn channel(text: &str) -> Check {
        let is_one = text.len() <= 200 && text.chars().all(|c| !matches!(c, ' ' | ',' | ':'));
        expect(
            is_one,
            "is not a channel; write one, without blanks, commas and colons, such as #commits",
        )
    }

    pub fn nick(text: &str) -> Check {
        let special = |byte: u8| b"[]\\`_^{|}".contains(&byte);
        let first = |byte: &u8| byte.is_ascii_alphabetic() || special(*byte);
        let other = |byte: u8| byte.is_ascii_alphanumeric() || special(byte) || byte == b'-';
        let is_nick = text.len() <= 30 && text.bytes().next().as_ref().is_some_and(first);
        expect(
            is_nick && text.bytes().all(other),
            "is not a nick; write up to 30 letters, digits, - and _, beginning with a letter",
        )
    }

    pub fn irc_password(text: &str) -> Check {
        expect(text.len() <= 199, "is longer than 199 bytes")
    }

    pub fn channel_key(text: &str) -> Check {
        let fits = text.len() <= 199 && !text.contains([' ', ',', ':']);
        expect(
            fits,
            "is not a channel's key, which has no blanks, commas and colons",
        )
    }

    fn expect(is_right: bool, otherwise: &'static str) -> Check {
        if is_right { Ok(()) } else { Err(otherwise) }
    }
}
