//! What a hook is told because somebody asked: pings, tests, redeliveries, replays. They keep to the rules of every other delivery.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use crate::declared::ask;
use crate::hooking::{MADE, numbers, receiver, shop};
use crate::raising::assert_refused;
use crate::support::{Hub, Reply, Request, Server, eventually};

/// A hub with a shop and a repository.
async fn hub(settings: &[(&str, &str)]) -> Hub {
    let hub = shop(settings).await;
    let repository = json!({ "dialect": "socialgateway" });
    hub.declare("octocat/x", &repository).await.expect(201);
    hub
}

fn body(request: &Request) -> Value {
    serde_json::from_slice(&request.body).expect("JSON")
}

#[tokio::test]
async fn who_is_disabled_is_told_nothing_on_request() {
    let hub = hub(&[]).await;
    let server = receiver(Reply::status(200)).await;
    let wish = json!({ "source": "octocat/x", "events": ["push"] });
    let hook = hub.hook(&server.url("/"), &wish).await;
    let push = json!({ "ref": "refs/heads/main" });
    hub.raise("/octocat/x/events/push", &push).await.expect(202);
    let id = hub.logged(hook, 1).await[0]["id"].clone();
    hub.order(hook, "disable").await.expect(200);

    let (api, repos) = (
        format!("/api/v1/hooks/{hook}"),
        format!("/repos/octocat/x/hooks/{hook}"),
    );
    for path in [
        format!("{api}/ping"),
        format!("{api}/deliveries/{id}/redeliver"),
    ] {
        let refused = ask(&hub, "POST", &path, &Value::Null).await;
        assert_refused(&refused, 422, &["disabled", "/enable"]);
    }
    for path in [
        format!("{repos}/pings"),
        format!("{repos}/deliveries/{id}/attempts"),
    ] {
        let refused = ask(&hub, "POST", &path, &Value::Null).await.expect(422);
        let message = refused.json()["errors"][0]["message"].clone();
        let message = message.as_str().expect("words");
        assert!(message.contains("disabled"), "{message}");
    }
    let test = format!("{repos}/tests");
    ask(&hub, "POST", &test, &Value::Null).await.expect(204);

    hub.order(hook, "enable").await.expect(200);
    hub.order(hook, "ping").await.expect(202);
    let log = hub.logged(hook, 2).await;
    let events: Vec<_> = log.iter().map(|item| &item["event"]).collect();
    assert_eq!(events, [&json!("ping"), &json!("push")]);
    assert_eq!(server.log().matching(|_| true).len(), 2);
}

#[tokio::test]
async fn who_is_disabled_while_a_ping_waits_does_not_get_it() {
    let hub = shop(&[]).await;
    let (server, other) = (
        receiver(Reply::status(200)).await,
        receiver(Reply::status(200)).await,
    );
    let slow = json!({ "rate": 1 });
    let hook = hub.hook(&server.url("/"), &slow).await;
    let other_hook = hub.hook(&other.url("/"), &slow).await;
    for _ in 0..2 {
        hub.order(hook, "ping").await.expect(202);
    }
    server.log().wait_for("a ping", 1, |_| true).await;
    hub.order(hook, "disable").await.expect(200);
    // The other one's third comes after the second of the first would have come.
    for _ in 0..3 {
        hub.order(other_hook, "ping").await.expect(202);
    }
    other.log().wait_for("a ping", 3, |_| true).await;
    assert_eq!(server.log().matching(|_| true).len(), 1);
}

#[tokio::test]
async fn pings_that_wait_for_their_receiver_keep_no_room_from_others() {
    let hub = shop(&[
        ("delivery.concurrency", "4"),
        ("delivery.per_origin", "1"),
        ("delivery.timeout", "60s"),
    ])
    .await;
    let hanging = receiver(Reply::Hang).await;
    let wish = json!({ "events": ["sold"] });
    let hook = hub.hook(&hanging.url("/"), &wish).await;
    for _ in 0..8 {
        hub.order(hook, "ping").await.expect(202);
    }
    hanging.log().wait_for("a ping", 1, |_| true).await;
    let other = receiver(Reply::status(200)).await;
    hub.hook(&other.url("/"), &json!({})).await;
    hub.raise_number(MADE, 1).await;
    other.log().wait_for("the event", 1, |_| true).await;
}

#[tokio::test]
async fn who_asks_for_order_gets_one_request_at_a_time_whatever_it_is() {
    const PAUSE: Duration = Duration::from_millis(150);
    let hub = shop(&[]).await;
    let server = receiver(Reply::status(200).after(PAUSE)).await;
    let hook = hub
        .hook(&server.url("/"), &json!({ "ordered": true }))
        .await;
    for n in 0..3 {
        hub.raise_number(MADE, n).await;
    }
    let replay = format!("/api/v1/hooks/{hook}/replay");
    let wish = json!({ "since": "1h" });
    ask(&hub, "POST", &replay, &wish).await.expect(202);
    for _ in 0..3 {
        hub.order(hook, "ping").await.expect(202);
    }
    let log = server.log().wait_for("a request", 9, |_| true).await;
    for pair in log.windows(2) {
        let between = pair[1].at - pair[0].at;
        assert!(between >= PAUSE, "only {between:?} between two");
    }
}

