//! What a leading sender of webhooks fails at, as measured: slow, flooding, dripping and odd receivers, a rate that is stored and not
//! kept, `kill -9`.
//!
//! One more, a store that is lost while the health check stays green, is not of hooks: `tests/hub/disk.rs`,
//! `a_full_disk_is_told_and_costs_nothing_that_was_accepted`, shows it for what is accepted, `tests/hub/health.rs` for the rest.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::{AsyncWriteExt as _, BufReader};
use tokio::net::TcpSocket;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::hooking::{MADE, number, numbers, receiver, shop};
use crate::support::receipts::assert_counts;
use crate::support::{Reply, Request, Server, eventually};

/// Requests that one origin may have under way: `delivery.per_origin`, and eight times as many that take long (`flow/gate.rs`).
const UNDER_WAY: usize = 32 + 8 * 32;
/// Deliveries that may end between two checkpoints of a fan-out (`flow/fanout.rs`).
const WINDOW: usize = 1_000;

#[tokio::test]
async fn a_slow_endpoint_delays_no_other_one() {
    const SLOW: usize = 3_000;
    const QUICK: usize = 50;
    let hub = shop(&[("delivery.timeout", "10m")]).await;
    // It answers nothing until all others have everything.
    let (quickens, is_quick) = watch::channel(false);
    let slowly = receiver(Reply::status(200).once(is_quick)).await;
    let quickly = receiver(Reply::status(200)).await;
    let other = json!({ "events": ["made"] });
    hub.declare("other", &other).await.expect(201);
    hub.hook(&slowly.url("/"), &json!({ "source": "other" }))
        .await;
    // One beside it, and one of the same events.
    let same = receiver(Reply::status(200)).await;
    hub.hook(&same.url("/"), &json!({ "source": "other" }))
        .await;
    hub.hook(&quickly.url("/"), &json!({})).await;
    for step in 0..SLOW / 1_000 {
        let events: Vec<_> = (0..1_000)
            .map(|n| json!({ "n": step * 1_000 + n }))
            .collect();
        let events = Value::from(events);
        hub.raise("/other/events/made", &events).await.expect(202);
    }
    slowly.log().wait_for("a slow delivery", 32, |_| true).await;

    let mut delays = Vec::new();
    for n in 0..QUICK {
        let raised = Instant::now();
        hub.raise_number(MADE, n).await;
        let arrived = quickly
            .log()
            .wait_for("a quick delivery", n + 1, |_| true)
            .await;
        delays.push(arrived[n].at.duration_since(raised));
    }
    told(&same, SLOW).await;
    delays.sort();
    let median = delays[QUICK / 2];
    assert!(median < Duration::from_millis(500), "{delays:?}");

    // The slow one has all of it, too, once it is quicker: first what was under way ends, then comes what waits.
    assert!(slowly.log().matching(|_| true).len() <= UNDER_WAY);
    quickens.send_replace(true);
    told(&slowly, SLOW).await;
    let distinct: BTreeSet<_> = numbers(&slowly).into_iter().collect();
    assert_eq!(distinct.len(), SLOW);
}

/// Waits until a receiver was told of so many events. It may take long as long as more come.
async fn told(server: &Server, count: usize) {
    for step in (1..count).step_by(20).chain([count]) {
        let what = "one of many events";
        server.log().wait_for(what, step, |_| true).await;
    }
}

#[tokio::test]
async fn a_rate_is_kept() {
    const EVENTS: usize = 16;
    let hub = shop(&[]).await;
    let limited = receiver(Reply::status(200)).await;
    let unlimited = receiver(Reply::status(200)).await;
    let hook = hub.hook(&limited.url("/"), &json!({ "rate": 5 })).await;
    hub.hook(&unlimited.url("/"), &json!({})).await;
    for n in 0..EVENTS {
        hub.raise_number(MADE, n).await;
    }
    let all = unlimited
        .log()
        .wait_for("a delivery", EVENTS, |_| true)
        .await;
    let early = limited.log().matching(|_| true).len();
    let arrived = limited.log().wait_for("a delivery", EVENTS, |_| true).await;
    assert!(all[EVENTS - 1].at < arrived[EVENTS - 1].at && early < EVENTS);
    // Five in a second are one in each fifth; the machine may be late with one, and in time with those after it.
    let first = arrived[0].at;
    let within = |seconds| {
        let is_within = |request: &&Request| request.at - first < Duration::from_secs(seconds);
        arrived.iter().filter(is_within).count()
    };
    assert!(
        within(1) <= 6 && within(2) <= 11 && within(3) <= 16,
        "{arrived:?}"
    );
    let whole = arrived[EVENTS - 1].at - first;
    assert!(whole > Duration::from_millis(2_800), "{whole:?}");
    assert_eq!(hub.logged(hook, EVENTS).await.len(), EVENTS);
}

/// A receiver that answers with 400 MB; it counts what it could send.
struct Flooding {
    url: String,
    requests: Arc<AtomicUsize>,
    sent: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Flooding {
    const SIZE: usize = 400_000_000;

    fn start() -> Self {
        let socket = TcpSocket::new_v4().expect("a socket");
        // Else the system takes megabytes that nobody reads.
        socket.set_send_buffer_size(4_096).expect("set");
        let any = ([127, 0, 0, 1], 0).into();
        socket.bind(any).expect("a port");
        let listener = socket.listen(64).expect("listens");
        let url = format!("http://{}/", listener.local_addr().expect("bound"));
        let (requests, sent) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
        let counts = (Arc::clone(&requests), Arc::clone(&sent));
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (requests, sent) = counts.clone();
                tokio::spawn(async move {
                    let mut stream = BufReader::new(stream);
                    let Ok(Some(_)) = Request::read(&mut stream).await else {
                        return;
                    };
                    requests.fetch_add(1, Ordering::SeqCst);
                    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", Self::SIZE);
                    let mut open = stream.write_all(head.as_bytes()).await.is_ok();
                    let block = [b'x'; 1_024];
                    while open && sent.load(Ordering::SeqCst) < Self::SIZE {
                        open = stream.write_all(&block).await.is_ok();
                        sent.fetch_add(block.len(), Ordering::SeqCst);
                    }
                });
            }
        });
        Self {
            url,
            requests,
            sent,
            task,
        }
    }
}

