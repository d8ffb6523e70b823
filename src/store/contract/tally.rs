//! The contract of a receipt's counts: once the fan-out has visited everybody, each target stands in exactly one of them,
//! whatever a crash made happen twice.

use super::*;

/// What the fan-out counted: so many visited, and so many of them delivered to by itself.
fn visited(targets: u64, delivered: u64) -> Change {
    let counted = Tally {
        targets,
        delivered,
        ..Tally::default()
    };
    Change::Visited(id(1), counted)
}

fn settle(at: u8) -> Change {
    Change::Settle {
        target: target(0, at),
        publication: id(1),
        at: Timestamp(70),
    }
}

fn lose(at: u8) -> Change {
    Change::Lose {
        target: target(0, at),
        callback: callback(at),
        publication: id(1),
        attempt: attempt(50),
    }
}

/// Targets, delivered, backlog, given up, gone.
async fn counts(store: &dyn Store) -> [u64; 5] {
    let it = tally(store, 1).await;
    [it.targets, it.delivered, it.backlog, it.given_up, it.gone]
}

pub(super) async fn who_got_it_from_the_backlog_and_is_visited_again_counts_once(
    store: &dyn Store,
) {
    publish(store, 1).await;
    // A crash forgets that this one was visited.
    commit(store, vec![wait(1, 1, 10, Some(1))]).await;
    commit(store, vec![settle(1)]).await;
    commit(store, vec![visited(1, 1)]).await;
    assert_eq!(counts(store).await, [1, 1, 0, 0, 0]);
}

pub(super) async fn who_waits_again_after_a_crash_counts_once(store: &dyn Store) {
    publish(store, 1).await;
    for _ in 0..2 {
        commit(store, vec![wait(1, 1, 10, Some(1))]).await;
        commit(store, vec![settle(1)]).await;
    }
    commit(store, vec![wait(1, 1, 10, Some(1)), visited(1, 0)]).await;
    assert_eq!(counts(store).await, [1, 0, 1, 0, 0]);
    commit(store, vec![settle(1)]).await;
    assert_eq!(counts(store).await, [1, 1, 0, 0, 0]);
}

pub(super) async fn who_ended_before_a_crash_counts(store: &dyn Store) {
    publish(store, 1).await;
    commit(store, vec![lose(2)]).await;
    // After the crash there is only the other one to visit; the fan-out knows of both.
    commit(store, vec![visited(2, 1)]).await;
    assert_eq!(counts(store).await, [2, 1, 0, 0, 1]);
}

pub(super) async fn who_ended_does_not_take_the_place_of_who_got_it_from_the_backlog(
    store: &dyn Store,
) {
    publish(store, 1).await;
    commit(store, vec![wait(1, 1, 10, Some(1))]).await;
    commit(store, vec![settle(1), lose(2)]).await;
    commit(store, vec![visited(2, 0)]).await;
    assert_eq!(counts(store).await, [2, 1, 0, 0, 1]);
}

pub(super) async fn who_was_visited_in_vain_is_given_up(store: &dyn Store) {
    publish(store, 1).await;
    commit(store, vec![visited(3, 1)]).await;
    assert_eq!(counts(store).await, [3, 1, 0, 2, 0]);
}
