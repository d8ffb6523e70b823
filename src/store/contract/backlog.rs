//! The contract of backlogs: what waits, and what becomes of it.

use super::*;
use crate::domain::hook::HookId;
use crate::store::Waiting;

pub(super) async fn the_body_stays_as_long_as_somebody_waits(store: &dyn Store) {
    publish(store, 1).await;
    commit(store, vec![wait(1, 1, 10, None), wait(2, 1, 10, None)]).await;
    commit(store, vec![Change::Visited(id(1), Tally::default())]).await;
    let (kept, body) = store
        .publication(id(1))
        .await
        .expect("a read")
        .expect("kept");
    assert_eq!((kept, &body[..]), (publication(1, 10), &b"0123456789"[..]));
    let settle = |at| Change::Settle {
        target: target(0, at),
        publication: id(1),
        at: Timestamp(70),
    };
    commit(store, vec![settle(1)]).await;
    assert!(has_body(store, 1).await);
    commit(store, vec![settle(2)]).await;
    assert!(!has_body(store, 1).await);
    assert_eq!(tally(store, 1).await.delivered, 2);
}

pub(super) async fn a_backlog_begins_and_ends_with_its_entries(store: &dyn Store) {
    publish(store, 1).await;
    publish(store, 2).await;
    let backlog = async || match store.job(JobId::Backlog(target(0, 1))).await {
        Ok(Some(Job::Backlog(job))) => Some((job.due.0, job.failures, job.entries, job.bytes)),
        Ok(None) => None,
        other => panic!("{other:?}"),
    };
    commit(store, vec![wait(1, 1, 10, Some(1))]).await;
    assert_eq!(backlog().await, Some((101, 1, 1, 10)));
    // One that only joins does not move the time of the next attempt.
    commit(store, vec![wait(1, 2, 30, None)]).await;
    assert_eq!(backlog().await, Some((101, 1, 2, 40)));
    commit(store, vec![wait(1, 2, 30, None)]).await;
    assert_eq!(backlog().await, Some((101, 1, 2, 40)));
    let queue = store.waiting(target(0, 1), 9).await.expect("a page");
    assert_eq!(queue, [waiting(1, 10), waiting(2, 30)]);

    let postpone = Change::Postpone {
        target: target(0, 1),
        publication: id(1),
        due: Timestamp(500),
        failures: 2,
        attempt: attempt(400),
        rejected: None,
    };
    commit(store, vec![postpone]).await;
    assert_eq!(backlog().await, Some((500, 2, 2, 40)));
    let rouse = Change::Rouse {
        target: target(0, 1),
        at: Timestamp(450),
    };
    commit(store, vec![rouse]).await;
    assert_eq!(backlog().await, Some((450, 0, 2, 40)));
    let missing = store.missing(id(1), None, 9).await.expect("a page");
    assert_eq!(missing[0].last_attempt, Some(attempt(400)));
    assert_eq!(missing[0].state, MissingState::Backlog);

    for _ in 0..2 {
        let settle = Change::Settle {
            target: target(0, 1),
            publication: id(1),
            at: Timestamp(510),
        };
        commit(store, vec![settle]).await;
        assert_eq!(backlog().await, Some((510, 0, 1, 30)));
        assert_eq!(tally(store, 1).await.delivered, 1);
        assert_eq!(tally(store, 1).await.last_delivery, Some(Timestamp(510)));
    }
    assert_eq!(store.missing(id(1), None, 9).await.expect("a page"), []);

    for _ in 0..2 {
        let give_up = Change::GiveUp {
            target: target(0, 1),
            publication: id(2),
        };
        commit(store, vec![give_up]).await;
        assert_eq!(backlog().await, None);
        let counted = tally(store, 2).await;
        assert_eq!((counted.backlog, counted.given_up), (0, 1));
    }
    let missing = store.missing(id(2), None, 9).await.expect("a page");
    assert_eq!(missing[0].state, MissingState::GivenUp);
}

pub(super) async fn who_was_rejected_waits_by_itself(store: &dyn Store) {
    publish(store, 1).await;
    publish(store, 2).await;
    commit(store, vec![wait(1, 1, 10, None), wait(1, 2, 10, None)]).await;
    let postpone = |rejected| Change::Postpone {
        target: target(0, 1),
        publication: id(1),
        due: Timestamp(500),
        failures: 0,
        attempt: attempt(400),
        rejected,
    };
    let alone = Waiting {
        rejected: Some(rejected(400)),
        ..waiting(1, 10)
    };
    // A later failure that says nothing of this very one leaves it as it is.
    for rejected in [alone.rejected, None] {
        commit(store, vec![postpone(rejected)]).await;
        let queue = store.waiting(target(0, 1), 9).await.expect("a page");
        assert_eq!(queue, [alone, waiting(2, 10)]);
    }
    let settle = Change::Settle {
        target: target(0, 1),
        publication: id(1),
        at: Timestamp(510),
    };
    commit(store, vec![settle, postpone(alone.rejected)]).await;
    let queue = store.waiting(target(0, 1), 9).await.expect("a page");
    assert_eq!(queue, [waiting(2, 10)]);
}

