//! What the hub does with events: the release binary against a sink that costs as little as possible, in relation to what
//! wrk does to the same sink in the same run.
//!
//!     cargo bench --bench events [-- [--quick] [rate] [lines] [latency] [wide]]
//!
//! Without a name all four are measured; `--quick` measures all of it with less. Fails when an aim is missed that has a number.

#![allow(
    clippy::disallowed_methods,
    reason = "the bans are for the hub's own code"
)]

mod common;

use std::io::Write as _;
use std::time::Duration;

use common::hub::{Folder, Hub};
use common::sections::{Bench, median, title};
use common::sink::{Report, Sink, now};
use common::{cpu, wrk};

const CLIENTS: usize = 32;
const ORIGINS: usize = 16;
const BODY_BYTES: usize = 1024;
const SOURCE: &str = "shop";
const EVENTS: &str = r#"{"events":["order.paid"]}"#;
const PATH: &str = "/shop/events/order.paid";
/// Longer than anything here takes.
const WITHIN: Duration = Duration::from_secs(600);

/// Twenty times what a leading sender accepts and delivers in a second, on two cores with its durable queue.
const AIM: f64 = 20.0 * 610.0;
/// How many events come in a second when latency is measured.
const STEADY: u32 = 200;

/// How much is measured.
struct Size {
    rounds: usize,
    wrk_seconds: u32,
    /// Events of one round.
    events: usize,
    /// Events of one round, to a hook that gets one after the other.
    in_line: usize,
    steady_seconds: u32,
    hooks: usize,
}

const FULL: Size = Size {
    rounds: 5,
    wrk_seconds: 3,
    events: 50_000,
    in_line: 5_000,
    steady_seconds: 20,
    hooks: 1_000,
};

const QUICK: Size = Size {
    rounds: 3,
    wrk_seconds: 1,
    events: 10_000,
    in_line: 1_000,
    steady_seconds: 5,
    hooks: 1_000,
};

fn main() {
    Sink::run_if_asked();
    Bench {
        name: "events",
        full: FULL,
        quick: QUICK,
        sections: [
            ("rate", rate),
            ("lines", lines),
            ("latency", latency),
            ("wide", wide),
        ],
        complaint: "less than aimed at",
    }
    .run();
}

/// Events for one hook, as many as the hub takes.
fn rate(size: &Size) -> bool {
    title(&format!(
        "{} events of {BODY_BYTES} B for one hook, {CLIENTS} clients",
        size.events
    ));
    let done = rounds(size, size.events, "");
    println!("median {done:.0} accepted and delivered a second (aim {AIM:.0})");
    done >= AIM
}

/// The same for hooks that get one event after the other.
fn lines(size: &Size) -> bool {
    for (name, more) in [
        ("an ordered hook", r#","ordered":true"#),
        // More than it gets: it is the way that is measured, not the rate.
        ("a hook with a rate", r#","rate":100000"#),
    ] {
        title(&format!(
            "{} events of {BODY_BYTES} B for {name}, {CLIENTS} clients",
            size.in_line
        ));
        let done = rounds(size, size.in_line, more);
        println!("median {done:.0} accepted and delivered a second");
    }
    true
}

/// The median of how many events a second were accepted and delivered.
fn rounds(size: &Size, events: usize, more: &str) -> f64 {
    let sink = Sink::start(1);
    let url = format!("http://127.0.0.1:{}/", sink.ports[0]);
    let folder = Folder::empty();
    let hub = Hub::start(&folder);
    hub.declare(SOURCE, EVENTS);
    hub.hook(&mut hub.client(), SOURCE, &url, more);
    println!("round    wrk/s  accepted/s  both/s  ratio  hub's CPU each  load");
    let mut rates = Vec::new();
    for round in 1..=size.rounds {
        let reference = wrk::rate(&url, size.wrk_seconds);
        sink.wait_until_quiet();
        sink.reset();
        let (began, burnt) = (now(), hub.cpu());
        raise(&hub, events);
        let accepted = now();
        let report = all_delivered(&sink, events);
        let burnt = (hub.cpu() - burnt) / events as f64 * 1e6;
        let each_second = |until: Duration| events as f64 / (until - began).as_secs_f64();
        let rate = each_second(accepted.max(report.last));
        println!(
            "{round:>5} {reference:>8.0} {:>11.0} {rate:>7.0}  {:>5.2} {burnt:>12.1} us {:>5.1}",
            each_second(accepted),
            rate / reference,
            cpu::load()
        );
        rates.push(rate);
    }
    println!("resident {:.0} MB", cpu::resident_mb(hub.pid()));
    median(&mut rates)
}

/// Each client sends its events over one connection, and the next when the one before is durable.
fn raise(hub: &Hub, events: usize) {
    std::thread::scope(|scope| {
        for first in 0..CLIENTS {
            scope.spawn(move || {
                let mut client = hub.client();
                for _ in (first..events).step_by(CLIENTS) {
                    client.ask("POST", PATH, &payload(now()));
                }
            });
        }
    });
}

/// From the moment when an event is there: to its 202, and to the hook's receiver. An event that comes while the one before
/// is not yet accepted does not wait for that: there are enough clients.
fn latency(size: &Size) -> bool {
    let sink = Sink::start(1);
    let folder = Folder::empty();
    let hub = Hub::start(&folder);
    hub.declare(SOURCE, EVENTS);
    let url = format!("http://127.0.0.1:{}/timed", sink.ports[0]);
    hub.hook(&mut hub.client(), SOURCE, &url, "");
    let events = (STEADY * size.steady_seconds) as usize;
    title(&format!(
        "{events} events of {BODY_BYTES} B for one hook, {STEADY} a second"
    ));
    sink.reset();
    let began = now() + Duration::from_millis(100);
    let mut accepted: Vec<Duration> = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|first| {
                let hub = &hub;
                scope.spawn(move || steadily(hub, began, (first..events).step_by(CLIENTS)))
            })
            .collect();
        let ended = clients.into_iter().map(|client| client.join());
        ended.flat_map(|delays| delays.expect("no panic")).collect()
    });
    all_delivered(&sink, events);
    let mut delivered = sink.delays();
    assert_eq!(delivered.len(), events);
    println!("                    p50       p99       max  load");
    spread("accepted", &mut accepted);
    spread("delivered", &mut delivered);
    spread("this disk's sync", &mut syncs());
    true
}

