//! Hosted topics: who has no web server publishes with one PUT, and the hub serves the content with its links.

use crate::support::client::bearer;
use crate::support::publisher::links;
use crate::support::receipts::assert_counts;
use crate::support::{ADMIN, Hub, PUBLISHER, Scene};

#[tokio::test]
async fn a_put_keeps_serves_and_announces_the_content() {
    let scene = Scene::start().await;
    let url = format!("{}topics/news/today", scene.hub.url);
    let created = scene
        .hub
        .put_topic("news/today", "text/plain; charset=utf-8", b"one")
        .await
        .expect(201);
    assert!(created.text().contains(&url), "{}", created.text());
    assert_eq!(scene.hub.ended(&created).await["state"], "unheard");

    let callback = scene.subscribed(&url, "/cb").await;
    let changed = scene
        .hub
        .put_topic("news/today", "text/plain; charset=utf-8", b"two")
        .await
        .expect(200);
    assert_counts(&scene.hub.ended(&changed).await, [1, 1, 0, 0, 0]);
    let delivery = callback.delivery(1).await;
    assert_eq!(delivery.body, "two");
    assert_eq!(
        delivery.header("content-type"),
        Some("text/plain; charset=utf-8")
    );
    assert_eq!(delivery.headers.all("link"), [links(&url, &scene.hub.url)]);

    let unchanged = scene
        .hub
        .put_topic("news/today", "text/plain; charset=utf-8", b"two")
        .await
        .expect(200);
    assert_eq!(scene.hub.ended(&unchanged).await["state"], "unchanged");
    assert_eq!(callback.deliveries().len(), 1);

    let page = scene.hub.get("/topics/news/today").await.expect(200);
    assert_eq!(page.body, "two");
    assert_eq!(
        page.header("content-type"),
        Some("text/plain; charset=utf-8")
    );
    assert_eq!(page.headers.all("link"), [links(&url, &scene.hub.url)]);
}

#[tokio::test]
async fn a_get_answers_to_conditions_and_a_head_has_no_body() {
    let hub = Hub::start().await;
    hub.put_topic("feed.xml", "application/atom+xml", b"<feed/>")
        .await
        .expect(201);
    let page = hub.get("/topics/feed.xml").await.expect(200);
    let tag = page.header("etag").expect("an ETag").to_owned();
    let date = page
        .header("last-modified")
        .expect("a Last-Modified")
        .to_owned();
    httpdate::parse_http_date(&date).expect("an HTTP date");
    let conditional = async |name: &str, value: &str| {
        hub.request("GET", "/topics/feed.xml", &[(name, value)], b"")
            .await
    };
    let known = conditional("If-None-Match", &tag).await.expect(304);
    assert_eq!(known.header("etag"), Some(tag.as_str()));
    conditional("If-None-Match", &format!("\"other\", {tag}"))
        .await
        .expect(304);
    conditional("If-None-Match", &format!("W/{tag}"))
        .await
        .expect(304);
    conditional("If-None-Match", "*").await.expect(304);
    conditional("If-None-Match", "\"other\"").await.expect(200);
    conditional("If-Modified-Since", &date).await.expect(304);
    conditional("If-Modified-Since", "Sun, 06 Nov 1994 08:49:37 GMT")
        .await
        .expect(200);
    conditional("If-Modified-Since", "yesterday")
        .await
        .expect(200);

    let head = hub
        .request("HEAD", "/topics/feed.xml", &[], b"")
        .await
        .expect(200);
    assert_eq!(head.header("etag"), Some(tag.as_str()));
    assert_eq!(head.header("content-length"), Some("7"));

    hub.put_topic("feed.xml", "application/atom+xml", b"<feed></feed>")
        .await
        .expect(200);
    let changed = conditional("If-None-Match", &tag).await.expect(200);
    assert_ne!(changed.header("etag"), Some(tag.as_str()));
}

#[tokio::test]
async fn a_hosted_topic_survives_a_restart_and_ends_with_a_delete() {
    let mut scene = Scene::start().await;
    scene
        .hub
        .put_topic("kept", "text/plain", b"kept")
        .await
        .expect(201);
    scene.hub.kill9().await;
    scene.hub.start_again().await;
    assert_eq!(scene.hub.get("/topics/kept").await.expect(200).body, "kept");
    let headers = [("Authorization", &*bearer(ADMIN))];
    scene
        .hub
        .request("DELETE", "/topics/kept", &headers, b"")
        .await
        .expect(204);
    scene.hub.get("/topics/kept").await.expect(404);
    scene
        .hub
        .request("DELETE", "/topics/kept", &headers, b"")
        .await
        .expect(404);
    scene
        .hub
        .put_topic("kept", "text/plain", b"anew")
        .await
        .expect(201);
}

