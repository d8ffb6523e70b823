//! The guard: a hub that is no developer's toy calls public addresses only, and those that its settings allow.

use crate::support::{Hub, Publisher, Reply, Scene, Subscriber, TOPIC};

/// A hub that others reach: it listens on loopback behind a proxy.
const PUBLIC: (&str, &str) = ("public_url", "http://hub.example/");

#[tokio::test]
async fn addresses_that_are_not_public_are_refused_at_once() {
    let hub = Hub::with(&[PUBLIC]).await;
    let subscriber = Subscriber::start().await;
    let port = subscriber.port();
    for host in [
        "127.0.0.1",
        "127.1.2.3",
        "2130706433",
        "0x7f.1",
        "0177.0.0.1",
        "0.0.0.0",
        "10.1.2.3",
        "100.64.0.1",
        "169.254.169.254",
        "172.16.0.1",
        "192.168.1.1",
        "224.0.0.1",
        "255.255.255.255",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "[fe80::1]",
        "[fd00:ec2::254]",
        "[ff02::1]",
    ] {
        let callback = format!("http://{host}:{port}/cb");
        hub.subscribe(TOPIC, &callback)
            .send()
            .await
            .refuses(&["hub.callback"]);
    }
    assert!(subscriber.requests().is_empty());
}

#[tokio::test]
async fn a_name_is_judged_by_where_it_leads() {
    let hub = Hub::with(&[PUBLIC]).await;
    let subscriber = Subscriber::start().await;
    for host in ["localhost", "LOCALHOST.", "localhost."] {
        let callback = format!("http://{host}:{}/cb", subscriber.port());
        let request = hub.subscribe(TOPIC, &callback).field("hub.verify", "sync");
        request.send().await.refuses(&[]);
        assert_eq!(hub.subscription(TOPIC, &callback).await, None);
    }
    assert!(subscriber.requests().is_empty());
}

#[tokio::test]
async fn callbacks_and_topics_have_lists_of_their_own() {
    let subscriber = Subscriber::start().await;
    let publisher = Publisher::start().await;
    let topic = format!("http://localhost:{}/feed", publisher.port());
    publisher.topic("/feed").says("internal");

    let hub = Hub::with(&[
        PUBLIC,
        ("network.callbacks_allow", "127.0.0.0/8"),
        ("fetch.retry", "50ms"),
    ])
    .await;
    let callback = subscriber.callback("/cb");
    hub.subscribe(&topic, callback.url()).active().await;
    let receipt = hub.publish(&topic).await;
    assert_eq!(receipt["state"], "failed", "{receipt:#}");
    assert!(publisher.requests().is_empty());

    let hub = Hub::with(&[PUBLIC, ("network.topics_allow", "127.0.0.0/8,::1")]).await;
    hub.subscribe(&topic, callback.url())
        .send()
        .await
        .refuses(&["hub.callback"]);
    assert_eq!(callback.verifications().len(), 1);

    let hub = Hub::with(&[
        PUBLIC,
        ("network.callbacks_allow", "127.0.0.1"),
        ("network.topics_allow", "127.0.0.1,::1"),
    ])
    .await;
    hub.subscribe(&topic, callback.url()).active().await;
    assert_eq!(hub.publish(&topic).await["delivered"], 1);
}

#[tokio::test]
async fn every_hop_of_a_fetch_is_checked() {
    let hub = Hub::with(&[
        PUBLIC,
        ("network.callbacks_allow", "127.0.0.0/8"),
        ("network.topics_allow", "127.0.0.2"),
        ("fetch.retry", "50ms"),
    ])
    .await;
    let outside = Publisher::start_on([127, 0, 0, 2].into()).await;
    let inside = Publisher::start().await;
    inside.topic("/secret").says("internal");
    let subscriber = Subscriber::start().await;
    for (path, location) in [
        (
            "/literal",
            format!("http://127.0.0.1:{}/secret", inside.port()),
        ),
        (
            "/named",
            format!("http://localhost:{}/secret", inside.port()),
        ),
        (
            "/mapped",
            format!("http://[::ffff:127.0.0.1]:{}/secret", inside.port()),
        ),
        ("/file", "file:///etc/passwd".to_owned()),
    ] {
        let topic = outside.topic(path);
        topic.serves(Reply::status(302).header("Location", &location));
        let callback = subscriber.callback(path);
        hub.subscribe(topic.url(), callback.url()).active().await;
        assert_eq!(
            hub.publish(topic.url()).await["state"],
            "failed",
            "{location}"
        );
        assert!(callback.deliveries().is_empty());
    }
    assert!(inside.requests().is_empty());
    let plain = outside.topic("/plain");
    plain.says("news");
    let callback = subscriber.callback("/plain");
    hub.subscribe(plain.url(), callback.url()).active().await;
    assert_eq!(hub.publish(plain.url()).await["delivered"], 1);
}

#[tokio::test]
async fn a_proxy_of_the_environment_is_not_a_way_around() {
    let proxy = Subscriber::start().await;
    let url = format!("http://127.0.0.1:{}", proxy.port());
    let scene = Scene::with(&[("HTTP_PROXY", &url), ("ALL_PROXY", &url)]).await;
    let topic = scene.publisher.topic("/feed");
    topic.says("news");
    let callback = scene.subscribed(topic.url(), "/cb").await;
    scene.hub.publish(topic.url()).await;
    callback.delivery(1).await;
    assert!(proxy.requests().is_empty());
}

#[tokio::test]
async fn a_developers_hub_calls_loopback_and_says_so() {
    let scene = Scene::start().await;
    scene.subscribed(TOPIC, "/cb").await;
    assert!(
        scene.hub.output().to_lowercase().contains("loopback"),
        "{}",
        scene.hub.output()
    );
    assert!(
        scene.hub.output().contains(&scene.hub.url),
        "{}",
        scene.hub.output()
    );
}
