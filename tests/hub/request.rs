//! The subscription request (checklist 1A): what is taken, what is refused and in which words. Nothing in here depends
//! on what a callback says.

use crate::support::{Reply, Scene, TOPIC};

#[tokio::test]
async fn hub_01_hub_16_q_31_every_path_takes_a_form_and_answers_202() {
    let scene = Scene::start().await;
    for (at, path) in [
        ("/", "/a"),
        ("/hub", "/b"),
        ("/subscribe", "/c"),
        ("/publish", "/d"),
    ] {
        let callback = scene.subscriber.callback(path);
        let subscribe = scene.hub.subscribe(TOPIC, callback.url()).at(at);
        subscribe.send().await.expect(202);
        let asked = callback.verification(1).await;
        assert_eq!(
            asked.param("hub.mode").as_deref(),
            Some("subscribe"),
            "{at}"
        );
        let unsubscribe = scene.hub.unsubscribe(TOPIC, callback.url()).at(at);
        subscribe.active().await;
        unsubscribe.gone().await;
    }
}

#[tokio::test]
async fn hub_07_what_is_not_understood_is_ignored() {
    let scene = Scene::start().await;
    let callback = scene.subscriber.callback("/cb");
    let request = scene
        .hub
        .subscribe(TOPIC, callback.url())
        .field("foo", "bar")
        .field("hub.foo", "hub.bar")
        .field("", "nameless")
        .field("hub.format", "json");
    request.active().await;
    assert_eq!(scene.hub.publish_text(TOPIC, "news").await["delivered"], 1);
}

#[tokio::test]
async fn hub_17_refusals_name_the_field_the_value_and_what_would_be_right() {
    let scene = Scene::start().await;
    let callback = scene.subscriber.callback("/cb");
    let good = [
        ("hub.mode", "subscribe"),
        ("hub.topic", TOPIC),
        ("hub.callback", callback.url()),
    ];
    let long_secret = "s".repeat(200);
    for (field, value, words) in [
        ("hub.mode", None, ["hub.mode", "subscribe"]),
        ("hub.mode", Some(""), ["hub.mode", "subscribe"]),
        ("hub.mode", Some("retrieve"), ["hub.mode", "retrieve"]),
        ("hub.topic", None, ["hub.topic", "missing"]),
        ("hub.topic", Some(""), ["hub.topic", "http"]),
        ("hub.topic", Some("/feed.xml"), ["hub.topic", "/feed.xml"]),
        (
            "hub.topic",
            Some("mailto:a@b.example"),
            ["hub.topic", "mailto"],
        ),
        (
            "hub.callback",
            None,
            ["hub.callback is missing", "https://you.example/callback"],
        ),
        (
            "hub.callback",
            Some("nonsense"),
            ["hub.callback", "nonsense"],
        ),
        (
            "hub.callback",
            Some("ftp://a.example/"),
            ["hub.callback", "ftp"],
        ),
        (
            "hub.callback",
            Some("http:///cb"),
            ["hub.callback", "http:///cb"],
        ),
        (
            "hub.callback",
            Some("http://u:p@a.example/"),
            ["hub.callback", "password"],
        ),
        (
            "hub.lease_seconds",
            Some("soon"),
            ["hub.lease_seconds", "soon"],
        ),
        (
            "hub.lease_seconds",
            Some("-60"),
            ["hub.lease_seconds", "-60"],
        ),
        (
            "hub.lease_seconds",
            Some("1.5"),
            ["hub.lease_seconds", "1.5"],
        ),
        (
            "hub.secret",
            Some(long_secret.as_str()),
            ["hub.secret", "200"],
        ),
        ("hub.signature", Some("md5"), ["hub.signature", "md5"]),
    ] {
        let mut fields: Vec<_> = good
            .into_iter()
            .filter(|(name, _)| *name != field)
            .collect();
        fields.extend(value.map(|value| (field, value)));
        scene.hub.post("/", &fields).await.refuses(&words);
    }
    scene.hub.subscribe(TOPIC, callback.url()).active().await;
    assert_eq!(
        callback.verifications().len(),
        1,
        "the good request is the only one that counts"
    );
}

