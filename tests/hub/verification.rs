//! Verification of intent (checklist 1B): what the hub asks a callback, and what it makes of the answer.

use std::collections::HashSet;

use crate::support::receipts::assert_counts;
use crate::support::{Callback, Reply, Request, Scene, TOPIC, eventually};

/// A topic with all that must come back byte for byte.
const ODD_TOPIC: &str = "http://publisher.example/f%C3%A9ed?a=b&c=d+e&f=%2B;g#frag";

#[tokio::test]
async fn hub_23_hub_26_a_verification_asks_for_exactly_what_was_requested() {
    let scene = Scene::start().await;
    let callback = scene.subscriber.callback("/cb?own=1");
    scene
        .hub
        .subscribe(ODD_TOPIC, callback.url())
        .lease(7_777)
        .active()
        .await;
    let subscribe = callback.verification(1).await;
    assert_eq!(subscribe.method, "GET");
    assert_eq!(subscribe.param("hub.mode").as_deref(), Some("subscribe"));
    assert_eq!(subscribe.param("hub.topic").as_deref(), Some(ODD_TOPIC));
    assert_eq!(
        subscribe.param("hub.lease_seconds").as_deref(),
        Some("7777")
    );
    assert!(subscribe.param("hub.challenge").is_some());

    scene
        .hub
        .unsubscribe(ODD_TOPIC, callback.url())
        .gone()
        .await;
    let unsubscribe = callback.verification(2).await;
    assert_eq!(
        unsubscribe.param("hub.mode").as_deref(),
        Some("unsubscribe")
    );
    assert_eq!(unsubscribe.param("hub.topic").as_deref(), Some(ODD_TOPIC));
    assert!(unsubscribe.param("hub.challenge").is_some());

    for request in [subscribe, unsubscribe] {
        assert!(request.body.is_empty());
        assert!(!request.headers.has("transfer-encoding"));
        let mut names: Vec<_> = request.params().into_iter().map(|(name, _)| name).collect();
        let count = names.len();
        names.sort();
        names.dedup();
        assert_eq!(
            names.len(),
            count,
            "each parameter once: {}",
            request.target
        );
        assert!(!names.contains(&"hub.verify_token".to_owned()));
    }
}

#[tokio::test]
async fn hub_27_hub_28_hub_29_challenges_are_short_random_and_of_the_alphabet() {
    let scene = Scene::start().await;
    let callback = scene.subscriber.callback("/cb");
    let mut seen = HashSet::new();
    for count in 1..=8 {
        scene.hub.subscribe(TOPIC, callback.url()).active().await;
        let challenge = challenge(&callback.verification(count).await);
        assert!((32..=64).contains(&challenge.len()), "{challenge}");
        assert!(
            challenge
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "+-./=_".contains(c)),
            "{challenge}"
        );
        let stem = challenge[..16].to_owned();
        assert!(
            seen.insert(stem),
            "a challenge is random from its first character on"
        );
    }
}

#[tokio::test]
async fn hub_30_q_12_q_17_every_answer_that_is_not_2xx_is_a_definite_no() {
    let scene = Scene::start().await;
    let statuses = [
        300, 301, 302, 303, 307, 308, 400, 401, 403, 404, 408, 410, 418, 429, 500, 502, 503, 504,
    ];
    let mut asked = Vec::new();
    for status in statuses {
        let callback = scene.subscriber.callback(&format!("/{status}"));
        callback.confirm_with(move |challenge| Reply::status(status).body(challenge));
        scene
            .hub
            .subscribe(TOPIC, callback.url())
            .send()
            .await
            .expect(202);
        callback.verification(1).await;
        asked.push(callback);
    }
    nobody_was_subscribed(&scene, &asked).await;
}

#[tokio::test]
async fn hub_30_a_redirect_is_not_followed() {
    let scene = Scene::start().await;
    let elsewhere = scene.subscriber.callback("/elsewhere");
    let mut asked = Vec::new();
    for status in [301, 302, 303, 307, 308] {
        let callback = scene.subscriber.callback(&format!("/{status}"));
        let target = elsewhere.url().to_owned();
        callback.confirm_with(move |challenge| {
            let location = format!("{target}?hub.challenge={challenge}");
            Reply::status(status)
                .header("Location", &location)
                .body(challenge)
        });
        scene
            .hub
            .subscribe(TOPIC, callback.url())
            .send()
            .await
            .expect(202);
        callback.verification(1).await;
        asked.push(callback);
    }
    nobody_was_subscribed(&scene, &asked).await;
    assert!(elsewhere.verifications().is_empty());
}

