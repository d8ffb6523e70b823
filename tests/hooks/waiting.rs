//! What waits for a hook: bursts that are larger than its pace, what was accepted before it was disabled, what it rejects, and what
//! an edit sets free. In: events with numbers. Out: the numbers that arrive.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use crate::declared::ask;
use crate::hooking::{MADE, number, numbers, receiver, shop};
use crate::support::receipts::assert_counts;
use crate::support::{Hub, Reply, Request, Response, Server, eventually};

/// A receiver that answers with a status as long as `is_bad` says so of an event's number, until it is mended.
async fn picky(
    status: u16,
    is_bad: impl Fn(usize) -> bool + Send + Sync + 'static,
) -> (Server, Arc<AtomicBool>) {
    let mended = Arc::new(AtomicBool::new(false));
    let is_mended = Arc::clone(&mended);
    let answer = move |request: &Request| {
        let takes = is_mended.load(Ordering::SeqCst) || !is_bad(number(request));
        Reply::status(if takes { 200 } else { status })
    };
    let server = Server::start_on([127, 0, 0, 1].into(), answer).await;
    (server, mended)
}

impl Hub {
    /// Raises this many events in one request, numbered from `first`.
    async fn raise_many(&self, first: usize, count: usize) {
        let events: Vec<_> = (first..first + count).map(|n| json!({ "n": n })).collect();
        self.raise(MADE, &Value::from(events)).await.expect(202);
    }

    /// Raises an event, and waits until it is in a backlog.
    async fn raise_waiting(&self, event: &Value) -> Response {
        let answer = self.raise(MADE, event).await.expect(202);
        self.receipt_when(&answer, |receipt| receipt["in_backlog"] == 1)
            .await;
        answer
    }

    async fn patch(&self, hook: u64, edit: &Value) {
        let path = format!("/api/v1/hooks/{hook}");
        ask(self, "PATCH", &path, edit).await.expect(200);
    }
}

