//! The backlog: a target that failed gets what it has missed, oldest first, one attempt at a time.
//!
//! A hook that asks for no order gets them side by side, and an event that it has rejected holds up no other one: it waits by
//! itself. Several that are rejected in a row, with no success between, say that the hook is wrong and not the events: then it waits
//! as any other target that fails.

mod settling;

use std::ops::ControlFlow;
use std::pin::pin;
use std::time::Duration;

use futures_util::future::join_all;

use self::settling::{Came, Failed, Settling};
use super::Hub;
use super::deliver::Patience;
use super::round::{GONE, acquire};
use crate::domain::attempt::Verdict;
use crate::domain::hook::{Hook, HookId};
use crate::domain::job::{Backlog, Job, JobId};
use crate::domain::retry::Passage;
use crate::domain::value::{TargetId, Timestamp};
use crate::store::{Change, Rejected, StoreError, Target, Waiting};

/// Entries read at a time.
const PAGE: usize = 100;
/// So many that a hook has rejected may wait by themselves.
const ALONE: usize = 500;
/// So many of those are given up when there are more.
const EXCESS: usize = ALONE / 10;
/// So many events that are rejected in a row are let pass by the next one.
const REJECTIONS: u32 = 2;
/// Deliveries that are side by side on the way to a hook that asks for no order.
const ABREAST: usize = 16;
/// The loop's clock counts in milliseconds.
const LEAST_WAIT: Duration = Duration::from_millis(1);