impl Drop for Flooding {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[tokio::test]
async fn of_an_answer_of_400_megabytes_a_few_kilobytes_are_read() {
    let hub = shop(&[]).await;
    let receivers: Vec<_> = (0..4).map(|_| Flooding::start()).collect();
    let mut hooks = Vec::new();
    for receiver in &receivers {
        hooks.push(hub.hook(&receiver.url, &json!({})).await);
    }
    let answer = hub.raise_number(MADE, 1).await;
    assert_counts(&hub.ended(&answer).await, [4, 4, 0, 0, 0]);
    for (receiver, hook) in receivers.iter().zip(hooks) {
        let log = hub.logged(hook, 1).await;
        assert_eq!((log.len(), &log[0]["status"]), (1, &json!(200)));
        let whole = hub.delivery(hook, &log[0]["id"]).await;
        let body = whole["response"]["body"].as_str().expect("a text");
        assert!((1..=16_384).contains(&body.len()), "{}", body.len());
        assert_eq!(receiver.requests.load(Ordering::SeqCst), 1);
        // Beyond what the hub reads there is what the system holds for it.
        let sent = receiver.sent.load(Ordering::SeqCst);
        assert!(sent < 1 << 20, "{sent} bytes were taken");
    }
}

#[tokio::test]
async fn an_answer_that_drips_ends_at_the_one_deadline_and_counts_once() {
    let hub = shop(&[("delivery.timeout", "1s")]).await;
    let dripping = receiver(Reply::Drip).await;
    let hook = hub.hook(&dripping.url("/"), &json!({})).await;
    let answer = hub.raise_number(MADE, 1).await;
    assert_counts(&hub.ended(&answer).await, [1, 1, 0, 0, 0]);
    let log = hub.logged(hook, 1).await;
    assert_eq!(log[0]["status"], 200);
    let millis = log[0]["millis"].as_u64().expect("a number");
    assert!((900..2_500).contains(&millis), "{millis}");
    // One more comes behind it: nothing of the first was repeated by then.
    hub.raise_number(MADE, 2).await;
    assert_eq!(hub.logged(hook, 2).await.len(), 2);
    assert_eq!(numbers(&dripping), [1, 2]);
}

#[tokio::test]
async fn a_nul_byte_in_an_answer_is_written_down_and_changes_nothing() {
    let hub = shop(&[]).await;
    let odd = receiver(Reply::ok(*b"o\0k\x01\xff")).await;
    let hook = hub.hook(&odd.url("/"), &json!({})).await;
    let answer = hub.raise_number(MADE, 1).await;
    assert_counts(&hub.ended(&answer).await, [1, 1, 0, 0, 0]);
    let log = hub.logged(hook, 1).await;
    let whole = hub.delivery(hook, &log[0]["id"]).await;
    assert_eq!(whole["response"]["status"], 200);
    assert_eq!(whole["response"]["body"], "o\0k\u{1}\u{fffd}");
    hub.raise_number(MADE, 2).await;
    assert_eq!(hub.logged(hook, 2).await.len(), 2);
    assert_eq!(numbers(&odd), [1, 2]);
    assert_eq!(
        hub.hook_now(hook).await["health"]["failing_since"],
        Value::Null
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kill_9_in_a_fan_out_loses_nothing_and_repeats_little() {
    const HOOKS: usize = 150;
    const EVENTS: usize = 40;
    let mut hub = shop(&[("log.level", "warn")]).await;
    let server = receiver(Reply::status(200)).await;
    for hook in 0..HOOKS {
        hub.hook(&server.url(&format!("/{hook}")), &json!({})).await;
    }
    let events: Vec<_> = (0..EVENTS).map(|n| json!({ "n": n })).collect();
    hub.raise(MADE, &Value::from(events)).await.expect(202);
    let half = HOOKS * EVENTS / 2;
    server.log().wait_for("a delivery", half, |_| true).await;
    hub.kill9().await;
    let before = server.log().matching(|_| true).len();
    hub.start_again().await;
    let ready = Instant::now();
    let log = server.log();
    log.wait_for("a delivery", before + 1, |_| true).await;
    let resumed = ready.elapsed();

    let arrivals = |server: &Server| {
        let mut arrivals = BTreeMap::<(String, usize), usize>::new();
        for request in server.log().matching(|_| true) {
            *arrivals
                .entry((request.path().to_owned(), number(&request)))
                .or_default() += 1;
        }
        arrivals
    };
    eventually("everything", async || {
        (arrivals(&server).len() == HOOKS * EVENTS).then_some(())
    })
    .await;
    let all = server.log().matching(|_| true).len();
    let repeats = all - HOOKS * EVENTS;
    assert!(before < HOOKS * EVENTS, "it was killed too late");
    assert!(repeats <= WINDOW, "{repeats} repeats of {all}");
    assert!(resumed < Duration::from_secs(1), "{resumed:?}");
}
