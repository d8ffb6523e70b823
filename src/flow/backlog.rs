//! The backlog: a target that failed gets what it has missed, oldest first, one attempt at a time.

use std::ops::ControlFlow;
use std::time::Duration;

use futures_util::future::try_join_all;

use super::Hub;
use super::deliver::Patience;
use super::round::{GONE, acquire};
use crate::domain::attempt::Verdict;
use crate::domain::hook::{Hook, HookId};
use crate::domain::job::{Backlog, Job, JobId};
use crate::domain::retry::Passage;
use crate::domain::value::{TargetId, Timestamp};
use crate::store::{Change, StoreError, Target, Waiting};

/// Entries read at a time.
const PAGE: usize = 100;
/// Deliveries that are side by side on the way to a hook that asks for no order.
const ABREAST: usize = 16;
/// The loop's clock counts in milliseconds.
const LEAST_WAIT: Duration = Duration::from_millis(1);

impl Hub {
    /// Works on a target's backlog until it is empty, or until a failure sets the next time.
    pub(super) async fn run_backlog(&self, job: Backlog) -> Result<Vec<Job>, StoreError> {
        let id = job.target;
        // If this job was woken for a slot and leaves without it, the next one gets it.
        let _call = self.gates.answer_call(id);
        if !self.turns.arrive(id, job.due, self.clock.now()) {
            return Ok(Vec::new());
        }
        while let Some(announced) = self.turns.resume(id) {
            let Some(Job::Backlog(head)) = self.store.job(JobId::Backlog(id)).await? else {
                if self.turns.leave(id, announced) {
                    break;
                }
                continue;
            };
            if self.work_off(head).await?.is_break() {
                break;
            }
        }
        Ok(Vec::new())
    }

    /// Works on a page of entries. Breaks off when the rest must wait, which is arranged for then.
    async fn work_off(&self, head: Backlog) -> Result<ControlFlow<()>, StoreError> {
        let id = head.target;
        let now = self.clock.now();
        let held = self.store.target(id).await?;
        let verified_at = held
            .as_ref()
            .map_or(Some(Timestamp(0)), Target::verified_at);
        let keeps = |held: &Target| held.is_live(now) || held.hook().is_some();
        let Some(target) = held.filter(keeps) else {
            // Only what was read here ends: it may have been renewed since.
            let end = Change::End {
                target: id,
                verified_at,
            };
            self.store.commit(vec![end]).await?;
            return Ok(ControlFlow::Continue(()));
        };
        let entries = self.store.waiting(id, PAGE).await?;
        let (late, fresh): (Vec<_>, Vec<_>) = entries
            .into_iter()
            .partition(|entry| self.give_up_time(*entry) <= now);
        if !late.is_empty() {
            self.give_up(id, &late).await?;
            return Ok(ControlFlow::Continue(()));
        }
        let Some(oldest) = fresh.first() else {
            // Its rows were set aside as unreadable: the next one that comes is announced.
            self.knock(id, now.plus(self.settings.delivery.give_up_after));
            return Ok(ControlFlow::Break(()));
        };
        if head.due > now {
            self.knock(id, head.due.min(self.give_up_time(*oldest)));
            return Ok(ControlFlow::Break(()));
        }
        let (mut failures, mut abreast) = (head.failures, 1);
        let mut fresh = fresh.into_iter();
        while fresh.len() > 0 {
            let next = fresh.by_ref().take(abreast);
            let attempts = next.map(|entry| self.attempt(&target, entry, failures));
            let ended = try_join_all(attempts).await?;
            if ended.iter().any(ControlFlow::is_break) {
                return Ok(ControlFlow::Break(()));
            }
            failures = 0;
            // It takes them again: who asks for no order gets the others side by side.
            abreast = match target.hook() {
                Some(hook) if !hook.ordered && hook.rate.is_none() => ABREAST,
                _ => 1,
            };
        }
        Ok(ControlFlow::Continue(()))
    }