#[tokio::test]
async fn what_can_be_said_once_only_is_not_said_twice() {
    let scene = Scene::start().await;
    let callback = scene.subscriber.callback("/cb");
    for (field, value) in [
        ("hub.topic", "http://other.example/feed"),
        ("hub.callback", "http://other.example/cb"),
        ("hub.mode", "unsubscribe"),
        ("hub.lease_seconds", "61"),
    ] {
        let request = scene.hub.subscribe(TOPIC, callback.url()).lease(60);
        let answer = request.field(field, value).send().await;
        answer.refuses(&[field, "two different values", value]);
    }
    let request = scene
        .hub
        .subscribe(TOPIC, callback.url())
        .secret("hushhush");
    let answer = request.secret("hush").send().await;
    assert!(!answer.text().contains("hush"), "{}", answer.text());
    answer.refuses(&["hub.secret", "two different values"]);
    let same = scene.hub.subscribe(TOPIC, callback.url());
    same.field("hub.topic", TOPIC).active().await;
}

#[tokio::test]
async fn q_20_without_a_mode_nothing_is_done() {
    let scene = Scene::start().await;
    let callback = scene.subscribed(TOPIC, "/cb").await;
    let modeless = [("hub.topic", TOPIC), ("hub.callback", callback.url())];
    scene.hub.post("/", &modeless).await.refuses(&["hub.mode"]);
    scene.hub.post("/", &[]).await.refuses(&["hub.mode"]);
    assert_eq!(
        scene.hub.publish_text(TOPIC, "still there").await["delivered"],
        1
    );
    assert_eq!(callback.verifications().len(), 1);
}

#[tokio::test]
async fn hub_03_a_secret_is_below_200_bytes_not_characters() {
    let scene = Scene::start().await;
    let callback = scene.subscriber.callback("/cb");
    let with = async |secret: &str| {
        scene
            .hub
            .subscribe(TOPIC, callback.url())
            .secret(secret)
            .send()
            .await
    };
    with(&"é".repeat(100)).await.refuses(&["hub.secret", "200"]);
    with(&"s".repeat(5_000)).await.refuses(&["hub.secret"]);
    with(&"é".repeat(99)).await.expect(202);
    with(&"s".repeat(199)).await.expect(202);
}

#[tokio::test]
async fn hub_13_topics_are_free_form() {
    let scene = Scene::start().await;
    for (number, topic) in [
        "http://publisher.example",
        "http://publisher.example:8081/feed?tag=a&tag=b&",
        "https://publisher.example/#css(.entry)",
        "http://publisher.example/a%20b/%7Ejane/%2F?x=%26",
        "HTTP://Publisher.Example/Feed",
        "http://[2606:4700::7]/feed",
        "http://publisher.example/?url=http://other.example/feed",
    ]
    .into_iter()
    .enumerate()
    {
        let callback = scene.subscriber.callback(&format!("/{number}"));
        scene.hub.subscribe(topic, callback.url()).active().await;
        let asked = callback.verification(1).await;
        assert_eq!(
            asked.param("hub.topic").as_deref(),
            Some(topic),
            "byte for byte"
        );
    }
}

#[tokio::test]
async fn hub_14_two_spellings_of_a_url_are_one_topic() {
    let scene = Scene::start().await;
    let encoded = scene.publisher.topic("/%7Ejane/f%65ed");
    encoded.says("news");
    let plain = scene.publisher.topic("/~jane/feed");
    plain.says("news");
    let callback = scene.subscribed(encoded.url(), "/cb").await;
    assert_eq!(scene.hub.publish(plain.url()).await["delivered"], 1);
    assert_eq!(callback.delivery(1).await.body, "news");
}

