//! What each change means, said once more in the simplest way: the engines must agree with it.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use bytes::Bytes;

use super::super::{BacklogLimits, Change, HookChange, Waiting};
use super::hooks::Hooks;
use crate::domain::job::{Backlog, Job, JobId};
use crate::domain::publication::Publication;
use crate::domain::receipt::{Bundle, Missing, MissingState, Receipt, Stage};
use crate::domain::subscription::Subscription;
use crate::domain::topic::{Hosted, Topic};
use crate::domain::value::{PublicationId, TargetId, Timestamp, TopicId};

/// Everything that is stored.
#[derive(Default)]
pub(super) struct State {
    pub topics: BTreeMap<TopicId, Topic>,
    pub hosted: BTreeMap<TopicId, (Hosted, Bytes)>,
    pub subscriptions: BTreeMap<TargetId, Subscription>,
    pub publications: BTreeMap<PublicationId, (Publication, Bytes)>,
    pub receipts: BTreeMap<PublicationId, Receipt>,
    pub bundles: BTreeMap<PublicationId, Bundle>,
    pub missing: BTreeMap<(PublicationId, TargetId), Missing>,
    pub waiting: BTreeMap<(TargetId, PublicationId), Waiting>,
    pub jobs: BTreeMap<JobId, Job>,
    pub hooks: Hooks,
    pub overflow: Vec<TargetId>,
}

impl State {
    /// Makes one change.
    pub fn apply(&mut self, change: Change, limits: BacklogLimits) {
        match change {
            Change::Put(job) => {
                if !matches!(job, Job::Backlog(_)) {
                    self.jobs.insert(job.id(), job);
                }
            }
            Change::Finish(id) => {
                if !matches!(id, JobId::Backlog(_)) {
                    self.jobs.remove(&id);
                }
            }
            Change::Activate(subscription) => {
                let topic = &subscription.topic;
                self.topics
                    .entry(topic.id())
                    .or_insert_with(|| Topic::new(topic.clone()));
                self.subscriptions.insert(subscription.id(), subscription);
            }
            Change::End {
                target,
                verified_at,
            } => {
                let current = self.subscriptions.get(&target).map(|it| it.verified_at);
                if current.is_none() || verified_at.is_none() || current == verified_at {
                    self.subscriptions.remove(&target);
                    self.end_backlog(target);
                }
            }
            Change::PutTopic(topic) => drop(self.topics.insert(topic.id(), topic)),
            Change::ForgetTopic(topic) => {
                if !self.subscriptions.keys().any(|held| held.topic == topic) {
                    self.topics.remove(&topic);
                }
            }
            Change::Host(hosted, body) => {
                self.hosted.insert(hosted.topic.id(), (hosted, body));
            }
            Change::Unhost(topic) => drop(self.hosted.remove(&topic)),
            Change::Receive(receipt) => {
                self.receipts.entry(receipt.id).or_insert(receipt);
            }
            Change::Bundle(bundle) => drop(self.bundles.insert(bundle.id, bundle)),
            Change::Stage(id, stage) => {
                if let Some(receipt) = self.receipts.get_mut(&id) {
                    receipt.stage = stage;
                }
            }
            Change::Journal(publication, body) => {
                self.hooks.unlog(publication.id);
                self.hooks.log_event(&publication);
                self.publications
                    .insert(publication.id, (publication, body));
            }
            Change::Visited(id, tally) => {
                self.jobs.remove(&JobId::Fanout(id));
                if let Some(receipt) = self.receipts.get_mut(&id)
                    && receipt.stage != Stage::Visited
                {
                    receipt.stage = Stage::Visited;
                    receipt.tally = receipt.tally.closed(tally);
                }
                self.drop_unwanted_body(id);
            }
            Change::Wait {
                target,
                callback,
                entry,
                due,
                failed,
            } => {
                let id = entry.publication;
                if !self.receipts.contains_key(&id) {
                    return;
                }
                if let Entry::Vacant(vacant) = self.missing.entry((id, target)) {
                    vacant.insert(Missing {
                        target,
                        callback,
                        state: MissingState::Backlog,
                        last_attempt: None,
                    });
                    self.waiting.insert((target, id), entry);
                    self.receipts
                        .entry(id)
                        .and_modify(|receipt| receipt.tally.backlog += 1);
                    let job = self
                        .jobs
                        .entry(JobId::Backlog(target))
                        .or_insert(Job::Backlog(Backlog {
                            target,
                            due,
                            failures: 0,
                            entries: 0,
                            bytes: 0,
                        }));
                    if let Job::Backlog(job) = job {
                        job.entries += 1;
                        job.bytes += entry.size;
                    }
                }
                if let Some((attempt, failures)) = failed
                    && self.waiting.contains_key(&(target, id))
                {
                    let (due, failures) =
                        self.no_sooner(target, due, failures, entry.rejected.is_some());
                    self.apply(
                        Change::Postpone {
                            target,
                            publication: id,
                            due,
                            failures,
                            attempt,
                            rejected: None,
                        },
                        limits,
                    );
                }
                while let Some(Job::Backlog(job)) = self.jobs.get(&JobId::Backlog(target))
                    && !limits.allow(job)
                {
                    let oldest = self.waits_for(target)[0];
                    self.overflow.push(target);
                    self.decide(target, oldest, MissingState::GivenUp);
                }
            }
            Change::Settle {
                target,
                publication,
                at,
            } => {
                if self.take_entry(target, publication) {
                    self.missing.remove(&(publication, target));
                    if let Some(Job::Backlog(job)) = self.jobs.get_mut(&JobId::Backlog(target)) {
                        job.due = at;
                        job.failures = 0;
                    }
                    if let Some(receipt) = self.receipts.get_mut(&publication) {
                        receipt.tally.delivered(at);
                    }
                }
            }
            Change::GiveUp {
                target,
                publication,
            } => self.decide(target, publication, MissingState::GivenUp),
            Change::Forgo {
                target,
                publication,
            } => self.decide(target, publication, MissingState::Gone),
            Change::Postpone {
                target,
                publication,
                due,
                failures,
                attempt,
                rejected,
            } => {
                if let Some(entry) = self.waiting.get_mut(&(target, publication)) {
                    entry.rejected = rejected.or(entry.rejected);
                }
                let (due, failures) = self.no_sooner(target, due, failures, rejected.is_some());
                if let Some(Job::Backlog(job)) = self.jobs.get_mut(&JobId::Backlog(target)) {
                    job.due = due;
                    job.failures = failures;
                }
                if let Some(missing) = self.missing.get_mut(&(publication, target)) {
                    missing.last_attempt = Some(attempt);
                }
            }
            Change::Rouse { target, at } => {
                if let Some(Job::Backlog(job)) = self.jobs.get_mut(&JobId::Backlog(target)) {
                    job.due = at;
                    job.failures = 0;
                }
            }
            Change::Lose {
                target,
                callback,
                publication,
                attempt,
            } => {
                if let Some(missing) = self.missing.get_mut(&(publication, target)) {
                    missing.last_attempt = Some(attempt);
                } else if let Some(receipt) = self.receipts.get_mut(&publication) {
                    receipt.tally.gone += 1;
                    let missing = Missing {
                        target,
                        callback,
                        state: MissingState::Gone,
                        last_attempt: Some(attempt),
                    };
                    self.missing.insert((publication, target), missing);
                }
            }
            Change::Unname {
                publication,
                target,
            } => {
                if !self.waiting.contains_key(&(target, publication)) {
                    self.missing.remove(&(publication, target));
                }
            }
            Change::Prune(id) => {
                let waiting = self.waiting.keys().filter(|(_, it)| *it == id);
                for (target, _) in waiting.copied().collect::<Vec<_>>() {
                    self.take_entry(target, id);
                }
                self.missing.retain(|(it, _), _| *it != id);
                self.receipts.remove(&id);
                self.bundles.remove(&id);
                self.publications.remove(&id);
                self.hooks.unlog(id);
                self.jobs.remove(&JobId::Fetch(id));
                self.jobs.remove(&JobId::Fanout(id));
            }
            Change::Hooks(change) => {
                if let HookChange::DropHook(id) = change {
                    self.end_backlog(id.target());
                }
                self.hooks.apply(change);
            }
        }
    }

