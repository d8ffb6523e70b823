//! How long the hub takes for what each view of the admin page asks, with a million subscriptions and a hundred thousand deliveries in its log: the
//! release binary, one request at a time.
//!
//!     cargo bench --bench desk [-- --quick]
//!
//! `--quick` does it with a tenth. Fails when an answer takes longer than the issue allows.

#![allow(
    clippy::disallowed_methods,
    reason = "the bans are for the hub's own code"
)]

mod common;

use std::time::{Duration, Instant};

use common::cpu;
use common::hub::{Folder, Hub};
use common::sink::Sink;

const TOPIC: &str = "http://publisher.example/feed";
const SOURCE: &str = "shop";
const EVENTS: &str = r#"{"events":["order.paid"]}"#;
const EVENT: &str = "/shop/events/order.paid";
/// Hooks whose log is filled.
const HOOKS: usize = 100;
/// Topics with a few publications each.
const TOPICS: usize = 1_000;
/// How often each is asked; the slowest counts.
const TIMES: usize = 5;
/// What an answer may take (issue 4).
const ALLOWED: Duration = Duration::from_millis(200);
/// Longer than the log takes to fill.
const WITHIN: Duration = Duration::from_secs(300);

fn main() {
    Sink::run_if_asked();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let given = |name: &str| arguments.iter().any(|argument| argument == name);
    if !given("--bench") {
        println!("this takes minutes: cargo bench --bench desk");
        return;
    }
    let divisor = if given("--quick") { 10 } else { 1 };
    let (subscriptions, deliveries) = (1_000_000 / divisor, 100_000 / divisor);
    let sink = Sink::start(4);
    let folder = Folder::with_subscriptions(TOPIC, subscriptions, &sink.ports);
    let hub = Hub::start(&folder);
    fill(&hub, &sink, deliveries);
    println!(
        "{subscriptions} subscriptions, {deliveries} deliveries in the log, load {:.1}",
        cpu::load()
    );
    println!("{:>9}  {:>9}  request", "median", "slowest");
    let mut slow = 0;
    for path in paths(&hub, subscriptions) {
        let mut took: Vec<Duration> = (0..TIMES).map(|_| time(&hub, &path)).collect();
        took.sort_unstable();
        let slowest = took[TIMES - 1];
        let millis = |took: Duration| took.as_secs_f64() * 1e3;
        println!(
            "{:>6.1} ms  {:>6.1} ms  {path}",
            millis(took[TIMES / 2]),
            millis(slowest)
        );
        slow += usize::from(slowest > ALLOWED);
    }
    println!("resident {:.0} MB", cpu::resident_mb(hub.pid()));
    if slow > 0 {
        println!("\n{slow} take longer than {} ms", ALLOWED.as_millis());
        std::process::exit(1);
    }
}

/// Publications of hosted topics, and events of a source for hooks that take them.
fn fill(hub: &Hub, sink: &Sink, deliveries: usize) {
    for number in 0..TOPICS {
        hub.host(&format!("topic-{number}"), b"Hello");
    }
    hub.declare(SOURCE, EVENTS);
    let mut client = hub.client();
    for number in 0..HOOKS {
        let url = format!(
            "http://127.0.0.1:{}/{number}",
            sink.ports[number % sink.ports.len()]
        );
        hub.hook(&mut client, SOURCE, &url, "");
    }
    sink.reset();
    for number in 0..deliveries / HOOKS {
        client.ask("POST", EVENT, &format!(r#"{{"order":{number}}}"#));
    }
    let began = Instant::now();
    while sink.count() < deliveries as u64 {
        assert!(began.elapsed() < WITHIN, "the log does not fill");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// What the views ask.
fn paths(hub: &Hub, subscriptions: usize) -> Vec<String> {
    let mut client = hub.client();
    let mut first = |path: &str| {
        let body = client.ask("GET", path, "").body;
        let id = body.split("\"id\":").nth(1).expect("an item");
        let id = id.split([',', '}']).next().expect("a value");
        id.trim_matches('"').to_owned()
    };
    let (topic, publication) = (
        first("/api/v1/topics?limit=1"),
        first("/api/v1/receipts?limit=1"),
    );
    let crowded = first("/api/v1/topics?limit=1&search=publisher.example");
    let (subscription, hook) = (
        first("/api/v1/subscriptions?limit=1"),
        first("/api/v1/hooks?limit=1"),
    );
    let delivery = first(&format!("/api/v1/hooks/{hook}/deliveries?limit=1"));
    let last = subscriptions - 1;
    vec![
        "/api/v1/session".into(),
        "/api/v1/history?minutes=1440".into(),
        "/api/v1/about".into(),
        "/api/v1/settings".into(),
        "/api/v1/tokens".into(),
        "/api/v1/topics?limit=25".into(),
        "/api/v1/topics?limit=25&search=nothing-like-it".into(),
        format!("/api/v1/topics/{topic}"),
        format!("/api/v1/topics/{topic}/content"),
        format!("/api/v1/topics/{crowded}"),
        format!("/api/v1/topics/{crowded}/subscribers"),
        "/api/v1/subscriptions?limit=25".into(),
        format!("/api/v1/subscriptions?limit=25&search=callback/{last}"),
        "/api/v1/subscriptions?limit=25&callback_host=elsewhere.example".into(),
        format!("/api/v1/subscriptions?limit=25&topic={TOPIC}"),
        "/api/v1/subscriptions?limit=25&state=behind".into(),
        format!("/api/v1/subscriptions/{subscription}"),
        format!("/api/v1/subscriptions/{subscription}/backlog"),
        "/api/v1/verifications?limit=25".into(),
        "/api/v1/receipts?limit=25".into(),
        "/api/v1/receipts?limit=25&state=failed".into(),
        format!("/api/v1/receipts?limit=25&topic={TOPIC}"),
        format!("/api/v1/receipts/{publication}"),
        format!("/api/v1/receipts/{publication}/missing?limit=25"),
        "/api/v1/hooks?limit=25".into(),
        format!("/api/v1/hooks/{hook}"),
        format!("/api/v1/hooks/{hook}/deliveries?limit=25"),
        format!("/api/v1/hooks/{hook}/deliveries?limit=25&status=failure"),
        format!("/api/v1/hooks/{hook}/deliveries/{delivery}"),
        format!("/api/v1/hooks/{hook}/replays"),
        "/api/v1/sources".into(),
        format!("/api/v1/sources/{SOURCE}"),
        "/api/v1/inspector".into(),
        "/subscription".into(),
    ]
}

fn time(hub: &Hub, path: &str) -> Duration {
    let mut client = hub.client();
    let began = Instant::now();
    client.ask("GET", path, "");
    began.elapsed()
}
