//! What an operator does by hand, by way of the API that the page uses: asks a callback again, tries a backlog now, looks at a topic and pings it, reads
//! receipts, settings and how the hub is.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::scene::admin;
use crate::support::{ADMIN, Hub, PUBLISHER, Reply, Scene, TOPIC, eventually, form};

/// Failures are tried again much later than a test waits.
const LATER: &[(&str, &str)] = &[
    ("delivery.retry", "10m"),
    ("delivery.circuit_failures", "1"),
];

async fn get(hub: &Hub, path: &str) -> Value {
    admin(hub, "GET", path, &Value::Null)
        .await
        .expect(200)
        .json()
}

async fn post(hub: &Hub, path: &str) -> crate::support::Response {
    admin(hub, "POST", path, &Value::Null).await
}

fn id(it: &Value) -> String {
    it["id"].as_str().expect("an id").to_owned()
}

#[tokio::test]
async fn a_callback_that_is_asked_again_begins_its_lease_anew_or_keeps_what_it_has() {
    let scene = Scene::start().await;
    let callback = scene.subscriber.callback("/reader");
    let request = scene.hub.subscribe(TOPIC, callback.url()).lease(1_000);
    let before = request.active().await;
    let path = format!("/api/v1/subscriptions/{}/verify", id(&before));
    let after = post(&scene.hub, &path).await.expect(200).json();
    assert!(
        after["expires_at"].as_str() > before["expires_at"].as_str(),
        "{before} {after}"
    );
    assert_eq!(after["active_since"], before["active_since"]);
    assert_eq!(callback.verifications().len(), 2);

    callback.confirm_with(|_| Reply::status(404));
    let refused = post(&scene.hub, &path).await.expect(409).json();
    let said = refused["error"].as_str().expect("words");
    assert!(said.contains("status 404"), "{said}");
    assert_eq!(request.known().await.expect("it stays"), after);
    post(
        &scene.hub,
        &format!("/api/v1/subscriptions/{}/verify", "0".repeat(64)),
    )
    .await
    .expect(404);
}

#[tokio::test]
async fn a_backlog_is_tried_now_though_its_origin_rests() {
    let scene = Scene::with(LATER).await;
    let callback = scene.subscribed(TOPIC, "/reader").await;
    let subscription = scene
        .hub
        .subscription(TOPIC, callback.url())
        .await
        .expect("it is there");
    let path = format!("/api/v1/subscriptions/{}", id(&subscription));
    post(&scene.hub, &format!("{path}/try")).await.expect(409);
    let empty = get(&scene.hub, &format!("{path}/backlog")).await;
    assert_eq!(
        (&empty["entries"], &empty["next_attempt_at"]),
        (&Value::from(0), &Value::Null)
    );

    callback.script([Reply::Close]);
    scene.hub.push(TOPIC, "text/plain", b"One").await;
    let behind = eventually("a backlog", async || {
        let backlog = get(&scene.hub, &format!("{path}/backlog")).await;
        (backlog["entries"] == 1).then_some(backlog)
    })
    .await;
    assert_eq!(behind["failures"], 1);
    assert_eq!(
        behind["waiting"][0]["last_attempt"]["failure"], "protocol",
        "{behind}"
    );
    assert_eq!(behind["attempts"][0]["failure"], "protocol", "{behind}");
    assert!(
        behind["paused_until"].is_string(),
        "the circuit is open: {behind}"
    );
    let listed = get(&scene.hub, "/api/v1/subscriptions?state=behind").await;
    assert_eq!(listed["items"][0]["in_backlog"], 1, "{listed}");

    post(&scene.hub, &format!("{path}/try")).await.expect(202);
    callback.delivery(2).await;
    let after = eventually("nothing waits", async || {
        let backlog = get(&scene.hub, &format!("{path}/backlog")).await;
        (backlog["entries"] == 0).then_some(backlog)
    })
    .await;
    assert_eq!(after["attempts"][0]["status"], 200, "{after}");
    assert_eq!(after["attempts"][1]["failure"], "protocol", "{after}");
    assert_eq!(
        get(&scene.hub, "/api/v1/subscriptions?state=behind").await["items"],
        Value::from(Vec::<u8>::new())
    );
}