pub(super) async fn a_rejection_takes_nothing_back(store: &dyn Store) {
    publish(store, 1).await;
    publish(store, 2).await;
    commit(store, vec![wait(1, 1, 10, None), wait(1, 2, 10, None)]).await;
    let postpone = |n, due, failures, rejected| Change::Postpone {
        target: target(0, 1),
        publication: id(n),
        due: Timestamp(due),
        failures,
        attempt: attempt(400),
        rejected,
    };
    // The one was asked to wait, and the other, which was under way beside it, is not wanted.
    let asked = postpone(1, 3_600_000, 4, None);
    commit(store, vec![asked, postpone(2, 500, 1, Some(rejected(400)))]).await;
    let job = store.job(JobId::Backlog(target(0, 1))).await;
    let Ok(Some(Job::Backlog(job))) = job else {
        panic!("a job: {job:?}");
    };
    assert_eq!((job.due, job.failures), (Timestamp(3_600_000), 4));
}

pub(super) async fn over_the_limits_the_oldest_are_given_up(store: &dyn Store) {
    for n in 1..=6 {
        publish(store, n).await;
    }
    let waiting_for = async |at| {
        let queue = store.waiting(target(0, at), 9).await.expect("a page");
        queue.iter().map(|it| it.publication).collect::<Vec<_>>()
    };
    let by_count = (1..=5).map(|n| wait(1, n, 10, None)).collect();
    commit(store, by_count).await;
    assert_eq!(waiting_for(1).await, [id(3), id(4), id(5)]);
    assert_eq!(tally(store, 1).await.given_up, 1);
    assert_eq!(store.overflow(), [target(0, 1); 2]);
    assert_eq!(store.overflow(), []);

    commit(store, vec![wait(2, 1, 500, None), wait(2, 2, 500, None)]).await;
    commit(store, vec![wait(2, 3, 501, None)]).await;
    assert_eq!(waiting_for(2).await, [id(3)]);
    let missing = store.missing(id(2), None, 9).await.expect("a page");
    assert!(missing.iter().all(|it| it.state == MissingState::GivenUp));
    assert_eq!(missing.len(), 2);

    // One that is too big alone is given up at once, and the backlog with it.
    commit(store, vec![wait(3, 6, 1_001, Some(1))]).await;
    assert_eq!(waiting_for(3).await, []);
    let job = store.job(JobId::Backlog(target(0, 3))).await;
    assert_eq!(job.expect("a read"), None);
    assert_eq!(store.overflow(), [target(0, 2), target(0, 2), target(0, 3)]);

    // For a hook more may wait, whatever their size.
    let hook = HookId(1).target();
    let for_hook = |n| Change::Wait {
        target: hook,
        callback: callback(1),
        entry: waiting(n, 900),
        due: Timestamp(9),
        failed: None,
    };
    commit(store, (1..=4).map(for_hook).collect()).await;
    assert_eq!(store.waiting(hook, 9).await.expect("a page").len(), 4);
    assert_eq!(store.overflow(), []);
    commit(store, vec![for_hook(5)]).await;
    assert_eq!(store.waiting(hook, 9).await.expect("a page").len(), 4);
    assert_eq!(store.overflow(), [hook]);
}

pub(super) async fn what_waits_for_an_ended_target_is_gone(store: &dyn Store) {
    publish(store, 1).await;
    publish(store, 2).await;
    commit(store, vec![Change::Activate(subscription(0, 1, 5))]).await;
    commit(store, vec![wait(1, 1, 10, None), wait(1, 2, 10, None)]).await;
    commit(store, vec![Change::Visited(id(1), Tally::default())]).await;
    // The first one in a step of its own.
    for _ in 0..2 {
        let forgo = Change::Forgo {
            target: target(0, 1),
            publication: id(1),
        };
        commit(store, vec![forgo]).await;
        let counted = tally(store, 1).await;
        assert_eq!((counted.backlog, counted.gone), (0, 1));
        let queue = store.waiting(target(0, 1), 9).await.expect("a page");
        assert_eq!(queue, [waiting(2, 10)]);
    }
    for _ in 0..2 {
        let end = Change::End {
            target: target(0, 1),
            verified_at: Some(Timestamp(5)),
        };
        commit(store, vec![end]).await;
        for n in [1, 2] {
            let counted = tally(store, n).await;
            assert_eq!((counted.backlog, counted.gone), (0, 1));
            let missing = store.missing(id(n), None, 9).await.expect("a page");
            assert_eq!(missing[0].state, MissingState::Gone);
        }
        assert_eq!(store.waiting(target(0, 1), 9).await.expect("a page"), []);
        let job = store.job(JobId::Backlog(target(0, 1))).await;
        assert_eq!(job.expect("a read"), None);
        assert!(!has_body(store, 1).await);
        assert!(has_body(store, 2).await);
    }
}

