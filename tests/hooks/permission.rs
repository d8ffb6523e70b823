//! A token that is for some sources or events keeps, and reads, hooks for those and no others: whichever of the ways to a hook it takes.

use fanfare::domain::source::Dialect;
use serde_json::{Value, json};

use crate::declared::{ask, hub_with};
use crate::raising::assert_refused;
use crate::support::client::{FORM, bearer};
use crate::support::{ADMIN, Hub};

const PLEROMA: &str = "/api/v1/pleroma/admin/webhooks/1";
const REPOSITORY: &str = "/repos/octocat/hello/hooks/2";
const CALLBACK: &str = "https://bot.example/push";

#[tokio::test]
async fn a_stranger_is_not_told_which_sources_there_are() {
    let hub = hub_with(&[("social", Dialect::Pleroma)]).await;
    let wrong = bearer("this-is-no-token-of-this-hub");
    let wrong = [("Authorization", wrong.as_str())];
    for (headers, status) in [(&wrong[..], 403), (&[], 401)] {
        for path in ["/api/v1/hooks", "/api/v1/hooks/preview"] {
            let told = async |source: &str| {
                let wish = json!({ "source": source, "url": CALLBACK, "events": ["*"] });
                let wish = wish.to_string();
                let told = hub.request("POST", path, headers, wish.as_bytes()).await;
                (told.status, told.text())
            };
            let known = told("social").await;
            assert_eq!(known.0, status, "{path}: {}", known.1);
            assert_eq!(told("nowhere").await, known, "{path}");
        }
    }
}

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

/// The ids of the hooks in a list, whichever of the APIs it is from.
fn ids(list: &Value) -> Vec<String> {
    let items = list.get("items").unwrap_or(list).as_array();
    let items = items.unwrap_or_else(|| panic!("no list: {list}")).iter();
    items
        .map(|hook| hook["id"].to_string().replace('"', ""))
        .collect()
}

async fn hooks_of_social(hub: &Hub, events: &[&str]) {
    for (number, events) in events.iter().enumerate() {
        let url = format!("https://bot.example/{number}");
        let wish = json!({ "source": "social", "url": url, "events": [events] });
        let made = ask(hub, "POST", "/api/v1/hooks", &wish).await;
        made.expect(201);
    }
}

#[tokio::test]
async fn tokens_are_listed_page_by_page_and_by_source() {
    let hub = Hub::start().await;
    for (name, sources) in [
        ("one", json!(["social"])),
        ("two", json!(["octocat/*"])),
        ("three", json!(["*"])),
        ("four", json!(["social", "blog"])),
    ] {
        let wish = json!({ "name": name, "role": "reader", "sources": sources });
        let made = ask(&hub, "POST", "/api/v1/tokens", &wish).await;
        made.expect(201);
    }
    let page = async |query: &str| {
        let path = format!("/api/v1/tokens?{query}");
        ask(&hub, "GET", &path, &Value::Null).await
    };
    let names = |page: &Value| -> Vec<String> {
        let items = page["items"].as_array().expect("items").iter();
        items
            .map(|it| it["name"].as_str().expect("a name").to_owned())
            .collect()
    };
    let first = page("limit=3").await.expect(200).json();
    assert_eq!(names(&first), ["one", "two", "three"]);
    let next = first["next"].as_str().expect("there are more");
    let last = page(&format!("limit=3&after={next}")).await.expect(200);
    assert_eq!(names(&last.json()), ["four"]);
    assert_eq!(last.json()["next"], Value::Null);
    for (source, expected) in [
        ("Social", &["one", "three", "four"][..]),
        ("octocat/hello", &["two", "three"]),
        ("else", &["three"]),
    ] {
        let shown = page(&format!("source={source}")).await.expect(200).json();
        assert_eq!(names(&shown), expected, "{source}");
    }
    for wrong in ["source=a/b/c", "after=1", "limit=0", "sources=social"] {
        page(wrong).await.expect(400);
    }
}

