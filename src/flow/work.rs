//! The one loop: durable jobs come in, each runs when it is due, and what it leaves to do comes in again.
//!
//! Invariants:
//! 1. A job that is in the loop is in the store too, so losing the loop's memory loses nothing.
//! 2. In one lane one job runs at a time, in the order in which they fell due.
//! 3. Of one kind at most `Capacity` run at a time, and for one host a small part of that; the others wait without a task of
//!    their own.
//! 4. A job whose store failed, or that panicked, comes back after `PAUSE`, unchanged.

mod places;
mod queue;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

pub use self::queue::Capacity;
use self::queue::Queue;
use super::clock::Clock;
use super::pulse::{Activity, Pulse};
use super::{Hub, traces};
use crate::domain::job::{Job, JobId};
use crate::domain::value::Timestamp;
use crate::store::StoreError;

/// How long a job waits after the store has failed it, or it has panicked.
const PAUSE: Duration = Duration::from_secs(1);
/// The loop shows that it is alive at least this often.
const HEARTBEAT: Duration = Duration::from_secs(1);
/// How many jobs are read at a time at start-up.
const PAGE: usize = 1_000;

/// The jobs in memory.
pub struct Work {
    queue: Mutex<Queue>,
    woken: Notify,
    /// Whether it gets on.
    pub pulse: Pulse,
}

impl Work {
    /// No jobs yet.
    pub fn new(capacity: Capacity) -> Self {
        Self {
            queue: Mutex::new(Queue::new(capacity)),
            woken: Notify::new(),
            pulse: Pulse::default(),
        }
    }

    /// Takes a job in, to run when it is due.
    pub fn schedule(&self, job: Job) {
        let due = job.due();
        self.schedule_at(job, due);
    }

    /// Takes a job in, to run at a time of the caller's choosing.
    pub fn schedule_at(&self, job: Job, due: Timestamp) {
        self.lock().postpone(job, due);
        self.woken.notify_one();
    }

    /// How many jobs of an activity are due, be it that they run or that they wait for a place.
    pub fn due(&self, activity: Activity) -> usize {
        self.lock().due(activity)
    }

    /// How many jobs wait or run.
    pub fn len(&self) -> usize {
        self.lock().len()
    }

