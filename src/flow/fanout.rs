//! The fan-out: one durable job with a cursor brings a publication to all targets of a topic.
//!
//! Invariants:
//! 1. Before a checkpoint moves the cursor past a target, that target has the publication, or has it in its backlog, or
//!    stands in the checkpoint's list of open deliveries.
//! 2. Since the last checkpoint that is durable at most twice `CHECKPOINT_EVERY` deliveries and those in flight have ended,
//!    so at most as many are repeated after a crash. On the happy path a delivery writes nothing.
//! 3. Before the topic's next publication may start, this one is done, or a checkpoint at its end is durable. So after a crash
//!    it does not come to anybody anew after the next one, but for who stands in that checkpoint as open: it may have got
//!    this one and the next just before the crash, and gets this one once more.
//!    An event is news of its own, not a topic's new state: the next one need not wait for that, only for the rows of those
//!    who may get it at once another time. Who gets all through its backlog has the rows in order (`endings`).
//! 4. The cursor waits for nobody but for room in flight: who is slow waits aside, who is busy gets it through the backlog.
//! 5. At most `ledger::OPEN` deliveries are open at a time, so that a checkpoint is never a large value.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::{JoinError, JoinHandle};
use tokio::time::Instant;

use super::Hub;
use super::dispatch::Dispatch;
use super::editions::Edition;
use super::endings::{Ending, Knock};
use super::recover::Known;
use super::round::{Call, Carrier, wait, waiting};
use crate::domain::job::{Cursor, Fanout, Job};
use crate::domain::value::{CallbackId, Timestamp, TopicId};
use crate::store::{Change, StoreError, Target};

/// So many ended deliveries make a checkpoint due. While it is written as many more may end.
const CHECKPOINT_EVERY: usize = 500;
/// A checkpoint is due after this time at the latest.
const CHECKPOINT_AFTER: Duration = Duration::from_millis(250);
/// So long the topic's next publication waits for deliveries in flight: then this one needs no checkpoint.
const GRACE: Duration = Duration::from_millis(10);
/// Targets read at a time.
const PAGE: usize = 1_000;
/// Targets sent to their backlogs at a time.
const WAITS: usize = 500;

/// A fan-out under way.
struct Run {
    hub: Arc<Hub>,
    carrier: Arc<Carrier>,
    job: Fanout,
    known: Known,
    dispatch: Dispatch,
    /// Targets that go to their backlog with the next flush.
    waits: Vec<Wait>,
    checkpoint_due: Instant,
    /// The checkpoint that is being written.
    writing: Option<JoinHandle<bool>>,
}

struct Wait {
    target: Target,
    due: Timestamp,
    /// Whether it was this fan-out's turn, which ends when the row is written.
    in_turn: bool,
}

impl Wait {
    /// Whether it is for a target that gets everything through its backlog.
    fn is_in_line(&self) -> bool {
        let hook = self.target.hook();
        !self.in_turn && hook.is_some_and(|hook| !hook.goes_at_once())
    }
}

impl Hub {
    /// Visits every target that the cursor has not passed. What is in flight at the end lands on a task of its own, so that
    /// the topic's next publication need not wait for stragglers.
    pub(super) async fn run_fanout(self: &Arc<Self>, job: Fanout) -> Result<Vec<Job>, StoreError> {
        let Some((job, known, edition)) = self.begin_fanout(job).await? else {
            return Ok(Vec::new());
        };
        let carrier = Carrier::new(Arc::clone(self), edition, job.tally);
        let mut run = Run {
            hub: Arc::clone(self),
            dispatch: Dispatch::new(Arc::clone(self), Arc::clone(&carrier)),
            carrier,
            job,
            known,
            waits: Vec::new(),
            checkpoint_due: Instant::now() + CHECKPOINT_AFTER,
            writing: None,
        };
        let visited_all = run.visit_all().await;
        if run.is_event() {
            // Who always goes by its backlog is not overtaken: endings are written in their order.
            let must_wait = !run.waits.iter().all(Wait::is_in_line);
            if visited_all && run.writing.is_none() && run.carrier.ledger.is_settled() {
                run.end(must_wait).await;
            } else {
                let ending = run.ending(None);
                let visited_all = visited_all && run.write(ending, must_wait).await;
                self.tracker.spawn(run.land_all(visited_all));
            }
        } else if visited_all && run.lands_soon().await {
            run.land_all(true).await;
        } else {
            let visited_all =
                visited_all && run.checkpoint().await && run.checkpoint_written().await;
            self.tracker.spawn(run.land_all(visited_all));
        }
        Ok(Vec::new())
    }

