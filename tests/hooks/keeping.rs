//! How long things are kept: the answers to requests with a key, and the deliveries of hooks, by time and by number. Time is that of
//! the hub; the settings make it short.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::hooking::{MADE, receiver, shop};
use crate::support::{Hub, Reply, eventually};

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
        let is_cut = log.len() < KEPT + SLACK;
        (is_cut && last.location().ends_with(newest.as_str()?)).then_some(log)
    })
    .await;
    assert!(log.iter().all(|item| item["id"] != first));
    let path = format!("/api/v1/hooks/{busy}/deliveries/{first}");
    hub.admin_get(&path).await.expect(404);
    let others = hub.logged(calm, KEPT).await;
    assert_eq!(others.len(), KEPT, "another hook's are its own");
}
