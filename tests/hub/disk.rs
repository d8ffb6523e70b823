//! A disk that is full, a data file that was cut short, a folder that is in use: clear words, and a hub that tells the
//! truth about itself.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::support::{Hub, Reply, Response, Scene, TOPIC, eventually};
use crate::support_crash::{Attempt, visit};

#[tokio::test]
async fn a_full_disk_is_told_and_costs_nothing_that_was_accepted() {
    let disk = SmallDisk::of("24m");
    let data = disk.folder.join("data");
    let mut scene = Scene::with(&[("data_dir", text(&data)), ("log.level", "warn")]).await;
    let early = scene.subscribed(TOPIC, "/early").await;
    let failing = scene.subscribed(TOPIC, "/failing").await;
    failing.always(Reply::status(500));
    let waiting = scene
        .hub
        .push(TOPIC, "text/plain", b"before")
        .await
        .expect(202);
    early.delivery(1).await;
    scene
        .hub
        .receipt_when(&waiting, |receipt| receipt["in_backlog"] == 1)
        .await;

    disk.fill();
    // What space the file has left inside itself is used up first.
    let mut accepted = vec!["before".to_owned()];
    let refused = loop {
        let content = format!("{} {}", accepted.len(), "x".repeat(100_000));
        let answer = scene
            .hub
            .push(TOPIC, "text/plain", content.as_bytes())
            .await;
        if answer.status != 202 {
            break answer;
        }
        accepted.push(content);
    };
    says_so(&refused);
    let mut late = Vec::new();
    let refused = loop {
        let callback = scene.subscriber.callback(&format!("/late{}", late.len()));
        let answer = scene.hub.subscribe(TOPIC, callback.url()).send().await;
        if answer.status != 202 {
            break answer;
        }
        late.push(callback);
    };
    says_so(&refused);
    let ready = eventually("an honest /readyz", async || {
        let ready = scene.hub.get("/readyz").await;
        (ready.status != 200).then_some(ready)
    })
    .await;
    assert_eq!(ready.status, 503);
    assert!(
        ready.text().contains("the store cannot write"),
        "{}",
        ready.text()
    );
    scene.hub.get("/livez").await.expect(200);
    scene.hub.get("/").await.expect(200);

    disk.empty();
    eventually("a hub that has recovered by itself", async || {
        (scene.hub.get("/readyz").await.status == 200).then_some(())
    })
    .await;
    failing.always(Reply::status(200));
    for callback in &late {
        eventually("a subscription that was accepted", async || {
            scene.hub.subscription(TOPIC, callback.url()).await
        })
        .await;
    }
    scene.hub.publish_text(TOPIC, "after").await;
    accepted.push("after".to_owned());
    for callback in [&early, &failing] {
        eventually("everything that was accepted", async || {
            let got: BTreeSet<_> = callback
                .deliveries()
                .into_iter()
                .map(|request| request.body)
                .collect();
            accepted
                .iter()
                .all(|content| got.contains(content.as_bytes()))
                .then_some(())
        })
        .await;
    }
    assert!(
        !scene.hub.output().contains("panicked"),
        "{}",
        scene.hub.output()
    );

    scene.hub.restart().await;
    let receipt = scene.hub.publish_text(TOPIC, "in the next life").await;
    assert_eq!(receipt["delivered"], late.len() + 2, "{receipt:#}");
}

#[tokio::test]
async fn a_data_file_that_was_cut_short_after_a_clean_stop_is_refused() {
    let notes = tempfile::tempdir().expect("a folder");
    let whole = notes.path().join("whole");
    let mut scene = a_used_folder(&whole).await;
    scene.hub.terminate().await;
    for cut in cuts(&whole) {
        refused(&cut_folder(&whole, cut), notes.path()).await;
    }
    // Nothing is wrong with what was not cut.
    scene.hub.start_again().await;
    assert_eq!(
        scene.hub.publish_text(TOPIC, "whole").await["delivered"],
        SUBSCRIPTIONS
    );
}

#[tokio::test]
async fn a_data_file_that_was_cut_short_after_a_crash_is_refused_or_serves_what_is_sound() {
    let notes = tempfile::tempdir().expect("a folder");
    let whole = notes.path().join("whole");
    let mut scene = a_used_folder(&whole).await;
    scene.hub.kill9().await;
    for cut in cuts(&whole) {
        let folder = cut_folder(&whole, cut);
        if cut == 0 {
            refused(&folder, notes.path()).await;
            continue;
        }
        let mut attempt = Attempt::start(&folder, notes.path());
        match attempt.outcome().await {
            Some(_) => refused(&folder, notes.path()).await,
            None => works_or_says_so(&attempt).await,
        }
        let output = attempt.output();
        assert!(!output.contains("panicked"), "cut at {cut}: {output}");
    }
}

#[tokio::test]
async fn a_folder_in_use_is_refused_in_plain_words() {
    let notes = tempfile::tempdir().expect("a folder");
    let data = notes.path().join("data");
    let hub = Hub::with(&[("data_dir", text(&data))]).await;
    let mut second = Attempt::start(&data, notes.path());
    let status = second.outcome().await.expect("the second process ends");
    assert_eq!(status.code(), Some(1));
    let output = second.output();
    for words in [text(&data), "in use by another process", "--data-dir"] {
        assert!(output.contains(words), "{words:?} is not in: {output}");
    }
    assert_eq!(output.trim().lines().count(), 1, "{output}");
    hub.get("/readyz").await.expect(200);
}

