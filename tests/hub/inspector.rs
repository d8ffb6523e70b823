//! The inspector: callback addresses at the hub itself that show what arrives, and answer as they are told.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::client::bearer;
use crate::support::{ADMIN, Hub, PUBLISHER, Response, TOPIC, eventually};

const BINS: &str = "/api/v1/inspector";

/// Asks with a token, and with a body of JSON unless it is null.
pub async fn ask(hub: &Hub, token: &str, method: &str, path: &str, body: &Value) -> Response {
    let body = match body {
        Value::Null => String::new(),
        body => body.to_string(),
    };
    let headers = [
        ("Authorization", bearer(token)),
        ("Content-Type", "application/json".to_owned()),
    ];
    let headers = headers
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect::<Vec<_>>();
    hub.request(method, path, &headers, body.as_bytes()).await
}

/// An address, as the administrator makes it.
pub struct Bin {
    pub api: String,
    url: String,
}

impl Bin {
    pub async fn make(hub: &Hub, manners: &Value) -> Self {
        let made = ask(hub, ADMIN, "POST", BINS, manners).await.expect(201);
        let api = hub.path_of(made.location()).to_owned();
        let url = made.json()["url"].as_str().expect("a URL").to_owned();
        Self { api, url }
    }

    pub async fn send(&self, hub: &Hub, method: &str, target: &str, body: &[u8]) -> Response {
        let target = format!("{}{target}", hub.path_of(&self.url));
        let headers = [
            ("Content-Type", "text/plain"),
            ("X-Two", "a"),
            ("X-Two", "b"),
        ];
        hub.request(method, &target, &headers, body).await
    }

    async fn caught(&self, hub: &Hub) -> Vec<Value> {
        let path = format!("{}/requests", self.api);
        let page = hub.admin_get(&path).await.expect(200).json();
        page["items"].as_array().expect("items").clone()
    }

    async fn verdict(&self, hub: &Hub, number: &Value, secret: &str) -> Value {
        let path = format!("{}/requests/{number}/verify", self.api);
        let secret = json!({ "secret": secret });
        ask(hub, ADMIN, "POST", &path, &secret)
            .await
            .expect(200)
            .json()
    }
}

#[tokio::test]
async fn an_address_shows_what_came_and_answers_as_it_is_told() {
    let hub = Hub::start().await;
    let bin = Bin::make(&hub, &Value::Null).await;
    assert!(
        bin.url.starts_with(&format!("{}inspect/", hub.url)),
        "{}",
        bin.url
    );
    bin.send(&hub, "POST", "?a=b", "grüße".as_bytes())
        .await
        .expect(200);
    let taught = json!({ "status": 503, "delay": "200ms" });
    ask(&hub, ADMIN, "PATCH", &bin.api, &taught)
        .await
        .expect(200);
    let before = Instant::now();
    let busy = bin.send(&hub, "PUT", "", b"\xff").await.expect(503);
    assert!(before.elapsed() >= Duration::from_millis(200));
    assert_eq!(busy.text(), "");
    bin.send(&hub, "OPTIONS", "", b"").await.expect(503);

    let caught = bin.caught(&hub).await;
    let [first, second, third] = &caught[..] else {
        panic!("{caught:#?}");
    };
    let told =
        ["method", "query", "body", "size", "answered", "from"].map(|key| first[key].clone());
    let expected = [
        json!("POST"),
        json!("a=b"),
        json!("grüße"),
        json!(7),
        json!(200),
        json!("127.0.0.1"),
    ];
    assert_eq!(told, expected);
    let headers = first["headers"].as_array().expect("headers");
    for (name, value) in [
        ("content-type", "text/plain"),
        ("x-two", "a"),
        ("x-two", "b"),
    ] {
        let header = json!({ "name": name, "value": value });
        assert!(headers.contains(&header), "{headers:#?}");
    }
    assert_eq!(
        (&second["body"], &second["body_base64"], &second["answered"]),
        (&Value::Null, &json!("/w=="), &json!(503))
    );
    assert_eq!(third["method"], "OPTIONS");
    let one = hub.admin_get(&format!("{}/requests/2", bin.api)).await;
    assert_eq!(&one.expect(200).json(), second);

    let path = format!("{}/requests?after=1&limit=1", bin.api);
    let page = hub.admin_get(&path).await.expect(200).json();
    assert_eq!(
        (&page["items"][0]["number"], &page["next"]),
        (&json!(2), &json!("2"))
    );
    let requests = format!("{}/requests", bin.api);
    ask(&hub, ADMIN, "DELETE", &requests, &Value::Null)
        .await
        .expect(204);
    assert!(bin.caught(&hub).await.is_empty());
    let known = hub.admin_get(BINS).await.expect(200).json();
    assert_eq!(
        (&known["items"][0]["received"], &known["items"][0]["kept"]),
        (&json!(3), &json!(0))
    );
}

