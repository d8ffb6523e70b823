//! SocialGateway's API: the examples of the user's document run as written, with `curl`, and are answered as the document says;
//! and what the document says in words.

use std::path::Path;
use std::process::Command;

use fanfare::domain::source::Dialect;
use serde_json::{Value, json};

use crate::declared::{ask, forget, hub_with};
use crate::foreign::validates;
use crate::support::{ADMIN, Hub, Reply, Server, eventually};

const HOOKS: &str = "/repos/octocat/Hello-World/hooks";

async fn hub() -> Hub {
    hub_with(&[("octocat/Hello-World", Dialect::SocialGateway)]).await
}

async fn receiver() -> Server {
    Server::start_on([127, 0, 0, 1].into(), |_| Reply::status(200)).await
}

/// Runs an example; gives the status, the head and the body of what `curl` printed.
async fn run(hub: &Hub, receiver: &Server, name: &str) -> (u16, String, Value) {
    let script = Path::new("tests/hooks/seeds").join(format!("{name}.sh"));
    let mut command = Command::new("bash");
    command
        .arg(script)
        .env("API", hub.url.trim_end_matches('/'))
        .env("SITE", "http://socialgateway.net")
        .env("EXAMPLE", receiver.url("").trim_end_matches('/'))
        .env("POSTBIN", receiver.url("").trim_end_matches('/'))
        .env("PASSWORD", ADMIN);
    let output = tokio::task::spawn_blocking(move || command.output())
        .await
        .expect("it ends")
        .expect("bash runs");
    let printed = String::from_utf8(output.stdout).expect("UTF-8");
    let mut rest = printed.as_str();
    while let Some(after) = rest.strip_prefix("HTTP/1.1 100 Continue\r\n\r\n") {
        rest = after;
    }
    let (head, body) = rest.split_once("\r\n\r\n").expect("a head");
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
    let body = serde_json::from_str(body).unwrap_or(Value::Null);
    (status.expect("a status"), head.to_owned(), body)
}

/// Holds an answer against the document's: every member that it has is there; times differ.
fn is_as_documented(hub: &Hub, name: &str, status: u16, body: &Value) {
    let file = format!("tests/hooks/seeds/{name}.answer");
    let text = std::fs::read_to_string(file).expect("the document's answer");
    let text = text.replace("$API", hub.url.trim_end_matches('/'));
    assert!(
        text.starts_with(&format!("Status: {status} ")),
        "{name}: {status}"
    );
    let Some((_, expected)) = text.split_once("\n\n") else {
        return;
    };
    let expected: Value = serde_json::from_str(expected).expect("JSON");
    let pairs = match (expected, body) {
        (Value::Array(expected), Value::Array(body)) => expected.into_iter().zip(body).collect(),
        (expected, body) => vec![(expected, body)],
    };
    for (expected, body) in pairs {
        for (member, value) in expected.as_object().expect("an object") {
            match member.as_str() {
                "updated_at" | "created_at" => {
                    let time = body[member].as_str().expect("a time");
                    assert_eq!(time.len(), value.as_str().map_or(0, str::len), "{time}");
                }
                "config" => assert_eq!(body["config"]["content_type"], value["content_type"]),
                _ => assert_eq!(&body[member], value, "{name}: {member}"),
            }
        }
        assert_eq!(validates("hook", body), Ok(()), "{body}");
    }
}

#[tokio::test]
async fn the_examples_of_the_document_are_answered_as_it_says() {
    let (hub, receiver) = (hub().await, receiver().await);
    for name in [
        "create",
        "get",
        "list",
        "edit",
        "test",
        "test-previously",
        "ping",
        "delete",
    ] {
        let (status, head, body) = run(&hub, &receiver, name).await;
        is_as_documented(&hub, name, status, &body);
        if name == "create" {
            let location = format!("{}{}/1", hub.url.trim_end_matches('/'), HOOKS);
            assert!(head.contains(&location), "{head}");
            eventually("the ping of a new hook", async || {
                let pings = receiver
                    .log()
                    .matching(|request| request.header("X-SocialGateway-Event") == Some("ping"));
                pings.first().cloned()
            })
            .await;
        }
    }
    let (status, _, names) = run(&hub, &receiver, "names").await;
    assert_eq!(status, 200);
    let has = |name: &str| {
        names
            .as_array()
            .expect("a list")
            .iter()
            .any(|one| one["name"] == name)
    };
    assert!(has("web") && has("campfire") && has("irc"), "{names}");
}

