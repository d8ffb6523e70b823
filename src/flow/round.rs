//! A round: some targets of a fan-out that one task serves one after the other, since a task for each would cost more than
//! a quick receiver does. In: targets whose turn it is. Out: what became of them, in the fan-out's ledger.
//!
//! Invariants:
//! 1. A target stands in the ledger as open until its receiver or its backlog has the publication, so that a checkpoint
//!    knows of it.
//! 2. No target waits for another one's slow receiver, or for the write of its backlog: what takes long goes on alone, and
//!    the rest of its round in a task of its own.
//! 3. Whatever happens to a delivery, a panic included, its target's turn ends.
//! 4. A round has one request under way, and holds the room and the place for that.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;
use std::vec::IntoIter;

use futures_util::FutureExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

use super::Hub;
use super::deliver::Patience;
use super::dispatch::{Places, ROUND};
use super::editions::Edition;
use super::gate::{Gate, Permit};
use super::ledger::{Landing, Ledger};
use crate::domain::attempt::{Attempt, Verdict};
use crate::domain::hook::Hook;
use crate::domain::publication::Publication;
use crate::domain::receipt::Tally;
use crate::domain::retry::Passage;
use crate::domain::value::{CallbackUrl, TargetId, Timestamp};
use crate::store::{Change, Target, Waiting};

/// Why a hook is disabled whose receiver says 410.
pub(super) const GONE: &str = "its receiver answered 410 Gone";

/// What the rounds of one fan-out share.
pub(super) struct Carrier {
    hub: Arc<Hub>,
    edition: Arc<Edition>,
    pub(super) ledger: Ledger,
    rounds: TaskTracker,
    /// Rounds of known receivers that have a call to begin, or one that may be answered at once.
    swift: TaskTracker,
}

/// A target whose turn it is, and the gate of its origin.
pub(super) struct Call {
    pub(super) target: Target,
    pub(super) gate: Arc<Gate>,
}

struct Round {
    carrier: Arc<Carrier>,
    calls: IntoIter<Call>,
    room: Option<OwnedSemaphorePermit>,
    _place: OwnedSemaphorePermit,
    _first: Option<TaskTrackerToken>,
}

impl Carrier {
    /// Carries an edition on from where an earlier count stopped.
    pub(super) fn new(hub: Arc<Hub>, edition: Arc<Edition>, tally: Tally) -> Arc<Self> {
        Arc::new(Self {
            hub,
            edition,
            ledger: Ledger::new(tally),
            rounds: TaskTracker::new(),
            swift: TaskTracker::new(),
        })
    }

    /// What is carried.
    pub(super) fn publication(&self) -> &Publication {
        self.edition.publication()
    }

    /// Whether a hook gets this event: its filter lets it through. One that cannot be read hides nothing.
    pub(super) fn concerns(&self, hook: &Hook) -> bool {
        let Some(occurrence) = self.edition.occurrence() else {
            return true;
        };
        occurrence.passes(hook).unwrap_or_else(|error| {
            tracing::warn!(hook = %hook.id, %error, "the filter of a hook is wrong");
            true
        })
    }

    /// Serves these targets, whose origins are known, and which are open in the ledger. `place` is one of the hub's for those who may begin.
    pub(super) fn send(self: &Arc<Self>, calls: Vec<Call>, place: OwnedSemaphorePermit) {
        let first = self.swift.token();
        self.start(calls, place, Some(first));
    }

    fn start(
        self: &Arc<Self>,
        calls: Vec<Call>,
        place: OwnedSemaphorePermit,
        first: Option<TaskTrackerToken>,
    ) {
        let round = Round {
            carrier: Arc::clone(self),
            calls: calls.into_iter(),
            room: None,
            _place: place,
            _first: first,
        };
        round.start();
    }

    /// Serves those who let others go first, and who wait for them so long at most.
    pub(super) fn send_after(self: &Arc<Self>, calls: Vec<Call>, wait: Duration) {
        if calls.is_empty() {
            return;
        }
        let carrier = Arc::clone(self);
        let many = calls.len().div_ceil(Places::STRANGERS).min(ROUND);
        let mut calls = calls;
        let sending = async move {
            carrier.swift.close();
            // Those who are still not through are slow.
            let _ = timeout(wait, carrier.swift.wait()).await;
            while !calls.is_empty() {
                let place = acquire(&carrier.hub.places.strangers).await;
                // Who has become known meanwhile goes first.
                calls.sort_by_cached_key(|call| call.gate.is_known());
                let rest = calls.len().saturating_sub(many);
                carrier.start(calls.split_off(rest), place, None);
            }
        };
        self.hub.tracker.spawn(self.rounds.track_future(sending));
    }