#[tokio::test]
async fn who_answers_a_ping_with_410_is_disabled() {
    let hub = shop(&[]).await;
    let server = receiver(Reply::status(410)).await;
    let hook = hub.hook(&server.url("/"), &json!({})).await;
    hub.order(hook, "ping").await.expect(202);
    let because = eventually("the hook to be disabled", async || {
        let now = hub.hook_now(hook).await;
        (now["active"] == false).then(|| now["disabled_because"].clone())
    })
    .await;
    assert!(because.as_str().is_some_and(|text| text.contains("410")));
}

#[tokio::test]
async fn a_replay_waits_as_long_as_its_receiver_asks_for() {
    let hub = shop(&[("delivery.retry", "20ms,20ms")]).await;
    hub.raise_number(MADE, 1).await;
    let seen = AtomicUsize::new(0);
    let answer = move |_: &Request| match seen.fetch_add(1, Ordering::SeqCst) {
        0 => Reply::status(503).header("Retry-After", "2"),
        _ => Reply::status(200),
    };
    let server = Server::start_on([127, 0, 0, 1].into(), answer).await;
    let hook = hub.hook(&server.url("/"), &json!({})).await;
    let replay = format!("/api/v1/hooks/{hook}/replay");
    let wish = json!({ "since": "1h" });
    ask(&hub, "POST", &replay, &wish).await.expect(202);
    let log = server.log().wait_for("an attempt", 2, |_| true).await;
    let between = log[1].at - log[0].at;
    assert!(between >= Duration::from_secs(2), "{between:?}");
}

#[tokio::test]
async fn the_log_shows_the_body_that_was_sent_whatever_the_hook_is_by_now() {
    let hub = shop(&[]).await;
    let server = receiver(Reply::status(200)).await;
    let hook = hub.hook(&server.url("/"), &json!({})).await;
    hub.raise_number(MADE, 1).await;
    let id = hub.logged(hook, 1).await[0]["id"].clone();
    let edit = json!({ "dialect": "pleroma", "type_key": true });
    let path = format!("/api/v1/hooks/{hook}");
    ask(&hub, "PATCH", &path, &edit).await.expect(200);
    let shown = hub.delivery(hook, &id).await;
    assert_eq!(shown["request"]["body"], r#"{"n":1}"#);

    hub.raise_number(MADE, 2).await;
    let id = hub.logged(hook, 2).await[0]["id"].clone();
    let edit = json!({ "type_key": false, "content_type": "form" });
    ask(&hub, "PATCH", &path, &edit).await.expect(200);
    let shown = hub.delivery(hook, &id).await;
    let shown = shown["request"]["body"].as_str().expect("a body");
    assert_eq!(shown.as_bytes(), server.log().matching(|_| true)[1].body);
}

#[tokio::test]
async fn a_test_finds_the_latest_push_however_long_ago() {
    let hub = hub(&[]).await;
    let push = json!({ "ref": "refs/heads/main" });
    hub.raise("/octocat/x/events/push", &push).await.expect(202);
    let others = vec![json!({ "action": "opened" }); 250];
    let others = json!(others);
    hub.raise("/octocat/x/events/fork", &others)
        .await
        .expect(202);
    let server = receiver(Reply::status(200)).await;
    let wish = json!({ "source": "octocat/x", "events": ["push"] });
    let hook = hub.hook(&server.url("/"), &wish).await;
    let test = format!("/repos/octocat/x/hooks/{hook}/tests");
    ask(&hub, "POST", &test, &Value::Null).await.expect(204);
    let log = server.log().wait_for("the push", 1, |_| true).await;
    assert_eq!(body(&log[0]), push);
}

#[tokio::test]
async fn a_sources_own_ping_is_delivered_again_as_it_was() {
    let hub = Hub::with(&[]).await;
    let sonar = json!({ "events": ["ping"] });
    hub.declare("sonar", &sonar).await.expect(201);
    let server = receiver(Reply::status(200)).await;
    let hook = hub
        .hook(&server.url("/"), &json!({ "source": "sonar" }))
        .await;
    hub.raise_number("/sonar/events/ping", 7).await;
    let id = hub.logged(hook, 1).await[0]["id"].clone();
    let again = format!("/api/v1/hooks/{hook}/deliveries/{id}/redeliver");
    ask(&hub, "POST", &again, &Value::Null).await.expect(202);
    server.log().wait_for("both", 2, |_| true).await;
    assert_eq!(numbers(&server), [7, 7]);
}

#[tokio::test]
async fn a_ping_names_the_hook_in_the_layout_of_its_dialect() {
    let hub = shop(&[]).await;
    for dialect in ["websub", "muut", "mastodon", "pleroma", "socialgateway"] {
        let server = receiver(Reply::status(200)).await;
        let wish = json!({ "dialect": dialect });
        let hook = hub.hook(&server.url("/"), &wish).await;
        hub.order(hook, "ping").await.expect(202);
        let log = server.log().wait_for("the ping", 1, |_| true).await;
        let mut told = body(&log[0]);
        let small = json!({ "hook": hook, "source": "shop" });
        match dialect {
            "websub" => assert_eq!(told, small),
            "muut" => assert_eq!(told, json!(["ping", small])),
            "socialgateway" => {
                assert_eq!(told["hook_id"], hook);
                assert_eq!(told["repository"]["full_name"], "shop");
            }
            _ => {
                assert!(told["created_at"].take().is_string(), "{dialect}");
                let envelope = json!({ "event": "ping", "created_at": null, "object": small });
                assert_eq!(told, envelope, "{dialect}");
            }
        }
    }
}
