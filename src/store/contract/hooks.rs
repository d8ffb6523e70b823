//! The contract of what is kept for webhooks.

use super::*;
use crate::domain::delivery::DeliveryId;
use crate::domain::hook::{Hook, HookHealth, HookId};
use crate::domain::replay::{Progress, Replay};
use crate::domain::token::{Token, digest};
use crate::domain::value::{CallbackId, TargetId, TopicId};
use crate::store::HookChange;
use crate::store::hooks::Raised;

pub(in crate::store) mod samples;

use self::samples::*;

/// Puts hooks on topics, given by their numbers.
async fn put(store: &dyn Store, hook: Hook, topics: &[u8]) {
    let topics = topics.iter().map(|n| topic_url(*n).id()).collect();
    let put = HookChange::PutHook { hook, topics };
    commit(store, vec![put.into()]).await;
}

async fn targets(store: &dyn Store, topic: u8) -> Vec<TargetId> {
    let page = store.targets(topic_url(topic).id(), None, 99).await;
    page.expect("a page").iter().map(|it| it.id).collect()
}

async fn hooks_of(store: &dyn Store, source: u8) -> Vec<HookId> {
    let page = store.hooks_of(&source_name(source), None, 99).await;
    page.expect("a page").iter().map(|it| it.id).collect()
}

async fn raise(store: &dyn Store, n: u8, of: u8, name: &str) {
    let event = Change::Journal(event(n, of, name, 10), Bytes::from_static(b"0123456789"));
    commit(store, vec![event]).await;
}

pub(super) async fn a_topic_s_targets_are_its_subscriptions_and_its_hooks(store: &dyn Store) {
    let topic: TopicId = topic_url(0).id();
    let mut expected = Vec::new();
    for n in 1..40 {
        put(store, hook(n, 0), &[0]).await;
        commit(store, vec![Change::Activate(subscription(0, n, 5))]).await;
        expected.extend([hook_id(n).target(), target(0, n)]);
    }
    put(store, hook(50, 0), &[1]).await;
    expected.sort_by_key(|target| target.callback);
    assert_eq!(targets(store, 0).await, expected);
    assert_eq!(targets(store, 1).await, [hook_id(50).target()]);

    // Pages of any length, hooks and subscriptions on one.
    for limit in [1, 7, 16, 17, 78] {
        let (mut paged, mut after) = (Vec::new(), None::<CallbackId>);
        loop {
            let page = store.targets(topic, after, limit).await.expect("a page");
            paged.extend(page.iter().map(|target| target.id));
            if page.len() < limit {
                break;
            }
            after = page.last().map(|target| target.id.callback);
        }
        assert_eq!(paged, expected, "{limit}");
    }
    for id in [hook_id(1).target(), target(0, 1)] {
        let held = store.target(id).await.expect("a read").expect("a target");
        assert_eq!((held.id, held.callback()), (id, &callback(1)));
        let page = store.targets(topic, None, 99).await.expect("a page");
        assert!(page.contains(&held));
    }
    let nobody = store.target(hook_id(99).target()).await;
    assert_eq!(nobody.expect("a read"), None);
}

pub(super) async fn an_edited_hook_leaves_its_old_topics_and_source(store: &dyn Store) {
    assert_eq!(store.next_hook().await.expect("a read"), HookId(1));
    put(store, hook(1, 0), &[0, 1]).await;
    put(store, hook(2, 0), &[1]).await;
    assert_eq!(targets(store, 0).await, [hook_id(1).target()]);
    put(store, hook(1, 1), &[1, 2]).await;
    assert_eq!(targets(store, 0).await, []);
    let both = [hook_id(1).target(), hook_id(2).target()];
    assert_eq!(targets(store, 1).await, both);
    assert_eq!(targets(store, 2).await, both[..1]);
    assert_eq!(hooks_of(store, 0).await, [hook_id(2)]);
    assert_eq!(hooks_of(store, 1).await, [hook_id(1)]);

    // One that is not active stays: what was accepted before is still for it.
    let idle = Hook {
        active: false,
        inactive_since: Some(Timestamp(9)),
        ..hook(1, 1)
    };
    put(store, idle.clone(), &[1, 2]).await;
    assert_eq!(targets(store, 2).await, both[..1]);
    assert_eq!(hooks_of(store, 1).await, [hook_id(1)]);
    let kept = store.hook(hook_id(1)).await.expect("a read");
    assert_eq!(kept, Some(idle));
    put(store, hook(1, 1), &[1, 2]).await;
    assert_eq!(targets(store, 2).await, both[..1]);

    let drop_last = HookChange::DropHook(hook_id(2));
    commit(store, vec![drop_last.into()]).await;
    assert_eq!(store.next_hook().await.expect("a read"), HookId(3));
    let behind = store.hooks(Some(hook_id(1)), 9).await.expect("a page");
    assert_eq!(behind, []);
}

