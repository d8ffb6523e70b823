//! The fan-out: one durable job with a cursor brings a publication to all targets of a topic.
//!
//! Invariants:
//! 1. Before a checkpoint moves the cursor past a target, that target has the publication, or has it in its backlog, or
//!    stands in the checkpoint's list of open deliveries.
//! 2. Since the last checkpoint at most `CHECKPOINT_EVERY` deliveries and those in flight have ended, so at most as many
//!    are repeated after a crash. On the happy path a delivery writes nothing.
//! 3. The cursor waits for nobody but for room in flight: who is slow waits aside, who is busy gets it through the backlog.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::time::Instant;

use super::Hub;
use crate::dialect::websub::Edition;
use crate::domain::attempt::{Attempt, Verdict};
use crate::domain::job::{Fanout, Job, JobId};
use crate::domain::publication::Publication;
use crate::domain::retry::Passage;
use crate::domain::subscription::Subscription;
use crate::domain::value::{TargetId, Timestamp, TopicId};
use crate::store::{Change, StoreError, Target, Waiting};

/// So many ended deliveries make a checkpoint due.
const CHECKPOINT_EVERY: usize = 1_000;
/// A checkpoint is due after this time at the latest.
const CHECKPOINT_AFTER: Duration = Duration::from_millis(250);
/// Targets read at a time.
const PAGE: usize = 1_000;
/// Targets sent to their backlogs at a time.
const WAITS: usize = 500;

/// A fan-out under way.
struct Run {
    hub: Arc<Hub>,
    edition: Arc<Edition>,
    job: Fanout,
    /// Deliveries that have begun and not landed.
    open: HashSet<TargetId>,
    in_flight: usize,
    landed: mpsc::UnboundedReceiver<Landed>,
    landing: mpsc::UnboundedSender<Landed>,
    /// Targets that go to their backlog with the next flush.
    waits: Vec<Wait>,
    ended_since_checkpoint: usize,
    checkpoint_due: Instant,
}

struct Wait {
    target: Target,
    due: Timestamp,
    /// Whether it was this fan-out's turn, which ends when the row is written.
    in_turn: bool,
}

/// A delivery has ended. Room in flight is given back when this is taken note of.
struct Landed {
    target: TargetId,
    landing: Landing,
    _room: OwnedSemaphorePermit,
}

enum Landing {
    /// The target has it.
    Delivered(Timestamp),
    /// The store knows: it is in the backlog, or the target is gone.
    Settled,
    /// Nothing is known, as the process stops.
    Open,
}

impl Hub {
    /// Visits every target that the cursor has not passed. What is in flight at the end lands on a task of its own, so that
    /// the topic's next publication need not wait for stragglers.
    pub(super) async fn run_fanout(self: &Arc<Self>, job: Fanout) -> Result<Vec<Job>, StoreError> {
        let Some((publication, body)) = self.store.publication(job.publication).await? else {
            let done = Change::Finish(JobId::Fanout(job.publication));
            self.store.commit(vec![done]).await?;
            return Ok(Vec::new());
        };
        let (landing, landed) = mpsc::unbounded_channel();
        let mut run = Run {
            hub: Arc::clone(self),
            edition: Arc::new(Edition::new(publication, body, &self.user_agent)),
            job,
            open: HashSet::new(),
            in_flight: 0,
            landed,
            landing,
            waits: Vec::new(),
            ended_since_checkpoint: 0,
            checkpoint_due: Instant::now() + CHECKPOINT_AFTER,
        };
        let visited_all = run.visit_all().await;
        self.tracker.spawn(run.land_all(visited_all));
        Ok(Vec::new())
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
        let (mut changes, mut targets) = (Vec::new(), Vec::new());
        for target in std::mem::take(&mut job.open) {
            match self.store.subscription(target).await? {
                Some(subscription) => {
                    let entry = waiting(&publication);
                    changes.push(wait(target, &subscription, entry, self.clock.now(), None));
                    targets.push(target);
                }
                None => job.tally.targets = job.tally.targets.saturating_sub(1),
            }
        }
        changes.push(Change::Put(Job::Fanout(job.clone())));
        self.store.commit(changes).await?;
        for target in targets {
            self.knock(target, self.clock.now());
        }
        Ok(job)
    }

