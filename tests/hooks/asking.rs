//! What is asked of a hook: a test with the latest push, everything with `*` or of a group, a preview, how it fares, its deliveries that
//! succeeded or failed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};

use serde_json::{Value, json};

use crate::declared::ask;
use crate::hooking::{MADE, receiver, shop};
use crate::raising::assert_refused;
use crate::support::{Hub, Reply, Request, Server, eventually};

const HOOKS: &str = "/repos/octocat/hello/hooks";

async fn repository() -> Hub {
    let hub = Hub::start().await;
    let source = json!({ "dialect": "socialgateway" });
    hub.declare("octocat/hello", &source).await.expect(201);
    hub
}

impl Hub {
    /// Makes a hook of the repository, as SocialGateway's clients do, and waits for its ping; gives its path.
    async fn repository_hook(&self, server: &Server, path: &str, events: &[&str]) -> String {
        let config = json!({ "url": server.url(path), "content_type": "json" });
        let wish = json!({ "name": "web", "events": events, "config": config });
        let made = ask(self, "POST", HOOKS, &wish).await.expect(201).json();
        assert_eq!(made["events"], json!(events));
        told(server, path, "ping", 1).await;
        format!("{HOOKS}/{}", made["id"])
    }

    async fn event(&self, name: &str, payload: &Value) {
        let path = format!("/octocat/hello/events/{name}");
        self.raise(&path, payload).await.expect(202);
    }
}

/// Waits until a path was told of an event so many times; gives all of those requests.
async fn told(server: &Server, path: &str, event: &str, times: usize) -> Vec<Request> {
    let fits = |request: &Request| request.path() == path && name(request) == event;
    server.log().wait_for(event, times, fits).await
}

fn name(request: &Request) -> String {
    let name = request.header("X-SocialGateway-Event");
    name.expect("a name").to_owned()
}

#[tokio::test]
async fn a_test_sends_the_latest_push_to_a_hook_that_wants_pushes_and_to_no_other() {
    let hub = repository().await;
    let server = receiver(Reply::status(200)).await;
    let wants = hub.repository_hook(&server, "/push", &["push"]).await;
    let other = hub.repository_hook(&server, "/issues", &["issues"]).await;
    // Before the first push there is nothing to send.
    let test = format!("{wants}/tests");
    ask(&hub, "POST", &test, &Value::Null).await.expect(204);
    for number in 1..=2 {
        hub.event("push", &json!({ "ref": "refs/heads/main", "n": number }))
            .await;
        told(&server, "/push", "push", number).await;
    }
    hub.event("issues", &json!({ "action": "opened" })).await;
    told(&server, "/issues", "issues", 1).await;

    for (times, verb) in [(3, "tests"), (4, "test")] {
        for hook in [&wants, &other] {
            let path = format!("{hook}/{verb}");
            ask(&hub, "POST", &path, &Value::Null).await.expect(204);
        }
        let pushes = told(&server, "/push", "push", times).await;
        assert_eq!(pushes.len(), times);
        let guid = |request: &Request| {
            request
                .header("X-SocialGateway-Delivery")
                .map(str::to_owned)
        };
        let (latest, tested) = (&pushes[1], &pushes[times - 1]);
        assert_eq!(latest.body, tested.body);
        assert_eq!(guid(latest), guid(tested), "it is the same event");
        let signature = |request: &Request| request.header("X-Hub-Signature").map(str::to_owned);
        assert_eq!(signature(latest), signature(tested));
    }
    // Whatever the tests had sent to the other one would have come before this.
    let ping = format!("{other}/pings");
    ask(&hub, "POST", &ping, &Value::Null).await.expect(204);
    told(&server, "/issues", "ping", 2).await;
    let sent = server.log().matching(|request| request.path() == "/issues");
    let sent: Vec<_> = sent.iter().map(name).collect();
    assert_eq!(sent, ["ping", "issues", "ping"]);
}