#[tokio::test]
async fn a_group_of_events_is_kept_and_read_by_who_has_a_token_for_it() {
    let hub = hub_with(&[("social", Dialect::Mastodon), ("news", Dialect::Websub)]).await;
    hooks_of_social(&hub, &["account.*", "report.created", "*"]).await;
    let manager = hub.token("manager", &["social"], &["account.*"]).await;
    let send = async |method: &str, path: &str, body: Value| {
        let path = format!("/api/v1/hooks{path}");
        hub.send_json(&manager, method, &path, &body).await
    };
    let list = hub.get_as(&manager, "/api/v1/hooks").await.expect(200);
    assert_eq!(ids(&list.json()), ["1"]);
    let list = hub.get_as(&manager, "/api/v1/hooks?source=social").await;
    assert_eq!(ids(&list.expect(200).json()), ["1"]);
    let other = hub.get_as(&manager, "/api/v1/hooks?source=news").await;
    assert_refused(&other, 403, &["news"]);

    let url = "https://bot.example/new";
    let wish = |events: &str| json!({ "source": "social", "url": url, "events": [events] });
    for events in ["report.created", "*", "status.*"] {
        send("POST", "", wish(events)).await.expect(403);
        let wider = json!({ "events": [events] });
        send("PATCH", "/1", wider).await.expect(403);
    }
    let made = send("POST", "", wish("account.approved")).await;
    assert_eq!(made.expect(201).json()["id"], 4);
    let narrower = json!({ "events": ["account.created"] });
    send("PATCH", "/1", narrower).await.expect(200);
    send("GET", "/1/deliveries", Value::Null).await.expect(200);
    for hook in ["2", "3"] {
        for (method, path, body) in [
            ("GET", "", Value::Null),
            ("PATCH", "", json!({ "events": ["account.created"] })),
            ("DELETE", "", Value::Null),
            ("POST", "/enable", Value::Null),
            ("POST", "/disable", Value::Null),
            ("POST", "/rotate", Value::Null),
            ("POST", "/ping", Value::Null),
            ("POST", "/replay", json!({ "since": "1h" })),
            ("GET", "/replays", Value::Null),
            ("GET", "/deliveries", Value::Null),
        ] {
            let refused = send(method, &format!("/{hook}{path}"), body).await;
            assert_refused(&refused, 403, &["account.* of social"]);
        }
    }

    let reader = hub.token("reader", &["social"], &["report.*"]).await;
    let list = hub.get_as(&reader, "/api/v1/hooks").await.expect(200);
    assert_eq!(ids(&list.json()), ["2"]);
    let shown = hub.get_as(&reader, "/api/v1/hooks/2").await.expect(200);
    assert_eq!(shown.json()["secret"], "********");
    for (method, path, body) in [
        ("GET", "/2/deliveries", Value::Null),
        ("GET", "/2/deliveries/1", Value::Null),
        ("PATCH", "/2", json!({ "active": false })),
        ("POST", "/2/rotate", Value::Null),
    ] {
        let path = format!("/api/v1/hooks{path}");
        let refused = hub.send_json(&reader, method, &path, &body).await;
        assert_refused(&refused, 403, &["it takes manager"]);
    }
    let elsewhere = hub.token("reader", &["news"], &[]).await;
    let list = hub.get_as(&elsewhere, "/api/v1/hooks").await.expect(200);
    assert_eq!(list.json(), json!({ "items": [], "next": null }));
}

#[tokio::test]
async fn lists_of_the_dialects_hold_what_the_token_may_read() {
    let sources = [
        ("social", Dialect::Pleroma),
        ("octocat/hello", Dialect::SocialGateway),
    ];
    let hub = hub_with(&sources).await;
    hooks_of_social(&hub, &["account.created", "report.created"]).await;
    for (path, events) in [("a", "push"), ("b", "issues"), ("c", "issues")] {
        let url = format!("https://bot.example/{path}");
        let wish = json!({ "source": "octocat/hello", "url": url, "events": [events] });
        let made = ask(&hub, "POST", "/api/v1/hooks", &wish).await;
        made.expect(201);
    }
    let events = ["report.*", "issues"];
    let reader = hub.token("reader", &["*"], &events).await;
    let webhooks = hub.get_as(&reader, "/api/v1/pleroma/admin/webhooks").await;
    assert_eq!(ids(&webhooks.expect(200).json()), ["2"]);
    let hooks = "/repos/octocat/hello/hooks";
    let list = hub.get_as(&reader, hooks).await.expect(200);
    assert_eq!(ids(&list.json()), ["4", "5"]);
    let first = hub.get_as(&reader, &format!("{hooks}?per_page=1")).await;
    let first = first.expect(200);
    assert_eq!(ids(&first.json()), ["4"]);
    let link = first.header("Link").expect("there are more");
    assert!(link.contains("page=2&per_page=1>; rel=\"last\""), "{link}");
    hub.get_as(&reader, &format!("{hooks}/4")).await.expect(200);
    for path in ["/4/deliveries", "/4/deliveries/1"] {
        let refused = hub.get_as(&reader, &format!("{hooks}{path}")).await;
        assert_eq!(refused.status, 403, "{path}: {}", refused.text());
    }
}

