//! Events of a source: raised, served, announced to subscribers; each once, however often the request is sent.

use fanfare::domain::signature::{Method, sign};
use fanfare::domain::value::Secret;
use serde_json::json;

use crate::raising::assert_refused;
use crate::support::client::bearer;
use crate::support::receipts::assert_counts;
use crate::support::{Hub, PUBLISHER, Scene};

const PATH: &str = "/blog/events/post.published";

/// A scene with a source of one's own events.
async fn scene() -> Scene {
    let scene = Scene::start().await;
    let source = json!({ "events": ["post.published", "post.removed"] });
    scene.hub.declare("blog", &source).await.expect(201);
    scene
}

#[tokio::test]
async fn an_event_is_served_and_comes_signed_to_who_subscribes_to_its_topic() {
    let scene = scene().await;
    let topic = format!("{}blog/events/post.published", scene.hub.url);
    let none = scene.hub.get(PATH).await;
    assert_refused(&none, 404, &["no post.published of blog", &topic]);
    let links = format!("<{topic}>; rel=\"self\", <{}>; rel=\"hub\"", scene.hub.url);
    assert_eq!(
        none.header("link"),
        Some(links.as_str()),
        "to be discovered"
    );

    let callback = scene.subscriber.callback("/cb");
    scene
        .hub
        .subscribe(&topic, callback.url())
        .secret("hush")
        .active()
        .await;
    let payload = json!({ "z": 1.50, "a": "<p>é</p>" });
    let answer = scene.hub.raise(PATH, &payload).await.expect(202);
    let said = answer.json();
    assert_eq!(said["receipt"], answer.location());
    assert_eq!(said["events"], 1);
    assert!(
        answer
            .location()
            .ends_with(said["id"].as_str().expect("an id"))
    );

    let delivery = callback.delivery(1).await;
    assert_eq!(delivery.body, payload.to_string());
    assert_eq!(delivery.header("content-type"), Some("application/json"));
    assert_eq!(delivery.header("link"), Some(links.as_str()));
    let secret = Secret::parse("hush").expect("a secret");
    let signature = sign(Method::Sha1, &secret, &delivery.body);
    assert_eq!(delivery.header("x-hub-signature"), Some(signature.as_str()));
    assert_counts(&scene.hub.ended(&answer).await, [1, 1, 0, 0, 0]);

    for path in [PATH, "/BLOG/events/post.published.json"] {
        let latest = scene.hub.get(path).await.expect(200);
        assert_eq!(latest.body, payload.to_string());
        assert_eq!(latest.header("content-type"), Some("application/json"));
        assert_eq!(latest.header("link"), Some(links.as_str()));
        let tag = latest.header("etag").expect("a tag");
        let date = latest.header("last-modified").expect("a date");
        for condition in [("If-None-Match", tag), ("If-Modified-Since", date)] {
            let again = scene.hub.request("GET", path, &[condition], b"").await;
            assert_eq!(again.expect(304).header("etag"), Some(tag));
        }
        let head = scene.hub.request("HEAD", path, &[], b"").await.expect(200);
        assert_eq!((head.body.len(), head.header("etag")), (0, Some(tag)));
    }
    // The same payload again is another event.
    let again = scene.hub.raise(PATH, &payload).await.expect(202);
    assert_ne!(again.location(), answer.location());
    callback.delivery(2).await;
}

#[tokio::test]
async fn several_events_are_raised_together_or_not_at_all() {
    let mut scene = scene().await;
    let topic = format!("{}blog/events/post.published", scene.hub.url);
    let callback = scene.subscribed(&topic, "/cb").await;
    let items: Vec<_> = (0..5).map(|n| json!({ "n": n })).collect();
    let answer = scene.hub.raise(PATH, &json!(items)).await.expect(202);
    assert_eq!(answer.json()["events"], 5);
    let bundle = scene
        .hub
        .receipt_when(&answer, |receipt| receipt["state"] == "complete")
        .await;
    assert_eq!(bundle["receipts"].as_array().map(Vec::len), Some(5));
    callback.delivery(5).await;
    let bodies: Vec<_> = callback
        .deliveries()
        .iter()
        .map(|one| one.body.clone())
        .collect();
    let expected: Vec<_> = items.iter().map(ToString::to_string).collect();
    assert_eq!(bodies, expected, "in order");

    let token = bearer(PUBLISHER);
    let lines = [
        ("Authorization", token.as_str()),
        ("Content-Type", "application/x-ndjson"),
    ];
    let raised = scene
        .hub
        .request("POST", PATH, &lines, b"{\"n\":5}\n\n{\"n\":6}\n")
        .await
        .expect(202);
    assert_eq!(raised.json()["events"], 2);
    callback.delivery(7).await;

    let bad = scene.hub.raise(PATH, &json!([{ "n": 7 }, 8])).await;
    assert_refused(&bad, 422, &["event [1]", "nothing was raised", "number 8"]);
    let bad = scene.hub.request("POST", PATH, &lines, b"{}\n{\n").await;
    assert_refused(&bad, 400, &["line 2", "not JSON"]);
    let latest = scene.hub.get(PATH).await.expect(200);
    assert_eq!(latest.body, "{\"n\":6}");

    // What was answered with 202 is there after a crash.
    let last = scene.hub.raise(PATH, &json!({ "n": 9 })).await.expect(202);
    scene.hub.kill9().await;
    scene.hub.start_again().await;
    assert_eq!(scene.hub.get(PATH).await.expect(200).body, "{\"n\":9}");
    assert_counts(&scene.hub.ended(&last).await, [1, 1, 0, 0, 0]);
}