    /// One attempt after so many `failures` in a row. Breaks off unless the next entry may follow at once.
    async fn attempt(
        &self,
        target: &Target,
        entry: Waiting,
        failures: u32,
    ) -> Result<ControlFlow<()>, StoreError> {
        if self.stop.is_cancelled() {
            return Ok(ControlFlow::Break(()));
        }
        // What it is told beside this, a ping or a replay, keeps to its order too.
        let _alone = match target.hook() {
            Some(hook) => self.paces.alone(hook).await,
            None => None,
        };
        let edited = match target.hook() {
            Some(hook) => match self.hook_for(hook.id, entry).await? {
                Some(hook) => Some(Target::from(hook)),
                None => return Ok(ControlFlow::Break(())),
            },
            None => None,
        };
        let target = edited.as_ref().unwrap_or(target);
        let gate = self.gates.of(target.callback().origin());
        if let Some(until) = self.gates.closed_until(&gate) {
            self.knock(target.id, until.min(self.give_up_time(entry)));
            return Ok(ControlFlow::Break(()));
        }
        // The origin's slot comes after the room, so that nobody keeps it from others while waiting.
        let place = acquire(&self.places.swift).await;
        let _room = acquire(&self.room).await;
        let now = self.clock.now();
        let Some(permit) = gate.pass_or_park(|| wake_up(target.id, now)) else {
            // It cannot come back before this: its lane is busy until this run is over.
            self.turns.park(target.id, now);
            return Ok(ControlFlow::Break(()));
        };
        let Some(edition) = self.edition(entry.publication).await? else {
            self.give_up(target.id, &[entry]).await?;
            return Ok(ControlFlow::Continue(()));
        };
        // Right before the request: it may be the circuit's only probe, and the circuit waits to be told how it ended.
        if let Passage::NotBefore(until) = self.gates.passage(&gate) {
            self.knock(target.id, until.min(self.give_up_time(entry)));
            return Ok(ControlFlow::Break(()));
        }
        let mut patience = Patience::new();
        let attempt = self
            .deliver(&edition, target, permit, &mut patience, || drop(place))
            .await;
        let verdict = attempt.outcome.verdict();
        let now = self.clock.now();
        if verdict == Verdict::Delivered {
            let settle = Change::Settle {
                target: target.id,
                publication: entry.publication,
                at: now,
            };
            self.store.commit(vec![settle]).await?;
            return Ok(ControlFlow::Continue(()));
        }
        let asked = match verdict {
            Verdict::Failed { not_before } => not_before,
            _ => None,
        };
        let failures = failures.saturating_add(1);
        let due = now.plus(self.retry_delay(failures, asked));
        let mut changes = vec![Change::Postpone {
            target: target.id,
            publication: entry.publication,
            due,
            failures,
            attempt,
        }];
        let mut next_look = due.min(self.give_up_time(entry));
        if verdict == Verdict::Gone
            && let Some(hook) = target.hook()
        {
            self.switch_off(hook.id, GONE.to_owned()).await?;
        } else if verdict == Verdict::Gone {
            changes.push(Change::End {
                target: target.id,
                verified_at: target.verified_at(),
            });
            next_look = now;
        }
        self.store.commit(changes).await?;
        self.knock(target.id, next_look);
        Ok(ControlFlow::Break(()))
    }

    /// A hook as it stands now, if it may be sent something now; if not, it is arranged when to look again.
    async fn hook_for(&self, id: HookId, entry: Waiting) -> Result<Option<Hook>, StoreError> {
        let Some(hook) = self.store.hook(id).await? else {
            // Its backlog has ended with it.
            self.paces.forget(id);
            self.knock(id.target(), self.clock.now());
            return Ok(None);
        };
        if !hook.active {
            // Who enables it knocks.
            self.knock(id.target(), self.give_up_time(entry));
            return Ok(None);
        }
        match self.paces.take(&hook) {
            Ok(()) => Ok(Some(hook)),
            Err(wait) => {
                let due = self.clock.now().plus(wait.max(LEAST_WAIT));
                self.knock(id.target(), due.min(self.give_up_time(entry)));
                Ok(None)
            }
        }
    }

    async fn give_up(&self, target: TargetId, entries: &[Waiting]) -> Result<(), StoreError> {
        tracing::warn!(%target, publications = entries.len(), "given up");
        self.meters.given_up(entries.len());
        let changes = entries.iter().map(|entry| Change::GiveUp {
            target,
            publication: entry.publication,
        });
        self.store.commit(changes.collect()).await
    }

    fn give_up_time(&self, entry: Waiting) -> Timestamp {
        entry.accepted_at.plus(self.settings.delivery.give_up_after)
    }

    /// The target's backlog is to be looked at by then: its job is scheduled, unless one comes as early.
    pub(super) fn knock(&self, target: TargetId, due: Timestamp) {
        if self.turns.enlist(target, due) {
            self.work.schedule(Job::Backlog(wake_up(target, due)));
        }
    }
}

/// A job that makes the target's stored one run: it is read when its time comes.
fn wake_up(target: TargetId, due: Timestamp) -> Backlog {
    Backlog {
        target,
        due,
        failures: 0,
        entries: 0,
        bytes: 0,
    }
}

#[cfg(test)]
mod tests;
