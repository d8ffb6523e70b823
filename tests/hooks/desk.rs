//! `/api/v1/hooks`: made, listed, edited, rotated, previewed, ended; and what is refused, in words, with nothing stored.

use fanfare::domain::source::Dialect;
use serde_json::{Value, json};

use crate::declared::{ask, hub_with};
use crate::support::{Hub, Reply, Server, eventually};

const HOOKS: &str = "/api/v1/hooks";

async fn social() -> Hub {
    hub_with(&[("social", Dialect::Mastodon), ("news", Dialect::Websub)]).await
}

fn wish() -> Value {
    json!({
        "source": "social",
        "url": "https://receiver.example/hook",
        "events": ["account.*", "account.created"],
        "headers": { "X-Api-Key": "hush", "X-Env": "test" },
    })
}

#[tokio::test]
async fn a_hook_lives_and_its_secret_is_shown_once() {
    let hub = social().await;
    let made = ask(&hub, "POST", HOOKS, &wish()).await.expect(201);
    let location = made.header("Location").expect("where it is").to_owned();
    let made = made.json();
    assert_eq!(made["events"], json!(["account.*"]));
    assert_eq!(made["event_count"], 3);
    assert_eq!(made["dialect"], "mastodon");
    let secret = made["secret"].as_str().expect("shown").to_owned();
    assert!(secret.len() == 40 && secret.bytes().all(|byte| byte.is_ascii_hexdigit()));

    let path = hub.path_of(&location);
    let shown = ask(&hub, "GET", path, &Value::Null)
        .await
        .expect(200)
        .json();
    assert_eq!(shown["secret"], "********");
    assert_eq!(
        shown["headers"],
        json!({ "X-Api-Key": "********", "X-Env": "test" })
    );

    let edit = json!({ "signing": "both", "v1a": true, "rate": 5, "secret": "********", "template": "{{event}}" });
    let edited = ask(&hub, "PATCH", path, &edit).await.expect(200).json();
    assert!(
        edited["public_key"]
            .as_str()
            .expect("a key")
            .starts_with("whpk_")
    );
    assert_eq!(
        (&edited["rate"], &edited["template"]),
        (&json!(5), &json!("{{event}}"))
    );

    let rotate = format!("{path}/rotate");
    let rotated = ask(&hub, "POST", &rotate, &Value::Null)
        .await
        .expect(200)
        .json();
    assert_ne!(rotated["secret"], json!(secret));
    assert_ne!(rotated["secret"], "********");
    assert!(rotated["old_secret_until"].is_string());

    let disable = format!("{path}/disable");
    let disabled = ask(&hub, "POST", &disable, &Value::Null)
        .await
        .expect(200)
        .json();
    assert_eq!(disabled["active"], json!(false));
    let list = |query: &str| format!("{HOOKS}?{query}");
    for (query, count) in [
        ("state=disabled", 1),
        ("state=active", 0),
        ("source=social&search=RECEIVER.example", 1),
        ("source=news", 0),
        ("search=elsewhere", 0),
    ] {
        let page = ask(&hub, "GET", &list(query), &Value::Null)
            .await
            .expect(200)
            .json();
        assert_eq!(
            page["items"].as_array().map(Vec::len),
            Some(count),
            "{query}"
        );
    }
    ask(&hub, "DELETE", path, &Value::Null).await.expect(204);
    ask(&hub, "GET", path, &Value::Null).await.expect(404);
    hub.get(HOOKS).await.expect(401);
}

#[tokio::test]
async fn what_is_wrong_is_said_in_words_and_nothing_is_stored() {
    let hub = social().await;
    for (field, value, status, word) in [
        ("source", json!("sozial"), 422, "no source sozial"),
        ("events", json!([]), 422, "one event at least"),
        (
            "events",
            json!(["acount.created"]),
            422,
            "did you mean account.created?",
        ),
        ("events", json!("push"), 400, "a list of texts"),
        ("url", json!("ftp://x.example/"), 422, "http and https"),
        ("url", json!("http://10.1.2.3/"), 422, "a private address"),
        ("template", json!("one\n{{ two }}"), 422, "line 2, column 3"),
        ("filter", json!("$.a ="), 422, "column"),
        ("headers", json!({ "Host": "x" }), 422, "Host cannot be set"),
        ("name", json!("slak"), 422, "did you mean \"slack\"?"),
        ("secret", json!("short"), 422, "too short"),
        ("rate", json!(0), 422, "nothing would be sent"),
        ("signing", json!("bot"), 400, "did you mean \"both\"?"),
        ("evnts", json!([]), 400, "did you mean events?"),
        ("active", json!("yes"), 400, "true or false"),
        ("v1a", json!(true), 400, "signing"),
    ] {
        let mut wrong = wish();
        wrong[field] = value;
        let answer = ask(&hub, "POST", HOOKS, &wrong).await.expect(status).json();
        let error = answer["error"].as_str().expect("words");
        assert!(error.contains(word), "{field}: {error}");
        if status == 422 && field != "name" {
            assert_eq!(answer["field"], field);
        }
    }
    let mut wrong = wish();
    wrong["template"] = json!("one\n{{ two }}");
    let answer = ask(&hub, "POST", HOOKS, &wrong).await.expect(422).json();
    assert_eq!((&answer["line"], &answer["column"]), (&json!(2), &json!(3)));
    let page = ask(&hub, "GET", HOOKS, &Value::Null)
        .await
        .expect(200)
        .json();
    assert_eq!(page, json!({ "items": [], "next": null }));

    ask(&hub, "POST", HOOKS, &wish()).await.expect(201);
    let twice = ask(&hub, "POST", HOOKS, &wish()).await.expect(422).json();
    assert!(twice["error"].as_str().expect("words").contains("hook 1"));
}

