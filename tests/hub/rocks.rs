//! The hub tests 100 to 106 of websub.rocks, with the very assertions of that suite (section 2B of the checklist).

use crate::support::publisher::links;
use crate::support::{Callback, Reply, Request, Response, Scene, Topic};

/// One run of the suite: a topic of its own, and a callback that answers as websub.rocks does.
struct Run {
    scene: Scene,
    topic: Topic,
    callback: Callback,
}

impl Run {
    async fn start() -> Self {
        Self::with_content("text/html; charset=UTF-8", "<!doctype html><p>first</p>").await
    }

    async fn with_content(kind: &str, content: &str) -> Self {
        let scene = Scene::start().await;
        let topic = scene.publisher.topic("/hub/100/pub/Zv8QjBcW");
        let callback = scene.subscriber.callback("/hub/100/sub/9kYt0pXh");
        callback.confirm_with(|challenge| {
            Reply::ok(challenge).header("Content-Type", "application/octet-stream")
        });
        let run = Self {
            scene,
            topic,
            callback,
        };
        run.serve(kind, content);
        run
    }

    fn serve(&self, kind: &str, content: &str) {
        let link = links(self.topic.url(), &self.scene.hub.url);
        self.topic.serves(
            Reply::ok(content)
                .header("Content-Type", kind)
                .header("Link", &link),
        );
    }

    async fn send(&self, mode: &str, more: &[(&str, &str)]) -> Response {
        let fields = [
            ("hub.mode", mode),
            ("hub.topic", self.topic.url()),
            ("hub.callback", self.callback.url()),
        ];
        self.scene.hub.post("/", &[&fields, more].concat()).await
    }

    /// Subscribes: exactly 202, then a proper verification; over when the hub has counted it.
    async fn subscribe(&self, more: &[(&str, &str)]) {
        let verified = self.callback.verifications().len();
        let known = || {
            self.scene
                .hub
                .subscription(self.topic.url(), self.callback.url())
        };
        let before = known().await;
        assert_eq!(self.send("subscribe", more).await.status, 202);
        let request = self.callback.verification(verified + 1).await;
        assert_eq!(request.param("hub.mode").as_deref(), Some("subscribe"));
        assert_eq!(
            request.param("hub.topic").as_deref(),
            Some(self.topic.url())
        );
        assert!(request.param("hub.challenge").is_some());
        assert!(request.param("hub.lease_seconds").is_some());
        crate::support::eventually("the subscription", async || {
            let now = known().await;
            (now.is_some() && now != before).then_some(())
        })
        .await;
    }

    /// Pings with `hub.topic`, as the suite does, and waits until the hub has nothing more to do.
    async fn publish(&self) -> serde_json::Value {
        let fields = [("hub.mode", "publish"), ("hub.topic", self.topic.url())];
        let answer = self.scene.hub.post("/", &fields).await;
        self.scene.hub.ended(&answer).await
    }

    async fn delivered(&self, count: usize, kind: &str, content: &str) -> Request {
        let delivery = self.callback.delivery(count).await;
        let body = String::from_utf8_lossy(&delivery.body).into_owned();
        assert!(!body.is_empty());
        assert_eq!(body.trim(), content.trim());
        assert_eq!(
            delivery.header("content-type"),
            Some(kind),
            "string-equal, charset included"
        );
        let link = delivery.header("link").expect("a Link header");
        let first = |rel: &str| {
            let end = link.find(&format!(">; rel=\"{rel}\""))?;
            let start = link[..end].rfind('<')?;
            Some(&link[start + 1..end])
        };
        assert_eq!(first("hub"), Some(self.scene.hub.url.as_str()));
        assert_eq!(first("self"), Some(self.topic.url()));
        assert_eq!(
            self.callback.deliveries().len(),
            count,
            "no more than one for each publication"
        );
        delivery
    }
}

const HTML: &str = "text/html; charset=UTF-8";

#[tokio::test]
async fn rocks_100_hub_52_a_typical_subscription() {
    let run = Run::start().await;
    run.subscribe(&[]).await;
    run.publish().await;
    let delivery = run.delivered(1, HTML, "<!doctype html><p>first</p>").await;
    assert!(!delivery.headers.has("x-hub-signature"));
}

#[tokio::test]
async fn rocks_101_hub_50_a_subscription_with_a_secret() {
    let run = Run::start().await;
    run.subscribe(&[("hub.secret", "Vq3rT8xZk1LmN0pQw7Yd")])
        .await;
    run.publish().await;
    let delivery = run.delivered(1, HTML, "<!doctype html><p>first</p>").await;
    super::signature::assert_signed(&delivery, "sha1", "Vq3rT8xZk1LmN0pQw7Yd");
}

#[tokio::test]
async fn rocks_102_hub_07_a_subscription_with_more_parameters() {
    let run = Run::start().await;
    run.subscribe(&[("foo", "bar"), ("hub.foo", "hub.bar")])
        .await;
    run.publish().await;
    run.delivered(1, HTML, "<!doctype html><p>first</p>").await;
}

#[tokio::test]
async fn rocks_103_hub_08_a_subscription_that_is_renewed() {
    let run = Run::start().await;
    run.subscribe(&[]).await;
    run.publish().await;
    run.delivered(1, HTML, "<!doctype html><p>first</p>").await;
    run.subscribe(&[]).await;
    run.serve(HTML, "<!doctype html><p>second</p>");
    run.publish().await;
    run.delivered(2, HTML, "<!doctype html><p>second</p>").await;
}

#[tokio::test]
async fn rocks_104_hub_12_a_subscription_that_ends() {
    let run = Run::start().await;
    run.subscribe(&[]).await;
    run.publish().await;
    run.delivered(1, HTML, "<!doctype html><p>first</p>").await;
    assert_eq!(run.send("unsubscribe", &[]).await.status, 202);
    let request = run.callback.verification(2).await;
    assert_eq!(request.param("hub.mode").as_deref(), Some("unsubscribe"));
    assert_eq!(request.param("hub.topic").as_deref(), Some(run.topic.url()));
    assert!(request.param("hub.challenge").is_some());
    run.scene
        .hub
        .unsubscribe(run.topic.url(), run.callback.url())
        .gone_by_itself()
        .await;
    run.serve(HTML, "<!doctype html><p>second</p>");
    assert_eq!(run.publish().await["state"], "unheard");
    assert_eq!(run.callback.deliveries().len(), 1);
}

#[tokio::test]
async fn rocks_105_hub_41_a_plain_text_topic() {
    let run = Run::with_content("text/plain; charset=UTF-8", "plain words\n").await;
    run.subscribe(&[]).await;
    run.publish().await;
    run.delivered(1, "text/plain; charset=UTF-8", "plain words\n")
        .await;
}

#[tokio::test]
async fn rocks_106_hub_41_a_json_topic() {
    let content = "{\n  \"version\": \"https://jsonfeed.org/version/1\",\n  \"items\": []\n}";
    let run = Run::with_content("application/json", content).await;
    run.subscribe(&[]).await;
    run.publish().await;
    run.delivered(1, "application/json", content).await;
}
