//! What happens to a delivery that fails (checklist 1C): it is tried again when it is due, and given up alone; what was
//! tried is told.

use std::time::{Duration, SystemTime};

use crate::support::receipts::assert_counts;
use crate::support::{Reply, Scene, TOPIC};

#[tokio::test]
async fn hub_47_a_failed_delivery_is_tried_again_until_it_arrives() {
    let scene = Scene::with(&[("delivery.timeout", "1s")]).await;
    let callback = scene.subscribed(TOPIC, "/cb").await;
    callback.script([
        Reply::status(500),
        Reply::Close,
        Reply::Hang,
        Reply::status(404),
    ]);
    let answer = scene.hub.push_text(TOPIC, "news").await;
    assert_counts(&scene.hub.ended(&answer).await, [1, 1, 0, 0, 0]);
    let deliveries = callback.deliveries();
    assert!(
        deliveries.len() >= 5,
        "four failures and a success: {}",
        deliveries.len()
    );
    for delivery in &deliveries {
        assert_eq!(delivery.body, "news");
        assert_eq!(
            delivery.header("x-fanfare-delivery"),
            deliveries[0].header("x-fanfare-delivery")
        );
        assert_eq!(
            delivery.headers.all("link"),
            deliveries[0].headers.all("link")
        );
    }
}

#[tokio::test]
async fn hub_47_the_schedule_is_kept() {
    let scene = Scene::with(&[("delivery.retry", "500ms,1s")]).await;
    let callback = scene.subscribed(TOPIC, "/cb").await;
    callback.script([500, 500, 500].map(Reply::status));
    scene.hub.publish_text(TOPIC, "news").await;
    let times: Vec<_> = callback
        .deliveries()
        .iter()
        .map(|delivery| delivery.at)
        .collect();
    let gaps: Vec<_> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    // A tenth of jitter to either side, and the last step repeats.
    for (gap, step) in gaps.iter().zip([500, 1_000, 1_000]) {
        assert!(*gap >= Duration::from_millis(step * 9 / 10), "{gaps:?}");
    }
    assert_eq!(gaps.len(), 3);
}

#[tokio::test]
async fn hub_48_only_the_notification_is_given_up() {
    let scene = Scene::with(&[("delivery.give_up_after", "1s")]).await;
    let callback = scene.subscribed(TOPIC, "/cb").await;
    callback.always(Reply::status(500).body("out of order"));
    let answer = scene.hub.push_text(TOPIC, "lost").await;
    assert_counts(&scene.hub.ended(&answer).await, [1, 0, 0, 1, 0]);
    let missing = scene.hub.missing(&answer).await;
    assert_eq!(missing.len(), 1);
    assert_eq!(missing[0]["state"], "given_up");
    assert_eq!(missing[0]["callback"], callback.url());
    assert_eq!(missing[0]["last_attempt"]["status"], 500);
    assert_eq!(missing[0]["last_attempt"]["excerpt"], "out of order");

    let tried = callback.deliveries().len();
    callback.always(Reply::status(200));
    assert_counts(
        &scene.hub.publish_text(TOPIC, "heard").await,
        [1, 1, 0, 0, 0],
    );
    assert_eq!(callback.delivery(tried + 1).await.body, "heard");
    assert!(
        scene
            .hub
            .subscription(TOPIC, callback.url())
            .await
            .is_some()
    );
}

#[tokio::test]
async fn retry_after_postpones_in_seconds_and_as_a_date() {
    let scene = Scene::start().await;
    let seconds = scene.subscribed(TOPIC, "/seconds").await;
    seconds.script([Reply::status(503).header("Retry-After", "2")]);
    let dated = scene.subscribed(TOPIC, "/dated").await;
    let date = httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(4));
    let now = httpdate::fmt_http_date(SystemTime::now());
    let later = Reply::status(429).header("Date", &now);
    dated.script([later.header("Retry-After", &date)]);
    scene.hub.publish_text(TOPIC, "news").await;
    for callback in [seconds, dated] {
        let deliveries = callback.deliveries();
        assert_eq!(deliveries.len(), 2);
        let gap = deliveries[1].at - deliveries[0].at;
        assert!(
            gap >= Duration::from_millis(1_500),
            "{}: {gap:?}",
            callback.url()
        );
    }
}

#[tokio::test]
async fn retry_after_is_capped_and_nonsense_is_ignored() {
    let scene = Scene::with(&[("delivery.retry_after_max", "1s")]).await;
    let callback = scene.subscribed(TOPIC, "/cb").await;
    callback.script(
        ["86400", "later", "-1", "99999999999999999999", ""]
            .map(|value| Reply::status(503).header("Retry-After", value)),
    );
    assert_counts(
        &scene.hub.publish_text(TOPIC, "news").await,
        [1, 1, 0, 0, 0],
    );
    assert_eq!(callback.deliveries().len(), 6);
}

#[tokio::test]
async fn q_37_a_body_that_is_too_large_for_a_receiver_is_told_apart() {
    let scene = Scene::with(&[("delivery.retry", "1h")]).await;
    let callback = scene.subscribed(TOPIC, "/cb").await;
    callback.always(Reply::status(413).body("at most 1 MiB, please"));
    let answer = scene.hub.push_text(TOPIC, "news").await;
    scene
        .hub
        .receipt_when(&answer, |receipt| receipt["state"] == "retrying")
        .await;
    let missing = scene.hub.missing(&answer).await;
    assert_eq!(missing[0]["last_attempt"]["status"], 413);
    assert_eq!(
        missing[0]["last_attempt"]["excerpt"],
        "at most 1 MiB, please"
    );
    assert!(
        missing[0]["last_attempt"]["failure"].is_null(),
        "{:#}",
        missing[0]
    );
}

#[tokio::test]
async fn a_failure_without_an_answer_is_named() {
    let scene = Scene::with(&[("delivery.retry", "1h"), ("delivery.timeout", "1s")]).await;
    let closing = scene.subscribed(TOPIC, "/closing").await;
    closing.always(Reply::Close);
    let hanging = scene.subscribed(TOPIC, "/hanging").await;
    hanging.always(Reply::Hang);
    let answer = scene.hub.push_text(TOPIC, "news").await;
    scene
        .hub
        .receipt_when(&answer, |receipt| receipt["in_backlog"] == 2)
        .await;
    for missing in scene.hub.missing(&answer).await {
        let attempt = &missing["last_attempt"];
        assert!(attempt["status"].is_null(), "{attempt:#}");
        assert!(attempt["failure"].is_string(), "{attempt:#}");
        assert!(attempt["at"].is_string(), "{attempt:#}");
        assert!(attempt["millis"].is_u64(), "{attempt:#}");
    }
}
