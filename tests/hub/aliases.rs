//! The names of a topic: who shares whose publications, and who only claims to.

use std::time::Duration;

use crate::support::publisher::links;
use crate::support::{Publisher, Reply, Scene};

#[tokio::test]
async fn q_34_a_topic_that_has_moved_hears_of_what_its_new_name_had_already() {
    let scene = Scene::start().await;
    let (old, new) = (scene.publisher.topic("/old"), scene.publisher.topic("/new"));
    old.serves(Reply::status(301).header("Location", new.url()));
    new.says("one");
    let of_old = scene.subscribed(old.url(), "/old").await;
    let of_new = scene.subscribed(new.url(), "/new").await;
    scene.hub.publish(new.url()).await;
    scene.hub.publish(old.url()).await;
    assert_eq!(of_old.delivery(1).await.body, "one");
    new.says("two");
    scene.hub.publish(old.url()).await;
    assert_eq!(of_old.delivery(2).await.body, "two");
    let bodies: Vec<_> = of_new
        .deliveries()
        .into_iter()
        .map(|one| one.body)
        .collect();
    assert_eq!(bodies, [&b"one"[..], b"two"]);
}

#[tokio::test]
async fn q_34_names_that_are_fetched_at_the_same_time_lose_nobody() {
    let scene = Scene::start().await;
    let (old, new) = (scene.publisher.topic("/old"), scene.publisher.topic("/new"));
    old.serves(Reply::status(301).header("Location", new.url()));
    new.serves(Reply::ok("one").after(Duration::from_millis(300)));
    let of_old = scene.subscribed(old.url(), "/old").await;
    let of_new = scene.subscribed(new.url(), "/new").await;
    let first = scene.hub.ping(&[old.url()]).await.expect(204);
    old.fetch(1).await;
    let second = scene.hub.ping(&[new.url()]).await.expect(204);
    scene.hub.ended(&first).await;
    scene.hub.ended(&second).await;
    new.says("two");
    scene.hub.publish(new.url()).await;
    for callback in [of_old, of_new] {
        let last = callback.deliveries().pop().expect("deliveries");
        assert_eq!(last.body, "two", "{}", callback.url());
    }
}

#[tokio::test]
async fn q_34_who_copies_a_topic_does_not_speak_for_it() {
    let scene = Scene::start().await;
    let stranger = Publisher::start().await;
    let victim = scene.publisher.topic("/feed");
    victim.serves(Reply::ok("true").header("Content-Type", "text/plain"));
    let of_victim = scene.subscribed(victim.url(), "/victim").await;
    let copy = stranger.topic("/copy");
    let forged = links(victim.url(), "http://evil.example/hub");
    let page = Reply::ok("true").header("Content-Type", "text/html");
    copy.serves(page.header("Link", &forged));
    scene.subscribed(copy.url(), "/copy").await;
    scene.hub.publish(copy.url()).await;
    let delivery = of_victim.delivery(1).await;
    assert_eq!(delivery.header("content-type"), Some("text/plain"));
    assert!(!delivery.header("link").expect("links").contains("evil"));
}