#[tokio::test]
async fn a_request_with_a_key_counts_once() {
    let mut scene = scene().await;
    let topic = format!("{}blog/events/post.published", scene.hub.url);
    let callback = scene.subscribed(&topic, "/cb").await;
    let payload = json!({ "n": 1 });
    let hub = &scene.hub;
    let (one, two, three) = tokio::join!(
        hub.raise_once(PATH, "key-1", &payload),
        hub.raise_once(PATH, "key-1", &payload),
        hub.raise_once(PATH, "key-1", &payload),
    );
    let first = one.expect(202);
    for again in [two, three] {
        assert_eq!(again.expect(202).body, first.body);
    }
    let taken = hub.raise_once(PATH, "key-1", &json!({ "n": 2 })).await;
    assert_refused(&taken, 422, &["Idempotency-Key"]);
    let taken = hub
        .raise_once("/blog/events/post.removed", "key-1", &payload)
        .await;
    assert_refused(&taken, 422, &["Idempotency-Key"]);
    let other = hub.raise_once(PATH, "key-2", &payload).await.expect(202);
    assert_ne!(other.location(), first.location());
    let wrong = hub.raise_once(PATH, &"x".repeat(256), &payload).await;
    assert_refused(&wrong, 400, &["1 to 255"]);

    let batch = json!([{ "n": 3 }, { "n": 4 }]);
    let bundle = hub.raise_once(PATH, "key-3", &batch).await.expect(202);
    scene.hub.restart().await;
    let again = scene.hub.raise_once(PATH, "key-1", &payload).await;
    assert_eq!(again.expect(202).body, first.body, "over a restart, too");
    let again = scene.hub.raise_once(PATH, "key-3", &batch).await;
    assert_eq!(again.expect(202).body, bundle.body);
    assert_counts(&scene.hub.ended(&first).await, [1, 1, 0, 0, 0]);
    callback.delivery(4).await;
    assert_eq!(callback.deliveries().len(), 4);
}

