//! What the hub does in a second: the release binary against a sink that costs as little as possible, in relation to what
//! wrk does to the same sink in the same run.
//!
//!     cargo bench --bench fanout [-- [--quick] [rate] [scale] [latency] [subscribe]]
//!
//! Without a name all four are measured; `--quick` measures all of it with less. Fails when a required figure is missed.

#![allow(
    clippy::disallowed_methods,
    reason = "the bans are for the hub's own code"
)]

mod common;

use std::time::Duration;

use common::http::Client;
use common::hub::{Folder, Hub};
use common::sections::{Bench, median, title};
use common::sink::{Report, Sink, now};
use common::{cpu, wrk};

const ORIGINS: usize = 16;
const BODY_BYTES: usize = 1024;
const TOPIC: &str = "http://feeds.example/news";
/// Longer than anything here takes.
const WITHIN: Duration = Duration::from_secs(300);

/// The least rate of the hub's deliveries, in relation to wrk's requests.
const LEAST_RATE: f64 = 0.40;
/// The least rate with very many subscriptions, in relation to few.
const LEAST_SCALE: f64 = 0.90;

/// How much is measured.
struct Size {
    rounds: usize,
    /// Rounds of a million deliveries and more.
    long_rounds: usize,
    wrk_seconds: u32,
    subscriptions: usize,
    small: usize,
    large: usize,
    publications: usize,
    subscribers: usize,
}

const FULL: Size = Size {
    rounds: 5,
    long_rounds: 3,
    wrk_seconds: 3,
    subscriptions: 100_000,
    small: 10_000,
    large: 1_000_000,
    publications: 200,
    subscribers: 20_000,
};

const QUICK: Size = Size {
    rounds: 3,
    long_rounds: 3,
    wrk_seconds: 1,
    subscriptions: 20_000,
    small: 10_000,
    large: 100_000,
    publications: 50,
    subscribers: 2_000,
};

fn main() {
    Sink::run_if_asked();
    Bench {
        name: "fanout",
        full: FULL,
        quick: QUICK,
        sections: [
            ("rate", rate),
            ("scale", scale),
            ("latency", latency),
            ("subscribe", subscribe),
        ],
        complaint: "less than required",
    }
    .run();
}

/// One fan-out after the other, and wrk in between.
fn rate(size: &Size) -> bool {
    let count = size.subscriptions;
    let sink = Sink::start(ORIGINS);
    let folder = Folder::with_subscriptions(TOPIC, count, &sink.ports);
    let hub = Hub::start(&folder);
    title(&format!(
        "fan-out of {BODY_BYTES} B to {count} signed subscriptions over {ORIGINS} origins"
    ));
    println!("round    wrk/s    hub/s  ratio  hub's CPU each  load");
    let url = format!("http://127.0.0.1:{}/", sink.ports[0]);
    let mut ratios = Vec::new();
    for round in 1..=size.rounds {
        let reference = wrk::rate(&url, size.wrk_seconds);
        sink.wait_until_quiet();
        let (report, burnt) = fan_out(&hub, &sink, count);
        let (rate, ratio) = (report.rate(), report.rate() / reference);
        println!(
            "{round:>5} {reference:>8.0} {rate:>8.0}  {ratio:>5.2} {burnt:>12.1} us {:>5.1}",
            cpu::load()
        );
        ratios.push(ratio);
    }
    is_enough(median(&mut ratios), LEAST_RATE)
}

/// Start-up, memory and rate with very many subscriptions, in relation to few.
fn scale(size: &Size) -> bool {
    let sink = Sink::start(ORIGINS);
    let few = Folder::with_subscriptions(TOPIC, size.small, &sink.ports);
    let many = Folder::with_subscriptions(TOPIC, size.large, &sink.ports);
    title(&format!(
        "{} subscriptions, and {} beside",
        size.large, size.small
    ));
    let mut starts: Vec<f64> = (0..size.rounds)
        .map(|_| Hub::start(&many).start_up.as_secs_f64())
        .collect();
    println!("start-up {:.2} s (aim 2 s)", median(&mut starts));
    let (few, many) = (Hub::start(&few), Hub::start(&many));
    let resident = cpu::resident_mb(many.pid());
    println!("resident after the start {resident:.0} MB (aim 400 MB)");
    println!(
        "round  {:>9}/s  {:>9}/s  ratio  load",
        size.small, size.large
    );
    let mut ratios = Vec::new();
    for round in 1..=size.long_rounds {
        let before = small_rate(&few, &sink, size);
        let (report, _) = fan_out(&many, &sink, size.large);
        let after = small_rate(&few, &sink, size);
        let (small, large) = ((before + after) / 2.0, report.rate());
        println!(
            "{round:>5}  {small:>11.0}  {large:>11.0}  {:>5.2} {:>5.1}",
            large / small,
            cpu::load()
        );
        ratios.push(large / small);
    }
    let is_enough = is_enough(median(&mut ratios), LEAST_SCALE);
    let resident = cpu::resident_mb(many.pid());
    println!("resident after the fan-outs {resident:.0} MB (aim 400 MB)");
    is_enough
}

