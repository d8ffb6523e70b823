//! A hub with something to see: receivers that take what they get, one that refuses it, one that is not there. In: nothing. Out: the hub as it
//! works.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::client::bearer;
use crate::support::{ADMIN, Hub, Reply, Response, Server, Subscriber, eventually};

/// A hub at work.
pub struct Busy {
    pub hub: Hub,
    _subscriber: Subscriber,
    _elsewhere: Subscriber,
}

impl Busy {
    /// With a topic that was published a few times.
    pub async fn start() -> Self {
        let settings = [
            ("delivery.retry", "30s,60s"),
            ("delivery.circuit_failures", "3"),
        ];
        let hub = Hub::with(&settings).await;
        let (subscriber, elsewhere) = (
            Subscriber::start().await,
            Subscriber::start_on([127, 0, 0, 2].into()).await,
        );
        let topic = format!("{}topics/news", hub.url);
        hub.put_topic("news", "text/plain; charset=utf-8", b"Hello, everyone")
            .await
            .expect(201);
        for number in 0..45 {
            let callback = subscriber.callback(&format!("/reader/{number}"));
            let request = hub.subscribe(&topic, callback.url());
            request.secret("a secret of the reader").active().await;
        }
        let refusing = elsewhere.callback("/overloaded");
        hub.subscribe(&topic, refusing.url()).active().await;
        refusing.always(Reply::status(503).body("come back later"));
        let gone = Subscriber::start_on([127, 0, 0, 3].into()).await;
        let callback = gone.callback("/gone");
        hub.subscribe(&topic, callback.url()).active().await;
        drop(gone);
        for text in ["One", "Two", "Three"] {
            hub.put_topic("news", "text/plain; charset=utf-8", text.as_bytes())
                .await
                .expect(200);
        }
        eventually("two that are behind", async || {
            let newest = admin(&hub, "GET", "/api/v1/receipts?limit=1", &Value::Null)
                .await
                .expect(200)
                .json();
            (newest["items"][0]["in_backlog"] == 2 && newest["items"][0]["delivered"] == 45)
                .then_some(())
        })
        .await;
        Self {
            hub,
            _subscriber: subscriber,
            _elsewhere: elsewhere,
        }
    }
}

impl Busy {
    /// Publishes something new a few times a second, for ever.
    pub async fn publish_on_and_on(&self) {
        for number in 0.. {
            let text = format!("Number {number}");
            let put = self
                .hub
                .put_topic("news", "text/plain; charset=utf-8", text.as_bytes());
            put.await.expect(200);
            tokio::time::sleep(Duration::from_millis(100 + number % 5 * 60)).await;
        }
    }
}

/// A webhook at a receiver that wants no more, so that the hub disables it.
pub async fn disabled_hook(hub: &Hub) {
    let left = Server::start_on([127, 0, 0, 4].into(), |_| Reply::status(410)).await;
    let source = json!({ "events": ["order.made"] });
    admin(hub, "PUT", "/api/v1/sources/shop", &source)
        .await
        .expect(201);
    let wish = json!({ "source": "shop", "url": left.url("/left"), "events": ["*"] });
    let made = admin(hub, "POST", "/api/v1/hooks", &wish).await;
    let hook = format!("/api/v1/hooks/{}", made.expect(201).json()["id"]);
    let order = json!({ "id": 7 });
    admin(hub, "POST", "/shop/events/order.made", &order)
        .await
        .expect(202);
    eventually("a webhook that is disabled", async || {
        let shown = admin(hub, "GET", &hook, &Value::Null).await.expect(200);
        (shown.json()["active"] == false).then_some(())
    })
    .await;
}

/// Asks as the administrator, with a body of JSON unless it is null.
pub async fn admin(hub: &Hub, method: &str, path: &str, body: &Value) -> Response {
    let authorization = bearer(ADMIN);
    let headers = [
        ("Authorization", authorization.as_str()),
        ("Content-Type", "application/json"),
    ];
    let body = match body {
        Value::Null => String::new(),
        body => body.to_string(),
    };
    hub.request(method, path, &headers, body.as_bytes()).await
}

/// A hub with a source that speaks as Mastodon, and a payload of its event `account.created`.
pub async fn social() -> (Hub, String) {
    let hub = Hub::start().await;
    let source = json!({ "dialect": "mastodon" });
    admin(&hub, "PUT", "/api/v1/sources/social", &source)
        .await
        .expect(201);
    let wish = json!({
        "source": "social", "url": "https://receiver.example/", "events": ["account.created"], "dialect": "websub",
    });
    let preview = admin(&hub, "POST", "/api/v1/hooks/preview", &wish).await;
    let preview = preview.expect(200).json();
    let payload = preview["request"]["body"].as_str().expect("a body");
    (hub, payload.to_owned())
}