/// Sends each of these events at its time; gives how long after that it was accepted.
fn steadily(hub: &Hub, began: Duration, numbers: impl Iterator<Item = usize>) -> Vec<Duration> {
    let mut client = hub.client();
    let send = |number: usize| {
        let at = began + Duration::from_secs(number as u64) / STEADY;
        std::thread::sleep(at.saturating_sub(now()));
        client.ask("POST", PATH, &payload(at));
        now() - at
    };
    numbers.map(send).collect()
}

/// What no durable acceptance can be quicker than: 4 KiB written and made durable, some times.
fn syncs() -> Vec<Duration> {
    let mut file = tempfile::tempfile().expect("a temporary file");
    let mut write = || {
        let began = now();
        file.write_all(&[b'x'; 4096]).expect("room on the disk");
        file.sync_data().expect("a disk");
        now() - began
    };
    (0..200).map(|_| write()).collect()
}

/// One event for very many hooks.
fn wide(size: &Size) -> bool {
    let count = size.hooks;
    let sink = Sink::start(ORIGINS);
    let folder = Folder::empty();
    let hub = Hub::start(&folder);
    hub.declare(SOURCE, EVENTS);
    let mut client = hub.client();
    for number in 0..count {
        let port = sink.ports[number % ORIGINS];
        let url = format!("http://127.0.0.1:{port}/hook/{number}");
        hub.hook(&mut client, SOURCE, &url, "");
    }
    title(&format!(
        "one event of {BODY_BYTES} B for {count} hooks over {ORIGINS} origins"
    ));
    println!("round    wrk/s    hub/s  ratio     first       all  load");
    let url = format!("http://127.0.0.1:{}/", sink.ports[0]);
    for round in 1..=size.rounds {
        let reference = wrk::rate(&url, size.wrk_seconds);
        sink.wait_until_quiet();
        sink.reset();
        let began = now();
        client.ask("POST", PATH, &payload(began));
        let report = all_delivered(&sink, count);
        println!(
            "{round:>5} {reference:>8.0} {:>8.0}  {:>5.2} {:>6.1} ms {:>6.1} ms {:>5.1}",
            report.rate(),
            report.rate() / reference,
            (report.first - began).as_secs_f64() * 1e3,
            (report.last - began).as_secs_f64() * 1e3,
            cpu::load()
        );
    }
    true
}

/// Waits until everything has come, once.
fn all_delivered(sink: &Sink, count: usize) -> Report {
    let report = sink.wait_until(WITHIN, |report| report.posts >= count as u64);
    sink.wait_until_quiet();
    assert_eq!(sink.count(), count as u64, "each delivery once");
    report
}

/// An event that says since when it is there.
fn payload(since: Duration) -> String {
    let (head, tail) = (
        format!(r#"{{"since":{},"text":""#, since.as_nanos()),
        r#""}"#,
    );
    let text = "x".repeat(BODY_BYTES - head.len() - tail.len());
    format!("{head}{text}{tail}")
}

fn spread(name: &str, delays: &mut [Duration]) {
    delays.sort();
    let at = |part: usize| {
        let at = (delays.len() * part / 100).min(delays.len() - 1);
        delays[at].as_secs_f64() * 1e3
    };
    println!(
        "{name:<16} {:>5.2} ms {:>6.2} ms {:>6.2} ms {:>5.1}",
        at(50),
        at(99),
        at(100),
        cpu::load()
    );
}
