//! What waits behind a delivery that fails (checklist 1C): it comes in order, costs nothing meanwhile, survives a crash, and
//! holds up nobody else.

use crate::support::receipts::assert_counts;
use crate::support::{Reply, Scene, TOPIC, eventually};

#[tokio::test]
async fn who_comes_back_gets_all_that_was_missed_in_order_and_once() {
    let scene = Scene::start().await;
    let callback = scene.subscribed(TOPIC, "/cb").await;
    callback.always(Reply::status(503));
    let mut answers = Vec::new();
    for number in 1..=6 {
        answers.push(scene.hub.push_text(TOPIC, &format!("{number}")).await);
    }
    for answer in &answers {
        scene
            .hub
            .receipt_when(answer, |receipt| receipt["state"] == "retrying")
            .await;
    }
    let failed = callback.deliveries().len();
    assert!(
        callback
            .deliveries()
            .iter()
            .all(|delivery| delivery.body == "1"),
        "nobody is overtaken"
    );
    callback.always(Reply::status(200));
    for answer in &answers {
        assert_counts(&scene.hub.ended(answer).await, [1, 1, 0, 0, 0]);
    }
    let arrived: Vec<_> = callback.deliveries()[failed..]
        .iter()
        .map(|delivery| delivery.body.clone())
        .collect();
    let arrived: Vec<_> = arrived.into_iter().skip_while(|body| body == "1").collect();
    assert_eq!(arrived, ["2", "3", "4", "5", "6"]);
}

#[tokio::test]
async fn a_target_in_backlog_costs_no_request_per_publication() {
    let scene = Scene::with(&[("delivery.retry", "1h")]).await;
    let callback = scene.subscribed(TOPIC, "/cb").await;
    callback.always(Reply::status(500));
    let retrying = |receipt: &serde_json::Value| receipt["state"] == "retrying";
    let first = scene.hub.push_text(TOPIC, "first").await;
    assert_counts(
        &scene.hub.receipt_when(&first, retrying).await,
        [1, 0, 1, 0, 0],
    );
    let second = scene.hub.push_text(TOPIC, "second").await;
    assert_counts(
        &scene.hub.receipt_when(&second, retrying).await,
        [1, 0, 1, 0, 0],
    );
    assert_eq!(callback.deliveries().len(), 1);
    let missing = scene.hub.missing(&first).await;
    assert_eq!(missing[0]["state"], "backlog");
    assert_eq!(missing[0]["last_attempt"]["status"], 500);
    assert!(scene.hub.missing(&second).await[0]["last_attempt"].is_null());
    let subscription = scene
        .hub
        .subscription(TOPIC, callback.url())
        .await
        .expect("it lives");
    assert_eq!(subscription["in_backlog"], 2);
}

#[tokio::test]
async fn a_backlog_is_limited_and_its_oldest_are_given_up() {
    let scene = Scene::with(&[
        ("delivery.retry", "1h"),
        ("delivery.backlog_publications", "2"),
    ])
    .await;
    let callback = scene.subscribed(TOPIC, "/cb").await;
    callback.always(Reply::status(500));
    let mut answers = Vec::new();
    for number in 1..=3 {
        let answer = scene.hub.push_text(TOPIC, &format!("{number}")).await;
        scene
            .hub
            .receipt_when(&answer, |receipt| receipt["in_backlog"] == 1)
            .await;
        answers.push(answer);
    }
    let first = scene
        .hub
        .receipt_when(&answers[0], |receipt| receipt["in_backlog"] == 0)
        .await;
    assert_counts(&first, [1, 0, 0, 1, 0]);
    assert_counts(&scene.hub.receipt(&answers[1]).await, [1, 0, 1, 0, 0]);
    assert_counts(&scene.hub.receipt(&answers[2]).await, [1, 0, 1, 0, 0]);
    eventually("a word of that", async || {
        let metrics = scene.hub.get("/metrics").await.expect(200).text();
        let is_told = metrics.contains("fanfare_given_up_total 1");
        (is_told && scene.hub.output().contains("given up")).then_some(())
    })
    .await;
}

#[tokio::test]
async fn who_hangs_or_drips_holds_up_nobody_else() {
    let scene = Scene::with(&[("delivery.timeout", "2s")]).await;
    let hanging = scene.subscribed(TOPIC, "/hanging").await;
    hanging.always(Reply::Hang);
    let dripping = scene.subscribed(TOPIC, "/dripping").await;
    dripping.always(Reply::Drip);
    let well = scene.subscribed(TOPIC, "/well").await;
    for number in 1..=5 {
        let answer = scene.hub.push_text(TOPIC, &format!("{number}")).await;
        scene
            .hub
            .receipt_when(&answer, |receipt| receipt["delivered"] != 0)
            .await;
        assert_eq!(well.delivery(number).await.body, number.to_string());
    }
    let hung = scene
        .hub
        .subscription(TOPIC, hanging.url())
        .await
        .expect("it lives");
    assert_ne!(hung["in_backlog"], 0);
}

#[tokio::test]
async fn an_origin_that_is_down_holds_up_nobody_else_and_recovers() {
    let scene = Scene::with(&[
        ("delivery.circuit_failures", "3"),
        ("delivery.timeout", "1s"),
    ])
    .await;
    let mut sick = Vec::new();
    for number in 0..8 {
        let callback = scene.subscribed(TOPIC, &format!("/{number}")).await;
        callback.always(Reply::Close);
        sick.push(callback);
    }
    let healthy = crate::support::Subscriber::start().await;
    let well = healthy.callback("/cb");
    scene.hub.subscribe(TOPIC, well.url()).active().await;
    let answer = scene.hub.push_text(TOPIC, "news").await;
    well.delivery(1).await;
    scene
        .hub
        .receipt_when(&answer, |receipt| receipt["in_backlog"] == 8)
        .await;
    for callback in &sick {
        callback.always(Reply::status(200));
    }
    assert_counts(&scene.hub.ended(&answer).await, [9, 9, 0, 0, 0]);
    assert_eq!(well.deliveries().len(), 1);
}

#[tokio::test]
async fn a_backlog_survives_a_restart_and_a_crash() {
    let mut scene = Scene::start().await;
    let callback = scene.subscribed(TOPIC, "/cb").await;
    callback.always(Reply::status(500));
    let first = scene.hub.push_text(TOPIC, "first").await;
    scene
        .hub
        .receipt_when(&first, |receipt| receipt["state"] == "retrying")
        .await;
    scene.hub.restart().await;
    let second = scene.hub.push_text(TOPIC, "second").await;
    scene.hub.kill9().await;
    scene.hub.start_again().await;
    callback.always(Reply::status(200));
    for answer in [&first, &second] {
        assert_counts(&scene.hub.ended(answer).await, [1, 1, 0, 0, 0]);
    }
    let bodies: Vec<_> = callback
        .deliveries()
        .into_iter()
        .map(|delivery| delivery.body)
        .collect();
    assert_eq!(bodies.last().unwrap(), "second");
}

#[tokio::test]
async fn a_publication_that_was_accepted_survives_a_crash() {
    let mut scene = Scene::start().await;
    let callback = scene.subscribed(TOPIC, "/cb").await;
    let answer = scene.hub.push_text(TOPIC, "news").await;
    scene.hub.kill9().await;
    scene.hub.start_again().await;
    assert_eq!(scene.hub.ended(&answer).await["state"], "complete");
    assert_eq!(callback.delivery(1).await.body, "news");
}