pub(super) async fn a_hook_that_ends_takes_everything_with_it(store: &dyn Store) {
    let id = hook_id(1);
    let failing = HookHealth {
        failing_since: Some(Timestamp(8)),
        last_response: Some(last_response()),
    };
    let tell = || HookChange::Health(id, failing.clone()).into();
    let log = |n| HookChange::Log(own_delivery(1, n), Bytes::from_static(b"own")).into();
    // Before there is such a hook nothing is kept of it.
    commit(store, vec![tell(), log(1)]).await;
    assert_eq!(
        store.health(id).await.expect("a read"),
        HookHealth::default()
    );
    put(store, hook(1, 0), &[0]).await;
    put(store, hook(2, 0), &[0]).await;
    publish(store, 1).await;
    let waits = Change::Wait {
        target: id.target(),
        callback: callback(1),
        entry: waiting(1, 10),
        due: Timestamp(9),
        failed: None,
    };
    let other = HookChange::Log(delivery(2, 3), Bytes::new()).into();
    commit(store, vec![tell(), log(2), log(3), other, waits]).await;
    assert_eq!(store.health(id).await.expect("a read"), failing);

    for _ in 0..2 {
        commit(store, vec![HookChange::DropHook(id).into()]).await;
        assert_eq!(store.hook(id).await.expect("a read"), None);
        assert_eq!(targets(store, 0).await, [hook_id(2).target()]);
        assert_eq!(hooks_of(store, 0).await, [hook_id(2)]);
        let counted = tally(store, 1).await;
        assert_eq!((counted.backlog, counted.gone), (0, 1));
        let job = store.job(JobId::Backlog(id.target())).await;
        assert_eq!(job.expect("a read"), None);
    }
    // Another one of that number would begin with nothing.
    put(store, hook(1, 0), &[]).await;
    assert_eq!(
        store.health(id).await.expect("a read"),
        HookHealth::default()
    );
    let deliveries = store.deliveries_after(id, None, 9).await;
    assert_eq!(deliveries.expect("a page"), []);
    let deliveries = store.deliveries_after(hook_id(2), None, 9).await;
    assert_eq!(deliveries.expect("a page"), [delivery(2, 3)]);
}