#[tokio::test]
async fn a_star_is_every_event_by_both_apis() {
    let hub = repository().await;
    let server = receiver(Reply::status(200)).await;
    let hook = hub.repository_hook(&server, "/repos", &["*"]).await;
    let wish = json!({ "source": "octocat/hello", "events": ["push", "*"] });
    let other = hub.hook(&server.url("/api"), &wish).await;
    assert_eq!(
        hub.hook_now(other).await["events"],
        json!(["*"]),
        "a star holds all others"
    );
    for event in ["push", "issues", "fork"] {
        hub.event(event, &json!({ "action": "made" })).await;
        for path in ["/repos", "/api"] {
            let sent = told(&server, path, event, 1).await;
            assert_eq!(sent.len(), 1, "{event} at {path}");
        }
    }
    let test = format!("{hook}/tests");
    ask(&hub, "POST", &test, &Value::Null).await.expect(204);
    told(&server, "/repos", "push", 2).await;

    let fewer = json!({ "remove_events": ["*"], "add_events": ["fork"] });
    let fewer = ask(&hub, "PATCH", &hook, &fewer).await.expect(200).json();
    assert_eq!(fewer["events"], json!(["fork"]));
    hub.event("issues", &json!({ "action": "closed" })).await;
    told(&server, "/api", "issues", 2).await;
    hub.event("fork", &json!({})).await;
    told(&server, "/repos", "fork", 2).await;
    assert_eq!(told(&server, "/repos", "issues", 1).await.len(), 1);
}

#[tokio::test]
async fn a_group_is_every_event_of_it_and_no_other() {
    let hub = Hub::start().await;
    let source = json!({ "dialect": "mastodon" });
    hub.declare("social", &source).await.expect(201);
    let server = receiver(Reply::status(200)).await;
    let wish = json!({ "source": "social", "events": ["account.*"], "ordered": true });
    hub.hook(&server.url("/"), &wish).await;
    let account = json!({ "id": "7", "username": "alice" });
    for (event, payload) in [
        ("account.created", &account),
        ("report.created", &json!({ "id": "8" })),
        ("account.approved", &account),
    ] {
        let path = format!("/social/events/{event}");
        hub.raise(&path, payload).await.expect(202);
    }
    let log = server.log().wait_for("an event", 2, |_| true).await;
    let told = log.iter().map(|request| {
        let body: Value = serde_json::from_slice(&request.body).expect("JSON");
        body["event"].clone()
    });
    let told: Vec<_> = told.collect();
    assert_eq!(told, [json!("account.created"), json!("account.approved")]);
}