#[tokio::test]
async fn hub_15_q_44_the_callbacks_query_string_is_preserved() {
    let scene = Scene::start().await;
    for (number, query) in [
        "user=7",
        "hub.mode=mine&hub.challenge=mine&hub.topic=mine",
        "a=1&a=2&&flag&empty=",
        "enc=%2F%20%C3%A9+%26&slash=/?",
        "topic=http%3A%2F%2Fpublisher.example%2Ffeed&hub=http%3A%2F%2Fhub.example%2F",
    ]
    .into_iter()
    .enumerate()
    {
        let target = format!("/{number}?{query}");
        let callback = scene.subscribed(TOPIC, &target).await;
        let asked = callback.verification(1).await;
        assert!(
            asked
                .target
                .starts_with(&format!("{target}&hub.mode=subscribe&")),
            "{}",
            asked.target
        );

        scene.hub.publish_text(TOPIC, &target).await;
        let delivery = callback.delivery(1).await;
        assert_eq!(delivery.target, target);
        assert_eq!(delivery.body, target, "the query does not go into the body");

        scene.hub.unsubscribe(TOPIC, callback.url()).gone().await;
        let asked = callback.verification(2).await;
        assert!(
            asked
                .target
                .starts_with(&format!("{target}&hub.mode=unsubscribe&")),
            "{}",
            asked.target
        );
    }
}

#[tokio::test]
async fn hub_15_a_callback_with_an_empty_query_gets_a_readable_one() {
    let scene = Scene::start().await;
    for target in ["/none", "/empty?"] {
        let callback = scene.subscribed(TOPIC, target).await;
        let asked = callback.verification(1).await;
        assert_eq!(
            asked.params()[0],
            ("hub.mode".to_owned(), "subscribe".to_owned()),
            "{}",
            asked.target
        );
    }
}

#[tokio::test]
async fn hub_18_q_42_the_answer_does_not_depend_on_the_callback() {
    let scene = Scene::start().await;
    let nobody = format!("http://{}/", crate::support::hub::free_address());
    let silent = scene.subscriber.callback("/silent");
    silent.confirm_with(|_| Reply::Hang);
    let refusing = scene.subscriber.callback("/refusing");
    refusing.confirm_with(|_| Reply::status(404));
    let willing = scene.subscriber.callback("/willing");
    let mut answers = Vec::new();
    for callback in [nobody.as_str(), silent.url(), refusing.url(), willing.url()] {
        let answer = scene
            .hub
            .subscribe(TOPIC, callback)
            .send()
            .await
            .expect(202);
        answers.push(answer.text());
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "one text for all: {answers:?}");
}

#[tokio::test]
async fn hub_19_a_slow_callback_does_not_keep_others_from_being_verified() {
    let scene = Scene::with(&[("subscriptions.verify_timeout", "20s")]).await;
    for number in 0..20 {
        let silent = scene.subscriber.callback(&format!("/silent{number}"));
        silent.confirm_with(|_| Reply::Hang);
        scene
            .hub
            .subscribe(TOPIC, silent.url())
            .send()
            .await
            .expect(202);
    }
    let begun = std::time::Instant::now();
    scene.subscribed(TOPIC, "/cb").await;
    assert!(
        begun.elapsed().as_secs() < 15,
        "it waited for the silent ones"
    );
}

#[tokio::test]
async fn a_202_is_durable() {
    let mut scene = Scene::start().await;
    let callback = scene.subscriber.callback("/cb");
    scene
        .hub
        .subscribe(TOPIC, callback.url())
        .send()
        .await
        .expect(202);
    scene.hub.kill9().await;
    scene.hub.start_again().await;
    crate::support::eventually("the subscription", async || {
        scene.hub.subscription(TOPIC, callback.url()).await
    })
    .await;
    assert_eq!(scene.hub.publish_text(TOPIC, "news").await["delivered"], 1);
}
