//! Sources and tokens: declared, changed, dropped; and who may do what in which source.

use serde_json::{Value, json};

use crate::raising::assert_refused;
use crate::support::client::bearer;
use crate::support::{ADMIN, Hub, PUBLISHER, Scene};

#[tokio::test]
async fn a_source_is_declared_changed_and_dropped() {
    let mut hub = Hub::start().await;
    let first = hub
        .declare(
            "Octocat/Hello-World",
            &json!({ "dialect": "socialgateway", "inbound_secret": "hush" }),
        )
        .await;
    let source = first.expect(201).json();
    assert_eq!(source["name"], "Octocat/Hello-World");
    assert_eq!(source["inbound_secret"], "********", "never shown");
    assert_eq!(
        source["inbox"],
        format!("{}octocat/hello-world/inbox", hub.url)
    );
    assert_eq!(source["catalogue"].as_array().map(Vec::len), Some(75));

    let change = json!({ "events": ["deployed", "deployed"], "private": true, "inbound_secret": "********" });
    let changed = hub
        .declare("octocat/hello-world", &change)
        .await
        .expect(200)
        .json();
    let mut expected = source.clone();
    expected["events"] = json!(["deployed"]);
    expected["private"] = json!(true);
    expected["catalogue"]
        .as_array_mut()
        .expect("a list")
        .push(json!("deployed"));
    assert_eq!(changed, expected, "what is not named stays, the secret too");
    let cleared = hub
        .declare("octocat/hello-world", &json!({ "inbound_secret": null }))
        .await;
    assert_eq!(cleared.expect(200).json()["inbound_secret"], Value::Null);

    hub.restart().await;
    let shown = hub
        .admin_get("/api/v1/sources/octocat/Hello-World")
        .await
        .expect(200)
        .json();
    assert_eq!(shown["private"], true);
    hub.declare("blog", &json!({})).await.expect(201);
    let page = hub
        .admin_get("/api/v1/sources?limit=2")
        .await
        .expect(200)
        .json();
    let names = |page: &Value| -> Vec<String> {
        let items = page["items"].as_array().expect("items").iter();
        items
            .map(|item| item["name"].as_str().expect("a name").to_owned())
            .collect()
    };
    assert_eq!(names(&page), ["blog", "fanfare"]);
    let next = page["next"].as_str().expect("more");
    let page = hub
        .admin_get(&format!("/api/v1/sources?after={next}"))
        .await
        .expect(200)
        .json();
    assert_eq!(
        (names(&page), &page["next"]),
        (vec!["Octocat/Hello-World".to_owned()], &Value::Null)
    );

    for name in ["blog", "octocat/hello-world"] {
        let path = format!("/api/v1/sources/{name}");
        hub.send_json(ADMIN, "DELETE", &path, &Value::Null)
            .await
            .expect(204);
        let gone = hub.send_json(ADMIN, "DELETE", &path, &Value::Null).await;
        assert_refused(&gone, 404, &["no source"]);
        hub.raise(&format!("/{name}/events/x"), &json!({}))
            .await
            .expect(404);
    }
}

#[tokio::test]
async fn what_hooks_ask_for_stays_in_their_source() {
    let mut hub = Hub::start().await;
    let source = json!({ "dialect": "mastodon", "events": ["domain.blocked"] });
    hub.declare("social", &source).await.expect(201);
    for events in ["account.created", "domain.blocked", "*"] {
        let url = format!("https://bot.example/{}", events.len());
        let wish = json!({ "source": "social", "url": url, "events": [events] });
        let made = hub.send_json(ADMIN, "POST", "/api/v1/hooks", &wish).await;
        made.expect(201);
    }
    for (change, words) in [
        (json!({ "dialect": "muut" }), ["hook 1", "account.created"]),
        (json!({ "events": [] }), ["hook 2", "domain.blocked"]),
    ] {
        let refused = hub.declare("social", &change).await;
        assert_refused(&refused, 409, &words);
    }
    let same = json!({ "private": true, "events": ["domain.blocked", "domain.freed"] });
    hub.declare("social", &same).await.expect(200);
    hub.terminate().await;
    let file = hub.data().with_file_name("config.toml");
    let settings = "[[source]]\nname = \"social\"\ndialect = \"muut\"\n";
    std::fs::write(&file, settings).expect("written");
    hub.start_again().await;
    let shown = hub.admin_get("/api/v1/sources/social").await.expect(200);
    assert_eq!(
        shown.json()["dialect"],
        "mastodon",
        "it starts all the same"
    );
    assert!(
        hub.output()
            .contains("a source of the settings stays as it was")
    );
    for hook in [1, 2] {
        let path = format!("/api/v1/hooks/{hook}");
        let gone = hub.send_json(ADMIN, "DELETE", &path, &Value::Null).await;
        gone.expect(204);
    }
    let muut = json!({ "dialect": "muut", "events": [] });
    hub.declare("social", &muut).await.expect(200);
}

