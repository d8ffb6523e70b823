//! Muut: an array whose first item is the name, and whose other items have their meaning by position (webhooks.md 1.3).

use bytes::Bytes;
use hyper::header::{HeaderMap, HeaderName};

use super::layout::{Flaw, Misfit, Shape, below};
use super::signature::{MUUT, Scheme};
use super::view::{self, View};
use super::{Grammar, Occasion, value};
use crate::domain::event::{Event, EventName};
use crate::domain::hook::Hook;
use crate::domain::json::Json;
use crate::domain::value::Timestamp;

const FORUM: HeaderName = HeaderName::from_static("x-muut-forum");

const USER: Shape = Shape::Object(&[
    ("displayname", Shape::Text("John Doe")),
    ("img", Shape::TextOrNull("//domain.com/path/to/image.jpg")),
    ("path", Shape::Text("@johndoe")),
]);
const BODY: Shape = Shape::Texts(&["Head of the post", "Tail of the post"]);

/// What stands behind the name, each with the key that it has where the positions are written as an object.
type Positions = &'static [(&'static str, Shape)];

const POST: Positions = &[
    (
        "location",
        Shape::Object(&[
            ("path", Shape::Text("/goma/galleries:this-is-a-thread")),
            (
                "page",
                Shape::Object(&[("title", Shape::Text("Exhibitions"))]),
            ),
        ]),
    ),
    (
        "thread",
        Shape::Object(&[
            ("title", Shape::Text("This is a new thread")),
            ("body", BODY),
            ("user", USER),
        ]),
    ),
];
const REPLY: Positions = &[
    ("path", Shape::Text("/goma/galleries:bar")),
    (
        "post",
        Shape::Object(&[
            ("body", BODY),
            ("key", Shape::Text("some-reply")),
            ("user", USER),
        ]),
    ),
];
const MARK: Positions = &[
    (
        "path",
        Shape::Text("/goma/galleries:this-is-a-thread/some-reply"),
    ),
    ("user", USER),
];
const PRESENCE: Positions = &[("user", USER)];

/// Muut's forum webhooks.
pub(super) struct Muut;

impl Grammar for Muut {
    fn catalogue(&self) -> &'static [&'static str] {
        &[
            "post", "reply", "remove", "like", "unlike", "spam", "unspam", "enter", "leave",
        ]
    }

    fn schemes(&self) -> &'static [Scheme] {
        &MUUT
    }

    fn accept(&self, name: &EventName, given: Json, now: Timestamp) -> Result<Event, Misfit> {
        let positions = positions(name);
        let payload =
            read(name, positions, given).map_err(|flaw| flaw.of(name, example(name, positions)))?;
        Ok(Event {
            name: name.clone(),
            created_at: now,
            payload,
        })
    }

    /// An event from elsewhere stands behind its name.
    fn body(&self, event: &Event, _: bool) -> String {
        match is_ours(&event.name, &event.payload) {
            true => event.payload.as_str().to_owned(),
            false => array(&event.name, [event.payload.as_str()]),
        }
    }

    fn headers(&self, occasion: &Occasion<'_>, _: &Hook, _: &Bytes, headers: &mut HeaderMap) {
        headers.insert(FORUM, value(occasion.source.last_segment().to_owned()));
    }

    fn incoming_name(&self, _: &HeaderMap, body: &Json) -> Option<String> {
        let View::Array(items) = View::of(body.as_str()) else {
            return None;
        };
        view::string(items.first()?.get())
    }

    fn names_it_in(&self) -> &'static str {
        "the first item of the array in the body"
    }
}

/// The layout of Muut's own events; `None` for those that a source names itself.
fn positions(name: &EventName) -> Option<Positions> {
    match name.as_str() {
        "post" => Some(POST),
        "reply" => Some(REPLY),
        "like" | "unlike" | "remove" | "spam" | "unspam" => Some(MARK),
        "enter" | "leave" => Some(PRESENCE),
        _ => None,
    }
}

/// Checks what was raised, and writes it as the array that it stands for.
fn read(name: &EventName, positions: Option<Positions>, given: Json) -> Result<Json, Flaw> {
    let made = match (View::of(given.as_str()), positions) {
        (View::Array(items), _) => {
            let item = |at: usize| items.get(at).map(|item| item.get());
            if item(0).and_then(view::string).as_deref() != Some(name.as_str()) {
                let wanted = format!("{:?}, the event that is raised", name.as_str());
                return Err(Flaw::new("[0]", item(0), wanted));
            }
            for (at, (_, shape)) in (1..).zip(positions.into_iter().flatten()) {
                shape.check(&format!("[{at}]"), item(at))?;
            }
            // Muut's own receiver knows a third item of `enter` and `leave`, of which nothing is written.
            let most = positions.map(|positions| (positions.len() + 1).max(3));
            if let Some(most) = most.filter(|most| items.len() > *most) {
                return Err(Flaw::new(
                    &format!("[{most}]"),
                    item(most),
                    "the end of the array",
                ));
            }
            None
        }
        (View::Object(members), Some(positions)) => {
            let is_known = |key: &String| positions.iter().any(|(known, _)| known == key);
            if let Some((key, member)) = members.iter().find(|(key, _)| !is_known(key)) {
                let keys: Vec<_> = positions.iter().map(|(key, _)| *key).collect();
                let wanted = format!("left out: the keys are {}", keys.join(", "));
                return Err(Flaw::new(&below("", key), Some(member.get()), wanted));
            }
            let mut items = Vec::new();
            for (key, shape) in positions {
                let member = members.get(*key).map(|member| member.get());
                shape.check(key, member)?;
                items.extend(member);
            }
            Some(array(name, items))
        }
        (View::Object(_), None) => Some(array(name, [given.as_str()])),
        _ => {
            let wanted = "an array that begins with the name, or an object with the keys of the other positions";
            return Err(Flaw::new("", Some(given.as_str()), wanted));
        }
    };
    Ok(made.and_then(|text| view::part(&text)).unwrap_or(given))
}