/// Waits until the receiver has been told of all these.
async fn arrived(server: &Server, expected: impl IntoIterator<Item = usize>) {
    let expected: BTreeSet<usize> = expected.into_iter().collect();
    eventually("every event", async || {
        let numbers: BTreeSet<usize> = numbers(server).into_iter().collect();
        numbers.is_superset(&expected).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_burst_is_delivered_whole_at_the_receivers_own_pace() {
    const EVENTS: usize = 60;
    // Far fewer than the burst: it is the limit of a subscription, not of a hook.
    let hub = shop(&[("delivery.backlog_publications", "5")]).await;
    let slow = receiver(Reply::status(200).after(Duration::from_millis(5))).await;
    let hook = json!({ "ordered": true });
    hub.hook(&slow.url("/ordered"), &hook).await;
    hub.hook(&slow.url("/rate"), &json!({ "rate": 100 })).await;
    hub.raise_many(0, EVENTS).await;
    for path in ["/ordered", "/rate"] {
        let is_there = |request: &Request| request.path() == path;
        let log = slow.log().wait_for("an event", EVENTS, is_there).await;
        let numbers: Vec<usize> = log.iter().map(number).collect();
        assert_eq!(numbers, (0..EVENTS).collect::<Vec<_>>(), "{path}");
    }
}

#[tokio::test]
async fn what_is_given_up_over_a_limit_is_told_in_log_metrics_and_a_notice() {
    let settings = [("hooks.backlog_events", "3"), ("delivery.retry", "1h")];
    let hub = shop(&settings).await;
    let listener = receiver(Reply::status(200)).await;
    let own = json!({ "source": "fanfare" });
    hub.hook(&listener.url("/"), &own).await;
    let failing = receiver(Reply::status(500)).await;
    let hook = hub.hook(&failing.url("/"), &json!({})).await;
    let first = hub.raise_waiting(&json!({ "n": 0 })).await;
    hub.raise_many(1, 4).await;
    let notices = listener.log().wait_for("a notice", 1, |_| true).await;
    assert_eq!(notices[0].header("X-Fanfare-Event"), Some("hook.given_up"));
    let lost = async || {
        let notices = listener.log().matching(|_| true);
        let events = notices.iter().map(|request| {
            let notice: Value = serde_json::from_slice(&request.body).expect("JSON");
            assert_eq!(notice["hook"], hook);
            notice["events"].as_u64().expect("a count")
        });
        (events.sum::<u64>() == 2).then_some(())
    };
    eventually("notices of two", lost).await;
    assert_counts(&hub.receipt(&first).await, [1, 0, 0, 1, 0]);
    let metrics = hub.get("/metrics").await.expect(200).text();
    assert!(metrics.contains("fanfare_given_up_total 2"), "{metrics}");
    assert!(hub.output().contains("given up"), "{}", hub.output());
}

#[tokio::test]
async fn a_hook_says_how_much_waits_for_it_and_until_when() {
    let hub = shop(&[("delivery.retry", "1h")]).await;
    let (server, _) = picky(500, |_| true).await;
    let hook = hub.hook(&server.url("/"), &json!({})).await;
    let idle = hub.hook_now(hook).await;
    assert_eq!(
        (&idle["in_backlog"], &idle["next_attempt_at"]),
        (&json!(0), &Value::Null)
    );
    hub.raise_waiting(&json!({ "n": 0 })).await;
    let behind = hub.hook_now(hook).await;
    assert_eq!(behind["in_backlog"], 1);
    assert!(behind["next_attempt_at"].is_string(), "{behind}");
    let disabled = hub.order(hook, "disable").await.expect(200).json();
    assert_eq!(disabled["in_backlog"], 1);
    assert_eq!(disabled["next_attempt_at"], Value::Null);
}

#[tokio::test]
async fn what_was_accepted_before_a_hook_was_disabled_comes_once_it_is_enabled() {
    const EVENTS: usize = 600;
    let hub = shop(&[]).await;
    let (server, gone) = picky(410, |_| true).await;
    let hook = hub.hook(&server.url("/"), &json!({})).await;
    hub.raise_many(0, EVENTS).await;
    hub.order(hook, "disable").await.expect(200);
    // This one is raised while it is disabled.
    hub.raise_many(EVENTS, 1).await;
    gone.store(true, Ordering::SeqCst);
    hub.order(hook, "enable").await.expect(200);
    hub.raise_many(EVENTS + 1, 1).await;
    arrived(&server, (0..EVENTS).chain([EVENTS + 1])).await;
    assert!(!numbers(&server).contains(&EVENTS));
}

#[tokio::test]
async fn a_burst_to_who_says_that_it_is_gone_waits_for_it_whole() {
    const EVENTS: usize = 600;
    let hub = shop(&[]).await;
    let taken = Arc::new(std::sync::Mutex::new(BTreeSet::new()));
    let mended = Arc::new(AtomicBool::new(false));
    let (takes, is_mended) = (Arc::clone(&taken), Arc::clone(&mended));
    let answer = move |request: &Request| match is_mended.load(Ordering::SeqCst) {
        true => {
            takes.lock().expect("whole").insert(number(request));
            Reply::status(200)
        }
        false => Reply::status(410),
    };
    let server = Server::start_on([127, 0, 0, 1].into(), answer).await;
    let hook = hub.hook(&server.url("/"), &json!({})).await;
    hub.raise_many(0, EVENTS).await;
    eventually("the end of the hook", async || {
        let now = hub.hook_now(hook).await;
        (now["active"] == false).then_some(())
    })
    .await;
    mended.store(true, Ordering::SeqCst);
    hub.order(hook, "enable").await.expect(200);
    eventually("every event", async || {
        (taken.lock().expect("whole").len() == EVENTS).then_some(())
    })
    .await;
}

#[tokio::test]
async fn one_rejected_event_holds_up_no_other_one_unless_order_is_asked_for() {
    let hub = shop(&[("delivery.retry", "1h")]).await;
    let (server, mended) = picky(400, |n| n == 1).await;
    let hook = hub.hook(&server.url("/"), &json!({})).await;
    let (strict, strict_mended) = picky(400, |n| n == 1).await;
    let ordered = json!({ "ordered": true });
    let in_order = hub.hook(&strict.url("/"), &ordered).await;
    let answer = hub.raise(MADE, &json!({ "n": 1 })).await.expect(202);
    hub.receipt_when(&answer, |receipt| receipt["in_backlog"] == 2)
        .await;
    hub.raise_many(2, 5).await;
    arrived(&server, 1..=6).await;
    assert_eq!(numbers(&strict), [1]);
    // The rejected one has its own time, and an edit is as good as that.
    assert_eq!(numbers(&server).len(), 6);
    for (hook, mended) in [(hook, mended), (in_order, strict_mended)] {
        mended.store(true, Ordering::SeqCst);
        hub.patch(hook, &json!({ "headers": { "X-Mended": "yes" } }))
            .await;
    }
    assert_counts(&hub.ended(&answer).await, [2, 2, 0, 0, 0]);
    arrived(&strict, 1..=6).await;
    assert_eq!(numbers(&strict), [1, 1, 2, 3, 4, 5, 6]);
}

#[tokio::test]
async fn an_event_that_the_template_does_not_fit_holds_up_no_other_one() {
    let hub = shop(&[("delivery.retry", "1h")]).await;
    let server = receiver(Reply::status(200)).await;
    let template = |path: &str| {
        let text = ["{\"n\":{{object.n}},\"x\":{{", path, "}}}"].concat();
        json!({ "template": text })
    };
    let hook = hub.hook(&server.url("/"), &template("object.m.x")).await;
    let unfit = hub.raise_waiting(&json!({ "n": 1, "m": 5 })).await;
    for n in 2..=4 {
        let event = json!({ "n": n, "m": { "x": 1 } });
        let answer = hub.raise(MADE, &event).await.expect(202);
        assert_counts(&hub.ended(&answer).await, [1, 1, 0, 0, 0]);
    }
    assert_eq!(numbers(&server), [2, 3, 4]);
    hub.patch(hook, &template("object.n")).await;
    assert_counts(&hub.ended(&unfit).await, [1, 1, 0, 0, 0]);
}

#[tokio::test]
async fn who_rejects_everything_costs_a_few_requests_whatever_is_raised() {
    const EVENTS: usize = 40;
    let hub = shop(&[("delivery.retry", "1h")]).await;
    let (server, mended) = picky(404, |_| true).await;
    let hook = hub.hook(&server.url("/"), &json!({ "rate": 1000 })).await;
    let mut answers = Vec::new();
    for n in 0..EVENTS {
        answers.push(hub.raise_waiting(&json!({ "n": n })).await);
    }
    let requests = numbers(&server).len();
    assert!((1..=4).contains(&requests), "{requests}");
    mended.store(true, Ordering::SeqCst);
    hub.patch(hook, &json!({ "headers": { "X-Mended": "yes" } }))
        .await;
    for answer in answers {
        assert_counts(&hub.ended(&answer).await, [1, 1, 0, 0, 0]);
    }
}

#[tokio::test]
async fn a_rejected_event_is_given_up_in_its_time_and_tried_until_then() {
    let settings = [("delivery.retry", "50ms"), ("delivery.give_up_after", "2s")];
    let hub = shop(&settings).await;
    let (server, _) = picky(422, |n| n == 1).await;
    hub.hook(&server.url("/"), &json!({})).await;
    let rejected = hub.raise_waiting(&json!({ "n": 1 })).await;
    for n in 2..=4 {
        let answer = hub.raise_number(MADE, n).await;
        assert_counts(&hub.ended(&answer).await, [1, 1, 0, 0, 0]);
    }
    assert_counts(&hub.ended(&rejected).await, [1, 0, 0, 1, 0]);
    let tries = numbers(&server).iter().filter(|n| **n == 1).count();
    assert!(tries > 3, "{tries}");
}

#[tokio::test]
async fn after_kill_9_a_rejected_event_keeps_its_time_and_nothing_comes_twice() {
    let mut hub = shop(&[("delivery.retry", "1h")]).await;
    let (server, mended) = picky(400, |n| n == 1).await;
    let hook = hub.hook(&server.url("/"), &json!({})).await;
    let rejected = hub.raise_waiting(&json!({ "n": 1 })).await;
    for n in 2..=9 {
        let answer = hub.raise_number(MADE, n).await;
        assert_counts(&hub.ended(&answer).await, [1, 1, 0, 0, 0]);
    }
    hub.kill9().await;
    hub.start_again().await;
    let answer = hub.raise_number(MADE, 10).await;
    assert_counts(&hub.ended(&answer).await, [1, 1, 0, 0, 0]);
    assert_counts(&hub.receipt(&rejected).await, [1, 0, 1, 0, 0]);
    let mut counts = BTreeMap::<usize, usize>::new();
    for number in numbers(&server) {
        *counts.entry(number).or_default() += 1;
    }
    assert_eq!(counts, (1..=10).map(|n| (n, 1)).collect());
    mended.store(true, Ordering::SeqCst);
    hub.patch(hook, &json!({ "rate": 50 })).await;
    assert_counts(&hub.ended(&rejected).await, [1, 1, 0, 0, 0]);
}

#[tokio::test]
async fn a_hook_that_was_mended_gets_what_waits_at_once() {
    let hub = shop(&[("delivery.retry", "1h")]).await;
    let (broken, mended) = picky(500, |_| true).await;
    let whole = receiver(Reply::status(200)).await;
    let moved = hub.hook(&broken.url("/moved"), &json!({})).await;
    let switched = hub.hook(&broken.url("/switched"), &json!({})).await;
    let answer = hub.raise_number(MADE, 1).await;
    hub.receipt_when(&answer, |receipt| receipt["in_backlog"] == 2)
        .await;
    hub.patch(moved, &json!({ "url": whole.url("/") })).await;
    hub.receipt_when(&answer, |receipt| receipt["delivered"] == 1)
        .await;
    assert_eq!(numbers(&whole), [1]);
    mended.store(true, Ordering::SeqCst);
    for verb in ["disable", "enable"] {
        hub.order(switched, verb).await.expect(200);
    }
    assert_counts(&hub.ended(&answer).await, [2, 2, 0, 0, 0]);
}

#[tokio::test]
async fn a_failure_of_before_an_edit_does_not_hold_up_the_hook_as_it_is_now() {
    let hub = shop(&[("delivery.retry", "1h")]).await;
    let broken = receiver(Reply::status(500).after(Duration::from_secs(1))).await;
    let whole = receiver(Reply::status(200)).await;
    let at_once = hub.hook(&broken.url("/a"), &json!({})).await;
    let in_backlog = hub.hook(&broken.url("/b"), &json!({ "rate": 9 })).await;
    let answer = hub.raise_number(MADE, 1).await;
    broken.log().wait_for("an attempt", 2, |_| true).await;
    for (hook, path) in [(at_once, "/a"), (in_backlog, "/b")] {
        hub.patch(hook, &json!({ "url": whole.url(path) })).await;
    }
    assert_counts(&hub.ended(&answer).await, [2, 2, 0, 0, 0]);
    assert_eq!(numbers(&whole), [1, 1]);
}

#[tokio::test]
async fn who_fails_is_worse_off_than_for_whom_more_waits() {
    let hub = shop(&[("telemetry.late_origins", "1"), ("delivery.retry", "1h")]).await;
    let paced = receiver(Reply::status(200)).await;
    hub.hook(&paced.url("/"), &json!({ "rate": 1 })).await;
    let failing = receiver(Reply::status(500)).await;
    let first = json!({ "filter": "$[?@.n == 0]" });
    hub.hook(&failing.url("/"), &first).await;
    hub.raise_many(0, 60).await;
    let origin = failing.url("/");
    let origin = origin.trim_end_matches('/');
    let worst =
        format!("fanfare_origin_backlog_entries{{origin=\"{origin}\",reason=\"failing\"}} 1\n");
    eventually("a count of all that waits", async || {
        let text = hub.get("/metrics").await.expect(200).text();
        let all = text
            .lines()
            .find_map(|line| line.strip_prefix("fanfare_backlog_entries "))?;
        let many = all.parse::<u64>().is_ok_and(|all| all > 20);
        (many && text.contains(&worst)).then_some(())
    })
    .await;
}
