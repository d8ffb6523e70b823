//! `/subscription`: a subscriber looks at its own subscription, has what waits tried, and what is kept sent once more; and nobody else does.

use serde_json::{Value, json};

use crate::support::client::FORM;
use crate::support::{Hub, Reply, Request, Response, Scene, TOPIC, eventually, form};

const PAGE: &str = "/subscription";
/// The secret of all subscriptions here.
pub const SECRET: &str = "a secret of some length";

async fn send(hub: &Hub, accept: &str, fields: &[(&str, &str)]) -> Response {
    let headers = [("Content-Type", FORM), ("Accept", accept)];
    hub.request("POST", PAGE, &headers, form(fields).as_bytes())
        .await
}

async fn ask(hub: &Hub, fields: &[(&str, &str)]) -> Response {
    send(hub, "application/json", fields).await
}

/// A subscription that its subscriber asks about.
pub struct Own<'a> {
    hub: &'a Hub,
    topic: &'a str,
    callback: &'a str,
    token: String,
}

impl<'a> Own<'a> {
    /// Proves it once, with the secret.
    pub async fn of(hub: &'a Hub, topic: &'a str, callback: &'a str) -> Self {
        let fields = [("topic", topic), ("callback", callback), ("secret", SECRET)];
        let shown = ask(hub, &fields).await.expect(200).json();
        let token = shown["token"].as_str().expect("a token").to_owned();
        Self {
            hub,
            topic,
            callback,
            token,
        }
    }

    /// Asks, with the token.
    pub async fn ask(&self, fields: &[(&str, &str)]) -> Response {
        let mut all = vec![
            ("topic", self.topic),
            ("callback", self.callback),
            ("token", &self.token),
        ];
        all.extend(fields);
        ask(self.hub, &all).await
    }

    /// How it stands.
    pub async fn shown(&self) -> Value {
        self.ask(&[]).await.expect(200).json()
    }

    /// Waits until its last replay has ended; says how.
    pub async fn replayed(&self) -> String {
        eventually("the end of the replay", async || {
            let shown = self.shown().await;
            shown["replay"]["ended"].as_str().map(str::to_owned)
        })
        .await
    }
}

#[tokio::test]
async fn who_knows_the_secret_sees_how_the_subscription_stands() {
    let scene = Scene::with(&[("delivery.retry", "1h")]).await;
    let callback = scene.subscriber.callback("/cb");
    let subscribing = scene.hub.subscribe(TOPIC, callback.url());
    subscribing.secret(SECRET).active().await;
    let own = Own::of(&scene.hub, TOPIC, callback.url()).await;
    let shown = own.shown().await;
    assert_eq!(
        (
            &shown["state"],
            &shown["secret"],
            &shown["in_backlog"],
            &shown["next_attempt"]
        ),
        (&json!("active"), &json!(true), &json!(0), &Value::Null)
    );
    callback.always(Reply::status(503).body("come back later"));
    for text in ["one", "two"] {
        scene
            .hub
            .push(TOPIC, "text/plain", text.as_bytes())
            .await
            .expect(202);
    }
    let shown = eventually("what waits", async || {
        let shown = own.shown().await;
        (shown["in_backlog"] == 2).then_some(shown)
    })
    .await;
    assert_eq!(
        (&shown["state"], &shown["failures"]),
        (&json!("failing"), &json!(1))
    );
    assert!(shown["next_attempt"].as_str() > shown["active_since"].as_str());
    let attempt = &shown["waiting"][0]["last_attempt"];
    assert_eq!(
        (&attempt["status"], &attempt["excerpt"]),
        (&json!(503), &json!("come back later"))
    );
    assert_eq!(shown["waiting"][1]["last_attempt"], Value::Null);
    assert_eq!(shown["attempts"], serde_json::json!([attempt]));

    let fields = [
        ("topic", TOPIC),
        ("callback", callback.url()),
        ("secret", SECRET),
    ];
    let page = send(&scene.hub, "text/html", &fields).await.expect(200);
    let policy = page.header("content-security-policy").unwrap_or_default();
    assert!(
        policy.contains("default-src 'none'") && policy.contains("form-action 'self'"),
        "{policy}"
    );
    assert_eq!(page.header("cache-control"), Some("no-store"));
    let html = page.text();
    for text in [
        "2 publications",
        "503: come back later",
        "Try what waits now",
        callback.url(),
    ] {
        assert!(html.contains(text), "{text}: {html}");
    }
    assert!(
        !html.contains(SECRET) && !html.contains("<script"),
        "{html}"
    );
}

