//! Who is late and why: what the metrics say of the origins that are worst off.

use std::time::Duration;

use serde_json::Value;

use crate::support::{Reply, Scene, TOPIC, eventually};

/// Waits for a line of the metrics that begins so, with a value that is as wanted.
async fn tells(scene: &Scene, beginning: &str, is_wanted: impl Fn(f64) -> bool) {
    eventually(beginning, async || {
        let text = scene.hub.get("/metrics").await.expect(200).text();
        let line = text.lines().find(|line| line.starts_with(beginning))?;
        let value = line.rsplit(' ').next()?.parse().ok()?;
        is_wanted(value).then_some(())
    })
    .await
}

/// How many origins are late for a reason.
async fn late(scene: &Scene, reason: &str, count: f64) {
    let beginning = format!("fanfare_late_origins{{reason=\"{reason}\"}} ");
    tells(scene, &beginning, |value| value == count).await;
}

fn origin_of(scene: &Scene) -> String {
    format!("http://127.0.0.1:{}", scene.subscriber.port())
}

fn waits(count: u64) -> impl Fn(&Value) -> bool {
    move |receipt| receipt["in_backlog"] == count
}

#[tokio::test]
async fn the_metrics_name_the_origin_that_fails_and_what_waits_for_it() {
    let scene = Scene::with(&[("delivery.retry", "1h")]).await;
    for path in ["/a", "/b"] {
        let callback = scene.subscribed(TOPIC, path).await;
        callback.always(Reply::status(503));
    }
    let answer = scene.hub.push_text(TOPIC, "news").await;
    scene.hub.receipt_when(&answer, waits(2)).await;
    let origin = origin_of(&scene);
    let labels = format!("{{origin=\"{origin}\",reason=\"failing\"}} ");
    let of = |name: &str| format!("{name}{labels}");
    tells(&scene, &of("fanfare_origin_backlog_entries"), |value| {
        value == 2.0
    })
    .await;
    tells(&scene, &of("fanfare_origin_oldest_seconds"), |value| {
        value > 0.0
    })
    .await;
    tells(&scene, "fanfare_backlog_oldest_seconds ", |value| {
        value > 0.0
    })
    .await;
    late(&scene, "failing", 1.0).await;
    late(&scene, "slow", 0.0).await;
}

#[tokio::test]
async fn one_failure_may_be_one_path_and_makes_no_origin_late() {
    // No sweep counts what waits while this runs.
    let scene = Scene::with(&[("subscriptions.min_lease", "10m"), ("delivery.retry", "1h")]).await;
    let callback = scene.subscribed(TOPIC, "/cb").await;
    callback.always(Reply::status(404));
    let answer = scene.hub.push_text(TOPIC, "news").await;
    scene.hub.receipt_when(&answer, waits(1)).await;
    let text = scene.hub.get("/metrics").await.expect(200).text();
    assert!(!text.contains("origin=\""), "{text}");
    assert!(
        text.contains("fanfare_late_origins{reason=\"failing\"} 0"),
        "{text}"
    );
}

#[tokio::test]
async fn an_origin_that_does_not_answer_has_its_circuit_open() {
    let scene = Scene::with(&[("delivery.circuit_failures", "1"), ("delivery.retry", "1h")]).await;
    let callback = scene.subscribed(TOPIC, "/cb").await;
    callback.always(Reply::Close);
    let answer = scene.hub.push_text(TOPIC, "news").await;
    scene.hub.receipt_when(&answer, waits(1)).await;
    late(&scene, "circuit_open", 1.0).await;
}

#[tokio::test]
async fn an_origin_that_takes_long_is_slow() {
    let scene = Scene::start().await;
    // The usual latency goes an eighth of the way to each new one, so it takes some answers.
    for number in 0..20 {
        let callback = scene.subscribed(TOPIC, &format!("/{number}")).await;
        callback.always(Reply::status(200).after(Duration::from_millis(1_200)));
    }
    let labels = format!("{{origin=\"{}\",reason=\"slow\"}} ", origin_of(&scene));
    let latency = format!("fanfare_origin_latency_seconds{labels}");
    let mut number = 0;
    // An origin that nobody needs is soon forgotten: it is looked at right after the answers.
    eventually("a slow origin", async || {
        number += 1;
        let answer = scene.hub.push_text(TOPIC, &format!("news {number}")).await;
        scene.hub.ended(&answer).await;
        let text = scene.hub.get("/metrics").await.expect(200).text();
        text.contains(&latency).then_some(())
    })
    .await;
}

#[tokio::test]
async fn no_more_origins_are_named_than_the_setting_says() {
    let scene = Scene::with(&[("telemetry.late_origins", "0"), ("delivery.retry", "1h")]).await;
    let callback = scene.subscribed(TOPIC, "/cb").await;
    callback.always(Reply::status(500));
    let answer = scene.hub.push_text(TOPIC, "news").await;
    scene.hub.receipt_when(&answer, waits(1)).await;
    late(&scene, "failing", 1.0).await;
    let text = scene.hub.get("/metrics").await.expect(200).text();
    assert!(!text.contains("origin=\""), "{text}");
}
