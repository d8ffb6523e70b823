//! `fanfare subscribe` and `fanfare unsubscribe`.

use serde_json::{Value, json};

use crate::support::{Done, Server, fanfare, fanfare_with};

const TOPIC: &str = "http://blog.example/feed?a=b&c";
const CALLBACK: &str = "http://me.example/hook?x=y";

fn hub(answer: &'static str) -> Server {
    Server::start(move |_| answer.to_owned())
}

fn ask(hub: &Server, verb: &str, more: &[&str]) -> Done {
    let mut args = vec![verb, "--hub", &hub.url, TOPIC, CALLBACK];
    args.extend(more);
    fanfare(&args)
}

#[test]
fn every_wish_is_a_field_of_the_form() {
    let hub = hub("202 Accepted");
    let wishes = [
        "--secret",
        "a+b &",
        "--lease",
        "2h",
        "--signature",
        "sha512",
        "--sync",
    ];
    let done = ask(&hub, "subscribe", &wishes);
    assert_eq!(done.code, Some(0), "{}", done.err);
    assert!(
        done.out
            .contains(&format!("{} accepted the request (202)", hub.url)),
        "{}",
        done.out
    );
    assert!(done.out.contains(CALLBACK), "{}", done.out);
    let request = hub.asked("subscribe", 0);
    assert_eq!(request.line, "POST /");
    assert!(
        request
            .head
            .contains("\r\ncontent-type: application/x-www-form-urlencoded\r\n")
    );
    for (name, value) in [
        ("hub.topic", TOPIC),
        ("hub.callback", CALLBACK),
        ("hub.secret", "a+b &"),
        ("hub.lease_seconds", "7200"),
        ("hub.signature", "sha512"),
        ("hub.verify", "sync"),
    ] {
        assert_eq!(request.field(name).as_deref(), Some(value), "{name}");
    }
}

#[test]
fn programs_get_the_hubs_consent_as_json() {
    for (answer, verb, more, agreed) in [
        ("202 Accepted", "subscribe", &["--json"][..], false),
        ("204 No Content", "unsubscribe", &["--json", "--sync"], true),
    ] {
        let hub = hub(answer);
        let done = ask(&hub, verb, more);
        let said: Value = serde_json::from_str(&done.out).expect("JSON");
        let expected = json!({
            "hub": hub.url,
            "mode": verb,
            "topic": TOPIC,
            "callback": CALLBACK,
            "status": answer[..3].parse::<u16>().expect("a number"),
            "agreed": agreed,
        });
        assert_eq!((done.code, said), (Some(0), expected), "{}", done.err);
    }
    let refused = ask(
        &self::hub("400 Bad Request\n\nno"),
        "subscribe",
        &["--json"],
    );
    assert_eq!((refused.code, refused.out.as_str()), (Some(1), ""));
}

#[test]
fn what_is_not_wished_for_is_not_sent() {
    let hub = hub("202 Accepted");
    assert_eq!(ask(&hub, "unsubscribe", &[]).code, Some(0));
    let fields = hub.asked("unsubscribe", 0).body;
    assert_eq!(
        fields,
        "hub.mode=unsubscribe&hub.topic=http%3A%2F%2Fblog.example%2Ffeed%3Fa%3Db%26c&\
         hub.callback=http%3A%2F%2Fme.example%2Fhook%3Fx%3Dy"
    );
}

#[test]
fn without_a_hub_the_topic_is_asked_and_called_what_it_calls_itself() {
    let server = Server::start_knowing_itself(|own, request| match request.line.as_str() {
        "GET /feed" => {
            format!("200 OK\nLink: <{own}hub>; rel=hub, <https://blog.example/feed>; rel=self")
        }
        _ => "202 Accepted".into(),
    });
    let done = fanfare(&["subscribe", &server.at("feed"), CALLBACK]);
    assert_eq!(done.code, Some(0), "{}", done.err);
    assert!(
        done.err.contains("calls itself https://blog.example/feed"),
        "{}",
        done.err
    );
    let request = server.asked("subscribe", 0);
    assert_eq!(request.line, "POST /hub");
    assert_eq!(
        request.field("hub.topic").as_deref(),
        Some("https://blog.example/feed")
    );

    let silent = Server::start(|_| "200 OK".into());
    let done = fanfare(&["subscribe", &silent.url, CALLBACK]);
    assert_eq!(done.code, Some(1));
    assert!(
        done.err.contains("names no hub; name one with --hub"),
        "{}",
        done.err
    );
}

