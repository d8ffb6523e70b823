//! Walks of a browser over the page. In: a hub with a scene, and the name of a walk (`browser/walks`). Out: nothing that went wrong.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use tokio::sync::watch;

use crate::installed::installed;
use crate::scene::{self, admin};
use crate::support::{ADMIN, Hub, Publisher, Reply, Server, Subscriber, TOPIC, eventually};

/// Walks over a hub's page, signed in with a token; the walk is told of the scene.
pub async fn walk(hub: &Hub, name: &str, token: &str, scene: &Value) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/desk/browser");
    let modules = installed("node_modules/playwright-core");
    let foreign = modules.ancestors().nth(2).expect("it lies in foreign");
    let target = foreign.parent().expect("it lies in target");
    let mut walker = Command::new("node");
    walker
        .arg(folder.join("run.mjs"))
        .arg(name)
        .env("FANFARE_URL", &hub.url)
        .env("FANFARE_TOKEN", token)
        .env("SCENE", scene.to_string())
        .env("SCREENSHOTS", target.join("screenshots"))
        .env("FOREIGN", foreign);
    let walked = tokio::task::spawn_blocking(move || walker.output()).await;
    let walked = walked.expect("it is waited for").expect("node runs");
    assert!(
        walked.status.success(),
        "{}{}",
        String::from_utf8_lossy(&walked.stdout),
        String::from_utf8_lossy(&walked.stderr)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn who_signs_in_finds_the_way_about() {
    let hub = Hub::start().await;
    walk(&hub, "frame", ADMIN, &Value::Null).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_role_sees_what_it_may() {
    let hub = Hub::start().await;
    for role in ["reader", "publisher", "manager"] {
        let wish = json!({ "name": format!("the {role}"), "role": role, "sources": ["*"] });
        let given = admin(&hub, "POST", "/api/v1/tokens", &wish)
            .await
            .expect(201);
        let token = given.json()["token"].as_str().expect("a token").to_owned();
        walk(&hub, "roles", &token, &json!({ "role": role })).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_overview_tells_what_needs_attention() {
    let scene = scene::Busy::start().await;
    scene::disabled_hook(&scene.hub).await;
    tokio::select! {
        () = walk(&scene.hub, "overview", ADMIN, &Value::Null) => {}
        () = scene.publish_on_and_on() => {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn subscriptions_are_found_looked_at_and_ended() {
    let scene = scene::Busy::start().await;
    walk(&scene.hub, "subscriptions", ADMIN, &json!({ "behind": 2 })).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn topics_are_found_read_and_pinged() {
    let scene = scene::Busy::start().await;
    let (hub, publisher) = (&scene.hub, Publisher::start().await);
    let (old, new) = (publisher.topic("/old"), publisher.topic("/new"));
    old.serves(Reply::status(301).header("Location", new.url()));
    new.says("one");
    let subscriber = Subscriber::start().await;
    for (topic, path) in [(&old, "/old"), (&new, "/new")] {
        let callback = subscriber.callback(path);
        hub.subscribe(topic.url(), callback.url()).active().await;
    }
    hub.publish(old.url()).await;
    let told = json!({ "old": old.url(), "new": new.url() });
    walk(hub, "topics", ADMIN, &told).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn publications_tell_who_has_not_got_them() {
    let scene = scene::Busy::start().await;
    walk(&scene.hub, "publications", ADMIN, &Value::Null).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receipt_moves_while_its_publication_runs() {
    let hub = Hub::with(&[("delivery.timeout", "60s")]).await;
    hub.put_topic("slow", "text/plain", b"nothing")
        .await
        .expect(201);
    let (open, is_open) = watch::channel(false);
    let gate = Server::start_on([127, 0, 0, 1].into(), move |request| {
        open.send_replace(request.target == "/open");
        Reply::ok("")
    });
    let (gate, subscriber) = (gate.await, Subscriber::start().await);
    let callback = subscriber.callback("/slow");
    let topic = format!("{}topics/slow", hub.url);
    hub.subscribe(&topic, callback.url()).active().await;
    callback.always(Reply::ok("").once(is_open));
    let scene = json!({ "gate": gate.url("").trim_end_matches('/') });
    walk(&hub, "receipt", ADMIN, &scene).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_keyboard_alone_does_it_all() {
    let scene = scene::Busy::start().await;
    walk(&scene.hub, "keyboard", ADMIN, &Value::Null).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_are_shown_and_tokens_made_and_revoked() {
    let hub = Hub::start().await;
    walk(&hub, "settings", ADMIN, &Value::Null).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn webhooks_are_kept() {
    let (hub, account) = scene::social().await;
    let thanks = Reply::ok("thanks");
    let receiver = Server::start_on([127, 0, 0, 1].into(), move |_| thanks.clone()).await;
    let scene = json!({ "receiver": receiver.url(""), "account": account });
    walk(&hub, "webhooks", ADMIN, &scene).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sources_are_declared_and_tried() {
    let (hub, _) = scene::social().await;
    walk(&hub, "sources", ADMIN, &Value::Null).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_inspector_shows_what_arrives() {
    let hub = Hub::start().await;
    walk(&hub, "inspector", ADMIN, &Value::Null).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscriber_looks_after_its_own() {
    let hub = Hub::with(&[("delivery.retry", "1h")]).await;
    let subscriber = Subscriber::start().await;
    let callback = subscriber.callback("/cb");
    let secret = "a secret of the subscriber";
    let subscribing = hub.subscribe(TOPIC, callback.url());
    subscribing.secret(secret).active().await;
    callback.always(Reply::status(503).body("come back later"));
    hub.push(TOPIC, "text/plain", b"news").await.expect(202);
    eventually("what waits", async || {
        let known = hub.subscription(TOPIC, callback.url()).await?;
        (known["in_backlog"] == 1).then_some(())
    })
    .await;
    let scene = json!({ "topic": TOPIC, "callback": callback.url(), "secret": secret });
    walk(&hub, "subscription", ADMIN, &scene).await;
}
