//! What happens to a delivery that fails (checklist 1C): it waits, in order, and is tried again; it is given up alone;
//! the subscription and everybody else go on.

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
    let answer = scene
        .hub
        .push(TOPIC, "text/plain", b"news")
        .await
        .expect(202);
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
    let answer = scene
        .hub
        .push(TOPIC, "text/plain", b"lost")
        .await
        .expect(202);
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
async fn who_comes_back_gets_all_that_was_missed_in_order_and_once() {
    let scene = Scene::start().await;
    let callback = scene.subscribed(TOPIC, "/cb").await;
    callback.always(Reply::status(503));
    let mut answers = Vec::new();
    for number in 1..=6 {
        let answer = scene
            .hub
            .push(TOPIC, "text/plain", format!("{number}").as_bytes())
            .await;
        answers.push(answer.expect(202));
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
    let first = scene
        .hub
        .push(TOPIC, "text/plain", b"first")
        .await
        .expect(202);
    assert_counts(
        &scene.hub.receipt_when(&first, retrying).await,
        [1, 0, 1, 0, 0],
    );
    let second = scene
        .hub
        .push(TOPIC, "text/plain", b"second")
        .await
        .expect(202);
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
        let answer = scene
            .hub
            .push(TOPIC, "text/plain", format!("{number}").as_bytes())
            .await
            .expect(202);
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
async fn who_hangs_or_drips_holds_up_nobody_else() {
    let scene = Scene::with(&[("delivery.timeout", "2s")]).await;
    let hanging = scene.subscribed(TOPIC, "/hanging").await;
    hanging.always(Reply::Hang);
    let dripping = scene.subscribed(TOPIC, "/dripping").await;
    dripping.always(Reply::Drip);
    let well = scene.subscribed(TOPIC, "/well").await;
    for number in 1..=5 {
        let answer = scene
            .hub
            .push(TOPIC, "text/plain", format!("{number}").as_bytes())
            .await
            .expect(202);
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
    let answer = scene
        .hub
        .push(TOPIC, "text/plain", b"news")
        .await
        .expect(202);
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
    let first = scene
        .hub
        .push(TOPIC, "text/plain", b"first")
        .await
        .expect(202);
    scene
        .hub
        .receipt_when(&first, |receipt| receipt["state"] == "retrying")
        .await;
    scene.hub.restart().await;
    let second = scene
        .hub
        .push(TOPIC, "text/plain", b"second")
        .await
        .expect(202);
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
    let answer = scene
        .hub
        .push(TOPIC, "text/plain", b"news")
        .await
        .expect(202);
    scene.hub.kill9().await;
    scene.hub.start_again().await;
    assert_eq!(scene.hub.ended(&answer).await["state"], "complete");
    assert_eq!(callback.delivery(1).await.body, "news");
}

#[tokio::test]
async fn q_37_a_body_that_is_too_large_for_a_receiver_is_told_apart() {
    let scene = Scene::with(&[("delivery.retry", "1h")]).await;
    let callback = scene.subscribed(TOPIC, "/cb").await;
    callback.always(Reply::status(413).body("at most 1 MiB, please"));
    let answer = scene
        .hub
        .push(TOPIC, "text/plain", b"news")
        .await
        .expect(202);
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
    let answer = scene
        .hub
        .push(TOPIC, "text/plain", b"news")
        .await
        .expect(202);
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
