//! Long work shows how far it has come: on a terminal, and nowhere else.

use std::process::Command;

use crate::own_hub::{Hub, TOKEN};
use crate::support::{Done, Server, fanfare_with};

/// A hub with a hook that takes everything, and some work for each verb: how it is begun, and what the bars say.
struct Work {
    hub: Hub,
    receiver: Server,
    folder: tempfile::TempDir,
}

impl Work {
    fn new() -> Work {
        let receiver = Server::start(|_| "200 OK\nContent-Type: text/plain\n\nthanks".into());
        let work = Work {
            hub: Hub::start(),
            receiver,
            folder: tempfile::tempdir().expect("a folder"),
        };
        let line = r#"{"topic":"http://t.example/","callback":"http://c.example/"}"#;
        std::fs::write(work.folder.path().join("in.jsonl"), format!("{line}\n")).expect("a file");
        let hook = work.receiver.at("hook");
        work.done("sources add blog --event posted");
        work.done(&format!("hooks add blog {hook} --event *"));
        work.done("events raise blog posted");
        work
    }

    /// Verbs in the order in which they are possible.
    fn verbs(&self) -> Vec<(String, Vec<&'static str>)> {
        let topic = self.receiver.at("feed");
        vec![
            (
                "backup --output hub.fanfare".into(),
                vec!["the hub makes the backup: ", "backing up ["],
            ),
            (
                "restore hub.fanfare --data-dir restored".into(),
                vec!["restoring [", "comparing ["],
            ),
            (
                "backup --output again.fanfare --data-dir restored".into(),
                vec!["making the backup: "],
            ),
            (
                "import in.jsonl --data-dir restored".into(),
                vec!["checking the lines: ", "importing ["],
            ),
            (
                "export --output out.jsonl --data-dir restored".into(),
                vec!["exporting: "],
            ),
            (
                "bench --subscribers 3 --publications 2".into(),
                vec!["subscribing [", "publishing [", "unsubscribing ["],
            ),
            ("replay 1 --since 1h --wait".into(), vec!["replaying: "]),
            (format!("publish {topic} --wait"), vec!["delivered ["]),
            (format!("topics ping {topic} --wait"), vec!["delivered ["]),
            ("erase source blog --yes".into(), vec!["erasing: "]),
        ]
    }

    fn environment(&self) -> [(&str, &str); 3] {
        [
            ("FANFARE_URL", &self.hub.url),
            ("FANFARE_TOKEN", TOKEN),
            ("TERM", "xterm"),
        ]
    }

    /// Standard output and standard error are pipes.
    fn piped(&self, verb: &str) -> Done {
        let args: Vec<String> = verb.split(' ').map(|word| self.word(word)).collect();
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        fanfare_with(&args, &self.environment(), b"{}")
    }

    fn done(&self, verb: &str) {
        let done = self.piped(verb);
        assert_eq!(done.code, Some(0), "{verb}: {}", done.err);
    }

    /// Both are a terminal; what that is sent comes back.
    fn on_terminal(&self, verb: &str) -> String {
        let shown = Command::new("script")
            .args([
                "-qec",
                &format!("{} {verb}", env!("CARGO_BIN_EXE_fanfare")),
                "/dev/null",
            ])
            .current_dir(&self.folder)
            .envs(self.environment())
            .output()
            .expect("script");
        let shown_text = String::from_utf8(shown.stdout).expect("UTF-8");
        assert!(shown.status.success(), "{verb}: {shown_text}");
        shown_text
    }

    /// Files are in the folder, wherever a verb runs.
    fn word(&self, word: &str) -> String {
        let is_file = word.ends_with(".fanfare") || word.ends_with(".jsonl") || word == "restored";
        match is_file {
            true => self
                .folder
                .path()
                .join(word)
                .to_str()
                .expect("a path")
                .to_owned(),
            false => word.to_owned(),
        }
    }
}

#[test]
fn on_a_terminal_a_bar_shows_how_far_it_has_come_and_goes() {
    let work = Work::new();
    for (verb, bars) in work.verbs() {
        let shown = work.on_terminal(&verb);
        for bar in bars {
            let drawn = shown.find(bar);
            let drawn = drawn.unwrap_or_else(|| panic!("{verb} shows no {bar:?}: {shown:?}"));
            let gone = shown[drawn..].contains("\x1b[2K");
            assert!(gone, "{verb} leaves {bar:?} behind: {shown:?}");
        }
    }
}

#[test]
fn a_pipe_gets_no_bar() {
    let work = Work::new();
    for (verb, bars) in work.verbs() {
        let done = work.piped(&verb);
        assert_eq!(done.code, Some(0), "{verb}: {}", done.err);
        for text in [&done.out, &done.err] {
            let is_plain =
                !text.contains(['\r', '\x1b']) && bars.iter().all(|bar| !text.contains(bar));
            assert!(is_plain, "{verb}: {text:?}");
        }
    }
}

#[test]
fn programs_get_no_bar_on_a_terminal_either() {
    let work = Work::new();
    for (verb, bars) in work.verbs() {
        let shown = work.on_terminal(&format!("{verb} --json"));
        let is_plain = !shown.contains('\x1b') && bars.iter().all(|bar| !shown.contains(bar));
        assert!(is_plain, "{verb} --json: {shown:?}");
    }
}