    /// Waits until every round that has been sent is over.
    pub(super) async fn all_landed(&self) {
        self.rounds.close();
        self.rounds.wait().await;
    }

    /// Carries the publication to one target and settles whatever came of it. Before what takes long it calls `go_ahead`:
    /// others need not wait for it. One that panicked is tried again later.
    async fn carry(
        &self,
        target: &Target,
        permit: Permit,
        patience: &mut Patience,
        mut go_ahead: impl FnMut() + Send,
    ) -> Landing {
        // What a panic leaves half done is dropped: the permit comes back, and the patience is set anew for each wait.
        // No name for the future: it would be in the task twice.
        let carried = AssertUnwindSafe(self.carry_now(target, permit, patience, &mut go_ahead))
            .catch_unwind()
            .await;
        if let Ok(landing) = carried {
            return landing;
        }
        tracing::error!(to = %target.id, "a delivery panicked; it goes through the backlog");
        let due = self.hub.clock.now().plus(self.hub.retry_delay(1, None));
        self.carry_later(target, due, None).await
    }

    async fn carry_now(
        &self,
        target: &Target,
        permit: Permit,
        patience: &mut Patience,
        mut go_ahead: impl FnMut() + Send,
    ) -> Landing {
        let hub = &self.hub;
        // A hook as it stands now: it may have been edited or disabled since it was visited.
        let edited = match target.hook() {
            Some(_) => match hub.at_last(|| hub.store.target(target.id)).await {
                Some(Some(now)) if now.hook().is_some_and(Hook::goes_at_once) => Some(now),
                _ => {
                    go_ahead();
                    return self.carry_later(target, hub.clock.now(), None).await;
                }
            },
            None => None,
        };
        let target = edited.as_ref().unwrap_or(target);
        if let Passage::NotBefore(until) = hub.gates.passage(permit.gate()) {
            go_ahead();
            return self.carry_later(target, until, None).await;
        }
        let attempt = hub
            .deliver(&self.edition, target, permit, patience, &mut go_ahead)
            .await;
        match attempt.outcome.verdict() {
            Verdict::Delivered => {
                let now = hub.clock.now();
                hub.end_turn(target.id, now);
                Landing::Delivered(now)
            }
            Verdict::Gone => {
                go_ahead();
                match target.hook() {
                    Some(hook) => self.keep_for(hook, target, attempt).await,
                    None => self.lose(target, attempt).await,
                }
            }
            Verdict::Failed { not_before } => {
                go_ahead();
                let due = hub.clock.now().plus(hub.retry_delay(1, not_before));
                self.carry_later(target, due, Some((attempt, 1))).await
            }
        }
    }

    async fn carry_later(
        &self,
        target: &Target,
        due: Timestamp,
        failed: Option<(Attempt, u32)>,
    ) -> Landing {
        let mut entry = waiting(self.publication());
        let (hub, mut due) = (&self.hub, due);
        if let Some((attempt, _)) = &failed
            && let Some(hook) = target.hook()
        {
            let lets_pass = hook.lets_pass(attempt);
            entry.rejected = lets_pass.then(|| hub.rejected(None, hook));
            let edited = hub.at_last(|| hub.is_edited(target));
            if edited.await == Some(true) || lets_pass {
                due = hub.clock.now();
            }
        }
        let change = wait(target.id, target.callback(), entry, due, failed);
        if !self.hub.commit_at_last(vec![change]).await {
            return Landing::Open;
        }
        self.hub.knock(target.id, due);
        self.hub.end_turn(target.id, due);
        Landing::Settled
    }

