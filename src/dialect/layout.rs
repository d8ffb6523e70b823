//! What the payload of an event must look like, as data. In: the text of a value. Out: nothing, or the place where it does not fit.

use super::view::View;
use crate::domain::event::EventName;

/// Why a program cannot raise an event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Misfit {
    /// The source has no such event.
    #[error("{name} is not an event of {whose}; {}", choices(catalogue, nearest.as_deref()))]
    Unknown {
        /// The event, or the pattern that matches none.
        name: String,
        /// The source.
        whose: String,
        /// Its events.
        catalogue: Vec<String>,
        /// The one that was most likely meant.
        nearest: Option<String>,
    },
    /// The payload does not fit the layout.
    #[error(
        "{} is {found}; it should be {wanted}; an example of {name}: {example}",
        place(path)
    )]
    Layout {
        /// The event.
        name: EventName,
        /// Where, such as `[2].user.path`; empty for the payload as a whole.
        path: String,
        /// What stands there.
        found: String,
        /// What would be right.
        wanted: String,
        /// A payload that fits.
        example: String,
    },
}

fn choices(catalogue: &[String], nearest: Option<&str>) -> String {
    if catalogue.is_empty() {
        return "it has none yet: name them in its `events`".into();
    }
    let hint = nearest.map_or_else(String::new, |near| format!("; did you mean {near}?"));
    format!("its events are {}{hint}", catalogue.join(", "))
}

fn place(path: &str) -> &str {
    if path.is_empty() { "the payload" } else { path }
}

/// A place that does not fit: [`Misfit::Layout`] before it is known of which event.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Flaw {
    pub path: String,
    pub found: String,
    pub wanted: String,
}

impl Flaw {
    /// `wanted` is what should stand at `path`, where `found` stands: the text of a value, or nothing.
    pub fn new(path: &str, found: Option<&str>, wanted: impl Into<String>) -> Self {
        Self {
            path: path.to_owned(),
            found: found.map_or_else(|| "missing".into(), shown),
            wanted: wanted.into(),
        }
    }

    /// The refusal of an event's payload.
    pub fn of(self, name: &EventName, example: String) -> Misfit {
        Misfit::Layout {
            name: name.clone(),
            path: self.path,
            found: self.found,
            wanted: self.wanted,
            example,
        }
    }
}

/// How many characters of a wrong value a refusal quotes.
const QUOTED: usize = 40;

fn shown(text: &str) -> String {
    let view = View::of(text);
    match view {
        View::Array(_) | View::Object(_) | View::Null => view.kind().into(),
        _ if text.chars().count() <= QUOTED => format!("{} {text}", view.kind()),
        _ => format!(
            "{} {}...",
            view.kind(),
            text.chars().take(QUOTED).collect::<String>()
        ),
    }
}

/// The shape of a value; the texts are examples.
#[derive(Debug)]
pub(super) enum Shape {
    /// A text.
    Text(&'static str),
    /// A text, or `null` where there is none.
    TextOrNull(&'static str),
    /// A text, or an array of texts that belong together.
    Texts(&'static [&'static str]),
    /// A text or a number.
    Id(&'static str),
    /// An object that has these members, whatever else it has.
    Object(&'static [(&'static str, Shape)]),
}

impl Shape {
    /// Checks what stands at a path.
    pub fn check(&self, path: &str, text: Option<&str>) -> Result<(), Flaw> {
        let fits = match (self, text.map(View::of)) {
            (Self::Object(shapes), Some(View::Object(members))) => {
                return shapes.iter().try_for_each(|(key, shape)| {
                    let member = members.get(*key).map(|member| member.get());
                    shape.check(&below(path, key), member)
                });
            }
            (Self::Texts(_), Some(View::Array(items))) => {
                let texts = Self::Text("");
                return items.iter().enumerate().try_for_each(|(at, item)| {
                    texts.check(&format!("{path}[{at}]"), Some(item.get()))
                });
            }
            (_, Some(View::Text(_))) => !matches!(self, Self::Object(_)),
            (Self::TextOrNull(_), Some(View::Null)) | (Self::Id(_), Some(View::Number)) => true,
            _ => false,
        };
        match fits {
            true => Ok(()),
            false => Err(Flaw::new(path, text, self.wanted())),
        }
    }

    /// A value that fits, as JSON.
    pub fn example(&self) -> String {
        let quoted = |text: &str| format!("{text:?}");
        match self {
            Self::Text(text) | Self::TextOrNull(text) | Self::Id(text) => quoted(text),
            Self::Texts(texts) => {
                let texts: Vec<_> = texts.iter().map(|text| quoted(text)).collect();
                format!("[{}]", texts.join(","))
            }
            Self::Object(shapes) => {
                let members: Vec<_> = shapes
                    .iter()
                    .map(|(key, shape)| format!("{key:?}:{}", shape.example()))
                    .collect();
                format!("{{{}}}", members.join(","))
            }
        }
    }

    fn wanted(&self) -> String {
        match self {
            Self::Text(_) => "a text".into(),
            Self::TextOrNull(_) => "a text or null".into(),
            Self::Texts(_) => "a text or an array of texts".into(),
            Self::Id(_) => "a text or a number".into(),
            Self::Object([]) => "an object".into(),
            Self::Object(shapes) => {
                let keys: Vec<_> = shapes.iter().map(|(key, _)| *key).collect();
                format!("an object with {}", keys.join(", "))
            }
        }
    }
}

/// The path of a member of what stands at `path`.
pub(super) fn below(path: &str, key: &str) -> String {
    match path {
        "" => key.to_owned(),
        path => format!("{path}.{key}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: Shape = Shape::Object(&[
        ("id", Shape::Id("1")),
        ("body", Shape::Texts(&["a", "b"])),
        (
            "user",
            Shape::Object(&[
                ("img", Shape::TextOrNull("//i")),
                ("path", Shape::Text("@j")),
            ]),
        ),
    ]);

    #[test]
    fn the_first_place_that_does_not_fit_is_named() {
        for (text, path, found, wanted) in [
            ("7", "p", "a number 7", "an object with id, body, user"),
            ("{}", "p.id", "missing", "a text or a number"),
            (
                r#"{"id":true}"#,
                "p.id",
                "a boolean true",
                "a text or a number",
            ),
            (
                r#"{"id":1,"body":{}}"#,
                "p.body",
                "an object",
                "a text or an array of texts",
            ),
            (
                r#"{"id":1,"body":["",null]}"#,
                "p.body[1]",
                "null",
                "a text",
            ),
            (
                r#"{"id":"","body":"","user":"x"}"#,
                "p.user",
                "a text \"x\"",
                "an object with img, path",
            ),
            (
                r#"{"id":1,"body":[],"user":{"img":null,"path":3}}"#,
                "p.user.path",
                "a number 3",
                "a text",
            ),
        ] {
            let flaw = SHAPE.check("p", Some(text)).expect_err(text);
            assert_eq!(
                (&*flaw.path, &*flaw.found, &*flaw.wanted),
                (path, found, wanted)
            );
        }
    }

    #[test]
    fn the_example_fits() {
        assert_eq!(SHAPE.check("", Some(&SHAPE.example())), Ok(()));
    }

    #[test]
    fn a_long_text_is_quoted_in_part() {
        let flaw = Flaw::new("p", Some(&format!("{:?}", "ä".repeat(100))), "short");
        assert_eq!(flaw.found, format!("a text \"{}...", "ä".repeat(39)));
    }
}