#[tokio::test]
async fn a_mask_is_no_secret_and_who_asks_for_signatures_gets_them() {
    let hub = social().await;
    let web = |own: Value| {
        let mut wish =
            json!({ "source": "news", "url": "https://receiver.example/news", "events": ["*"] });
        for (name, value) in own.as_object().expect("an object") {
            wish[name] = value.clone();
        }
        wish
    };
    let service = |field: &str, value: Value| {
        let mut wish = json!({ "source": "news", "name": "slack", "events": ["*"],
            "config": { "url": "https://hooks.slack.com/services/x" } });
        wish[field] = value;
        wish
    };
    let mask = "********";
    for (wish, field, word) in [
        (web(json!({ "secret": mask })), "secret", "stands for"),
        (
            web(json!({ "headers": { "X-Api-Key": mask } })),
            "headers",
            "stands for",
        ),
        (
            json!({ "source": "news", "name": "matrix", "events": ["*"],
                "config": { "homeserver": "https://matrix.example", "room": "!a:matrix.example", "token": mask } }),
            "config",
            "stands for",
        ),
        (
            web(json!({ "signing": "standard", "secret": null })),
            "signing",
            "needs a secret",
        ),
        (
            web(json!({ "signing": "both", "secret": null })),
            "signing",
            "needs a secret",
        ),
        (service("template", json!("{{event}}")), "template", "slack"),
        (
            service("headers", json!({ "X-Env": "a" })),
            "headers",
            "slack",
        ),
        (service("signing", json!("standard")), "signing", "slack"),
        (service("secret", json!("s3cret")), "secret", "slack"),
    ] {
        let answer = ask(&hub, "POST", HOOKS, &wish).await.expect(422).json();
        let error = answer["error"].as_str().expect("words");
        assert!(error.contains(word), "{field}: {error}");
        assert_eq!(answer["field"], field, "{error}");
    }
    let page = ask(&hub, "GET", HOOKS, &Value::Null).await.expect(200);
    assert_eq!(page.json()["items"], json!([]), "nothing is stored");

    let keys = json!({ "signing": "standard", "secret": null, "v1a": true });
    let made = ask(&hub, "POST", HOOKS, &web(keys)).await;
    let made = made.expect(201).json();
    assert!(made["public_key"].is_string(), "a key pair signs alone");
    let masked = json!({ "secret": mask });
    for (method, path) in [("PATCH", ""), ("POST", "/rotate")] {
        let path = format!("{HOOKS}/1{path}");
        let refused = ask(&hub, method, &path, &masked).await.expect(422).json();
        assert_eq!(refused["field"], "secret", "{refused}");
    }
}

#[tokio::test]
async fn a_preview_sends_nothing() {
    let hub = social().await;
    let mut preview = wish();
    preview["template"] = json!(r#"{"content":"Hello {{object.username}}"}"#);
    preview["event"] = json!("account.created");
    preview["payload"] = json!({ "id": "1", "username": "bob", "account": {} });
    let shown = ask(&hub, "POST", "/api/v1/hooks/preview", &preview).await;
    let shown = shown.expect(200).json();
    assert_eq!(shown["request"]["body"], r#"{"content":"Hello bob"}"#);
    assert_eq!(shown["request"]["method"], "POST");
    let signature = shown["request"]["headers"]["x-hub-signature"].as_str();
    assert!(signature.expect("signed").starts_with("sha256="));
}

#[tokio::test]
async fn a_ping_stands_among_the_deliveries_with_request_and_response() {
    let hub = social().await;
    let receiver = Server::start_on([127, 0, 0, 1].into(), |_| Reply::status(204)).await;
    let mut wish = wish();
    wish["url"] = json!(receiver.url("/hook"));
    ask(&hub, "POST", HOOKS, &wish).await.expect(201);
    ask(&hub, "POST", "/api/v1/hooks/1/ping", &Value::Null)
        .await
        .expect(202);
    let list = "/api/v1/hooks/1/deliveries?status=success";
    let item = eventually("a delivery in the log", async || {
        let page = ask(&hub, "GET", list, &Value::Null)
            .await
            .expect(200)
            .json();
        page["items"].get(0).cloned()
    })
    .await;
    assert_eq!(
        (&item["event"], &item["status"]),
        (&json!("ping"), &json!(204))
    );
    let path = format!("/api/v1/hooks/1/deliveries/{}", item["id"]);
    let whole = ask(&hub, "GET", &path, &Value::Null)
        .await
        .expect(200)
        .json();
    let arrived = receiver.log().matching(|_| true).remove(0);
    assert_eq!(
        whole["request"]["body"],
        json!(String::from_utf8_lossy(&arrived.body))
    );
    assert_eq!(whole["request"]["headers"]["x-api-key"], "********");
    assert_eq!(whole["response"]["status"], 204);
    let failures = "/api/v1/hooks/1/deliveries?status=failure";
    let page = ask(&hub, "GET", failures, &Value::Null)
        .await
        .expect(200)
        .json();
    assert_eq!(page["items"], json!([]));
}