    /// Carries the publication to one target and settles whatever came of it.
    async fn carry(&self, edition: &Edition, target: &Target) -> Landing {
        let Target { id, subscription } = target;
        let gate = self.gates.of(subscription.callback.origin());
        let now = self.clock.now();
        let Some(permit) = gate.pass().await else {
            return self.carry_later(edition, target, now, None).await;
        };
        if let Passage::NotBefore(until) = self.gates.passage(&gate) {
            return self.carry_later(edition, target, until, None).await;
        }
        let attempt = self
            .deliver(edition, *id, subscription, &gate, permit)
            .await;
        match attempt.outcome.verdict() {
            Verdict::Delivered => {
                if self.turns.end(*id) {
                    self.schedule_backlog(*id, self.clock.now());
                }
                Landing::Delivered(self.clock.now())
            }
            Verdict::Gone => self.lose(edition, target, attempt).await,
            Verdict::Failed { not_before } => {
                let due = self.clock.now().plus(self.retry_delay(1, not_before));
                let failed = Some((attempt, 1));
                self.carry_later(edition, target, due, failed).await
            }
        }
    }

    async fn carry_later(
        &self,
        edition: &Edition,
        target: &Target,
        due: Timestamp,
        failed: Option<(Attempt, u32)>,
    ) -> Landing {
        let entry = waiting(edition.publication());
        let change = wait(target.id, &target.subscription, entry, due, failed);
        if !self.commit_at_last(vec![change]).await {
            return Landing::Open;
        }
        self.knock(target.id, due);
        self.end_turn(target.id, due);
        Landing::Settled
    }

    async fn lose(&self, edition: &Edition, target: &Target, attempt: Attempt) -> Landing {
        let lost = Change::Lose {
            target: target.id,
            callback: target.subscription.callback.clone(),
            publication: edition.publication().id,
            attempt,
        };
        let end = Change::End {
            target: target.id,
            verified_at: Some(target.subscription.verified_at),
        };
        if !self.commit_at_last(vec![lost, end]).await {
            return Landing::Open;
        }
        tracing::info!(target = %target.id, origin = target.subscription.callback.origin(), "gone: subscription ended");
        self.end_turn(target.id, self.clock.now());
        Landing::Settled
    }

    fn end_turn(&self, target: TargetId, due: Timestamp) {
        if self.turns.end(target) {
            self.schedule_backlog(target, due);
        }
    }
}

impl Run {
    /// Goes on from the cursor. False if the process stops before the end.
    async fn visit_all(&mut self) -> bool {
        while let Some(topic) = self.job.members.get(self.job.cursor.member).copied() {
            let Some(page) = self.page(topic).await else {
                return false;
            };
            if page.is_empty() {
                self.job.cursor.member += 1;
                self.job.cursor.after = None;
            }
            for target in page {
                let callback = target.id.callback;
                if self.hub.stop.is_cancelled() || !self.visit(target).await {
                    return false;
                }
                self.job.cursor.after = Some(callback);
                if self.is_checkpoint_due() && !self.checkpoint().await {
                    return false;
                }
            }
        }
        self.checkpoint().await
    }

    async fn page(&self, topic: TopicId) -> Option<Vec<Target>> {
        let after = self.job.cursor.after;
        self.hub
            .at_last(|| self.hub.store.targets(topic, after, PAGE))
            .await
    }

