//! The requests that each service gets, written by hand from its documentation, and the mistakes that a config can have.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::domain::event::{Event, EventName};
use crate::domain::json::Json;
use crate::domain::source::SourceName;
use crate::domain::value::Timestamp;

fn config(fields: &[(&str, &str)]) -> Config {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    fields.iter().map(owned).collect()
}

fn issue(title: &str) -> Summary {
    let payload = json!({
        "action": "opened",
        "issue": { "number": 5, "title": title, "html_url": "https://g.example/i/5?a=1&b=2" },
        "sender": { "login": "octocat" },
    });
    let event = Event {
        name: EventName::parse("issues").expect("a name"),
        created_at: Timestamp(0),
        payload: Json::of(&payload),
    };
    summary(&SourceName::parse("a/b").expect("a source"), &event)
}

/// Method, URL, headers and body of the request for an issue called `<b> & @all`.
fn request(service: &str, fields: &[(&str, &str)]) -> (Method, String, HeaderMap, Bytes) {
    let service = find(service).expect("a service");
    let config = config(fields);
    service.check(&config).expect("a right config");
    let delivery = Uuid::from_u128(7);
    match service.message(&issue("<b> & @all"), &config, delivery) {
        Ok(Outgoing::Http {
            method,
            url,
            headers,
            body,
        }) => (method, url.to_string(), headers, body),
        other => panic!("no request: {other:?}"),
    }
}

fn body(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).expect("JSON")
}

const HOOK: &str = "https://chat.example/hooks/a?b=c";

#[test]
fn slack_gets_escaped_text_without_markup() {
    let (method, url, headers, bytes) = request("slack", &[("url", HOOK), ("channel", "#ops")]);
    assert_eq!((method, url.as_str()), (Method::POST, HOOK));
    assert_eq!(headers["content-type"], "application/json");
    assert_eq!(
        body(&bytes),
        json!({
            "text": "octocat opened issue #5 at a/b: &lt;b&gt; &amp; @all\nhttps://g.example/i/5?a=1&amp;b=2",
            "mrkdwn": false,
            "channel": "#ops",
        })
    );
}

#[test]
fn discord_is_told_that_nobody_is_mentioned() {
    let (method, url, _, bytes) = request("discord", &[("url", HOOK)]);
    assert_eq!((method, url.as_str()), (Method::POST, HOOK));
    assert_eq!(
        body(&bytes),
        json!({
            "content": "octocat opened issue \\#5 at a/b\\: \\<b\\> & @\u{200b}all\nhttps://g.example/i/5?a=1&b=2",
            "allowed_mentions": { "parse": [] },
        })
    );
}

#[test]
fn discord_gets_at_most_2000_characters() {
    let lines = vec!["*".repeat(300); 6];
    let text = escape::Escape::Markdown.text(&lines, Some(HOOK), 2000);
    assert!(text.ends_with(HOOK) && text.encode_utf16().count() <= 2000);
}

#[test]
fn mattermost_gets_markdown_that_calls_nobody() {
    let fields = [("url", HOOK), ("username", "Fanfare"), ("channel", "")];
    let (_, _, _, bytes) = request("mattermost", &fields);
    assert_eq!(
        body(&bytes),
        json!({
            "text": "octocat opened issue \\#5 at a/b\\: \\<b\\> & @\u{200b}all\nhttps://g.example/i/5?a=1&b=2",
            "username": "Fanfare",
        })
    );
}

#[test]
fn matrix_is_put_under_the_deliverys_id() {
    let fields = [
        ("homeserver", "https://m.example/"),
        ("room", "!abc:m.example"),
        ("token", "syt_1"),
    ];
    let (method, url, headers, bytes) = request("matrix", &fields);
    assert_eq!(method, Method::PUT);
    assert_eq!(
        url,
        "https://m.example/_matrix/client/v3/rooms/%21abc%3Am.example/send/m.room.message/00000000-0000-0000-0000-000000000007"
    );
    assert_eq!(headers["authorization"], "Bearer syt_1");
    assert!(headers["authorization"].is_sensitive());
    assert_eq!(
        body(&bytes),
        json!({
            "msgtype": "m.text",
            "body": "octocat opened issue #5 at a/b: <b> & @all\nhttps://g.example/i/5?a=1&b=2",
            "m.mentions": {},
        })
    );
}

