//! Distribution (checklist 1C): what a delivery looks like on the wire, and which answers to it count.

use crate::support::publisher::links;
use crate::support::receipts::assert_counts;
use crate::support::{Reply, Scene, Subscriber, TOPIC};

#[tokio::test]
async fn hub_38_hub_39_hub_41_q_38_a_delivery_is_the_topic_as_it_is() {
    let scene = Scene::start().await;
    let callback = scene.subscribed(TOPIC, "/cb?user=7").await;
    let contents: [(&str, &[u8]); 7] = [
        ("text/plain; charset=utf-8", "größe\n".as_bytes()),
        ("text/plain;charset=ISO-8859-1", b"gr\xf6\xdfe"),
        (
            "application/atom+xml",
            b"<feed xmlns=\"http://www.w3.org/2005/Atom\"/>",
        ),
        (
            "application/rss+xml; charset=\"utf-8\"",
            b"<rss version=\"2.0\"/>\r\n",
        ),
        ("application/json", b"{\"hub.mode\":\"subscribe\"}"),
        ("Text/HTML; Charset=UTF-8", b"<!doctype html>"),
        ("application/octet-stream", b"\x00\x01\xff\xfe"),
    ];
    for (number, (kind, content)) in contents.into_iter().enumerate() {
        let answer = scene.hub.push(TOPIC, kind, content).await.expect(202);
        assert_counts(&scene.hub.ended(&answer).await, [1, 1, 0, 0, 0]);
        let delivery = callback.delivery(number + 1).await;
        assert_eq!(delivery.method, "POST");
        assert_eq!(delivery.target, "/cb?user=7");
        assert_eq!(delivery.body, content);
        assert_eq!(delivery.headers.all("content-type"), [kind], "untouched");
    }
}

#[tokio::test]
async fn hub_39_hub_41_a_fetched_topic_is_delivered_as_it_is() {
    let scene = Scene::start().await;
    let topic = scene.publisher.topic("/feed");
    let callback = scene.subscribed(topic.url(), "/cb").await;
    let content: Vec<u8> = (0..=255).cycle().take(1_500_000).collect();
    let kind = "application/x-odd; a=\"b c\"; charset=utf-8";
    topic.serves(Reply::ok(content.clone()).header("Content-Type", kind));
    assert_counts(&scene.hub.publish(topic.url()).await, [1, 1, 0, 0, 0]);
    let delivery = callback.delivery(1).await;
    assert_eq!(delivery.body, content);
    assert_eq!(delivery.headers.all("content-type"), [kind]);
}

#[tokio::test]
async fn hub_42_hub_43_q_10_one_link_header_self_first_then_hub() {
    let scene = Scene::start().await;
    let topic = scene.publisher.topic("/feed?a=b&c");
    let callback = scene.subscribed(topic.url(), "/cb").await;

    topic.says("links nowhere");
    scene.hub.publish(topic.url()).await;
    let delivery = callback.delivery(1).await;
    let own = links(topic.url(), &scene.hub.url);
    assert_eq!(delivery.headers.all("link"), [own.as_str()]);

    // What the topic advertises is given on as the very string, be it another spelling of this hub's URL.
    let advertised = format!("http://localhost:{}/hub", scene.hub.address.port());
    let canonical = topic.url().replace("?a=b&c", "?c&a=b");
    let own = links(&canonical, &advertised);
    topic.serves(Reply::ok("links elsewhere").header("Link", &own));
    scene.hub.publish(topic.url()).await;
    let delivery = callback.delivery(2).await;
    assert_eq!(delivery.headers.all("link"), [own.as_str()]);
}

#[tokio::test]
async fn hub_42_a_pushed_publication_names_its_topic_and_this_hub() {
    let scene = Scene::start().await;
    let callback = scene.subscribed(TOPIC, "/cb").await;
    scene.hub.publish_text(TOPIC, "news").await;
    let own = links(TOPIC, &scene.hub.url);
    assert_eq!(
        callback.delivery(1).await.headers.all("link"),
        [own.as_str()]
    );
}