#[tokio::test]
async fn a_preview_is_made_of_the_latest_event_that_fits_and_else_of_an_example() {
    let hub = Hub::start().await;
    let source = json!({ "dialect": "mastodon" });
    hub.declare("social", &source).await.expect(201);
    let server = receiver(Reply::status(200)).await;
    let wish = json!({
        "source": "social", "url": server.url("/"), "events": ["account.*"],
        "template": "{\"text\":\"{{event}} of {{object.username}}\"}",
    });
    let preview = async || {
        let shown = ask(&hub, "POST", "/api/v1/hooks/preview", &wish).await;
        shown.expect(200).json()
    };
    assert_eq!(preview().await["is_example"], true);
    for (event, id, username) in [
        ("account.approved", "7", "alice"),
        ("account.created", "9", "bob"),
    ] {
        let path = format!("/social/events/{event}");
        let payload = json!({ "id": id, "username": username });
        hub.raise(&path, &payload).await.expect(202);
    }
    let report = json!({ "id": "8" });
    hub.raise("/social/events/report.created", &report)
        .await
        .expect(202);
    let shown = preview().await;
    assert_eq!(shown["is_example"], false, "{shown}");
    assert_eq!(shown["event"], "account.created");
    let body = shown["request"]["body"].as_str();
    assert_eq!(body, Some(r#"{"text":"account.created of bob"}"#));

    // What is sent, to a hook that is really there, comes without anything of the previews before it.
    hub.hook(&server.url("/"), &wish).await;
    let account = json!({ "id": "1", "username": "eve" });
    hub.raise("/social/events/account.created", &account)
        .await
        .expect(202);
    let log = server.log().wait_for("the event", 1, |_| true).await;
    assert_eq!(log.len(), 1);
    assert_eq!(log[0].body, r#"{"text":"account.created of eve"}"#);
}

#[tokio::test]
async fn a_preview_of_a_hook_that_there_is_keeps_what_is_masked() {
    let hub = Hub::start().await;
    let source = json!({ "dialect": "mastodon" });
    hub.declare("social", &source).await.expect(201);
    let wish = json!({
        "source": "social", "url": "https://receiver.example/", "events": ["account.*"], "headers": { "X-Api-Key": "hush" },
    });
    let made = ask(&hub, "POST", "/api/v1/hooks", &wish).await.expect(201);
    let hook = format!("/api/v1/hooks/{}", made.json()["id"]);
    let shown = ask(&hub, "GET", &hook, &Value::Null).await.expect(200);
    let edit = json!({ "headers": shown.json()["headers"], "secret": "********", "template": "{{event}}" });
    assert_eq!(edit["headers"]["X-Api-Key"], "********");
    let preview = ask(&hub, "POST", &format!("{hook}/preview"), &edit).await;
    let preview = preview.expect(200).json();
    assert_eq!(preview["request"]["headers"]["x-api-key"], "********");
    assert!(preview["request"]["headers"]["x-hub-signature"].is_string());
    let body = preview["request"]["body"].as_str().expect("a body");
    assert!(body.starts_with("account."), "{body}");

    let later = ask(&hub, "GET", &hook, &Value::Null).await.expect(200);
    assert_eq!(later.body, shown.body, "nothing of it is kept");
    let wrong = json!({ "template": "{{ two }}" });
    let wrong = ask(&hub, "POST", &format!("{hook}/preview"), &wrong).await;
    assert_eq!(wrong.expect(422).json()["field"], "template");
    ask(&hub, "POST", "/api/v1/hooks/99/preview", &edit)
        .await
        .expect(404);
    ask(&hub, "GET", &format!("{hook}/preview"), &Value::Null)
        .await
        .expect(405);
}

#[tokio::test]
async fn the_last_response_stands_in_the_hook_as_clients_know_it() {
    let hub = repository().await;
    let status = Arc::new(AtomicU16::new(200));
    let says = Arc::clone(&status);
    let answer = move |_: &Request| Reply::status(says.load(Ordering::SeqCst));
    let server = Server::start_on([127, 0, 0, 1].into(), answer).await;
    let idle = json!({
        "name": "web", "events": ["push"], "active": false, "config": { "url": server.url("/idle") },
    });
    let idle = ask(&hub, "POST", HOOKS, &idle).await.expect(201).json();
    let unused = json!({ "code": null, "status": "unused", "message": null });
    assert_eq!(idle["last_response"], unused);

    let hook = hub.repository_hook(&server, "/", &["push"]).await;
    let last = async |expected: Value| {
        eventually("the last response", async || {
            let shown = ask(&hub, "GET", &hook, &Value::Null).await.expect(200);
            (shown.json()["last_response"] == expected).then_some(())
        })
        .await;
    };
    last(json!({ "code": 200, "status": "active", "message": "OK" })).await;
    status.store(404, Ordering::SeqCst);
    hub.event("push", &json!({ "ref": "refs/heads/main" }))
        .await;
    let message = "Invalid HTTP Response: 404";
    last(json!({ "code": 404, "status": "invalid_http_response", "message": message })).await;
}

#[tokio::test]
async fn deliveries_are_listed_by_how_they_ended() {
    const EVENTS: usize = 4;
    let hub = shop(&[("delivery.retry", "20ms")]).await;
    let fails = Arc::new(AtomicBool::new(true));
    let mood = Arc::clone(&fails);
    // Every other request fails: each event once, and then it is taken.
    let answer = move |_: &Request| match mood.fetch_xor(true, Ordering::SeqCst) {
        true => Reply::status(500),
        false => Reply::status(201),
    };
    let server = Server::start_on([127, 0, 0, 1].into(), answer).await;
    let hook = hub
        .hook(&server.url("/"), &json!({ "ordered": true }))
        .await;
    for number in 0..EVENTS {
        hub.raise_number(MADE, number).await;
    }
    assert_eq!(hub.logged(hook, 2 * EVENTS).await.len(), 2 * EVENTS);
    let path = format!("/api/v1/hooks/{hook}/deliveries");
    let list = async |query: &str| {
        let list = hub.admin_get(&format!("{path}?{query}")).await;
        list.expect(200).json()
    };
    for (word, status) in [("success", 201), ("failure", 500)] {
        let all = list(&format!("status={word}")).await;
        let items = all["items"].as_array().expect("items");
        assert_eq!(items.len(), EVENTS, "{word}");
        assert!(items.iter().all(|item| item["status"] == status), "{all}");
        // Page by page it is the same.
        let (mut paged, mut next) = (Vec::new(), String::new());
        loop {
            let page = list(&format!("status={word}&limit=3{next}")).await;
            paged.extend(page["items"].as_array().expect("items").clone());
            match &page["next"] {
                Value::Null => break,
                id => {
                    next = format!(
                        "&before={}",
                        id.as_str().map_or(id.to_string(), str::to_owned)
                    )
                }
            }
        }
        assert_eq!(&paged, items, "{word}");
    }
    let wrong = hub.admin_get(&format!("{path}?status=good")).await;
    assert_refused(&wrong, 400, &["success or failure"]);
}