#[tokio::test]
async fn hub_31_an_answer_that_does_not_repeat_the_challenge_is_a_no() {
    let scene = Scene::start().await;
    type Distort = fn(&str) -> String;
    let distortions: [(&str, Distort); 6] = [
        ("/nothing", |_| String::new()),
        ("/blank", |_| "  \n".to_owned()),
        ("/other", |_| "yes, please".to_owned()),
        ("/more", |challenge| format!("{challenge}x")),
        ("/less", |challenge| challenge[1..].to_owned()),
        ("/page", |challenge| {
            format!("<html><body>{challenge}</body></html>")
        }),
    ];
    let mut asked = Vec::new();
    for (path, distort) in distortions {
        let callback = scene.subscriber.callback(path);
        callback.confirm_with(move |challenge| Reply::ok(distort(challenge)));
        scene
            .hub
            .subscribe(TOPIC, callback.url())
            .send()
            .await
            .expect(202);
        callback.verification(1).await;
        asked.push(callback);
    }
    nobody_was_subscribed(&scene, &asked).await;
}

#[tokio::test]
async fn q_15_the_type_and_the_2xx_of_the_answer_do_not_matter() {
    let scene = Scene::start().await;
    for (path, status, kind) in [
        ("/html", 200, Some("text/html; charset=utf-8")),
        ("/none", 200, None),
        ("/octets", 200, Some("application/octet-stream")),
        ("/json", 201, Some("application/json")),
        ("/accepted", 202, Some("text/plain")),
    ] {
        let callback = scene.subscriber.callback(path);
        callback.confirm_with(move |challenge| {
            let reply = Reply::status(status).body(challenge);
            kind.into_iter()
                .fold(reply, |reply, kind| reply.header("Content-Type", kind))
        });
        scene.hub.subscribe(TOPIC, callback.url()).active().await;
    }
}

#[tokio::test]
async fn q_15_an_endless_answer_is_read_for_a_few_kilobytes_only() {
    let scene = Scene::start().await;
    let flood = scene.subscriber.callback("/flood");
    flood.confirm_with(|_| Reply::Flood);
    let drip = scene.subscriber.callback("/drip");
    drip.confirm_with(|_| Reply::Drip);
    for callback in [&flood, &drip] {
        scene
            .hub
            .subscribe(TOPIC, callback.url())
            .send()
            .await
            .expect(202);
        callback.verification(1).await;
    }
    scene.subscribed(TOPIC, "/cb").await;
    assert_counts(
        &scene.hub.publish_text(TOPIC, "news").await,
        [1, 1, 0, 0, 0],
    );
}

#[tokio::test]
async fn q_14_white_space_around_the_challenge_is_forgiven_unless_forbidden() {
    for trim in [true, false] {
        let scene = Scene::with(&[("compat.trim_challenge", &trim.to_string())]).await;
        let callback = scene.subscriber.callback("/cb");
        callback.confirm_with(|challenge| Reply::ok(format!("\r\n {challenge}\n\n")));
        scene
            .hub
            .subscribe(TOPIC, callback.url())
            .send()
            .await
            .expect(202);
        callback.verification(1).await;
        if trim {
            eventually("the subscription", async || {
                scene.hub.subscription(TOPIC, callback.url()).await
            })
            .await;
        } else {
            nobody_was_subscribed(&scene, &[callback]).await;
        }
    }
}

#[tokio::test]
async fn hub_74_only_who_does_not_answer_is_asked_again() {
    let scene = Scene::with(&[("subscriptions.verify_timeout", "1s")]).await;
    for (path, silence) in [("/close", Reply::Close), ("/hang", Reply::Hang)] {
        let callback = scene.subscriber.callback(path);
        let mut first = Some(silence);
        callback
            .confirm_with(move |challenge| first.take().unwrap_or_else(|| Reply::ok(challenge)));
        scene.hub.subscribe(TOPIC, callback.url()).active().await;
        assert!(callback.verifications().len() >= 2);
    }
}

#[tokio::test]
async fn hub_74_a_callback_that_never_answers_is_abandoned_with_its_state_unchanged() {
    let scene = Scene::start().await;
    let callback = scene.subscribed(TOPIC, "/cb").await;
    callback.confirm_with(|_| Reply::Close);
    scene
        .hub
        .unsubscribe(TOPIC, callback.url())
        .send()
        .await
        .expect(202);
    // The first request and one for each of the three delays of the tests' schedule.
    callback.verification(1 + 1 + 3).await;
    scene.retries_are_over("/later").await;
    assert_counts(
        &scene.hub.publish_text(TOPIC, "news").await,
        [2, 2, 0, 0, 0],
    );
    callback.delivery(1).await;
}

/// Each was asked once, has no subscription, and got nothing.
async fn nobody_was_subscribed(scene: &Scene, callbacks: &[Callback]) {
    scene.retries_are_over("/marker").await;
    assert_counts(
        &scene.hub.publish_text(TOPIC, "news").await,
        [1, 1, 0, 0, 0],
    );
    for callback in callbacks {
        assert_eq!(callback.verifications().len(), 1, "{}", callback.url());
        assert!(callback.deliveries().is_empty(), "{}", callback.url());
    }
}

fn challenge(request: &Request) -> String {
    request.param("hub.challenge").expect("a challenge")
}
