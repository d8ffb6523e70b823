//! The dialects as a whole: fixtures written from the users' documents, and what goes out comes in again.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::inbox::{InboxError, Incoming, Webhook};
use super::*;
use crate::domain::event::EventPattern;
use crate::domain::hook::{HookId, OldSecret};
use crate::domain::value::{CallbackUrl, Secret};

mod properties;

/// A request as it must be; headers and signatures were made by other code.
#[derive(Deserialize)]
struct Golden {
    dialect: Dialect,
    source: String,
    event: String,
    created_at: String,
    secret: Option<String>,
    form: bool,
    type_key: bool,
    brand: String,
    raise: String,
    headers: BTreeMap<String, String>,
    body: String,
}

static AGENT: HeaderValue = HeaderValue::from_static("Fanfare/0.1 (+http://hub.example/)");

pub(super) fn source(name: &str, dialect: Dialect) -> Source {
    Source {
        name: SourceName::parse(name).expect("a name"),
        dialect,
        events: Vec::new(),
        private: false,
        inbound_secret: None,
        created_at: Timestamp(0),
    }
}

fn secret(text: &str) -> Secret {
    Secret::parse(text).expect("a secret")
}

fn json(text: &str) -> Json {
    Json::parse(text.as_bytes()).expect("JSON")
}

fn hook(source: &Source, content_type: ContentType) -> Hook {
    let url = CallbackUrl::parse("http://receiver.example/").expect("a URL");
    let receiver = Receiver::Web {
        url: url.clone(),
        content_type,
    };
    Hook {
        id: HookId(7),
        secret: source.inbound_secret.clone(),
        ..Hook::plain(source, vec![EventPattern::All], receiver, url)
    }
}

fn occasion<'a>(source: &'a Source, event: &'a Event, brand: &'a str) -> Occasion<'a> {
    Occasion {
        event,
        id: PublicationId::parse("01890a5d-ac96-774b-bcce-b302099a8057").expect("an id"),
        source: &source.name,
        public_url: "http://hub.example/",
        brand,
        user_agent: &AGENT,
    }
}

/// The default request of a hook.
fn sent(source: &Source, hook: &Hook, event: &Event, brand: &str) -> Request {
    let Receiver::Web { content_type, .. } = hook.receiver else {
        panic!("not a URL");
    };
    let body = encode(&body(hook.dialect, event, hook.type_key), content_type);
    request(
        &occasion(source, event, brand),
        hook,
        body,
        event.created_at,
    )
}

fn goldens() -> Vec<(String, Golden)> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/dialect/golden");
    let files = std::fs::read_dir(folder).expect("the fixtures");
    let read = |path: std::path::PathBuf| {
        let text = std::fs::read_to_string(&path).expect("a fixture");
        let golden = serde_json::from_str(&text).expect("a fixture's fields");
        (path.display().to_string(), golden)
    };
    files
        .map(|file| read(file.expect("a file").path()))
        .collect()
}

#[test]
fn every_request_is_as_the_documents_have_it() {
    let mut shown = Vec::new();
    for (file, golden) in goldens() {
        let mut source = source(&golden.source, golden.dialect);
        source
            .events
            .push(EventName::parse("posted").expect("a name"));
        source.inbound_secret = golden.secret.as_deref().map(secret);
        let content_type = match golden.form {
            true => ContentType::Form,
            false => ContentType::Json,
        };
        let mut hook = hook(&source, content_type);
        hook.type_key = golden.type_key;
        let at: jiff::Timestamp = golden.created_at.parse().expect("a time");
        let at = Timestamp(at.as_millisecond().try_into().expect("after 1970"));
        let name = EventName::parse(&golden.event).expect("a name");
        let event = accept(&source, &name, json(&golden.raise), at).expect(&file);

        let request = sent(&source, &hook, &event, &golden.brand);

        assert_eq!(
            str::from_utf8(&request.body),
            Ok(golden.body.as_str()),
            "{file}"
        );
        let headers: BTreeMap<_, _> = request
            .headers
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_str().expect("ASCII").to_owned()))
            .collect();
        assert_eq!(headers, golden.headers, "{file}");
        let webhook = Webhook {
            event: Some(event),
            id: webhook_id(&request),
        };
        let read = inbox::read(&source, &request.headers, &request.body, at).expect(&file);
        match golden.secret {
            Some(_) => assert_eq!(read, Incoming::Signed(webhook), "{file}"),
            None => assert_eq!(read, Incoming::Unsigned(webhook), "{file}"),
        }
        shown.push((golden.dialect, golden.event));
    }
    for dialect in [Dialect::Mastodon, Dialect::Pleroma, Dialect::Muut] {
        for name in catalogue(dialect) {
            assert!(shown.contains(&(dialect, (*name).to_owned())), "{name}");
        }
    }
}

fn webhook_id(request: &Request) -> Option<String> {
    let names = [
        "webhook-id",
        "x-socialgateway-delivery",
        "x-github-delivery",
        "x-fanfare-delivery",
    ];
    let id = names.iter().find_map(|name| request.headers.get(*name));
    id.map(|id| id.to_str().expect("ASCII").to_owned())
}