#[tokio::test]
async fn who_is_behind_is_found_page_by_page_among_others() {
    let scene = Scene::with(LATER).await;
    let mut behind = BTreeSet::new();
    for number in 0..8 {
        let topic = format!("http://publisher.example/feed{}", number % 2);
        let callback = scene.subscribed(&topic, &format!("/reader{number}")).await;
        if number >= 3 {
            callback.always(Reply::status(500));
            behind.insert(callback.url().to_owned());
        }
    }
    for topic in [
        "http://publisher.example/feed0",
        "http://publisher.example/feed1",
    ] {
        scene.hub.push(topic, "text/plain", b"One").await;
    }
    let found = async |query: &[(&str, &str)]| {
        let (mut found, mut after) = (Vec::new(), None::<String>);
        loop {
            let mut fields = vec![("state", "behind"), ("limit", "2")];
            fields.extend(query);
            fields.extend(after.as_deref().map(|after| ("after", after)));
            let page = get(
                &scene.hub,
                &format!("/api/v1/subscriptions?{}", form(&fields)),
            )
            .await;
            let items = page["items"].as_array().expect("items");
            found.extend(
                items
                    .iter()
                    .map(|it| it["callback"].as_str().expect("a URL").to_owned()),
            );
            match page["next"].as_str() {
                Some(next) => after = Some(next.to_owned()),
                None => return found,
            }
        }
    };
    eventually("all that are behind", async || {
        let found = found(&[]).await;
        (found.len() == 5 && found.into_iter().collect::<BTreeSet<_>>() == behind).then_some(())
    })
    .await;
    assert_eq!(
        found(&[("topic", "http://publisher.example/feed0")])
            .await
            .len(),
        2
    );
    assert_eq!(found(&[("search", "reader7")]).await.len(), 1);
    assert_eq!(
        found(&[("callback_host", "elsewhere.example")]).await.len(),
        0
    );
    admin(
        &scene.hub,
        "GET",
        "/api/v1/subscriptions?state=happy",
        &Value::Null,
    )
    .await
    .expect(400);
}

#[tokio::test]
async fn a_topic_tells_what_it_says_and_can_be_pinged() {
    let scene = Scene::start().await;
    let page = scene.publisher.topic("/feed");
    page.says("The first words");
    let callback = scene.subscribed(page.url(), "/reader").await;
    let topic = async |search: &str| {
        let found = get(
            &scene.hub,
            &format!("/api/v1/topics?{}", form(&[("search", search)])),
        )
        .await;
        found["items"][0].clone()
    };
    let of_page = format!("/api/v1/topics/{}", id(&topic(page.url()).await));
    assert_eq!(get(&scene.hub, &of_page).await["subscribers"], 1);
    let growth = get(&scene.hub, &format!("{of_page}/subscribers")).await;
    assert_eq!(
        (&growth["total"], &growth["points"][60]["subscribers"]),
        (&1.into(), &1.into())
    );
    let content = get(&scene.hub, &format!("{of_page}/content")).await;
    assert_eq!(
        (&content["place"], &content["text"], &content["whole"]),
        (&"fetched".into(), &"The first words".into(), &true.into())
    );

    let pinged = post(&scene.hub, &format!("{of_page}/ping"))
        .await
        .expect(202)
        .json();
    assert_eq!(callback.delivery(1).await.body, "The first words");
    let receipt = get(
        &scene.hub,
        &format!(
            "/api/v1/receipts/{}",
            pinged["receipt"].as_str().expect("an id")
        ),
    )
    .await;
    assert_eq!(receipt["topic"], page.url());

    page.serves(Reply::status(500));
    let refused = admin(
        &scene.hub,
        "GET",
        &format!("{of_page}/content"),
        &Value::Null,
    )
    .await
    .expect(409);
    assert!(refused.text().contains("status 500"), "{}", refused.text());

    scene
        .hub
        .put_topic("long", "text/plain", "x".repeat(20_000).as_bytes())
        .await
        .expect(201);
    let hosted = format!("/api/v1/topics/{}/content", id(&topic("topics/long").await));
    let content = get(&scene.hub, &hosted).await;
    assert_eq!(
        (&content["place"], &content["size"], &content["whole"]),
        (&"hosted".into(), &20_000.into(), &false.into())
    );
    for path in [
        format!("/api/v1/topics/{}", "0".repeat(32)),
        "/api/v1/topics/x/content".into(),
    ] {
        admin(&scene.hub, "GET", &path, &Value::Null)
            .await
            .expect(404);
    }
}