pub(super) async fn deliveries_are_paged_both_ways_and_pruned_below_an_id(store: &dyn Store) {
    let id = hook_id(1);
    put(store, hook(1, 0), &[]).await;
    put(store, hook(2, 0), &[]).await;
    for n in 1..=40 {
        let body = Bytes::from(vec![n; 9_000]);
        let log = vec![
            HookChange::Log(own_delivery(1, n), body.clone()).into(),
            HookChange::Log(own_delivery(2, n), body).into(),
        ];
        commit(store, log).await;
    }
    let forward = async |after, limit| {
        let page = store.deliveries_after(id, after, limit).await;
        let page = page.expect("a page");
        page.iter().map(|it| it.id).collect::<Vec<DeliveryId>>()
    };
    let backward = async |before, limit| {
        let page = store.deliveries_before(id, before, limit).await;
        let page = page.expect("a page");
        page.iter().map(|it| it.id).collect::<Vec<DeliveryId>>()
    };
    let mut all: Vec<_> = (1..=40).map(delivery_id).collect();
    assert_eq!(forward(None, 99).await, all);
    assert_eq!(forward(Some(all[4]), 3).await, all[5..8]);
    assert_eq!(forward(Some(all[39]), 3).await, []);
    all.reverse();
    assert_eq!(backward(None, 99).await, all);
    assert_eq!(backward(Some(all[4]), 3).await, all[5..8]);
    assert_eq!(backward(Some(all[39]), 3).await, []);
    assert_eq!(backward(None, 0).await, []);

    for (keep, first) in [(39, Some(2)), (40, None), (5, Some(36)), (99, None)] {
        let oldest = store.oldest_kept(id, keep).await.expect("a read");
        assert_eq!(oldest, first.map(delivery_id), "{keep}");
    }
    for _ in 0..2 {
        let before = delivery_id(30);
        let prune = HookChange::PruneDeliveries { hook: id, before };
        commit(store, vec![prune.into()]).await;
        assert_eq!(forward(None, 99).await.len(), 11);
        let gone = store.delivery(id, delivery_id(29)).await;
        assert_eq!(gone.expect("a read"), None);
        for (hook, n) in [(1, 30), (2, 29)] {
            let kept = store.delivery(hook_id(hook), delivery_id(n)).await;
            let (kept, body) = kept.expect("a read").expect("it is kept");
            assert_eq!(kept, own_delivery(hook, n));
            assert_eq!(body, vec![n; 9_000]);
        }
    }
}

pub(super) async fn a_body_of_a_request_of_its_own_comes_back(store: &dyn Store) {
    put(store, hook(1, 0), &[]).await;
    for size in [200_000, 7_168, 7_169, 0, 5] {
        let body = Bytes::from(vec![size as u8; size]);
        let log = HookChange::Log(own_delivery(1, 1), body.clone());
        commit(store, vec![log.into()]).await;
        let kept = store.delivery(hook_id(1), delivery_id(1)).await;
        let expected = Some((own_delivery(1, 1), body));
        assert_eq!(kept.expect("a read"), expected, "{size} bytes");
    }
}

pub(super) async fn an_event_is_kept_until_it_is_pruned(store: &dyn Store) {
    for (n, of, name) in [(1, 0, "push"), (2, 1, "push"), (3, 0, "deployed")] {
        publish(store, n).await;
        raise(store, n, of, name).await;
        commit(store, vec![Change::Visited(id(n), Tally::default())]).await;
        assert!(has_body(store, n).await, "it can be delivered again");
    }
    let raised = |n, name| Raised {
        publication: id(n),
        event: event_name(name),
    };
    let source = source_name(0);
    let all = store.events_after(&source, None, 9).await.expect("a page");
    assert_eq!(all, [raised(1, "push"), raised(3, "deployed")]);
    let behind = store.events_after(&source, Some(id(1)), 9).await;
    assert_eq!(behind.expect("a page"), all[1..]);
    let newest = store.events_before(&source, None, 1).await;
    assert_eq!(newest.expect("a page"), all[1..]);
    let before = store.events_before(&source, Some(id(3)), 9).await;
    assert_eq!(before.expect("a page"), all[..1]);
    for _ in 0..2 {
        commit(store, vec![Change::Prune(id(1))]).await;
        assert!(!has_body(store, 1).await);
        let left = store.events_after(&source, None, 9).await;
        assert_eq!(left.expect("a page"), all[1..]);
    }
}

pub(super) async fn the_latest_event_is_the_one_that_was_made_last(store: &dyn Store) {
    let topic = topic_url(0).id();
    let latest = async || store.latest_event(topic).await.expect("a read");
    assert_eq!(latest().await, None);
    for (n, expected) in [(2, 2), (5, 5), (3, 5), (5, 5)] {
        raise(store, n, 0, "push").await;
        assert_eq!(latest().await, Some(id(expected)));
    }
    commit(store, vec![Change::Prune(id(2))]).await;
    assert_eq!(latest().await, Some(id(5)));
    commit(store, vec![Change::Prune(id(5))]).await;
    assert_eq!(latest().await, None);
    publish(store, 9).await;
    assert_eq!(latest().await, None, "it is no event");
}

