//! Backups: made of a hub that is at work, and of a folder; restored, and the hub goes on where the backup was made.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use serde_json::Value;

use crate::own_hub::{Hub, TOKEN};
use crate::support::{Done, Server, eventually, fanfare, fanfare_with, send};

fn at(hub: &Hub, args: &[&str]) -> Done {
    let env = [("FANFARE_URL", hub.url.as_str()), ("FANFARE_TOKEN", TOKEN)];
    fanfare_with(args, &env, b"")
}

#[track_caller]
fn done(done: Done) -> String {
    assert_eq!(done.code, Some(0), "{}", done.err);
    done.out
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path")
}

/// A receiver of everything that confirms every subscription, and answers deliveries as it is told.
fn receiver(refuses: &Arc<AtomicBool>) -> Server {
    let refuses = Arc::clone(refuses);
    Server::start(move |request| {
        let query = request.line.split_once('?').map_or("", |(_, query)| query);
        let challenge = url::form_urlencoded::parse(query.as_bytes())
            .find(|(name, _)| name == "hub.challenge")
            .map(|(_, challenge)| challenge.into_owned());
        match challenge {
            Some(challenge) => format!("200 OK\n\n{challenge}"),
            None if refuses.load(Ordering::Relaxed) => "503 Service Unavailable\n\n".to_owned(),
            None => "200 OK\n\n".to_owned(),
        }
    })
}

fn subscribe(hub: &Hub, topic: &str, callback: &str) {
    let form = [
        ("hub.mode", "subscribe"),
        ("hub.topic", topic),
        ("hub.callback", callback),
        ("hub.verify", "sync"),
        ("hub.secret", "a secret of theirs"),
    ];
    let body = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(form)
        .finish();
    let kind = ("Content-Type", "application/x-www-form-urlencoded");
    let (status, said) = send("POST", &hub.url, &[kind], &body);
    assert_eq!(status, 204, "{said}");
}

fn push(hub: &str, topic: &str, text: &str) -> u16 {
    let (bearer, link) = (
        format!("Bearer {TOKEN}"),
        format!("<{topic}>; rel=\"self\""),
    );
    let headers = [
        ("Content-Type", "text/plain"),
        ("Authorization", bearer.as_str()),
        ("Link", link.as_str()),
    ];
    send("POST", &format!("{hub}publish"), &headers, text).0
}

fn json(hub: &Hub, args: &[&str]) -> Value {
    let args = [args, &["--json"]].concat();
    serde_json::from_str(&done(at(hub, &args))).expect("JSON")
}

const TOPIC: &str = "http://t.example/feed";
/// Who failed is not left alone for long.
const RETRIES: &str = "[delivery]\nretry = [\"1s\"]\n";
const SUBSCRIPTIONS: usize = 60;

#[test]
fn a_backup_of_a_hub_at_work_is_whole_and_the_hub_that_is_restored_goes_on() {
    let refuses = Arc::new(AtomicBool::new(false));
    let receiver = receiver(&refuses);
    let hub = Hub::with_config(RETRIES);
    for number in 0..SUBSCRIPTIONS {
        subscribe(&hub, TOPIC, &receiver.at(&format!("cb/{number}")));
    }
    done(at(&hub, &["sources", "add", "blog", "--event", "posted"]));
    let add = [
        "hooks",
        "add",
        "blog",
        &receiver.at("hook"),
        "--event",
        "posted",
    ];
    done(at(&hub, &add));
    let issue = [
        "tokens",
        "add",
        "me",
        "--role",
        "publisher",
        "--source",
        "blog",
    ];
    let token = json(&hub, &issue)["token"]
        .as_str()
        .expect("a token")
        .to_owned();
    // From now on everything waits: that is what a backup must have.
    refuses.store(true, Ordering::Relaxed);
    assert_eq!(push(&hub.url, TOPIC, "before"), 202);
    eventually("everybody to wait", || {
        let list = json(&hub, &["subscriptions", "list"]);
        let waits = |row: &Value| row["in_backlog"].as_u64() > Some(0);
        list.as_array()?.iter().all(waits).then_some(())
    });

    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("hub.fanfare");
    let stop = AtomicBool::new(false);
    let url = hub.url.clone();
    thread::scope(|scope| {
        // Load, while backups are made one after the other; the last one counts.
        let load = scope.spawn(|| {
            let mut taken = 0;
            while !stop.load(Ordering::Relaxed) {
                let topic = format!("http://t.example/{taken}");
                assert_eq!(push(&url, &topic, "meanwhile"), 202);
                taken += 1;
            }
            taken
        });
        for _ in 0..5 {
            let made = at(&hub, &["backup", "--output", text(&file)]);
            assert_eq!(made.code, Some(0), "{}", made.err);
            assert!(made.err.contains("backed up: "), "{}", made.err);
        }
        stop.store(true, Ordering::Relaxed);
        let taken = load.join().expect("load");
        assert!(taken > 5, "the hub took {taken} publications meanwhile");
    });
    use std::os::unix::fs::PermissionsExt as _;
    let mode = std::fs::metadata(&file)
        .expect("the file")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600, "all secrets are in it");
    // Events and hooks go by the hub's URL.
    let address = hub.address();
    drop(hub);

    let data = folder.path().join("data");
    let said = done(fanfare(&[
        "restore",
        text(&file),
        "--data-dir",
        text(&data),
    ]));
    let row = said.lines().find(|line| line.starts_with("subscriptions "));
    let rows = row.and_then(|row| row.split_whitespace().nth(1));
    assert_eq!(rows, Some(SUBSCRIPTIONS.to_string().as_str()), "{said}");
    assert!(
        said.contains("with the same SHA-256, and all can be read."),
        "{said}"
    );

    let restored = Hub::on(&address, RETRIES, &data);
    let list = json(&restored, &["subscriptions", "list"]);
    assert_eq!(list.as_array().expect("a list").len(), SUBSCRIPTIONS);
    assert_eq!(json(&restored, &["hooks", "list"])[0]["source"], "blog");
    refuses.store(false, Ordering::Relaxed);
    // What waited in the backup arrives, and the token that was given out before opens the door.
    let before = receiver.requests().len();
    eventually("what waited", || {
        let later = &receiver.requests()[before..];
        let arrived = later.iter().filter(|request| request.body == "before");
        (arrived.count() >= SUBSCRIPTIONS).then_some(())
    });
    let env = [
        ("FANFARE_URL", restored.url.as_str()),
        ("FANFARE_TOKEN", token.as_str()),
    ];
    done(fanfare_with(
        &["events", "raise", "blog", "posted"],
        &env,
        b"{\"n\":1}",
    ));
    eventually("the hook's event", || {
        let requests = receiver.requests();
        requests
            .iter()
            .any(|request| request.line.starts_with("POST /hook"))
            .then_some(())
    });
}

