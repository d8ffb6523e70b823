//! Erasure: nothing of a source, or of a callback, can be found afterwards, and all else is there.

use std::sync::mpsc;
use std::thread;

use serde_json::Value;

use crate::own_hub::{Hub, TOKEN};
use crate::support::{Done, PATIENCE, Request, Server, eventually, fanfare_with, send};

fn at(hub: &Hub, args: &[&str]) -> Done {
    let env = [("FANFARE_URL", hub.url.as_str()), ("FANFARE_TOKEN", TOKEN)];
    fanfare_with(args, &env, b"{\"n\":1}")
}

#[track_caller]
fn json(hub: &Hub, args: &[&str]) -> Value {
    let done = at(hub, &[args, &["--json"]].concat());
    assert_eq!(done.code, Some(0), "{}", done.err);
    serde_json::from_str(&done.out).expect("JSON")
}

fn get(hub: &Hub, path: &str) -> (u16, Value) {
    let bearer = format!("Bearer {TOKEN}");
    let path = path.strip_prefix(&hub.url).unwrap_or(path);
    let url = format!("{}{path}", hub.url);
    let (status, body) = send("GET", &url, &[("Authorization", &bearer)], "");
    (status, serde_json::from_str(&body).unwrap_or_default())
}

/// What the hub wants to hear, if it asks.
fn challenge(request: &Request) -> Option<String> {
    let query = request.line.split_once('?').map_or("", |(_, query)| query);
    url::form_urlencoded::parse(query.as_bytes())
        .find(|(name, _)| name == "hub.challenge")
        .map(|(_, challenge)| challenge.into_owned())
}

/// Confirms each subscription, and takes nothing below `/refuses`.
fn receiver() -> Server {
    Server::start(|request| match challenge(request) {
        Some(challenge) => format!("200 OK\n\n{challenge}"),
        None if request.line.contains("/refuses") => "500 Oh\n\nno".to_owned(),
        None => "200 OK\n\n".to_owned(),
    })
}

fn subscribe(hub: &Hub, topic: &str, callback: &str) {
    let args = ["subscribe", topic, callback, "--hub", &hub.url, "--sync"];
    let done = at(hub, &args);
    assert_eq!(done.code, Some(0), "{}", done.err);
}

/// A hub with two sources, a hook on each, two subscribers, and something that waits for who refuses.
fn scene() -> (Hub, Server, Vec<String>) {
    let (hub, receiver) = (Hub::start(), receiver());
    let mut receipts = Vec::new();
    for source in ["blog", "shop"] {
        json(&hub, &["sources", "add", source, "--event", "posted"]);
        let hook = receiver.at(&format!("refuses/{source}"));
        json(&hub, &["hooks", "add", source, &hook, "--event", "posted"]);
        let topic = format!("{}{source}/events/posted", hub.url);
        for name in ["refuses/shared", "reader"] {
            subscribe(&hub, &topic, &receiver.at(name));
        }
        let raised = json(&hub, &["events", "raise", source, "posted"]);
        receipts.push(raised["receipt"].as_str().expect("a receipt").to_owned());
    }
    for receipt in &receipts {
        eventually("two of three to wait", || {
            let (_, receipt) = get(&hub, receipt);
            (receipt["in_backlog"] == 2 && receipt["delivered"] == 1).then_some(())
        });
    }
    (hub, receiver, receipts)
}

#[test]
fn a_source_is_erased_and_another_one_stays_as_it_is() {
    let (hub, _receiver, receipts) = scene();
    let asked = at(&hub, &["erase", "source", "blog"]);
    assert_eq!(asked.code, Some(2));
    assert!(
        asked
            .err
            .contains("Say --yes if that is meant; nothing was erased"),
        "{}",
        asked.err
    );
    assert_eq!(get(&hub, &receipts[0]).0, 200);

    let erased = json(&hub, &["erase", "source", "blog", "--yes"]);
    assert_eq!(
        (&erased["subscriptions"], &erased["hooks"]),
        (&2.into(), &1.into())
    );
    assert_eq!(erased["events"], 1);
    assert!(erased["deliveries"].as_u64() > Some(0), "{erased}");
    assert_eq!(get(&hub, &receipts[0]).0, 404);
    assert_eq!(get(&hub, "blog/events/posted").0, 404, "the latest event");
    let hooks = json(&hub, &["hooks", "list"]);
    let sources: Vec<_> = hooks
        .as_array()
        .expect("a list")
        .iter()
        .map(|it| &it["source"])
        .collect();
    assert_eq!(sources, ["shop"]);
    let list = json(&hub, &["subscriptions", "list"]);
    let topics = list
        .as_array()
        .expect("a list")
        .iter()
        .map(|it| it["topic"].as_str());
    let topics: Vec<_> = topics.flatten().collect();
    assert_eq!(topics.len(), 2);
    assert!(
        topics.iter().all(|topic| topic.contains("/shop/")),
        "{topics:?}"
    );
    let topics = json(&hub, &["topics", "list", "--search", "/blog/"]);
    assert_eq!(topics, Value::Array(Vec::new()));
    let (status, shop) = get(&hub, &receipts[1]);
    assert_eq!((status, &shop["in_backlog"]), (200, &2.into()));
    let again = at(&hub, &["erase", "source", "blog", "--yes"]);
    let nothing = "erased: 0 subscriptions, 0 unconfirmed requests, 0 hooks, 0 deliveries, 0 events, 0 places in receipts\n";
    assert_eq!(again.out, nothing, "it is gone");
    // It is still declared, and can begin anew.
    json(&hub, &["events", "raise", "blog", "posted"]);
}

