//! Traces of what a hook is told beside the fan-out: pings, tests, redeliveries and replays, at a collector that takes OTLP.

use serde_json::{Value, json};

use crate::support::client::bearer;
use crate::support::collector::{Collector, attribute, place};
use crate::support::{ADMIN, Hub, Reply, Server};

const THEIRS: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const HOOKS: &str = "/repos/octocat/hello/hooks";

async fn ask(hub: &Hub, method: &str, path: &str, json: &Value, from: Option<&str>) -> Value {
    let admin = bearer(ADMIN);
    let body = match json {
        Value::Null => String::new(),
        json => json.to_string(),
    };
    let mut headers = vec![
        ("Authorization", admin.as_str()),
        ("Content-Type", "application/json"),
    ];
    headers.extend(from.map(|from| ("traceparent", from)));
    let answer = hub.request(method, path, &headers, body.as_bytes()).await;
    assert!(
        (200..300).contains(&answer.status),
        "{path}: {}",
        answer.text()
    );
    serde_json::from_str(&answer.text()).unwrap_or_default()
}

/// A hub with a repository, whose hook was pinged.
struct Scene {
    collector: Collector,
    hub: Hub,
    receiver: Server,
}

impl Scene {
    async fn start(one_in: &str, from: Option<&str>) -> Self {
        let collector = Collector::start().await;
        let endpoint = collector.endpoint();
        let settings = [
            ("telemetry.otlp_endpoint", endpoint.as_str()),
            ("telemetry.sample_one_in", one_in),
        ];
        let hub = Hub::with(&settings).await;
        let repository = json!({ "dialect": "socialgateway" });
        hub.declare("octocat/hello", &repository).await.expect(201);
        let receiver = Server::start_on([127, 0, 0, 1].into(), |_| Reply::status(200)).await;
        let config = json!({ "url": receiver.url("/hook"), "content_type": "json" });
        let wish = json!({ "name": "web", "config": config });
        ask(&hub, "POST", HOOKS, &wish, from).await;
        Self {
            collector,
            hub,
            receiver,
        }
    }

    /// What the receiver was told of its place by each request so far, in their order.
    async fn told(&self, count: usize) -> Vec<Option<String>> {
        let log = self.receiver.log();
        let requests = log.wait_for("requests", count, |_| true).await;
        let told = requests
            .iter()
            .map(|request| request.header("traceparent").map(str::to_owned));
        told.collect()
    }
}

#[tokio::test]
async fn a_ping_is_a_trace_of_its_own_or_part_of_that_of_who_asks() {
    for from in [None, Some(THEIRS)] {
        let scene = Scene::start("1", from).await;
        let spans = scene.collector.told("deliver", 1).await;
        let (root, deliver) = (&spans["ping a hook"][0], &spans["deliver"][0]);
        match from {
            None => assert!(root.parent_span_id.is_empty()),
            Some(from) => assert_eq!(
                format!(
                    "00-{}-{}-01",
                    hex::encode(&root.trace_id),
                    hex::encode(&root.parent_span_id)
                ),
                from
            ),
        }
        assert_eq!(deliver.trace_id, root.trace_id);
        assert_eq!(deliver.parent_span_id, root.span_id);
        assert_eq!(attribute(deliver, "fanfare.why").as_deref(), Some("ping"));
        assert_eq!(scene.told(1).await, [Some(place(deliver))]);
    }
}

#[tokio::test]
async fn what_is_told_once_more_is_in_the_trace_of_its_event() {
    let scene = Scene::start("1", None).await;
    scene.told(1).await;
    let push = json!({ "ref": "refs/heads/main" });
    let raised = scene.hub.raise("/octocat/hello/events/push", &push).await;
    raised.expect(202);
    scene.told(2).await;
    let hub = &scene.hub;
    ask(hub, "POST", &format!("{HOOKS}/1/tests"), &Value::Null, None).await;
    scene.told(3).await;
    let since = json!({ "since": "2000-01-01T00:00:00Z" });
    ask(hub, "POST", "/api/v1/hooks/1/replay", &since, None).await;
    scene.told(4).await;
    let deliveries = format!("{HOOKS}/1/deliveries");
    let push = crate::support::eventually("the push in the log", async || {
        let list = ask(hub, "GET", &deliveries, &Value::Null, None).await;
        let items = list.as_array().expect("a list").clone();
        items.into_iter().find(|item| item["event"] == "push")
    })
    .await;
    let again = format!("{deliveries}/{}/attempts", push["id"]);
    ask(hub, "POST", &again, &Value::Null, None).await;

    let told = scene.told(5).await;
    let spans = scene.collector.told("deliver", 5).await;
    let fan_out = &spans["fan out"][0];
    let mut reasons = Vec::new();
    for deliver in &spans["deliver"] {
        let why = attribute(deliver, "fanfare.why");
        if why.as_deref() != Some("ping") {
            assert_eq!(deliver.trace_id, fan_out.trace_id, "{why:?}");
            assert_eq!(deliver.parent_span_id, fan_out.span_id, "{why:?}");
        }
        assert!(told.contains(&Some(place(deliver))), "{why:?}");
        reasons.push(why.unwrap_or_default());
    }
    reasons.sort();
    assert_eq!(reasons, ["", "ping", "redelivery", "replay", "test"]);
}

#[tokio::test]
async fn what_nobody_looks_at_is_told_no_place() {
    let scene = Scene::start("1000000", None).await;
    assert_eq!(scene.told(1).await, [None]);
}