#[tokio::test]
async fn a_ping_of_a_hosted_topic_is_answered_like_any_other() {
    let scene = Scene::start().await;
    let url = format!("{}topics/feed", scene.hub.url);
    scene
        .hub
        .put_topic("feed", "text/plain", b"one")
        .await
        .expect(201);
    let callback = scene.subscribed(&url, "/cb").await;
    let state = scene.hub.publish(&url).await["state"].clone();
    assert!(
        ["complete", "unchanged"].contains(&state.as_str().expect("a state")),
        "{state}"
    );
    scene
        .hub
        .put_topic("feed", "text/plain", b"two")
        .await
        .expect(200);
    let deliveries = if state == "complete" { 2 } else { 1 };
    assert_eq!(callback.delivery(deliveries).await.body, "two");
}

#[tokio::test]
async fn writing_takes_a_token_and_reading_does_not() {
    let hub = Hub::start().await;
    let write = async |method: &str, headers: &[(&str, &str)]| {
        let mut all = vec![("Content-Type", "text/plain")];
        all.extend(headers);
        let body: &[u8] = if method == "PUT" { b"x" } else { b"" };
        hub.request(method, "/topics/feed", &all, body).await
    };
    for method in ["PUT", "DELETE"] {
        let nameless = write(method, &[]).await.expect(401);
        assert!(nameless.header("www-authenticate").is_some());
        write(
            method,
            &[("Authorization", "Bearer wrong-token-of-someone")],
        )
        .await
        .expect(403);
    }
    hub.get("/topics/feed").await.expect(404);
    write("PUT", &[("Authorization", &bearer(PUBLISHER))])
        .await
        .expect(201);
    hub.get("/topics/feed").await.expect(200);
    write("DELETE", &[("Authorization", &bearer(PUBLISHER))])
        .await
        .expect(204);
}

#[tokio::test]
async fn names_are_plain() {
    let hub = Hub::start().await;
    for name in ["a", "A.b_c~d-e", "a/b/c", "2026/11/22", "x.atom"] {
        hub.put_topic(name, "text/plain", b"x").await.expect(201);
        hub.get(&format!("/topics/{name}")).await.expect(200);
    }
    for name in [
        "",
        "a//b",
        "a/",
        "/a",
        "a%20b",
        "a%2Fb",
        "gr%C3%B6%C3%9Fe",
        "a+b",
        "a@b",
        "..",
        "a/../b",
        "a/./b",
    ] {
        let answer = hub.put_topic(name, "text/plain", b"x").await;
        assert!(
            (400..500).contains(&answer.status),
            "{name:?}: {}",
            answer.status
        );
    }
}

#[tokio::test]
async fn content_that_comes_back_after_nobody_heard_the_other_is_sent() {
    let scene = Scene::start().await;
    let url = format!("{}topics/feed", scene.hub.url);
    let put = async |body: &str| {
        let answer = scene
            .hub
            .put_topic("feed", "text/plain", body.as_bytes())
            .await;
        scene.hub.ended(&answer).await
    };
    let first = scene.subscribed(&url, "/first").await;
    assert_counts(&put("A").await, [1, 1, 0, 0, 0]);
    scene.hub.unsubscribe(&url, first.url()).gone().await;
    assert_eq!(put("B").await["state"], "unheard");
    let second = scene.subscribed(&url, "/second").await;
    assert_counts(&put("A").await, [1, 1, 0, 0, 0]);
    assert_eq!(second.delivery(1).await.body, "A");
}

#[tokio::test]
async fn the_same_body_with_another_content_type_is_sent_again() {
    let scene = Scene::start().await;
    let url = format!("{}topics/feed", scene.hub.url);
    let callback = scene.subscribed(&url, "/cb").await;
    for (number, kind) in ["text/plain", "text/markdown"].into_iter().enumerate() {
        let answer = scene.hub.put_topic("feed", kind, b"same").await;
        assert_counts(&scene.hub.ended(&answer).await, [1, 1, 0, 0, 0]);
        let delivery = callback.delivery(number + 1).await;
        assert_eq!(delivery.body, "same");
        assert_eq!(delivery.header("content-type"), Some(kind));
    }
}

#[tokio::test]
async fn content_that_is_pushed_for_a_hosted_topic_is_served() {
    let scene = Scene::start().await;
    let url = format!("{}topics/feed", scene.hub.url);
    scene
        .hub
        .put_topic("feed", "text/plain", b"put")
        .await
        .expect(201);
    let callback = scene.subscribed(&url, "/cb").await;
    let answer = scene
        .hub
        .push(&url, "text/markdown", b"pushed")
        .await
        .expect(202);
    assert_counts(&scene.hub.ended(&answer).await, [1, 1, 0, 0, 0]);
    assert_eq!(callback.delivery(1).await.body, "pushed");
    let page = scene.hub.get("/topics/feed").await.expect(200);
    assert_eq!(page.body, "pushed");
    assert_eq!(page.header("content-type"), Some("text/markdown"));
}
