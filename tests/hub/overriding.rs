//! One subscription, many requests (checklist 1A): a later request overrides the state, but only once it is verified.

use std::time::Duration;

use crate::support::receipts::assert_counts;
use crate::support::{Reply, Scene, TOPIC, eventually};

#[tokio::test]
async fn hub_08_an_active_subscription_is_asked_for_again() {
    let scene = Scene::start().await;
    let callback = scene.subscriber.callback("/cb");
    let first = scene
        .hub
        .subscribe(TOPIC, callback.url())
        .lease(1_000)
        .active()
        .await;
    let second = scene
        .hub
        .subscribe(TOPIC, callback.url())
        .lease(2_000)
        .active()
        .await;
    assert_eq!(first["active_since"], second["active_since"]);
    assert_ne!(first["expires_at"], second["expires_at"]);
    assert_eq!(
        callback
            .verification(2)
            .await
            .param("hub.lease_seconds")
            .as_deref(),
        Some("2000")
    );
    assert_counts(
        &scene.hub.publish_text(TOPIC, "news").await,
        [1, 1, 0, 0, 0],
    );
    assert_eq!(
        callback.deliveries().len(),
        1,
        "one subscription, one delivery"
    );
}

#[tokio::test]
async fn hub_09_hub_10_q_16_a_refused_request_changes_nothing() {
    let scene = Scene::start().await;
    let callback = scene.subscriber.callback("/cb");
    let before = scene
        .hub
        .subscribe(TOPIC, callback.url())
        .secret("old")
        .active()
        .await;
    callback.confirm_with(|_| Reply::status(404));
    let renewal = scene
        .hub
        .subscribe(TOPIC, callback.url())
        .secret("new")
        .lease(60);
    renewal.send().await.expect(202);
    callback.verification(2).await;
    scene
        .hub
        .unsubscribe(TOPIC, callback.url())
        .send()
        .await
        .expect(202);
    callback.verification(3).await;
    scene.retries_are_over("/later").await;
    assert_eq!(
        scene.hub.subscription(TOPIC, callback.url()).await,
        Some(before)
    );
    scene.hub.publish_text(TOPIC, "news").await;
    let delivery = callback.delivery(1).await;
    super::signature::assert_signed(&delivery, "sha1", "old");
    assert_eq!(callback.verifications().len(), 3);
}

#[tokio::test]
async fn hub_09_a_later_request_counts_once_it_is_verified() {
    let scene = Scene::start().await;
    let callback = scene.subscriber.callback("/cb");
    scene.hub.subscribe(TOPIC, callback.url()).active().await;
    scene.hub.unsubscribe(TOPIC, callback.url()).gone().await;
    assert_eq!(
        scene.hub.publish_text(TOPIC, "unheard").await["state"],
        "unheard"
    );
    scene.hub.subscribe(TOPIC, callback.url()).active().await;
    scene.hub.publish_text(TOPIC, "heard").await;
    assert_eq!(callback.delivery(1).await.body, "heard");
}

#[tokio::test]
async fn hub_09_two_requests_at_once_end_as_the_later_one_wants_it() {
    let scene = Scene::start().await;
    let callback = scene.subscriber.callback("/cb");
    // The first verification is slow: the second request overtakes it unless the hub keeps their order.
    let mut delays = [800, 0].into_iter();
    callback.confirm_with(move |challenge| {
        let delay = delays.next().unwrap_or_default();
        Reply::ok(challenge).after(Duration::from_millis(delay))
    });
    scene
        .hub
        .subscribe(TOPIC, callback.url())
        .secret("first")
        .send()
        .await
        .expect(202);
    scene
        .hub
        .subscribe(TOPIC, callback.url())
        .secret("second")
        .lease(4_321)
        .send()
        .await
        .expect(202);
    eventually("the later request to count", async || {
        let subscription = scene.hub.subscription(TOPIC, callback.url()).await?;
        (super::lease::seconds(&subscription) == 4_321).then_some(())
    })
    .await;
    scene.retries_are_over("/later").await;
    scene.hub.publish_text(TOPIC, "news").await;
    super::signature::assert_signed(&callback.delivery(1).await, "sha1", "second");
}

#[tokio::test]
async fn hub_11_the_key_is_topic_and_callback() {
    let scene = Scene::start().await;
    let other = "http://publisher.example/other";
    let one = scene.subscribed(TOPIC, "/one").await;
    scene.hub.subscribe(other, one.url()).active().await;
    let two = scene.subscribed(TOPIC, "/two").await;
    assert_counts(
        &scene.hub.publish_text(TOPIC, "for both").await,
        [2, 2, 0, 0, 0],
    );
    assert_counts(
        &scene.hub.publish_text(other, "for one").await,
        [1, 1, 0, 0, 0],
    );
    scene.hub.unsubscribe(TOPIC, one.url()).gone().await;
    assert_counts(
        &scene.hub.publish_text(TOPIC, "for two").await,
        [1, 1, 0, 0, 0],
    );
    assert_counts(
        &scene.hub.publish_text(other, "still for one").await,
        [1, 1, 0, 0, 0],
    );
    assert_eq!(one.deliveries().len(), 3);
    assert_eq!(two.deliveries().len(), 2);
}

#[tokio::test]
async fn hub_12_an_unsubscription_of_what_is_not_there_is_verified_all_the_same() {
    let scene = Scene::start().await;
    let callback = scene.subscriber.callback("/cb");
    scene
        .hub
        .unsubscribe(TOPIC, callback.url())
        .send()
        .await
        .expect(202);
    assert_eq!(
        callback.verification(1).await.param("hub.mode").as_deref(),
        Some("unsubscribe")
    );
}