#[tokio::test]
async fn the_classic_pubsubhubbub_makes_changes_and_ends_hooks_unverified() {
    let (hub, receiver) = (hub().await, receiver().await);
    for (name, content_type) in [
        ("subscribe", "form"),
        ("subscribe-json", "json"),
        ("subscribe", "form"),
        ("subscribe-accept", "json"),
        ("subscribe-enterprise", "form"),
    ] {
        let (status, _, _) = run(&hub, &receiver, name).await;
        assert_eq!(status, 204, "{name}");
        let hooks = ask(&hub, "GET", HOOKS, &Value::Null)
            .await
            .expect(200)
            .json();
        assert_eq!(
            hooks.as_array().map(Vec::len),
            Some(1),
            "{name}: it is modified"
        );
        assert_eq!(hooks[0]["events"], json!(["push"]));
        assert_eq!(hooks[0]["config"]["content_type"], content_type, "{name}");
    }
    let (status, _, _) = run(&hub, &receiver, "unsubscribe").await;
    assert_eq!(status, 204);
    let (status, _, _) = run(&hub, &receiver, "subscribe-campfire").await;
    assert_eq!(status, 204);
    let hooks = ask(&hub, "GET", HOOKS, &Value::Null)
        .await
        .expect(200)
        .json();
    assert_eq!(hooks.as_array().map(Vec::len), Some(1));
    assert_eq!(hooks[0]["name"], "campfire");
    assert_eq!(hooks[0]["config"]["token"], "********");

    let form = "hub.mode=subscribe&hub.topic=http://x.example/octocat/hello-world/events/push";
    let bearer = format!("Bearer {ADMIN}");
    let headers = [
        ("Authorization", bearer.as_str()),
        ("Content-Type", "application/x-www-form-urlencoded"),
    ];
    let refused = hub.request("POST", "/hub", &headers, form.as_bytes()).await;
    assert_eq!(refused.expect(422).text(), "Needs hub.callback.\n");
    let anonymous = format!("{form}&hub.callback={}", receiver.url("/x"));
    let anonymous = hub
        .request("POST", "/hub", &headers[1..], anonymous.as_bytes())
        .await;
    anonymous.expect(202);
}

