//! Fetching (checklist 1E): how the hub asks for the content that a ping announced, and what it makes of the answer.

use std::time::Duration;

use crate::support::receipts::assert_counts;
use crate::support::{Reply, Scene};

#[tokio::test]
async fn hub_80_a_fetch_is_a_get_that_asks_for_what_is_newer() {
    let scene = Scene::start().await;
    let topic = scene.publisher.topic("/feed");
    let callback = scene.subscribed(topic.url(), "/cb").await;
    let page = |text: &str, tag: &str, date: &str| {
        Reply::ok(text)
            .header("Content-Type", "text/plain")
            .header("ETag", tag)
            .header("Last-Modified", date)
            .header("Date", "Sun, 22 Nov 2026 12:00:00 GMT")
    };
    topic.serves(page("one", "\"1\"", "Sun, 22 Nov 2026 10:00:00 GMT"));
    assert_counts(&scene.hub.publish(topic.url()).await, [1, 1, 0, 0, 0]);
    let first = topic.fetch(1).await;
    assert_eq!(first.method, "GET");
    assert!(first.body.is_empty());
    assert!(!first.headers.has("if-none-match") && !first.headers.has("if-modified-since"));

    assert_eq!(scene.hub.publish(topic.url()).await["state"], "unchanged");
    let second = topic.fetch(2).await;
    assert_eq!(second.header("if-none-match"), Some("\"1\""));
    assert_eq!(
        second.header("if-modified-since"),
        Some("Sun, 22 Nov 2026 10:00:00 GMT")
    );

    topic.serves(page("two", "W/\"2\"", "Sun, 22 Nov 2026 11:00:00 GMT"));
    assert_counts(&scene.hub.publish(topic.url()).await, [1, 1, 0, 0, 0]);
    assert_eq!(callback.deliveries().len(), 2);
    assert_eq!(callback.delivery(2).await.body, "two");
    scene.hub.publish(topic.url()).await;
    assert_eq!(
        topic.fetch(4).await.header("if-none-match"),
        Some("W/\"2\"")
    );
}

#[tokio::test]
async fn hub_80_the_same_content_again_is_not_sent_again() {
    let scene = Scene::start().await;
    let topic = scene.publisher.topic("/feed");
    let callback = scene.subscribed(topic.url(), "/cb").await;
    topic.says("news");
    assert_eq!(scene.hub.publish(topic.url()).await["state"], "complete");
    assert_eq!(scene.hub.publish(topic.url()).await["state"], "unchanged");
    assert_eq!(callback.deliveries().len(), 1);
}

#[tokio::test]
async fn hub_80_redirects_are_followed_up_to_a_limit() {
    let scene = Scene::with(&[("fetch.redirects", "5"), ("fetch.retry", "50ms")]).await;
    let goal = scene.publisher.topic("/goal");
    goal.says("arrived");
    for status in [301, 302, 303, 307, 308] {
        let topic = scene.publisher.topic(&format!("/{status}"));
        let between = scene.publisher.topic(&format!("/{status}/between"));
        topic.serves(Reply::status(status).header("Location", &format!("/{status}/between")));
        between.serves(Reply::status(status).header("Location", goal.url()));
        let callback = scene.subscribed(topic.url(), &format!("/cb{status}")).await;
        goal.says(&format!("arrived through {status}"));
        scene.hub.publish(topic.url()).await;
        assert_eq!(
            callback.delivery(1).await.body,
            format!("arrived through {status}")
        );
        scene
            .hub
            .unsubscribe(topic.url(), callback.url())
            .gone()
            .await;
    }

    let endless = scene.publisher.topic("/endless");
    endless.serves(Reply::status(302).header("Location", "/endless"));
    scene.subscribed(endless.url(), "/cb").await;
    let receipt = scene.hub.publish(endless.url()).await;
    assert_eq!(receipt["state"], "failed");
    assert!(
        receipt["reason"]
            .as_str()
            .expect("a reason")
            .contains("redirect"),
        "{receipt:#}"
    );
    assert_eq!(
        endless.fetches().len(),
        6,
        "a request and five redirects, and no second try: it would end the same way"
    );
}

#[tokio::test]
async fn hub_81_the_user_agent_tells_how_many_subscribe() {
    let scene = Scene::start().await;
    let topic = scene.publisher.topic("/feed");
    for count in 1..=3 {
        scene.subscribed(topic.url(), &format!("/{count}")).await;
        topic.says(&format!("for {count}"));
        scene.hub.publish(topic.url()).await;
        let agent = topic
            .fetch(count)
            .await
            .header("user-agent")
            .expect("a User-Agent")
            .to_owned();
        let version = env!("CARGO_PKG_VERSION");
        assert_eq!(
            agent,
            format!(
                "Fanfare/{version} (+{}; {count} subscribers)",
                scene.hub.url
            )
        );
    }
}

#[tokio::test]
async fn a_fetch_that_fails_is_tried_again() {
    let scene = Scene::with(&[("fetch.retry", "300ms")]).await;
    for (path, failure) in [
        ("/error", Reply::status(500)),
        ("/missing", Reply::status(404)),
        ("/close", Reply::Close),
    ] {
        let topic = scene.publisher.topic(path);
        topic.serves(failure);
        let callback = scene.subscribed(topic.url(), path).await;
        let answer = scene.hub.ping(&[topic.url()]).await.expect(204);
        topic.fetch(1).await;
        topic.says("back again");
        assert_counts(&scene.hub.ended(&answer).await, [1, 1, 0, 0, 0]);
        assert_eq!(callback.delivery(1).await.body, "back again");
    }
}

