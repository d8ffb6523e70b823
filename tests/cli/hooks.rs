//! The verbs that keep hooks: made, changed, looked at, told again; against the hub of the same binary.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value;

use crate::own_hub::{Hub, TOKEN};
use crate::support::{Done, Server, eventually, fanfare_with};

const CONFIG: &str = "[[source]]\nname = \"blog\"\nevents = [\"posted\", \"removed\"]\n[delivery]\nretry = [\"1h\"]\n";

fn ask(hub: &Hub, args: &[&str], input: &[u8]) -> Done {
    let env = [("FANFARE_URL", hub.url.as_str()), ("FANFARE_TOKEN", TOKEN)];
    fanfare_with(args, &env, input)
}

#[track_caller]
fn done(hub: &Hub, line: &str) -> String {
    let args: Vec<_> = line.split(' ').collect();
    let done = ask(hub, &args, b"{\"n\":1}");
    assert_eq!(done.code, Some(0), "{line}: {}", done.err);
    done.out
}

#[track_caller]
fn json(hub: &Hub, line: &str) -> Value {
    serde_json::from_str(&done(hub, &format!("{line} --json"))).expect("JSON")
}

#[test]
fn a_hook_is_made_changed_and_ended() {
    let hub = Hub::with_config(CONFIG);
    let made = done(
        &hub,
        "hooks add blog http://127.0.0.1:9/hook --event posted",
    );
    assert!(
        made.starts_with("Hook 1 gets events of blog from now on.\nsecret: "),
        "{made}"
    );
    assert_eq!(
        done(&hub, "hooks list"),
        "ID  SOURCE  STATE   TO                       EVENTS\n\
         1   blog    active  http://127.0.0.1:9/hook  posted\n"
    );
    assert_eq!(done(&hub, "hooks list --source fanfare").lines().count(), 1);

    let edit = "hooks edit 1 --event * --rate 5 --ordered --header X-Env=test --signing both";
    let edited = json(&hub, edit);
    assert_eq!(edited["events"], serde_json::json!(["*"]));
    assert_eq!(
        (&edited["rate"], &edited["ordered"]),
        (&5.into(), &true.into())
    );
    assert_eq!(edited["headers"]["X-Env"], "test");
    assert!(done(&hub, "hooks show 1").contains("signing: both\n"));
    assert_eq!(json(&hub, "hooks edit 1 --ordered=false")["ordered"], false);

    let rotated = done(
        &hub,
        "hooks rotate 1 --secret 0123456789abcdef0123456789abcdef",
    );
    assert!(
        rotated.starts_with("secret: 0123456789abcdef0123456789abcdef\n"),
        "{rotated}"
    );
    done(&hub, "hooks disable 1");
    assert!(done(&hub, "hooks list").contains("disabled"));
    let refused = ask(&hub, &["replay", "1", "--since", "1h"], b"");
    assert_eq!(refused.code, Some(1));
    assert!(refused.err.contains("enable it first"), "{}", refused.err);
    done(&hub, "hooks enable 1");
    assert_eq!(done(&hub, "hooks remove 1"), "Hook 1 is no more.\n");
    let refused = ask(&hub, &["hooks", "show", "1"], b"");
    assert!(refused.err.contains("no hook \"1\""), "{}", refused.err);
    let unsaid = ask(&hub, &["hooks", "add", "blog"], b"");
    assert_eq!(unsaid.code, Some(2), "neither a URL nor a service");
}

#[test]
fn what_a_hook_missed_is_shown_and_sent_again() {
    let hub = Hub::with_config(CONFIG);
    let takes = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&takes);
    let receiver = Server::start(move |_| match told.load(Ordering::SeqCst) {
        true => "204 No Content".to_owned(),
        false => "500 Internal Server Error\n\nout of order".to_owned(),
    });
    let url = receiver.at("hook");
    done(&hub, &format!("hooks add blog {url} --event posted"));
    done(&hub, "events raise blog posted");
    let failed = eventually("the failure", || {
        json(&hub, "deliveries list 1 --failed").get(0).cloned()
    });
    let id = &failed["id"];
    let table = done(&hub, "deliveries list 1");
    assert!(table.starts_with("ID"), "{table}");
    assert!(table.contains("posted  500 "), "{table}");
    let shown = done(&hub, &format!("deliveries show 1 {id}"));
    assert!(shown.contains("out of order"), "{shown}");

    takes.store(true, Ordering::SeqCst);
    done(&hub, &format!("deliveries redeliver 1 {id}"));
    eventually("the redelivery", || {
        (receiver.requests().len() == 2).then_some(())
    });
    let replayed = done(&hub, "replay 1 --since 1h --wait");
    assert!(
        replayed.ends_with(" finished; 1 seen, 1 delivered, 0 failed\n"),
        "{replayed}"
    );
    assert_eq!(receiver.requests().len(), 3);
    eventually("all is taken", || {
        let list = json(&hub, "deliveries list 1");
        (list.as_array()?.len() == 3).then_some(())
    });
    let replay = json(&hub, "replay 1 --since 1h --failed --wait");
    assert_eq!(
        (&replay["only"], &replay["delivered"]),
        (&"failed".into(), &0.into())
    );

    done(&hub, "hooks ping 1");
    eventually("the ping", || {
        (receiver.requests().len() == 4).then_some(())
    });
    takes.store(false, Ordering::SeqCst);
    let refused = ask(&hub, &["replay", "1", "--since", "1h", "--wait"], b"");
    assert_eq!(
        refused.code,
        Some(1),
        "not all was delivered: {}",
        refused.out
    );
    let refused = ask(&hub, &["replay", "1", "--since", "soon"], b"");
    assert!(refused.err.contains("such as 2h"), "{}", refused.err);
}