#[tokio::test]
async fn a_subscription_to_an_address_is_confirmed_and_its_signatures_are_judged() {
    let hub = Hub::start().await;
    let bin = Bin::make(&hub, &json!({ "status": 202 })).await;
    hub.subscribe(TOPIC, &bin.url).secret("hush").active().await;
    hub.push(TOPIC, "text/plain", b"news").await.expect(202);
    let caught = eventually("the delivery", async || {
        let caught = bin.caught(&hub).await;
        (caught.len() == 2).then_some(caught)
    })
    .await;
    assert_eq!(
        (
            &caught[0]["method"],
            &caught[0]["is_challenge"],
            &caught[0]["answered"]
        ),
        (&json!("GET"), &json!(true), &json!(200))
    );
    let number = &caught[1]["number"];
    assert_eq!(
        (&caught[1]["body"], &caught[1]["answered"]),
        (&json!("news"), &json!(202))
    );
    let right = bin.verdict(&hub, number, "hush").await;
    let signature =
        |header, scheme, worth| json!({ "header": header, "scheme": scheme, "worth": worth });
    let expected = json!({
        "verdict": "verified",
        "signatures": [
            signature("x-hub-signature", "sha1", "right"),
            signature("x-hub-signature-256", "sha256", "right"),
        ],
    });
    assert_eq!(right, expected);
    assert_eq!(bin.verdict(&hub, number, "other").await["verdict"], "wrong");
    assert_eq!(
        bin.verdict(&hub, &caught[0]["number"], "hush").await["verdict"],
        "none"
    );
    assert!(!hub.output().contains("hush"));
}

#[tokio::test]
async fn an_address_that_is_told_so_confirms_nothing() {
    let hub = Hub::start().await;
    let bin = Bin::make(&hub, &json!({ "challenge": false })).await;
    let asked = hub.subscribe(TOPIC, &bin.url).field("hub.verify", "sync");
    asked.send().await.expect(409);
    let page = bin
        .send(&hub, "GET", "?hub.challenge=%3Cscript%3E", b"")
        .await;
    assert_eq!(page.expect(200).text(), "");
    ask(
        &hub,
        ADMIN,
        "PATCH",
        &bin.api,
        &json!({ "challenge": true }),
    )
    .await
    .expect(200);
    let page = bin
        .send(&hub, "GET", "?hub.challenge=%3Cscript%3E", b"")
        .await
        .expect(200);
    assert_eq!(page.text(), "<script>");
    for (name, value) in [
        ("content-type", "text/plain; charset=utf-8"),
        ("x-content-type-options", "nosniff"),
        (
            "content-security-policy",
            "default-src 'none'; frame-ancestors 'none'; sandbox",
        ),
    ] {
        assert_eq!(page.header(name), Some(value));
    }
}

#[tokio::test]
async fn what_is_kept_has_bounds() {
    let hub = Hub::with(&[
        ("inspector.bins", "1"),
        ("inspector.requests_per_bin", "2"),
        ("inspector.body", "6B"),
        ("inspector.bytes_per_bin", "4KiB"),
        ("limits.publication_body", "1KiB"),
    ])
    .await;
    let bin = Bin::make(&hub, &Value::Null).await;
    let full = ask(&hub, ADMIN, "POST", BINS, &Value::Null)
        .await
        .expect(409);
    assert!(full.text().contains("inspector.bins"), "{}", full.text());
    bin.send(&hub, "POST", "", "12345ü7".as_bytes())
        .await
        .expect(200);
    let cut = bin.caught(&hub).await.remove(0);
    assert_eq!(
        (&cut["body"], &cut["size"], &cut["is_cut"]),
        (&json!("12345"), &json!(8), &json!(true))
    );
    let verify = format!("{}/requests/1/verify", bin.api);
    let open = ask(&hub, ADMIN, "POST", &verify, &json!({ "secret": "x" })).await;
    assert!(open.expect(422).text().contains("inspector.body"));
    bin.send(&hub, "POST", "", &[b'x'; 2_000]).await.expect(413);
    for _ in 0..2 {
        bin.send(&hub, "POST", "", b"x").await.expect(200);
    }
    let numbers: Vec<_> = bin
        .caught(&hub)
        .await
        .iter()
        .map(|it| it["number"].clone())
        .collect();
    assert_eq!(numbers, [2, 3]);
}

