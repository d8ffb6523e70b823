//! What a hook is told on request: when its turn comes, and what its answers mean.

use std::pin::pin;
use std::time::Instant as Moment;

use bytes::Bytes;
use futures_util::poll;

use super::super::Settings;
use super::super::tests::{
    Station, event, fanout, hook_on, hub, hub_with, keep, paced_in_one_slot,
};
use super::*;
use crate::domain::attempt::{Failure, Outcome};
use crate::domain::value::Timestamp;

const PATIENCE: Duration = Duration::from_secs(10);

async fn edition(hub: &Hub) -> Edition {
    let event = event(hub, fanout(hub, 0).await.publication);
    hub.edition_of(event, Bytes::from_static(b"{}"))
}

#[tokio::test]
async fn it_is_told_in_turn_though_the_slots_of_its_origin_are_always_taken() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut settings = Settings::default();
    settings.delivery.per_origin = 1;
    let hub = hub_with(&folder, settings);
    let receiver = Station::start().await;
    let hook = hook_on(&hub, &receiver.url()).await;
    let gate = hub.gates.of(hook.endpoint.origin());
    let mut taken = gate.try_pass().expect("a free slot");
    let edition = edition(&hub).await;
    let telling = receiver.answering(200, hub.tell(&edition, hook.id, Why::Test));
    let mut telling = pin!(telling);
    let began = Moment::now();
    // Somebody waits for the slot whenever it is given back, and keeps it.
    let told = loop {
        assert!(began.elapsed() < PATIENCE, "its turn never comes");
        let mut next = pin!(gate.pass());
        assert!(poll!(&mut next).is_pending());
        drop(taken);
        tokio::select! {
            biased;
            (_, told) = &mut telling => break told,
            next = &mut next => taken = next.expect("it does not wait for long"),
        }
    };
    let attempt = told.expect("the store works").expect("an attempt");
    assert_eq!(attempt.outcome.verdict(), Verdict::Delivered);
    hub.store.close().await.expect("closed");
}

#[tokio::test]
async fn who_was_gone_before_an_edit_stays_whatever_the_clock_says() {
    for edited_at in [Timestamp(1), Timestamp(u64::MAX / 2)] {
        let folder = tempfile::tempdir().expect("a folder");
        let hub = hub(&folder);
        hub.declare_own_source().await.expect("declared");
        let receiver = Station::start().await;
        let hook = hook_on(&hub, &receiver.url()).await;
        let edition = edition(&hub).await;
        let answered = async {
            let called = receiver.called().await;
            let edited = Hook {
                updated_at: edited_at,
                ..hook.clone()
            };
            keep(&hub, &edited).await;
            called.answer(410).await;
        };
        let (told, ()) = tokio::join!(hub.tell(&edition, hook.id, Why::Test), answered);
        let attempt = told.expect("the store works").expect("an attempt");
        assert_eq!(attempt.outcome.verdict(), Verdict::Gone);
        let now = hub.store.hook(hook.id).await.expect("a read");
        assert!(now.expect("it is there").active);
        hub.store.close().await.expect("closed");
    }
}

#[tokio::test]
async fn an_origin_that_is_spared_is_asked_on_request_and_spared_no_longer_if_it_answers() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut settings = Settings::default();
    settings.delivery.circuit_failures = 1;
    let hub = hub_with(&folder, settings);
    let receiver = Station::start().await;
    let hook = hook_on(&hub, &receiver.url()).await;
    let gate = hub.gates.of(hook.endpoint.origin());
    let failed = Outcome::Unanswered {
        failure: Failure::Connect,
        detail: String::new(),
    };
    hub.gates.record(&gate, &failed, Duration::ZERO);
    assert!(hub.gates.closed_until(&gate).is_some());
    let edition = edition(&hub).await;
    let telling = hub.tell(&edition, hook.id, Why::Test);
    let (requests, told) = receiver.answering(200, telling).await;
    assert!(told.expect("the store works").is_some());
    assert_eq!(requests, 1);
    assert_eq!(hub.gates.closed_until(&gate), None);
    hub.store.close().await.expect("closed");
}

#[tokio::test(start_paused = true)]
async fn those_who_have_waited_long_for_a_slot_go_at_the_rate_of_the_hook() {
    let folder = tempfile::tempdir().expect("a folder");
    let (hub, hook) = paced_in_one_slot(&folder).await;
    let taken = hub.gates.of(hook.endpoint.origin()).try_pass();
    let passes = async || {
        let passage = hub.passage_to(hook.id).await.expect("a read");
        assert!(passage.is_some());
        tokio::time::Instant::now()
    };
    let freed = async {
        tokio::time::sleep(PATIENCE).await;
        drop(taken);
    };
    let (first, second, third, ()) = tokio::join!(passes(), passes(), passes(), freed);
    let mut times = [first, second, third];
    times.sort();
    for pair in times.windows(2) {
        let apart = pair[1] - pair[0];
        assert!(apart > Duration::from_millis(990), "{apart:?} apart");
    }
    hub.store.close().await.expect("closed");
}
