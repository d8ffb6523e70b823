//! PubSubHubbub 0.3 (checklist 1E): synchronous verification, tokens, and what else old clients rely on.

use crate::support::{Callback, Reply, Response, Scene, TOPIC};

async fn subscribe(scene: &Scene, callback: &Callback, keywords: &[&str]) -> Response {
    let request = scene.hub.subscribe(TOPIC, callback.url());
    let request = keywords.iter().fold(request, |request, keyword| {
        request.field("hub.verify", keyword)
    });
    request.send().await
}

#[tokio::test]
async fn hub_71_a_synchronous_request_is_verified_before_it_is_answered_204() {
    let scene = Scene::start().await;
    let callback = scene.subscriber.callback("/cb");
    let answer = subscribe(&scene, &callback, &["sync"]).await.expect(204);
    assert!(answer.body.is_empty());
    assert_eq!(callback.verifications().len(), 1);
    assert!(
        scene
            .hub
            .subscription(TOPIC, callback.url())
            .await
            .is_some(),
        "active when it is answered"
    );

    let leave = scene
        .hub
        .unsubscribe(TOPIC, callback.url())
        .field("hub.verify", "sync");
    leave.send().await.expect(204);
    assert_eq!(leave.known().await, None);
    assert_eq!(
        callback.verification(2).await.param("hub.mode").as_deref(),
        Some("unsubscribe")
    );
}

#[tokio::test]
async fn hub_71_a_204_is_durable() {
    let mut scene = Scene::start().await;
    let callback = scene.subscriber.callback("/cb");
    subscribe(&scene, &callback, &["sync"]).await.expect(204);
    scene.hub.kill9().await;
    scene.hub.start_again().await;
    assert!(
        scene
            .hub
            .subscription(TOPIC, callback.url())
            .await
            .is_some()
    );
}

#[tokio::test]
async fn hub_71_q_01_a_synchronous_failure_is_409_in_words_without_another_try() {
    let scene = Scene::with(&[("subscriptions.verify_timeout", "1s")]).await;
    let mut asked = Vec::new();
    for (path, reply) in [
        ("/missing", Reply::status(404)),
        ("/wrong", Reply::ok("wrong")),
        ("/redirect", Reply::status(302).header("Location", "/cb")),
        ("/close", Reply::Close),
        ("/hang", Reply::Hang),
    ] {
        let callback = scene.subscriber.callback(path);
        callback.confirm_with(move |_| reply.clone());
        let answer = subscribe(&scene, &callback, &["sync"]).await.expect(409);
        answer.refuses(&[]);
        assert!(!answer.text().is_empty(), "{path}: says why");
        asked.push(callback);
    }
    scene.retries_are_over("/later").await;
    for callback in asked {
        assert_eq!(callback.verifications().len(), 1, "{}", callback.url());
        assert_eq!(scene.hub.subscription(TOPIC, callback.url()).await, None);
    }
}

#[tokio::test]
async fn hub_71_a_synchronous_failure_leaves_the_state_as_it_was() {
    let scene = Scene::start().await;
    let callback = scene.subscribed(TOPIC, "/cb").await;
    callback.confirm_with(|_| Reply::status(404));
    let leave = scene
        .hub
        .unsubscribe(TOPIC, callback.url())
        .field("hub.verify", "sync");
    leave.send().await.expect(409);
    assert_eq!(scene.hub.publish_text(TOPIC, "news").await["delivered"], 1);
}

#[tokio::test]
async fn hub_70_hub_72_the_first_understood_keyword_decides() {
    let scene = Scene::start().await;
    for (number, (keywords, status)) in [
        (&["sync"][..], 204),
        (&["async"], 202),
        (&["sync", "async"], 204),
        (&["async", "sync"], 202),
        (&["magic", "sync"], 204),
        (&["magic", "async", "sync"], 202),
        (&["magic"], 202),
        (&[""], 202),
        (&[], 202),
    ]
    .into_iter()
    .enumerate()
    {
        let callback = scene.subscriber.callback(&format!("/{number}"));
        let answer = subscribe(&scene, &callback, keywords).await;
        assert_eq!(answer.status, status, "{keywords:?}");
        callback.verification(1).await;
    }
}

#[tokio::test]
async fn hub_72_synchronous_verification_can_be_turned_off() {
    let scene = Scene::with(&[("compat.sync_verify", "false")]).await;
    let callback = scene.subscriber.callback("/cb");
    callback.confirm_with(|_| Reply::Hang);
    subscribe(&scene, &callback, &["sync"]).await.expect(202);
    callback.verification(1).await;
}

#[tokio::test]
async fn hub_73_q_06_a_verify_token_comes_back_unless_it_is_empty() {
    let scene = Scene::start().await;
    for (path, token, expected) in [
        ("/token", Some("t=k & ü+%41"), Some("t=k & ü+%41")),
        ("/empty", Some(""), None),
        ("/none", None, None),
    ] {
        let callback = scene.subscriber.callback(path);
        let request = scene.hub.subscribe(TOPIC, callback.url());
        let request = token.into_iter().fold(request, |request, token| {
            request.field("hub.verify_token", token)
        });
        request.send().await.expect(202);
        assert_eq!(
            callback
                .verification(1)
                .await
                .param("hub.verify_token")
                .as_deref(),
            expected
        );
    }
}

#[tokio::test]
async fn hub_77_a_callback_has_no_fragment() {
    let scene = Scene::start().await;
    let callback = scene.subscriber.callback("/cb");
    let url = format!("{}#there", callback.url());
    scene
        .hub
        .subscribe(TOPIC, &url)
        .send()
        .await
        .refuses(&["hub.callback", "there"]);
}

#[tokio::test]
async fn hub_63_the_from_header_is_kept_for_the_administrator() {
    let scene = Scene::start().await;
    let callback = scene.subscriber.callback("/cb");
    let request = scene
        .hub
        .subscribe(TOPIC, callback.url())
        .header("From", "jane@reader.example");
    assert_eq!(request.active().await["from"], "jane@reader.example");
    let again = scene.hub.subscribe(TOPIC, callback.url()).active().await;
    assert!(again["from"].is_null());
}
