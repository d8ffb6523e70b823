//! Mastodon's templates: text with `{{object.username}}` in it, each replaced by what stands at that path of the event
//! (webhooks.md 1.1, after Mastodon's own code). In: a template and an event. Out: the body.
//!
//! Paths begin at `event`, `created_at` or `object`, whatever the dialect of the hook.

use super::mastodon;
use super::view::View;
use crate::domain::event::Event;

/// A template that has been read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    parts: Vec<Part>,
}

/// Why a text is no template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {found} stands where {wanted} should")]
pub struct TemplateError {
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1, in characters.
    pub column: usize,
    /// What stands there.
    pub found: String,
    /// What should stand there.
    pub wanted: &'static str,
}

/// Why a template cannot be filled in: a path goes on where nothing can be below.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{{{{{path}}}}} cannot be filled in: {at} is {found}, and {segment} cannot stand below it")]
pub struct RenderError {
    /// The path as the template has it.
    pub path: String,
    /// The part of it that could be followed.
    pub at: String,
    /// What stands there.
    pub found: &'static str,
    /// The segment that cannot be followed.
    pub segment: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    /// Segments with dots between them, as `Template::parse` let them through.
    Path(String),
}

const OPEN: &str = "{{";
const CLOSE: &str = "}}";

impl Template {
    /// Reads a template. A path is a name of small letters and `_`, then names or numbers, with dots between them;
    /// `{{}}` is text.
    ///
    /// # Errors
    /// The place of the first mistake, with what would be right.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, opened)) = rest.split_once(OPEN) {
            let path_length = path_length(opened).map_err(|(at, wanted)| {
                let at = text.len() - opened.len() + at;
                TemplateError::new(text, at, wanted)
            })?;
            parts.push(Part::Text(before.to_owned()));
            parts.push(match &opened[..path_length] {
                "" => Part::Text("{{}}".to_owned()),
                path => Part::Path(path.to_owned()),
            });
            rest = &opened[path_length + CLOSE.len()..];
        }
        parts.push(Part::Text(rest.to_owned()));
        Ok(Self { parts })
    }

    /// Fills a template in. A text goes in without its quotes but stays escaped; everything else goes in as JSON;
    /// what is not there is `null`.
    ///
    /// # Errors
    /// A path that leads through a text, a number or a boolean, or by a name into an array.
    pub fn render(&self, event: &Event) -> Result<String, RenderError> {
        let document = mastodon::write("event", event);
        let mut out = String::new();
        for part in &self.parts {
            match part {
                Part::Text(text) => out.push_str(text),
                Part::Path(path) => out.push_str(value_at(&document, path)?),
            }
        }
        Ok(out)
    }
}

/// The length of the path at the beginning of a text, with the braces that close it behind it; or where it goes wrong.
fn path_length(text: &str) -> Result<usize, (usize, &'static str)> {
    const NAME: &str =
        "the name of a key (a to z and _), as in {{object.username}}, without blanks";
    const SEGMENT: &str = "a name (a to z and _) or a number, as in {{object.ips.0.ip}}";
    const END: &str = "a dot or the closing }}";
    if text.starts_with(CLOSE) {
        return Ok(0);
    }
    let mut at = 0;
    loop {
        let segment = &text[at..];
        let name = run(segment, |byte| byte.is_ascii_lowercase() || byte == b'_');
        let number = run(segment, |byte| byte.is_ascii_digit());
        at += match (at, name, number) {
            (0, 0, _) => return Err((at, NAME)),
            (_, 0, 0) => return Err((at, SEGMENT)),
            _ => name.max(number),
        };
        match &text[at..] {
            behind if behind.starts_with(CLOSE) => return Ok(at),
            behind if behind.starts_with('.') => at += 1,
            _ => return Err((at, END)),
        }
    }
}

fn run(text: &str, belongs: impl Fn(u8) -> bool) -> usize {
    text.bytes()
        .position(|byte| !belongs(byte))
        .unwrap_or(text.len())
}

/// What stands at a path, as it goes into the text.
fn value_at<'a>(document: &'a str, path: &str) -> Result<&'a str, RenderError> {
    let mut value = document;
    let mut followed = 0;
    for segment in path.split('.') {
        let index = segment.starts_with(|first: char| first.is_ascii_digit());
        let view = View::of(value);
        let next = match &view {
            View::Null => None,
            View::Object(_) if index => None,
            View::Object(members) => members.get(segment).copied(),
            View::Array(items) if index => segment
                .parse()
                .ok()
                .and_then(|index: usize| items.get(index).copied()),
            _ => {
                return Err(RenderError {
                    path: path.to_owned(),
                    at: path[..followed].trim_end_matches('.').to_owned(),
                    found: view.kind(),
                    segment: segment.to_owned(),
                });
            }
        };
        value = next.map_or("null", |next| next.get());
        followed += segment.len() + 1;
    }
    Ok(match View::of(value) {
        View::Text(inside) => inside,
        _ => value,
    })
}

