//! Requests that overtake each other (checklist 1A, 1E): an older one never undoes a newer one that has been verified,
//! whichever way the two were verified. And policy holds for `hub.verify=sync` as for everyone.

use std::time::Duration;

use futures_util::future::join_all;

use crate::support::publisher::links;
use crate::support::subscribing::Subscribing;
use crate::support::{Callback, Hub, Reply, Response, Scene, TOPIC, eventually};

/// How long the callback of an older request takes to confirm it.
const SLOWLY: Duration = Duration::from_secs(1);

#[tokio::test]
async fn hub_09_hub_71_an_older_unsubscription_does_not_undo_a_newer_synchronous_subscription() {
    let scene = Scene::start().await;
    let callback = scene.subscribed(TOPIC, "/cb").await;
    confirm_the_first_slowly(&callback);
    let older = scene.hub.unsubscribe(TOPIC, callback.url());
    older.send().await.expect(202);
    callback.verification(2).await;
    let newer = scene.hub.subscribe(TOPIC, callback.url()).secret("new");
    in_sync(newer).await.expect(204);
    what_is_slow_is_over(&scene).await;
    assert!(older.known().await.is_some(), "the newer request counts");
    scene.hub.publish_text(TOPIC, "news").await;
    super::signature::assert_signed(&callback.delivery(1).await, "sha1", "new");
}

#[tokio::test]
async fn hub_09_hub_71_an_older_subscription_does_not_undo_a_newer_synchronous_one() {
    let scene = Scene::start().await;
    let callback = scene.subscriber.callback("/cb");
    confirm_the_first_slowly(&callback);
    let older = scene.hub.subscribe(TOPIC, callback.url()).secret("old");
    older.send().await.expect(202);
    callback.verification(1).await;
    let newer = scene.hub.subscribe(TOPIC, callback.url()).secret("new");
    in_sync(newer).await.expect(204);
    what_is_slow_is_over(&scene).await;
    scene.hub.publish_text(TOPIC, "news").await;
    super::signature::assert_signed(&callback.delivery(1).await, "sha1", "new");
}

#[tokio::test]
async fn hub_09_hub_71_an_older_subscription_does_not_undo_a_newer_synchronous_unsubscription() {
    let scene = Scene::start().await;
    let callback = scene.subscriber.callback("/cb");
    confirm_the_first_slowly(&callback);
    let older = scene.hub.subscribe(TOPIC, callback.url());
    older.send().await.expect(202);
    callback.verification(1).await;
    in_sync(scene.hub.unsubscribe(TOPIC, callback.url()))
        .await
        .expect(204);
    what_is_slow_is_over(&scene).await;
    assert_eq!(older.known().await, None);
}

#[tokio::test]
async fn hub_09_an_older_request_that_waits_for_its_next_try_does_not_undo_a_newer_one() {
    let scene = Scene::with(&[("subscriptions.verify_retry", "1s,1s,1s")]).await;
    let leaving = scene.subscribed(TOPIC, "/leaving").await;
    let renewing = scene.subscribed(TOPIC, "/renewing").await;
    let synchronous = scene.subscribed(TOPIC, "/synchronous").await;
    for callback in [&leaving, &renewing, &synchronous] {
        be_silent(callback, 1);
    }
    let subscribe = |callback: &Callback| scene.hub.subscribe(TOPIC, callback.url());
    for older in [
        scene.hub.unsubscribe(TOPIC, leaving.url()),
        subscribe(&renewing).secret("old"),
        scene.hub.unsubscribe(TOPIC, synchronous.url()),
    ] {
        older.send().await.expect(202);
    }
    for callback in [&leaving, &renewing, &synchronous] {
        callback.verification(2).await;
    }
    in_sync(subscribe(&synchronous).secret("new"))
        .await
        .expect(204);
    subscribe(&leaving).secret("new").active().await;
    subscribe(&renewing).secret("new").active().await;

    // Silent twice, and begun later: once this one is active, the older ones have been tried again.
    let marker = scene.subscriber.callback("/marker");
    be_silent(&marker, 2);
    scene.hub.subscribe(TOPIC, marker.url()).active().await;
    scene.hub.publish_text(TOPIC, "news").await;
    for callback in [&leaving, &renewing, &synchronous] {
        super::signature::assert_signed(&callback.delivery(1).await, "sha1", "new");
    }
}

