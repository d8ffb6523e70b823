//! What waits for a target in trouble goes out as soon as it can, whatever happened to the target or its neighbours in
//! the meantime.

use std::time::{Duration, Instant};

use crate::support::receipts::assert_counts;
use crate::support::{Reply, Scene, TOPIC, eventually};

/// Less than the delay that a test's target would wait if something went wrong.
const SOON: Duration = Duration::from_secs(20);

#[tokio::test]
async fn a_target_that_subscribes_again_does_not_wait_for_its_old_backlog() {
    let scene = Scene::with(&[("delivery.retry", "60s")]).await;
    let callback = scene.subscribed(TOPIC, "/cb").await;
    callback.script([Reply::status(500)]);
    let lost = scene.hub.push(TOPIC, "text/plain", b"one").await;
    let lost = lost.expect(202);
    let waits = |receipt: &serde_json::Value| receipt["in_backlog"] == 1;
    scene.hub.receipt_when(&lost, waits).await;
    scene.hub.unsubscribe(TOPIC, callback.url()).gone().await;
    scene.hub.subscribe(TOPIC, callback.url()).active().await;

    let began = Instant::now();
    let heard = scene.hub.publish_text(TOPIC, "two").await;
    assert_counts(&heard, [1, 1, 0, 0, 0]);
    assert!(began.elapsed() < SOON);
    assert_eq!(callback.delivery(2).await.body, "two");
    assert_counts(&scene.hub.ended(&lost).await, [1, 0, 0, 0, 1]);
}

#[tokio::test]
async fn a_target_that_was_gone_and_subscribes_again_does_not_wait() {
    let scene = Scene::with(&[("delivery.retry", "500ms,60s")]).await;
    let callback = scene.subscribed(TOPIC, "/cb").await;
    callback.script([Reply::status(500), Reply::status(410)]);
    let lost = scene.hub.publish_text(TOPIC, "one").await;
    assert_counts(&lost, [1, 0, 0, 0, 1]);
    scene.hub.subscribe(TOPIC, callback.url()).active().await;

    let began = Instant::now();
    let heard = scene.hub.publish_text(TOPIC, "two").await;
    assert_counts(&heard, [1, 1, 0, 0, 0]);
    assert!(began.elapsed() < SOON);
}

#[tokio::test]
async fn a_parked_target_goes_on_though_those_before_it_are_gone() {
    let scene = Scene::with(&[
        ("delivery.retry", "1s"),
        ("delivery.per_origin", "1"),
        ("delivery.timeout", "3s"),
    ])
    .await;
    // One slot and eight stragglers are taken by receivers that hang; those after them are parked.
    let mut callbacks = Vec::new();
    for number in 0..14 {
        let callback = scene.subscribed(TOPIC, &format!("/{number}")).await;
        callback.script([Reply::status(500), Reply::Hang]);
        callbacks.push(callback);
    }
    let answer = scene.hub.push(TOPIC, "text/plain", b"news").await;
    let answer = answer.expect(202);
    let asked = || {
        let asked = callbacks.iter().filter(|it| it.deliveries().len() >= 2);
        asked.count()
    };
    eventually("nine attempts under way", async || {
        (asked() >= 9).then_some(())
    })
    .await;
    let mut parked: Vec<_> = callbacks
        .iter()
        .filter(|callback| callback.deliveries().len() < 2)
        .collect();
    let last = parked.pop().expect("not all have been asked");
    for callback in parked {
        scene.hub.unsubscribe(TOPIC, callback.url()).gone().await;
    }
    last.delivery(2).await;
    scene.hub.ended(&answer).await;
}

#[tokio::test]
async fn a_success_resets_the_failures_of_the_same_run() {
    let scene = Scene::with(&[("delivery.retry", "500ms,1s,60s")]).await;
    let callback = scene.subscribed(TOPIC, "/cb").await;
    callback.script([500, 500, 200, 503, 200].map(Reply::status));
    let mut answers = Vec::new();
    for text in ["one", "two", "three"] {
        let answer = scene.hub.push(TOPIC, "text/plain", text.as_bytes()).await;
        answers.push(answer.expect(202));
    }
    let began = Instant::now();
    for answer in &answers {
        assert_counts(&scene.hub.ended(answer).await, [1, 1, 0, 0, 0]);
    }
    assert!(began.elapsed() < SOON);
    let bodies = callback.deliveries().into_iter().map(|it| it.body);
    let bodies: Vec<_> = bodies.collect();
    assert_eq!(bodies, ["one", "one", "one", "two", "two", "three"]);
}

#[tokio::test]
async fn what_is_too_old_is_given_up_at_its_time_and_not_at_the_next_attempt() {
    let scene = Scene::with(&[("delivery.retry", "60s"), ("delivery.give_up_after", "2s")]).await;
    let callback = scene.subscribed(TOPIC, "/cb").await;
    callback.always(Reply::status(500));
    let mut answers = Vec::new();
    for text in ["one", "two"] {
        let answer = scene.hub.push(TOPIC, "text/plain", text.as_bytes()).await;
        answers.push(answer.expect(202));
    }
    let began = Instant::now();
    for answer in &answers {
        assert_counts(&scene.hub.ended(answer).await, [1, 0, 0, 1, 0]);
    }
    assert!(began.elapsed() < SOON);
    assert_eq!(callback.deliveries().len(), 1);
}