#[tokio::test]
async fn an_address_that_has_ended_says_so_and_subscriptions_to_it_end() {
    let hub = Hub::start().await;
    let bin = Bin::make(&hub, &Value::Null).await;
    let subscribing = hub.subscribe(TOPIC, &bin.url);
    subscribing.active().await;
    ask(&hub, ADMIN, "DELETE", &bin.api, &Value::Null)
        .await
        .expect(204);
    ask(&hub, ADMIN, "DELETE", &bin.api, &Value::Null)
        .await
        .expect(404);
    hub.push(TOPIC, "text/plain", b"news").await.expect(202);
    subscribing.gone_by_itself().await;
    bin.send(&hub, "POST", "", b"x")
        .await
        .refuses(&["ends 1h after"]);
    // It ends by itself, too.
    let hub = Hub::with(&[("inspector.keep", "1ms")]).await;
    let bin = Bin::make(&hub, &Value::Null).await;
    eventually("its end", async || {
        let answer = bin.send(&hub, "POST", "", b"x").await;
        (answer.status == 410).then_some(())
    })
    .await;
    hub.admin_get(&bin.api).await.expect(404);
}

#[tokio::test]
async fn who_keeps_hooks_has_addresses_of_their_own() {
    let hub = Hub::start().await;
    let issue = async |role: &str| {
        let wish = json!({ "name": role, "role": role, "sources": ["social"] });
        let issued = ask(&hub, ADMIN, "POST", "/api/v1/tokens", &wish).await;
        let issued = issued.expect(201).json();
        issued["token"].as_str().expect("a token").to_owned()
    };
    let (ann, bob, reader) = (
        issue("manager").await,
        issue("manager").await,
        issue("reader").await,
    );
    for token in [PUBLISHER, &reader] {
        ask(&hub, token, "POST", BINS, &Value::Null)
            .await
            .expect(403);
        ask(&hub, token, "GET", BINS, &Value::Null)
            .await
            .expect(403);
    }
    hub.get(BINS).await.expect(401);
    let made = ask(&hub, &ann, "POST", BINS, &Value::Null)
        .await
        .expect(201);
    let path = hub.path_of(made.location()).to_owned();
    let listed = async |token: &str| {
        let page = ask(&hub, token, "GET", BINS, &Value::Null)
            .await
            .expect(200)
            .json();
        page["items"].as_array().expect("items").len()
    };
    assert_eq!(
        (listed(&ann).await, listed(&bob).await, listed(ADMIN).await),
        (1, 0, 1)
    );
    ask(&hub, &bob, "GET", &path, &Value::Null)
        .await
        .expect(404);
    ask(&hub, &bob, "DELETE", &path, &Value::Null)
        .await
        .expect(404);
    ask(&hub, ADMIN, "GET", &path, &Value::Null)
        .await
        .expect(200);
    ask(&hub, &ann, "DELETE", &path, &Value::Null)
        .await
        .expect(204);
}

#[tokio::test]
async fn mistakes_are_told_in_words() {
    let hub = Hub::start().await;
    for (body, status, words) in [
        (json!({ "status": 199 }), 422, "200 to 599"),
        (json!({ "status": 600 }), 422, "200 to 599"),
        (json!({ "status": "200" }), 400, "status: \"200\" is not"),
        (json!({ "delay": "2m" }), 422, "more than 1m"),
        (json!({ "delay": "soon" }), 422, "delay: "),
        (json!({ "challange": true }), 400, "did you mean challenge?"),
    ] {
        let refused = ask(&hub, ADMIN, "POST", BINS, &body).await.expect(status);
        let told = refused.json()["error"].as_str().expect("words").to_owned();
        assert!(told.contains(words), "{told}");
    }
    let bin = Bin::make(&hub, &Value::Null).await;
    for (path, status) in [
        ("/requests/1", 404),
        ("/requests/0", 404),
        ("/requests/x", 404),
        ("/other", 404),
    ] {
        hub.admin_get(&format!("{}{path}", bin.api))
            .await
            .expect(status);
    }
    let verify = format!("{}/requests/1/verify", bin.api);
    ask(&hub, ADMIN, "POST", &verify, &json!({}))
        .await
        .expect(400);
}
