//! The three ways to publish: pings, pushed content, hosted topics (the last in `topics_hosted`). What is taken, from
//! whom, and what is answered.

use crate::support::client::{FORM, bearer};
use crate::support::receipts::assert_counts;
use crate::support::{ADMIN, Hub, PUBLISHER, Reply, Scene, TOPIC, form};

#[tokio::test]
async fn hub_37_hub_79_q_23_q_24_q_26_a_ping_names_its_topics_in_any_of_the_known_ways() {
    let scene = Scene::start().await;
    let topic = scene.publisher.topic("/feed");
    let callback = scene.subscribed(topic.url(), "/cb").await;
    for (number, names) in [
        &["hub.url"][..],
        &["hub.topic"],
        &["hub.url", "hub.topic"],
        &["hub.url", "hub.url"],
        &["hub.url[]"],
        &["hub.topic[]"],
    ]
    .into_iter()
    .enumerate()
    {
        let text = format!("published with {names:?}");
        topic.says(&text);
        let mut fields = vec![("hub.mode", "publish")];
        fields.extend(names.iter().map(|name| (*name, topic.url())));
        let answer = scene.hub.post("/", &fields).await.expect(204);
        assert!(answer.body.is_empty());
        let receipt = scene.hub.ended(&answer).await;
        assert_counts(&receipt, [1, 1, 0, 0, 0]);
        assert_eq!(receipt["topic"], topic.url(), "the same topic twice is one");
        assert_eq!(callback.delivery(number + 1).await.body, text);
    }
}

#[tokio::test]
async fn hub_78_hub_79_q_28_q_31_every_path_answers_a_ping_with_exactly_204() {
    let hub = Hub::start().await;
    for path in ["/", "/hub", "/subscribe", "/publish"] {
        let answer = hub
            .post(path, &[("hub.mode", "publish"), ("hub.url", TOPIC)])
            .await
            .expect(204);
        assert_eq!(
            hub.ended(&answer).await["state"],
            "unheard",
            "nobody subscribes"
        );
    }
    let query = form(&[("hub.mode", "publish"), ("hub.url", TOPIC)]);
    hub.request("POST", &format!("/?{query}"), &[], b"")
        .await
        .expect(204);
}

#[tokio::test]
async fn hub_79_a_ping_that_cannot_be_handled_is_refused_in_words() {
    let hub = Hub::start().await;
    let ping = async |fields: &[(&str, &str)]| {
        let mut all = vec![("hub.mode", "publish")];
        all.extend(fields);
        hub.post("/", &all).await
    };
    ping(&[]).await.refuses(&["hub.url"]);
    ping(&[("hub.url", "")]).await.refuses(&["hub.url"]);
    ping(&[("hub.url", "feed.xml")])
        .await
        .refuses(&["hub.url", "feed.xml"]);
    ping(&[("hub.topic", "ftp://a.example/")])
        .await
        .refuses(&["hub.topic", "ftp"]);
    ping(&[("hub.url", TOPIC), ("hub.url", "nonsense")])
        .await
        .refuses(&["nonsense"]);
}

#[tokio::test]
async fn q_25_a_list_in_one_value_is_split_unless_it_is_a_topic_itself() {
    let scene = Scene::start().await;
    let one = scene.publisher.topic("/one");
    one.says("one");
    let two = scene.publisher.topic("/two");
    two.says("two");
    let first = scene.subscribed(one.url(), "/a").await;
    let second = scene.subscribed(two.url(), "/b").await;
    scene
        .hub
        .ping(&[&format!("{},{}", one.url(), two.url())])
        .await
        .expect(204);
    assert_eq!(first.delivery(1).await.body, "one");
    assert_eq!(second.delivery(1).await.body, "two");

    let comma = scene
        .publisher
        .topic("/list?urls=http://a.example/,http://b.example/");
    comma.says("with commas of its own");
    let third = scene.subscribed(comma.url(), "/c").await;
    assert_counts(&scene.hub.publish(comma.url()).await, [1, 1, 0, 0, 0]);
    assert_eq!(third.delivery(1).await.body, "with commas of its own");
}