#[test]
fn a_hook_may_speak_another_dialect_than_its_source() {
    let name = EventName::parse("like").expect("a name");
    let made = |payload| Event {
        name: name.clone(),
        created_at: Timestamp(0),
        payload: json(payload),
    };
    let (object, array) = (made(r#"{"a":1}"#), made(r#"["like","/p",{}]"#));
    for (dialect, event, text) in [
        (Dialect::Websub, &array, r#"["like","/p",{}]"#),
        (Dialect::SocialGateway, &object, r#"{"a":1}"#),
        (Dialect::Muut, &object, r#"["like",{"a":1}]"#),
        (Dialect::Muut, &array, r#"["like","/p",{}]"#),
        (
            Dialect::Mastodon,
            &object,
            r#"{"event":"like","created_at":"1970-01-01T00:00:00.000Z","object":{"a":1}}"#,
        ),
        (
            Dialect::Pleroma,
            &array,
            r#"{"event":"like","created_at":"1970-01-01T00:00:00.000Z","object":["like","/p",{}]}"#,
        ),
    ] {
        assert_eq!(body(dialect, event, false), text, "{dialect:?}");
    }
}

#[test]
fn an_administrators_headers_are_added_and_replace_nothing() {
    let mut source = source("octocat/x", Dialect::SocialGateway);
    source.inbound_secret = Some(secret("key"));
    let mut hook = hook(&source, ContentType::Json);
    let name = EventName::parse("push").expect("a name");
    let event = accept(&source, &name, json("{}"), Timestamp(0)).expect("an event");
    let plain = sent(&source, &hook, &event, "GitHub").headers;
    for (name, text) in [("Authorization", "Bearer x"), ("not a name", "x")] {
        hook.headers.insert(name.into(), text.into());
    }
    for name in plain.keys() {
        hook.headers.insert(name.to_string(), "forged".into());
    }
    let mut with_more = sent(&source, &hook, &event, "GitHub").headers;
    assert_eq!(
        with_more.remove("authorization"),
        Some(HeaderValue::from_static("Bearer x"))
    );
    assert_eq!(with_more, plain);
}

#[test]
fn both_secrets_sign_until_the_old_one_has_had_its_time() {
    let mut source = source("goma", Dialect::Muut);
    source.inbound_secret = Some(secret("new"));
    let mut hook = hook(&source, ContentType::Json);
    hook.signing = Signing::Both;
    hook.old_secret = Some(OldSecret {
        secret: secret("old"),
        until: Timestamp(1000),
    });
    let given = json(r#"{"user":{"displayname":"J","img":null,"path":"@j"}}"#);
    let name = EventName::parse("enter").expect("a name");
    let event = accept(&source, &name, given, Timestamp(0)).expect("an event");
    let body = body(Dialect::Muut, &event, false);
    let read = |key: &str, now| {
        let request = request(&occasion(&source, &event, ""), &hook, body.clone(), now);
        let receiver = Source {
            inbound_secret: Some(secret(key)),
            ..source.clone()
        };
        let own = inbox::read(&receiver, &request.headers, &request.body, now);
        let mut headers = request.headers;
        for name in ["x-muut-signature", "x-muut-signature-old"] {
            headers.remove(name);
        }
        let standard = inbox::read(&receiver, &headers, &request.body, now);
        [own.is_ok(), standard.is_ok()]
    };
    assert_eq!(read("new", Timestamp(999)), [true, true]);
    assert_eq!(read("old", Timestamp(999)), [true, true]);
    assert_eq!(read("new", Timestamp(1000)), [true, true]);
    assert_eq!(read("old", Timestamp(1000)), [false, false]);
}

#[test]
fn what_comes_in_wrong_is_refused_with_a_reason() {
    let mut social = source("social", Dialect::Mastodon);
    let record = r#"{"event":"report.created","object":{"id":1}}"#;
    let read = |source: &Source, headers: &[(&'static str, &'static str)], body: &str| {
        let pairs = headers.iter().map(|(name, value)| {
            (
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            )
        });
        inbox::read(source, &pairs.collect(), body.as_bytes(), Timestamp(0))
    };
    assert!(matches!(
        read(&social, &[], record),
        Ok(Incoming::Unsigned(_))
    ));
    let error = read(&social, &[], "[]").expect_err("no name");
    assert_eq!(
        error.to_string(),
        "the request does not say which event it is; the member `event` of the body should"
    );
    assert!(matches!(read(&social, &[], "{"), Err(InboxError::Json(_))));
    assert!(matches!(
        read(&social, &[], r#"{"event":"A b"}"#),
        Err(InboxError::Name(_))
    ));
    assert!(matches!(
        read(&social, &[], r#"{"event":"report.deleted","object":{}}"#),
        Err(InboxError::Misfit(Misfit::Unknown { .. }))
    ));
    assert!(matches!(
        read(&social, &[], r#"{"type":"report.created","object":{}}"#),
        Err(InboxError::Misfit(Misfit::Layout { .. }))
    ));
    assert_eq!(
        read(&social, &[("content-type", FORM)], "a=b"),
        Err(InboxError::NoPayload)
    );
    social.inbound_secret = Some(secret("key"));
    let error = read(&social, &[], record).expect_err("not signed");
    assert!(
        error.to_string().contains("x-hub-signature must carry"),
        "{error}"
    );
    let sha1 = "sha1=3dc4ba4bb2b7a4a3f5a0cd2d0f1e1f0ad8d4b3a5";
    for wrong in ["", "sha256=", sha1, "nonsense"] {
        let refused = read(&social, &[("x-hub-signature", wrong)], record);
        assert_eq!(refused, Err(InboxError::WrongSignature), "{wrong}");
    }
}

#[test]
fn a_ping_is_answered_and_tells_of_nothing() {
    let source = source("octocat/x", Dialect::SocialGateway);
    let mut headers = HeaderMap::new();
    headers.insert("x-github-event", HeaderValue::from_static("ping"));
    headers.insert("x-github-delivery", HeaderValue::from_static("guid"));
    let read = inbox::read(&source, &headers, b"{}", Timestamp(0));
    let webhook = Webhook {
        event: None,
        id: Some("guid".into()),
    };
    assert_eq!(read, Ok(Incoming::Unsigned(webhook)));
}