pub(super) async fn an_answer_is_remembered_until_its_time(store: &dyn Store) {
    let known = async |key| store.remembered([key; 32]).await.expect("a read");
    let oldest = async || store.oldest_remembered().await.expect("a read");
    let remember = |key, n, at| HookChange::Remember(remembered(key, n, at)).into();
    assert_eq!((known(1).await, oldest().await), (None, None));
    commit(store, vec![remember(1, 1, 10), remember(2, 2, 20)]).await;
    assert_eq!(known(1).await, Some(remembered(1, 1, 10)));
    assert_eq!(oldest().await, Some(Timestamp(10)));
    // The same key once more, when the first answer has lost its time.
    commit(store, vec![remember(1, 3, 30)]).await;
    assert_eq!(oldest().await, Some(Timestamp(20)));
    for before in [20, 21, 21] {
        let before = Timestamp(before);
        assert!(known(2).await.is_none_or(|it| it.at < Timestamp(21)));
        commit(store, vec![HookChange::Forget { before }.into()]).await;
        assert_eq!(known(1).await, Some(remembered(1, 3, 30)));
        assert_eq!(known(2).await.is_some(), before == Timestamp(20));
    }
    assert_eq!(oldest().await, Some(Timestamp(30)));
}

pub(super) async fn a_replay_is_kept_with_how_far_it_has_come(store: &dyn Store) {
    let put = |replay| vec![HookChange::PutReplay(replay).into()];
    commit(store, put(replay(2))).await;
    commit(store, put(replay(1))).await;
    let further = Replay {
        cursor: Some(id(3)),
        progress: Progress::Finished(Timestamp(9)),
        ..replay(1)
    };
    commit(store, put(further.clone())).await;
    let found = store.replay(further.id).await.expect("a read");
    assert_eq!(found.as_ref(), Some(&further));
    let all = store.replays().await.expect("a read");
    assert_eq!(all, [further, replay(2)]);
    for _ in 0..2 {
        commit(store, vec![HookChange::DropReplay(replay(1).id).into()]).await;
        assert_eq!(store.replays().await.expect("a read"), [replay(2)]);
    }
}

pub(super) async fn a_token_is_found_by_its_digest_alone(store: &dyn Store) {
    let put = |token| HookChange::PutToken(token).into();
    commit(store, vec![put(bounded_token(2)), put(token(1))]).await;
    let all = store.tokens().await.expect("a read");
    assert_eq!(all, [token(1), bounded_token(2)]);
    let found = store.token(digest("2")).await.expect("a read");
    assert_eq!(found, Some(bounded_token(2)));
    // Given out anew: the old one is worth nothing.
    let renewed = Token {
        digest: digest("new"),
        ..token(1)
    };
    for _ in 0..2 {
        commit(store, vec![put(renewed.clone())]).await;
        let found = store.token(digest("1")).await.expect("a read");
        assert_eq!(found, None);
        let all = store.tokens().await.expect("a read");
        assert_eq!(all, [renewed.clone(), bounded_token(2)]);
    }
    commit(store, vec![HookChange::DropToken(renewed.id).into()]).await;
    let found = store.token(renewed.digest).await.expect("a read");
    assert_eq!(found, None);
    assert_eq!(store.tokens().await.expect("a read").len(), 1);
}

pub(super) async fn sources_are_known_whatever_the_case(store: &dyn Store) {
    let puts = [1, 0].map(|n| HookChange::PutSource(source(n)).into());
    commit(store, puts.to_vec()).await;
    let all = store.sources(None, 9).await.expect("a page");
    assert_eq!(all, [source(0), source(1)]);
    let name = crate::domain::source::SourceName::parse("OCTOCAT/hello").expect("a name");
    let found = store.source(&name).await.expect("a read");
    assert_eq!(found, Some(source(0)));
    let behind = store.sources(Some(&name), 9).await.expect("a page");
    assert_eq!(behind, all[1..]);
    commit(store, vec![HookChange::DropSource(name.clone()).into()]).await;
    assert_eq!(store.source(&name).await.expect("a read"), None);
}
