//! The API of the administrator, and receipts: who may see what, pages, searches, decisions.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::support::client::bearer;
use crate::support::{Hub, PUBLISHER, Reply, Scene, TOPIC, eventually, form};

#[tokio::test]
async fn administration_takes_the_administrators_token() {
    let hub = Hub::start().await;
    let id = "0".repeat(64);
    for (method, path) in [
        ("GET", "/api/v1/topics".to_owned()),
        ("GET", "/api/v1/subscriptions".to_owned()),
        ("GET", format!("/api/v1/subscriptions/{id}")),
        ("DELETE", format!("/api/v1/subscriptions/{id}")),
        ("POST", format!("/api/v1/subscriptions/{id}/deny")),
    ] {
        let nameless = hub.request(method, &path, &[], b"").await.expect(401);
        assert!(nameless.header("www-authenticate").is_some());
        is_an_error(&nameless);
        for token in ["wrong-token-of-someone", PUBLISHER, ""] {
            let answer = hub
                .request(method, &path, &[("Authorization", &bearer(token))], b"")
                .await;
            assert!(
                [401, 403].contains(&answer.status),
                "{token}: {}",
                answer.status
            );
            is_an_error(&answer);
        }
    }
}

#[tokio::test]
async fn what_is_not_there_is_told_in_json() {
    let hub = Hub::start().await;
    for path in [
        format!("/api/v1/subscriptions/{}", "0".repeat(64)),
        "/api/v1/subscriptions/nonsense".to_owned(),
        format!("/api/v1/receipts/{}", uuid::Uuid::nil()),
        "/api/v1/receipts/nonsense".to_owned(),
        format!("/api/v1/receipts/{}/missing", uuid::Uuid::nil()),
        "/api/v1/nonsense".to_owned(),
    ] {
        is_an_error(&hub.admin_get(&path).await.expect(404));
    }
    for query in ["limit=many", "limit=-1", "after=nonsense"] {
        let answer = hub
            .admin_get(&format!("/api/v1/subscriptions?{query}"))
            .await;
        is_an_error(&answer.expect(400));
    }
    let away = hub.get("/nowhere").await.expect(404);
    assert!(!away.text().is_empty());
}

#[tokio::test]
async fn a_subscription_is_shown_without_its_secret() {
    let scene = Scene::start().await;
    let callback = scene.subscriber.callback("/cb?key=1");
    let request = scene
        .hub
        .subscribe(TOPIC, callback.url())
        .secret("hush")
        .lease(1_000);
    let shown = request.field("hub.signature", "sha512").active().await;
    let names = names(&shown);
    let expected = [
        "id",
        "topic",
        "callback",
        "secret",
        "signature",
        "active_since",
        "verified_at",
        "expires_at",
        "from",
        "in_backlog",
    ];
    assert_eq!(names, BTreeSet::from(expected));
    assert_eq!(shown["topic"], TOPIC);
    assert_eq!(shown["callback"], callback.url());
    assert_eq!(shown["secret"], true);
    assert_eq!(shown["signature"], "sha512");
    assert_eq!(shown["in_backlog"], 0);
    assert!(!shown.to_string().contains("hush"));
    let id = shown["id"].as_str().expect("an id");
    let alone = scene
        .hub
        .admin_get(&format!("/api/v1/subscriptions/{id}"))
        .await
        .expect(200);
    assert_eq!(alone.json(), shown);
}

#[tokio::test]
async fn lists_come_in_pages_and_can_be_searched() {
    let scene = Scene::start().await;
    let mut all = BTreeSet::new();
    for number in 0..7 {
        let callback = scene.subscriber.callback(&format!("/reader{number}"));
        let topic = format!("http://publisher.example/feed{}", number % 3);
        scene.hub.subscribe(&topic, callback.url()).active().await;
        all.insert(callback.url().to_owned());
    }
    let listed = async |query: &[(&str, &str)]| {
        let mut found = Vec::new();
        let mut after: Option<String> = None;
        loop {
            let mut fields = query.to_vec();
            fields.extend(after.as_deref().map(|after| ("after", after)));
            let page = scene
                .hub
                .admin_get(&format!("/api/v1/subscriptions?{}", form(&fields)))
                .await;
            let page = page.expect(200).json();
            let items = page["items"].as_array().expect("items");
            assert!(items.len() <= 2, "as many as asked for");
            found.extend(
                items
                    .iter()
                    .map(|item| item["callback"].as_str().expect("a callback").to_owned()),
            );
            match page["next"].as_str() {
                Some(next) => after = Some(next.to_owned()),
                None => return found,
            }
        }
    };
    let found = listed(&[("limit", "2")]).await;
    assert_eq!(found.len(), 7, "each once");
    assert_eq!(BTreeSet::from_iter(found), all);
    assert_eq!(
        listed(&[("limit", "2"), ("topic", "http://publisher.example/feed0")])
            .await
            .len(),
        3
    );
    assert_eq!(
        listed(&[("limit", "2"), ("search", "feed1")]).await.len(),
        2
    );
    assert_eq!(
        listed(&[("limit", "2"), ("search", "READER6")]).await.len(),
        1
    );
    assert!(
        listed(&[("limit", "2"), ("search", "nothing like it")])
            .await
            .is_empty()
    );

    let topics = scene
        .hub
        .admin_get("/api/v1/topics?limit=2")
        .await
        .expect(200)
        .json();
    assert_eq!(topics["items"].as_array().expect("items").len(), 2);
    let next = topics["next"].as_str().expect("there is more");
    let rest = scene
        .hub
        .admin_get(&format!("/api/v1/topics?{}", form(&[("after", next)])))
        .await
        .expect(200);
    assert_eq!(rest.json()["items"].as_array().expect("items").len(), 1);
    let found = scene
        .hub
        .admin_get("/api/v1/topics?search=feed2")
        .await
        .expect(200)
        .text();
    assert!(
        found.contains("http://publisher.example/feed2") && !found.contains("feed1"),
        "{found}"
    );
}

