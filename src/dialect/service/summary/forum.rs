//! Events of a forum in words: threads, replies, likes. In: Muut's arrays, position by position.

use serde_json::Value;

use super::{Words, clean, member};
use crate::domain::source::SourceName;

/// The longest title or path, in characters.
const TITLE_MAX_CHARS: usize = 150;

pub(super) fn words(source: &SourceName, name: &str, parts: &[Value]) -> Option<Words> {
    // The first part repeats the event's name.
    let first = parts.get(1)?;
    let second = parts.get(2).unwrap_or(&Value::Null);
    let path = || first.as_str().map(|path| clean(path, TITLE_MAX_CHARS));
    Some(match name {
        "post" => {
            let title = clean(member(second, "title")?, TITLE_MAX_CHARS);
            let channel = member(&first["page"], "title");
            let channel = channel.map_or_else(String::new, |name| format!(" in {name}"));
            let who = who(&second["user"]);
            Words::line(format!("{who} started \"{title}\"{channel} at {source}")).and(body(second))
        }
        "reply" => {
            let who = who(&second["user"]);
            Words::line(format!("{who} replied to {} at {source}", path()?)).and(body(second))
        }
        "like" | "unlike" => {
            Words::line(format!("{} {name}d {} at {source}", who(second), path()?))
        }
        "remove" => Words::line(format!("{} removed {} at {source}", who(second), path()?)),
        "spam" => Words::line(format!(
            "{} marked {} as spam at {source}",
            who(second),
            path()?
        )),
        "unspam" => Words::line(format!(
            "{} cleared {} of spam at {source}",
            who(second),
            path()?
        )),
        "enter" => Words::line(format!("{} came to {source}", who(first))),
        "leave" => Words::line(format!("{} left {source}", who(first))),
        _ => return None,
    })
}

fn who(user: &Value) -> String {
    let name = member(user, "displayname").or(member(user, "path"));
    clean(name.unwrap_or("someone"), 60)
}

/// The text of a post: one text, or its head and its tail.
fn body(post: &Value) -> Option<String> {
    match &post["body"] {
        Value::String(text) => Some(text.clone()),
        Value::Array(parts) => {
            let texts: Vec<&str> = parts.iter().take(8).filter_map(Value::as_str).collect();
            Some(texts.join(" "))
        }
        _ => None,
    }
}