    /// A hook says that it is gone: it is disabled, and what it has not got waits for it to be enabled again.
    async fn keep_for(&self, hook: &Hook, target: &Target, attempt: Attempt) -> Landing {
        let hub = &self.hub;
        let due = hub.clock.now().plus(hub.retry_delay(1, None));
        // What a receiver says of a hook as it was says nothing of it as it is.
        let off = hub.at_last(|| async {
            match hub.is_edited(target).await? {
                true => Ok(()),
                false => hub.switch_off(hook.id, GONE).await,
            }
        });
        match off.await {
            Some(()) => self.carry_later(target, due, Some((attempt, 1))).await,
            None => Landing::Open,
        }
    }

    async fn lose(&self, target: &Target, attempt: Attempt) -> Landing {
        let lost = Change::Lose {
            target: target.id,
            callback: target.callback().clone(),
            publication: self.publication().id,
            attempt,
        };
        let end = Change::End {
            target: target.id,
            verified_at: target.verified_at(),
        };
        if !self.hub.commit_at_last(vec![lost, end]).await {
            return Landing::Open;
        }
        tracing::info!(to = %target.id, origin = target.callback().origin(), "gone: subscription ended");
        self.hub.end_turn(target.id, self.hub.clock.now());
        Landing::Settled
    }
}

impl Hub {
    /// This delivery of the fan-out is over and settled.
    pub(super) fn end_turn(&self, target: TargetId, due: Timestamp) {
        if self.turns.end(target) {
            self.knock(target, due);
        }
    }
}

impl Round {
    fn start(self) {
        let tracker = self.carrier.hub.tracker.clone();
        let rounds = self.carrier.rounds.clone();
        // Boxed: whoever takes it on would copy it, and it is large.
        tracker.spawn(rounds.track_future(Box::pin(self.serve())));
    }

    async fn serve(self) {
        let carrier = Arc::clone(&self.carrier);
        let mut patience = Patience::new();
        // Another task has it once a receiver is slow.
        let mut here = Some(self);
        while let Some(round) = &mut here
            && !carrier.hub.stop.is_cancelled()
            && let Some(call) = round.calls.next()
        {
            let room = match round.room.take() {
                Some(room) => room,
                None => acquire(&carrier.hub.room).await,
            };
            let Some(permit) = call.gate.try_pass() else {
                wait_aside(Arc::clone(&carrier), call, room);
                continue;
            };
            let go_ahead = || here.take().into_iter().for_each(Round::go_on);
            let landing = carrier
                .carry(&call.target, permit, &mut patience, go_ahead)
                .await;
            carrier.ledger.land(call.target.id, landing);
            if let Some(round) = &mut here {
                round.room = Some(room);
            }
        }
    }

    /// The rest of the round, if there is one.
    fn go_on(self) {
        if self.calls.len() > 0 {
            self.start();
        }
    }
}

/// The target's origin has no slot free: it waits for one on a task of its own, and needs no place then.
fn wait_aside(carrier: Arc<Carrier>, call: Call, room: OwnedSemaphorePermit) {
    let tracker = carrier.hub.tracker.clone();
    let rounds = carrier.rounds.clone();
    tracker.spawn(rounds.track_future(async move {
        let target = &call.target;
        let landing = match call.gate.pass().await {
            Some(permit) => {
                let mut patience = Patience::new();
                carrier.carry(target, permit, &mut patience, || ()).await
            }
            None => {
                let now = carrier.hub.clock.now();
                carrier.carry_later(target, now, None).await
            }
        };
        carrier.ledger.land(target.id, landing);
        drop(room);
    }));
}

/// A permit of a semaphore that nobody ever closes.
pub(super) async fn acquire(semaphore: &Arc<Semaphore>) -> OwnedSemaphorePermit {
    let permit = Arc::clone(semaphore).acquire_owned().await;
    permit.expect("the flow closes none of its semaphores")
}

/// The row of a backlog.
pub(super) fn waiting(publication: &Publication) -> Waiting {
    Waiting {
        publication: publication.id,
        size: publication.size,
        accepted_at: publication.accepted_at,
        rejected: None,
    }
}

/// The change that puts a row into a backlog.
pub(super) fn wait(
    target: TargetId,
    callback: &CallbackUrl,
    entry: Waiting,
    due: Timestamp,
    failed: Option<(Attempt, u32)>,
) -> Change {
    Change::Wait {
        target,
        callback: callback.clone(),
        entry,
        due,
        failed,
    }
}

#[cfg(test)]
mod tests;
