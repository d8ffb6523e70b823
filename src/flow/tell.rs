//! Telling one hook of one event outside of a fan-out: a ping, a test, a redelivery, a step of a replay. In: an edition and a
//! hook. Out: the attempt, which the diary has too. What holds for any other delivery holds here: the limits of its origin, its
//! rate, its order, and that a hook which is disabled is sent nothing.
//!
//! Invariant: who waits for a slot of the origin keeps no room from others.

use std::time::Duration;

use tokio::sync::{OwnedMutexGuard, OwnedSemaphorePermit};
use tokio::time::Instant;

use super::Hub;
use super::deliver::note;
use super::editions::Edition;
use super::gate::Permit;
use super::round::{GONE, acquire};
use crate::domain::attempt::{Attempt, Verdict};
use crate::domain::hook::{Hook, HookId};
use crate::net::sender::Exchange;
use crate::store::{StoreError, Target};

/// How long to wait where too many wait already.
const CROWDED_PAUSE: Duration = Duration::from_millis(250);

/// What one request to a hook needs.
struct Passage {
    hook: Hook,
    permit: Permit,
    _room: OwnedSemaphorePermit,
    _alone: Option<OwnedMutexGuard<()>>,
}

impl Hub {
    /// Makes one request, as soon as the hook's origin, its rate and its order allow; one that is answered with 410 disables it.
    /// `redelivery` is what the log says of it. `None` if the hub stops before that, or the hook is disabled or deleted.
    ///
    /// # Errors
    /// The store's.
    pub(super) async fn tell(
        &self,
        edition: &Edition,
        id: HookId,
        redelivery: bool,
    ) -> Result<Option<Attempt>, StoreError> {
        let Some(passage) = self.passage_to(id).await? else {
            return Ok(None);
        };
        let Passage {
            hook,
            permit,
            _room,
            _alone,
        } = passage;
        let target = Target::from(hook.clone());
        let at = self.clock.now();
        let (rendered, default_body) = self.render(edition, &target, at);
        // A ping cannot be made again: the log keeps its body.
        let default_body = default_body.filter(|_| !edition.is_ping());
        let asked = rendered.asked(&hook, default_body);
        let began = Instant::now();
        let Exchange { outcome, headers } = self.transmit(rendered, hook.verify_tls).await;
        let took = began.elapsed();
        let attempt = self.conclude(edition, &target, permit, at, took, outcome);
        if let Some(note) = note(edition, &hook, attempt.clone(), asked, &headers, redelivery) {
            self.diary.note(note).await;
        }
        if attempt.outcome.verdict() == Verdict::Gone && !self.is_edited(&target).await? {
            self.switch_off(id, GONE).await?;
        }
        Ok(Some(attempt))
    }

    /// Waits; `None` if the hub stops before that.
    pub(super) async fn pause(&self, span: Duration) -> Option<()> {
        self.stop
            .run_until_cancelled(tokio::time::sleep(span))
            .await
    }

    /// A hook as it is now, if it is sent anything.
    async fn listening(&self, id: HookId) -> Result<Option<Hook>, StoreError> {
        let hook = self.store.hook(id).await?;
        if hook.is_none() {
            self.paces.forget(id);
        }
        Ok(hook.filter(|hook| hook.active))
    }

    /// The right to make one request to a hook, as it stands then: it may be edited or disabled while this waits.
    async fn passage_to(&self, id: HookId) -> Result<Option<Passage>, StoreError> {
        let Some(mut hook) = self.listening(id).await? else {
            return Ok(None);
        };
        loop {
            let _alone = self.paces.alone(&hook).await;
            let Some((_room, permit)) = self.slot_for(&hook).await else {
                return Ok(None);
            };
            let Some(now) = self.listening(id).await? else {
                return Ok(None);
            };
            if now.endpoint.origin() == hook.endpoint.origin() && now.ordered == hook.ordered {
                return Ok(Some(Passage {
                    hook: now,
                    permit,
                    _room,
                    _alone,
                }));
            }
            hook = now;
        }
    }

    /// Room and a slot for one request to a hook, once its rate allows it. `None` if the hub stops before that.
    async fn slot_for(&self, hook: &Hook) -> Option<(OwnedSemaphorePermit, Permit)> {
        while let Err(wait) = self.paces.take(hook) {
            self.pause(wait).await?;
        }
        let gate = self.gates.of(hook.endpoint.origin());
        while !self.stop.is_cancelled() {
            let room = acquire(&self.room).await;
            if let Some(permit) = gate.try_pass() {
                return Some((room, permit));
            }
            drop(room);
            self.pause(CROWDED_PAUSE).await?;
        }
        None
    }
}
