//! What the suite of progrium/pubsubhubbub-testsuite asserts (section 1G of the checklist), save the two assertions
//! that contradict the Recommendation: that a request without `hub.verify`, or a topic with a fragment, is refused.

use crate::support::{Hub, Reply, Scene, TOPIC};

const FAILURES: [u16; 32] = [
    300, 301, 302, 303, 304, 305, 306, 307, 400, 401, 402, 403, 404, 405, 406, 407, 408, 409, 410,
    411, 412, 413, 414, 415, 416, 417, 500, 501, 502, 503, 504, 505,
];

#[tokio::test]
async fn hub_30_hub_71_all_of_these_are_failures_of_a_synchronous_verification() {
    let scene = Scene::start().await;
    for status in FAILURES {
        let callback = scene.subscriber.callback(&format!("/{status}"));
        callback.confirm_with(move |challenge| Reply::status(status).body(challenge));
        let request = scene
            .hub
            .subscribe(TOPIC, callback.url())
            .field("hub.verify", "sync");
        let answer = request.send().await;
        assert!(
            (400..600).contains(&answer.status),
            "{status} was answered with {}",
            answer.status
        );
        assert_eq!(answer.status, 409);
    }
}

#[tokio::test]
async fn hub_10_repeated_failures_leave_a_subscription_as_it_is() {
    let scene = Scene::start().await;
    let callback = scene.subscribed(TOPIC, "/cb").await;
    callback.confirm_with(|_| Reply::status(500));
    for mode in ["subscribe", "unsubscribe", "subscribe", "unsubscribe"] {
        let fields = [
            ("hub.mode", mode),
            ("hub.topic", TOPIC),
            ("hub.callback", callback.url()),
            ("hub.verify", "sync"),
        ];
        scene.hub.post("/", &fields).await.expect(409);
    }
    assert_eq!(scene.hub.publish_text(TOPIC, "news").await["delivered"], 1);
}

#[tokio::test]
async fn hub_15_a_challenge_of_the_callbacks_own_stays_first_and_untouched() {
    let scene = Scene::start().await;
    let callback = scene.subscriber.callback("/cb?hub.challenge=mine&foo=bar");
    let request = scene
        .hub
        .subscribe(TOPIC, callback.url())
        .field("hub.verify", "sync");
    request.send().await.expect(204);
    let asked = callback.verification(1).await;
    assert!(
        asked.query().starts_with("hub.challenge=mine&foo=bar&"),
        "{}",
        asked.target
    );
    assert_ne!(asked.param("hub.challenge").as_deref(), Some("mine"));
    assert!(asked.body.is_empty(), "no body on a verification");
}

#[tokio::test]
async fn hub_01_a_get_and_a_json_post_are_refused() {
    let hub = Hub::start().await;
    for mode in ["subscribe", "publish"] {
        let answer = hub
            .get(&format!("/?hub.mode={mode}&hub.topic=x&hub.callback=y"))
            .await;
        assert!((400..500).contains(&answer.status), "{}", answer.status);
    }
    for method in ["PUT", "DELETE", "PATCH"] {
        let answer = hub
            .request(
                method,
                "/",
                &[("Content-Type", crate::support::client::FORM)],
                b"hub.mode=publish",
            )
            .await;
        assert!(
            (400..500).contains(&answer.status),
            "{method}: {}",
            answer.status
        );
    }
    let json = [("Content-Type", "application/json")];
    let answer = hub
        .request("POST", "/?hub.mode=publish", &json, b"{}")
        .await;
    assert!((400..500).contains(&answer.status), "{}", answer.status);
}

#[tokio::test]
async fn hub_79_a_publication_reaches_who_subscribed_and_is_fetched_with_get() {
    let scene = Scene::start().await;
    let topic = scene.publisher.topic("/feed");
    topic.says("news");
    let callback = scene.subscribed(topic.url(), "/cb").await;
    scene.hub.ping(&[topic.url()]).await.expect(204);
    callback.delivery(1).await;
    assert_eq!(topic.fetch(1).await.method, "GET");
}