#[tokio::test]
async fn a_fetch_that_keeps_failing_is_told_in_the_receipt() {
    let scene = Scene::with(&[
        ("fetch.retry", "50ms,50ms"),
        ("fetch.timeout", "1s"),
        ("fetch.max_body", "64KiB"),
    ])
    .await;
    for (path, page, word) in [
        ("/error", Reply::status(503), "503"),
        ("/gone", Reply::status(410), "410"),
        ("/large", Reply::ok(vec![b'x'; 70_000]), "65536 bytes"),
        ("/flood", Reply::Flood, "65536 bytes"),
        ("/drip", Reply::Drip, ""),
        ("/hang", Reply::Hang, ""),
    ] {
        let topic = scene.publisher.topic(path);
        topic.serves(page);
        let callback = scene.subscribed(topic.url(), path).await;
        let receipt = scene.hub.publish(topic.url()).await;
        assert_eq!(receipt["state"], "failed", "{path}: {receipt:#}");
        let reason = receipt["reason"].as_str().expect("a reason");
        assert!(
            !reason.is_empty() && reason.contains(word),
            "{path}: {reason}"
        );
        assert!(callback.deliveries().is_empty());
        assert!(
            scene
                .hub
                .subscription(topic.url(), callback.url())
                .await
                .is_some(),
            "nothing is deleted"
        );
    }
}

#[tokio::test]
async fn pings_are_coalesced_while_a_fetch_is_queued() {
    let scene = Scene::start().await;
    let topic = scene.publisher.topic("/feed");
    let callback = scene.subscribed(topic.url(), "/cb").await;
    topic.serves(Reply::ok("before").after(Duration::from_millis(700)));
    let mut answers = vec![scene.hub.ping(&[topic.url()]).await.expect(204)];
    topic.fetch(1).await;
    for _ in 0..20 {
        answers.push(scene.hub.ping(&[topic.url()]).await.expect(204));
    }
    topic.says("after");
    answers.push(scene.hub.ping(&[topic.url()]).await.expect(204));
    for answer in &answers {
        scene.hub.ended(answer).await;
    }
    assert_eq!(
        callback.deliveries().last().expect("news").body,
        "after",
        "the last ping counts"
    );
    assert!(
        topic.fetches().len() <= 4,
        "{} fetches for 22 pings",
        topic.fetches().len()
    );
}

#[tokio::test]
async fn hub_13_the_fragment_of_a_topic_is_not_sent() {
    let scene = Scene::start().await;
    let page = scene.publisher.topic("/page");
    page.says("news");
    let topic = format!("{}#css(.entry)", page.url());
    let callback = scene.subscribed(&topic, "/cb").await;
    assert_counts(&scene.hub.publish(&topic).await, [1, 1, 0, 0, 0]);
    assert_eq!(page.fetch(1).await.target, "/page");
    callback.delivery(1).await;
}

#[tokio::test]
async fn a_fetch_survives_a_crash() {
    let mut scene = Scene::start().await;
    let topic = scene.publisher.topic("/feed");
    let callback = scene.subscribed(topic.url(), "/cb").await;
    topic.serves(Reply::Hang);
    let answer = scene.hub.ping(&[topic.url()]).await.expect(204);
    topic.fetch(1).await;
    scene.hub.kill9().await;
    topic.says("news");
    scene.hub.start_again().await;
    assert_counts(&scene.hub.ended(&answer).await, [1, 1, 0, 0, 0]);
    assert_eq!(callback.delivery(1).await.body, "news");
}

#[tokio::test]
async fn a_new_ping_does_not_wait_for_an_older_one_that_failed() {
    let scene = Scene::with(&[("fetch.retry", "1h")]).await;
    let topic = scene.publisher.topic("/feed");
    topic.serves(Reply::status(503));
    let callback = scene.subscribed(topic.url(), "/cb").await;
    let first = scene.hub.ping(&[topic.url()]).await.expect(204);
    let waits = |receipt: &serde_json::Value| receipt["reason"].is_string();
    scene.hub.receipt_when(&first, waits).await;
    topic.says("back again");
    let second = scene.hub.ping(&[topic.url()]).await.expect(204);
    scene.hub.ended(&second).await;
    assert_eq!(callback.delivery(1).await.body, "back again");
}

#[tokio::test]
async fn what_an_overtaken_fetch_has_seen_is_still_news() {
    let scene = Scene::with(&[("fetch.retry", "2s")]).await;
    let topic = scene.publisher.topic("/feed");
    topic.serves(Reply::status(503));
    let callback = scene.subscribed(topic.url(), "/cb").await;
    let first = scene.hub.ping(&[topic.url()]).await.expect(204);
    topic.fetch(1).await;
    topic.serves(Reply::ok("one").header("ETag", "\"1\""));
    scene.hub.publish(topic.url()).await;
    // The first ping's second try comes after that of the next one, and before anybody says that there is more.
    topic.serves(Reply::ok("two").header("ETag", "\"2\""));
    scene.hub.ended(&first).await;
    scene.hub.publish(topic.url()).await;
    assert_eq!(callback.delivery(1).await.body, "one");
    assert_eq!(callback.delivery(2).await.body, "two");
}
