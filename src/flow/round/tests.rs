//! What comes of a delivery in a round that goes wrong.

use bytes::Bytes;

use super::super::tests::{Station, event, fanout, hook_on, hub, keep, publication, subscriber};
use super::*;
use crate::domain::job::{Job, JobId};

/// Who carries an event.
async fn carrier(hub: &Arc<Hub>) -> Arc<Carrier> {
    let event = event(hub, fanout(hub, 0).await.publication);
    let edition = hub.edition_of(event, Bytes::from_static(b"{}"));
    Carrier::new(Arc::clone(hub), Arc::new(edition), Tally::default())
}

/// An event on its way to a hook, as it was when the cursor came by.
async fn carry(carrier: &Carrier, hook: &Hook) -> Landing {
    let (hub, target) = (&carrier.hub, Target::from(hook.clone()));
    let gate = hub.gates.of(target.callback().origin());
    let permit = gate.try_pass().expect("a permit");
    assert!(hub.turns.begin(target.id, true));
    let mut patience = Patience::new();
    carrier.carry(&target, permit, &mut patience, || ()).await
}

#[tokio::test]
async fn who_asks_for_order_or_a_rate_by_now_gets_it_through_the_backlog() {
    let edits: [fn(&mut Hook); 2] = [|hook| hook.ordered = true, |hook| hook.rate = Some(1)];
    for edit in edits {
        let folder = tempfile::tempdir().expect("a folder");
        let hub = hub(&folder);
        let receiver = Station::start().await;
        let visited = hook_on(&hub, &receiver.url()).await;
        let mut edited = visited.clone();
        edit(&mut edited);
        keep(&hub, &edited).await;
        let carrier = carrier(&hub).await;
        let (requests, landing) = receiver.answering(200, carry(&carrier, &visited)).await;
        assert!(matches!(landing, Landing::Settled));
        assert_eq!(requests, 0);
        let waiting = hub.store.waiting(visited.id.target(), 10).await;
        assert_eq!(waiting.expect("a read").len(), 1);
        hub.store.close().await.expect("closed");
    }
}

#[tokio::test]
async fn who_was_gone_before_an_edit_is_asked_again_whatever_the_clock_says() {
    for edited_at in [Timestamp(1), Timestamp(u64::MAX / 2)] {
        let folder = tempfile::tempdir().expect("a folder");
        let hub = hub(&folder);
        hub.declare_own_source().await.expect("declared");
        let receiver = Station::start().await;
        let hook = hook_on(&hub, &receiver.url()).await;
        let carrier = carrier(&hub).await;
        let answered = async {
            let called = receiver.called().await;
            let edited = Hook {
                updated_at: edited_at,
                ..hook.clone()
            };
            keep(&hub, &edited).await;
            called.answer(410).await;
        };
        let (landing, ()) = tokio::join!(carry(&carrier, &hook), answered);
        assert!(matches!(landing, Landing::Settled));
        let now = hub.store.hook(hook.id).await.expect("a read");
        assert!(now.expect("it is there").active);
        let job = hub.store.job(JobId::Backlog(hook.id.target())).await;
        let Ok(Some(Job::Backlog(job))) = job else {
            panic!("it waits: {job:?}");
        };
        assert!(job.due <= hub.clock.now(), "and not for long");
        hub.store.close().await.expect("closed");
    }
}

#[tokio::test]
async fn a_delivery_that_panics_goes_through_the_backlog() {
    let folder = tempfile::tempdir().expect("a folder");
    let hub = hub(&folder);
    // It connects, and never answers.
    let receiver = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/", receiver.local_addr().expect("an address"));
    let target = Target::from(subscriber(&hub, &url));
    let id = target.id;
    let publication = publication(&hub, fanout(&hub, 0).await.publication);
    let edition = hub.edition_of(publication, Bytes::from_static(b"x"));
    let carrier = Carrier::new(Arc::clone(&hub), Arc::new(edition), Tally::default());
    let gate = hub.gates.of(target.callback().origin());
    let permit = gate.try_pass().expect("a permit");
    assert!(hub.turns.begin(id, false));
    let (mut patience, mut panicked) = (Patience::new(), false);
    let panics = || {
        panicked = true;
        panic!("on purpose");
    };
    let landing = carrier.carry(&target, permit, &mut patience, panics);
    assert!(matches!(landing.await, Landing::Settled));
    assert!(panicked);
    assert!(hub.turns.resume(id).is_some(), "its turn is over");
    let waiting = hub.store.waiting(id, 10).await.expect("a read");
    assert_eq!(waiting.len(), 1);
    hub.store.close().await.expect("closed");
}
