//! Telling one hook of one event outside of a fan-out: a ping, a test, a redelivery, a step of a replay. In: an edition and a
//! hook. Out: the attempt, which the diary has too. What holds for any other delivery holds here: the limits of its origin, its
//! rate, its order, and that a hook which is disabled is sent nothing. But for the circuit of its origin, which keeps nobody from
//! asking whether the receiver is back; an answer closes it.
//!
//! Invariants:
//! 1. Who waits for a slot of the origin keeps no room from others, and waits in turn. The room comes after it, other than with
//!    whom `Hub::room` speaks of; but nobody who has room waits for a slot for longer than a moment.
//! 2. Who waits for its rate keeps nothing from others: a place of the rate is taken last, right before the request, and who finds none
//!    gives back what it has. So those who have waited long for a slot do not go in a burst.

use std::time::Duration;

use tokio::sync::{OwnedMutexGuard, OwnedSemaphorePermit};
use tokio::time::Instant;

use super::Hub;
use super::editions::Edition;
use super::gate::Permit;
use super::round::{GONE, acquire};
use crate::domain::attempt::{Attempt, Verdict};
use crate::domain::hook::{Hook, HookId};
use crate::net::sender::Exchange;
use crate::store::{StoreError, Target};

/// Why a hook is told of an event beside its fan-out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// To say that it is there.
    Ping,
    /// To see what it does.
    Test,
    /// What it was told before.
    Redelivery,
    /// What was raised since a time.
    Replay,
}

impl Why {
    /// As traces have it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Ping => "ping",
            Self::Test => "test",
            Self::Redelivery => "redelivery",
            Self::Replay => "replay",
        }
    }

    /// Whether the log of deliveries says that it was told before.
    fn is_again(self) -> bool {
        matches!(self, Self::Redelivery | Self::Replay)
    }
}

/// What one request to a hook needs.
struct Passage {
    hook: Hook,
    permit: Permit,
    _room: OwnedSemaphorePermit,
    _alone: Option<OwnedMutexGuard<()>>,
}

impl Hub {
    /// Makes one request, as soon as the hook's origin, its rate and its order allow; one that is answered with 410 disables it.
    /// `None` if the hub stops before that, or the hook is disabled or deleted.
    ///
    /// # Errors
    /// The store's.
    pub(super) async fn tell(
        &self,
        edition: &Edition,
        id: HookId,
        why: Why,
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
        let (mut rendered, default_body) = self.render(edition, &target, at);
        let step = self.traces.call(edition, Some(why));
        if let Some(step) = &step {
            rendered.pass_on(step.place);
        }
        // A ping cannot be made again: the log keeps its body.
        let default_body = default_body.filter(|_| !edition.is_ping());
        let asked = rendered.asked(&hook, default_body);
        let began = Instant::now();
        let Exchange { outcome, headers } = self.transmit(rendered, hook.verify_tls).await;
        let took = began.elapsed();
        if let Some(step) = step {
            self.trace_call(step, &target, at, took, &outcome);
        }
        let attempt = self.conclude(edition, &target, permit, at, took, outcome);
        let again = why.is_again();
        if let Some(note) = self.note(edition, &hook, attempt.clone(), asked, &headers, again) {
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
        while let Some(hook) = self.listening(id).await? {
            let alone = self.paces.alone(&hook).await;
            let slot = self.slot_at(hook.endpoint.origin());
            let Some((permit, room)) = self.stop.run_until_cancelled(slot).await else {
                break;
            };
            let Some(now) = self.listening(id).await? else {
                break;
            };
            if way(&now) != way(&hook) {
                continue;
            }
            let Err(wait) = self.paces.take(&now) else {
                return Ok(Some(Passage {
                    hook: now,
                    permit,
                    _room: room,
                    _alone: alone,
                }));
            };
            drop((permit, room, alone));
            if self.pause(wait).await.is_none() {
                break;
            }
        }
        Ok(None)
    }

    /// A slot of an origin, and room.
    async fn slot_at(&self, origin: &str) -> (Permit, OwnedSemaphorePermit) {
        let permit = self.gates.of(origin).pass_in_turn().await;
        (permit, acquire(&self.room).await)
    }
}

/// What the passage to a hook hangs on.
fn way(hook: &Hook) -> (&str, bool) {
    (hook.endpoint.origin(), hook.ordered)
}

#[cfg(test)]
mod tests;
