//! Gates: slots, who waits for them, and circuits.

use std::collections::HashMap;

use super::*;
use crate::domain::attempt::Failure;
use crate::domain::value::{CallbackId, TopicId};
use crate::flow::work::Capacity;

const ORIGIN: &str = "http://a.example";
const REMEMBER: Duration = Duration::from_secs(20);

fn gates() -> (Gates, Arc<Work>) {
    gates_with(2)
}

fn gates_with(circuit_failures: u32) -> (Gates, Arc<Work>) {
    let one = Capacity {
        verify: 1,
        fetch: 1,
        fanout: 1,
        backlog: 1,
    };
    let work = Arc::new(Work::new(one));
    let rules = GateRules {
        per_origin: 1,
        circuit_failures,
        circuit_schedule: Schedule::new(vec![Duration::from_secs(10)]),
        probe_for: Duration::from_secs(1),
        remember: REMEMBER,
    };
    let clock = Clock::runtime(Timestamp(0));
    (Gates::new(rules, clock, Arc::clone(&work)), work)
}

fn target(number: u8) -> TargetId {
    let (topic, callback) = (TopicId([0; 16]), CallbackId([number; 16]));
    TargetId { topic, callback }
}

fn job(number: u8) -> Backlog {
    Backlog {
        target: target(number),
        due: Timestamp(0),
        failures: 0,
        entries: 0,
        bytes: 0,
    }
}

fn no_answer() -> Outcome {
    Outcome::Unanswered {
        failure: Failure::Connect,
        detail: String::new(),
    }
}

#[tokio::test(start_paused = true)]
async fn who_waits_too_long_aside_leaves_and_nobody_waits_behind() {
    let (gates, _) = gates();
    let gate = gates.of(ORIGIN);
    let permit = gate.pass().await.expect("a free slot");
    let began = tokio::time::Instant::now();
    assert!(gate.pass().await.is_none());
    assert_eq!(began.elapsed(), ASIDE);
    assert!(gate.pass().await.is_none());
    assert_eq!(began.elapsed(), ASIDE);
    drop(permit);
    assert!(gate.pass().await.is_some());
}

#[tokio::test(start_paused = true)]
async fn a_straggler_leaves_its_slot_to_another() {
    let (gates, _) = gates();
    let gate = gates.of(ORIGIN);
    let mut slow: Vec<Permit> = Vec::new();
    for _ in 0..=STRAGGLERS {
        let mut permit = gate.pass().await.expect("a slot that a straggler left");
        permit.straggle();
        slow.push(permit);
    }
    assert!(
        gate.pass().await.is_none(),
        "there is no room for more stragglers"
    );
}

#[tokio::test(start_paused = true)]
async fn a_parked_job_goes_on_when_a_slot_comes_free() {
    let (gates, work) = gates();
    let gate = gates.of(ORIGIN);
    let permit = gate.pass().await.expect("a free slot");
    assert!(gate.pass_or_park(|| job(0)).is_none());
    assert!(work.is_empty());
    drop(permit);
    assert_eq!(work.len(), 1);
    assert!(gate.pass_or_park(|| job(0)).is_some());
}

#[tokio::test(start_paused = true)]
async fn who_leaves_without_the_slot_leaves_it_to_the_next() {
    let (gates, work) = gates();
    let gate = gates.of(ORIGIN);
    let permit = gate.pass().await.expect("a free slot");
    for number in 0..3 {
        assert!(gate.pass_or_park(|| job(number)).is_none());
    }
    drop(permit);
    assert_eq!(work.len(), 1);
    assert!(gates.answer_call(target(1)).is_none());
    drop(gates.answer_call(target(0)).expect("it was woken"));
    assert_eq!(work.len(), 2);
    let call = gates.answer_call(target(1)).expect("it was woken");
    let permit = gate.pass_or_park(|| job(1)).expect("a free slot");
    drop(call);
    assert_eq!(work.len(), 2, "the slot is taken");
    drop(permit);
    assert_eq!(work.len(), 3);
}

