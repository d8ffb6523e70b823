//! The verbs that keep a hub: sources, events and tokens, against the hub of the same binary.

use serde_json::Value;

use crate::own_hub::{Hub, TOKEN};
use crate::support::{Done, fanfare_with};

fn at(hub: &Hub, token: &str, args: &[&str], input: &[u8]) -> Done {
    let env = [("FANFARE_URL", hub.url.as_str()), ("FANFARE_TOKEN", token)];
    fanfare_with(args, &env, input)
}

#[track_caller]
fn done(done: Done) -> String {
    assert_eq!(done.code, Some(0), "{}", done.err);
    done.out
}

#[test]
fn a_source_is_declared_gets_a_token_and_raises_events() {
    let hub = Hub::start();
    let admin = |args: &[&str]| at(&hub, TOKEN, args, b"");
    let added = done(admin(&[
        "sources",
        "add",
        "blog",
        "--event",
        "posted",
        "--event",
        "removed",
        "--private",
    ]));
    assert!(added.starts_with("blog is a source.\n"), "{added}");
    assert!(
        added.contains(&format!("inbox: {}blog/inbox\n", hub.url)),
        "{added}"
    );
    done(admin(&[
        "sources",
        "add",
        "goma",
        "--dialect",
        "muut",
        "--inbound-secret",
        "hush",
    ]));
    assert_eq!(
        done(admin(&["sources", "list"])),
        "NAME     DIALECT  READERS  INBOX   OWN EVENTS\n\
         blog     websub   token    -       posted,removed\n\
         fanfare  websub   token    -       hook.disabled,hook.enabled,hook.given_up\n\
         goma     muut     all      signed  -\n"
    );

    let issued = done(admin(&[
        "tokens",
        "add",
        "the blog",
        "--role",
        "publisher",
        "--source",
        "blog",
        "--json",
    ]));
    let issued: Value = serde_json::from_str(&issued).expect("JSON");
    let token = issued["token"].as_str().expect("a token");
    let raise = |args: &[&str], input: &[u8]| {
        let args = [&["events", "raise", "blog", "posted"], args].concat();
        at(&hub, token, &args, input)
    };
    let raised = done(raise(&["--key", "k"], b"{\"n\":1}"));
    assert!(raised.starts_with("1 raised.\nreceipt: http"), "{raised}");
    assert_eq!(done(raise(&["--key", "k"], b"{\"n\":1}")), raised, "once");
    let several = done(raise(
        &["-", "--lines", "--json"],
        b"{\"n\":2}\n{\"n\":3}\n",
    ));
    let several: Value = serde_json::from_str(&several).expect("JSON");
    assert_eq!(several["events"], 2);
    let forgotten = raise(&[], b"{\"n\":2}\n{\"n\":3}\n");
    let hint = "fanfare: one event on each line takes --lines: http";
    assert!(forgotten.err.starts_with(hint), "{}", forgotten.err);
    assert_eq!(forgotten.code, Some(1));

    let list = done(admin(&["tokens", "list"]));
    let id = issued["id"].as_str().expect("an id");
    assert!(
        list.lines()
            .any(|line| line.starts_with(id) && line.contains("publisher")),
        "{list}"
    );
    assert!(!list.contains(token));
    done(admin(&["tokens", "remove", id]));
    let refused = raise(&[], b"{}");
    assert_eq!(refused.code, Some(4));
    assert!(
        refused
            .err
            .contains("403 Forbidden: the hub does not know this token"),
        "{}",
        refused.err
    );
    done(admin(&["sources", "remove", "blog"]));
    let refused = admin(&["events", "raise", "blog", "posted"]);
    assert!(refused.err.contains("404 Not Found"), "{}", refused.err);
}

#[test]
fn a_source_of_the_settings_is_there_from_the_start() {
    let hub = Hub::with_config(
        "[[source]]\nname = \"social\"\ndialect = \"pleroma\"\nevents = [\"domain.blocked\"]\nprivate = true\n",
    );
    let list = done(at(&hub, TOKEN, &["sources", "list"], b""));
    assert!(
        list.contains("social   pleroma  token    -      domain.blocked\n"),
        "{list}"
    );
    let raise = ["events", "raise", "social", "domain.blocked"];
    done(at(&hub, TOKEN, &raise, b"{\"domain\":\"x.example\"}"));
}

#[test]
fn what_is_missing_is_said() {
    let hub = Hub::start();
    let env = [("FANFARE_URL", hub.url.as_str())];
    let without = fanfare_with(&["sources", "list"], &env, b"");
    assert_eq!(without.code, Some(4));
    assert!(
        without.err.contains("--token or in FANFARE_TOKEN"),
        "{}",
        without.err
    );
    for (args, words) in [
        (&["sources", "add", "a b"][..], "not the name of a source"),
        (
            &["sources", "add", "a", "--dialect", "x"],
            "websub, mastodon",
        ),
        (
            &["tokens", "add", "a", "--role", "x", "--source", "*"],
            "reader, publisher",
        ),
        (&["events", "raise", "a", "A b"], "not the name of an event"),
    ] {
        let refused = at(&hub, TOKEN, args, b"");
        assert_eq!(refused.code, Some(2), "{args:?}");
        assert!(refused.err.contains(words), "{}", refused.err);
    }
}
