//! The verbs of an administrator: topics and subscriptions, looked at and ended, against the hub of the same binary; and the exit codes.

use std::process::Command;

use serde_json::{Value, json};

use crate::own_hub::{Hub, TOKEN};
use crate::support::{Done, Running, Server, eventually, fanfare, fanfare_with};

fn ask(hub: &Hub, args: &[&str]) -> Done {
    let env = [("FANFARE_URL", hub.url.as_str()), ("FANFARE_TOKEN", TOKEN)];
    fanfare_with(args, &env, b"")
}

#[track_caller]
fn done(hub: &Hub, args: &[&str]) -> String {
    let done = ask(hub, args);
    assert_eq!(done.code, Some(0), "{args:?}: {}", done.err);
    done.out
}

#[track_caller]
fn json_of(hub: &Hub, args: &[&str]) -> Value {
    serde_json::from_str(&done(hub, &[args, &["--json"]].concat())).expect("JSON")
}

/// Someone who listens to a topic, and the subscription as the hub has it.
fn listener(hub: &Hub, topic: &str) -> (Running, Value) {
    let mut listener = Running::start(&["listen", "--hub", &hub.url, topic]);
    listener.err("subscribed for");
    let subscription = eventually("the subscription", || {
        let list = json_of(hub, &["subscriptions", "list", "--topic", topic]);
        list.get(0).cloned()
    });
    (listener, subscription)
}

#[test]
fn topics_are_listed_shown_and_pinged() {
    let hub = Hub::start();
    let publisher = Server::start(|_| "200 OK\nContent-Type: text/plain\n\nnews".to_owned());
    let (feed, other) = (publisher.at("feed"), publisher.at("other"));
    let (mut listening, _) = listener(&hub, &feed);
    let (_also, _) = listener(&hub, &other);

    let pinged = done(&hub, &["topics", "ping", &feed, "--wait"]);
    assert!(pinged.starts_with("receipt: http"), "{pinged}");
    let complete = format!("\n{feed}: complete; 1 of 1 delivered\n");
    assert!(pinged.ends_with(&complete), "{pinged}");
    assert!(listening.out("signature verified").contains("4 bytes"));
    let receipt = json_of(&hub, &["topics", "ping", &feed, "--wait"]);
    assert_eq!(
        (&receipt["topic"], &receipt["state"]),
        (&json!(feed), &json!("unchanged"))
    );

    let table = done(&hub, &["topics", "list", "--search", "FEED"]);
    let lines: Vec<Vec<_>> = table
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    let [head, row] = lines.as_slice() else {
        panic!("{table}");
    };
    assert_eq!(head[..4], ["TOPIC", "SUBSCRIBERS", "FETCHED", "OUTCOME"]);
    assert_eq!(
        (row[0], row[1], row[3], row[4]),
        (feed.as_str(), "1", "unchanged", "-")
    );
    assert_eq!(
        json_of(&hub, &["topics", "list"]).as_array().map(Vec::len),
        Some(2)
    );
    let first = ask(&hub, &["topics", "list", "--limit", "1"]);
    assert_eq!(first.out.lines().count(), 2, "{}", first.out);
    assert_eq!(first.err, "these are the first 1; --limit shows more\n");

    for url in [&feed, &other] {
        assert_eq!(json_of(&hub, &["topics", "show", url])["url"], json!(url));
    }
    let shown = done(&hub, &["topics", "show", &feed]);
    assert!(shown.contains("subscribers: 1\n"), "{shown}");
    assert!(shown.contains("\nlast_fetch: unchanged, 20"), "{shown}");
    let unknown = ask(&hub, &["topics", "show", "http://nobody.example/"]);
    assert_eq!(unknown.code, Some(3));
    assert!(
        unknown
            .err
            .contains("knows no topic http://nobody.example/"),
        "{}",
        unknown.err
    );
}

