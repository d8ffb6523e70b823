//! The settings of `[log]`: what is logged, and in which form.

use serde::{Deserialize, Serialize};
use tracing_subscriber::EnvFilter;

use crate::domain::notation;

/// `[log]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogSettings {
    /// What is logged: a level, or levels for some modules.
    pub level: LogFilter,
    /// The form of a line.
    #[serde(deserialize_with = "notation::choice")]
    pub format: LogFormat,
}

/// The form of a line of the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line, for machines.
    Json,
}

/// What is logged: a level such as `info`, or levels for some modules, such as `warn,fanfare::flow=debug`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct LogFilter(String);

const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

impl LogFilter {
    /// The directives, as `EnvFilter` reads them.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for LogFilter {
    fn default() -> Self {
        Self("info".into())
    }
}

impl TryFrom<String> for LogFilter {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        // `EnvFilter` takes a lone word for a module that is logged in full, so that `inof` would be no error there.
        let known = |word: &str| LEVELS.iter().any(|level| level.eq_ignore_ascii_case(word));
        let mut words = text.split(',').filter(|word| !word.contains('='));
        if let Some(word) = words.find(|word| !known(word)) {
            let hint = notation::nearest(word, LEVELS)
                .map_or_else(String::new, |near| format!("; did you mean {near:?}?"));
            return Err(format!(
                "{word:?} is not a log level; the levels are: {}{hint}",
                LEVELS.join(", ")
            ));
        }
        EnvFilter::try_new(&text).map_err(|error| {
            format!(
                "{text:?} is not a log filter ({error}); write for example \"warn,fanfare=debug\""
            )
        })?;
        Ok(Self(text))
    }
}

impl From<LogFilter> for String {
    fn from(filter: LogFilter) -> Self {
        filter.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_and_directives_are_read() {
        for good in [
            "info",
            "WARN",
            "warn,fanfare=debug",
            "warn,fanfare::flow=trace",
        ] {
            LogFilter::try_from(good.to_owned()).unwrap();
        }
    }

    #[test]
    fn a_misspelt_level_is_refused_and_the_nearest_named() {
        let refusal = LogFilter::try_from("inof".to_owned()).unwrap_err();
        assert!(refusal.ends_with("did you mean \"info\"?"), "{refusal}");
        let refusal = LogFilter::try_from("fanfare=loud".to_owned()).unwrap_err();
        assert!(
            refusal.starts_with("\"fanfare=loud\" is not a log filter"),
            "{refusal}"
        );
    }
}
