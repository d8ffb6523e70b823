//! The programs of `docs/receiving.md`. Each is taken from the page, started as the page says, subscribed and hooked to a real hub, and
//! tried with what no hub would send.

use fanfare::domain::signature::{Method, sign};
use fanfare::domain::value::Secret;
use serde_json::{Value, json};

use crate::markdown::{block, blocks, section};
use crate::program::{Program, Source};
use crate::support::client::bearer;
use crate::support::{ADMIN, Hub, Response, eventually};

const PAGE: &str = include_str!("../../docs/receiving.md");
const SECRET: &str = "what only the hub and we know";
/// `SECRET` could be one of Standard Webhooks' only if it were base64.
const STANDARD: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

#[tokio::test]
async fn python() {
    receives(&source("Python", "python", "receiver.py")).await;
}

#[tokio::test]
async fn javascript() {
    receives(&source("JavaScript", "js", "receiver.mjs")).await;
}

#[tokio::test]
async fn php() {
    receives(&source("PHP", "php", "receiver.php")).await;
}

#[tokio::test]
async fn ruby() {
    receives(&source("Ruby", "ruby", "receiver.rb")).await;
}

#[tokio::test]
async fn go() {
    receives(&source("Go", "go", "receiver.go")).await;
}

#[tokio::test]
async fn rust() {
    let mut source = source("Rust", "rust", "src/main.rs");
    let manifest = block(section(PAGE, "Rust"), "toml");
    // The versions of this repository, which are here already.
    let lock = include_str!("../../Cargo.lock").to_owned();
    source
        .files
        .extend([("Cargo.toml", manifest), ("Cargo.lock", lock)]);
    receives(&source).await;
}

#[tokio::test]
async fn muut_in_python() {
    let source = python_with("muut", 0);
    let hub = Hub::start().await;
    let program = Program::start(&source, &[("SECRET", SECRET)]).await;
    is_told_by_hooks(&hub, &program, "muut", json!({ "secret": SECRET })).await;
}

#[tokio::test]
async fn standard_webhooks_in_python() {
    let source = python_with("standard-webhooks", 1);
    let hub = Hub::start().await;
    let program = Program::start(&source, &[("SECRET", STANDARD)]).await;
    let wish = json!({ "secret": STANDARD, "signing": "standard" });
    is_told_by_hooks(&hub, &program, "websub", wish).await;
    // What is right, but old, is overheard.
    let headers = [
        ("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek"),
        ("webhook-timestamp", "1614265330"),
        (
            "webhook-signature",
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
        ),
    ];
    let body = br#"{"test": 2432232314}"#;
    assert_eq!(
        program.status("POST", "/callback", &headers, body).await,
        403
    );
}

#[tokio::test]
async fn openssl_makes_the_same_signature() {
    let by_hand = block(section(PAGE, "When the signature does not match"), "sh");
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("body"), "Hello").expect("a file");
    let output = std::process::Command::new("bash")
        .args(["-c", &by_hand])
        .env("SECRET", SECRET)
        .current_dir(folder.path())
        .output()
        .expect("bash");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let right = signed(Method::Sha256, SECRET, b"Hello");
    let digits = right.strip_prefix("sha256=").expect("so it begins");
    assert_eq!(said.split(' ').next(), Some(digits), "{output:?}");
}

/// A program of the page.
fn source(title: &str, language: &'static str, path: &'static str) -> Source {
    let section = section(PAGE, title);
    Source {
        name: language,
        files: vec![(path, block(section, language))],
        command: block(section, "sh").trim().to_owned(),
    }
}

/// Python's program with another `is_genuine`.
fn python_with(name: &'static str, variant: usize) -> Source {
    let mut source = source("Python", "python", "receiver.py");
    source.name = name;
    let other = &blocks(section(PAGE, "Muut and Standard Webhooks"), "python")[variant];
    let program = &source.files[0].1;
    let (before, rest) = program.split_once("def is_genuine").expect("it has one");
    let (_, after) = rest.split_once("\n\n\n").expect("it has an end");
    source.files[0].1 = format!("{before}{other}\n\n{after}");
    source
}

/// All that the page promises of a program.
async fn receives(source: &Source) {
    let hub = Hub::start().await;
    let topic = format!("{}topics/news", hub.url);
    let program = Program::start(source, &[("SECRET", SECRET), ("TOPIC", &topic)]).await;
    is_subscribed(&hub, &program, &topic).await;
    for dialect in ["websub", "mastodon", "pleroma", "socialgateway"] {
        is_told_by_hooks(&hub, &program, dialect, json!({ "secret": SECRET })).await;
    }
    judges_signatures(&program).await;
    refuses_what_is_too_large(&program).await;
}