#[test]
fn subscriptions_are_listed_shown_denied_and_removed() {
    let hub = Hub::start();
    let (denied, one) = listener(&hub, "http://t.example/one");
    let (_removed, two) = listener(&hub, "http://t.example/two");
    let [id, other] = [&one, &two].map(|row| row["id"].as_str().expect("an id"));
    let callback = one["callback"].as_str().expect("a callback");

    let table = done(&hub, &["subscriptions", "list", "--search", "ONE"]);
    let lines: Vec<Vec<_>> = table
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    assert_eq!(lines[0], ["ID", "TOPIC", "CALLBACK", "EXPIRES", "BACKLOG"]);
    assert_eq!(lines[1][..3], [id, "http://t.example/one", callback]);
    assert_eq!((lines[1][4], lines.len()), ("0", 2));
    let at_host = |host| json_of(&hub, &["subscriptions", "list", "--callback-host", host]);
    assert_eq!(at_host("127.0.0.1").as_array().map(Vec::len), Some(2));
    assert_eq!(at_host("nobody.example"), json!([]));

    let shown = done(&hub, &["subscriptions", "show", id]);
    assert!(
        shown.contains(&format!("\ncallback: {callback}\nexpires_at: 20")),
        "{shown}"
    );
    assert_eq!(json_of(&hub, &["subscriptions", "show", id]), one);

    let told = done(&hub, &["subscriptions", "deny", id, "--reason", "too slow"]);
    assert_eq!(
        told,
        format!(
            "The subscription of {callback} to http://t.example/one is over; it is told: too slow\n"
        )
    );
    let end = denied.end();
    assert!(
        end.err.contains("denied the subscription: too slow"),
        "{}",
        end.err
    );
    let again = ask(&hub, &["subscriptions", "deny", id, "--json"]);
    assert_eq!((again.code, again.out.as_str()), (Some(3), ""));
    assert!(
        again
            .err
            .contains("404 Not Found: there is no subscription"),
        "{}",
        again.err
    );

    let gone = done(&hub, &["subscriptions", "remove", other]);
    assert_eq!(
        gone,
        format!("{other} is over; its callback is told nothing.\n")
    );
    assert_eq!(json_of(&hub, &["subscriptions", "list"]), json!([]));
    let misspelled = ask(&hub, &["subscriptions", "show", "17"]);
    assert_eq!(misspelled.code, Some(2));
    assert!(
        misspelled.err.contains("64 hexadecimal digits"),
        "{}",
        misspelled.err
    );
}

#[test]
fn programs_are_answered_in_json_by_what_ends_a_subscription() {
    let hub = Hub::start();
    let (_one, denied) = listener(&hub, "http://t.example/one");
    let id = denied["id"].as_str().expect("an id");
    let answer = json_of(&hub, &["subscriptions", "deny", id]);
    assert_eq!(
        (&answer["id"], &answer["state"]),
        (&json!(id), &json!("denied"))
    );
    let (_two, removed) = listener(&hub, "http://t.example/two");
    let id = removed["id"].as_str().expect("an id");
    assert_eq!(json_of(&hub, &["subscriptions", "remove", id]), Value::Null);
}

#[test]
fn the_exit_code_tells_what_went_wrong() {
    let hub = Hub::start();
    for verb in ["topics", "subscriptions", "sources", "hooks", "tokens"] {
        let code = |url: &str, token: &str| {
            let env = [("FANFARE_URL", url), ("FANFARE_TOKEN", token)];
            fanfare_with(&[verb, "list"], &env, b"").code
        };
        assert_eq!(code(&hub.url, TOKEN), Some(0), "{verb}");
        assert_eq!(code(&hub.url, "wrong"), Some(4), "{verb}");
        assert_eq!(code("http://127.0.0.1:1/", TOKEN), Some(5), "{verb}");
        assert_eq!(fanfare(&[verb, "lists"]).code, Some(2), "{verb}");
    }
    for missing in [&["hooks", "show", "17"][..], &["deliveries", "list", "17"]] {
        assert_eq!(ask(&hub, missing).code, Some(3), "{missing:?}");
    }
    let nonsense = [
        "hooks",
        "add",
        "fanfare",
        "http://127.0.0.1:9/",
        "--event",
        "no.such",
    ];
    let refused = ask(&hub, &nonsense);
    assert_eq!(refused.code, Some(1), "{}", refused.err);
}

#[test]
fn colours_are_for_terminals_and_not_against_the_users_wish() {
    let hub = Hub::start();
    let on_terminal = |no_color: &str| {
        let line = format!("{} tokens list", env!("CARGO_BIN_EXE_fanfare"));
        let shown = Command::new("script")
            .args(["-qec", &line, "/dev/null"])
            .envs([("FANFARE_URL", hub.url.as_str()), ("FANFARE_TOKEN", TOKEN)])
            .envs([("TERM", "xterm"), ("NO_COLOR", no_color)])
            .output();
        String::from_utf8(shown.expect("script").stdout).expect("UTF-8")
    };
    let coloured = on_terminal("");
    assert!(coloured.starts_with("\x1b[1mID  NAME"), "{coloured:?}");
    let plain = on_terminal("1");
    assert!(plain.starts_with("ID  NAME"), "{plain:?}");
    assert!(done(&hub, &["tokens", "list"]).starts_with("ID  NAME"));
}
