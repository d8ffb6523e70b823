//! Leases (checklist 1A and 1B): what is granted, from when it runs, and that it ends.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::{Reply, Scene, TOPIC, eventually};

/// The lease of a subscription, in seconds, as the API tells its ends.
pub fn seconds(subscription: &Value) -> u64 {
    let span =
        instant(&subscription["expires_at"]).duration_since(instant(&subscription["verified_at"]));
    assert_eq!(span.subsec_millis(), 0, "a lease is whole seconds");
    u64::try_from(span.as_secs()).expect("it ends after it begins")
}

#[tokio::test]
async fn hub_05_hub_34_q_18_q_19_a_lease_is_brought_into_bounds_and_told_in_plain_decimal() {
    let scene = Scene::with(&[
        ("subscriptions.min_lease", "5m"),
        ("subscriptions.default_lease", "10d"),
        ("subscriptions.max_lease", "30d"),
    ])
    .await;
    let (min, default, max) = (300, 864_000, 2_592_000);
    for (number, (asked, granted)) in [
        (None, default),
        (Some(""), default),
        (Some("0"), default),
        (Some("3600"), 3_600),
        (Some("0003600"), 3_600),
        (Some("1"), min),
        (Some("315360000"), max),
        (Some("18446744073709551615"), max),
        (Some("99999999999999999999999999"), max),
    ]
    .into_iter()
    .enumerate()
    {
        let callback = scene.subscriber.callback(&format!("/{number}"));
        let request = scene.hub.subscribe(TOPIC, callback.url());
        let request = asked.into_iter().fold(request, |request, asked| {
            request.field("hub.lease_seconds", asked)
        });
        let subscription = request.active().await;
        assert_eq!(seconds(&subscription), granted, "{asked:?}");
        let told = callback.verification(1).await.param("hub.lease_seconds");
        assert_eq!(told, Some(granted.to_string()), "{asked:?}");
    }
}

#[tokio::test]
async fn hub_35_hub_76_q_03_the_default_lease_is_ten_days() {
    let scene = Scene::start().await;
    let callback = scene.subscriber.callback("/cb");
    let subscription = scene.hub.subscribe(TOPIC, callback.url()).active().await;
    assert_eq!(seconds(&subscription), 10 * 24 * 3_600);
}

#[tokio::test]
async fn hub_06_an_unsubscription_has_no_lease() {
    let scene = Scene::start().await;
    let callback = scene.subscribed(TOPIC, "/cb").await;
    for lease in ["soon", "-1", "60"] {
        let leave = scene
            .hub
            .unsubscribe(TOPIC, callback.url())
            .field("hub.lease_seconds", lease);
        leave.gone().await;
    }
}

#[tokio::test]
async fn hub_32_a_lease_runs_from_the_verification_request() {
    let scene = Scene::start().await;
    let callback = scene.subscriber.callback("/cb");
    callback.confirm_with(|challenge| Reply::ok(challenge).after(Duration::from_millis(1_200)));
    let subscription = scene
        .hub
        .subscribe(TOPIC, callback.url())
        .lease(600)
        .active()
        .await;
    assert_eq!(seconds(&subscription), 600);
    let elapsed = jiff::Timestamp::now().duration_since(instant(&subscription["verified_at"]));
    assert!(
        elapsed.as_millis() >= 1_200,
        "from the request, not from its answer: {elapsed:?}"
    );
}

#[tokio::test]
async fn hub_33_a_lease_ends() {
    let scene = Scene::start().await;
    let callback = scene.subscriber.callback("/cb");
    let begun = Instant::now();
    scene
        .hub
        .subscribe(TOPIC, callback.url())
        .lease(2)
        .active()
        .await;
    assert_eq!(
        scene.hub.publish_text(TOPIC, "within the lease").await["delivered"],
        1
    );
    let mut number = 0;
    eventually("the end of the lease", async || {
        number += 1;
        let receipt = scene
            .hub
            .publish_text(TOPIC, &format!("number {number}"))
            .await;
        (receipt["delivered"] == 0).then_some(())
    })
    .await;
    assert!(
        begun.elapsed() >= Duration::from_secs(2),
        "not before its time"
    );
    let delivered = callback.deliveries().len();
    scene
        .hub
        .subscribe(TOPIC, callback.url())
        .gone_by_itself()
        .await;
    assert_eq!(
        scene.hub.publish_text(TOPIC, "after it").await["state"],
        "unheard"
    );
    assert_eq!(callback.deliveries().len(), delivered);
    assert_eq!(
        callback.verifications().len(),
        1,
        "it lapses without being asked"
    );
}

#[tokio::test]
async fn hub_33_a_lease_ends_while_the_hub_is_down() {
    let mut scene = Scene::start().await;
    let callback = scene.subscriber.callback("/cb");
    let subscription = scene
        .hub
        .subscribe(TOPIC, callback.url())
        .lease(1)
        .active()
        .await;
    scene.hub.terminate().await;
    eventually("the end of the lease", async || {
        (jiff::Timestamp::now() > instant(&subscription["expires_at"])).then_some(())
    })
    .await;
    scene.hub.start_again().await;
    assert_eq!(
        scene.hub.publish_text(TOPIC, "too late").await["delivered"],
        0
    );
    assert!(callback.deliveries().is_empty());
}

#[tokio::test]
async fn hub_33_what_waits_for_a_lapsed_subscription_is_gone() {
    let scene = Scene::start().await;
    let callback = scene.subscriber.callback("/cb");
    callback.always(Reply::status(500));
    scene
        .hub
        .subscribe(TOPIC, callback.url())
        .lease(2)
        .active()
        .await;
    let answer = scene
        .hub
        .push(TOPIC, "text/plain", b"news")
        .await
        .expect(202);
    let receipt = scene.hub.ended(&answer).await;
    crate::support::receipts::assert_counts(&receipt, [1, 0, 0, 0, 1]);
}

#[tokio::test]
async fn hub_36_hub_75_with_automatic_refreshing_the_hub_asks_before_a_lease_ends() {
    let scene = Scene::with(&[("subscriptions.auto_refresh", "true")]).await;
    let callback = scene.subscriber.callback("/cb");
    let request = scene
        .hub
        .subscribe(TOPIC, callback.url())
        .secret("hush")
        .lease(4);
    request.active().await;
    let first = callback.verification(1).await;
    let second = callback.verification(2).await;
    assert!(
        second.at - first.at < Duration::from_secs(4),
        "before the lease ends"
    );
    assert_eq!(second.param("hub.mode").as_deref(), Some("subscribe"));
    assert_eq!(second.param("hub.lease_seconds").as_deref(), Some("4"));
    assert_eq!(second.param("hub.topic"), first.param("hub.topic"));
    assert_ne!(second.param("hub.challenge"), first.param("hub.challenge"));

    eventually("the first lease to be over", async || {
        (first.at.elapsed() > Duration::from_secs(5)).then_some(())
    })
    .await;
    assert_eq!(scene.hub.publish_text(TOPIC, "news").await["delivered"], 1);
    super::signature::assert_signed(&callback.delivery(1).await, "sha1", "hush");

    callback.confirm_with(|_| Reply::status(404));
    request.gone_by_itself().await;
}

fn instant(value: &Value) -> jiff::Timestamp {
    let text = value.as_str().expect("a time");
    text.parse()
        .unwrap_or_else(|error| panic!("{text}: {error}"))
}
