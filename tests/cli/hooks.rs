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
