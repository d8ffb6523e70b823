//! `fanfare inspect`, against the hub of the same binary.

use serde_json::Value;

use crate::own_hub::{Hub, TOKEN};
use crate::support::{Running, fanfare_with, send};
use fanfare::domain::signature::{Method, sign};
use fanfare::domain::value::Secret;

fn inspect(hub: &Hub, args: &[&str]) -> (Running, String) {
    let all = [&["inspect", "--url", &hub.url], args].concat();
    let mut running = Running::start_with(&all, &[("FANFARE_TOKEN", TOKEN)]);
    let told = running.err("send requests to ");
    let url = told.split_whitespace().last().expect("a URL").to_owned();
    (running, url)
}

#[test]
fn prints_what_arrives_and_takes_the_address_away() {
    let hub = Hub::start();
    let args = ["--secret", "hush", "--status", "202", "--count", "3"];
    let (mut running, url) = inspect(&hub, &args);
    let secret = Secret::parse("hush").expect("a secret");
    let signature = sign(Method::Sha256, &secret, b"news\x1b[2J");
    let headers = [
        ("X-Hub-Signature-256", signature.as_str()),
        ("X-Odd", "a\u{fc}b"),
    ];
    assert_eq!(
        send("GET", &format!("{url}?hub.challenge=x"), &[], ""),
        (200, "x".into())
    );
    assert_eq!(send("POST", &url, &headers, "news\x1b[2J").0, 202);
    assert_eq!(send("POST", &url, &headers, "forged").0, 202);
    running.out("  GET ?hub.challenge=x  from 127.0.0.1  0 bytes  answered 200  signature none");
    running.out("  POST  from 127.0.0.1  8 bytes  answered 202  signature verified (sha256)");
    running.out("  x-odd: a\u{fc}b");
    let done = running.end();
    assert_eq!(done.code, Some(0), "{}", done.err);
    assert!(done.out.contains("\n\nnews\u{fffd}[2J\n\n"), "{}", done.out);
    assert!(done.out.contains("signature WRONG"), "{}", done.out);
    assert_eq!(done.err, "the address has ended\n");
    assert_eq!(send("POST", &url, &[], "late").0, 410);
}

#[test]
fn json_is_one_line_for_each_and_an_address_may_stay() {
    let hub = Hub::start();
    let args = [
        "--json",
        "--count",
        "1",
        "--keep",
        "--no-challenge",
        "--status",
        "404",
    ];
    let (running, url) = inspect(&hub, &args);
    assert_eq!(
        send("GET", &format!("{url}?hub.challenge=x"), &[], ""),
        (404, String::new())
    );
    let done = running.end();
    assert_eq!(done.code, Some(0), "{}", done.err);
    let line: Value = serde_json::from_str(&done.out).expect("one line of JSON");
    assert_eq!(
        (&line["method"], &line["answered"]),
        (&"GET".into(), &404.into())
    );
    assert_eq!(line["query"], "hub.challenge=x");
    assert_eq!(send("POST", &url, &[], "x").0, 404);
}

#[test]
fn ctrl_c_ends_it_and_a_refusal_is_told() {
    let hub = Hub::start();
    let (running, url) = inspect(&hub, &[]);
    running.signal("INT");
    assert_eq!(running.end().code, Some(0));
    assert_eq!(send("POST", &url, &[], "x").0, 410);
    let refused = fanfare_with(&["inspect", "--url", &hub.url], &[], b"");
    assert_eq!(refused.code, Some(4));
    assert!(refused.err.contains("wants a token"), "{}", refused.err);
    let wrong = fanfare_with(&["inspect", "--url", &hub.url, "--status", "99"], &[], b"");
    assert_eq!(wrong.code, Some(2), "{}", wrong.err);
}
