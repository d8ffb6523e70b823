//! How the diary judges hooks: which failures count. In: attempts with their times. Out: the hook, disabled or not.

use std::pin::pin;

use futures_util::FutureExt as _;
use tempfile::TempDir;

use super::super::Settings;
use super::super::clock::new_publication_id;
use super::super::tests::{hook_on, hub, hub_with, keep};
use super::*;
use crate::domain::attempt::{Attempt, Outcome};
use crate::domain::delivery::{Request, RequestBody};
use crate::domain::event::EventName;

const DAY: Duration = Duration::from_secs(86_400);

fn failed(hook: &Hook, at: Timestamp) -> Note {
    let attempt = Attempt {
        at,
        millis: 1,
        outcome: Outcome::Answered {
            status: 500,
            retry_after: None,
            excerpt: String::new(),
        },
    };
    let delivery = Delivery {
        id: DeliveryId::bound(at),
        hook: hook.id,
        publication: new_publication_id(),
        event: EventName::parse("made").expect("a name"),
        attempt,
        redelivery: false,
        request: Request {
            method: "POST".to_owned(),
            url: hook.endpoint.to_string(),
            headers: Vec::new(),
            body: RequestBody::Own,
        },
        response_headers: Vec::new(),
    };
    Note::new(delivery, Bytes::new())
}

#[tokio::test]
async fn what_failed_before_a_hook_was_enabled_does_not_disable_it() {
    let folder = TempDir::new().expect("a folder");
    let hub = hub(&folder);
    hub.declare_own_source().await.expect("declared");
    let now = hub.clock.now();
    let enabled = Hook {
        active_since: now.minus(10 * DAY),
        ..hook_on(&hub, "https://r.example/").await
    };
    keep(&hub, &enabled).await;
    let mut standings = HashMap::new();
    let mut write = async |at| {
        let mut entries = vec![failed(&enabled, at)];
        let written = hub.write_entries(&mut entries, &mut standings).await;
        written.expect("written");
        let hook = hub.store.hook(enabled.id).await.expect("a read");
        hook.expect("it is there").active
    };
    // It was disabled and enabled a day later. Nothing came for ten days.
    assert!(write(now.minus(11 * DAY)).await);
    assert!(write(now.minus(3 * DAY)).await, "the first since then");
    assert!(write(now.minus(DAY)).await);
    let health = hub.store.health(enabled.id).await.expect("a read");
    assert_eq!(health.failing_since, Some(now.minus(3 * DAY)));
    assert!(!write(now).await, "three days of failures");
    hub.store.close().await.expect("closed");
}

#[tokio::test]
async fn of_many_at_once_only_those_that_are_kept_are_written_and_all_count() {
    let folder = TempDir::new().expect("a folder");
    let mut settings = Settings::default();
    settings.hooks.deliveries_per_hook = 3;
    let hub = hub_with(&folder, settings);
    let now = hub.clock.now();
    let enabled = Hook {
        active_since: now.minus(DAY),
        ..hook_on(&hub, "https://r.example/").await
    };
    keep(&hub, &enabled).await;
    let times: Vec<_> = (1..=8).map(|at| now.minus(DAY / 24 / at)).collect();
    let mut entries = times.iter().map(|at| failed(&enabled, *at)).collect();
    let written = hub.write_entries(&mut entries, &mut HashMap::new()).await;
    written.expect("written");
    let kept = hub.store.oldest_deliveries(enabled.id, 9).await;
    let newest: Vec<_> = times[5..].iter().map(|at| DeliveryId::bound(*at)).collect();
    assert_eq!(kept.expect("a read"), newest);
    let health = hub.store.health(enabled.id).await.expect("a read");
    assert_eq!(health.failing_since, Some(times[0]));
    hub.store.close().await.expect("closed");
}

#[tokio::test]
async fn bodies_that_are_unwritten_are_bounded() {
    let folder = TempDir::new().expect("a folder");
    let hub = hub(&folder);
    let enabled = hook_on(&hub, "https://r.example/").await;
    keep(&hub, &enabled).await;
    let mut at = hub.clock.now();
    let mut note = |size| {
        at = at.plus(Duration::from_millis(1));
        Note::new(failed(&enabled, at).delivery, Bytes::from(vec![0; size]))
    };
    for _ in 0..ROOM >> 10 {
        hub.diary.note(note(1 << 20)).await;
    }
    hub.diary.note(note(0)).await;
    let mut more = pin!(hub.diary.note(note(100 << 20)));
    assert_eq!(more.as_mut().now_or_never(), None, "there is no room");
    let writing = tokio::spawn(Arc::clone(&hub).keep_diary());
    more.await;
    hub.stop.cancel();
    writing.await.expect("no panic");
    let kept = hub.store.oldest_deliveries(enabled.id, 99).await;
    assert_eq!(kept.expect("a read").len(), 18);
    hub.store.close().await.expect("closed");
}
