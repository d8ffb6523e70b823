//! Traces: one from the publisher to each receiver, at a collector that takes OTLP.

use crate::support::client::bearer;
use crate::support::collector::{Collector, Spans, attribute, place};
use crate::support::{PUBLISHER, Reply, Request, Response, Scene, TOPIC, eventually};

const THEIRS: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// A collector, and a scene whose hub sends it one trace in so many.
async fn traced(one_in: &str) -> (Collector, Scene) {
    let collector = Collector::start().await;
    let endpoint = collector.endpoint();
    let scene = Scene::with(&[
        ("telemetry.otlp_endpoint", &endpoint),
        ("telemetry.sample_one_in", one_in),
    ])
    .await;
    (collector, scene)
}

/// Waits until so many deliveries are told of, and the fan-out.
async fn told(collector: &Collector, deliveries: usize) -> Spans {
    eventually("the fan-out's span", async || {
        let spans = collector.told("deliver", deliveries).await;
        spans.contains_key("fan out").then_some(spans)
    })
    .await
}

async fn push(scene: &Scene, text: &str, traceparent: Option<&str>) -> Response {
    let (link, token) = (format!("<{TOPIC}>; rel=\"self\""), bearer(PUBLISHER));
    let mut headers = vec![
        ("Content-Type", "text/plain"),
        ("Link", link.as_str()),
        ("Authorization", token.as_str()),
    ];
    headers.extend(traceparent.map(|value| ("traceparent", value)));
    scene
        .hub
        .request("POST", "/publish", &headers, text.as_bytes())
        .await
        .expect(202)
}

fn traceparent(request: &Request) -> Option<String> {
    request.header("traceparent").map(str::to_owned)
}

#[tokio::test]
async fn a_publishers_trace_goes_on_to_each_receiver() {
    let (collector, scene) = traced("1000000").await;
    let (one, two) = (
        scene.subscribed(TOPIC, "/a").await,
        scene.subscribed(TOPIC, "/b").await,
    );
    let answer = push(&scene, "news", Some(THEIRS)).await;
    scene.hub.ended(&answer).await;
    let spans = told(&collector, 2).await;
    let [publish] = &spans["publish"][..] else {
        panic!("{spans:?}");
    };
    assert_eq!(
        hex::encode(&publish.trace_id),
        "4bf92f3577b34da6a3ce929d0e0e4736"
    );
    assert_eq!(hex::encode(&publish.parent_span_id), "00f067aa0ba902b7");
    let [fan_out] = &spans["fan out"][..] else {
        panic!("{spans:?}");
    };
    assert_eq!(fan_out.parent_span_id, publish.span_id);
    let mut places = Vec::new();
    for deliver in &spans["deliver"] {
        assert_eq!(deliver.parent_span_id, fan_out.span_id);
        assert_eq!(deliver.trace_id, publish.trace_id);
        assert!(deliver.end_time_unix_nano >= deliver.start_time_unix_nano);
        let status = attribute(deliver, "http.response.status_code");
        assert_eq!(status.as_deref(), Some("200"));
        places.push(place(deliver));
    }
    let mut passed_on = Vec::new();
    for callback in [one, two] {
        passed_on.extend(traceparent(&callback.delivery(1).await));
    }
    places.sort();
    passed_on.sort();
    assert_eq!(passed_on, places);
    // Who is not asked for it is not traced, but for one in a million.
    let answer = push(&scene, "more news", None).await;
    scene.hub.ended(&answer).await;
    let untraced = push(&scene, "no news", Some(&THEIRS.replace("-01", "-00"))).await;
    scene.hub.ended(&untraced).await;
    assert_eq!(collector.spans()["deliver"].len(), 2);
}

#[tokio::test]
async fn what_is_tried_again_later_stays_in_its_trace() {
    let (collector, scene) = traced("1").await;
    let callback = scene.subscribed(TOPIC, "/cb").await;
    callback.script([Reply::status(500)]);
    let answer = push(&scene, "news", None).await;
    scene.hub.ended(&answer).await;
    let spans = told(&collector, 2).await;
    let deliveries = &spans["deliver"];
    for deliver in deliveries {
        assert_eq!(deliver.trace_id, spans["publish"][0].trace_id);
        assert_eq!(deliver.parent_span_id, spans["fan out"][0].span_id);
    }
    let failed = deliveries.iter().filter_map(|it| it.status.as_ref());
    let failed: Vec<_> = failed.filter(|status| !status.message.is_empty()).collect();
    assert_eq!(failed.len(), 1);
    assert_eq!(failed[0].message, "it answered 500");
    let places: Vec<_> = deliveries.iter().map(place).collect();
    for number in 1..=2 {
        let passed_on = traceparent(&callback.delivery(number).await).expect("a traceparent");
        assert!(places.contains(&passed_on), "{passed_on} of {places:?}");
    }
}

#[tokio::test]
async fn a_ping_and_its_fetch_are_in_the_trace() {
    let (collector, scene) = traced("1").await;
    let topic = scene.publisher.topic("/feed");
    topic.serves(Reply::ok("news"));
    scene.subscribed(topic.url(), "/cb").await;
    let answer = scene.hub.ping(&[topic.url()]).await.expect(204);
    scene.hub.ended(&answer).await;
    let spans = told(&collector, 1).await;
    let root = &spans["ping"][0];
    assert!(root.parent_span_id.is_empty());
    for name in ["fetch", "fan out"] {
        assert_eq!(spans[name][0].parent_span_id, root.span_id, "{name}");
        assert_eq!(spans[name][0].trace_id, root.trace_id, "{name}");
    }
}

#[tokio::test]
async fn without_a_collector_nothing_is_passed_on() {
    let scene = Scene::start().await;
    let callback = scene.subscribed(TOPIC, "/cb").await;
    let answer = push(&scene, "news", Some(THEIRS)).await;
    scene.hub.ended(&answer).await;
    assert_eq!(traceparent(&callback.delivery(1).await), None);
}
