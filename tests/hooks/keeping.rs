//! How long things are kept: the answers to requests with a key, and the deliveries of hooks, by time and by number. Time is that of
//! the hub; the settings make it short.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::hooking::{MADE, receiver, shop};
use crate::support::{ADMIN, Hub, Reply, eventually};

/// The ids of a hook's deliveries, newest first.
async fn ids(hub: &Hub, hook: u64) -> Vec<Value> {
    let log = hub.logged(hook, 0).await;
    log.into_iter().map(|item| item["id"].clone()).collect()
}

#[tokio::test]
async fn a_key_is_forgotten_when_its_time_is_over_and_not_before() {
    const SPAN: Duration = Duration::from_secs(2);
    let hub = shop(&[("hooks.remember_keys", "2s")]).await;
    let payload = json!({ "n": 1 });
    let begun = Instant::now();
    let first = hub.raise_once(MADE, "key", &payload).await.expect(202);
    let (again, at) = eventually("a new receipt", async || {
        let again = hub.raise_once(MADE, "key", &payload).await.expect(202);
        let at = begun.elapsed();
        (again.location() != first.location()).then_some((again, at))
    })
    .await;
    assert!(at >= SPAN, "forgotten after {at:?}");
    let other = json!({ "n": 2 });
    let taken = hub.raise_once(MADE, "key", &other).await;
    assert_eq!(taken.status, 422, "the key stands for the second one now");
    let repeated = hub.raise_once(MADE, "key", &payload).await.expect(202);
    assert_eq!(repeated.location(), again.location());
}

#[tokio::test]
async fn where_no_keys_are_remembered_each_request_counts() {
    let hub = shop(&[("hooks.remember_keys", "0s")]).await;
    let payload = json!({ "n": 1 });
    let first = hub.raise_once(MADE, "key", &payload).await.expect(202);
    let again = hub.raise_once(MADE, "key", &payload).await.expect(202);
    assert_ne!(again.location(), first.location());
}

#[tokio::test]
async fn a_delivery_is_forgotten_when_its_time_is_over_and_the_event_is_not() {
    let hub = shop(&[("hooks.keep_deliveries", "3s")]).await;
    let server = receiver(Reply::status(200)).await;
    let begun = Instant::now();
    let hook = hub.hook(&server.url("/"), &json!({})).await;
    hub.raise_number(MADE, 1).await;
    let log = hub.logged(hook, 1).await;
    let path = format!("/api/v1/hooks/{hook}/deliveries/{}", log[0]["id"]);
    eventually("an empty log", async || {
        ids(&hub, hook).await.is_empty().then_some(())
    })
    .await;
    assert!(begun.elapsed() >= Duration::from_secs(3));
    hub.admin_get(&path).await.expect(404);
    hub.get(MADE).await.expect(200);
}

#[tokio::test]
async fn of_many_deliveries_of_a_hook_the_newest_are_kept() {
    const KEPT: usize = 50;
    const EVENTS: usize = 350;
    // It is looked once in a hundred deliveries how many there are (`flow/diary.rs`).
    const SLACK: usize = 100;
    let hub = shop(&[("hooks.deliveries_per_hook", "50")]).await;
    let server = receiver(Reply::status(200)).await;
    let busy = hub.hook(&server.url("/busy"), &json!({})).await;
    let calm = json!({ "events": ["sold"] });
    let calm = hub.hook(&server.url("/calm"), &calm).await;
    let sold: Vec<_> = (0..KEPT).map(|n| json!({ "n": n })).collect();
    hub.raise("/shop/events/sold", &Value::from(sold))
        .await
        .expect(202);
    let first = hub.logged(busy, 1).await;
    let first = first.last().expect("the oldest")["id"].clone();
    let made: Vec<_> = (0..EVENTS).map(|n| json!({ "n": n })).collect();
    let answer = hub.raise(MADE, &Value::from(made)).await.expect(202);
    hub.ended(&answer).await;
    // What is sent last comes last into the log.
    let last = hub.raise_number(MADE, EVENTS).await;
    hub.ended(&last).await;
    let log = eventually("a log that was cut", async || {
        let log = hub.logged(busy, KEPT).await;
        let newest = &log[0]["publication"];
        let is_cut = log.len() < KEPT + SLACK && log.iter().all(|item| item["id"] != first);
        (is_cut && last.location().ends_with(newest.as_str()?)).then_some(log)
    })
    .await;
    assert!(log.len() >= KEPT);
    let path = format!("/api/v1/hooks/{busy}/deliveries/{first}");
    hub.admin_get(&path).await.expect(404);
    let others = hub.logged(calm, KEPT).await;
    assert_eq!(others.len(), KEPT, "another hook's are its own");
}

#[tokio::test]
async fn of_publications_that_are_too_large_together_the_oldest_go_that_nobody_waits_for() {
    let settings = [
        ("retention.publications_size", "5000B"),
        ("delivery.retry", "1h"),
    ];
    let hub = shop(&settings).await;
    let server = receiver(Reply::status(500)).await;
    let event = |n: usize| json!({ "n": n, "text": "x".repeat(1_000) });
    // One that somebody waits for, be it the oldest.
    let hook = hub.hook(&server.url("/"), &json!({})).await;
    let awaited = hub.raise(MADE, &event(0)).await.expect(202);
    hub.receipt_when(&awaited, |receipt| receipt["in_backlog"] == 1)
        .await;
    // It asks for no more of these.
    let path = format!("/api/v1/hooks/{hook}");
    let sold = json!({ "events": ["sold"] });
    hub.send_json(ADMIN, "PATCH", &path, &sold)
        .await
        .expect(200);
    let mut receipts = Vec::new();
    for n in 1..=8 {
        let answer = hub.raise(MADE, &event(n)).await.expect(202);
        hub.ended(&answer).await;
        receipts.push(answer.location().to_owned());
    }
    eventually("the oldest to go", async || {
        let gone = hub.get(&receipts[3]).await.status == 404;
        gone.then_some(())
    })
    .await;
    for receipt in &receipts[5..] {
        hub.get(receipt).await.expect(200);
    }
    for receipt in &receipts[..4] {
        hub.get(receipt).await.expect(404);
    }
    hub.get(awaited.location()).await.expect(200);
}

#[tokio::test]
async fn of_deliveries_that_are_too_large_together_the_newest_are_kept() {
    let hub = shop(&[("hooks.deliveries_size", "20KiB")]).await;
    let server = receiver(Reply::status(200)).await;
    // A body of the hook's own is kept with each delivery.
    let wish = json!({ "template": "x".repeat(4_000) });
    let hook = hub.hook(&server.url("/"), &wish).await;
    let other = hub.hook(&server.url("/other"), &json!({})).await;
    for n in 0..12 {
        let answer = hub.raise_number(MADE, n).await;
        hub.ended(&answer).await;
    }
    hub.logged(other, 12).await;
    let log = eventually("a log that was cut", async || {
        let log = hub.logged(hook, 1).await;
        (log.len() <= 5).then_some(log)
    })
    .await;
    assert!(log.len() >= 3, "{} are left", log.len());
    let newest = hub.delivery(hook, &log[0]["id"]).await;
    assert_eq!(
        newest["publication"],
        hub.logged(other, 12).await[0]["publication"]
    );
    assert_eq!(
        hub.logged(other, 12).await.len(),
        12,
        "another hook's are its own"
    );
}
