//! Validation and denial (checklist 1B): who is told no, when, and in which words.

use crate::support::client::bearer;
use crate::support::publisher::links;
use crate::support::{ADMIN, Reply, Scene, TOPIC};

/// A topic with all that must come back byte for byte.
const ODD_TOPIC: &str = "http://publisher.example/f%C3%A9ed?a=b&c=d+e&f=%2B;g#frag";

#[tokio::test]
async fn hub_12_an_unsubscription_is_never_validated_with_the_publisher() {
    let scene = Scene::with(&[("subscriptions.validate_topics", "true")]).await;
    let topic = scene.publisher.topic("/feed");
    topic.serves(Reply::ok("news").header("Link", &links(topic.url(), &scene.hub.url)));
    let callback = scene.subscribed(topic.url(), "/cb").await;
    let before = topic.fetches().len();
    topic.serves(Reply::status(410));
    scene
        .hub
        .unsubscribe(topic.url(), callback.url())
        .gone()
        .await;
    assert_eq!(topic.fetches().len(), before);
}

#[tokio::test]
async fn hub_22_hub_24_a_topic_that_does_not_pass_validation_is_denied() {
    let scene = Scene::with(&[("subscriptions.validate_topics", "true")]).await;
    let missing = scene.publisher.topic("/missing");
    let unlinked = scene.publisher.topic("/unlinked");
    unlinked.says("names no hub");
    let foreign = scene.publisher.topic("/foreign");
    foreign
        .serves(Reply::ok("x").header("Link", &links(foreign.url(), "http://other-hub.example/")));
    for (path, topic) in [("/a", &missing), ("/b", &unlinked), ("/c", &foreign)] {
        let callback = scene.subscriber.callback(&format!("{path}?own=1"));
        scene
            .hub
            .subscribe(topic.url(), callback.url())
            .send()
            .await
            .expect(202);
        let denial = callback.denial().await;
        assert!(
            denial.target.starts_with(&format!("{path}?own=1&")),
            "{}",
            denial.target
        );
        assert_eq!(denial.param("hub.topic").as_deref(), Some(topic.url()));
        assert!(
            !denial.param("hub.reason").unwrap_or_default().is_empty(),
            "says why"
        );
        assert!(callback.verifications().is_empty());
    }
    let good = scene.publisher.topic("/good");
    good.serves(Reply::ok("x").header("Link", &links(good.url(), &scene.hub.url)));
    scene.subscribed(good.url(), "/d").await;
}

#[tokio::test]
async fn hub_24_hub_25_an_administrator_denies_an_active_subscription() {
    let scene = Scene::start().await;
    let callback = scene.subscriber.callback("/cb?own=1");
    let subscription = scene
        .hub
        .subscribe(ODD_TOPIC, callback.url())
        .active()
        .await;
    deny(&scene, &subscription).await;
    let denial = callback.denial().await;
    assert_eq!(denial.method, "GET");
    assert!(
        denial.target.starts_with("/cb?own=1&hub.mode=denied&"),
        "{}",
        denial.target
    );
    assert_eq!(denial.param("hub.topic").as_deref(), Some(ODD_TOPIC));
    assert_eq!(
        denial.param("hub.reason").as_deref(),
        Some("closed for cleaning & more")
    );
    scene
        .hub
        .subscribe(ODD_TOPIC, callback.url())
        .gone_by_itself()
        .await;
    assert_eq!(
        scene.hub.publish_text(ODD_TOPIC, "news").await["state"],
        "unheard"
    );
}

#[tokio::test]
async fn q_13_the_answer_to_a_denial_is_ignored() {
    let scene = Scene::start().await;
    for status in [400, 404, 500] {
        let callback = scene.subscriber.callback(&format!("/{status}"));
        callback.take_denials_with(Reply::status(status));
        let subscription = scene.hub.subscribe(TOPIC, callback.url()).active().await;
        deny(&scene, &subscription).await;
        callback.denial().await;
        scene
            .hub
            .subscribe(TOPIC, callback.url())
            .gone_by_itself()
            .await;
        scene.retries_are_over(&format!("/later{status}")).await;
        assert_eq!(callback.denials().len(), 1, "{status}");
    }
}

async fn deny(scene: &Scene, subscription: &serde_json::Value) {
    let id = subscription["id"].as_str().unwrap();
    let headers = [
        ("Authorization", &*bearer(ADMIN)),
        ("Content-Type", "application/json"),
    ];
    let reason = br#"{"reason": "closed for cleaning & more"}"#;
    let path = format!("/api/v1/subscriptions/{id}/deny");
    scene
        .hub
        .request("POST", &path, &headers, reason)
        .await
        .expect(202);
}