#[tokio::test]
async fn q_29_a_ping_with_many_urls_is_cheap() {
    let scene = Scene::start().await;
    let known = scene.publisher.topic("/known");
    known.says("news");
    let callback = scene.subscribed(known.url(), "/cb").await;
    let unknown: Vec<_> = (0..119)
        .map(|n| scene.publisher.topic(&format!("/tag/{n}/feed")))
        .collect();
    let mut urls: Vec<_> = unknown.iter().map(|topic| topic.url()).collect();
    urls.insert(60, known.url());
    let answer = scene.hub.ping(&urls).await.expect(204);
    let bundle = scene.hub.ended(&answer).await;
    assert_eq!(bundle["receipts"].as_array().expect("receipts").len(), 120);
    assert_eq!(callback.delivery(1).await.body, "news");
    assert_eq!(
        scene.publisher.requests().len(),
        1,
        "topics that nobody hears are not fetched"
    );

    let again = scene.hub.ping(&urls).await.expect(204);
    scene.hub.ended(&again).await;
    assert_eq!(
        callback.deliveries().len(),
        1,
        "unchanged content is not sent again"
    );
}

#[tokio::test]
async fn a_bundle_tells_of_each_topic() {
    let scene = Scene::start().await;
    let known = scene.publisher.topic("/known");
    known.says("news");
    scene.subscribed(known.url(), "/cb").await;
    let answer = scene.hub.ping(&[TOPIC, known.url()]).await.expect(204);
    let bundle = scene.hub.ended(&answer).await;
    assert!(bundle["accepted_at"].is_string());
    assert_eq!(bundle["receipts"][0]["topic"], known.url());
    assert_eq!(bundle["receipts"][0]["state"], "complete");
    assert_eq!(bundle["receipts"][0]["delivered"], 1);
    assert_eq!(bundle["receipts"][1]["topic"], TOPIC);
    assert_eq!(bundle["receipts"][1]["state"], "unheard");
}

#[tokio::test]
async fn pushed_content_is_delivered_without_a_fetch() {
    let scene = Scene::start().await;
    let topic = scene.publisher.topic("/feed");
    let callback = scene.subscribed(topic.url(), "/cb").await;
    for (path, token) in [("/", PUBLISHER), ("/hub", ADMIN), ("/publish", PUBLISHER)] {
        let link = format!("<{}>; rel=self, <{}>; rel=hub", topic.url(), scene.hub.url);
        let headers = [
            ("Content-Type", "text/markdown"),
            ("Link", &link),
            ("Authorization", &bearer(token)),
        ];
        let answer = scene
            .hub
            .request("POST", path, &headers, path.as_bytes())
            .await
            .expect(202);
        assert_counts(&scene.hub.ended(&answer).await, [1, 1, 0, 0, 0]);
    }
    assert_eq!(callback.deliveries().len(), 3);
    assert_eq!(
        callback.delivery(3).await.header("content-type"),
        Some("text/markdown")
    );
    assert!(topic.fetches().is_empty());
}

#[tokio::test]
async fn pushing_takes_a_token_and_a_topic() {
    let scene = Scene::start().await;
    let callback = scene.subscribed(TOPIC, "/cb").await;
    let link = format!("<{TOPIC}>; rel=\"self\"");
    let push = async |headers: &[(&str, &str)]| {
        let mut all = vec![("Content-Type", "text/plain")];
        all.extend(headers);
        scene.hub.request("POST", "/publish", &all, b"forged").await
    };
    let publisher = bearer(PUBLISHER);
    let nameless = push(&[("Link", &link)]).await.expect(401);
    assert!(
        nameless
            .header("www-authenticate")
            .expect("a challenge")
            .starts_with("Bearer")
    );
    push(&[
        ("Link", &link),
        ("Authorization", "Bearer wrong-token-of-someone"),
    ])
    .await
    .expect(403);
    push(&[("Link", &link), ("Authorization", "Basic dXNlcjpwYXNz")])
        .await
        .refuses(&[]);
    push(&[("Authorization", &publisher)])
        .await
        .refuses(&["Link", "self"]);
    push(&[
        ("Authorization", &publisher),
        ("Link", "<feed>; rel=\"self\""),
    ])
    .await
    .refuses(&["feed"]);
    push(&[
        ("Authorization", &publisher),
        ("Link", "<http://h.example/>; rel=\"hub\""),
    ])
    .await
    .refuses(&["self"]);
    scene.hub.publish_text(TOPIC, "true").await;
    assert_eq!(callback.deliveries().len(), 1);
    assert_eq!(callback.delivery(1).await.body, "true");
}