#[tokio::test(start_paused = true)]
async fn trouble_that_is_over_is_forgotten() {
    let (gates, _) = gates();
    for _ in 0..2 {
        gates.record(&gates.of(ORIGIN), &no_answer(), Duration::ZERO);
    }
    gates.prune();
    let until = gates.closed_until(&gates.of(ORIGIN)).expect("it is kept");
    tokio::time::advance(Duration::from_millis(until.0)).await;
    gates.prune();
    assert!(!gates.gates.is_empty(), "who looks may still want to know");
    tokio::time::advance(REMEMBER).await;
    gates.prune();
    assert!(gates.gates.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_dead_origin_is_asked_once_for_each_step() {
    let (gates, _) = gates();
    let gate = gates.of(ORIGIN);
    gates.record(&gate, &no_answer(), Duration::ZERO);
    assert_eq!(gates.closed_until(&gate), None);
    gates.record(&gate, &no_answer(), Duration::ZERO);
    let until = gates.closed_until(&gate).expect("an open circuit");
    tokio::time::advance(Duration::from_millis(until.0)).await;
    assert_eq!(gates.closed_until(&gate), None);
    assert_eq!(gates.passage(&gate), Passage::Free);
    assert!(
        gates.closed_until(&gate).is_some(),
        "the probe is under way"
    );
    let answer = Outcome::Answered {
        status: 500,
        retry_after: None,
        excerpt: String::new(),
    };
    gates.record(&gate, &answer, Duration::from_millis(1));
    assert_eq!(gates.passage(&gate), Passage::Free);
    drop(gate);
    tokio::time::advance(REMEMBER).await;
    gates.prune();
    assert!(gates.gates.is_empty());
}

#[tokio::test(start_paused = true)]
async fn who_has_failed_since_its_last_answer_is_not_known_also_where_circuits_are_off() {
    let answer = Outcome::Answered {
        status: 200,
        retry_after: None,
        excerpt: String::new(),
    };
    for circuit_failures in [0, 2] {
        let (gates, _) = gates_with(circuit_failures);
        let gate = gates.of(ORIGIN);
        assert!(!gate.is_known());
        for _ in 0..2 {
            gates.record(&gate, &answer, Duration::from_millis(1));
            assert!(gate.is_known());
            gates.record(&gate, &no_answer(), Duration::ZERO);
            assert!(!gate.is_known());
        }
        for _ in 0..9 {
            gates.record(&gate, &no_answer(), Duration::ZERO);
        }
        assert_eq!(gates.closed_until(&gate).is_none(), circuit_failures == 0);
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_never_asked_says_nothing_of_the_origin() {
    let (gates, _) = gates();
    let gate = gates.of(ORIGIN);
    let unfit = Outcome::Unanswered {
        failure: Failure::Unfit,
        detail: String::new(),
    };
    for outcome in [no_answer(), unfit.clone(), no_answer()] {
        assert_eq!(gates.passage(&gate), Passage::Free);
        gates.record(&gate, &outcome, Duration::ZERO);
    }
    assert!(gates.closed_until(&gate).is_some(), "two in a row");
    tokio::time::advance(Duration::from_secs(11)).await;
    assert_eq!(gates.passage(&gate), Passage::Free, "the probe");
    assert_ne!(gates.passage(&gate), Passage::Free, "one at a time");
    gates.record(&gate, &unfit, Duration::ZERO);
    assert_eq!(
        gates.passage(&gate),
        Passage::Free,
        "the probe is yet to come"
    );
    assert_ne!(gates.passage(&gate), Passage::Free, "one at a time");
}

#[tokio::test(start_paused = true)]
async fn how_each_origin_does_is_told() {
    let (gates, _) = gates();
    let answer = |status| Outcome::Answered {
        status,
        retry_after: None,
        excerpt: String::new(),
    };
    let record = |origin: &str, outcome: &Outcome| {
        gates.record(&gates.of(origin), outcome, Duration::from_millis(8));
    };
    for origin in [
        "http://well",
        "http://mended",
        "http://refuses",
        "http://shared",
        "http://gone",
    ] {
        record(origin, &answer(200));
    }
    tokio::time::advance(Duration::from_secs(5)).await;
    for _ in 0..3 {
        record("http://refuses", &answer(503));
        record("http://mended", &answer(500));
    }
    record("http://mended", &answer(200));
    record("http://shared", &answer(404));
    tokio::time::advance(Duration::from_secs(1)).await;
    record("http://gone", &no_answer());
    record("http://gone", &no_answer());
    let busy = gates.of("http://busy");
    let _slot = busy.try_pass().expect("a slot");
    assert!(busy.pass_or_park(|| job(1)).is_none());

    let standings: HashMap<_, _> = gates.standings().collect();
    let of = |origin: &str| standings[origin];
    let (gone, refuses, busy) = (of("http://gone"), of("http://refuses"), of("http://busy"));
    let trouble = gone.trouble.expect("it fails");
    assert_eq!((trouble.since, trouble.failures), (Timestamp(6_000), 2));
    assert_eq!(
        (trouble.status, trouble.failure),
        (None, Some(Failure::Connect))
    );
    assert!(gone.closed_until.is_some());
    let trouble = refuses.trouble.expect("it fails");
    assert_eq!((trouble.since, trouble.failures), (Timestamp(5_000), 3));
    assert_eq!((trouble.status, refuses.closed_until), (Some(503), None));
    assert_eq!((busy.trouble, busy.in_flight, busy.parked), (None, 1, 1));
    assert!(busy.crowded);
    let shared = of("http://shared");
    assert_eq!(shared.trouble.map(|it| it.failures), Some(1));
    let fails = [gone, refuses, busy, shared].map(|it| it.fails);
    assert_eq!(fails, [true, true, false, false], "one path is no origin");
    for well in ["http://well", "http://mended"] {
        let well = of(well);
        assert_eq!((well.trouble, well.crowded), (None, false));
        assert!(well.usual.is_some());
    }

    gates.probe_now("http://gone");
    let gone = gates.of("http://gone").standing(gates.clock.now());
    assert_eq!(
        (gone.closed_until, gone.fails),
        (None, true),
        "until a probe succeeds"
    );
    assert_eq!(gates.closed_until(&gates.of("http://gone")), None);
}
