//! `fanfare export` and `fanfare import`.

use std::fmt::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::TempDir;

use crate::support::{Done, fanfare, fanfare_with};

/// A folder with room for files and data folders.
struct Scene(TempDir);

impl Scene {
    fn new() -> Scene {
        Scene(tempfile::tempdir().expect("a folder"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn import(&self, data: &str, lines: &str, more: &[&str]) -> Done {
        std::fs::write(self.path("in.jsonl"), lines).expect("written");
        let (input, data) = (self.path("in.jsonl"), self.path(data));
        let mut args = vec!["import", text(&input), "--data-dir", text(&data)];
        args.extend(more);
        fanfare(&args)
    }

    fn export(&self, data: &str) -> Done {
        fanfare(&["export", "--data-dir", text(&self.path(data))])
    }
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path in UTF-8")
}

/// Lines of subscriptions whose leases end in 20 days.
fn lines(count: usize) -> String {
    let end = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(24 * 20);
    let mut lines = String::new();
    for at in 0..count {
        writeln!(
            lines,
            r#"{{"topic":"http://t{}.example/","callback":"http://c.example/{at}","secret":"s \"{at}\" ü","signature":"sha384","lease_seconds":1728000,"expires_at":"{end:.3}","active_since":"2020-01-01T00:00:00.123Z","from":"a@b.example"}}"#,
            at % 7
        )
        .expect("written");
    }
    lines
}

fn sorted(lines: &str) -> Vec<&str> {
    let mut lines: Vec<_> = lines.lines().collect();
    lines.sort_unstable();
    lines
}

#[test]
fn what_is_imported_is_exported_letter_for_letter() {
    let scene = Scene::new();
    let lines = lines(6_001);
    let done = scene.import("one", &lines, &[]);
    assert_eq!(
        (done.code, done.err.as_str()),
        (Some(0), "6001 subscriptions imported\n")
    );
    let first = scene.export("one");
    assert_eq!(
        (first.code, first.err.as_str()),
        (Some(0), "6001 subscriptions exported\n")
    );
    assert_eq!(sorted(&first.out), sorted(&lines));

    // Into another folder, and once more into the same one: nothing is there twice.
    for data in ["two", "one"] {
        assert_eq!(scene.import(data, &first.out, &[]).code, Some(0));
        assert_eq!(scene.export(data).out, first.out);
    }
}

#[test]
fn the_file_of_an_export_is_for_its_owner_alone() {
    let scene = Scene::new();
    scene.import("data", &lines(3), &[]);
    let output = scene.path("out.jsonl");
    std::fs::write(&output, "older").expect("written");
    std::fs::set_permissions(&output, PermissionsExt::from_mode(0o644)).expect("opened to all");
    let done = fanfare(&[
        "export",
        "--data-dir",
        text(&scene.path("data")),
        "--output",
        text(&output),
    ]);
    assert_eq!((done.code, done.out.as_str()), (Some(0), ""));
    let mode = std::fs::metadata(&output)
        .expect("a file")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(
        std::fs::read_to_string(&output).expect("text"),
        scene.export("data").out
    );
    let names = std::fs::read_dir(scene.0.path()).expect("a folder");
    assert!(
        names
            .flatten()
            .all(|entry| !entry.file_name().to_string_lossy().contains(".part"))
    );
}

#[test]
fn one_bad_line_and_nothing_is_imported_unless_bad_lines_may_be_left_out() {
    let scene = Scene::new();
    let long = format!(r#"{{"topic":"http://t.example/{}"}}"#, "x".repeat(100_000));
    let input = format!(
        "{}\n{{\"topic\":\"http://t.example/\"}}\n{long}\n\n{}not JSON",
        lines(1),
        lines(2)
    );
    let done = scene.import("data", &input, &[]);
    assert_eq!(done.code, Some(1));
    for expected in [
        "line 3: missing field `callback`\n",
        "line 4: it is longer than any subscription needs\n",
        "line 8: not a JSON object: expected ident at column 2\n",
        "fanfare: 3 bad lines, so nothing was imported; correct the input, or use --skip-bad\n",
    ] {
        assert!(done.err.contains(expected), "{}", done.err);
    }
    assert_eq!(scene.export("data").out, "");

    let done = scene.import("data", &input, &["--skip-bad"]);
    assert_eq!(done.code, Some(0));
    assert!(done.err.contains("line 3: missing field"), "{}", done.err);
    assert!(done.err.contains("3 bad lines left out"), "{}", done.err);
    assert_eq!(scene.export("data").out.lines().count(), 2);
}

#[test]
fn one_is_not_several() {
    let scene = Scene::new();
    let input = format!("{}not JSON", lines(1));
    let done = scene.import("data", &input, &[]);
    assert!(
        done.err.contains("fanfare: 1 bad line, so nothing"),
        "{}",
        done.err
    );
    let done = scene.import("data", &input, &["--skip-bad"]);
    assert!(
        done.err
            .contains("1 subscription imported, 1 bad line left out\n"),
        "{}",
        done.err
    );
    let done = scene.import("data", &lines(1), &[]);
    assert!(
        done.err.contains("1 subscription imported\n"),
        "{}",
        done.err
    );
}

#[test]
fn many_bad_lines_are_not_all_named() {
    let done = Scene::new().import("data", &"{}\n".repeat(30), &[]);
    assert_eq!(done.err.matches("missing field `topic`").count(), 20);
    assert!(done.err.contains("... and 10 more\n"), "{}", done.err);
    assert!(done.err.contains("30 bad lines"), "{}", done.err);
}

#[test]
fn two_keys_are_enough_and_the_lease_is_the_default() {
    let scene = Scene::new();
    let line = r#"{"topic":"http://t.example/","callback":"http://c.example/"}"#;
    let data = scene.path("data");
    let args = ["import", "-", "--data-dir", text(&data)];
    let lease = ("FANFARE_SUBSCRIPTIONS__DEFAULT_LEASE", "3h");
    let done = fanfare_with(&args, &[lease], line.as_bytes());
    assert_eq!(done.code, Some(0), "{}", done.err);
    let line: Value = serde_json::from_str(&scene.export("data").out).expect("one line");
    assert_eq!(line["lease_seconds"], 3 * 3_600);
    assert!(line.get("secret").is_none() && line.get("from").is_none());
    // Standard input was copied, and the copy is gone.
    let names = std::fs::read_dir(&data).expect("a folder");
    assert!(
        names
            .flatten()
            .all(|entry| !entry.file_name().to_string_lossy().contains("spool"))
    );
}

#[test]
fn what_is_missing_is_named() {
    let scene = Scene::new();
    let done = scene.export("nowhere");
    assert_eq!(done.code, Some(3));
    assert!(done.err.contains("there is no data folder"), "{}", done.err);
    assert!(!scene.path("nowhere").exists());
    let done = fanfare(&[
        "import",
        "/nowhere.jsonl",
        "--data-dir",
        text(&scene.path("data")),
    ]);
    assert_eq!(done.code, Some(1));
    assert!(
        done.err
            .contains("cannot read /nowhere.jsonl: No such file"),
        "{}",
        done.err
    );
}