#[tokio::test]
async fn a_form_is_a_request_to_the_hub_whatever_token_it_carries() {
    let hub = Hub::start().await;
    let headers = [
        ("Content-Type", FORM),
        ("Authorization", &*bearer(PUBLISHER)),
    ];
    let body = form(&[("hub.mode", "publish"), ("hub.url", TOPIC)]);
    hub.request("POST", "/publish", &headers, body.as_bytes())
        .await
        .expect(204);
}

#[tokio::test]
async fn pushed_content_that_is_unchanged_is_not_sent_again() {
    let scene = Scene::start().await;
    let callback = scene.subscribed(TOPIC, "/cb").await;
    assert_eq!(
        scene.hub.publish_text(TOPIC, "news").await["state"],
        "complete"
    );
    assert_eq!(
        scene.hub.publish_text(TOPIC, "news").await["state"],
        "unchanged"
    );
    assert_eq!(
        scene.hub.publish_text(TOPIC, "more news").await["state"],
        "complete"
    );
    assert_eq!(callback.deliveries().len(), 2);
}

#[tokio::test]
async fn a_receipt_tells_the_times() {
    let scene = Scene::start().await;
    let callback = scene.subscribed(TOPIC, "/cb").await;
    callback.script([Reply::status(500)]);
    let receipt = scene.hub.publish_text(TOPIC, "news").await;
    let time = |name: &str| -> jiff::Timestamp {
        receipt[name]
            .as_str()
            .unwrap_or_else(|| panic!("no {name}: {receipt:#}"))
            .parse()
            .expect("RFC 3339")
    };
    assert!(time("accepted_at") <= time("first_delivery"));
    assert_eq!(time("first_delivery"), time("last_delivery"));
    assert_eq!(receipt["topic"], TOPIC);
}

#[tokio::test]
async fn content_that_comes_back_after_nobody_heard_the_other_is_sent() {
    let scene = Scene::start().await;
    let topic = scene.publisher.topic("/feed");
    let says = |text: &str| {
        let tag = format!("\"{text}\"");
        topic.serves(Reply::ok(text).header("ETag", &tag));
    };
    let first = scene.subscribed(topic.url(), "/first").await;
    says("A");
    assert_counts(&scene.hub.publish(topic.url()).await, [1, 1, 0, 0, 0]);
    scene.hub.unsubscribe(topic.url(), first.url()).gone().await;
    says("B");
    assert_eq!(scene.hub.publish(topic.url()).await["state"], "unheard");
    says("A");
    let second = scene.subscribed(topic.url(), "/second").await;
    assert_counts(&scene.hub.publish(topic.url()).await, [1, 1, 0, 0, 0]);
    assert_eq!(second.delivery(1).await.body, "A");
}

#[tokio::test]
async fn a_page_that_comes_back_after_something_else_was_pushed_is_sent() {
    let scene = Scene::start().await;
    let topic = scene.publisher.topic("/feed");
    let callback = scene.subscribed(topic.url(), "/cb").await;
    topic.serves(Reply::ok("A").header("ETag", "\"A\""));
    assert_counts(&scene.hub.publish(topic.url()).await, [1, 1, 0, 0, 0]);
    assert_counts(
        &scene.hub.publish_text(topic.url(), "B").await,
        [1, 1, 0, 0, 0],
    );
    assert_counts(&scene.hub.publish(topic.url()).await, [1, 1, 0, 0, 0]);
    assert_eq!(callback.delivery(3).await.body, "A");
}

#[tokio::test]
async fn the_same_body_with_another_content_type_is_sent_again() {
    let scene = Scene::start().await;
    let pushed = scene.subscribed(TOPIC, "/pushed").await;
    let topic = scene.publisher.topic("/feed");
    let fetched = scene.subscribed(topic.url(), "/fetched").await;
    for (number, kind) in ["text/plain", "text/markdown"].into_iter().enumerate() {
        let answer = scene.hub.push(TOPIC, kind, b"same").await.expect(202);
        assert_counts(&scene.hub.ended(&answer).await, [1, 1, 0, 0, 0]);
        topic.serves(Reply::ok("same").header("Content-Type", kind));
        assert_counts(&scene.hub.publish(topic.url()).await, [1, 1, 0, 0, 0]);
        for callback in [&pushed, &fetched] {
            let delivery = callback.delivery(number + 1).await;
            assert_eq!(delivery.body, "same");
            assert_eq!(delivery.header("content-type"), Some(kind));
        }
        assert_eq!(scene.hub.publish(topic.url()).await["state"], "unchanged");
    }
}
