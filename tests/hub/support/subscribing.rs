//! Requests to subscribe and unsubscribe, and what the hub says of its subscriptions. In: topic, callback, what else the
//! request carries. Out: the response, or the subscription once the hub has settled it.

use serde_json::Value;

use super::client::FORM;
use super::{Hub, Response, eventually, form};

/// A request that is being made up.
pub struct Subscribing<'a> {
    hub: &'a Hub,
    path: String,
    fields: Vec<(String, String)>,
    headers: Vec<(String, String)>,
}

impl Hub {
    /// A request to subscribe a callback to a topic.
    pub fn subscribe(&self, topic: &str, callback: &str) -> Subscribing<'_> {
        self.subscribing("subscribe", topic, callback)
    }

    /// A request to unsubscribe a callback from a topic.
    pub fn unsubscribe(&self, topic: &str, callback: &str) -> Subscribing<'_> {
        self.subscribing("unsubscribe", topic, callback)
    }

    /// The subscription of a callback to a topic, as the API tells it.
    pub async fn subscription(&self, topic: &str, callback: &str) -> Option<Value> {
        let query = form(&[("topic", topic), ("limit", "1000")]);
        let page = self
            .admin_get(&format!("/api/v1/subscriptions?{query}"))
            .await;
        let page = page.expect(200).json();
        let items = page["items"].as_array().expect("a page of items");
        items
            .iter()
            .find(|item| item["callback"] == callback && item["topic"] == topic)
            .cloned()
    }

    fn subscribing(&self, mode: &str, topic: &str, callback: &str) -> Subscribing<'_> {
        let request = Subscribing {
            hub: self,
            path: "/".to_owned(),
            fields: Vec::new(),
            headers: Vec::new(),
        };
        request
            .field("hub.mode", mode)
            .field("hub.topic", topic)
            .field("hub.callback", callback)
    }
}

impl Subscribing<'_> {
    /// With a secret.
    pub fn secret(self, secret: &str) -> Self {
        self.field("hub.secret", secret)
    }

    /// With a wish for a lease, in seconds.
    pub fn lease(self, seconds: u64) -> Self {
        self.field("hub.lease_seconds", &seconds.to_string())
    }

    /// With one more field.
    pub fn field(mut self, name: &str, value: &str) -> Self {
        self.fields.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With one more header.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// To this path instead of `/`.
    pub fn at(mut self, path: &str) -> Self {
        self.path = path.to_owned();
        self
    }

    /// Sends it.
    pub async fn send(&self) -> Response {
        let fields: Vec<_> = self
            .fields
            .iter()
            .map(|(n, v)| (n.as_str(), v.as_str()))
            .collect();
        let mut headers = vec![("Content-Type", FORM)];
        headers.extend(self.headers.iter().map(|(n, v)| (n.as_str(), v.as_str())));
        self.hub
            .request("POST", &self.path, &headers, form(&fields).as_bytes())
            .await
    }

    /// Sends it, and waits until the hub has the subscription that this request asked for.
    pub async fn active(&self) -> Value {
        let verified = |subscription: &Option<Value>| {
            subscription
                .as_ref()
                .map(|known| known["verified_at"].clone())
        };
        let before = verified(&self.known().await);
        self.send().await.expect(202);
        eventually("an active subscription", async || {
            let now = self.known().await;
            if verified(&now) == before { None } else { now }
        })
        .await
    }

    /// Sends it, and waits until the hub has no such subscription any longer.
    pub async fn gone(&self) {
        self.send().await.expect(202);
        self.gone_by_itself().await;
    }

    /// Waits until the hub has no such subscription any longer.
    pub async fn gone_by_itself(&self) {
        eventually("the end of a subscription", async || {
            self.known().await.is_none().then_some(())
        })
        .await;
    }

    /// The subscription as the hub has it now.
    pub async fn known(&self) -> Option<Value> {
        self.hub
            .subscription(self.value("hub.topic"), self.value("hub.callback"))
            .await
    }

    fn value(&self, name: &str) -> &str {
        let field = self.fields.iter().find(|(own, _)| own == name);
        field
            .map(|(_, value)| value.as_str())
            .expect("always given")
    }
}
