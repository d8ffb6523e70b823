//! How hooks behave: who is disabled, in what order, with which body, headers and signatures, and what the log says of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use crate::declared::ask;
use crate::deliveries::SECRET;
use crate::foreign::Verifier;
use crate::hooking::{MADE, SOLD, number, numbers, receiver, shop};
use crate::support::receipts::assert_counts;
use crate::support::tls::{Authority, TlsCallback};
use crate::support::{Hub, Reply, Request, Server, eventually};

/// A receiver that fails while it is told to.
async fn moody() -> (Server, Arc<AtomicBool>) {
    let fails = Arc::new(AtomicBool::new(true));
    let mood = Arc::clone(&fails);
    let answer = move |_: &Request| match mood.load(Ordering::SeqCst) {
        true => Reply::status(500),
        false => Reply::status(200),
    };
    let server = Server::start_on([127, 0, 0, 1].into(), answer).await;
    (server, fails)
}

/// A receiver that refuses events so many times before it takes them.
async fn refusing(times: impl Fn(usize) -> usize + Send + Sync + 'static) -> Server {
    let seen = Mutex::new(BTreeMap::<usize, usize>::new());
    let answer = move |request: &Request| {
        let mut seen = seen.lock().expect("nobody panics here");
        let before = seen.entry(number(request)).or_default();
        *before += 1;
        match *before <= times(number(request)) {
            true => Reply::status(503),
            false => Reply::status(200),
        }
    };
    Server::start_on([127, 0, 0, 1].into(), answer).await
}

#[tokio::test]
async fn who_is_disabled_gets_nothing_and_what_waits_once_it_is_enabled() {
    let hub = shop(&[("delivery.retry", "1s")]).await;
    let (server, fails) = moody().await;
    let hook = hub.hook(&server.url("/"), &json!({})).await;
    for n in 1..=3 {
        let answer = hub.raise_number(MADE, n).await;
        hub.receipt_when(&answer, |receipt| receipt["in_backlog"] == 1)
            .await;
    }
    hub.order(hook, "disable").await.expect(200);
    let before = server.log().matching(|_| true).len();
    // Another one is tried again twice: whatever was due for the first has been due by then.
    let other = refusing(|_| 2).await;
    hub.hook(&other.url("/"), &json!({})).await;
    let answer = hub.raise_number(MADE, 4).await;
    assert_counts(&hub.ended(&answer).await, [1, 1, 0, 0, 0]);
    assert_eq!(numbers(&server).len(), before);

    fails.store(false, Ordering::SeqCst);
    hub.order(hook, "enable").await.expect(200);
    let answer = hub.raise_number(MADE, 5).await;
    assert_counts(&hub.ended(&answer).await, [2, 2, 0, 0, 0]);
    let log = server
        .log()
        .wait_for("a delivery", before + 4, |_| true)
        .await;
    let mut taken: Vec<_> = log[before..].iter().map(number).collect();
    taken.sort_unstable();
    assert_eq!(taken, [1, 2, 3, 5]);
}

#[tokio::test]
async fn who_asks_for_order_gets_it_across_events_and_failures() {
    const EVENTS: usize = 24;
    let hub = shop(&[("delivery.retry", "20ms")]).await;
    let refusals = |n| match n {
        0 => 3,
        7 | 8 => 1,
        _ => 0,
    };
    let server = refusing(refusals).await;
    hub.hook(&server.url("/"), &json!({ "ordered": true }))
        .await;
    for n in 0..EVENTS {
        let event = if n % 2 == 0 { MADE } else { SOLD };
        hub.raise_number(event, n).await;
    }
    let count = EVENTS + (0..EVENTS).map(refusals).sum::<usize>();
    server.log().wait_for("an attempt", count, |_| true).await;
    let expected = (0..EVENTS).flat_map(|n| vec![n; refusals(n) + 1]);
    assert_eq!(numbers(&server), expected.collect::<Vec<_>>());
}

