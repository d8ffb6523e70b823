//! A token that is for some events keeps hooks for those, and no others: whichever of the ways to a hook it takes.

use fanfare::domain::source::Dialect;
use serde_json::{Value, json};

use crate::declared::{ask, hub_with};
use crate::support::client::bearer;

const PLEROMA: &str = "/api/v1/pleroma/admin/webhooks/1";
const REPOSITORY: &str = "/repos/octocat/hello/hooks/2";
const CALLBACK: &str = "https://bot.example/push";

#[tokio::test]
async fn who_may_keep_hooks_for_some_events_touches_no_other_hook() {
    let sources = [
        ("social", Dialect::Pleroma),
        ("octocat/hello", Dialect::SocialGateway),
    ];
    let hub = hub_with(&sources).await;
    for wish in [
        json!({"source": "social", "url": "https://bot.example/", "events": ["report.created"]}),
        json!({"source": "octocat/hello", "url": CALLBACK, "events": ["push"]}),
    ] {
        let made = ask(&hub, "POST", "/api/v1/hooks", &wish).await;
        made.expect(201);
    }
    let role = json!({
        "name": "some", "role": "manager", "sources": ["*"], "events": ["account.*", "issues"],
    });
    let given = ask(&hub, "POST", "/api/v1/tokens", &role).await;
    let given = given.expect(201).json();
    let token = bearer(given["token"].as_str().expect("its text"));
    let headers = [("Authorization", token.as_str())];

    let taken = json!({"events": ["account.created"]}).to_string();
    let taken_push = json!({"events": ["issues"]}).to_string();
    let led_away = json!({"url": "https://thief.example/"}).to_string();
    for (method, path, body) in [
        ("GET", PLEROMA.to_owned(), ""),
        ("PATCH", PLEROMA.to_owned(), &*taken),
        ("POST", format!("{PLEROMA}/disable"), ""),
        ("POST", format!("{PLEROMA}/enable"), ""),
        ("POST", format!("{PLEROMA}/rotate_secret"), ""),
        ("DELETE", PLEROMA.to_owned(), ""),
        ("GET", REPOSITORY.to_owned(), ""),
        ("PATCH", REPOSITORY.to_owned(), &taken_push),
        ("PATCH", format!("{REPOSITORY}/config"), &led_away),
        ("POST", format!("{REPOSITORY}/pings"), ""),
        ("GET", format!("{REPOSITORY}/deliveries"), ""),
        ("DELETE", REPOSITORY.to_owned(), ""),
    ] {
        let answer = hub.request(method, &path, &headers, body.as_bytes()).await;
        assert_eq!(answer.status, 403, "{method} {path}: {}", answer.text());
    }
    let fields = [
        ("hub.mode", "subscribe"),
        (
            "hub.topic",
            "http://any.example/octocat/hello/events/issues",
        ),
        ("hub.callback", CALLBACK),
        ("hub.secret", "one that the thief knows"),
    ];
    let form = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(fields)
        .finish();
    let headers = [
        headers[0],
        ("Content-Type", "application/x-www-form-urlencoded"),
    ];
    let answer = hub.request("POST", "/hub", &headers, form.as_bytes()).await;
    assert_eq!(answer.status, 403, "{}", answer.text());

    for id in ["1", "2"] {
        let path = format!("/api/v1/hooks/{id}");
        let kept = ask(&hub, "GET", &path, &Value::Null).await;
        let kept = kept.expect(200).json();
        assert_eq!(kept["created_at"], kept["updated_at"], "{kept}");
    }
}