impl TemplateError {
    fn new(text: &str, at: usize, wanted: &'static str) -> Self {
        let before = &text[..at];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Self {
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            found: text[at..]
                .chars()
                .next()
                .map_or_else(|| "the end".into(), |found| format!("{found:?}")),
            wanted,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::event::EventName;
    use crate::domain::json::Json;
    use crate::domain::value::Timestamp;

    const ACCOUNT: &str = r#"{"id":7,"username":"Foo\"\u00e9","ips":[{"ip":"1.2.3.4"},2.50],"role":null,"ok":true,"_a":{"b":[]}}"#;

    fn event() -> Event {
        Event {
            name: EventName::parse("account.created").expect("a name"),
            created_at: Timestamp(1_698_327_240_351),
            payload: Json::parse(ACCOUNT.as_bytes()).expect("JSON"),
        }
    }

    fn render(template: &str) -> Result<String, RenderError> {
        Template::parse(template).expect(template).render(&event())
    }

    #[test]
    fn values_go_in_as_mastodon_puts_them() {
        for (template, body) in [
            ("", ""),
            ("plain } { }} text", "plain } { }} text"),
            (
                r#"{ "content": "Hello {{object.username}}" }"#,
                r#"{ "content": "Hello Foo\"\u00e9" }"#,
            ),
            ("{{event}}{{object.id}}", "account.created7"),
            ("{{created_at}}", "2023-10-26T13:34:00.351Z"),
            ("{{object.ips}}", r#"[{"ip":"1.2.3.4"},2.50]"#),
            ("{{object.ips.0.ip}}|{{object.ips.01}}", "1.2.3.4|2.50"),
            (
                "{{object.ips.9.ip}}|{{object.ips.99999999999999999999999}}",
                "null|null",
            ),
            (
                "{{object.role}}|{{object.role.name.x}}|{{object.nobody}}",
                "null|null|null",
            ),
            (
                "{{object.0}}|{{object.0.x}}|{{object.ok}}",
                "null|null|true",
            ),
            ("{{object._a}}", r#"{"b":[]}"#),
            ("{{}}", "{{}}"),
            (r#"{"a":{"b":{{object.id}}}}"#, r#"{"a":{"b":7}}"#),
        ] {
            assert_eq!(render(template).as_deref(), Ok(body), "{template}");
        }
    }

    #[test]
    fn a_path_through_what_holds_nothing_names_itself() {
        for (template, at, found, segment) in [
            (
                "{{object.username.length}}",
                "object.username",
                "a text",
                "length",
            ),
            ("{{object.id.0}}", "object.id", "a number", "0"),
            ("{{object.ok.x}}", "object.ok", "a boolean", "x"),
            ("{{object.ips.ip}}", "object.ips", "an array", "ip"),
        ] {
            let error = render(template).expect_err(template);
            assert_eq!(
                (&*error.at, error.found, &*error.segment),
                (at, found, segment)
            );
            assert!(error.to_string().starts_with(template), "{error}");
        }
    }

    #[test]
    fn a_mistake_is_found_with_its_place() {
        for (template, line, column, found) in [
            ("{{", 1, 3, "the end"),
            ("a {{ object}}", 1, 5, "' '"),
            ("{{object }}", 1, 9, "' '"),
            ("ä\n{{object.Username}}", 2, 10, "'U'"),
            ("{{0}}", 1, 3, "'0'"),
            ("{{.a}}", 1, 3, "'.'"),
            ("{{a.}}", 1, 5, "'}'"),
            ("{{a..b}}", 1, 5, "'.'"),
            ("{{a.0b}}", 1, 6, "'b'"),
            ("{{a.b0}}", 1, 6, "'0'"),
            ("{{a}", 1, 4, "'}'"),
            ("{{{a}}}", 1, 3, "'{'"),
            ("{{a}} {{b}} {{ü}}", 1, 15, "'ü'"),
        ] {
            let error = Template::parse(template).expect_err(template);
            let place = (error.line, error.column, &*error.found);
            assert_eq!(place, (line, column, found), "{template}");
        }
    }

    proptest! {
        #[test]
        fn text_without_braces_stays_as_it_is(text in "[^{]{0,40}") {
            prop_assert_eq!(render(&text), Ok(text));
        }

        #[test]
        fn every_path_of_the_grammar_is_read(path in "object(\\.([a-z_]{1,4}|[0-9]{1,3})){1,3}", around in "[^{}]{0,5}") {
            let text = format!("{around}{{{{{path}}}}}{around}");
            let template = Template::parse(&text).expect("a template");
            let mut nobody = event();
            nobody.payload = Json::parse(b"{}").expect("JSON");
            let null = template.render(&nobody);
            prop_assert_eq!(null, Ok(format!("{around}null{around}")));
        }

        #[test]
        fn no_text_makes_it_panic(text in "([{}.a0 ü\n]|\\{\\{|\\}\\}|object|ips){0,16}") {
            match Template::parse(&text) {
                Ok(template) => drop(template.render(&event())),
                Err(error) => prop_assert!(error.line <= text.lines().count() + 1),
            }
        }
    }
}