    /// Whether nothing waits or runs.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes every job of the store in: what an earlier process left to do.
///
/// # Errors
/// The store's.
pub async fn take_over(hub: &Hub) -> Result<usize, StoreError> {
    // The loop begins right after this; until it has gone round once it is as alive as it can be.
    hub.work.pulse.go_round(hub.clock.now());
    let mut after: Option<JobId> = None;
    let mut count = 0;
    loop {
        let page = hub.store.jobs(after, PAGE).await?;
        let Some(last) = page.last() else {
            return Ok(count);
        };
        after = Some(last.id());
        count += page.len();
        for job in page {
            match job {
                // Due or not: what is too old is given up at its time.
                Job::Backlog(job) => hub.knock(job.target, hub.clock.now()),
                Job::Fanout(job) => {
                    let job = hub.recover_fanout(job).await?;
                    hub.work.schedule(Job::Fanout(job));
                }
                Job::Fetch(job) => {
                    hub.announce_fetch(&job);
                    hub.work.schedule(Job::Fetch(job));
                }
                Job::Verify(job) => {
                    if job.failures > 0 {
                        hub.verdicts.wait(&job);
                    }
                    hub.work.schedule(Job::Verify(job));
                }
                job => hub.work.schedule(job),
            }
        }
    }
}

/// Runs jobs, each on a task of its own, until the hub stops; then no new ones.
pub async fn run(hub: Arc<Hub>) {
    while !hub.stop.is_cancelled() {
        let now = hub.clock.now();
        hub.work.pulse.go_round(now);
        let next_due = {
            let mut queue = hub.work.lock();
            queue.ripen(now);
            while let Some(job) = queue.start_next() {
                hub.work.pulse.beat(Activity::of(&job), now);
                hub.tracker.spawn(run_one(Arc::clone(&hub), job));
            }
            queue.next_due()
        };
        let pause = next_due.map_or(HEARTBEAT, |due| due.since(now).min(HEARTBEAT));
        tokio::select! {
            biased;
            () = hub.stop.cancelled() => return,
            () = hub.work.woken.notified() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
}

async fn run_one(hub: Arc<Hub>, job: Job) {
    let mut run = Run::new(Arc::clone(&hub.work), hub.clock, job.clone());
    // Boxed but for fan-outs, which come by the thousand: their futures would be as large otherwise.
    let ended = match job {
        Job::Verify(job) => Box::pin(hub.run_verify(job)).await,
        Job::Deny(job) => Box::pin(hub.run_deny(job)).await,
        Job::Fetch(job) => {
            let (id, at) = (job.publication, hub.clock.now());
            let ended = Box::pin(hub.run_fetch(job)).await;
            hub.traced(id, traces::FETCH, at, &ended);
            ended
        }
        Job::Fanout(job) => {
            let (id, at) = (job.publication, hub.clock.now());
            let ended = hub.run_fanout(job).await;
            hub.traced(id, traces::FAN_OUT, at, &ended);
            ended
        }
        Job::Backlog(job) => Box::pin(hub.run_backlog(job)).await,
    };
    run.ended = Some(ended);
}

/// A job that runs. However it ends, its lane and its place become free.
struct Run {
    work: Arc<Work>,
    clock: Clock,
    job: Job,
    /// `None` until it has come to an end of its own.
    ended: Option<Result<Vec<Job>, StoreError>>,
}

impl Run {
    fn new(work: Arc<Work>, clock: Clock, job: Job) -> Self {
        Self {
            work,
            clock,
            job,
            ended: None,
        }
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        let follow_ups = match self.ended.take() {
            Some(Ok(follow_ups)) => Some(follow_ups),
            Some(Err(error)) => {
                tracing::error!(job = ?self.job.id(), %error, "the store failed a job; it is tried again");
                None
            }
            None => {
                tracing::error!(job = ?self.job.id(), "a job was cut short, most likely by a panic; it is tried again");
                None
            }
        };
        let now = self.clock.now();
        self.work.pulse.beat(Activity::of(&self.job), now);
        let mut queue = self.work.lock();
        match follow_ups {
            Some(follow_ups) => {
                for job in follow_ups {
                    let due = job.due();
                    queue.postpone(job, due);
                }
            }
            None => queue.postpone(self.job.clone(), now.plus(PAUSE)),
        }
        queue.ended(&self.job);
        drop(queue);
        self.work.woken.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::job::Backlog;
    use crate::domain::value::{CallbackId, TargetId, TopicId};

    #[tokio::test(start_paused = true)]
    async fn a_job_that_panics_leaves_its_place_and_comes_back() {
        let one = Capacity {
            verify: 1,
            fetch: 1,
            fanout: 1,
            backlog: 1,
        };
        let work = Arc::new(Work::new(one));
        let clock = Clock::runtime(Timestamp(0));
        let target = TargetId {
            topic: TopicId([1; 16]),
            callback: CallbackId([2; 16]),
        };
        work.schedule(Job::Backlog(Backlog {
            target,
            due: Timestamp(0),
            failures: 0,
            entries: 0,
            bytes: 0,
        }));
        let start = |now| {
            let mut queue = work.lock();
            queue.ripen(now);
            queue.start_next()
        };
        let job = start(Timestamp(0)).expect("it is due");
        let run = Run::new(Arc::clone(&work), clock, job.clone());
        let panicked = tokio::spawn(async move {
            let _run = run;
            panic!("on purpose");
        });
        assert!(panicked.await.is_err());
        assert_eq!(work.len(), 1);
        assert_eq!(start(Timestamp(0)), None, "it comes after a pause");
        assert_eq!(start(Timestamp(0).plus(PAUSE)), Some(job));
    }
}