    fn end_backlog(&mut self, target: TargetId) {
        for id in self.waits_for(target) {
            self.decide(target, id, MissingState::Gone);
        }
    }

    /// When to try again: after a rejection not before the time that is set.
    fn no_sooner(
        &self,
        target: TargetId,
        due: Timestamp,
        failures: u32,
        rejected: bool,
    ) -> (Timestamp, u32) {
        match self.jobs.get(&JobId::Backlog(target)) {
            Some(Job::Backlog(job)) if rejected => (due.max(job.due), failures.max(job.failures)),
            _ => (due, failures),
        }
    }

    fn waits_for(&self, target: TargetId) -> Vec<PublicationId> {
        let all = self.waiting.keys().filter(|(of, _)| *of == target);
        all.map(|(_, id)| *id).collect()
    }

    /// An entry leaves the backlog without success.
    fn decide(&mut self, target: TargetId, id: PublicationId, state: MissingState) {
        if !self.take_entry(target, id) {
            return;
        }
        if let Some(missing) = self.missing.get_mut(&(id, target)) {
            missing.state = state;
        }
        if let Some(receipt) = self.receipts.get_mut(&id) {
            match state {
                MissingState::GivenUp => receipt.tally.given_up += 1,
                _ => receipt.tally.gone += 1,
            }
        }
    }

    /// An entry leaves the backlog; says whether it was there.
    fn take_entry(&mut self, target: TargetId, id: PublicationId) -> bool {
        let Some(entry) = self.waiting.remove(&(target, id)) else {
            return false;
        };
        if let Some(Job::Backlog(job)) = self.jobs.get_mut(&JobId::Backlog(target)) {
            job.entries -= 1;
            job.bytes -= entry.size;
            if job.entries == 0 {
                self.jobs.remove(&JobId::Backlog(target));
            }
        }
        if let Some(receipt) = self.receipts.get_mut(&id) {
            receipt.tally.backlog -= 1;
        }
        self.drop_unwanted_body(id);
        true
    }

    fn drop_unwanted_body(&mut self, id: PublicationId) {
        let is_wanted = |it: &Receipt| it.stage != Stage::Visited || it.tally.backlog > 0;
        let is_event = |(publication, _): &(Publication, Bytes)| publication.event.is_some();
        if !self.receipts.get(&id).is_some_and(is_wanted)
            && !self.publications.get(&id).is_some_and(is_event)
        {
            self.publications.remove(&id);
        }
    }

    /// The receipt with what its fan-out has counted so far.
    pub fn with_checkpoint(&self, mut receipt: Receipt) -> Receipt {
        if let Some(Job::Fanout(fanout)) = self.jobs.get(&JobId::Fanout(receipt.id)) {
            receipt.tally = receipt.tally.merged(fanout.tally);
        }
        receipt
    }
}