#[test]
fn the_environment_may_name_the_hub() {
    let hub = hub("202 Accepted");
    let done = fanfare_with(
        &["subscribe", TOPIC, CALLBACK],
        &[("FANFARE_URL", &hub.url)],
        b"",
    );
    assert_eq!(done.code, Some(0), "{}", done.err);
    assert_eq!(hub.requests().len(), 1);
}

#[test]
fn the_answer_is_told_in_words() {
    for (answer, verb, flags, code, words) in [
        (
            "204 No Content",
            "subscribe",
            &["--sync"][..],
            0,
            "is active",
        ),
        ("204 No Content", "unsubscribe", &["--sync"], 0, "is over"),
        (
            "409 Conflict\n\nthe callback said no",
            "subscribe",
            &["--sync"],
            1,
            "that did not agree",
        ),
        (
            "403 Forbidden\n\nnot this topic",
            "subscribe",
            &[],
            4,
            "refused: 403 Forbidden: not this topic",
        ),
        (
            "404 Not Found\n\n<html>",
            "subscribe",
            &[],
            3,
            "is that the hub's own URL?",
        ),
    ] {
        let done = ask(&hub(answer), verb, flags);
        assert_eq!(done.code, Some(code), "{answer}: {}", done.err);
        assert!((done.out + &done.err).contains(words), "{answer}");
    }
}

#[test]
fn a_secret_comes_from_a_file_and_its_line_end_does_not_count() {
    let hub = hub("202 Accepted");
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("secret");
    let path = file.to_str().expect("a path");
    std::fs::write(&file, " key \r\n").expect("written");
    assert_eq!(
        ask(&hub, "subscribe", &["--secret-file", path]).code,
        Some(0)
    );
    assert_eq!(
        hub.asked("subscribe", 0).field("hub.secret").as_deref(),
        Some(" key ")
    );

    std::fs::write(&file, "x".repeat(200)).expect("written");
    let done = ask(&hub, "subscribe", &["--secret-file", path]);
    assert_eq!(done.code, Some(1));
    assert!(
        done.err.contains("1 to 199 bytes; this one has 200"),
        "{}",
        done.err
    );
    let done = ask(&hub, "subscribe", &["--secret-file", "/nowhere"]);
    assert!(
        done.err
            .contains("cannot read the secret file /nowhere: No such file"),
        "{}",
        done.err
    );
    assert_eq!(hub.requests().len(), 1);
}

#[test]
fn a_wrong_wish_is_a_wrong_command_line() {
    let hub = hub("202 Accepted");
    for (flags, reason) in [
        (
            &["--lease", "soon"][..],
            "\"soon\" is not a duration; write a number and a unit",
        ),
        (&["--lease", "20ms"], "a lease is at least 1s"),
        (
            &["--signature", "md5"],
            "the methods are sha1, sha256, sha384, sha512",
        ),
        (&["--secret", ""], "this one has 0"),
        (
            &["--secret", "a", "--secret-file", "b"],
            "cannot be used with",
        ),
    ] {
        let done = ask(&hub, "subscribe", flags);
        assert_eq!(done.code, Some(2), "{flags:?}");
        assert!(done.err.contains(reason), "{}", done.err);
    }
    let fragment = fanfare(&[
        "subscribe",
        "--hub",
        &hub.url,
        TOPIC,
        "http://me.example/#a",
    ]);
    assert_eq!(fragment.code, Some(2));
    assert!(
        fragment.err.contains("a callback cannot have one"),
        "{}",
        fragment.err
    );
    assert!(hub.requests().is_empty());
}