#[tokio::test]
async fn who_asks_for_no_order_gets_all_whatever_fails() {
    const EVENTS: usize = 60;
    let hub = shop(&[("delivery.retry", "20ms")]).await;
    let server = refusing(|n| if n % 3 == 0 { 2 } else { 0 }).await;
    let hook = hub.hook(&server.url("/"), &json!({})).await;
    let mut answers = Vec::new();
    for n in 0..EVENTS {
        answers.push(hub.raise_number(MADE, n).await);
    }
    for answer in answers {
        assert_counts(&hub.ended(&answer).await, [1, 1, 0, 0, 0]);
    }
    let attempts = EVENTS + 2 * EVENTS / 3;
    let log = hub.logged(hook, attempts).await;
    let taken = log.iter().filter(|item| item["status"] == 200).count();
    assert_eq!((log.len(), taken), (attempts, EVENTS));
    let arrived: BTreeSet<_> = numbers(&server).into_iter().collect();
    assert_eq!(arrived, (0..EVENTS).collect());
}

#[tokio::test]
async fn a_filter_lets_through_what_it_finds() {
    let hub = shop(&[]).await;
    let server = receiver(Reply::status(200)).await;
    let wish = json!({ "filter": "$.object[?@ > 2]", "ordered": true });
    hub.hook(&server.url("/"), &wish).await;
    for n in 1..=4 {
        let answer = hub.raise_number(MADE, n).await;
        let receipt = hub.ended(&answer).await;
        assert_eq!(receipt["targets"], u64::from(n > 2), "{receipt}");
    }
    assert_eq!(numbers(&server), [3, 4]);
}