/// WebSub: agrees to its own topic, takes what is published, drops what is signed with another secret, and gets it once it has the right
/// one; is told of a denial; agrees to the end.
async fn is_subscribed(hub: &Hub, program: &Program, topic: &str) {
    let callback = program.url("/callback");
    hub.subscribe(topic, &callback)
        .secret(SECRET)
        .active()
        .await;
    program.says("asked to subscribe", 1).await;
    let foreign = hub.subscribe("http://publisher.example/", &callback);
    foreign.field("hub.verify", "sync").send().await.expect(409);

    let first = hub.put_topic("news", "text/plain", b"Hello").await;
    assert_eq!(hub.ended(&first).await["delivered"], 1);
    program.says("new", 1).await;
    let line = program
        .lines()
        .into_iter()
        .find(|line| line.starts_with("new"));
    assert!(line.is_some_and(|line| line.ends_with(" Hello")));

    let second = program.url("/callback?the=second");
    hub.subscribe(topic, &second)
        .secret("another")
        .active()
        .await;
    let update = hub.put_topic("news", "text/plain", b"Hello again").await;
    program.says("wrong signature", 1).await;
    let refused = |it: &Value| it["delivered"] == 1 && it["in_backlog"] == 1;
    hub.receipt_when(&update, refused).await;
    hub.subscribe(topic, &second).secret(SECRET).active().await;
    assert_eq!(hub.ended(&update).await["delivered"], 2);
    program.says("new", 3).await;

    let id = hub.subscription(topic, &second).await.expect("active")["id"].clone();
    let path = format!(
        "/api/v1/subscriptions/{}/deny",
        id.as_str().expect("a text")
    );
    let reason = json!({ "reason": "enough of it" });
    send(hub, "POST", &path, &reason).await.expect(202);
    program.says("denied enough of it", 1).await;
    hub.unsubscribe(topic, &callback).gone().await;
    program.says("asked to unsubscribe", 1).await;
}

/// Hooks of a dialect: with the right secret and with a wrong one; told again; rotated; and gone. `wish` has the right secret.
async fn is_told_by_hooks(hub: &Hub, program: &Program, dialect: &str, wish: Value) {
    let source = format!("of-{dialect}");
    let path = format!("/api/v1/sources/{source}");
    send(hub, "PUT", &path, &json!({ "dialect": dialect }))
        .await
        .expect(201);
    let make = async |path: &str, own: &Value| {
        let mut hook = json!({ "source": source, "events": ["*"], "url": program.url(path), "dialect": dialect });
        for (name, value) in own.as_object().expect("an object") {
            hook[name] = value.clone();
        }
        let made = send(hub, "POST", "/api/v1/hooks", &hook).await.expect(201);
        made.json()["id"].as_u64().expect("a number")
    };
    let before = ["new", "repeat", "wrong signature"].map(|what| program.count(what));

    let hook = make("/callback", &wish).await;
    assert_eq!(pinged(hub, hook).await["status"], 204, "{dialect}");
    program.says("new", before[0] + 1).await;
    let delivery = deliveries(hub, hook).await[0]["id"].clone();
    let again = format!("/api/v1/hooks/{hook}/deliveries/{delivery}/redeliver");
    send(hub, "POST", &again, &Value::Null).await.expect(202);
    program.says("repeat", before[1] + 1).await;
    eventually("the redelivery in the log", async || {
        (deliveries(hub, hook).await.len() == 2).then_some(())
    })
    .await;
    assert_eq!(program.count("new"), before[0] + 1);

    let rotate = format!("/api/v1/hooks/{hook}/rotate");
    send(hub, "POST", &rotate, &Value::Null).await.expect(200);
    assert_eq!(pinged(hub, hook).await["status"], 204, "rotated");
    program.says("new", before[0] + 2).await;

    let mut wrong = wish.clone();
    wrong["secret"] = json!("whsec_YW5vdGhlciBzZWNyZXQgdGhhbiB0aGF0IG9mIHRoZSBwcm9ncmFt");
    let wrong = make("/callback?with=another", &wrong).await;
    assert_eq!(pinged(hub, wrong).await["status"], 403);
    program.says("wrong signature", before[2] + 1).await;
    assert_eq!(program.count("new"), before[0] + 2);

    let gone = make("/no-longer", &wish).await;
    assert_eq!(pinged(hub, gone).await["status"], 410);
    eventually("the end of the hook", async || {
        let path = format!("/api/v1/hooks/{gone}");
        let hook = hub.admin_get(&path).await.expect(200).json();
        (hook["active"] == false).then_some(())
    })
    .await;
}

