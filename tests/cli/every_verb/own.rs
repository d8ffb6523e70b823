//! The verbs for a hub of one's own, for any hub, and for the shell.

use super::Case;
use super::scene::Scene;
use crate::support::{Running, eventually};

pub const CASES: &[Case] = &[
    Case {
        verb: "serve",
        args: "--listen 127.0.0.1:0 --data-dir {new-folder}",
        meanwhile: stop,
        out: "Fanfare is up: http://ADDRESS/

Try it, each in a terminal of its own:
  fanfare listen --hub http://ADDRESS/ http://ADDRESS/topics/hello
  curl -X PUT http://ADDRESS/topics/hello -H 'Authorization: Bearer HEX' -H 'Content-Type: text/plain' -d 'Hello, world'

The admin token, shown this once (set auth.admin_token to choose your own):
  HEX

This is a developer's set-up: the hub is reached on loopback only, so callbacks and topics on loopback are allowed.

",
        volatile: without_log,
        no_json: Some("it runs until it is stopped, and its log is JSON if log.format says so"),
        ..Case::PLAIN
    },
    Case {
        verb: "check",
        args: "--listen 127.0.0.1:9000",
        out: r#"listen = "ADDRESS"  # --listen
"#,
        volatile: without_defaults,
        ..Case::PLAIN
    },
    Case {
        verb: "backup",
        args: "--output {folder}/hub.fanfare",
        err: "KIND  ROWS  SHA-256
counters  N  HEX
deliveries  N  HEX
events  N  HEX
hook_health  N  HEX
hooks  N  HEX
hooks_of_sources  N  HEX
hooks_on_topics  N  HEX
hosts  N  HEX
latest_events  N  HEX
publications  N  HEX
receipts  N  HEX
replays  N  HEX
request_bodies  N  HEX
sources  N  HEX
subscriber_counts  N  HEX
subscriptions  N  HEX
tokens  N  HEX
topics  N  HEX

backed up: N rows as of TIME, NB, SHA-256 HEX
",
        volatile: without_sizes,
        ..Case::PLAIN
    },
    Case {
        verb: "restore",
        args: "{backup} --data-dir {new-folder}",
        out: "KIND  ROWS  SHA-256
counters  N  HEX
deliveries  N  HEX
events  N  HEX
hook_health  N  HEX
hooks  N  HEX
hooks_of_sources  N  HEX
hooks_on_topics  N  HEX
hosts  N  HEX
latest_events  N  HEX
publications  N  HEX
receipts  N  HEX
replays  N  HEX
request_bodies  N  HEX
sources  N  HEX
subscriber_counts  N  HEX
subscriptions  N  HEX
tokens  N  HEX
topics  N  HEX

restored into {new-folder}: N rows as of TIME. The store was closed and opened again; the rows of each kind are as many as in the backup, with the same SHA-256, and all can be read.
",
        volatile: without_sizes,
        ..Case::PLAIN
    },
    Case {
        verb: "export",
        args: "--data-dir {stopped} --output {folder}/out.jsonl",
        err: "1 subscription exported
",
        ..Case::PLAIN
    },
    Case {
        verb: "import",
        args: "{lines} --data-dir {new-folder} --skip-bad",
        err: "line 2: missing field `topic`
1 subscription imported, 1 bad line left out
",
        ..Case::PLAIN
    },
    Case {
        verb: "discover",
        args: "{world}feed",
        out: "WORLD/feed
  type  text/plain
  self  WORLD/feed  (Link header)
  hub  WORLD/hub  (Link header)
",
        ..Case::PLAIN
    },
    Case {
        verb: "subscribe",
        args: "{world}other {world}other-callback --hub {hub} --sync",
        out: "HUB/ asked WORLD/other-callback and that agreed (204): the subscription to WORLD/other is active.
",
        ..Case::PLAIN
    },
    Case {
        verb: "unsubscribe",
        args: "{world}other {world}other-callback --hub {hub} --sync",
        out: "HUB/ asked WORLD/other-callback and that agreed (204): the subscription to WORLD/other is over.
",
        ..Case::PLAIN
    },
    Case {
        verb: "publish",
        args: "{world}feed --hub {hub} --wait",
        out: "HUB/ accepted it (204).
receipt: HUB/api/v1/receipts/UUID
WORLD/feed: nothing new, so nothing was sent
",
        ..Case::PLAIN
    },
    Case {
        verb: "listen",
        args: "{world}heard --hub {hub} --count 1",
        meanwhile: publish,
        out: "TIME  text/plain  32 bytes  signature verified (sha1, sha256)
  self  WORLD/heard
  hub  HUB/
  id  UUID

HEX

",
        err: "asked HUB/ for WORLD/heard
listening at ADDRESS, callback http://ADDRESS/HEX
subscribed for 10d
unsubscribed
",
        ..Case::PLAIN
    },
    Case {
        verb: "completions",
        args: "bash",
        out: "_fanfare() {
",
        volatile: head,
        no_json: Some("it prints a script for a shell"),
        ..Case::PLAIN
    },
    Case {
        verb: "man",
        args: "topics ping",
        out: r#".TH fanfare-topics-ping 1  "ping " 
.SH NAME
.SH SYNOPSIS
.SH DESCRIPTION
.SH OPTIONS
.SH "THE HUB"
.SH EXTRA
"#,
        volatile: sections,
        no_json: Some("it prints a page for man"),
        ..Case::PLAIN
    },
];

/// The hub is up, and told to stop.
fn stop(_: &Scene, running: &mut Running) {
    running.out("Fanfare is up");
    running.signal("TERM");
}

/// What is subscribed to is published to.
fn publish(scene: &Scene, running: &mut Running) {
    let line = running.err(", callback ");
    let callback = line.split_whitespace().next_back().expect("a URL");
    running.err("subscribed for");
    // The listener has agreed before the hub has heard that.
    eventually("the subscription", || {
        let path = format!("api/v1/subscriptions?search={callback}");
        scene.ask("GET", &path, "")["items"].get(0).cloned()
    });
    // What is not new is not sent, so each listener gets its own.
    let (_, news) = callback.rsplit_once('/').expect("a path");
    scene.publish(&scene.world("heard"), news);
}

/// The lines that are not of the log.
fn without_log(text: &str) -> String {
    let lines = text.split_inclusive('\n');
    lines.filter(|line| !line.starts_with("TIME")).collect()
}

/// The settings that were set; those with defaults are told of elsewhere.
fn without_defaults(text: &str) -> String {
    let lines = text.split_inclusive('\n');
    lines.filter(|line| !line.contains("# default")).collect()
}

/// Sizes and numbers of rows depend on times, and on what the other cases have left.
fn without_sizes(text: &str) -> String {
    let words = text.split_inclusive([' ', '\n']);
    words
        .map(|word| {
            let number = word.trim_end_matches([' ', '\n', ',', 'B', 'i', 'K']);
            let is_number = !number.is_empty()
                && number
                    .bytes()
                    .all(|byte| byte.is_ascii_digit() || byte == b'.');
            if is_number {
                word.replace(number, "N")
            } else {
                word.to_owned()
            }
        })
        .collect()
}

/// The first line.
fn head(text: &str) -> String {
    text.split_inclusive('\n').take(1).collect()
}

/// The headings of a page for man.
fn sections(text: &str) -> String {
    let lines = text.split_inclusive('\n');
    lines
        .filter(|line| line.starts_with(".SH") || line.starts_with(".TH"))
        .collect()
}