#[tokio::test]
async fn configs_are_replaced_whole_and_refusals_have_their_form() {
    let (hub, receiver) = (hub().await, receiver().await);
    let url = receiver.url("/a");
    let wish = json!({
        "name": "web",
        "config": { "url": url, "secret": "s3cret", "insecure_ssl": true },
    });
    let made = ask(&hub, "POST", HOOKS, &wish).await.expect(201).json();
    assert_eq!(made["events"], json!(["push"]));
    assert_eq!(
        made["config"],
        json!({ "url": url, "content_type": "form", "insecure_ssl": "1", "secret": "********" })
    );
    assert_eq!(
        made["last_response"],
        json!({ "code": null, "status": "unused", "message": null })
    );
    let twice = ask(&hub, "POST", HOOKS, &wish).await.expect(422).json();
    assert_eq!(
        twice["errors"],
        json!([{ "resource": "Hook", "code": "custom", "message": "Hook already exists on this repository" }])
    );
    assert_eq!(validates("validation-error", &twice), Ok(()));

    let one = format!("{HOOKS}/1");
    let config = format!("{one}/config");
    let patch = json!({ "content_type": "json" });
    let patched = ask(&hub, "PATCH", &config, &patch).await.expect(200).json();
    assert_eq!(patched["secret"], "********", "one field is patched");
    let edit = json!({ "config": { "url": url }, "add_events": ["fork"], "remove_events": ["push"], "active": false });
    let edited = ask(&hub, "PATCH", &one, &edit).await.expect(200).json();
    assert_eq!(
        edited["config"],
        json!({ "url": url, "content_type": "form", "insecure_ssl": "0" }),
        "the secret is gone"
    );
    assert_eq!(
        (&edited["events"], &edited["active"]),
        (&json!(["fork"]), &json!(false))
    );

    let wrong_name = json!({ "name": "nope", "config": { "url": url } });
    let refused = ask(&hub, "POST", HOOKS, &wrong_name)
        .await
        .expect(422)
        .json();
    assert_eq!(refused["message"], "Validation Failed");
    assert_eq!(
        refused["errors"],
        json!([{ "resource": "Hook", "field": "name", "code": "invalid" }])
    );
    let wrong_url = json!({ "name": "web", "config": { "url": "not a URL" } });
    let refused = ask(&hub, "POST", HOOKS, &wrong_url)
        .await
        .expect(422)
        .json();
    let message = refused["errors"][0]["message"].as_str().expect("words");
    assert!(message.starts_with("The URL you've entered is not valid."));
    let long = format!("https://bot.example/{}", "x".repeat(9_000));
    let config = json!({ "url": long });
    let wish = json!({ "name": "web", "config": config });
    for (method, path, body, word) in [
        ("POST", HOOKS, wish, "bytes long"),
        ("PATCH", &*one, json!({ "config": config }), "bytes long"),
        (
            "PATCH",
            &*one.clone(),
            json!({ "config": { "url": url, "secret": "********" } }),
            "stands for",
        ),
    ] {
        let refused = ask(&hub, method, path, &body).await.expect(422).json();
        let message = refused["errors"][0]["message"].as_str().expect("words");
        assert!(message.contains(word), "{method} {path}: {message}");
    }
    let mut masked = wish_of(&receiver.url("/masked"));
    masked["config"]["secret"] = json!("********");
    let refused = ask(&hub, "POST", HOOKS, &masked).await.expect(422).json();
    let message = refused["errors"][0]["message"].as_str().expect("words");
    assert!(message.contains("stands for"), "{message}");
    for path in [
        "/repos/octocat/Hello-World/hooks/9",
        "/repos/octocat/nope/hooks",
    ] {
        let missing = ask(&hub, "GET", path, &Value::Null)
            .await
            .expect(404)
            .json();
        assert_eq!(missing["message"], "Not Found");
    }
    let anonymous = hub.get(HOOKS).await.expect(401);
    assert_eq!(anonymous.json()["message"], "Requires authentication");
}

fn wish_of(url: &str) -> Value {
    json!({ "name": "web", "config": { "url": url, "content_type": "json" } })
}

#[tokio::test]
async fn a_page_behind_all_others_is_empty() {
    let hub = hub().await;
    let path = format!("{HOOKS}?page={}", usize::MAX);
    let list = ask(&hub, "GET", &path, &Value::Null).await.expect(200);
    assert_eq!(list.json(), json!([]));
}

