//! Deliveries to a real IRC server, Debian's ngircd, on loopback: what is said arrives as it was said, and what the server
//! refuses is a failure in the server's own words. `tests/run` installs the server; without it these tests fail.

mod server;

use std::time::Duration;

use fanfare::dialect::service::{Destination, Outgoing, find, from_json, summary};
use fanfare::domain::attempt::{Failure, Outcome, Verdict};
use fanfare::domain::event::{Event, EventName};
use fanfare::domain::json::Json;
use fanfare::domain::source::SourceName;
use fanfare::domain::value::Timestamp;
use serde_json::{Value, json};

use self::server::Server;

const WITHIN: Duration = Duration::from_secs(20);

/// Delivers an event to the hook of `config`, all the way from the payload.
async fn deliver(server: &Server, config: Value, name: &str, payload: &Value) -> Outcome {
    let mut config = from_json(config.as_object().expect("an object")).expect("texts");
    config.insert("server".into(), "localhost".into());
    let port = match config.get("ssl") {
        Some(_) => server.tls_port,
        None => server.port,
    };
    config.insert("port".into(), port.to_string());
    let service = find("irc").expect("the service");
    service.check(&config).expect("a right config");
    let event = Event {
        name: EventName::parse(name).expect("a name"),
        created_at: Timestamp(0),
        payload: Json::of(payload),
    };
    let source = SourceName::parse("octocat/hello").expect("a source");
    let said = summary(&source, &event);
    let message = service.message(&said, &config, uuid::Uuid::nil());
    let Ok(Outgoing::Irc { room, lines }) = message else {
        panic!("no message for IRC: {message:?}");
    };
    assert_eq!(
        service.destination(&config),
        Ok(Destination::Irc(room.clone()))
    );
    server.client().say(&room, &lines, WITHIN).await
}

fn push(message: &str) -> Value {
    json!({
        "ref": "refs/heads/main",
        "commits": [{ "id": "1a2b3c4d5e", "message": message, "author": { "name": "Mona" } }],
        "compare": "https://gateway.example/compare/a...b",
        "sender": { "login": "octocat" },
    })
}

/// Who says it, and the command with its parameters, of the next message in the channel.
async fn heard(reader: &mut server::Reader) -> (String, String) {
    let line = reader.line_with(" #news :").await;
    let (who, what) = line.split_once(' ').expect("a prefix");
    let nick = who
        .trim_start_matches(':')
        .split('!')
        .next()
        .expect("a nick");
    (nick.to_owned(), what.to_owned())
}

#[tokio::test]
async fn what_is_said_arrives_as_it_was_said() {
    let server = Server::start("").await;
    let mut reader = server.reader("ana", "#news").await;
    let config = json!({ "room": "news", "nick": "hub" });
    let payload = push("Mehr Wärme 🎺\r\n\r\nQUIT :gone");
    let outcome = deliver(&server, config, "push", &payload).await;
    assert_eq!(outcome.verdict(), Verdict::Delivered, "{outcome:?}");
    for expected in [
        "PRIVMSG #news :octocat pushed 1 commit to main at octocat/hello:",
        "PRIVMSG #news :1a2b3c4 Mehr Wärme 🎺 (Mona)",
        "PRIVMSG #news :https://gateway.example/compare/a...b",
    ] {
        assert_eq!(
            heard(&mut reader).await,
            ("hub".to_owned(), expected.to_owned())
        );
    }
    reader.line_with("QUIT").await;
}