/// What an attempt leaves.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Left {
    /// The entry is gone, and the next one may follow at once.
    Nothing,
    /// The entry, which waits by itself: the next one may follow at once. So many have failed in a row.
    Rejected(u32),
    /// All: the rest must wait, which is arranged for.
    Everything,
}

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
        let (late, mut fresh): (Vec<_>, Vec<_>) = entries
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
        let give_up_at = self.give_up_time(*oldest);
        if head.due > now {
            self.knock(id, head.due.min(give_up_at));
            return Ok(ControlFlow::Break(()));
        }
        let mut due = due_now(&target, &fresh, now);
        if due.is_empty() && fresh.len() == PAGE {
            fresh = self.store.waiting(id, ALONE + 1).await?;
            due = due_now(&target, &fresh, now);
        }
        if due.is_empty() && fresh.len() > ALONE {
            // Behind them there may be others.
            self.give_up(id, &fresh[..EXCESS]).await?;
            return Ok(ControlFlow::Continue(()));
        }
        if due.is_empty() {
            let rejected = fresh.iter().filter_map(|entry| entry.rejected);
            let next = rejected.map(|it| it.due).min().unwrap_or(give_up_at);
            self.knock(id, next.min(give_up_at));
            return Ok(ControlFlow::Break(()));
        }
        let (mut failures, mut abreast) = (head.failures, 1);
        let mut settling = Settling::new(&target);
        let mut due = due.into_iter();
        while due.len() > 0 {
            let next = due.by_ref().take(abreast);
            let attempts = join_all(next.map(|entry| self.attempt(&target, entry, give_up_at)));
            let attempts = pin!(attempts);
            let (mut left, failed) = settling.make(self, attempts, due.len() == 0).await?;
            for failed in failed {
                left.push(self.postpone(*failed, failures, give_up_at).await?);
            }
            if left.contains(&Left::Everything) {
                return Ok(ControlFlow::Break(()));
            }
            let streak = |left: &Left| match left {
                Left::Rejected(streak) => *streak,
                _ => 0,
            };
            failures = left.iter().map(streak).max().unwrap_or(0);
            abreast = 1;
            if left.contains(&Left::Nothing) {
                failures = 0;
                // It takes them again: who asks for no order gets the others side by side.
                abreast = match target.hook() {
                    Some(hook) if !hook.ordered && hook.rate.is_none() => ABREAST,
                    _ => 1,
                };
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// One attempt. The oldest entry is given up at `give_up_at`.
    async fn attempt(
        &self,
        target: &Target,
        entry: Waiting,
        give_up_at: Timestamp,
    ) -> Result<Came, StoreError> {
        const ALL: Came = Came::Left(Left::Everything);
        if self.stop.is_cancelled() {
            return Ok(ALL);
        }
        // What it is told beside this, a ping or a replay, keeps to its order too.
        let _alone = match target.hook() {
            Some(hook) => self.paces.alone(hook).await,
            None => None,
        };
        let edited = match target.hook() {
            Some(hook) => match self.hook_for(hook.id, give_up_at).await? {
                // From now on in order, or no longer: what is under way goes by how it was.
                Some(now) if now.hook().is_some_and(|now| now.ordered != hook.ordered) => {
                    self.knock(target.id, self.clock.now());
                    return Ok(ALL);
                }
                Some(now) => Some(now),
                None => return Ok(ALL),
            },
            None => None,
        };
        let target = edited.as_ref().unwrap_or(target);
        let gate = self.gates.of(target.callback().origin());
        if let Some(until) = self.gates.closed_until(&gate) {
            self.knock(target.id, until.min(give_up_at));
            return Ok(ALL);
        }
        let knock_after = |wait: Duration| {
            let due = self.clock.now().plus(wait.max(LEAST_WAIT));
            self.knock(target.id, due.min(give_up_at));
        };
        if let Some(wait) = target.hook().and_then(|hook| self.paces.wait(hook)) {
            knock_after(wait);
            return Ok(ALL);
        }
        // The origin's slot comes after the room, so that nobody keeps it from others while waiting.
        let place = acquire(&self.places.swift).await;
        let _room = acquire(&self.room).await;
        let now = self.clock.now();
        let Some(permit) = gate.pass_or_park(|| wake_up(target.id, now)) else {
            // It cannot come back before this: its lane is busy until this run is over.
            self.turns.park(target.id, now);
            return Ok(ALL);
        };
        let Some(edition) = self.edition(entry.publication).await? else {
            self.give_up(target.id, &[entry]).await?;
            return Ok(Came::Left(Left::Nothing));
        };
        // The rate's place comes after all that may take time, or late ones would go in a burst.
        if let Some(hook) = target.hook()
            && let Err(wait) = self.paces.take(hook)
        {
            knock_after(wait);
            return Ok(ALL);
        }
        // Right before the request: it may be the circuit's only probe, and the circuit waits to be told how it ended.
        if let Passage::NotBefore(until) = self.gates.passage(&gate) {
            self.knock(target.id, until.min(give_up_at));
            return Ok(ALL);
        }
        let mut patience = Patience::new();
        let attempt = self
            .deliver(&edition, target, permit, &mut patience, || drop(place))
            .await;
        Ok(match attempt.outcome.verdict() {
            Verdict::Delivered => Came::Delivered(entry.publication, self.clock.now()),
            _ => Came::Failed(Box::new((target.clone(), entry, attempt))),
        })
    }

    /// An attempt has failed after so many `failures` in a row: when to try again, and whether others may be tried before.
    async fn postpone(
        &self,
        (target, entry, attempt): Failed,
        failures: u32,
        give_up_at: Timestamp,
    ) -> Result<Left, StoreError> {
        let now = self.clock.now();
        let verdict = attempt.outcome.verdict();
        let asked = match verdict {
            Verdict::Failed { not_before } => not_before,
            _ => None,
        };
        let rejecting = target.hook().filter(|hook| hook.lets_pass(&attempt));
        let rejected = rejecting.map(|hook| self.rejected(entry.rejected, hook));
        let lets_pass = rejected.is_some();
        let is_news = entry.rejected.is_none() || !lets_pass;
        let mut failures = failures.saturating_add(u32::from(is_news));
        let patient = if lets_pass { REJECTIONS } else { 0 };
        let mut due = match failures.saturating_sub(patient) {
            0 => now,
            beyond => now.plus(self.retry_delay(beyond, asked)),
        };
        let is_edited = self.is_edited(&target).await?;
        if is_edited {
            // This says nothing of the hook as it is now.
            (due, failures) = (now, 0);
        }
        let mut changes = vec![Change::Postpone {
            target: target.id,
            publication: entry.publication,
            due,
            failures,
            attempt,
            rejected,
        }];
        let mut next_look = due.min(give_up_at);
        if verdict == Verdict::Gone
            && let Some(hook) = target.hook()
        {
            if !is_edited {
                self.switch_off(hook.id, GONE).await?;
            }
        } else if verdict == Verdict::Gone {
            changes.push(Change::End {
                target: target.id,
                verified_at: target.verified_at(),
            });
            next_look = now;
        }
        self.store.commit(changes).await?;
        if lets_pass && due <= now {
            return Ok(Left::Rejected(failures));
        }
        self.knock(target.id, next_look);
        Ok(Left::Everything)
    }

    /// How an event waits by itself after this hook has rejected it (once more).
    pub(super) fn rejected(&self, before: Option<Rejected>, hook: &Hook) -> Rejected {
        let times = before.map_or(0, |it| it.times).saturating_add(1);
        Rejected {
            edit: hook.updated_at,
            due: self.clock.now().plus(self.retry_delay(times, None)),
            times,
        }
    }

    /// Whether a hook has been edited since it was read. Times would not tell: a clock may be set back.
    pub(super) async fn is_edited(&self, target: &Target) -> Result<bool, StoreError> {
        let Some(before) = target.hook() else {
            return Ok(false);
        };
        let now = self.store.hook(before.id).await?;
        Ok(now.is_some_and(|now| now != *before))
    }

    /// A hook as it stands now, if it may be sent something now; if not, it is arranged when to look again.
    async fn hook_for(
        &self,
        id: HookId,
        give_up_at: Timestamp,
    ) -> Result<Option<Target>, StoreError> {
        let held = self.store.target(id.target()).await?;
        let Some((held, hook)) = held.as_ref().and_then(|held| Some((held, held.hook()?))) else {
            // Its backlog has ended with it.
            self.paces.forget(id);
            self.knock(id.target(), self.clock.now());
            return Ok(None);
        };
        if !hook.active {
            // Who enables it knocks.
            self.knock(id.target(), give_up_at);
            return Ok(None);
        }
        Ok(Some(held.clone()))
    }

    async fn give_up(&self, target: TargetId, entries: &[Waiting]) -> Result<(), StoreError> {
        let changes = entries.iter().map(|entry| Change::GiveUp {
            target,
            publication: entry.publication,
        });
        self.store.commit(changes.collect()).await?;
        self.lost(target, entries.len());
        Ok(())
    }

    /// What waits for a target that is to end is gone, in steps, until a little is left.
    pub(super) async fn shorten_backlog(&self, target: TargetId) -> Result<(), StoreError> {
        loop {
            let entries = self.store.waiting(target, ALONE).await?;
            if entries.len() < ALONE {
                return Ok(());
            }
            let changes = entries.iter().map(|entry| Change::Forgo {
                target,
                publication: entry.publication,
            });
            self.store.commit(changes.collect()).await?;
        }
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

/// The entries that may be tried now, in the order in which they are: those that a hook has rejected after the others, unless it has
/// been edited since. A hook that asks for order gets all in theirs.
fn due_now(target: &Target, entries: &[Waiting], now: Timestamp) -> Vec<Waiting> {
    let mut due = entries.to_vec();
    if let Some(hook) = target.hook().filter(|hook| !hook.ordered) {
        let is_due = |it: Rejected| it.due <= now || it.edit != hook.updated_at;
        due.retain(|entry| entry.rejected.is_none_or(is_due));
        due.sort_by_key(|entry| entry.rejected.map_or(0, |it| it.times));
    }
    due
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