#[tokio::test]
async fn what_cannot_be_repeated_is_refused() {
    let mut hub = hub().await;
    let receiver = receiver().await;
    let wish = wish_of(&receiver.url("/a"));
    ask(&hub, "POST", HOOKS, &wish).await.expect(201);
    let push = json!({ "ref": "refs/heads/main" });
    let raised = hub.raise("/octocat/hello-world/events/push", &push).await;
    let event = raised.expect(202).json()["id"].clone();
    let event = event.as_str().expect("an id").to_owned();
    let deliveries = format!("{HOOKS}/1/deliveries");
    let push = eventually("the push in the log", async || {
        let list = ask(&hub, "GET", &deliveries, &Value::Null).await;
        let list = list.expect(200).json();
        let items = list.as_array().expect("a list").clone();
        items.into_iter().find(|item| item["event"] == "push")
    })
    .await;
    // A script reads any number as a double, and asks for the delivery by that.
    let id = push["id"].as_f64().expect("a number");
    let attempts = format!("{deliveries}/{id}/attempts");
    ask(&hub, "POST", &attempts, &Value::Null).await.expect(202);
    receiver
        .log()
        .wait_for("pushes", 2, |request| {
            request.header("X-SocialGateway-Event") == Some("push")
        })
        .await;

    let off = json!({ "active": false });
    ask(&hub, "PATCH", &format!("{HOOKS}/1"), &off)
        .await
        .expect(200);
    let refused = ask(&hub, "POST", &attempts, &Value::Null).await;
    let message = refused.expect(422).json()["errors"][0]["message"].clone();
    assert!(message.as_str().expect("words").contains("disabled"));
    let on = json!({ "active": true });
    ask(&hub, "PATCH", &format!("{HOOKS}/1"), &on)
        .await
        .expect(200);

    forget(&mut hub, &event).await;
    let refused = ask(&hub, "POST", &attempts, &Value::Null).await;
    let message = refused.expect(422).json()["errors"][0]["message"].clone();
    assert!(
        message
            .as_str()
            .expect("words")
            .contains("not kept any longer")
    );
}

#[tokio::test]
async fn lists_have_pages_and_deliveries_are_shown_and_repeated() {
    let (hub, receiver) = (hub().await, receiver().await);
    for number in 0..3 {
        let config = json!({ "url": receiver.url(&format!("/{number}")), "content_type": "json" });
        let wish = json!({ "name": "web", "config": config, "active": number == 0 });
        ask(&hub, "POST", HOOKS, &wish).await.expect(201);
    }
    let page = format!("{HOOKS}?per_page=2");
    let first = ask(&hub, "GET", &page, &Value::Null).await.expect(200);
    let url = format!("{}{HOOKS}", hub.url.trim_end_matches('/'));
    assert_eq!(
        first.header("Link").map(str::to_owned),
        Some(format!(
            "<{url}?page=2&per_page=2>; rel=\"next\", <{url}?page=2&per_page=2>; rel=\"last\""
        ))
    );
    assert_eq!(first.json().as_array().map(Vec::len), Some(2));

    let deliveries = format!("{HOOKS}/1/deliveries");
    let logged = async |count: usize| {
        eventually("deliveries", async || {
            let list = ask(&hub, "GET", &deliveries, &Value::Null)
                .await
                .expect(200)
                .json();
            (list.as_array().map(Vec::len) == Some(count)).then_some(list)
        })
        .await
    };
    let ping = logged(1).await[0].clone();
    assert_eq!(validates("hook-delivery-item", &ping), Ok(()), "{ping}");
    let one = format!("{deliveries}/{}", ping["id"]);
    let whole = ask(&hub, "GET", &one, &Value::Null)
        .await
        .expect(200)
        .json();
    assert_eq!(validates("hook-delivery", &whole), Ok(()), "{whole}");
    assert_eq!(whole["request"]["payload"]["hook_id"], 1);
    let attempts = format!("{one}/attempts");
    ask(&hub, "POST", &attempts, &Value::Null).await.expect(202);
    let list = logged(2).await;
    assert_eq!(
        (&list[0]["redelivery"], &list[0]["guid"]),
        (&json!(true), &ping["guid"])
    );
    let newest = format!("{deliveries}?per_page=1");
    let newest = ask(&hub, "GET", &newest, &Value::Null).await.expect(200);
    let link = newest.header("Link").expect("there are more").to_owned();
    let next = link
        .trim_start_matches('<')
        .split('>')
        .next()
        .expect("a URL");
    let older = ask(&hub, "GET", hub.path_of(next), &Value::Null)
        .await
        .expect(200);
    assert_eq!(older.json()[0]["id"], ping["id"]);
}
