//! What a supervisor asks: does the hub live, is it ready, what does it do; and how it stops.

use std::collections::BTreeSet;
use std::time::Duration;

use rustix::process::Signal;

use crate::support::{Callback, Hub, Reply, Response, Scene, TOPIC, eventually};

#[tokio::test]
async fn a_supervisor_sees_that_it_lives_and_what_it_does() {
    let scene = Scene::start().await;
    scene.hub.get("/livez").await.expect(200);
    scene.hub.get("/readyz").await.expect(200);
    scene.subscribed(TOPIC, "/cb").await;
    scene.hub.publish_text(TOPIC, "news").await;
    let metrics = scene.hub.get("/metrics").await.expect(200);
    assert!(
        metrics
            .header("content-type")
            .expect("a type")
            .starts_with("text/plain")
    );
    let text = metrics.text();
    assert!(
        text.lines()
            .any(|line| line.starts_with("fanfare_") && line.ends_with(" 1")),
        "{text}"
    );
    assert!(!text.contains(TOPIC), "metrics have no label without bound");
}

#[tokio::test]
async fn each_metric_says_what_it_counts() {
    let hub = Hub::start().await;
    let text = hub.get("/metrics").await.expect(200).text();
    let named = |kind: &str| {
        let lines = text.lines().filter_map(|line| line.strip_prefix(kind));
        let words = lines.filter_map(|line| line.split_once(' '));
        words
            .filter(|(_, said)| !said.is_empty())
            .map(|(name, _)| name.to_owned())
            .collect::<BTreeSet<_>>()
    };
    let metrics = named("# TYPE ");
    assert!(metrics.len() >= 8, "{text}");
    assert_eq!(metrics, named("# HELP "));
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/api.md"));
    let page = page.expect("the page");
    for metric in metrics {
        assert!(
            page.contains(&format!("`{metric}")),
            "docs/api.md lacks {metric}"
        );
    }
}

#[tokio::test]
async fn subscriptions_and_what_waits_for_them_are_counted() {
    let scene = Scene::with(&[("delivery.retry", "1h")]).await;
    for path in ["/a", "/b", "/c"] {
        let callback = scene.subscribed(TOPIC, path).await;
        callback.always(Reply::status(if path == "/a" { 200 } else { 500 }));
    }
    for text in ["one", "two"] {
        let answer = scene.hub.push_text(TOPIC, text).await;
        let waits = |receipt: &serde_json::Value| receipt["in_backlog"] == 2;
        scene.hub.receipt_when(&answer, waits).await;
    }
    counted(&scene.hub, "fanfare_subscriptions 3").await;
    counted(&scene.hub, "fanfare_backlog_entries 4").await;
}

#[tokio::test]
async fn who_hangs_does_not_make_the_hub_unready() {
    let scene = Scene::with(&[("delivery.concurrency", "2"), ("delivery.per_origin", "2")]).await;
    // Each alone under way: a verification, a fetch, deliveries.
    let silent = scene.subscriber.callback("/silent");
    silent.confirm_with(|_| Reply::Hang);
    let request = scene.hub.subscribe(TOPIC, silent.url());
    request.send().await.expect(202);
    silent.verification(1).await;
    scene.hub.get("/readyz").await.expect(200);

    let topic = scene.publisher.topic("/feed");
    topic.serves(Reply::Hang);
    scene.subscribed(topic.url(), "/reader").await;
    scene.hub.ping(&[topic.url()]).await.expect(204);
    topic.fetch(1).await;
    scene.hub.get("/readyz").await.expect(200);

    for number in 0..4 {
        let callback = scene.subscribed(TOPIC, &format!("/{number}")).await;
        callback.always(Reply::Hang);
    }
    let answer = scene.hub.push_text(TOPIC, "news").await;
    let waits = |receipt: &serde_json::Value| receipt["in_backlog"] == 4;
    scene.hub.receipt_when(&answer, waits).await;
    scene.hub.get("/readyz").await.expect(200);
}

#[tokio::test]
async fn the_log_for_machines_has_an_object_in_each_line() {
    let scene = Scene::with(&[("log.format", "json")]).await;
    scene.subscribed(TOPIC, "/cb").await;
    let subscribed = eventually("the subscription in the log", async || {
        let output = scene.hub.output();
        let mut lines = output.lines();
        lines
            .find(|line| line.contains("\"subscribed\""))
            .map(str::to_owned)
    })
    .await;
    let event: serde_json::Value = serde_json::from_str(&subscribed).expect("an object");
    assert_eq!(event["message"], "subscribed");
    assert_eq!(event["level"], "INFO");
    assert!(
        event["lease_s"].is_u64(),
        "fields keep their types: {event}"
    );
    assert!(event["timestamp"].is_string());
    // `target` is the module that logs; whom the line is about is its `to`.
    assert_eq!(event["target"], "fanfare::flow::verify");
    assert_eq!(event["to"].as_str().map(str::len), Some(64), "{event}");
    assert_eq!(
        subscribed.matches("\"target\"").count(),
        1,
        "no member comes twice: {subscribed}"
    );
}