#[test]
fn a_callback_is_erased_and_receipts_do_not_name_it_any_longer() {
    let (hub, receiver, receipts) = scene();
    let shared = receiver.at("refuses/shared");
    let names = |receipt: &str| {
        let (_, missing) = get(&hub, &format!("{receipt}/missing"));
        let items = missing["items"].as_array().expect("a list").clone();
        let named = items
            .iter()
            .filter_map(|it| it["callback"].as_str().map(str::to_owned));
        named.collect::<Vec<_>>()
    };
    assert!(names(&receipts[0]).contains(&shared));
    let erased = json(&hub, &["erase", "callback", &shared, "--yes"]);
    assert_eq!(
        (&erased["subscriptions"], &erased["hooks"]),
        (&2.into(), &0.into())
    );
    assert_eq!(erased["named"], 2, "{erased}");
    for receipt in &receipts {
        assert!(!names(receipt).contains(&shared));
        let (_, receipt) = get(&hub, receipt);
        let counts = ["delivered", "in_backlog", "gone"].map(|count| receipt[count].as_u64());
        assert_eq!(
            counts,
            [Some(1), Some(1), Some(1)],
            "the counts stay: {receipt}"
        );
    }
    let list = json(&hub, &["subscriptions", "list"]).to_string();
    assert!(
        !list.contains(&shared) && list.contains("/reader"),
        "{list}"
    );

    let hook = receiver.at("refuses/shop");
    let erased = json(&hub, &["erase", "callback", &hook, "--yes"]);
    assert_eq!(erased["hooks"], 1);
    assert!(!json(&hub, &["hooks", "list"]).to_string().contains(&hook));
    assert!(!names(&receipts[1]).contains(&hook));
}

#[test]
fn a_request_that_is_being_verified_is_erased_and_comes_to_nothing() {
    for (what, name) in [("callback", None), ("source", Some("blog"))] {
        let hub = Hub::start();
        json(&hub, &["sources", "add", "blog", "--event", "posted"]);
        let topic = format!("{}blog/events/posted", hub.url);
        let (asked, is_asked) = mpsc::channel();
        let (answer, may_answer) = mpsc::channel();
        let receiver = Server::start(move |request| {
            let challenge = challenge(request).unwrap_or_default();
            asked.send(()).expect("the test waits");
            may_answer
                .recv_timeout(PATIENCE)
                .expect("the test says when");
            format!("200 OK\n\n{challenge}")
        });
        let callback = receiver.at("reader");
        let (hub_url, of) = (hub.url.clone(), callback.clone());
        let subscribing = thread::spawn(move || {
            let args = ["subscribe", &topic, &of, "--hub", &hub_url, "--sync"];
            fanfare_with(&args, &[], b"")
        });
        is_asked
            .recv_timeout(PATIENCE)
            .expect("the callback is asked");
        let erased = json(&hub, &["erase", what, name.unwrap_or(&callback), "--yes"]);
        assert_eq!(
            (&erased["requests"], &erased["subscriptions"]),
            (&1.into(), &0.into()),
            "{what}"
        );
        let (_, unconfirmed) = get(&hub, "api/v1/verifications");
        assert_eq!(unconfirmed["items"], Value::Array(Vec::new()));
        // Now it agrees, and the hub has its verdict.
        answer.send(()).expect("the callback waits");
        let subscribed = subscribing.join().expect("it ends");
        assert_ne!(subscribed.code, Some(0), "{}", subscribed.out);
        assert!(subscribed.err.contains("has erased"), "{}", subscribed.err);
        let list = json(&hub, &["subscriptions", "list"]);
        assert_eq!(list, Value::Array(Vec::new()), "{what}");
        assert_eq!(json(&hub, &["topics", "list"]), Value::Array(Vec::new()));
    }
}

#[test]
fn what_cannot_be_meant_is_refused() {
    let hub = Hub::start();
    let bearer = format!("Bearer {TOKEN}");
    let url = format!("{}api/v1/erasures", hub.url);
    for (body, status, words) in [
        ("{}", 400, "say what to erase"),
        (
            r#"{"source":"a","callback":"http://x.example/"}"#,
            400,
            "one of both",
        ),
        (r#"{"source":"a b"}"#, 422, "is not the name of a source"),
        (
            r#"{"callback":"ftp://x.example/"}"#,
            422,
            "callback: \"ftp://x.example/\"",
        ),
    ] {
        let (code, said) = send("POST", &url, &[("Authorization", &bearer)], body);
        assert_eq!(code, status, "{said}");
        assert!(
            serde_json::from_str::<Value>(&said).expect("JSON")["error"]
                .as_str()
                .expect("words")
                .contains(words),
            "{said}"
        );
    }
    assert_eq!(send("POST", &url, &[], "{\"source\":\"a\"}").0, 401);
}