#[tokio::test]
async fn what_is_wrong_with_a_source_or_a_token_is_said() {
    let hub = Hub::start().await;
    for (name, source, status, words) in [
        ("api", json!({}), 422, "cannot be the name of a source"),
        ("a%20b", json!({}), 422, "not the name of a source"),
        ("fanfare", json!({}), 403, "the hub's own source"),
        ("octocat/events", json!({}), 422, "/octocat/events/"),
        (
            "blog",
            json!({ "dialect": "mastodn" }),
            422,
            "websub, mastodon, pleroma, muut, socialgateway",
        ),
        (
            "blog",
            json!({ "events": ["A b"] }),
            422,
            "not the name of an event",
        ),
        (
            "blog",
            json!({ "event": ["a"] }),
            400,
            "unknown field `event`",
        ),
        ("blog", json!({ "inbound_secret": "" }), 422, "0 bytes"),
    ] {
        assert_refused(&hub.declare(name, &source).await, status, &[words]);
    }
    let own = hub
        .send_json(ADMIN, "DELETE", "/api/v1/sources/fanfare", &Value::Null)
        .await;
    assert_refused(&own, 403, &["always there"]);
    for (wish, status, words) in [
        (json!({}), 400, "missing field"),
        (
            json!({ "name": "", "role": "reader", "sources": ["*"] }),
            422,
            "name:",
        ),
        (
            json!({ "name": "a", "role": "boss", "sources": ["*"] }),
            422,
            "reader, publisher, manager, admin",
        ),
        (
            json!({ "name": "a", "role": "reader", "sources": [] }),
            422,
            "sources:",
        ),
        (
            json!({ "name": "a", "role": "reader", "sources": ["a b"] }),
            422,
            "sources:",
        ),
        (
            json!({ "name": "a", "role": "reader", "sources": ["*"], "events": ["**"] }),
            422,
            "events:",
        ),
        (
            json!({ "name": "a", "role": "reader", "sources": ["*"], "expires_in": "soon" }),
            422,
            "expires_in:",
        ),
    ] {
        let answer = hub.send_json(ADMIN, "POST", "/api/v1/tokens", &wish).await;
        assert_refused(&answer, status, &[words]);
    }
    let none = hub
        .send_json(ADMIN, "DELETE", "/api/v1/tokens/x", &Value::Null)
        .await;
    assert_refused(&none, 404, &["no token"]);
}

#[tokio::test]
async fn a_token_may_what_its_role_source_and_events_say() {
    let mut hub = Hub::start().await;
    for name in ["social", "other/one"] {
        hub.declare(name, &json!({ "dialect": "mastodon", "private": true }))
            .await
            .expect(201);
    }
    let reader = hub.token("reader", &["social"], &[]).await;
    let group = hub.token("publisher", &["social"], &["account.*"]).await;
    let below = hub.token("publisher", &["Other/*"], &[]).await;
    let manager = hub.token("manager", &["*"], &[]).await;
    hub.restart().await;
    let account = json!({ "id": "1", "username": "bob" });
    hub.raise("/social/events/account.created", &account)
        .await
        .expect(202);
    for (token, read, raise, report, elsewhere) in [
        ("", 401, 401, 401, 401),
        ("unknown", 403, 403, 403, 403),
        (reader.as_str(), 200, 403, 403, 403),
        (&group, 200, 202, 403, 403),
        (&below, 403, 403, 403, 202),
        (&manager, 200, 202, 202, 202),
        (PUBLISHER, 200, 202, 202, 202),
        (ADMIN, 200, 202, 202, 202),
    ] {
        let authorization = bearer(token);
        let headers = [("Authorization", authorization.as_str())];
        let shown = if token.is_empty() { &[][..] } else { &headers };
        let status = async |method, path, body: &Value| {
            let body = body.to_string();
            hub.request(method, path, shown, body.as_bytes())
                .await
                .status
        };
        let got = [
            status("GET", "/social/events/account.created", &Value::Null).await,
            status("POST", "/social/events/account.created", &account).await,
            status("POST", "/social/events/report.created", &account).await,
            status("POST", "/other/one/events/account.created", &account).await,
        ];
        assert_eq!(got, [read, raise, report, elsewhere], "{token}");
    }
    let refused = hub
        .send_json(&reader, "POST", "/social/events/account.created", &account)
        .await;
    assert_refused(&refused, 403, &["the role reader", "takes publisher"]);
    let refused = hub
        .send_json(&group, "POST", "/social/events/report.created", &json!({}))
        .await;
    assert_refused(
        &refused,
        403,
        &["report.created of social", "account.* of social only"],
    );
    let refused = hub.get("/social/events/account.created").await;
    assert_refused(&refused, 401, &["token"]);
    assert!(refused.header("www-authenticate").is_some());
    // Lists show what may be read, and only the administrator gives out tokens.
    let page = hub
        .get_as(&below, "/api/v1/sources")
        .await
        .expect(200)
        .json();
    assert_eq!(page["items"].as_array().map(Vec::len), Some(1), "{page}");
    assert_eq!(page["items"][0]["name"], "other/one");
    assert_refused(
        &hub.get_as(&below, "/api/v1/sources/social").await,
        403,
        &["other/* only"],
    );
    assert_refused(
        &hub.get_as(&manager, "/api/v1/tokens").await,
        403,
        &["takes admin"],
    );
    assert_refused(
        &hub.get_as(&reader, "/api/v1/topics").await,
        403,
        &["takes admin"],
    );
    let pushed = hub
        .request(
            "PUT",
            "/topics/x",
            &[
                ("Authorization", &bearer(&group)),
                ("Content-Type", "text/plain"),
            ],
            b"x",
        )
        .await;
    pushed.refuses(&["about no source"]);
}

