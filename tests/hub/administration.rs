//! What an administrator does with a subscription: deny it, with a reason or without, or delete it; and what is told of it.

use tokio::sync::watch;

use crate::support::client::bearer;
use crate::support::{ADMIN, Reply, Scene, TOPIC, eventually};

#[tokio::test]
async fn an_administrator_deletes_a_subscription_without_a_word_to_the_callback() {
    let scene = Scene::start().await;
    let callback = scene.subscriber.callback("/cb");
    let subscription = scene.hub.subscribe(TOPIC, callback.url()).active().await;
    let path = format!(
        "/api/v1/subscriptions/{}",
        subscription["id"].as_str().expect("an id")
    );
    let admin = [("Authorization", &*bearer(ADMIN))];
    scene
        .hub
        .request("DELETE", &path, &admin, b"")
        .await
        .expect(204);
    scene
        .hub
        .request("DELETE", &path, &admin, b"")
        .await
        .expect(404);
    assert_eq!(
        scene.hub.publish_text(TOPIC, "news").await["state"],
        "unheard"
    );
    scene.retries_are_over("/later").await;
    assert!(callback.denials().is_empty());
}

#[tokio::test]
async fn a_denial_needs_no_reason_and_tells_what_it_has_done() {
    let scene = Scene::start().await;
    let admin = [("Authorization", &*bearer(ADMIN))];
    for (path, body, reason) in [
        (
            "/a",
            "",
            "the administrator of the hub has ended this subscription",
        ),
        (
            "/b",
            "{}",
            "the administrator of the hub has ended this subscription",
        ),
        ("/c", "{\"reason\":\"too slow\"}", "too slow"),
    ] {
        let callback = scene.subscriber.callback(path);
        let subscription = scene.hub.subscribe(TOPIC, callback.url()).active().await;
        let id = subscription["id"].as_str().expect("an id");
        let deny = format!("/api/v1/subscriptions/{id}/deny");
        let answer = scene.hub.request("POST", &deny, &admin, body.as_bytes());
        let done = answer.await.expect(202).json();
        let expected = serde_json::json!({
            "id": id, "topic": TOPIC, "callback": callback.url(), "state": "denied", "reason": reason,
        });
        assert_eq!(done, expected);
        let told = callback.denial().await.param("hub.reason");
        assert_eq!(told.as_deref(), Some(reason));
        let again = scene.hub.request("POST", &deny, &admin, b"").await;
        assert!(again.expect(404).json()["error"].is_string());
    }
    let id = "0".repeat(64);
    for body in ["[", "{\"reason\":\"\"}", "{\"because\":\"x\"}", "nonsense"] {
        let deny = format!("/api/v1/subscriptions/{id}/deny");
        let answer = scene.hub.request("POST", &deny, &admin, body.as_bytes());
        assert!(answer.await.expect(400).json()["error"].is_string());
    }
}

#[tokio::test]
async fn what_the_administrator_ends_is_logged() {
    let scene = Scene::start().await;
    let admin = [("Authorization", &*bearer(ADMIN))];
    let topic = "http://publisher.example/feed?key=hushhush";
    for (path, method, verb, body, line) in [
        (
            "/a",
            "POST",
            "/deny",
            "{\"reason\":\"too slow\"}",
            "denied by the administrator",
        ),
        ("/b", "DELETE", "", "", "deleted by the administrator"),
    ] {
        let callback = scene.subscriber.callback(path);
        let subscription = scene.hub.subscribe(topic, callback.url()).active().await;
        let id = subscription["id"].as_str().expect("an id");
        let target = format!("/api/v1/subscriptions/{id}{verb}");
        let answer = scene.hub.request(method, &target, &admin, body.as_bytes());
        assert!((200..300).contains(&answer.await.status));
        let told = eventually("a line in the log", async || {
            let output = scene.hub.output();
            let found = output.lines().find(|told| told.contains(line));
            found.map(str::to_owned)
        })
        .await;
        let origin = callback.url().trim_end_matches(path);
        for word in ["INFO", id, "publisher.example/feed", origin] {
            assert!(told.contains(word), "{word}: {told}");
        }
        assert_eq!(told.contains("too slow"), verb == "/deny", "{told}");
        assert!(!told.contains("hushhush"), "{told}");
    }
}

#[tokio::test]
async fn what_ends_while_its_callback_is_asked_again_does_not_come_back() {
    let scene = Scene::start().await;
    let admin = [("Authorization", &*bearer(ADMIN))];
    for (path, method, verb, denials) in [("/a", "POST", "/deny", 1), ("/b", "DELETE", "", 0)] {
        let callback = scene.subscriber.callback(path);
        let request = scene.hub.subscribe(TOPIC, callback.url());
        let subscription = request.active().await;
        let id = subscription["id"].as_str().expect("an id");
        let (agree, agrees) = watch::channel(false);
        callback.confirm_with(move |challenge| Reply::ok(challenge).once(agrees.clone()));
        let verify = format!("/api/v1/subscriptions/{id}/verify");
        let ending = async {
            callback.verification(2).await;
            let end = format!("/api/v1/subscriptions/{id}{verb}");
            let ended = scene.hub.request(method, &end, &admin, b"").await;
            assert!((200..300).contains(&ended.status), "{}", ended.text());
            agree.send(true).expect("the callback waits");
        };
        let asking = scene.hub.request("POST", &verify, &admin, b"");
        let (asked, ()) = tokio::join!(asking, ending);
        let said = asked.expect(409).json()["error"].to_string();
        assert!(
            said.contains("the subscription has ended meanwhile"),
            "{said}"
        );
        assert_eq!(request.known().await, None);
        scene.retries_are_over(&format!("/later{path}")).await;
        assert_eq!(callback.denials().len(), denials, "it is told once");
    }
}