#[tokio::test]
async fn a_line_that_is_too_long_arrives_in_pieces() {
    let server = Server::start("").await;
    let mut reader = server.reader("ana", "#news").await;
    let long = "ä".repeat(700);
    let payload = json!({ "zen": long });
    let outcome = deliver(
        &server,
        json!({ "room": "#news", "notice": true }),
        "ping",
        &payload,
    )
    .await;
    assert_eq!(outcome.verdict(), Verdict::Delivered, "{outcome:?}");
    let (_, first) = heard(&mut reader).await;
    assert_eq!(first, "NOTICE #news :The hook of octocat/hello works.");
    let mut whole = String::new();
    while !whole.ends_with('…') {
        let (_, piece) = heard(&mut reader).await;
        whole.push_str(piece.strip_prefix("NOTICE #news :").expect("a notice"));
    }
    assert_eq!(whole, format!("{}…", "ä".repeat(299)));
}

#[tokio::test]
async fn a_name_that_somebody_has_is_not_in_the_way() {
    let server = Server::start("").await;
    let mut reader = server.reader("fanfare", "#news").await;
    let outcome = deliver(&server, json!({ "room": "#news" }), "ping", &json!({})).await;
    assert_eq!(outcome.verdict(), Verdict::Delivered, "{outcome:?}");
    assert_eq!(heard(&mut reader).await.0, "fanfare1");
}

#[tokio::test]
async fn passwords_and_keys_open_what_they_lock() {
    let server =
        Server::start("[Global]\nPassword = sesame\n[Channel]\nName = #news\nModes = +ntk door\n")
            .await;
    let mut reader = server
        .reader_with("ana", "#news door", Some("sesame"))
        .await;
    let right = json!({ "room": "#news", "password": "sesame", "key": "door" });
    let outcome = deliver(&server, right, "ping", &json!({})).await;
    assert_eq!(outcome.verdict(), Verdict::Delivered, "{outcome:?}");
    heard(&mut reader).await;

    let wrong_key = json!({ "room": "#news", "password": "sesame", "key": "wall" });
    refused(
        deliver(&server, wrong_key, "ping", &json!({})).await,
        "475 ",
    );
    let wrong_password = json!({ "room": "#news", "password": "simsim", "key": "door" });
    refused(
        deliver(&server, wrong_password, "ping", &json!({})).await,
        "Bad password",
    );
}

#[tokio::test]
async fn a_channel_that_may_not_be_written_to_is_a_failure() {
    let server = Server::start(
        "[Channel]\nName = #news\nModes = +m\n[Channel]\nName = #closed\nModes = +i\n",
    )
    .await;
    let moderated = deliver(&server, json!({ "room": "#news" }), "ping", &json!({})).await;
    refused(moderated, "404 ");
    let invited = deliver(&server, json!({ "room": "#closed" }), "ping", &json!({})).await;
    refused(invited, "473 ");
}

#[tokio::test]
async fn an_encrypted_visit_arrives_too() {
    let server = Server::start("").await;
    let mut reader = server.reader("ana", "#news").await;
    let config = json!({ "room": "#news", "ssl": true });
    let outcome = deliver(&server, config, "ping", &json!({})).await;
    assert_eq!(outcome.verdict(), Verdict::Delivered, "{outcome:?}");
    assert_eq!(
        heard(&mut reader).await.1,
        "PRIVMSG #news :The hook of octocat/hello works."
    );
}

#[tokio::test]
async fn a_server_that_is_gone_is_a_failure_of_its_origin() {
    let mut server = Server::start("").await;
    server.stop();
    let outcome = deliver(&server, json!({ "room": "#news" }), "ping", &json!({})).await;
    let is_refusal = matches!(
        outcome,
        Outcome::Unanswered {
            failure: Failure::Connect,
            ..
        }
    );
    assert!(is_refusal && outcome.blames_origin(), "{outcome:?}");
}

/// A failure that only this channel is to blame for, in words that hold `word`.
fn refused(outcome: Outcome, word: &str) {
    assert!(!outcome.blames_origin(), "{outcome:?}");
    match outcome {
        Outcome::Answered {
            status: 403,
            excerpt,
            ..
        } => assert!(excerpt.contains(word), "{excerpt}"),
        other => panic!("not refused: {other:?}"),
    }
}
