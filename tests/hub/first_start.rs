//! The first start: the admin token is made once and told once, and what the hub keeps and logs is for nobody else.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use crate::support::client::bearer;
use crate::support::hub::command;
use crate::support::{Hub, Reply, Scene, eventually};

/// Stands above the token on the output.
const HEADING: &str = "The admin token, shown this once";

#[tokio::test]
async fn a_first_start_that_fails_does_not_use_up_the_token() {
    let folder = tempfile::tempdir().expect("a folder for the data");
    let occupied = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let address = occupied.local_addr().expect("bound");
    let printed = start_in_vain(address, folder.path()).await;
    assert!(printed.contains(&address.to_string()), "{printed}");
    assert!(!printed.contains(HEADING), "{printed}");

    let mut hub = hub_without_a_token(folder.path()).await;
    let token = eventually("the token", async || told_token(&hub)).await;
    let admin = bearer(&token);
    let overview = async |hub: &Hub, admin: &str| {
        let headers = [("Authorization", admin)];
        hub.request("GET", "/api/v1/subscriptions", &headers, b"")
            .await
    };
    overview(&hub, &admin).await.expect(200);
    overview(&hub, &bearer("wrong-token-of-someone"))
        .await
        .expect(403);
    hub.restart().await;
    overview(&hub, &admin).await.expect(200);
    eventually("the banner", async || {
        hub.output().contains("Fanfare is up").then_some(())
    })
    .await;
    assert_eq!(told_token(&hub), None, "it is told once");
}

#[tokio::test]
async fn what_the_hub_keeps_is_not_readable_by_others() {
    let folder = tempfile::tempdir().expect("a folder for the data");
    let data = folder.path().join("data");
    fs::create_dir(&data).expect("new");
    fs::set_permissions(&data, fs::Permissions::from_mode(0o755)).expect("ours");
    let mut hub = hub_without_a_token(&data).await;
    let subscription = hub.subscribe("http://publisher.example/", "http://127.0.0.1:9/");
    subscription.send().await.expect(202);
    hub.terminate().await;
    let files = files_below(&data);
    let named = |name: &str| files.iter().any(|file| file.ends_with(name));
    assert!(named("admin-token.sha256"), "{files:?}");
    assert!(files.len() > 1, "data as well: {files:?}");
    for file in files {
        let mode = fs::metadata(&file)
            .expect("it is there")
            .permissions()
            .mode();
        assert_eq!(mode & 0o077, 0, "{}: {mode:o}", file.display());
    }
}

#[tokio::test]
async fn the_log_does_not_show_what_a_topic_says_behind_its_question_mark() {
    let scene = Scene::with(&[("fetch.retry", "100ms")]).await;
    let topics = [
        scene.publisher.topic("/broken?key=hushhush"),
        scene.publisher.topic("/moved?key=hushhush"),
        scene.publisher.topic("/closed?key=hushhush"),
    ];
    topics[0].serves(Reply::status(500));
    topics[1].serves(Reply::status(302).header("Location", topics[1].url()));
    topics[2].serves(Reply::Close);
    for (number, topic) in topics.iter().enumerate() {
        let callback = scene.subscribed(topic.url(), &format!("/{number}")).await;
        let receipt = scene.hub.publish(topic.url()).await;
        assert_eq!(receipt["state"], "failed", "{receipt:#}");
        scene
            .hub
            .unsubscribe(topic.url(), callback.url())
            .gone()
            .await;
    }
    // A verification names the topic in its own URL.
    for (path, reply) in [("/silent", Reply::Close), ("/no", Reply::status(404))] {
        let callback = scene.subscriber.callback(path);
        callback.confirm_with(move |_| reply.clone());
        let request = scene.hub.subscribe(topics[0].url(), callback.url());
        let request = request.field("hub.verify", "sync");
        request.send().await.expect(409);
    }
    let nowhere = "http://127.0.0.1:9/feed?key=hushhush";
    let callback = scene.subscribed(nowhere, "/nowhere").await;
    assert_eq!(scene.hub.publish(nowhere).await["state"], "failed");
    scene.hub.publish_text(nowhere, "news").await;
    callback.delivery(1).await;
    let output = eventually("the log of failures", async || {
        let output = scene.hub.output();
        (output.matches("not fetched").count() >= 6).then_some(output)
    })
    .await;
    let told: Vec<_> = output
        .lines()
        .filter(|line| line.contains("hushhush"))
        .collect();
    assert_eq!(told, [""; 0]);
}

/// Starts a hub that must not come up, and gives what it printed.
async fn start_in_vain(address: SocketAddr, data: &Path) -> String {
    let child = command()
        .arg("serve")
        .env("FANFARE_LISTEN", address.to_string())
        .env("FANFARE_DATA_DIR", data)
        .current_dir(data)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the hub's binary runs");
    let mut child = Killed(Some(child));
    eventually("the end of a hub without an address", async || {
        let child = child.0.as_mut().expect("not taken yet");
        child.try_wait().expect("a child of this process")
    })
    .await;
    let child = child.0.take().expect("not taken yet");
    let output = child.wait_with_output().expect("it has ended");
    assert!(!output.status.success(), "{}", output.status);
    [output.stdout, output.stderr]
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .concat()
}

/// A process that does not outlive a test that fails.
struct Killed(Option<Child>);

impl Drop for Killed {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            // Both fail only when it has ended already.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

async fn hub_without_a_token(data: &Path) -> Hub {
    let data = data.to_str().expect("a plain path");
    Hub::with(&[("auth.admin_token", ""), ("data_dir", data)]).await
}

/// The token that a hub has printed since it was last started.
fn told_token(hub: &Hub) -> Option<String> {
    let output = hub.output();
    let (_, told) = output.split_once(HEADING)?;
    let token = told.lines().nth(1)?.trim();
    (!token.is_empty()).then(|| token.to_owned())
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        match path.is_dir() {
            true => files.extend(files_below(&path)),
            false => files.push(path),
        }
    }
    files
}
