//! The classic PubSubHubbub where it has nothing to keep: a repository that is not declared, and requests that are WebSub's.

use fanfare::domain::source::Dialect;
use serde_json::{Value, json};

use crate::declared::{ask, hub_with};
use crate::support::client::{FORM, bearer};
use crate::support::{ADMIN, Hub, Response, form};

const CALLBACK: &str = "http://127.0.0.1:9/callback";

async fn send(hub: &Hub, path: &str, token: Option<&str>, mode: &str, topic: &str) -> Response {
    let token = token.map(bearer);
    show(hub, path, token.as_deref(), mode, topic).await
}

/// The same, with whatever credentials.
async fn show(hub: &Hub, path: &str, shown: Option<&str>, mode: &str, topic: &str) -> Response {
    let form = form(&[
        ("hub.mode", mode),
        ("hub.topic", topic),
        ("hub.callback", CALLBACK),
    ]);
    let mut headers = vec![("Content-Type", FORM)];
    headers.extend(shown.map(|shown| ("Authorization", shown)));
    hub.request("POST", path, &headers, form.as_bytes()).await
}

/// What the hub keeps of hooks, subscriptions, and requests for them.
async fn kept(hub: &Hub) -> Vec<Value> {
    let mut kept = Vec::new();
    for path in ["hooks", "subscriptions", "verifications"] {
        let path = format!("/api/v1/{path}");
        let list = ask(hub, "GET", &path, &Value::Null).await;
        let list = list.expect(200).json();
        kept.extend(list["items"].as_array().expect("items").clone());
    }
    kept
}

#[tokio::test]
async fn a_repository_that_is_not_declared_is_refused_and_nothing_is_kept() {
    let hub = hub_with(&[
        ("octocat/hello", Dialect::SocialGateway),
        ("octocat/forum", Dialect::Muut),
    ])
    .await;
    let manager = hub.token("manager", &["octocat/*"], &[]).await;
    let topics = [
        "http://socialgateway.example/octocat/nope/events/push".to_owned(),
        "http://socialgateway.example/octocat/nope/events/push.json".to_owned(),
        "http://socialgateway.example/octocat/forum/events/push".to_owned(),
        format!("{}octocat/nope/events/push", hub.url),
    ];
    for path in ["/hub", "/api/v3/hub"] {
        for token in [ADMIN, &manager] {
            for topic in &topics {
                for mode in ["subscribe", "unsubscribe"] {
                    let refused = send(&hub, path, Some(token), mode, topic).await;
                    let said = refused.expect(422).text();
                    let name = topic.split('/').nth(4).expect("a repository");
                    let words = format!("no repository octocat/{name} is declared here");
                    assert!(said.contains(&words), "{path} {topic}: {said}");
                }
            }
        }
    }
    assert_eq!(kept(&hub).await, [Value::Null; 0]);
}

#[tokio::test]
async fn who_cannot_keep_its_hooks_subscribes_to_a_topic_elsewhere() {
    let hub = Hub::start().await;
    let elsewhere = "http://publisher.example/octocat/nope/events/push";
    let reader = hub.token("reader", &["*"], &[]).await;
    let other = hub.token("manager", &["forum"], &[]).await;
    for token in [None, Some(&*reader), Some(&*other)] {
        let answer = send(&hub, "/hub", token, "subscribe", elsewhere).await;
        answer.expect(202);
    }
    let unknown = send(&hub, "/hub", Some("wrong"), "subscribe", elsewhere).await;
    unknown.expect(403);
}

#[tokio::test]
async fn credentials_that_are_no_token_subscribe_to_a_topic_elsewhere() {
    let hub = hub_with(&[("octocat/hello", Dialect::SocialGateway)]).await;
    let digest =
        "Digest username=\"me\", realm=\"proxy\", nonce=\"1\", uri=\"/hub\", response=\"2\"";
    for shown in [digest, "Bearer", "Basic bm8gY29sb24="] {
        for repository in ["nope", "hello"] {
            let elsewhere = format!("http://publisher.example/octocat/{repository}/events/push");
            let answer = show(&hub, "/hub", Some(shown), "subscribe", &elsewhere).await;
            answer.expect(202);
        }
        let own = format!("{}octocat/hello/events/push", hub.url);
        let refused = show(&hub, "/hub", Some(shown), "subscribe", &own).await;
        refused.expect(401);
    }
}

#[tokio::test]
async fn a_source_that_is_no_repository_is_subscribed_to() {
    let hub = Hub::start().await;
    let source = json!({ "dialect": "websub", "events": ["posted"] });
    hub.declare("octocat/forum", &source).await.expect(201);
    let topic = format!("{}octocat/forum/events/posted", hub.url);
    let answer = send(&hub, "/hub", Some(ADMIN), "subscribe", &topic).await;
    answer.expect(202);
}
