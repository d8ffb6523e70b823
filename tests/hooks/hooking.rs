//! A shop that raises events, and hooks on it. In: what a hook shall be. Out: the hook, and what the hub says of its deliveries.

use serde_json::{Value, json};

use crate::declared::ask;
use crate::deliveries::SECRET;
use crate::support::{Hub, Reply, Request, Response, Server, eventually};

/// What a shop raises.
pub const MADE: &str = "/shop/events/made";
/// What else it raises.
pub const SOLD: &str = "/shop/events/sold";

/// A hub with a shop.
pub async fn shop(settings: &[(&str, &str)]) -> Hub {
    let hub = Hub::with(settings).await;
    let shop = json!({ "events": ["made", "sold"] });
    hub.declare("shop", &shop).await.expect(201);
    hub
}

/// A receiver that answers everything so.
pub async fn receiver(reply: Reply) -> Server {
    Server::start_on([127, 0, 0, 1].into(), move |_| reply.clone()).await
}

impl Hub {
    /// Makes a hook on all events of the shop, unless `wish` says otherwise; gives its number.
    pub async fn hook(&self, url: &str, wish: &Value) -> u64 {
        let mut all = json!({ "source": "shop", "events": ["*"], "url": url, "secret": SECRET });
        for (name, value) in wish.as_object().expect("an object") {
            all[name] = value.clone();
        }
        let made = ask(self, "POST", "/api/v1/hooks", &all).await.expect(201);
        made.json()["id"].as_u64().expect("a number")
    }

    /// Does something with a hook: `enable`, `disable`, `rotate`, `ping`.
    pub async fn order(&self, hook: u64, verb: &str) -> Response {
        let path = format!("/api/v1/hooks/{hook}/{verb}");
        ask(self, "POST", &path, &Value::Null).await
    }

    /// A hook as it is now.
    pub async fn hook_now(&self, hook: u64) -> Value {
        let path = format!("/api/v1/hooks/{hook}");
        self.admin_get(&path).await.expect(200).json()
    }

    /// Waits until so many deliveries of a hook are in the log; gives those of the page, newest first.
    pub async fn logged(&self, hook: u64, count: usize) -> Vec<Value> {
        let path = format!("/api/v1/hooks/{hook}/deliveries?limit=1000");
        eventually("deliveries in the log", async || {
            let page = self.admin_get(&path).await.expect(200).json();
            let items = page["items"].as_array().expect("items").clone();
            (items.len() >= count).then_some(items)
        })
        .await
    }

    /// One of the deliveries of a hook, with request and response.
    pub async fn delivery(&self, hook: u64, id: &Value) -> Value {
        let path = format!("/api/v1/hooks/{hook}/deliveries/{id}");
        self.admin_get(&path).await.expect(200).json()
    }

    /// Raises an event that has a number.
    pub async fn raise_number(&self, path: &str, number: usize) -> Response {
        self.raise(path, &json!({ "n": number })).await.expect(202)
    }
}

/// The number of the event that a request tells of.
pub fn number(request: &Request) -> usize {
    let body: Value = serde_json::from_slice(&request.body).expect("JSON");
    let number = body["n"].as_u64().expect("a number");
    usize::try_from(number).expect("a small one")
}

/// The numbers of the events that a receiver was told of, in their order.
pub fn numbers(server: &Server) -> Vec<usize> {
    server.log().matching(|_| true).iter().map(number).collect()
}
