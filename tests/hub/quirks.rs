//! Requests as clients in the wild really send them (section 4 of the checklist), and the one answer that each accepts.

use crate::support::client::FORM;
use crate::support::{Reply, Scene, TOPIC, form};

#[tokio::test]
async fn q_01_q_06_ytnoti_verifies_at_once_and_takes_only_204() {
    let scene = Scene::start().await;
    let callback = scene.subscriber.callback("/cb");
    callback.confirm_with(|challenge| {
        Reply::ok(challenge).header("Content-Type", "text/plain; charset=utf-8")
    });
    let fields = [
        ("hub.mode", "subscribe"),
        ("hub.topic", TOPIC),
        ("hub.callback", callback.url()),
        ("hub.verify", "sync"),
        ("hub.secret", ""),
        ("hub.lease_seconds", ""),
        ("hub.verify_token", ""),
    ];
    scene.hub.post("/subscribe", &fields).await.expect(204);
    assert_eq!(
        callback.verification(1).await.param("hub.verify_token"),
        None
    );
    scene.hub.publish_text(TOPIC, "news").await;
    super::signature::assert_unsigned(&callback.delivery(1).await);
}

#[tokio::test]
async fn q_02_q_07_q_08_django_push_prefers_sync_and_knows_only_sha1() {
    let scene = Scene::start().await;
    let callback = scene.subscriber.callback("/subscriber/17/");
    callback.confirm_with(|challenge| {
        Reply::ok(challenge).header("Content-Type", "text/html; charset=utf-8")
    });
    let secret = "g#w@1u!k_5z(=d8^2e%s&v+0j)t*4x-hb$q9r7my3nlfc6apoi";
    assert_eq!(secret.len(), 50);
    let fields = [
        ("hub.mode", "subscribe"),
        ("hub.callback", callback.url()),
        ("hub.topic", TOPIC),
        ("hub.verify", "sync"),
        ("hub.verify", "async"),
        ("hub.secret", secret),
    ];
    let answer = scene.hub.post("/", &fields).await;
    assert!([202, 204].contains(&answer.status), "{}", answer.status);
    let lease = callback
        .verification(1)
        .await
        .param("hub.lease_seconds")
        .expect("it is required");
    assert!(lease.bytes().all(|digit| digit.is_ascii_digit()), "{lease}");
    scene.hub.publish_text(TOPIC, "news").await;
    let delivery = callback.delivery(1).await;
    super::signature::assert_signed(&delivery, "sha1", secret);
}

#[tokio::test]
async fn q_03_q_16_freshrss_asks_for_no_lease_and_refuses_unknown_unsubscriptions() {
    let scene = Scene::start().await;
    let callback = scene.subscriber.callback("/api/pshb.php?k=4a8b");
    let mut fields = vec![
        ("hub.verify", "sync"),
        ("hub.mode", "subscribe"),
        ("hub.topic", TOPIC),
        ("hub.callback", callback.url()),
    ];
    let answer = scene.hub.post("/", &fields).await;
    assert!((200..300).contains(&answer.status), "{}", answer.status);
    assert_eq!(
        callback
            .verification(1)
            .await
            .param("hub.lease_seconds")
            .as_deref(),
        Some("864000")
    );
    callback.confirm_with(|_| Reply::status(404));
    fields[1].1 = "unsubscribe";
    scene.hub.post("/", &fields).await.expect(409);
    assert_eq!(
        scene.hub.publish_text(TOPIC, "news").await["delivered"],
        1,
        "state unchanged"
    );
}

#[tokio::test]
async fn q_04_q_12_flask_websub_takes_only_202_and_answers_one_verification() {
    let scene = Scene::start().await;
    let callback = scene.subscriber.callback("/callbacks/0b8e");
    let mut answered = false;
    callback.confirm_with(move |challenge| {
        let again = std::mem::replace(&mut answered, true);
        if again {
            Reply::status(404)
        } else {
            Reply::ok(challenge).header("Content-Type", "application/octet-stream")
        }
    });
    scene.hub.subscribe(TOPIC, callback.url()).active().await;
    scene.retries_are_over("/later").await;
    assert_eq!(callback.verifications().len(), 1);
    assert!(
        scene
            .hub
            .subscription(TOPIC, callback.url())
            .await
            .is_some()
    );
}

#[tokio::test]
async fn q_05_q_10_q_44_the_npm_client_sends_async_and_reads_the_first_link() {
    let scene = Scene::start().await;
    let query = form(&[("topic", TOPIC), ("hub", &scene.hub.url)]);
    let callback = scene.subscriber.callback(&format!("/?{query}"));
    let fields = [
        ("hub.callback", callback.url()),
        ("hub.mode", "subscribe"),
        ("hub.topic", TOPIC),
        ("hub.verify", "async"),
    ];
    scene.hub.post("/", &fields).await.expect(202);
    callback.verification(1).await;
    scene.hub.subscribe(TOPIC, callback.url()).active().await;
    scene.hub.publish_text(TOPIC, "news").await;
    let delivery = callback.delivery(1).await;
    let link = delivery.header("link").expect("a Link header");
    assert!(
        link.starts_with(&format!("<{TOPIC}>; rel=\"self\", <")),
        "{link}"
    );
}

#[tokio::test]
async fn q_23_q_29_wordpress_pings_with_every_feed_that_may_have_changed() {
    let scene = Scene::start().await;
    let site = scene.publisher.topic("/feed/");
    site.says("a post");
    let callback = scene.subscribed(site.url(), "/cb").await;
    let mut body = "hub.mode=publish".to_owned();
    for path in [
        "/feed/",
        "/feed/atom/",
        "/tag/a/feed/",
        "/tag/a/feed/atom/",
        "/category/b/feed/",
        "/author/c/feed/",
    ] {
        let url = scene.publisher.topic(path);
        body.push_str(&format!("&{}", form(&[("hub.url", url.url())])));
    }
    let headers = [
        ("Content-Type", FORM),
        ("User-Agent", "(hubbub-publisher; WordPress/6.8)"),
        ("Accept", "*/*"),
    ];
    let answer = scene
        .hub
        .request("POST", "/", &headers, body.as_bytes())
        .await
        .expect(204);
    scene.hub.ended(&answer).await;
    assert_eq!(callback.deliveries().len(), 1);
    assert_eq!(scene.publisher.requests().len(), 1);
}

#[tokio::test]
async fn q_25_a_php_client_sends_lists_with_brackets() {
    let scene = Scene::start().await;
    let one = scene.publisher.topic("/one");
    one.says("one");
    let two = scene.publisher.topic("/two");
    two.says("two");
    let first = scene.subscribed(one.url(), "/a").await;
    let second = scene.subscribed(two.url(), "/b").await;
    let fields = [
        ("hub.mode", "publish"),
        ("hub.url[0]", one.url()),
        ("hub.url[1]", two.url()),
    ];
    scene.hub.post("/", &fields).await.expect(204);
    assert_eq!(first.delivery(1).await.body, "one");
    assert_eq!(second.delivery(1).await.body, "two");
}