/// Signatures written by hand, good ones and bad ones.
async fn judges_signatures(program: &Program) {
    let body = br#"{"n": 1}"#;
    let right = |method| signed(method, SECRET, body);
    let wrong = || signed(Method::Sha256, "another", body);
    let good = [
        vec![("X-Hub-Signature", right(Method::Sha1))],
        vec![("X-Hub-Signature", right(Method::Sha256))],
        vec![("X-Hub-Signature", right(Method::Sha384))],
        vec![("X-Hub-Signature", right(Method::Sha512))],
        vec![("X-Hub-Signature-256", right(Method::Sha256))],
        vec![
            ("X-Hub-Signature", wrong()),
            ("X-Hub-Signature-Old", right(Method::Sha256)),
        ],
        vec![
            ("X-Hub-Signature-256", wrong()),
            ("X-Hub-Signature-256-Old", right(Method::Sha256)),
        ],
    ];
    let digits = right(Method::Sha256).split_off("sha256=".len());
    let bad = [
        vec![],
        vec![("X-Hub-Signature-256", String::new())],
        vec![("X-Hub-Signature-256", "sha256=".to_owned())],
        vec![("X-Hub-Signature-256", "sha256".to_owned())],
        vec![("X-Hub-Signature-256", digits.clone())],
        vec![("X-Hub-Signature-256", format!("sha512={digits}"))],
        vec![("X-Hub-Signature-256", format!("md5={digits}"))],
        vec![("X-Hub-Signature-256", format!("sha256={}", &digits[..62]))],
        vec![("X-Hub-Signature-256", format!("sha256={digits}00"))],
        vec![(
            "X-Hub-Signature-256",
            "sha256=\u{e9}\u{0}".replace('\0', ""),
        )],
        vec![("X-Hub-Signature-256", wrong())],
    ];
    for (number, headers) in good.iter().enumerate() {
        let id = format!("by-hand-{number}");
        assert_eq!(post(program, &id, headers, body).await, 204, "{headers:?}");
    }
    for headers in &bad {
        assert_eq!(
            post(program, "bad", headers, body).await,
            403,
            "{headers:?}"
        );
    }
    let changed = br#"{"n": 2}"#;
    assert_eq!(post(program, "bad", &good[4], changed).await, 403);
    program.says("new by-hand-6", 1).await;
    assert_eq!(program.count("new bad"), 0);
}

/// More than it wants to hold, though it is signed.
async fn refuses_what_is_too_large(program: &Program) {
    let body = vec![b'x'; (10 << 20) + 1];
    let signature = signed(Method::Sha256, SECRET, &body);
    let headers = [
        ("X-Hub-Signature-256", signature.as_str()),
        ("X-Fanfare-Delivery", "large"),
    ];
    let answer = program
        .try_request("POST", "/callback", &headers, &body)
        .await;
    // Some hang up before the answer can be read.
    assert!(answer.is_err() || answer.is_ok_and(|answer| answer.status == 413));
    assert_eq!(
        program.status("GET", "/callback", &[], b"").await,
        404,
        "it lives"
    );
    assert_eq!(program.count("new large"), 0);
}

fn signed(method: Method, secret: &str, body: &[u8]) -> String {
    sign(method, &Secret::parse(secret).expect("a secret"), body)
}

async fn post(program: &Program, id: &str, headers: &[(&str, String)], body: &[u8]) -> u16 {
    let mut all = vec![("X-Fanfare-Delivery", id)];
    all.extend(headers.iter().map(|(name, value)| (*name, value.as_str())));
    program.status("POST", "/callback", &all, body).await
}

/// Pings a hook; gives the delivery as the log has it.
async fn pinged(hub: &Hub, hook: u64) -> Value {
    let before = deliveries(hub, hook).await.len();
    let path = format!("/api/v1/hooks/{hook}/ping");
    send(hub, "POST", &path, &Value::Null).await.expect(202);
    eventually("the ping in the log", async || {
        let mut all = deliveries(hub, hook).await;
        (all.len() > before).then(|| all.remove(0))
    })
    .await
}

/// The deliveries of a hook, newest first.
async fn deliveries(hub: &Hub, hook: u64) -> Vec<Value> {
    let path = format!("/api/v1/hooks/{hook}/deliveries");
    let page = hub.admin_get(&path).await.expect(200).json();
    page["items"].as_array().expect("items").clone()
}

async fn send(hub: &Hub, method: &str, path: &str, body: &Value) -> Response {
    let admin = bearer(ADMIN);
    let headers = [
        ("Authorization", admin.as_str()),
        ("Content-Type", "application/json"),
    ];
    let body = match body {
        Value::Null => String::new(),
        body => body.to_string(),
    };
    hub.request(method, path, &headers, body.as_bytes()).await
}