#[tokio::test]
async fn a_wrong_proof_and_a_subscription_that_is_not_there_are_told_alike() {
    let scene = Scene::start().await;
    let (signed, plain) = (
        scene.subscriber.callback("/signed"),
        scene.subscriber.callback("/plain"),
    );
    scene
        .hub
        .subscribe(TOPIC, signed.url())
        .secret(SECRET)
        .active()
        .await;
    scene.hub.subscribe(TOPIC, plain.url()).active().await;
    let own = Own::of(&scene.hub, TOPIC, signed.url()).await;
    let token = own.token.clone();
    let absent = format!("{}?absent", signed.url());
    let mut answers = Vec::new();
    for (callback, name, proof) in [
        (signed.url(), "secret", "another secret"),
        (signed.url(), "token", "0"),
        (plain.url(), "secret", SECRET),
        (plain.url(), "token", &token),
        (absent.as_str(), "secret", SECRET),
        (absent.as_str(), "token", &token),
    ] {
        for wish in ["show", "resume"] {
            let fields = [
                ("topic", TOPIC),
                ("callback", callback),
                (name, proof),
                ("do", wish),
            ];
            let answer = ask(&scene.hub, &fields).await.expect(403);
            let lines: Vec<_> = answer
                .headers
                .0
                .into_iter()
                .filter(|(name, _)| name != "date")
                .collect();
            answers.push((lines, answer.body));
        }
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:?}");
    let fields = [
        ("topic", TOPIC),
        ("callback", signed.url()),
        ("token", &*token),
    ];
    ask(&scene.hub, &fields).await.expect(200);
}

#[tokio::test]
async fn a_token_comes_to_the_callback_and_not_often() {
    let scene = Scene::start().await;
    let callback = scene.subscriber.callback("/cb?user=7");
    scene.hub.subscribe(TOPIC, callback.url()).active().await;
    let absent = format!("{}&absent", callback.url());
    let wish = async |callback: &str| {
        let fields = [("topic", TOPIC), ("callback", callback), ("do", "token")];
        let answer = ask(&scene.hub, &fields).await.expect(202);
        (
            answer
                .headers
                .0
                .iter()
                .filter(|(name, _)| name != "date")
                .cloned()
                .collect::<Vec<_>>(),
            answer.body,
        )
    };
    let first = wish(callback.url()).await;
    assert_eq!(wish(&absent).await, first);
    for _ in 0..4 {
        assert_eq!(wish(callback.url()).await, first);
    }
    let is_token = |request: &Request| request.param("hub.mode").as_deref() == Some("token");
    let sent = callback.verification(4).await;
    assert!(is_token(&sent));
    assert_eq!(
        (sent.param("user"), sent.param("hub.topic")),
        (Some("7".into()), Some(TOPIC.into()))
    );
    let token = sent.param("hub.token").expect("a token");
    let fields = [
        ("topic", TOPIC),
        ("callback", callback.url()),
        ("token", &*token),
    ];
    ask(&scene.hub, &fields).await.expect(200);
    // Whatever else would have been sent has been sent by the time that this is through.
    scene.hub.publish_text(TOPIC, "news").await;
    callback.delivery(1).await;
    let asked = callback.verifications();
    assert_eq!(
        asked.iter().filter(|request| is_token(request)).count(),
        3,
        "{asked:#?}"
    );
    assert!(!scene.hub.output().contains(&token));
}

