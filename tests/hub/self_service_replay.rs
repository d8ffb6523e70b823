//! `/subscription`: what the hub still keeps, sent to a subscriber once more.

use serde_json::Value;

use crate::self_service::{Own, SECRET};
use crate::support::client::bearer;
use crate::support::{ADMIN, Hub, PUBLISHER, Reply, Subscriber, eventually};

async fn raise(hub: &Hub, number: usize) {
    let headers = [
        ("Authorization", bearer(PUBLISHER)),
        ("Content-Type", "application/json".to_owned()),
    ];
    let headers = headers.iter().map(|(name, value)| (*name, value.as_str()));
    let body = format!("{{\"n\":{number}}}");
    hub.request(
        "POST",
        "/shop/events/made",
        &headers.collect::<Vec<_>>(),
        body.as_bytes(),
    )
    .await
    .expect(202);
}

async fn nothing_waits(own: &Own<'_>) {
    eventually("nothing waits", async || {
        (own.shown().await["state"] == "active").then_some(())
    })
    .await;
}

#[tokio::test]
async fn what_is_kept_is_sent_once_more_until_the_callback_does_not_take_it() {
    let hub = Hub::with(&[
        ("delivery.retry", "1h"),
        ("delivery.backlog_publications", "1"),
    ])
    .await;
    let subscriber = Subscriber::start().await;
    let admin = bearer(ADMIN);
    let headers = [("Authorization", admin.as_str())];
    let events = b"{\"events\":[\"made\",\"sold\"]}";
    hub.request("PUT", "/api/v1/sources/shop", &headers, events)
        .await
        .expect(201);
    let callback = subscriber.callback("/cb");
    let topic = format!("{}shop/events/made", hub.url);
    hub.subscribe(&topic, callback.url())
        .secret(SECRET)
        .active()
        .await;
    let own = Own::of(&hub, &topic, callback.url()).await;
    for number in 0..3 {
        raise(&hub, number).await;
        callback.delivery(number + 1).await;
    }
    // Whoever raises as soon as the receiver has the one before may find its turn not ended, and go by the backlog.
    nothing_waits(&own).await;
    own.ask(&[("do", "replay"), ("since", "1h")])
        .await
        .expect(202);
    callback.delivery(6).await;
    let ids: Vec<_> = callback
        .deliveries()
        .iter()
        .map(|it| it.header("x-fanfare-delivery").map(str::to_owned))
        .collect();
    assert_eq!(ids[..3], ids[3..], "the same again, in their order");
    assert_eq!(own.replayed().await, "3 were sent, and there is no more");

    callback.script([Reply::status(200), Reply::status(503)]);
    own.ask(&[("do", "replay"), ("since", "1h")])
        .await
        .expect(202);
    assert_eq!(
        own.replayed().await,
        "stopped after 1: the callback answered 503"
    );

    // What was given up: the first of two that wait where one may.
    callback.script([Reply::status(500)]);
    for number in 3..5 {
        raise(&hub, number).await;
    }
    eventually("one given up", async || {
        (own.shown().await["waiting"][0]["last_attempt"] == Value::Null).then_some(())
    })
    .await;
    own.ask(&[("do", "resume")]).await.expect(202);
    nothing_waits(&own).await;
    let before = callback.deliveries().len();
    let given_up = [("do", "replay"), ("since", "1h"), ("what", "given_up")];
    own.ask(&given_up).await.expect(202);
    assert_eq!(own.replayed().await, "1 were sent, and there is no more");
    let again = callback.deliveries();
    assert_eq!(again.len(), before + 1);
    assert_eq!(again[before].body, "{\"n\":3}");
}