#[tokio::test]
async fn each_attempt_has_one_line() {
    let settings = [
        ("log.format", "json"),
        ("log.level", "info,fanfare::flow=debug"),
    ];
    let scene = Scene::with(&settings).await;
    let callback = scene.subscribed(TOPIC, "/cb").await;
    callback.script([Reply::status(503), Reply::Close]);
    let answer = scene.hub.push_text(TOPIC, "news").await;
    scene.hub.ended(&answer).await;
    assert_eq!(callback.deliveries().len(), 3);
    let lines = |message: &str| {
        let output = scene.hub.output();
        let events = output
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok());
        let its = events.filter(|event: &serde_json::Value| event["message"] == *message);
        its.collect::<Vec<_>>()
    };
    let delivered = eventually("the last line", async || lines("delivered").pop()).await;
    let [refused] = &lines("not accepted")[..] else {
        panic!("{}", scene.hub.output());
    };
    let [broken] = &lines("not answered")[..] else {
        panic!("{}", scene.hub.output());
    };
    assert_eq!(refused["status"], 503);
    assert_eq!(broken["failure"], "Protocol");
    for line in [&delivered, refused, broken] {
        assert_eq!(line["publication"], delivered["publication"]);
        assert_eq!(line["to"].as_str().map(str::len), Some(64), "whom: {line}");
        assert!(
            line["origin"]
                .as_str()
                .is_some_and(|it| it.starts_with("http://127.0.0.1:"))
        );
        assert!(line["took_ms"].is_u64(), "{line}");
        assert!(
            !line.to_string().contains("/cb"),
            "of a callback its origin only: {line}"
        );
    }
}

#[tokio::test]
async fn a_stop_is_graceful_and_the_port_is_free_afterwards() {
    let mut scene = Scene::start().await;
    let callback = scene.subscribed(TOPIC, "/cb").await;
    callback.script([Reply::status(200).after(Duration::from_millis(700))]);
    let answer = scene.hub.push_text(TOPIC, "news").await;
    callback.delivery(1).await;
    let status = scene.hub.terminate().await;
    assert!(status.success(), "{status}");
    scene.hub.start_again().await;
    assert_eq!(scene.hub.ended(&answer).await["delivered"], 1);
    assert_eq!(
        callback.deliveries().len(),
        1,
        "what was in flight was waited for"
    );
}

#[tokio::test]
async fn a_stop_waits_no_longer_than_its_deadline() {
    let mut scene = Scene::with(&[("drain_timeout", "300ms"), HANGS_LONG]).await;
    let (callback, answer) = hanging(&scene).await;
    let status = scene.hub.terminate().await;
    assert!(status.success(), "{status}");
    arrives_after_all(&mut scene, &callback, &answer).await;
}

#[tokio::test]
async fn a_second_signal_stops_at_once() {
    let mut scene = Scene::with(&[("drain_timeout", "10m"), HANGS_LONG]).await;
    let (callback, answer) = hanging(&scene).await;
    scene.hub.signal(Signal::TERM);
    eventually("the word that it stops", async || {
        scene.hub.output().contains("once more").then_some(())
    })
    .await;
    scene.hub.signal(Signal::INT);
    assert_eq!(scene.hub.exit().await.code(), Some(130));
    arrives_after_all(&mut scene, &callback, &answer).await;
}

/// Longer than any test waits.
const HANGS_LONG: (&str, &str) = ("delivery.timeout", "10m");

/// A delivery that hangs, and the answer to its publication.
async fn hanging(scene: &Scene) -> (Callback, Response) {
    let callback = scene.subscribed(TOPIC, "/cb").await;
    callback.script([Reply::Hang]);
    let answer = scene.hub.push_text(TOPIC, "news").await;
    callback.delivery(1).await;
    (callback, answer)
}

/// What was cut off comes once more after the next start.
async fn arrives_after_all(scene: &mut Scene, callback: &Callback, answer: &Response) {
    scene.hub.start_again().await;
    assert_eq!(callback.delivery(2).await.body, "news");
    assert_eq!(scene.hub.ended(answer).await["delivered"], 1);
}

/// Waits for a line of the metrics: these are counted by the sweep.
async fn counted(hub: &Hub, line: &str) {
    eventually(line, async || {
        let text = hub.get("/metrics").await.expect(200).text();
        text.lines().any(|told| told == line).then_some(())
    })
    .await;
}