#[tokio::test]
async fn hub_44_only_2xx_is_success_and_no_redirect_is_followed() {
    let scene = Scene::start().await;
    let elsewhere = scene.subscriber.callback("/elsewhere");
    for status in [
        300, 301, 302, 303, 304, 307, 308, 400, 401, 403, 404, 422, 429, 500, 503,
    ] {
        let callback = scene.subscriber.callback(&format!("/{status}"));
        callback.script([Reply::status(status).header("Location", elsewhere.url())]);
        let topic = format!("http://publisher.example/{status}");
        scene.hub.subscribe(&topic, callback.url()).active().await;
        let answer = scene
            .hub
            .push(&topic, "text/plain", b"news")
            .await
            .expect(202);
        assert_counts(&scene.hub.ended(&answer).await, [1, 1, 0, 0, 0]);
        assert_eq!(
            callback.deliveries().len(),
            2,
            "{status} is a failure, so it was tried again"
        );
    }
    for status in [200, 201, 202, 204, 206, 299] {
        let callback = scene.subscriber.callback(&format!("/{status}"));
        callback.script([Reply::status(status)]);
        let topic = format!("http://publisher.example/{status}");
        scene.hub.subscribe(&topic, callback.url()).active().await;
        assert_counts(
            &scene.hub.publish_text(&topic, "news").await,
            [1, 1, 0, 0, 0],
        );
        assert_eq!(callback.deliveries().len(), 1, "{status} is a success");
    }
    assert!(elsewhere.deliveries().is_empty());
}

#[tokio::test]
async fn hub_45_q_17_410_ends_the_subscription() {
    let scene = Scene::start().await;
    let leaving = scene.subscribed(TOPIC, "/leaving").await;
    let staying = scene.subscribed(TOPIC, "/staying").await;
    leaving.always(Reply::status(410));
    let answer = scene
        .hub
        .push(TOPIC, "text/plain", b"one")
        .await
        .expect(202);
    assert_counts(&scene.hub.ended(&answer).await, [2, 1, 0, 0, 1]);
    let missing = scene.hub.missing(&answer).await;
    assert_eq!(missing[0]["state"], "gone");
    assert_eq!(missing[0]["callback"], leaving.url());
    assert_eq!(missing[0]["last_attempt"]["status"], 410);
    assert_eq!(scene.hub.subscription(TOPIC, leaving.url()).await, None);
    assert_counts(&scene.hub.publish_text(TOPIC, "two").await, [1, 1, 0, 0, 0]);
    assert_eq!(leaving.deliveries().len(), 1);
    assert_eq!(staying.deliveries().len(), 2);
}

#[tokio::test]
async fn hub_46_what_the_answer_says_is_ignored() {
    let scene = Scene::start().await;
    let callback = scene.subscribed(TOPIC, "/cb").await;
    callback.script([
        Reply::ok("X-Hub-Mode: unsubscribe").header("Link", "<http://evil.example/>; rel=\"hub\""),
        Reply::ok(vec![b'x'; 200_000]),
        Reply::Flood,
    ]);
    for count in 1..=3 {
        let receipt = scene
            .hub
            .publish_text(TOPIC, &format!("number {count}"))
            .await;
        assert_counts(&receipt, [1, 1, 0, 0, 0]);
        assert_eq!(callback.deliveries().len(), count);
    }
}

#[tokio::test]
async fn hub_49_the_exact_callback_is_used() {
    let scene = Scene::start().await;
    let subscriber = Subscriber::start().await;
    let target = "/a%20b//c/%7Ed/%2F/?x=1&x=2&y=%26#".trim_end_matches('#');
    let callback = subscriber.callback(target);
    scene.hub.subscribe(TOPIC, callback.url()).active().await;
    scene.hub.publish_text(TOPIC, "news").await;
    assert_eq!(callback.delivery(1).await.target, target);
    assert_eq!(
        callback.delivery(1).await.header("host"),
        Some(&*format!("127.0.0.1:{}", subscriber.port()))
    );
}