#[tokio::test]
async fn receipts_are_listed_newest_first() {
    let scene = Scene::start().await;
    let hub = &scene.hub;
    for number in 0..2 {
        let topic = format!("{}topics/feed{number}", hub.url);
        scene.subscribed(&topic, &format!("/reader{number}")).await;
    }
    for number in 0..5 {
        let text = format!("{number}");
        hub.put_topic(
            &format!("feed{}", number % 2),
            "text/plain",
            text.as_bytes(),
        )
        .await;
    }
    let (mut seen, mut before) = (Vec::new(), None::<String>);
    loop {
        let mut fields = vec![("limit", "2")];
        fields.extend(before.as_deref().map(|before| ("before", before)));
        let page = get(hub, &format!("/api/v1/receipts?{}", form(&fields))).await;
        seen.extend(page["items"].as_array().expect("items").iter().map(id));
        match page["next"].as_str() {
            Some(next) => before = Some(next.to_owned()),
            None => break,
        }
    }
    assert_eq!(seen.len(), 5);
    assert!(seen.is_sorted_by(|a, b| a > b), "{seen:?}");
    let topic = format!("{}topics/feed1", hub.url);
    let of_one = get(
        hub,
        &format!("/api/v1/receipts?{}", form(&[("topic", &topic)])),
    )
    .await;
    assert_eq!(
        of_one["items"].as_array().map(Vec::len),
        Some(2),
        "{of_one}"
    );
    assert_eq!(
        get(hub, "/api/v1/receipts?state=failed").await["items"]
            .as_array()
            .map(Vec::len),
        Some(0)
    );
    admin(hub, "GET", "/api/v1/receipts?state=lost", &Value::Null)
        .await
        .expect(400);
}

#[tokio::test]
async fn a_request_that_is_not_confirmed_yet_is_listed() {
    let scene = Scene::with(&[("subscriptions.verify_retry", "10m")]).await;
    let callback = scene.subscriber.callback("/silent");
    callback.confirm_with(|_| Reply::Close);
    scene
        .hub
        .subscribe(TOPIC, callback.url())
        .send()
        .await
        .expect(202);
    let waits = eventually("an answer that does not come", async || {
        let listed = get(&scene.hub, "/api/v1/verifications").await;
        (listed["items"][0]["unanswered"] == 1).then(|| listed["items"][0].clone())
    })
    .await;
    assert_eq!(
        (&waits["mode"], &waits["callback"]),
        (&"subscribe".into(), &callback.url().into())
    );
}

#[tokio::test]
async fn the_hub_tells_how_it_is_and_how_it_is_set_but_no_secret() {
    let hub = Hub::with(&[("delivery.timeout", "4s")]).await;
    let about = get(&hub, "/api/v1/about").await;
    assert_eq!(
        (&about["troubles"], &about["url"]),
        (&Value::from(Vec::<u8>::new()), &hub.url.as_str().into())
    );
    let settings = admin(&hub, "GET", "/api/v1/settings", &Value::Null)
        .await
        .expect(200);
    for secret in [ADMIN, PUBLISHER] {
        assert!(!settings.text().contains(secret));
    }
    let settings = settings.json();
    let all = settings["settings"].as_array().expect("settings");
    let of = |key: &str| {
        all.iter()
            .find(|it| it["key"] == key)
            .unwrap_or_else(|| panic!("{key}"))
    };
    assert_eq!(of("delivery.timeout")["value"], "\"4s\"");
    assert_eq!(
        of("delivery.timeout")["origin"],
        "FANFARE_DELIVERY__TIMEOUT"
    );
    assert_eq!(of("delivery.concurrency")["origin"], "default");
    assert!(
        of("auth.admin_token")["value"]
            .as_str()
            .is_some_and(|it| it.contains("****"))
    );
}
