//! What is said about an event to people: one to a few lines, and a URL where to read more. In: a source and any event,
//! known or not. Out: a `Summary`.
//!
//! Invariants: at most six lines of at most 300 characters, none empty, none with a control character, so that no
//! payload can smuggle a command into a protocol of lines; a URL is http(s) and of bounded length.

mod forum;
mod repository;
mod social;
mod text;

use serde_json::Value;

use self::text::{clean, plain, shortened};
use crate::domain::event::Event;
use crate::domain::source::SourceName;
use crate::domain::value::CallbackUrl;

/// The most lines, without the URL.
const LINES_MAX: usize = 6;

/// The longest line, in characters.
const LINE_MAX_CHARS: usize = 300;

/// The longest URL, in bytes.
const URL_MAX_BYTES: usize = 1000;

/// An event in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    lines: Vec<String>,
    url: Option<String>,
}

/// What one kind of event says before it is made safe.
struct Words {
    lines: Vec<String>,
    url: Option<String>,
}

impl Summary {
    fn new(words: Words) -> Self {
        let lines = words.lines.iter().map(|line| clean(line, LINE_MAX_CHARS));
        let is_safe = |url: &String| {
            url.len() <= URL_MAX_BYTES && url.is_ascii() && CallbackUrl::parse(base(url)).is_ok()
        };
        Self {
            lines: lines
                .filter(|line| !line.is_empty())
                .take(LINES_MAX)
                .collect(),
            url: words.url.filter(is_safe),
        }
    }

    /// The lines, the most important first.
    pub fn lines(&self) -> &[String] {
        &self.lines
    }

    /// Where to read more.
    pub fn url(&self) -> Option<&str> {
        self.url.as_deref()
    }

    /// The lines, and the URL as the last of them.
    pub fn all_lines(&self) -> Vec<String> {
        self.lines.iter().chain(&self.url).cloned().collect()
    }
}

/// Says what an event means. An event that is not known, or whose payload is unlike those that are, is named.
pub fn summary(source: &SourceName, event: &Event) -> Summary {
    let payload = event.payload.value();
    let name = event.name.as_str();
    let words = match (event.name.group(), &payload) {
        (Some("account" | "report" | "status"), _) => social::words(source, name, &payload),
        (_, Value::Array(parts)) => forum::words(source, name, parts),
        _ => repository::words(source, name, &payload),
    };
    let fallback = || Words::line(format!("{name} at {source}"));
    let said = Summary::new(words.unwrap_or_else(fallback));
    match said.lines.is_empty() {
        true => Summary::new(fallback()),
        false => said,
    }
}

impl Words {
    fn line(line: String) -> Self {
        Self {
            lines: vec![line],
            url: None,
        }
    }

    /// With another line below, if there is anything to say.
    fn and(mut self, line: impl Into<Option<String>>) -> Self {
        self.lines.extend(line.into());
        self
    }

    fn at(mut self, url: &Value) -> Self {
        self.url = url.as_str().map(str::to_owned);
        self
    }
}

/// The URL without its fragment: comments have one.
fn base(url: &str) -> &str {
    url.split('#').next().unwrap_or(url)
}

/// The text of a member, unless it is empty.
fn member<'v>(value: &'v Value, name: &str) -> Option<&'v str> {
    value[name].as_str().filter(|text| !text.trim().is_empty())
}

/// `pull_request` as words.
fn spoken(name: &str) -> String {
    name.replace('_', " ")
}

#[cfg(test)]
mod tests;