#[tokio::test]
async fn q_11_content_length_never_chunked() {
    let scene = Scene::start().await;
    let callback = scene.subscribed(TOPIC, "/cb").await;
    for (number, size) in [1, 1_000, 70_000, 3_000_000].into_iter().enumerate() {
        let answer = scene
            .hub
            .push(TOPIC, "text/plain", &vec![b'n'; size])
            .await
            .expect(202);
        scene.hub.ended(&answer).await;
        let delivery = callback.delivery(number + 1).await;
        assert_eq!(delivery.headers.all("content-length"), [size.to_string()]);
        assert!(!delivery.headers.has("transfer-encoding"));
        assert!(!delivery.headers.has("content-encoding"));
        assert!(!delivery.headers.has("expect"));
        assert_eq!(delivery.body.len(), size);
    }
}

#[tokio::test]
async fn a_delivery_says_who_sends_it_and_has_an_id_of_its_own() {
    let scene = Scene::start().await;
    let one = scene.subscribed(TOPIC, "/one").await;
    let two = scene.subscribed(TOPIC, "/two").await;
    scene.hub.publish_text(TOPIC, "first").await;
    scene.hub.publish_text(TOPIC, "second").await;
    let mut ids = Vec::new();
    for callback in [one, two] {
        for delivery in callback.deliveries() {
            let agent = delivery.header("user-agent").expect("a User-Agent");
            assert_eq!(
                agent,
                format!("Fanfare/{} (+{})", env!("CARGO_PKG_VERSION"), scene.hub.url)
            );
            let id = delivery.header("x-fanfare-delivery").expect("an id");
            ids.push(uuid::Uuid::parse_str(id).expect("a UUID"));
        }
    }
    assert_eq!(ids.len(), 4);
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 4, "no two deliveries share an id");
}

#[tokio::test]
async fn only_who_was_active_when_it_was_accepted_gets_a_publication() {
    let scene = Scene::start().await;
    let early = scene.subscribed(TOPIC, "/early").await;
    early.script([Reply::status(500), Reply::status(500)]);
    let answer = scene
        .hub
        .push(TOPIC, "text/plain", b"news")
        .await
        .expect(202);
    let late = scene.subscribed(TOPIC, "/late").await;
    assert_counts(&scene.hub.ended(&answer).await, [1, 1, 0, 0, 0]);
    assert!(late.deliveries().is_empty());
}

#[tokio::test]
async fn many_subscribers_all_get_it_once() {
    let scene = Scene::start().await;
    let mut callbacks = Vec::new();
    for number in 0..150 {
        let callback = scene.subscriber.callback(&format!("/{number}"));
        scene
            .hub
            .subscribe(TOPIC, callback.url())
            .send()
            .await
            .expect(202);
        callbacks.push(callback);
    }
    let last = callbacks.last().expect("one").url();
    // New content each time: what some have got already is not sent to the others.
    let mut rounds = 0..;
    crate::support::eventually("all to be active", async || {
        scene.hub.subscription(TOPIC, last).await?;
        let question = format!("are you there? ({:?})", rounds.next());
        let receipt = scene.hub.publish_text(TOPIC, &question).await;
        (receipt["delivered"] == 150).then_some(())
    })
    .await;
    let before: Vec<_> = callbacks
        .iter()
        .map(|callback| callback.deliveries().len())
        .collect();
    assert_counts(
        &scene.hub.publish_text(TOPIC, "news").await,
        [150, 150, 0, 0, 0],
    );
    for (callback, before) in callbacks.iter().zip(before) {
        let deliveries = callback.deliveries();
        assert_eq!(deliveries.len(), before + 1);
        assert_eq!(deliveries[before].body, "news");
    }
}