#[tokio::test]
async fn what_cannot_be_raised_is_refused_in_words_and_nothing_is_stored() {
    let hub = Hub::with(&[
        ("limits.event_body", "1KiB"),
        ("limits.events_per_request", "2"),
    ])
    .await;
    hub.declare("social", &json!({ "dialect": "mastodon" }))
        .await
        .expect(201);
    hub.declare("goma", &json!({ "dialect": "muut" }))
        .await
        .expect(201);
    hub.declare("blog", &json!({ "events": ["posted"] }))
        .await
        .expect(201);
    let big = format!("{{\"a\":\"{}\"}}", "x".repeat(2_000));
    for (path, body, status, words) in [
        (
            "/blgo/events/posted",
            "{}",
            404,
            &["blgo", "did you mean blog?"][..],
        ),
        (
            "/blog/events/post",
            "{}",
            422,
            &["post is not an event of blog", "posted"],
        ),
        ("/blog/events/A%20b", "{}", 422, &["its events are posted"]),
        (
            "/social/events/acount.created",
            "{}",
            422,
            &["account.updated", "did you mean account.created?"],
        ),
        ("/blog/events/posted", "7", 422, &["number 7", "object"]),
        (
            "/blog/events/posted",
            "{\"a\":",
            400,
            &["not JSON", "line 1"],
        ),
        ("/blog/events/posted", "", 400, &["not JSON"]),
        ("/blog/events/posted", "[]", 400, &["no event"]),
        ("/blog/events/posted", "[{},{},{}]", 400, &["3 events", "2"]),
        ("/blog/events/posted", &big, 413, &["1024 bytes"]),
        (
            "/goma/events/like",
            "[\"like\",\"/p\",{\"displayname\":1}]",
            422,
            &["[2].displayname", "number 1"],
        ),
        (
            "/goma/events/like",
            "[\"spam\",\"/p\",{}]",
            422,
            &["[0]", "spam"],
        ),
        (
            "/goma/events/like",
            "[[\"like\",\"/p\"]]",
            422,
            &["event [0]: [2] is missing"],
        ),
        (
            "/fanfare/events/hook.disabled",
            "{}",
            403,
            &["the hub itself"],
        ),
    ] {
        let token = bearer(PUBLISHER);
        let headers = [
            ("Authorization", token.as_str()),
            ("Content-Type", "application/json"),
        ];
        let answer = hub.request("POST", path, &headers, body.as_bytes()).await;
        assert_refused(&answer, status, words);
    }
    let token = bearer(PUBLISHER);
    for (kind, body, status, words) in [
        ("text/plain", "{}", 415, "Content-Type is \"text/plain\""),
        ("application/x-www-form-urlencoded", "a=b", 400, "payload"),
    ] {
        let headers = [("Authorization", token.as_str()), ("Content-Type", kind)];
        let answer = hub
            .request("POST", "/blog/events/posted", &headers, body.as_bytes())
            .await;
        assert_refused(&answer, status, &[words]);
    }
    let put = hub
        .request("PUT", "/blog/events/posted", &[], b"")
        .await
        .expect(405);
    assert_eq!(put.header("allow"), Some("GET, HEAD, POST"));
    assert_refused(
        &hub.get("/blog/events/post").await,
        404,
        &["its events are posted"],
    );
    for path in ["/blog/events/posted", "/goma/events/like"] {
        hub.get(path).await.expect(404);
    }
    // The form of GitHub's senders, and a whole array of Muut's.
    let form = [
        ("Authorization", token.as_str()),
        ("Content-Type", "application/x-www-form-urlencoded"),
    ];
    hub.request(
        "POST",
        "/blog/events/posted",
        &form,
        b"payload=%7B%22a%22%3A1%7D",
    )
    .await
    .expect(202);
    assert_eq!(
        hub.get("/blog/events/posted").await.expect(200).body,
        "{\"a\":1}"
    );
    let like = json!(["like", "/goma/x", { "displayname": "J", "img": null, "path": "@j" }]);
    hub.raise("/goma/events/like", &like).await.expect(202);
    assert_eq!(
        hub.get("/goma/events/like").await.expect(200).body,
        like.to_string()
    );
}

#[tokio::test]
async fn an_event_is_raised_and_neither_pinged_nor_pushed() {
    let scene = scene().await;
    let topic = format!("{}blog/events/post.published", scene.hub.url);
    scene
        .hub
        .ping(&[&topic])
        .await
        .refuses(&["raise it", &topic]);
    scene
        .hub
        .push(&topic, "text/plain", b"x")
        .await
        .refuses(&["raise it"]);
    let callback = scene.subscriber.callback("/cb");
    for (wrong, words) in [
        (
            format!("{}Blog/events/post.published", scene.hub.url),
            topic.as_str(),
        ),
        (format!("{topic}.json"), topic.as_str()),
        (format!("{topic}#x"), topic.as_str()),
        (format!("{}blog/events/*", scene.hub.url), "post.removed"),
        (format!("{}none/events/x", scene.hub.url), "no source none"),
    ] {
        let refused = scene.hub.subscribe(&wrong, callback.url()).send().await;
        refused.refuses(&[words]);
    }
    // A page elsewhere that says that it is the event's topic is not believed.
    scene.hub.raise(PATH, &json!({ "n": 1 })).await.expect(202);
    let listener = scene.subscribed(&topic, "/listener").await;
    let page = scene.publisher.topic("/page");
    let links = crate::support::publisher::links(&topic, &scene.hub.url);
    page.serves(crate::support::Reply::ok("{\"n\":1}").header("Link", &links));
    let own = scene.subscribed(page.url(), "/own").await;
    scene.hub.publish(page.url()).await;
    own.delivery(1).await;
    assert!(listener.deliveries().is_empty());
}

#[tokio::test]
async fn topics_that_are_validated_include_events_and_nothing_is_fetched_for_them() {
    let scene = Scene::with(&[
        ("subscriptions.validate_topics", "true"),
        ("subscriptions.topic_hosts", "publisher.example"),
    ])
    .await;
    let source = json!({ "events": ["posted"], "private": true });
    scene.hub.declare("blog", &source).await.expect(201);
    let reader = scene.hub.token("reader", &["blog"], &[]).await;
    let topic = format!("{}blog/events/posted", scene.hub.url);
    let callback = scene.subscriber.callback("/cb");
    let authorization = bearer(&reader);
    scene
        .hub
        .subscribe(&topic, callback.url())
        .header("Authorization", &authorization)
        .active()
        .await;
    scene
        .hub
        .raise("/blog/events/posted", &json!({}))
        .await
        .expect(202);
    callback.delivery(1).await;
}