pub(super) async fn a_failed_attempt_counts_though_its_entry_was_given_up(store: &dyn Store) {
    publish(store, 1).await;
    publish(store, 2).await;
    commit(store, vec![wait(1, 1, 10, None), wait(1, 2, 10, None)]).await;
    let give_up = Change::GiveUp {
        target: target(0, 1),
        publication: id(1),
    };
    let postpone = Change::Postpone {
        target: target(0, 1),
        publication: id(1),
        due: Timestamp(500),
        failures: 2,
        attempt: attempt(400),
        rejected: None,
    };
    commit(store, vec![give_up, postpone]).await;
    let job = store.job(JobId::Backlog(target(0, 1))).await;
    let Ok(Some(Job::Backlog(job))) = job else {
        panic!("{job:?}");
    };
    assert_eq!((job.due, job.failures, job.entries), (Timestamp(500), 2, 1));
    let missing = store.missing(id(1), None, 9).await.expect("a page");
    assert_eq!(missing[0].state, MissingState::GivenUp);
    assert_eq!(missing[0].last_attempt, Some(attempt(400)));
}

pub(super) async fn what_waits_for_a_renewed_target_survives_the_end_of_the_old_one(
    store: &dyn Store,
) {
    publish(store, 1).await;
    commit(store, vec![Change::Activate(subscription(0, 1, 5))]).await;
    commit(store, vec![wait(1, 1, 10, None)]).await;
    let end = |verified_at| Change::End {
        target: target(0, 1),
        verified_at: Some(Timestamp(verified_at)),
    };
    commit(store, vec![end(4), end(0)]).await;
    let queue = store.waiting(target(0, 1), 9).await.expect("a page");
    assert_eq!(queue, [waiting(1, 10)]);
    let job = store.job(JobId::Backlog(target(0, 1))).await;
    assert!(job.expect("a read").is_some());

    // Nobody is there any more: whatever time is named, the rows go.
    publish(store, 2).await;
    commit(store, vec![end(5), wait(1, 2, 10, None), end(0)]).await;
    assert_eq!(tally(store, 2).await.gone, 1);
    assert_eq!(store.waiting(target(0, 1), 9).await.expect("a page"), []);
}

pub(super) async fn a_lost_delivery_is_gone_once(store: &dyn Store) {
    publish(store, 1).await;
    for _ in 0..2 {
        let lose = Change::Lose {
            target: target(0, 1),
            callback: callback(1),
            publication: id(1),
            attempt: attempt(5),
        };
        let end = Change::End {
            target: target(0, 1),
            verified_at: None,
        };
        commit(store, vec![lose, end]).await;
        assert_eq!(tally(store, 1).await.gone, 1);
    }
    let missing = store.missing(id(1), None, 9).await.expect("a page");
    assert_eq!(missing[0].state, MissingState::Gone);
    assert_eq!(missing[0].last_attempt, Some(attempt(5)));
}

pub(super) async fn a_wait_comes_to_nothing_once_it_was_decided(store: &dyn Store) {
    commit(store, vec![wait(1, 1, 10, None)]).await;
    assert_eq!(store.jobs(None, 9).await.expect("a page"), []);

    publish(store, 1).await;
    commit(store, vec![wait(1, 1, 10, None)]).await;
    let give_up = Change::GiveUp {
        target: target(0, 1),
        publication: id(1),
    };
    commit(store, vec![give_up]).await;
    commit(store, vec![wait(1, 1, 10, Some(4))]).await;
    assert_eq!(store.waiting(target(0, 1), 9).await.expect("a page"), []);
    let counted = tally(store, 1).await;
    assert_eq!((counted.backlog, counted.given_up), (0, 1));
}

pub(super) async fn pruning_forgets_everything(store: &dyn Store) {
    publish(store, 1).await;
    publish(store, 2).await;
    let bundle = Bundle {
        id: id(1),
        accepted_at: Timestamp(7),
        receipts: vec![id(2)],
        unheard: vec![topic_url(3)],
    };
    commit(store, vec![Change::Bundle(bundle.clone())]).await;
    assert_eq!(store.bundle(id(1)).await.expect("a read"), Some(bundle));
    let waits = vec![
        wait(1, 1, 10, None),
        wait(1, 2, 10, None),
        wait(2, 1, 10, None),
    ];
    commit(store, waits).await;
    for _ in 0..2 {
        commit(store, vec![Change::Prune(id(1))]).await;
        assert_eq!(store.receipt(id(1)).await.expect("a read"), None);
        assert_eq!(store.bundles(None, 9).await.expect("a page"), []);
        assert_eq!(store.missing(id(1), None, 9).await.expect("a page"), []);
        assert!(!has_body(store, 1).await);
        let queue = store.waiting(target(0, 1), 9).await.expect("a page");
        assert_eq!(queue, [waiting(2, 10)]);
        let jobs = store.jobs(None, 9).await.expect("a page");
        let left: Vec<_> = jobs.iter().map(Job::id).collect();
        assert_eq!(left, [JobId::Fanout(id(2)), JobId::Backlog(target(0, 1))]);
    }
}
