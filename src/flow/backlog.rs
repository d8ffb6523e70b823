//! The backlog: a target that failed gets what it has missed, oldest first, one attempt at a time.

use std::sync::Arc;

use super::Hub;
use super::deliver::Patience;
use super::round::acquire;
use crate::dialect::websub::Edition;
use crate::domain::attempt::Verdict;
use crate::domain::job::{Backlog, Job, JobId};
use crate::domain::retry::Passage;
use crate::domain::value::{TargetId, Timestamp};
use crate::store::{Change, StoreError, Target, Waiting};

/// Entries read at a time.
const PAGE: usize = 100;

impl Hub {
    /// Works on a target's backlog until it is empty, or until a failure sets the next time.
    pub(super) async fn run_backlog(
        self: &Arc<Self>,
        job: Backlog,
    ) -> Result<Vec<Job>, StoreError> {
        let id = job.target;
        while let Some(announced) = self.turns.resume(id) {
            let Some(Job::Backlog(head)) = self.store.job(JobId::Backlog(id)).await? else {
                if self.turns.leave(id, announced) {
                    return Ok(Vec::new());
                }
                continue;
            };
            let now = self.clock.now();
            if head.due > now {
                return Ok(vec![Job::Backlog(head)]);
            }
            let subscription = self.store.subscription(id).await?;
            let Some(subscription) = subscription.filter(|held| held.is_live(now)) else {
                let end = Change::End {
                    target: id,
                    verified_at: None,
                };
                self.store.commit(vec![end]).await?;
                continue;
            };
            let target = Target { id, subscription };
            let entries = self.store.waiting(id, PAGE).await?;
            let (late, fresh): (Vec<_>, Vec<_>) = entries.into_iter().partition(|entry| {
                now.since(entry.accepted_at) >= self.settings.delivery.give_up_after
            });
            if !late.is_empty() {
                self.give_up(id, &late).await?;
            }
            for entry in fresh {
                if let Some(next) = self.attempt(&head, &target, entry).await? {
                    return Ok(next);
                }
            }
        }
        Ok(Vec::new())
    }

    /// One attempt. `None` if the target has it now, so that the next entry may follow at once; otherwise what is left to do.
    async fn attempt(
        &self,
        head: &Backlog,
        target: &Target,
        entry: Waiting,
    ) -> Result<Option<Vec<Job>>, StoreError> {
        if self.stop.is_cancelled() {
            return Ok(Some(Vec::new()));
        }
        let Some((publication, body)) = self.store.publication(entry.publication).await? else {
            self.give_up(target.id, &[entry]).await?;
            return Ok(None);
        };
        let gate = self.gates.of(target.subscription.callback.origin());
        let Some(permit) = gate.pass_or_park(|| Job::Backlog(head.clone())) else {
            return Ok(Some(Vec::new()));
        };
        if let Passage::NotBefore(until) = self.gates.passage(&gate) {
            return Ok(Some(vec![wake_up(target.id, until)]));
        }
        let edition = Edition::new(publication, body, &self.user_agent);
        let place = acquire(&self.swift).await;
        let mut patience = Patience::new();
        let attempt = self
            .deliver(&edition, target, permit, &mut patience, || drop(place))
            .await;
        match attempt.outcome.verdict() {
            Verdict::Delivered => {
                let settle = Change::Settle {
                    target: target.id,
                    publication: entry.publication,
                    at: self.clock.now(),
                };
                self.store.commit(vec![settle]).await?;
                Ok(None)
            }
            verdict => {
                let asked = match verdict {
                    Verdict::Failed { not_before } => not_before,
                    _ => None,
                };
                let failures = head.failures.saturating_add(1);
                let due = self.clock.now().plus(self.retry_delay(failures, asked));
                let mut changes = vec![Change::Postpone {
                    target: target.id,
                    publication: entry.publication,
                    due,
                    failures,
                    attempt,
                }];
                if verdict == Verdict::Gone {
                    changes.push(Change::End {
                        target: target.id,
                        verified_at: Some(target.subscription.verified_at),
                    });
                }
                self.store.commit(changes).await?;
                Ok(Some(vec![wake_up(
                    target.id,
                    due.min(self.give_up_time(entry)),
                )]))
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

    /// The target has a row in its backlog: its job is scheduled, unless it is already.
    pub(super) fn knock(&self, target: TargetId, due: Timestamp) {
        if self.turns.enlist(target) {
            self.schedule_backlog(target, due);
        }
    }

    pub(super) fn schedule_backlog(&self, target: TargetId, due: Timestamp) {
        self.work.schedule(wake_up(target, due));
    }
}

/// A job that makes the target's stored one run: it is read when its time comes.
fn wake_up(target: TargetId, due: Timestamp) -> Job {
    Job::Backlog(Backlog {
        target,
        due,
        failures: 0,
        entries: 0,
        bytes: 0,
    })
}