#[tokio::test]
async fn a_token_is_shown_once_and_ends_when_it_is_taken_back_or_expires() {
    let hub = Hub::start().await;
    hub.declare("blog", &json!({ "events": ["posted"], "private": true }))
        .await
        .expect(201);
    let wish = |expires_in: &str| json!({ "name": "the blog's", "role": "publisher", "sources": ["blog"], "expires_in": expires_in });
    let issue = async |expires_in: &str| {
        let answer = hub
            .send_json(ADMIN, "POST", "/api/v1/tokens", &wish(expires_in))
            .await;
        answer.expect(201).json()
    };
    let lasting = issue("30d").await;
    let token = lasting["token"].as_str().expect("a text");
    hub.send_json(token, "POST", "/blog/events/posted", &json!({}))
        .await
        .expect(202);
    let list = hub.admin_get("/api/v1/tokens").await.expect(200);
    assert!(!list.text().contains(token), "the hub does not know it");
    let mut shown = lasting.clone();
    shown.as_object_mut().expect("an object").remove("token");
    assert_eq!(list.json()["items"], json!([shown]));

    let brief = issue("1s").await;
    let brief = brief["token"].as_str().expect("a text");
    crate::support::eventually("the end of a token", async || {
        let answer = hub.get_as(brief, "/api/v1/sources/blog").await;
        (answer.status == 403).then_some(())
    })
    .await;
    let path = format!("/api/v1/tokens/{}", lasting["id"].as_str().expect("an id"));
    hub.send_json(ADMIN, "DELETE", &path, &Value::Null)
        .await
        .expect(204);
    let refused = hub
        .send_json(token, "POST", "/blog/events/posted", &json!({}))
        .await;
    assert_refused(&refused, 403, &["does not know"]);
}

#[tokio::test]
async fn who_subscribes_to_a_private_source_needs_a_readers_token() {
    let scene = Scene::start().await;
    let hub = &scene.hub;
    hub.declare(
        "blog",
        &json!({ "events": ["posted", "secret.posted"], "private": true }),
    )
    .await
    .expect(201);
    let reader = hub.token("reader", &["blog"], &["posted"]).await;
    let topic = format!("{}blog/events/posted", hub.url);
    let callback = scene.subscriber.callback("/cb");
    for (topic, token, status) in [
        (topic.clone(), None, 401),
        (topic.clone(), Some("wrong"), 403),
        (format!("{}blog/events/%70osted", hub.url), None, 401),
        (
            format!("{}blog/events/secret.posted", hub.url),
            Some(reader.as_str()),
            403,
        ),
    ] {
        let mut request = hub.subscribe(&topic, callback.url());
        if let Some(token) = token {
            request = request.header("Authorization", &bearer(token));
        }
        let refused = request.send().await;
        assert_eq!(refused.status, status, "{topic}: {}", refused.text());
        refused.refuses(&["token"]);
    }
    let authorization = bearer(&reader);
    hub.subscribe(&topic, callback.url())
        .header("Authorization", &authorization)
        .active()
        .await;
    hub.raise("/blog/events/posted", &json!({ "n": 1 }))
        .await
        .expect(202);
    assert_eq!(callback.delivery(1).await.body, "{\"n\":1}");
    // Whoever confirms may leave without one.
    hub.unsubscribe(&topic, callback.url()).gone().await;
}
