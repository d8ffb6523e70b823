//! A fan-out that goes on after a crash, or a panic. In: what the store has of it. Out: where it goes on, and whom it counts
//! on the way though it does not meet them any more.
//!
//! Invariant: the targets that a checkpoint counts are those that the cursor has passed: who is visited, and who was visited
//! by an earlier run, has ended since and is only a row of the receipt. So each counts once, whatever the number of crashes.

use std::collections::{BTreeSet, HashSet};

use super::Hub;
use super::round::{wait, waiting};
use crate::domain::hook::HookId;
use crate::domain::job::{Cursor, Fanout, Job, JobId};
use crate::domain::receipt::Missing;
use crate::domain::value::{PublicationId, TargetId};
use crate::store::{Change, StoreError};

/// Rows read at a time.
const PAGE: usize = 1_000;
/// Of a new fan-out there are none, and to go aside for that costs more than to look.
const FIRST_PAGE: usize = 16;

/// The places, beyond the cursor, of those whom an earlier run has visited and who have not got the publication.
#[derive(Default)]
pub(super) struct Known(BTreeSet<Cursor>);

impl Known {
    /// Whoever stands here is visited anew, and counts by that.
    pub(super) fn visit(&mut self, place: Cursor) {
        self.0.remove(&place);
    }

    /// The cursor has come this far: how many it has passed who are not visited anew.
    pub(super) fn pass(&mut self, cursor: Cursor) -> u64 {
        let mut passed = 0;
        while self.0.first().is_some_and(|place| *place <= cursor) {
            self.0.pop_first();
            passed += 1;
        }
        passed
    }
}

impl Hub {
    /// How a fan-out stands that is to run now. `None` if it is done.
    ///
    /// # Errors
    /// The store's.
    pub(super) async fn resume_fanout(
        &self,
        id: PublicationId,
    ) -> Result<Option<(Fanout, Known)>, StoreError> {
        let Some(Job::Fanout(job)) = self.store.job(JobId::Fanout(id)).await? else {
            return Ok(None);
        };
        let job = self.recover_fanout(job).await?;
        let known = self.known_beyond(&job).await?;
        Ok(Some((job, known)))
    }

    /// A fan-out of an earlier process: what was in flight goes through the backlog, the path that keeps the order.
    ///
    /// # Errors
    /// The store's.
    pub(super) async fn recover_fanout(&self, mut job: Fanout) -> Result<Fanout, StoreError> {
        if job.open.is_empty() {
            return Ok(job);
        }
        let Some((publication, _)) = self.store.publication(job.publication).await? else {
            return Ok(job);
        };
        let (mut changes, mut targets, mut ended) = (Vec::new(), Vec::new(), HashSet::new());
        for target in std::mem::take(&mut job.open) {
            match self.store.target(target).await? {
                Some(held) => {
                    let entry = waiting(&publication);
                    let now = self.clock.now();
                    changes.push(wait(target, held.callback(), entry, now, None));
                    targets.push(target);
                }
                None => drop(ended.insert(target)),
            }
        }
        let uncounted = self.not_missing(job.publication, ended).await?.len();
        job.tally.targets = job.tally.targets.saturating_sub(uncounted as u64);
        changes.push(Change::Put(Job::Fanout(job.clone())));
        self.store.commit(changes).await?;
        for target in targets {
            self.knock(target, self.clock.now());
        }
        Ok(job)
    }

    /// Those whom an earlier run has visited beyond the cursor.
    async fn known_beyond(&self, job: &Fanout) -> Result<Known, StoreError> {
        let mut known = Known::default();
        let mut rows = Rows::of(job.publication);
        while let Some(page) = rows.next(self).await? {
            for missing in page {
                let place = self.place(job, missing.target).await?;
                if place > job.cursor {
                    known.0.insert(place);
                }
            }
        }
        Ok(known)
    }

    /// Where the cursor stands when it visits a target. A hook that was deleted stood somewhere: it is met at the end.
    async fn place(&self, job: &Fanout, target: TargetId) -> Result<Cursor, StoreError> {
        let topics = match HookId::of(target) {
            None => vec![target.topic],
            Some(id) => {
                let hook = self.store.hook(id).await?;
                hook.map_or(Vec::new(), |hook| hook.topics(&self.url))
            }
        };
        let member = job.members.iter().position(|it| topics.contains(it));
        let last = job.members.len().saturating_sub(1);
        Ok(Cursor {
            member: member.unwrap_or(last),
            after: Some(target.callback),
        })
    }

    /// Those of these targets of which the receipt does not count that they have not got the publication.
    async fn not_missing(
        &self,
        id: PublicationId,
        mut targets: HashSet<TargetId>,
    ) -> Result<HashSet<TargetId>, StoreError> {
        let mut rows = Rows::of(id);
        while !targets.is_empty()
            && let Some(page) = rows.next(self).await?
        {
            for missing in &page {
                targets.remove(&missing.target);
            }
        }
        Ok(targets)
    }
}

/// The targets that have not got a publication, page after page.
struct Rows {
    publication: PublicationId,
    after: Option<TargetId>,
    limit: usize,
}

impl Rows {
    fn of(publication: PublicationId) -> Self {
        Self {
            publication,
            after: None,
            limit: FIRST_PAGE,
        }
    }

    async fn next(&mut self, hub: &Hub) -> Result<Option<Vec<Missing>>, StoreError> {
        let page = hub
            .store
            .missing(self.publication, self.after, self.limit)
            .await?;
        self.limit = PAGE;
        let Some(last) = page.last() else {
            return Ok(None);
        };
        self.after = Some(last.target);
        Ok(Some(page))
    }
}

#[cfg(test)]
mod tests;