#[tokio::test]
async fn who_works_again_resumes_and_gets_what_waits_in_order() {
    let scene = Scene::with(&[("delivery.retry", "1h")]).await;
    let callback = scene.subscriber.callback("/cb");
    scene
        .hub
        .subscribe(TOPIC, callback.url())
        .secret(SECRET)
        .active()
        .await;
    let own = Own::of(&scene.hub, TOPIC, callback.url()).await;
    callback.script([Reply::status(500)]);
    for text in ["one", "two", "three"] {
        scene
            .hub
            .push(TOPIC, "text/plain", text.as_bytes())
            .await
            .expect(202);
    }
    eventually("what waits", async || {
        (own.shown().await["in_backlog"] == 3).then_some(())
    })
    .await;
    let behind = own.ask(&[("do", "replay"), ("since", "1h")]).await;
    assert!(behind.expect(409).text().contains("resume"));
    own.ask(&[("do", "resume")]).await.expect(202);
    callback.delivery(4).await;
    let bodies: Vec<_> = callback
        .deliveries()
        .iter()
        .map(|it| it.body.clone())
        .collect();
    assert_eq!(bodies, ["one", "one", "two", "three"]);
    eventually("nothing waits", async || {
        (own.shown().await["state"] == "active").then_some(())
    })
    .await;
    let nothing = own.ask(&[("do", "resume")]).await;
    assert_eq!(nothing.expect(202).json()["in_backlog"], 0);
}

#[tokio::test]
async fn the_page_is_a_form_and_mistakes_are_told_in_words() {
    let hub = Hub::start().await;
    let page = hub
        .get("/subscription?topic=http://t.example/%22&callback=%3Cb%3E")
        .await
        .expect(200)
        .text();
    assert!(
        page.contains("value=\"http://t.example/&#34;\"") && page.contains("value=\"&#60;b&#62;\""),
        "{page}"
    );
    let known = [("topic", TOPIC), ("callback", "http://127.0.0.1:9/cb")];
    for (fields, word) in [
        (vec![("topic", TOPIC)], "callback is missing"),
        (
            vec![("callback", "http://127.0.0.1:9/"), ("topic", "x")],
            "topic: \"x\" is not an absolute URL",
        ),
        (known.to_vec(), "secret or token is missing"),
        (
            [&known[..], &[("secret", "x"), ("do", "dance")]].concat(),
            "do: \"dance\" is not known",
        ),
        (
            [&known[..], &[("secret", "x"), ("do", "replay")]].concat(),
            "since is missing",
        ),
        (
            [
                &known[..],
                &[("secret", "x"), ("do", "replay"), ("since", "soon")],
            ]
            .concat(),
            "since: \"soon\" is no time",
        ),
        (
            [&known[..], &[("secrte", "x")]].concat(),
            "did you mean secret?",
        ),
    ] {
        let refused = ask(&hub, &fields).await.expect(400).json();
        let told = refused["error"].as_str().expect("words").to_owned();
        assert!(told.contains(word), "{told}");
    }
    let json = hub
        .request("GET", PAGE, &[("Accept", "application/json")], b"")
        .await;
    assert!(json.expect(400).json()["error"].is_string());
}

#[tokio::test]
async fn a_browser_is_refused_on_the_page_with_what_was_typed() {
    let hub = Hub::start().await;
    let known = [("topic", TOPIC), ("callback", "http://127.0.0.1:9/<cb>")];
    for (fields, status, word) in [
        (vec![("secret", "x")], 403, "no such subscription"),
        (vec![], 400, "secret or token is missing"),
        (vec![("token", "<b>"), ("do", "<i>")], 400, "is not known"),
    ] {
        let fields = [&known[..], &fields].concat();
        let page = send(&hub, "text/html,*/*;q=0.8", &fields).await;
        let page = page.expect(status);
        assert_eq!(
            page.header("content-type"),
            Some("text/html; charset=utf-8")
        );
        let html = page.text();
        for part in [word, "role=\"status\"", "/&#60;cb&#62;\"", TOPIC] {
            assert!(html.contains(part), "{part}: {html}");
        }
        assert!(!html.contains("<b>") && !html.contains("<i>"), "{html}");
        let plain = send(&hub, "*/*", &fields).await.expect(status);
        assert_eq!(
            plain.header("content-type"),
            Some("text/plain; charset=utf-8")
        );
    }
}

#[tokio::test]
async fn secrets_are_tried_so_often_and_no_oftener() {
    let hub = Hub::start().await;
    let fields = [
        ("topic", TOPIC),
        ("callback", "http://127.0.0.1:9/cb"),
        ("secret", "x"),
    ];
    let mut tries = 0;
    let busy = eventually("enough", async || {
        let answer = ask(&hub, &fields).await;
        tries += u32::from(answer.status == 403);
        (answer.status == 429).then_some(answer)
    })
    .await;
    assert!(busy.header("retry-after").is_some());
    assert!(tries >= 30, "{tries}");
}
