//! The harness: a real hub in a process of its own, and around it subscribers and publishers that record every byte
//! and misbehave on demand. In: what a test wants to be said. Out: what was answered, and what arrived.

pub mod client;
pub mod collector;
pub mod http;
pub mod hub;
pub mod publisher;
pub mod receipts;
pub mod server;
pub mod subscriber;
pub mod subscribing;
pub mod tls;

use std::time::{Duration, Instant};

pub use http::{Request, Response};
pub use hub::{ADMIN, Hub, PUBLISHER};
pub use publisher::{Publisher, Topic};
pub use server::{Reply, Server};
pub use subscriber::{Callback, Subscriber};

/// How long anything is waited for before a test fails: generous, for a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A topic that is nowhere served: its content is pushed.
pub const TOPIC: &str = "http://publisher.example/feed";

/// What most tests need: a hub, someone who subscribes, someone who publishes.
pub struct Scene {
    pub hub: Hub,
    pub subscriber: Subscriber,
    pub publisher: Publisher,
}

impl Scene {
    /// With the settings of the tests.
    pub async fn start() -> Self {
        Self::with(&[]).await
    }

    /// With these settings of the hub besides.
    pub async fn with(settings: &[(&str, &str)]) -> Self {
        Self {
            hub: Hub::with(settings).await,
            subscriber: Subscriber::start().await,
            publisher: Publisher::start().await,
        }
    }

    /// A callback that subscribes to a topic, once the hub has verified it.
    pub async fn subscribed(&self, topic: &str, path: &str) -> Callback {
        let callback = self.subscriber.callback(path);
        self.hub.subscribe(topic, callback.url()).active().await;
        callback
    }

    /// Lets a subscription become active of which the first verifications fail for want of an answer. When this is
    /// over, whatever the hub would have tried again before has been tried.
    pub async fn retries_are_over(&self, path: &str) {
        let callback = self.subscriber.callback(path);
        let mut silent = 2;
        callback.confirm_with(move |challenge| {
            silent -= 1;
            if silent >= 0 {
                Reply::Close
            } else {
                Reply::ok(challenge)
            }
        });
        self.hub.subscribe(TOPIC, callback.url()).active().await;
    }
}

/// Asks again and again until there is an answer; panics with `what` when [`PATIENCE`] is over.
pub async fn eventually<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        tokio::time::sleep(Duration::from_millis(15)).await;
    }
}

/// `name=value&...`, percent-encoded as forms are.
pub fn form(fields: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(fields)
        .finish()
}