#[test]
fn campfire_is_either_the_hosted_one_or_ones_own() {
    let fields = [
        ("subdomain", "socialgateway"),
        ("room", "Commits/2"),
        ("token", "abc123"),
    ];
    let (method, url, headers, bytes) = request("campfire", &fields);
    assert_eq!(method, Method::POST);
    assert_eq!(
        url,
        "https://socialgateway.campfirenow.com/room/Commits%2F2/speak.json"
    );
    // printf abc123:X | base64
    assert_eq!(headers["authorization"], "Basic YWJjMTIzOlg=");
    let text = "octocat opened issue #5 at a/b: <b> & @all\nhttps://g.example/i/5?a=1&b=2";
    assert_eq!(body(&bytes), json!({ "message": { "body": text } }));

    let own = "https://camp.example/rooms/1/7-kR3x/messages";
    let (_, url, headers, bytes) = request("campfire", &[("url", own)]);
    assert_eq!(url, own);
    assert_eq!(headers["content-type"], "text/plain; charset=utf-8");
    assert_eq!(
        bytes,
        "octocat opened issue #5 at a/b: &lt;b&gt; &amp; @all<br>https://g.example/i/5?a=1&amp;b=2"
    );
}

#[test]
fn irc_gets_lines_and_a_room() {
    let service = find("irc").expect("a service");
    let fields = [
        ("server", "irc.example"),
        ("room", "commits"),
        ("ssl", "1"),
        ("notice", "0"),
        ("key", "k"),
    ];
    let config = config(&fields);
    service.check(&config).expect("a right config");
    let Ok(Outgoing::Irc { room, lines }) = service.message(&issue("x"), &config, Uuid::nil())
    else {
        panic!("no message for IRC");
    };
    assert_eq!(
        lines,
        [
            "octocat opened issue #5 at a/b: x",
            "https://g.example/i/5?a=1&b=2"
        ]
    );
    assert_eq!(
        (room.channel.as_str(), room.nick.as_str(), room.notice),
        ("#commits", "fanfare", false)
    );
    assert_eq!(room.origin(), "ircs://irc.example:6697");
    assert_eq!(service.destination(&config), Ok(Destination::Irc(room)));
}

#[test]
fn mistakes_are_found_when_the_config_is_saved() {
    let url = ("url", HOOK);
    let (server, room) = (("server", "irc.example"), ("room", "#a"));
    for (service, fields, message) in [
        (
            "slack",
            &[][..],
            "slack needs config.url: the URL of an incoming webhook",
        ),
        (
            "slack",
            &[("url", "")],
            "slack needs config.url: the URL of an incoming webhook",
        ),
        (
            "slack",
            &[url, ("chanel", "x")],
            "slack has no config.chanel; did you mean \"channel\"?",
        ),
        (
            "slack",
            &[url, ("secret", "x")],
            "slack has no config.secret; its fields are url, channel, username",
        ),
        (
            "slack",
            &[("url", "hooks.slack.com")],
            "config.url is not an absolute URL",
        ),
        (
            "discord",
            &[("url", "ftp://x.example/")],
            "config.url has the scheme \"ftp\"",
        ),
        (
            "slack",
            &[url, ("channel", "a\r\nb")],
            "config.channel contains a control character",
        ),
        (
            "campfire",
            &[("subdomain", "a")],
            "campfire needs config.room",
        ),
        (
            "campfire",
            &[("subdomain", "evil.example/?"), room, ("token", "t")],
            "config.subdomain is not one part of a host name",
        ),
        ("campfire", &[url, room], "campfire has no config.room"),
        (
            "matrix",
            &[
                ("homeserver", "https://m.example/?x"),
                ("room", "!a"),
                ("token", "t"),
            ],
            "config.homeserver has a query",
        ),
        (
            "matrix",
            &[
                ("homeserver", "https://m.example"),
                ("room", "#a"),
                ("token", "t"),
            ],
            "config.room is not a room's internal id",
        ),
        (
            "irc",
            &[server, ("room", "#a,#b")],
            "config.room is not a channel",
        ),
        (
            "irc",
            &[("server", "irc.example:6667"), room],
            "config.server is not a host name",
        ),
        (
            "irc",
            &[server, room, ("port", "0")],
            "config.port is not a port",
        ),
        (
            "irc",
            &[server, room, ("ssl", "yes")],
            "config.ssl is neither true",
        ),
        (
            "irc",
            &[server, room, ("nick", "a b")],
            "config.nick is not a nick",
        ),
        (
            "irc",
            &[server, room, ("key", "a b")],
            "config.key is not a channel's key",
        ),
    ] {
        let checked = find(service).expect("a service").check(&config(fields));
        let error = checked.expect_err(message).to_string();
        assert!(error.starts_with(message), "{service} {fields:?}: {error}");
    }
}