#[tokio::test]
async fn template_headers_and_form_arrive_as_they_were_asked_for() {
    let hub = shop(&[]).await;
    let server = receiver(Reply::status(200)).await;
    let template = json!({
        "template": r#"{"text":"{{event}}: {{object.n}}"}"#,
        "headers": { "X-Env": "test", "X-Api-Key": "hush" },
    });
    let hook = hub.hook(&server.url("/template"), &template).await;
    hub.hook(&server.url("/form"), &json!({ "content_type": "form" }))
        .await;
    let answer = hub.raise_number(MADE, 7).await;
    hub.ended(&answer).await;
    let at = |path| server.log().matching(|request| request.path() == path);
    let [templated] = &at("/template")[..] else {
        panic!("once");
    };
    assert_eq!(templated.body, r#"{"text":"made: 7"}"#);
    assert_eq!(templated.header("X-Env"), Some("test"));
    assert_eq!(templated.header("X-Api-Key"), Some("hush"));
    let [form] = &at("/form")[..] else {
        panic!("once");
    };
    assert_eq!(form.body, "payload=%7B%22n%22%3A7%7D");
    let kind = form.header("Content-Type");
    assert_eq!(kind, Some("application/x-www-form-urlencoded"));
    for request in [templated, form] {
        let sha256 = Verifier::XHubSignature("sha256", "X-Hub-Signature-256");
        let verdict = sha256.scrutinize(SECRET, &request.headers, &request.body);
        assert_eq!(verdict, Ok(()), "{request:?}");
    }
    let log = hub.logged(hook, 1).await;
    let whole = hub.delivery(hook, &log[0]["id"]).await;
    assert_eq!(whole["request"]["body"], r#"{"text":"made: 7"}"#);
}

/// Whether the signature in a header is that of a request under a secret.
fn signs(secret: &str, header: &'static str, request: &Request) -> bool {
    let verifier = Verifier::XHubSignature("sha256", header);
    let verdict = verifier.verify(secret, &request.headers, &request.body);
    verdict.is_ok()
}

#[tokio::test]
async fn a_secret_that_was_rotated_signs_beside_the_new_one_for_a_while() {
    const NEW: &str = "X-Hub-Signature-256";
    const OLD: &str = "X-Hub-Signature-256-Old";
    let hub = shop(&[("hooks.secret_overlap", "2s")]).await;
    let server = receiver(Reply::status(200)).await;
    let hook = hub.hook(&server.url("/"), &json!({})).await;
    let rotated = hub.order(hook, "rotate").await.expect(200).json();
    let secret = rotated["secret"].as_str().expect("shown").to_owned();
    let raised = async |n: usize| {
        let answer = hub.raise_number(MADE, n).await;
        hub.ended(&answer).await;
        server.log().matching(|_| true).remove(n - 1)
    };
    let both = raised(1).await;
    assert!(signs(&secret, NEW, &both) && signs(SECRET, OLD, &both));
    assert!(!signs(&secret, OLD, &both) && !signs(SECRET, NEW, &both));
    let mut n = 1;
    let one = eventually("the end of the old secret", async || {
        n += 1;
        let request = raised(n).await;
        (!request.headers.has(OLD)).then_some(request)
    })
    .await;
    assert!(signs(&secret, NEW, &one) && !signs(SECRET, NEW, &one));
}

/// Who hears what the hub says of itself.
async fn listener(hub: &Hub) -> Server {
    let server = receiver(Reply::status(200)).await;
    let own = json!({ "source": "fanfare", "ordered": true });
    hub.hook(&server.url("/"), &own).await;
    server
}

/// What a listener has heard.
async fn heard(server: &Server, count: usize) -> (String, Value) {
    let log = server.log().wait_for("a notice", count, |_| true).await;
    assert_eq!(log.len(), count);
    let last = &log[count - 1];
    let event = last.header("X-Fanfare-Event").expect("a name").to_owned();
    (event, serde_json::from_slice(&last.body).expect("JSON"))
}

#[tokio::test]
async fn who_is_gone_is_disabled_with_a_notice_and_keeps_what_waits() {
    let hub = shop(&[]).await;
    let listener = listener(&hub).await;
    let gone = Arc::new(AtomicBool::new(true));
    let is_gone = Arc::clone(&gone);
    let answer = move |_: &Request| match is_gone.load(Ordering::SeqCst) {
        true => Reply::status(410),
        false => Reply::status(200),
    };
    let server = Server::start_on([127, 0, 0, 1].into(), answer).await;
    let hook = hub.hook(&server.url("/"), &json!({})).await;
    let answer = hub.raise_number(MADE, 1).await;
    let (event, notice) = heard(&listener, 1).await;
    assert_eq!(event, "hook.disabled");
    assert_eq!(
        (&notice["hook"], &notice["source"]),
        (&json!(hook), &json!("shop"))
    );
    let reason = notice["reason"].as_str().expect("a reason").to_owned();
    assert!(reason.contains("410"), "{reason}");
    let now = hub.hook_now(hook).await;
    assert_eq!(
        (&now["active"], &now["disabled_because"]),
        (&json!(false), &json!(reason))
    );

    gone.store(false, Ordering::SeqCst);
    hub.order(hook, "enable").await.expect(200);
    assert_eq!(heard(&listener, 2).await.0, "hook.enabled");
    assert_counts(&hub.ended(&answer).await, [1, 1, 0, 0, 0]);
    assert_eq!(numbers(&server), [1, 1]);
}

#[tokio::test]
async fn who_fails_for_too_long_is_disabled_with_a_notice() {
    let settings = [("hooks.disable_after", "1s"), ("delivery.retry", "50ms")];
    let hub = shop(&settings).await;
    let listener = listener(&hub).await;
    let (server, fails) = moody().await;
    let hook = hub.hook(&server.url("/"), &json!({})).await;
    let answer = hub.raise_number(MADE, 1).await;
    let (event, notice) = heard(&listener, 1).await;
    assert_eq!(event, "hook.disabled");
    assert_eq!(notice["hook"], hook);
    assert!(
        notice["reason"]
            .as_str()
            .is_some_and(|reason| reason.contains("1s"))
    );
    assert!(numbers(&server).len() > 5, "it was tried again before that");
    fails.store(false, Ordering::SeqCst);
    hub.order(hook, "enable").await.expect(200);
    assert_counts(&hub.ended(&answer).await, [1, 1, 0, 0, 0]);
    assert_eq!(heard(&listener, 2).await.0, "hook.enabled");
}

#[tokio::test]
async fn what_is_delivered_again_is_the_same_delivery() {
    let hub = shop(&[]).await;
    let repository = json!({ "dialect": "socialgateway" });
    hub.declare("octocat/x", &repository).await.expect(201);
    let server = receiver(Reply::status(200)).await;
    let wish = json!({ "source": "octocat/x", "events": ["push"] });
    let hook = hub.hook(&server.url("/"), &wish).await;
    let push = json!({ "ref": "refs/heads/main" });
    hub.raise("/octocat/x/events/push", &push).await.expect(202);
    let log = hub.logged(hook, 1).await;
    let path = format!(
        "/repos/octocat/x/hooks/{hook}/deliveries/{}/attempts",
        log[0]["id"]
    );
    ask(&hub, "POST", &path, &Value::Null).await.expect(202);
    let log = hub.logged(hook, 2).await;
    let redelivery: Vec<_> = log.iter().map(|item| &item["redelivery"]).collect();
    assert_eq!(redelivery, [&json!(true), &json!(false)]);
    let arrived = server.log().matching(|_| true);
    let [first, again] = &arrived[..] else {
        panic!("twice: {arrived:?}");
    };
    let guid = |request: &Request| {
        request
            .header("X-SocialGateway-Delivery")
            .map(str::to_owned)
    };
    assert!(guid(first).is_some());
    assert_eq!((guid(first), &first.body), (guid(again), &again.body));
}

#[tokio::test]
async fn a_certificate_is_checked_unless_the_hook_says_otherwise() {
    let hub = shop(&[]).await;
    let server = TlsCallback::start(&Authority::new(), &["http/1.1"]).await;
    let hook = hub.hook(server.url(), &json!({})).await;
    let answer = hub.raise_number(MADE, 1).await;
    assert_eq!(hub.logged(hook, 1).await[0]["failure"], "tls");
    let path = format!("/api/v1/hooks/{hook}");
    let edit = json!({ "verify_tls": false });
    ask(&hub, "PATCH", &path, &edit).await.expect(200);
    let (_, request) = server.request("POST").await;
    assert_eq!(number(&request), 1);
    assert_counts(&hub.ended(&answer).await, [1, 1, 0, 0, 0]);
}

#[tokio::test]
async fn each_attempt_is_in_the_log_with_request_and_response() {
    let hub = shop(&[]).await;
    let answers = Mutex::new(vec![
        Reply::ok("thanks").header("X-Said", "yes"),
        Reply::status(503).body("busy"),
    ]);
    let answer = move |_: &Request| answers.lock().expect("whole").pop().expect("two");
    let server = Server::start_on([127, 0, 0, 1].into(), answer).await;
    let hook = hub.hook(&server.url("/in?x=1"), &json!({})).await;
    hub.raise_number(MADE, 1).await;
    let log = hub.logged(hook, 2).await;
    let arrived = server.log().matching(|_| true);
    for (at, (status, body)) in [(503, "busy"), (200, "thanks")].into_iter().enumerate() {
        let whole = hub.delivery(hook, &log[1 - at]["id"]).await;
        assert_eq!(whole["request"]["url"], server.url("/in?x=1"));
        assert_eq!(whole["request"]["body"], r#"{"n":1}"#);
        let signature = arrived[at].header("X-Hub-Signature-256");
        let logged = &whole["request"]["headers"]["x-hub-signature-256"];
        assert_eq!(logged.as_str(), signature);
        assert_eq!(
            (&whole["status"], &whole["response"]["status"]),
            (&json!(status), &json!(status))
        );
        assert_eq!(whole["response"]["body"], body);
    }
    let taken = hub.delivery(hook, &log[0]["id"]).await;
    assert_eq!(taken["response"]["headers"]["x-said"], "yes");
}
