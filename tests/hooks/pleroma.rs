//! Pleroma's admin API: its shapes at both of its paths, and a URL twice is a 422, not a 500.

use fanfare::domain::source::Dialect;
use serde_json::{Value, json};

use crate::declared::{ask, hub_with};
use crate::raising::assert_refused;

#[tokio::test]
async fn a_webhook_lives_in_the_shapes_of_pleroma() {
    let hub = hub_with(&[("social", Dialect::Pleroma)]).await;
    let (new, old) = (
        "/api/v1/pleroma/admin/webhooks",
        "/api/pleroma/admin/webhooks",
    );
    let wish =
        json!({ "url": "https://bot.example/", "events": ["report.created"], "enabled": true });
    let made = ask(&hub, "POST", new, &wish).await.expect(200).json();
    let keys: Vec<_> = made
        .as_object()
        .expect("an object")
        .keys()
        .cloned()
        .collect();
    assert_eq!(
        keys,
        [
            "created_at",
            "enabled",
            "events",
            "id",
            "internal",
            "secret",
            "updated_at",
            "url"
        ]
    );
    assert_eq!(
        (&made["id"], &made["internal"]),
        (&json!("1"), &json!(false))
    );
    assert_eq!(made["secret"].as_str().map(str::len), Some(40));
    let error = ask(&hub, "POST", old, &wish).await.expect(422).json();
    assert!(
        error["error"]
            .as_str()
            .expect("words")
            .contains("https://bot.example/")
    );
    let list = ask(&hub, "GET", old, &Value::Null).await.expect(200).json();
    assert_eq!(list, json!([made]));

    let one = format!("{old}/1");
    let edit = json!({ "events": ["account.created", "report.created"] });
    let edited = ask(&hub, "PATCH", &one, &edit).await.expect(200).json();
    assert_eq!(
        edited["secret"], made["secret"],
        "editing makes no other secret"
    );
    for (action, enabled) in [
        ("disable", false),
        ("enable", true),
        ("rotate_secret", true),
    ] {
        let path = format!("{one}/{action}");
        let after = ask(&hub, "POST", &path, &Value::Null)
            .await
            .expect(200)
            .json();
        assert_eq!(after["enabled"], json!(enabled), "{action}");
        assert_eq!(after["secret"] != made["secret"], action == "rotate_secret");
    }
    let wrong = json!({ "url": "https://other.example/", "events": ["status.created"] });
    let error = ask(&hub, "POST", new, &wrong).await.expect(422).json();
    assert!(
        error["error"]
            .as_str()
            .expect("words")
            .contains("account.created, report.created")
    );
    ask(&hub, "DELETE", &one, &Value::Null).await.expect(200);
    ask(&hub, "GET", &one, &Value::Null).await.expect(404);
}

#[tokio::test]
async fn of_several_sources_one_must_be_named() {
    let hub = hub_with(&[("a", Dialect::Pleroma), ("b", Dialect::Pleroma)]).await;
    let path = "/api/v1/pleroma/admin/webhooks";
    let error = ask(&hub, "GET", path, &Value::Null)
        .await
        .expect(400)
        .json();
    assert!(error["error"].as_str().expect("words").contains("a, b"));
    let named = format!("{path}?source=b");
    let list = ask(&hub, "GET", &named, &Value::Null)
        .await
        .expect(200)
        .json();
    assert_eq!(list, json!([]));
    hub.get(path).await.expect(401);
}

#[tokio::test]
async fn a_token_for_one_source_need_not_name_it() {
    let sources = [
        ("a", Dialect::Pleroma),
        ("b", Dialect::Pleroma),
        ("shop", Dialect::Websub),
    ];
    let hub = hub_with(&sources).await;
    let path = "/api/v1/pleroma/admin/webhooks";
    let wish = json!({ "url": "https://bot.example/", "events": ["report.created"] });
    let one = hub.token("manager", &["b", "shop"], &[]).await;
    let made = hub.send_json(&one, "POST", path, &wish).await;
    made.expect(200);
    let both = hub.token("manager", &["*"], &["report.*"]).await;
    let several = hub.send_json(&both, "GET", path, &Value::Null).await;
    assert_refused(&several, 400, &["a, b"]);
    let none = hub.token("manager", &["shop"], &[]).await;
    let reader = hub.token("reader", &["b"], &[]).await;
    for (token, method) in [(&none, "GET"), (&none, "POST"), (&reader, "POST")] {
        let refused = hub.send_json(token, method, path, &wish).await;
        assert_refused(&refused, 403, &["of the dialect pleroma"]);
    }
    let named = format!("{path}?source=b");
    let list = hub.get_as(&reader, &named).await.expect(200).json();
    assert_eq!(list[0]["secret"], "********", "readers see no secrets");
}