#[test]
fn an_unknown_service_is_answered_with_the_nearest_and_the_list() {
    let error = find("slak").expect_err("no service").to_string();
    assert_eq!(
        error,
        "\"slak\" is not a service (did you mean \"slack\"?); the services are campfire, discord, irc, matrix, mattermost, slack"
    );
    assert_eq!(find("Slack").expect("a service").name, "slack");
}

#[test]
fn json_becomes_texts() {
    let object = json!({ "ssl": true, "notice": false, "port": 6697, "nick": null, "room": "#a" });
    let read = from_json(object.as_object().expect("an object"));
    let expected = config(&[
        ("notice", "0"),
        ("port", "6697"),
        ("room", "#a"),
        ("ssl", "1"),
    ]);
    assert_eq!(read, Ok(expected));
    let nested = json!({ "room": ["#a"] });
    let error = from_json(nested.as_object().expect("an object")).expect_err("nested");
    assert!(
        error
            .to_string()
            .starts_with("config.room is an array or an object"),
        "{error}"
    );
}

#[test]
fn what_lets_others_post_is_not_shown() {
    let fields = config(&[("url", HOOK), ("channel", "#ops")]);
    let shown = find("slack").expect("a service").masked(&fields);
    assert_eq!(shown, config(&[("channel", "#ops"), ("url", "********")]));
    let fields = config(&[("token", "abc"), ("room", "1")]);
    let shown = find("campfire").expect("a service").masked(&fields);
    assert_eq!(shown, config(&[("room", "1"), ("token", "********")]));
}

#[test]
fn the_catalogue_is_in_order() {
    let names: Vec<_> = services().iter().map(|service| service.name).collect();
    assert!(names.is_sorted(), "{names:?}");
    for service in services() {
        for form in service.forms {
            if let Wire::Http(Recipe {
                body: recipe::Body::Json(template),
                ..
            }) = &form.wire
            {
                assert!(
                    serde_json::from_str::<Value>(template).is_ok(),
                    "{template}"
                );
                assert!(template.contains("\"{text}\""), "{template}");
            }
        }
    }
}

proptest! {
    #[test]
    fn a_config_that_passes_gives_a_message_and_none_panics(
        service in prop::sample::select(services().iter().map(|service| service.name).collect::<Vec<_>>()),
        values in proptest::collection::vec(prop_oneof![
            Just(HOOK.to_owned()), Just("1".to_owned()), Just("!a".to_owned()), ".{0,12}", "[a-z.{}/]{0,8}",
        ], 8),
    ) {
        let service = find(service).expect("a service");
        let config: Config = service.fields().map(|field| field.name.to_owned()).zip(values).collect();
        let said = issue("x");
        let message = service.message(&said, &config, Uuid::nil());
        if service.check(&config).is_ok() {
            prop_assert!(message.is_ok(), "{:?}", message);
        }
    }
}
