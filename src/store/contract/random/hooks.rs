//! Random changes of what is kept for webhooks, and every read of it.

use std::fmt::Debug;

use super::*;
use crate::domain::delivery::DeliveryId;
use crate::domain::hook::{Hook, HookHealth, HookId};
use crate::domain::replay::Replay;
use crate::domain::token::{Token, digest as token_digest};
use crate::store::HookChange;
use crate::store::contract::hooks::samples::*;

fn hook_numbers() -> impl Strategy<Value = u8> {
    1..4_u8
}

fn hook_changes() -> impl Strategy<Value = HookChange> {
    let topics = || prop::collection::vec(0..3_u8, 0..3);
    prop_oneof![
        1 => (0..2_u8).prop_map(|n| HookChange::PutSource(source(n))),
        1 => (0..2_u8).prop_map(|n| HookChange::DropSource(source_name(n))),
        4 => (hook_numbers(), 0..2_u8, any::<bool>(), topics()).prop_map(
            |(n, of, active, topics)| HookChange::PutHook {
                hook: Hook { active, ..hook(n, of) },
                topics: topics.into_iter().map(|topic| topic_url(topic).id()).collect(),
            }
        ),
        1 => hook_numbers().prop_map(|n| HookChange::DropHook(hook_id(n))),
        1 => (hook_numbers(), prop::option::of(0..3_u64)).prop_map(|(n, since)| {
            let failing_since = since.map(Timestamp);
            let last_response = since.map(|_| last_response());
            HookChange::Health(hook_id(n), HookHealth { failing_since, last_response })
        }),
    ]
}

fn delivery_changes() -> impl Strategy<Value = HookChange> {
    prop_oneof![
        6 => (hook_numbers(), 0..9_u8, 0..20_000_usize).prop_map(|(of, n, size)| HookChange::Log(
            own_delivery(of, n),
            Bytes::from(vec![n; size])
        )),
        2 => (hook_numbers(), 0..9_u8)
            .prop_map(|(of, n)| HookChange::Log(delivery(of, n), Bytes::new())),
        1 => (hook_numbers(), 0..9_u8).prop_map(|(of, n)| HookChange::PruneDeliveries {
            hook: hook_id(of),
            before: delivery_id(n),
        }),
    ]
}

fn desk_changes() -> impl Strategy<Value = HookChange> {
    prop_oneof![
        3 => (0..4_u8, publications(), 0..5_u64)
            .prop_map(|(key, n, at)| HookChange::Remember(remembered(key, n, at))),
        1 => (0..5_u64).prop_map(|before| HookChange::Forget { before: Timestamp(before) }),
        2 => (0..3_u8, 0..3_u8).prop_map(|(id, text)| HookChange::PutToken(Token {
            digest: token_digest(&text.to_string()),
            ..token(id)
        })),
        1 => (0..3_u8).prop_map(|id| HookChange::DropToken(token(id).id)),
        1 => (0..3_u8, 0..9_u64).prop_map(|(n, seen)| HookChange::PutReplay(Replay {
            seen,
            ..replay(n)
        })),
        1 => (0..3_u8).prop_map(|n| HookChange::DropReplay(replay(n).id)),
    ]
}

/// Those of the webhooks; events that are journaled; and what waits for a hook.
pub(super) fn changes() -> impl Strategy<Value = Change> {
    let name = prop_oneof![Just("push"), Just("deployed")];
    prop_oneof![
        3 => hook_changes().prop_map(Change::Hooks),
        3 => delivery_changes().prop_map(Change::Hooks),
        2 => desk_changes().prop_map(Change::Hooks),
        3 => (publications(), 0..2_u8, name, 0..9_000_usize).prop_map(|(n, of, name, size)| {
            Change::Journal(event(n, of, name, size), Bytes::from(vec![n; size]))
        }),
        1 => (hook_numbers(), publications()).prop_map(|(hook, n)| Change::Wait {
            target: hook_id(hook).target(),
            callback: callback(hook),
            entry: waiting(n, 9),
            due: Timestamp(5),
            failed: None,
        }),
    ]
}

/// Everything of the webhooks that can be read, in words.
pub(super) async fn everything(store: &dyn Store, say: &mut impl FnMut(&dyn Debug)) {
    say(&store.sources(None, 99).await.expect("a page"));
    say(&store.hooks(None, 99).await.expect("a page"));
    say(&store.next_hook().await.expect("a read"));
    say(&store.replays().await.expect("a page"));
    say(&store.tokens().await.expect("a read"));
    say(&store.oldest_remembered().await.expect("a read"));
    for n in 0..4 {
        say(&store.remembered([n; 32]).await.expect("a read"));
        let digest = token_digest(&n.to_string());
        say(&store.token(digest).await.expect("a read"));
        of_hook(store, hook_id(n), say).await;
    }
    for n in 0..2 {
        let name = source_name(n);
        say(&store.source(&name).await.expect("a read"));
        say(&store.hooks_of(&name, None, 99).await.expect("a page"));
        say(&store.events_after(&name, None, 99).await.expect("a page"));
        let before = Some(id(3));
        say(&store
            .events_before(&name, before, 99)
            .await
            .expect("a page"));
    }
    for topic in 0..3 {
        let topic = topic_url(topic).id();
        say(&store.latest_event(topic).await.expect("a read"));
        say(&store.targets(topic, None, 2).await.expect("a page"));
    }
}

async fn of_hook(store: &dyn Store, hook: HookId, say: &mut impl FnMut(&dyn Debug)) {
    say(&store.health(hook).await.expect("a read"));
    say(&store.waiting(hook.target(), 99).await.expect("a page"));
    let job = JobId::Backlog(hook.target());
    say(&store.job(job).await.expect("a read"));
    let (none, middle): (Option<DeliveryId>, _) = (None, Some(delivery_id(4)));
    for bound in [none, middle] {
        let before = store.deliveries_before(hook, bound, 99).await;
        say(&before.expect("a page"));
        let after = store.deliveries_after(hook, bound, 99).await;
        say(&after.expect("a page"));
    }
    say(&store.oldest_deliveries(hook, 2).await.expect("a read"));
    say(&store.oldest_kept(hook, 3).await.expect("a read"));
    for n in 0..9 {
        let delivery = store.delivery(hook, delivery_id(n)).await.expect("a read");
        say(&delivery.map(|(delivery, body)| (delivery, digest("", &body))));
    }
}