    /// Where a fan-out begins, and with what. `None` if there is nothing (more) to do.
    async fn begin_fanout(
        &self,
        job: Fanout,
    ) -> Result<Option<(Fanout, Known, Arc<Edition>)>, StoreError> {
        if let Some(edition) = self.editions.begin(job.publication) {
            return Ok(Some((job, Known::default(), edition)));
        }
        // The job may have run before, and panicked: the store knows how far it came.
        let Some((mut job, mut known)) = self.resume_fanout(job.publication).await? else {
            return Ok(None);
        };
        if let Some(edition) = self.edition(job.publication).await? {
            return Ok(Some((job, known, edition)));
        }
        job.tally.targets += known.pass(job.end());
        let done = Change::Visited(job.publication, job.tally);
        self.store.commit(vec![done]).await?;
        Ok(None)
    }
}

impl Run {
    /// Goes on from the cursor. False if the process stops before the end.
    async fn visit_all(&mut self) -> bool {
        while let Some(topic) = self.job.members.get(self.job.cursor.member).copied() {
            if !self.visit_member(topic).await {
                return false;
            }
            self.job.cursor.member += 1;
            self.job.cursor.after = None;
            self.pass();
        }
        self.dispatch.send_all().await;
        true
    }

    /// Whether nothing is in flight, now or in a moment.
    async fn lands_soon(&self) -> bool {
        let landed = tokio::time::timeout(GRACE, self.carrier.all_landed());
        landed.await.is_ok() && self.carrier.ledger.is_settled()
    }

    /// While one page is visited the next one is read, by a task of its own; most topics have one page.
    async fn visit_member(&mut self, topic: TopicId) -> bool {
        let reading = read_page(Arc::clone(&self.hub), topic, self.job.cursor.after);
        let mut read = reading.await;
        while let Some(page) = read {
            let last = page.last().filter(|_| page.len() == PAGE);
            let next = last.map(|last| {
                let reading = read_page(Arc::clone(&self.hub), topic, Some(last.id.callback));
                self.hub.tracker.spawn(reading)
            });
            if !self.visit_page(page).await {
                return false;
            }
            read = match next {
                Some(next) => match next.await {
                    Ok(page) => page,
                    Err(error) => self.read_again(topic, &error).await,
                },
                None => return true,
            };
        }
        false
    }

    /// Reads the page behind the cursor, whose reader panicked. If this panics too, the job comes back.
    async fn read_again(&self, topic: TopicId, error: &JoinError) -> Option<Vec<Target>> {
        tracing::error!(%error, "a page of targets was not read; it is read again");
        read_page(Arc::clone(&self.hub), topic, self.job.cursor.after).await
    }

    /// False if the process stops before every target is taken care of.
    async fn visit_page(&mut self, page: Vec<Target>) -> bool {
        for target in page {
            if self.hub.stop.is_cancelled() {
                return false;
            }
            let callback = target.id.callback;
            let call = self.visit(target);
            self.job.cursor.after = Some(callback);
            self.pass();
            if let Some(call) = call {
                self.dispatch.add(call).await;
            }
            if self.waits.len() >= WAITS && !self.flush_waits().await {
                return false;
            }
            if self.is_checkpoint_due() && !self.checkpoint().await {
                return false;
            }
            if self.carrier.ledger.is_full() && !self.pause().await {
                return false;
            }
        }
        self.dispatch.send_known().await;
        true
    }

    /// Lets deliveries end before there are more. Nobody who was visited waits for that. False if the process stops.
    async fn pause(&mut self) -> bool {
        self.dispatch.send_all().await;
        if !self.flush_waits().await {
            return false;
        }
        tokio::select! {
            () = self.carrier.ledger.room() => true,
            () = self.hub.stop.cancelled() => false,
        }
    }

    /// Counts whom the cursor has passed and who needs no visit any more.
    fn pass(&mut self) {
        let passed = self.known.pass(self.job.cursor);
        self.carrier.ledger.count(passed);
    }

    /// Takes care of a target: a call to it, if it is to be called now.
    fn visit(&mut self, target: Target) -> Option<Call> {
        let now = self.hub.clock.now();
        let accepted_at = self.carrier.publication().accepted_at;
        if !target.receives(accepted_at, now) {
            return None;
        }
        let gate = self.hub.gates.of(target.callback().origin());
        let (in_turn, due) = match target.hook() {
            Some(hook) if !self.carrier.concerns(hook) => return None,
            // Its backlog is the only way that keeps its order, or its rate; and there it waits for one who was disabled since.
            Some(hook) if !hook.goes_at_once() => {
                self.hub.turns.announce(target.id);
                (false, Some(now))
            }
            hook => match self.hub.turns.begin(target.id, hook.is_some()) {
                true => (true, self.hub.gates.closed_until(&gate)),
                false => (false, Some(now)),
            },
        };
        self.known.visit(Cursor {
            after: Some(target.id.callback),
            ..self.job.cursor
        });
        self.carrier.ledger.visit(target.id, due.is_none());
        let Some(due) = due else {
            return Some(Call { target, gate });
        };
        self.waits.push(Wait {
            target,
            due,
            in_turn,
        });
        None
    }