const SUBSCRIPTIONS: usize = 40;

/// A hub whose data folder has seen some use.
async fn a_used_folder(folder: &Path) -> Scene {
    let scene = Scene::with(&[("data_dir", text(folder))]).await;
    for number in 0..SUBSCRIPTIONS {
        let callback = scene.subscriber.callback(&format!("/cb{number}"));
        let request = scene.hub.subscribe(TOPIC, callback.url());
        request.field("hub.verify", "sync").send().await.expect(204);
    }
    for number in 0..10 {
        let content = format!("{number} {}", "x".repeat(20_000));
        scene.hub.publish_text(TOPIC, &content).await;
    }
    scene
}

/// Where a data file is cut.
fn cuts(folder: &Path) -> [u64; 8] {
    let length = fs::metadata(folder.join("db"))
        .expect("the data file")
        .len();
    [
        0,
        1,
        1_000,
        length / 4,
        length / 2,
        length / 4 * 3,
        length - 5_000,
        length - 1,
    ]
}

/// A copy of a data folder whose data file has this length.
fn cut_folder(whole: &Path, length: u64) -> PathBuf {
    let folder = whole.with_file_name(format!("cut-at-{length}"));
    copy(whole, &folder);
    let file = File::options()
        .write(true)
        .open(folder.join("db"))
        .expect("the copy");
    file.set_len(length).expect("a shorter file");
    folder
}

/// The start on this folder fails with words that help.
async fn refused(folder: &Path, notes: &Path) {
    let mut attempt = Attempt::start(folder, notes);
    let status = attempt.outcome().await;
    let output = attempt.output();
    let status = status.unwrap_or_else(|| panic!("it runs: {output}"));
    assert_eq!(status.code(), Some(1), "{output}");
    for words in [text(folder), "cannot be read", "restore a backup"] {
        assert!(output.contains(words), "{words:?} is not in: {output}");
    }
    assert_eq!(output.trim().lines().count(), 1, "{output}");
}

/// A hub on a damaged folder serves, or is not ready and says so wherever it is asked to write.
async fn works_or_says_so(attempt: &Attempt) {
    let ask = async |method: &str, target: &str, headers: &[(&str, &str)], body: &[u8]| {
        let answer = visit(attempt.address, method, target, headers, body).await;
        answer.unwrap_or_else(|| panic!("{target}: no answer; {}", attempt.output()))
    };
    let ready = ask("GET", "/readyz", &[], b"").await;
    let listed = ask("GET", "/api/v1/subscriptions?limit=1000", &[], b"").await;
    let headers = [
        ("Content-Type", "text/plain"),
        ("Link", "<http://publisher.example/feed>; rel=\"self\""),
    ];
    let pushed = ask("POST", "/publish", &headers, b"after the cut").await;
    match ready.status {
        200 => {
            listed.expect(200);
            pushed.expect(202);
        }
        503 => says_so(&pushed),
        other => panic!("/readyz answers {other}: {}", ready.text()),
    }
}

#[track_caller]
fn says_so(answer: &Response) {
    assert_eq!(answer.status, 503, "{}", answer.text());
    assert!(answer.text().contains("store"), "{}", answer.text());
    assert!(answer.header("retry-after").is_some());
}

/// A small file system in a mount namespace of its own, seen from outside through /proc. It ends with the process that
/// holds it, and that ends when nobody writes to it any longer.
struct SmallDisk {
    folder: PathBuf,
    holder: Child,
    _mount_point: TempDir,
}

impl SmallDisk {
    fn of(size: &str) -> Self {
        let mount_point = tempfile::tempdir().expect("a folder");
        let script = r#"mount -t tmpfs -o size="$1" none "$2" && echo mounted && exec cat"#;
        let mut holder = Command::new("unshare")
            .args([
                "--user",
                "--map-root-user",
                "--mount",
                "sh",
                "-c",
                script,
                "sh",
                size,
            ])
            .arg(mount_point.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("unshare, from util-linux");
        let mut said = String::new();
        BufReader::new(holder.stdout.take().expect("piped"))
            .read_line(&mut said)
            .expect("its output");
        assert_eq!(said, "mounted\n", "user namespaces must be allowed here");
        let root = format!("/proc/{}/root", holder.id());
        let inside = mount_point
            .path()
            .strip_prefix("/")
            .expect("an absolute path");
        Self {
            folder: Path::new(&root).join(inside),
            holder,
            _mount_point: mount_point,
        }
    }

    /// Leaves no room at all.
    fn fill(&self) {
        let mut filler = File::create(self.folder.join("filler")).expect("room for a name");
        for size in [1 << 20, 4_096, 1] {
            while filler.write_all(&vec![b'x'; size]).is_ok() {}
        }
    }

    fn empty(&self) {
        fs::remove_file(self.folder.join("filler")).expect("the filler");
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Both fail only when it has ended already.
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).expect("a new folder");
    for entry in fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        match entry.file_type().expect("a type").is_dir() {
            true => copy(&entry.path(), &target),
            false => {
                fs::copy(entry.path(), target).expect("a copy");
            }
        }
    }
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path in UTF-8")
}
