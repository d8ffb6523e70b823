//! What a hub refuses by its operator's wish (HUB-04, HUB-20), though the request is right.

use crate::support::{Hub, Scene, Subscriber, TOPIC};

#[tokio::test]
async fn hub_04_a_secret_over_plain_http_is_refused_or_logged_without_filling_the_log() {
    let subscriber = Subscriber::start().await;
    let callback = subscriber.callback("/cb");

    let lenient = Hub::start().await;
    // A stranger's request, which nobody confirms; and one on this machine, where nobody listens in.
    let strange = lenient.subscribe(TOPIC, "http://nobody.invalid/cb");
    strange.secret("hush").send().await.expect(202);
    let own = lenient.subscribe(TOPIC, callback.url()).secret("hush");
    own.active().await;
    let told: Vec<_> = lenient.output().lines().map(str::to_owned).collect();
    let told = told.into_iter().filter(|line| line.contains("secret"));
    assert_eq!(told.collect::<Vec<_>>(), [""; 0]);
    assert!(
        !lenient.output().contains("hush"),
        "a secret is never logged"
    );

    let strict = Hub::with(&[("subscriptions.insecure_secret", "refuse")]).await;
    let request = strict.subscribe(TOPIC, callback.url());
    request.send().await.expect(202);
    request
        .secret("hush")
        .send()
        .await
        .refuses(&["hub.secret", "https"]);
}

#[tokio::test]
async fn hub_20_q_46_topics_and_callbacks_are_refused_by_policy() {
    let scene = Scene::with(&[
        (
            "subscriptions.topic_hosts",
            "publisher.example,*.friends.example",
        ),
        (
            "subscriptions.callback_hosts_deny",
            "evil.example,*.worse.example",
        ),
    ])
    .await;
    let callback = scene.subscriber.callback("/cb");
    for topic in [
        "http://other.example/",
        "http://friends.example/",
        "http://publisher.example.net/",
    ] {
        let answer = scene.hub.subscribe(topic, callback.url()).send().await;
        answer.refuses(&["hub.topic", "publisher.example"]);
    }
    for host in ["evil.example", "much.worse.example:8080"] {
        let answer = scene
            .hub
            .subscribe(TOPIC, &format!("http://{host}/cb"))
            .send()
            .await;
        answer.refuses(&["hub.callback", host.split(':').next().unwrap()]);
    }
    for topic in [
        TOPIC,
        "https://publisher.example:444/x",
        "http://good.friends.example/",
    ] {
        scene.hub.subscribe(topic, callback.url()).active().await;
    }
}