    fn is_checkpoint_due(&self) -> bool {
        self.carrier.ledger.ended_since_checkpoint() >= CHECKPOINT_EVERY
            || Instant::now() >= self.checkpoint_due
    }

    /// Begins to write down how far the fan-out has come, once the checkpoint before is written. False if the process
    /// stops before that.
    async fn checkpoint(&mut self) -> bool {
        // First of all, so that one that fails is not due again at once.
        self.checkpoint_due = Instant::now() + CHECKPOINT_AFTER;
        if !self.flush_waits().await || !self.checkpoint_written().await {
            return false;
        }
        let checkpoint = self.stand();
        let hub = Arc::clone(&self.hub);
        let writing = async move { hub.commit_at_last(vec![checkpoint]).await };
        self.writing = Some(self.hub.tracker.spawn(writing));
        true
    }

    async fn checkpoint_written(&mut self) -> bool {
        let Some(writing) = self.writing.take() else {
            return true;
        };
        match writing.await {
            Ok(written) => written,
            Err(error) => {
                tracing::error!(%error, "a checkpoint was not written; it is written again");
                let flushed = self.flush_waits().await;
                let checkpoint = self.stand();
                flushed && self.hub.commit_at_last(vec![checkpoint]).await
            }
        }
    }

    /// How far the fan-out has come, to be written down.
    fn stand(&mut self) -> Change {
        self.carrier.ledger.write(&mut self.job);
        Change::Put(Job::Fanout(self.job.clone()))
    }

    /// Writes down who waits. False if the process stops before that.
    async fn flush_waits(&mut self) -> bool {
        let ending = self.ending(None);
        self.write(ending, true).await
    }

    /// Everybody has been visited, and nothing is in flight: writes that down, and who waits.
    async fn end(&mut self, must_wait: bool) {
        self.carrier.ledger.write(&mut self.job);
        let done = Change::Visited(self.job.publication, self.job.tally);
        let ending = self.ending(Some(done));
        self.write(ending, must_wait).await;
    }

    /// Who waits, and what comes with that, to be written down.
    fn ending(&mut self, more: Option<Change>) -> Ending {
        let entry = waiting(self.carrier.publication());
        let changes = self
            .waits
            .iter()
            .map(|Wait { target, due, .. }| wait(target.id, target.callback(), entry, *due, None));
        let changes = changes.chain(more).collect();
        let knocks = self.waits.drain(..).map(|wait| Knock {
            target: wait.target.id,
            due: wait.due,
            in_turn: wait.in_turn,
        });
        Ending {
            changes,
            knocks: knocks.collect(),
        }
    }

    async fn write(&self, ending: Ending, must_wait: bool) -> bool {
        ending.changes.is_empty() || self.hub.leave(ending, must_wait).await
    }

    fn is_event(&self) -> bool {
        self.carrier.publication().event.is_some()
    }

    /// Waits until everything in flight has landed. Then the publication is done; or, if the process stops, the last
    /// checkpoint tells the next one where to go on.
    async fn land_all(mut self, visited_all: bool) {
        let carrier = Arc::clone(&self.carrier);
        let landing = carrier.all_landed();
        tokio::pin!(landing);
        loop {
            tokio::select! {
                () = &mut landing => break,
                () = tokio::time::sleep_until(self.checkpoint_due) => {
                    self.checkpoint_due = Instant::now() + CHECKPOINT_AFTER;
                    if self.carrier.ledger.ended_since_checkpoint() > 0 {
                        self.checkpoint().await;
                    }
                }
            }
        }
        self.checkpoint_written().await;
        self.carrier.ledger.write(&mut self.job);
        if visited_all && self.job.open.is_empty() {
            // An event's next one does not wait for this; a topic's next content does.
            let must_wait = !self.is_event();
            self.end(must_wait).await;
        } else if self.checkpoint().await {
            self.checkpoint_written().await;
        }
    }
}

async fn read_page(
    hub: Arc<Hub>,
    topic: TopicId,
    after: Option<CallbackId>,
) -> Option<Vec<Target>> {
    hub.at_last(|| hub.store.targets(topic, after, PAGE)).await
}

impl Drop for Run {
    /// However it ends, a panic included, whom it has not sent on is not busy.
    fn drop(&mut self) {
        let now = self.hub.clock.now();
        let waits = self.waits.iter().filter(|wait| wait.in_turn);
        let targets = waits.map(|wait| &wait.target);
        for target in targets.chain(self.dispatch.calls().map(|call| &call.target)) {
            self.hub.end_turn(target.id, now);
        }
    }
}

#[cfg(test)]
mod tests;