/// The rate of fan-outs to few that follow one another, for about half as long as one to many takes.
fn small_rate(hub: &Hub, sink: &Sink, size: &Size) -> f64 {
    let times = size.large / size.small / 2;
    let took: Duration = (0..times)
        .map(|_| {
            let (report, _) = fan_out(hub, sink, size.small);
            report.last - report.first
        })
        .sum();
    (times * size.small) as f64 / took.as_secs_f64()
}

/// From the beginning of the request that publishes to the first delivery.
fn latency(size: &Size) -> bool {
    let sink = Sink::start(1);
    let port = sink.ports[0];
    let feed = format!("http://127.0.0.1:{port}/feed");
    let folder = Folder::with_subscriptions(&feed, 1, &sink.ports);
    let hub = Hub::start(&folder);
    subscribe_one(&mut hub.client(), &hub.topic("news"), port, 0);
    sink.wait_until(WITHIN, |report| report.confirmed == 1);
    title(&format!(
        "from the request to the first delivery, {} publications",
        size.publications
    ));
    println!("                    p50       p99  load");
    let ping = format!("hub.mode=publish&hub.url={feed}");
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let publish: [(&str, &dyn Fn()); 2] = [
        ("hosted topic", &|| {
            hub.host("news", &content());
        }),
        ("ping and fetch", &|| {
            let answer = hub.client().send("POST", "/", &form, ping.as_bytes());
            assert_eq!(answer.expect("the hub answers").status, 204);
        }),
    ];
    for (name, publish) in publish {
        let mut times: Vec<f64> = (0..size.publications)
            .map(|_| {
                sink.reset();
                let began = now();
                publish();
                let report = sink.wait_until(WITHIN, |report| report.posts == 1);
                (report.first - began).as_secs_f64() * 1e3
            })
            .collect();
        times.sort_by(f64::total_cmp);
        let at = |part: usize| times[(times.len() * part / 100).min(times.len() - 1)];
        println!(
            "{name:<14} {:>5.2} ms {:>6.2} ms {:>5.1}",
            at(50),
            at(99),
            cpu::load()
        );
    }
    true
}

/// From the first request to the last verification, and whether everyone then gets a publication.
fn subscribe(size: &Size) -> bool {
    const CLIENTS: usize = 64;
    let sink = Sink::start(ORIGINS);
    let folder = Folder::empty();
    let hub = Hub::start(&folder);
    let count = size.subscribers;
    title(&format!(
        "{count} subscribers over HTTP, {CLIENTS} at a time"
    ));
    let (began, burnt) = (now(), hub.cpu());
    std::thread::scope(|scope| {
        for first in 0..CLIENTS {
            let (hub, sink) = (&hub, &sink);
            scope.spawn(move || {
                let mut client = hub.client();
                for number in (first..count).step_by(CLIENTS) {
                    let port = sink.ports[number % ORIGINS];
                    subscribe_one(&mut client, TOPIC, port, number);
                }
            });
        }
    });
    let accepted = count as f64 / (now() - began).as_secs_f64();
    let report = sink.wait_until(WITHIN, |report| report.confirmed == count as u64);
    let verified = count as f64 / (report.last - began).as_secs_f64();
    println!(
        "accepted {accepted:.0}/s, verified {verified:.0}/s, hub's CPU each {:.0} us, load {:.1}",
        (hub.cpu() - burnt) / count as f64 * 1e6,
        cpu::load()
    );
    fan_out(&hub, &sink, count);
    true
}

fn subscribe_one(hub: &mut Client, topic: &str, port: u16, number: usize) {
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let body = format!(
        "hub.mode=subscribe&hub.topic={topic}&hub.callback=http://127.0.0.1:{port}/callback/{number}&hub.secret=secret-{number}"
    );
    let answer = hub.send("POST", "/", &form, body.as_bytes());
    let answer = answer.expect("the hub answers");
    assert_eq!(answer.status, 202, "{}", answer.body);
}

/// Publishes and waits until everyone has it, once. With it comes what one delivery cost the hub, in microseconds of CPU.
fn fan_out(hub: &Hub, sink: &Sink, targets: usize) -> (Report, f64) {
    sink.reset();
    let burnt = hub.cpu();
    let receipt = hub.publish(TOPIC, &content());
    let report = sink.wait_until(WITHIN, |report| report.posts >= targets as u64);
    let burnt = (hub.cpu() - burnt) / targets as f64 * 1e6;
    hub.complete(&receipt, targets);
    assert_eq!(
        sink.count(),
        targets as u64,
        "one delivery for each subscription"
    );
    (report, burnt)
}

/// Content that was not there before.
fn content() -> Vec<u8> {
    let mut content = format!("{:?} ", now()).into_bytes();
    content.resize(BODY_BYTES, b'x');
    content
}

fn is_enough(ratio: f64, required: f64) -> bool {
    println!("median ratio {ratio:.2} (required {required:.2})");
    ratio >= required
}