#[tokio::test]
async fn a_preview_tells_nothing_that_the_token_may_not_read() {
    let hub = hub_with(&[("social", Dialect::Mastodon)]).await;
    let report = json!({ "id": "1", "comment": "hush" });
    hub.raise("/social/events/report.created", &report)
        .await
        .expect(202);
    let manager = hub.token("manager", &["social"], &["account.*"]).await;
    let preview = async |event: Value| {
        let mut wish =
            json!({ "source": "social", "url": "https://bot.example/", "events": ["account.*"] });
        if event.is_string() {
            wish["event"] = event;
        }
        let path = "/api/v1/hooks/preview";
        hub.send_json(&manager, "POST", path, &wish).await
    };
    let refused = preview(json!("report.created")).await;
    assert_refused(&refused, 403, &["report.created of social"]);
    for event in [json!("account.created"), Value::Null] {
        preview(event).await.expect(200);
    }
}

#[tokio::test]
async fn a_service_that_is_there_is_replaced_only_by_who_may_keep_it() {
    let hub = hub_with(&[("octocat/hello", Dialect::SocialGateway)]).await;
    let config = |path: &str| json!({ "url": format!("https://hooks.slack.com/services/{path}") });
    let wish = |events: &str, path: &str| json!({ "source": "octocat/hello", "name": "slack", "events": [events], "config": config(path) });
    let made = ask(&hub, "POST", "/api/v1/hooks", &wish("issues", "own")).await;
    let made = made.expect(201).json();
    let manager = hub.token("manager", &["*"], &["push"]).await;
    let stolen = wish("push", "stolen");
    let refused = hub
        .send_json(&manager, "POST", "/api/v1/hooks", &stolen)
        .await;
    assert_refused(&refused, 403, &["issues of octocat/hello"]);
    let same = json!({ "name": "slack", "events": ["push"], "config": config("stolen") });
    let hooks = "/repos/octocat/hello/hooks";
    let refused = hub.send_json(&manager, "POST", hooks, &same).await;
    assert_eq!(refused.status, 403, "{}", refused.text());
    let kept = ask(&hub, "GET", "/api/v1/hooks/1", &Value::Null).await;
    let kept = kept.expect(200).json();
    assert_eq!(kept["events"], made["events"]);
    assert_eq!(kept["updated_at"], made["updated_at"]);
    let again = ask(&hub, "POST", "/api/v1/hooks", &wish("push", "other")).await;
    assert_eq!(again.expect(200).json()["events"], json!(["push"]));
}

#[tokio::test]
async fn readers_of_a_private_repository_subscribe_as_to_any_private_source() {
    let hub = Hub::start().await;
    for (name, dialect) in [("octocat/hello", "socialgateway"), ("news", "websub")] {
        let source = json!({ "dialect": dialect, "private": true, "events": ["push"] });
        hub.declare(name, &source).await.expect(201);
    }
    let reader = hub.token("reader", &["*"], &[]).await;
    let manager = hub.token("manager", &["*"], &[]).await;
    let stranger = hub.token("reader", &["other"], &[]).await;
    let subscribe = async |token: &str, topic: &str| {
        let form = crate::support::form(&[
            ("hub.mode", "subscribe"),
            ("hub.topic", topic),
            ("hub.callback", "http://127.0.0.1:9/callback"),
        ]);
        let token = bearer(token);
        let headers = [("Authorization", token.as_str()), ("Content-Type", FORM)];
        let answer = hub.request("POST", "/hub", &headers, form.as_bytes()).await;
        answer.status
    };
    for source in ["octocat/hello", "news"] {
        let topic = format!("{}{source}/events/push", hub.url);
        assert_eq!(subscribe(&reader, &topic).await, 202, "{source}");
        assert_eq!(subscribe(&stranger, &topic).await, 403, "{source}");
    }
    let topic = format!("{}octocat/hello/events/push", hub.url);
    assert_eq!(subscribe(&manager, &topic).await, 204, "the classic mode");
    // Under another name it is no topic of this hub, and there is nothing to subscribe to but a hook.
    let elsewhere = "http://socialgateway.example/octocat/hello/events/push";
    assert_eq!(subscribe(&reader, elsewhere).await, 403);
}

#[tokio::test]
async fn a_source_is_changed_by_who_may_do_everything_in_it() {
    let hub = Hub::start().await;
    let private = json!({ "dialect": "mastodon", "private": true });
    hub.declare("social", &private).await.expect(201);
    let path = "/api/v1/sources/social";
    let open = json!({ "private": false, "inbound_secret": "one that the thief knows" });
    let some = hub.token("admin", &["social"], &["account.*"]).await;
    for (method, body) in [("PUT", &open), ("DELETE", &Value::Null)] {
        let refused = hub.send_json(&some, method, path, body).await;
        assert_refused(&refused, 403, &["* of social", "account.* of social"]);
    }
    let shown = hub.send_json(ADMIN, "GET", path, &Value::Null).await;
    let shown = shown.expect(200).json();
    assert_eq!(
        (&shown["private"], &shown["inbound_secret"]),
        (&json!(true), &Value::Null)
    );
    let all = hub.token("admin", &["social"], &[]).await;
    hub.send_json(&all, "PUT", path, &open).await.expect(200);
}