#[tokio::test]
async fn hub_09_an_older_request_that_waits_over_a_crash_does_not_undo_a_newer_one() {
    let mut scene = Scene::with(&[("subscriptions.verify_retry", "2s,2s,2s")]).await;
    let renewed = scene.subscribed(TOPIC, "/renewed").await;
    let left = scene.subscribed(TOPIC, "/left").await;
    for callback in [&renewed, &left] {
        be_silent(callback, 1);
        let older = scene.hub.unsubscribe(TOPIC, callback.url());
        older.send().await.expect(202);
        callback.verification(2).await;
    }
    let newer = scene.hub.subscribe(TOPIC, renewed.url()).secret("new");
    in_sync(newer).await.expect(204);
    scene.hub.kill9().await;
    scene.hub.start_again().await;

    let marker = scene.subscriber.callback("/marker");
    be_silent(&marker, 2);
    scene.hub.subscribe(TOPIC, marker.url()).active().await;
    let known = async |callback: &Callback| scene.hub.subscription(TOPIC, callback.url()).await;
    assert_eq!(known(&left).await, None, "what waited is tried again");
    assert!(known(&renewed).await.is_some(), "the newer request counts");
}

#[tokio::test]
async fn hub_22_hub_71_a_synchronous_request_is_validated_too() {
    let scene = Scene::with(&[("subscriptions.validate_topics", "true")]).await;
    let foreign = scene.publisher.topic("/foreign");
    foreign
        .serves(Reply::ok("x").header("Link", &links(foreign.url(), "http://other-hub.example/")));
    let callback = scene.subscriber.callback("/cb");
    let request = scene.hub.subscribe(foreign.url(), callback.url());
    let answer = in_sync(scene.hub.subscribe(foreign.url(), callback.url())).await;
    assert!([403, 409].contains(&answer.status), "{}", answer.status);
    answer.refuses(&[foreign.url(), "hub"]);
    assert_eq!(request.known().await, None);
    assert!(callback.verifications().is_empty(), "nothing to confirm");

    let good = scene.publisher.topic("/good");
    good.serves(Reply::ok("x").header("Link", &links(good.url(), &scene.hub.url)));
    in_sync(scene.hub.subscribe(good.url(), callback.url()))
        .await
        .expect(204);
}

#[tokio::test]
async fn hub_71_synchronous_requests_at_once_share_the_room_at_a_host() {
    let (scene, callback) = a_narrow_host().await;
    let requests = topics().map(|topic| in_sync(scene.hub.subscribe(&topic, callback.url())));
    let answers = join_all(requests).await;
    let (taken, refused): (Vec<_>, Vec<_>) =
        answers.into_iter().partition(|answer| answer.status == 204);
    assert_eq!(taken.len(), 2);
    for answer in refused {
        answer.refuses(&["127.0.0.1", "2"]);
    }
    assert_eq!(active(&scene.hub).await, 2);
}

#[tokio::test]
async fn requests_at_once_share_the_room_at_a_host() {
    let (scene, callback) = a_narrow_host().await;
    let requests = topics().map(|topic| {
        let request = scene.hub.subscribe(&topic, callback.url());
        async move { request.send().await }
    });
    for answer in join_all(requests).await {
        answer.expect(202);
    }
    eventually("four denials", async || {
        (callback.denials().len() == 4).then_some(())
    })
    .await;
    eventually("two subscriptions", async || {
        (active(&scene.hub).await == 2).then_some(())
    })
    .await;
}

/// A hub that allows two subscriptions at a host, and a callback whose confirmations all come when the others' do.
async fn a_narrow_host() -> (Scene, Callback) {
    let scene = Scene::with(&[("limits.subscriptions_per_callback_host", "2")]).await;
    let callback = scene.subscriber.callback("/cb");
    callback.confirm_with(|challenge| Reply::ok(challenge).after(Duration::from_millis(300)));
    (scene, callback)
}

fn topics() -> impl Iterator<Item = String> {
    (0..6).map(|number| format!("http://publisher.example/{number}"))
}

async fn active(hub: &Hub) -> usize {
    let page = hub.admin_get("/api/v1/subscriptions?limit=100").await;
    let page = page.expect(200).json();
    page["items"].as_array().expect("a page of items").len()
}

async fn in_sync(request: Subscribing<'_>) -> Response {
    request.field("hub.verify", "sync").send().await
}

/// The next verification is confirmed slowly, those after it at once.
fn confirm_the_first_slowly(callback: &Callback) {
    let mut delays = [SLOWLY].into_iter();
    callback.confirm_with(move |challenge| {
        Reply::ok(challenge).after(delays.next().unwrap_or_default())
    });
}

/// The next verifications get no answer, those after them at once.
fn be_silent(callback: &Callback, mut times: u32) {
    callback.confirm_with(move |challenge| match times.checked_sub(1) {
        Some(left) => {
            times = left;
            Reply::Close
        }
        None => Reply::ok(challenge),
    });
}

/// Lets a request be confirmed that began later and takes longer than the slow one.
async fn what_is_slow_is_over(scene: &Scene) {
    let marker = scene.subscriber.callback("/marker");
    marker.confirm_with(|challenge| Reply::ok(challenge).after(SLOWLY.mul_f32(1.5)));
    let other = "http://publisher.example/marker";
    scene.hub.subscribe(other, marker.url()).active().await;
}