fn is_ours(name: &EventName, payload: &Json) -> bool {
    let text = payload.as_str();
    text.strip_prefix("[\"")
        .and_then(|rest| rest.strip_prefix(name.as_str()))
        .is_some_and(|rest| rest.starts_with("\",") || rest == "\"]")
}

fn array<'a>(name: &EventName, items: impl IntoIterator<Item = &'a str>) -> String {
    let mut text = format!("[\"{name}\"");
    for item in items {
        text.push(',');
        text.push_str(item);
    }
    text.push(']');
    text
}

fn example(name: &EventName, positions: Option<Positions>) -> String {
    let items: Vec<_> = match positions {
        Some(positions) => positions.iter().map(|(_, shape)| shape.example()).collect(),
        None => vec!["{}".to_owned()],
    };
    array(name, items.iter().map(String::as_str))
}

#[cfg(test)]
mod tests {
    use super::*;

    const USER_TEXT: &str =
        r#"{"displayname":"John Doe","img":"//d.example/i.jpg","path":"@johndoe"}"#;

    fn accept(name: &str, text: &str) -> Result<String, String> {
        let name = EventName::parse(name).expect("a name");
        let given = Json::parse(text.as_bytes()).expect("JSON");
        match Muut.accept(&name, given, Timestamp(1)) {
            Ok(event) => Ok(event.payload.as_str().to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn the_example_of_each_event_fits_as_an_array_and_as_an_object() {
        for name in Muut.catalogue() {
            let parsed = EventName::parse(name).expect("a name");
            let positions = positions(&parsed).expect("a layout");
            let text = example(&parsed, Some(positions));
            assert_eq!(accept(name, &text), Ok(text.clone()), "{name}");
            let members: Vec<_> = positions
                .iter()
                .map(|(key, shape)| format!("{key:?}:{}", shape.example()))
                .rev()
                .collect();
            let object = format!("{{{}}}", members.join(","));
            assert_eq!(accept(name, &object), Ok(text), "{name}");
        }
    }

    #[test]
    fn what_does_not_fit_is_named_with_its_position() {
        let user = USER_TEXT;
        for (name, text, said) in [
            (
                "like",
                r#""like""#.to_owned(),
                "the payload is a text \"like\"; it should be an array",
            ),
            ("like", "[]".into(), "[0] is missing; it should be \"like\""),
            (
                "like",
                format!(r#"["unlike","/p",{user}]"#),
                "[0] is a text \"unlike\"",
            ),
            (
                "like",
                format!(r#"["like",{user},"/p"]"#),
                "[1] is an object; it should be a text",
            ),
            (
                "like",
                r#"["like","/p"]"#.into(),
                "[2] is missing; it should be an object with displayname, img, path",
            ),
            (
                "like",
                r#"["like","/p",{"displayname":"J","img":null,"path":7}]"#.into(),
                "[2].path is a number 7; it should be a text; an example of like: [\"like\",",
            ),
            (
                "like",
                format!(r#"["like","/p",{user},1]"#),
                "[3] is a number 1; it should be the end",
            ),
            (
                "like",
                format!(r#"{{"path":"/p","user":{user},"by":1}}"#),
                "by is a number 1; it should be left out",
            ),
            ("like", r#"{"path":"/p"}"#.into(), "user is missing"),
            (
                "post",
                format!(
                    r#"["post",{{"path":"/p","page":{{"title":"t"}}}},{{"title":"t","body":["a",1],"user":{user}}}]"#
                ),
                "[2].body[1] is a number 1; it should be a text",
            ),
            (
                "enter",
                format!(r#"["enter",{user},null,1]"#),
                "[3] is a number 1",
            ),
        ] {
            let error = accept(name, &text).expect_err(&text);
            assert!(error.starts_with(said), "{error}");
        }
        let with_argument = format!(r#"["leave",{user},null]"#);
        assert_eq!(accept("leave", &with_argument), Ok(with_argument));
    }

    #[test]
    fn an_event_of_the_sources_own_becomes_an_array_too() {
        assert_eq!(
            accept("vote", r#"{"a":1}"#),
            Ok(r#"["vote",{"a":1}]"#.into())
        );
        assert_eq!(
            accept("vote", r#"["vote",1,2]"#),
            Ok(r#"["vote",1,2]"#.into())
        );
        assert!(accept("vote", r#"["voted"]"#).is_err());
        assert!(accept("vote", "1").is_err());
    }
}