#[test]
fn what_a_hook_has_can_be_taken_away_again() {
    let hub = Hub::with_config(CONFIG);
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("body.txt");
    std::fs::write(&file, r#"{"told":"{{event}}"}"#).expect("written");
    let file = file.to_str().expect("UTF-8");
    let add = "hooks add blog http://127.0.0.1:9/hook --event posted --dialect pleroma --type-key --rate 5 --signing both --v1a --template";
    let made = json(&hub, &format!("{add} {file}"));
    assert_eq!(made["template"], r#"{"told":"{{event}}"}"#);
    assert_eq!(
        (&made["type_key"], &made["rate"]),
        (&true.into(), &5.into())
    );
    assert!(made["public_key"].is_string(), "{made}");
    let edited = ask(
        &hub,
        &[
            "hooks",
            "edit",
            "1",
            "--dialect",
            "websub",
            "--type-key=false",
            "--rate",
            "0",
            "--v1a=false",
            "--signing",
            "dialect",
            "--template",
            "",
            "--secret",
            "",
            "--json",
        ],
        b"",
    );
    assert_eq!(edited.code, Some(0), "{}", edited.err);
    let edited: Value = serde_json::from_str(&edited.out).expect("JSON");
    for gone in ["template", "rate", "public_key", "secret"] {
        assert_eq!(edited[gone], Value::Null, "{gone}");
    }
    assert_eq!(edited["type_key"], false);
}

#[test]
fn what_a_hook_would_be_sent_is_shown_and_not_sent() {
    let hub = Hub::with_config(CONFIG);
    let url = "http://127.0.0.1:9/hook";
    let example = done(&hub, &format!("hooks preview blog {url} --event posted"));
    assert!(
        example.starts_with(&format!("posted, an example\n\nPOST {url}\n")),
        "{example}"
    );
    assert!(example.contains("\nx-fanfare-event: posted\n"), "{example}");
    // The payload is what `done` gives to standard input.
    let line = format!("hooks preview blog {url} --event * --of removed --payload -");
    let told = done(&hub, &line);
    assert!(told.starts_with("removed, as given\n"), "{told}");
    assert!(told.ends_with("\n\n{\"n\":1}\n"), "{told}");
    let filtered = done(&hub, &format!("{line} --filter $.object[?@>1]"));
    assert!(filtered.contains("does not let it through"), "{filtered}");
    assert_eq!(json(&hub, "hooks list"), serde_json::json!([]));
}

#[test]
fn replays_are_listed_and_ended() {
    let hub = Hub::with_config(
        "[[source]]\nname = \"blog\"\nevents = [\"posted\"]\n[delivery]\nretry = [\"1h\", \"1h\"]\n",
    );
    done(&hub, "events raise blog posted");
    done(
        &hub,
        "hooks add blog http://127.0.0.1:9/hook --event posted",
    );
    let replay = json(&hub, "replay 1 --since 1h");
    let id = replay["id"].as_str().expect("an id");
    let listed = done(&hub, "replays list 1");
    assert!(listed.starts_with("ID "), "{listed}");
    assert!(listed.contains(&format!("{id}  running  ")), "{listed}");
    let stopped = done(&hub, &format!("replays stop {id}"));
    assert!(
        stopped.starts_with(&format!("{id} stopped: it was stopped on request; ")),
        "{stopped}"
    );
    assert_eq!(json(&hub, "replays list 1")[0]["state"], "stopped");
    let none = ask(&hub, &["replays", "stop", "17"], b"");
    assert_eq!(none.code, Some(2), "no id: {}", none.err);
}