#[test]
fn a_folder_is_backed_up_and_comes_back_the_same() {
    let hub = Hub::start();
    done(at(&hub, &["sources", "add", "blog", "--event", "posted"]));
    let env = [("FANFARE_URL", hub.url.as_str()), ("FANFARE_TOKEN", TOKEN)];
    let raise = ["events", "raise", "blog", "posted"];
    done(fanfare_with(&raise, &env, b"{}"));
    let data = hub.stop();
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("hub.fanfare");
    let args = [
        "backup",
        "--output",
        text(&file),
        "--data-dir",
        text(&data.path),
    ];
    let made = fanfare(&[&args[..], &["--json"]].concat());
    let made: Value = serde_json::from_str(&done(made)).expect("JSON");
    assert_eq!(made["kinds"]["events"]["rows"], 1);
    let there = folder.path().join("restored");
    let args = ["restore", text(&file), "--data-dir", text(&there), "--json"];
    let restored: Value = serde_json::from_str(&done(fanfare(&args))).expect("JSON");
    for member in ["rows", "kinds", "sha256"] {
        assert_eq!(restored[member], made[member]);
    }
    assert_eq!(restored["unreadable"], 0);
    let again = fanfare(&args);
    assert_eq!(again.code, Some(1));
    assert!(
        again.err.contains("is not empty; restore into"),
        "{}",
        again.err
    );
}

#[test]
fn what_is_no_whole_backup_leaves_nothing() {
    let hub = Hub::start();
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("hub.fanfare");
    done(at(&hub, &["backup", "--output", text(&file)]));
    let whole = std::fs::read(&file).expect("the file");
    let data = folder.path().join("data");
    let mut changed = whole.clone();
    let middle = whole.len() / 2;
    changed[middle] ^= 1;
    for (bytes, words) in [
        (&whole[..middle], "the backup is damaged"),
        (&changed[..], "the backup is damaged"),
        (&b"{\"topic\":1}\n"[..], "this is not a backup of Fanfare"),
    ] {
        let args = ["restore", "-", "--data-dir", text(&data)];
        let refused = fanfare_with(&args, &[], bytes);
        assert_eq!(refused.code, Some(1), "{}", refused.out);
        assert!(refused.err.contains(words), "{}", refused.err);
        let left = std::fs::read_dir(&folder).expect("the folder");
        assert_eq!(left.count(), 1, "only the backup itself is there");
    }
}

#[test]
fn who_is_no_administrator_gets_no_backup() {
    let hub = Hub::start();
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("hub.fanfare");
    let env = [
        ("FANFARE_URL", hub.url.as_str()),
        ("FANFARE_TOKEN", "another-token-here"),
    ];
    let refused = fanfare_with(&["backup", "--output", text(&file)], &env, b"");
    assert_eq!(refused.code, Some(4), "{}", refused.err);
    assert!(!file.exists());
    let gone = send(
        "GET",
        &format!(
            "{}api/v1/backups/01a204cd-5d6f-72c9-9a59-e8591bfc4a95",
            hub.url
        ),
        &[("Authorization", &format!("Bearer {TOKEN}"))],
        "",
    );
    assert_eq!(gone.0, 404, "{}", gone.1);
}