    /// False if the process stops before the target is taken care of.
    async fn visit(&mut self, target: Target) -> bool {
        let now = self.hub.clock.now();
        let accepted_at = self.edition.publication().accepted_at;
        if !target.subscription.receives(accepted_at, now) {
            return true;
        }
        self.job.tally.targets += 1;
        let in_turn = self.hub.turns.begin(target.id);
        let origin = target.subscription.callback.origin();
        let due = if in_turn {
            self.hub.gates.closed_until(origin)
        } else {
            Some(now)
        };
        if let Some(due) = due {
            self.waits.push(Wait {
                target,
                due,
                in_turn,
            });
            return self.waits.len() < WAITS || self.flush_waits().await;
        }
        let room = self.room().await;
        self.open.insert(target.id);
        self.in_flight += 1;
        let (hub, edition) = (Arc::clone(&self.hub), Arc::clone(&self.edition));
        let landing = self.landing.clone();
        self.hub.tracker.spawn(async move {
            let landed = Landed {
                target: target.id,
                landing: hub.carry(&edition, &target).await,
                _room: room,
            };
            // The receiver is gone only when the process stops.
            let _ = landing.send(landed);
        });
        true
    }

    /// Room for one more delivery in flight. While there is none, deliveries land.
    async fn room(&mut self) -> OwnedSemaphorePermit {
        while let Ok(landed) = self.landed.try_recv() {
            self.land(landed);
        }
        loop {
            if let Ok(room) = Arc::clone(&self.hub.room).try_acquire_owned() {
                return room;
            }
            tokio::select! {
                Some(landed) = self.landed.recv() => self.land(landed),
                Ok(room) = Arc::clone(&self.hub.room).acquire_owned() => return room,
            }
        }
    }

    fn land(&mut self, landed: Landed) {
        self.in_flight -= 1;
        match landed.landing {
            Landing::Delivered(at) => self.job.tally.delivered(at),
            Landing::Settled => {}
            Landing::Open => return,
        }
        self.open.remove(&landed.target);
        self.ended_since_checkpoint += 1;
    }

    fn is_checkpoint_due(&self) -> bool {
        self.ended_since_checkpoint >= CHECKPOINT_EVERY || Instant::now() >= self.checkpoint_due
    }

    /// Writes down how far the fan-out has come. False if the process stops before that worked.
    async fn checkpoint(&mut self) -> bool {
        if !self.flush_waits().await {
            return false;
        }
        self.job.open = self.open.iter().copied().collect();
        let checkpoint = Change::Put(Job::Fanout(self.job.clone()));
        let written = self.hub.commit_at_last(vec![checkpoint]).await;
        self.ended_since_checkpoint = 0;
        self.checkpoint_due = Instant::now() + CHECKPOINT_AFTER;
        written
    }

    async fn flush_waits(&mut self) -> bool {
        if self.waits.is_empty() {
            return true;
        }
        let entry = waiting(self.edition.publication());
        let changes = self.waits.iter().map(|Wait { target, due, .. }| {
            wait(target.id, &target.subscription, entry, *due, None)
        });
        if !self.hub.commit_at_last(changes.collect()).await {
            return false;
        }
        for Wait {
            target,
            due,
            in_turn,
        } in self.waits.drain(..)
        {
            self.hub.knock(target.id, due);
            if in_turn {
                self.hub.end_turn(target.id, due);
            }
        }
        true
    }

    /// Waits until everything in flight has landed. Then the publication is done; or, if the process stops, the last
    /// checkpoint tells the next one where to go on.
    async fn land_all(mut self, visited_all: bool) {
        while self.in_flight > 0 {
            tokio::select! {
                Some(landed) = self.landed.recv() => self.land(landed),
                () = tokio::time::sleep_until(self.checkpoint_due) => {
                    self.checkpoint().await;
                }
            }
        }
        if visited_all && self.open.is_empty() {
            let done = Change::Visited(self.job.publication, self.job.tally);
            self.hub.commit_at_last(vec![done]).await;
        } else {
            self.checkpoint().await;
        }
    }
}

fn waiting(publication: &Publication) -> Waiting {
    Waiting {
        publication: publication.id,
        size: publication.size,
        accepted_at: publication.accepted_at,
    }
}

fn wait(
    target: TargetId,
    subscription: &Subscription,
    entry: Waiting,
    due: Timestamp,
    failed: Option<(Attempt, u32)>,
) -> Change {
    Change::Wait {
        target,
        callback: subscription.callback.clone(),
        entry,
        due,
        failed,
    }
}
