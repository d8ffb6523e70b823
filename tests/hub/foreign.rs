//! Foreign clients, as they are published: each subscribes through the hub, and says itself what it got.
//! `tests/run` installs them; without it these tests fail and say so.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::installed::installed;
use crate::support::client::bearer;
use crate::support::receipts::assert_counts;
use crate::support::{ADMIN, PATIENCE, Scene, eventually};

#[tokio::test]
async fn q_04_q_11_q_12_q_45_flask_websub_subscribes_hears_and_leaves() {
    let python = installed("venv/bin/python");
    let mut command = Command::new(python);
    command.arg(script("flask_subscriber.py"));
    subscribes_hears_and_leaves(command).await;
}

#[tokio::test]
async fn q_05_q_10_q_44_npm_pubsubhubbub_subscribes_hears_and_leaves() {
    let modules = installed("node_modules/pubsubhubbub");
    let mut command = Command::new("node");
    command
        .env("NODE_PATH", modules.parent().expect("a folder"))
        .arg(script("npm_subscriber.js"));
    subscribes_hears_and_leaves(command).await;
}

/// The client is given the hub and a topic. It says `subscribed`, then `got <hex of the body>`; told to `leave`, it says
/// `unsubscribed`.
async fn subscribes_hears_and_leaves(mut command: Command) {
    let scene = Scene::start().await;
    let topic = scene.publisher.topic("/feed?a=b&c");
    let folder = tempfile::tempdir().expect("a folder for the client");
    command
        .arg(&scene.hub.url)
        .arg(topic.url())
        .current_dir(folder.path());
    let mut client = Client::start(command);
    client.says("subscribed").await;
    // It says so when it is asked; the hub has it a moment after its answer.
    let admin = [("Authorization", &*bearer(ADMIN))];
    eventually("the subscription is active", async || {
        let list = scene
            .hub
            .request("GET", "/api/v1/subscriptions", &admin, b"");
        let list = list.await.expect(200).json();
        list["items"].as_array()?.first().map(drop)
    })
    .await;
    let content: Vec<u8> = (0..=255).cycle().take(300_000).collect();
    topic.serves(
        crate::support::Reply::ok(content.clone()).header("Content-Type", "application/atom+xml"),
    );
    assert_counts(&scene.hub.publish(topic.url()).await, [1, 1, 0, 0, 0]);
    client.says(&format!("got {}", hex::encode(&content))).await;
    client.leave();
    client.says("unsubscribed").await;
    crate::support::eventually("the end of the subscription", async || {
        topic.serves(crate::support::Reply::ok(format!(
            "{:?}",
            std::time::Instant::now()
        )));
        (scene.hub.publish(topic.url()).await["state"] == "unheard").then_some(())
    })
    .await;
}

struct Client {
    child: Child,
    lines: UnboundedReceiver<String>,
}

impl Client {
    fn start(mut command: Command) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| {
                panic!("{command:?}: {error}; ./tests/run installs what is needed")
            });
        let output = child.stdout.take().expect("piped");
        let (sender, lines) = unbounded_channel();
        std::thread::spawn(move || {
            use std::io::{BufRead as _, BufReader};
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                // Nobody listens when the test is over.
                let _ = sender.send(line);
            }
        });
        Self { child, lines }
    }

    /// Waits for a line; others before it are passed over.
    async fn says(&mut self, expected: &str) {
        let mut heard = Vec::new();
        let listen = async {
            while let Some(line) = self.lines.recv().await {
                if line == expected {
                    return true;
                }
                heard.push(shortened(&line));
            }
            false
        };
        let said = tokio::time::timeout(PATIENCE, listen).await;
        assert!(
            matches!(said, Ok(true)),
            "the client did not say {:?}; it said {heard:#?}",
            shortened(expected)
        );
    }

    fn leave(&mut self) {
        use std::io::Write as _;
        let input = self.child.stdin.as_mut().expect("piped");
        input.write_all(b"leave\n").expect("the client runs");
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // Both fail only when it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn shortened(line: &str) -> String {
    line.chars().take(200).collect()
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/hub/foreign")
        .join(name)
}