#[tokio::test]
async fn a_receipt_needs_no_token_but_its_missing_targets_do() {
    let scene = Scene::with(&[("delivery.retry", "1h")]).await;
    for number in 0..5 {
        scene
            .subscribed(TOPIC, &format!("/{number}"))
            .await
            .always(Reply::status(500));
    }
    let answer = scene.hub.push_text(TOPIC, "news").await;
    let receipt = scene
        .hub
        .receipt_when(&answer, |receipt| receipt["in_backlog"] == 5)
        .await;
    let id = receipt["id"].as_str().expect("an id");
    assert!(
        answer
            .location()
            .ends_with(&format!("/api/v1/receipts/{id}")),
        "{}",
        answer.location()
    );
    let names = names(&receipt);
    let expected = [
        "id",
        "topic",
        "state",
        "accepted_at",
        "targets",
        "delivered",
        "in_backlog",
        "given_up",
        "gone",
        "first_delivery",
        "last_delivery",
        "reason",
        "missing",
    ];
    assert_eq!(names, BTreeSet::from(expected));

    let path = format!("/api/v1/receipts/{id}/missing");
    scene.hub.get(&path).await.expect(401);
    let mut after: Option<String> = None;
    let mut seen = BTreeSet::new();
    loop {
        let mut fields = vec![("limit", "2")];
        fields.extend(after.as_deref().map(|after| ("after", after)));
        let page = scene
            .hub
            .admin_get(&format!("{path}?{}", form(&fields)))
            .await
            .expect(200)
            .json();
        for item in page["items"].as_array().expect("items") {
            assert!(item["target"].is_string());
            assert!(seen.insert(item["callback"].as_str().expect("a callback").to_owned()));
        }
        match page["next"].as_str() {
            Some(next) => after = Some(next.to_owned()),
            None => break,
        }
    }
    assert_eq!(seen.len(), 5);
}

#[tokio::test]
async fn a_hosted_topic_is_listed_though_nobody_subscribes() {
    let hub = Hub::start().await;
    hub.put_topic("quiet", "text/plain", b"sh")
        .await
        .expect(201);
    let listed = async || {
        let page = hub.admin_get("/api/v1/topics").await.expect(200).json();
        page["items"].as_array().expect("items").clone()
    };
    let items = listed().await;
    assert_eq!(items.len(), 1, "{items:#?}");
    let url = format!("{}topics/quiet", hub.url);
    assert_eq!(items[0]["url"], url);
    assert_eq!(items[0]["self"], url);
    assert_eq!(items[0]["hubs"], serde_json::json!([hub.url]));
    assert_eq!(items[0]["subscribers"], 0);
    let publisher = [("Authorization", &*bearer(PUBLISHER))];
    let gone = hub.request("DELETE", "/topics/quiet", &publisher, b"");
    gone.await.expect(204);
    eventually("the end of the topic", async || {
        listed().await.is_empty().then_some(())
    })
    .await;
}

#[tokio::test]
async fn the_answer_to_content_points_to_its_receipt_and_promises_nothing() {
    let scene = Scene::start().await;
    let hub = &scene.hub;
    let unheard = hub.push_text(TOPIC, "one").await;
    scene.subscribed(TOPIC, "/cb").await;
    let news = hub.push_text(TOPIC, "two").await;
    let unchanged = hub.push_text(TOPIC, "two").await;
    let hosted = hub.put_topic("news", "text/x-note", b"x").await.expect(201);
    assert!(hosted.text().contains("text/x-note"), "{}", hosted.text());
    for (answer, state) in [
        (unheard, "unheard"),
        (news, "complete"),
        (unchanged, "unchanged"),
        (hosted, "unheard"),
    ] {
        assert!(
            answer.text().contains(answer.location()),
            "{}",
            answer.text()
        );
        assert!(!answer.text().contains("send"), "{}", answer.text());
        assert_eq!(hub.ended(&answer).await["state"], state);
    }
    let nameless = hub.get("/topics/").await.expect(400).text();
    assert!(nameless.contains("/topics/news"), "{nameless}");
}

#[tokio::test]
async fn what_is_not_an_id_is_told_what_one_looks_like() {
    let hub = Hub::start().await;
    for id in ["zz", "767352e5", "%20"] {
        let answer = hub.admin_get(&format!("/api/v1/subscriptions/{id}")).await;
        let told = answer.expect(404).text();
        for words in ["64 hexadecimal digits", "/api/v1/subscriptions"] {
            assert!(told.contains(words), "{told}");
        }
    }
}

#[track_caller]
fn is_an_error(answer: &crate::support::Response) {
    let kind = answer.header("content-type").unwrap_or_default();
    assert!(
        kind.starts_with("application/json"),
        "{kind}: {}",
        answer.text()
    );
    assert!(
        matches!(&answer.json()["error"], Value::String(text) if !text.is_empty()),
        "{}",
        answer.text()
    );
}

/// The names in an object.
fn names(object: &Value) -> BTreeSet<&str> {
    let fields = object.as_object().expect("an object");
    fields.keys().map(String::as_str).collect()
}
