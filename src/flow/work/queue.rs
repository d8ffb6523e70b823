//! The jobs in memory. In: a job with the time when it is due. Out: the job when it may start; it is handed back when it has
//! ended. Pure: no clock, no lock, no task.
//!
//! A job that is due waits first for its lane, then for a place of its host, then for a place of its kind, and holds what it
//! has got until it has ended. So whoever holds up a lane or a host runs, or waits for those who run; and who waits for a
//! slow host takes no place from others.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};

use super::places::Places;
use crate::domain::job::Job;
use crate::domain::value::{TargetId, Timestamp, TopicId};
use crate::flow::pulse::Activity;

/// One host has at most one in so many places of a kind: many hosts have to hang before others wait, and one alone still gets
/// enough done.
const HOST_SHARE: usize = 8;

/// How many jobs of each kind may run at a time; each is at least 1.
#[derive(Clone, Copy, Debug)]
pub struct Capacity {
    /// `Verify` and `Deny`.
    pub verify: usize,
    /// `Fetch`.
    pub fetch: usize,
    /// `Fanout`.
    pub fanout: usize,
    /// `Backlog`.
    pub backlog: usize,
}

/// See the module.
pub(super) struct Queue {
    capacity: Capacity,
    len: usize,
    /// Of each activity, the jobs that are due and have not ended.
    due: [usize; Activity::ALL.len()],
    later: BinaryHeap<Reverse<(Timestamp, u64)>>,
    jobs: HashMap<u64, Job>,
    next: u64,
    lanes: Places<Lane>,
    hosts: Places<(Kind, String)>,
    kinds: Places<Kind>,
    ready: VecDeque<Job>,
}

/// Jobs that run one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Lane {
    /// What callbacks are asked about a target.
    Verify(TargetId),
    /// Fetches of a topic.
    Fetch(TopicId),
    /// Fan-outs of a topic.
    Fanout(TopicId),
    /// Attempts for a target.
    Backlog(TargetId),
}

/// Jobs that share places.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Kind {
    Verify,
    Fetch,
    Fanout,
    Backlog,
}

impl Queue {
    /// No jobs yet.
    pub(super) fn new(capacity: Capacity) -> Self {
        Self {
            capacity,
            len: 0,
            due: [0; Activity::ALL.len()],
            later: BinaryHeap::new(),
            jobs: HashMap::new(),
            next: 0,
            lanes: Places::default(),
            hosts: Places::default(),
            kinds: Places::default(),
            ready: VecDeque::new(),
        }
    }

    /// Takes a job in, to start at this time or after it.
    pub(super) fn postpone(&mut self, job: Job, due: Timestamp) {
        let key = self.next;
        self.next += 1;
        self.len += 1;
        self.later.push(Reverse((due, key)));
        self.jobs.insert(key, job);
    }

    /// Moves what is due to where it may start.
    pub(super) fn ripen(&mut self, now: Timestamp) {
        while let Some(Reverse((due, key))) = self.later.peek().copied() {
            if due > now {
                return;
            }
            self.later.pop();
            if let Some(job) = self.jobs.remove(&key) {
                self.enter_lane(job);
            }
        }
    }

    /// A job that starts now.
    pub(super) fn start_next(&mut self) -> Option<Job> {
        self.ready.pop_front()
    }

    /// A job that was started has ended: it leaves all its places.
    pub(super) fn ended(&mut self, job: &Job) {
        self.len -= 1;
        self.due[Activity::of(job) as usize] -= 1;
        if let Some(next) = self.kinds.leave(&kind(job)) {
            self.ready.push_back(next);
        }
        if let Some(host) = host(job)
            && let Some(next) = self.hosts.leave(&(kind(job), host))
        {
            self.enter_kind(next);
        }
        if let Some(next) = self.lanes.leave(&lane(job)) {
            self.enter_host(next);
        }
    }

    /// When the next job falls due.
    pub(super) fn next_due(&self) -> Option<Timestamp> {
        self.later.peek().map(|Reverse((due, _))| *due)
    }

    /// How many jobs of an activity are due and have not ended.
    pub(super) fn due(&self, activity: Activity) -> usize {
        self.due[activity as usize]
    }

    /// How many jobs wait or run.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    fn enter_lane(&mut self, job: Job) {
        self.due[Activity::of(&job) as usize] += 1;
        if let Some(job) = self.lanes.enter(lane(&job), 1, job) {
            self.enter_host(job);
        }
    }

    fn enter_host(&mut self, job: Job) {
        let Some(host) = host(&job) else {
            return self.enter_kind(job);
        };
        let kind = kind(&job);
        let limit = self.capacity.of_host(kind);
        if let Some(job) = self.hosts.enter((kind, host), limit, job) {
            self.enter_kind(job);
        }
    }

    fn enter_kind(&mut self, job: Job) {
        let kind = kind(&job);
        if let Some(job) = self.kinds.enter(kind, self.capacity.of(kind), job) {
            self.ready.push_back(job);
        }
    }
}

impl Capacity {
    fn of(&self, kind: Kind) -> usize {
        match kind {
            Kind::Verify => self.verify,
            Kind::Fetch => self.fetch,
            Kind::Fanout => self.fanout,
            Kind::Backlog => self.backlog,
        }
    }

    fn of_host(&self, kind: Kind) -> usize {
        (self.of(kind) / HOST_SHARE).max(1)
    }
}

fn kind(job: &Job) -> Kind {
    match job {
        Job::Verify(_) | Job::Deny(_) => Kind::Verify,
        Job::Fetch(_) => Kind::Fetch,
        Job::Fanout(_) => Kind::Fanout,
        Job::Backlog(_) => Kind::Backlog,
    }
}

/// The host that the job asks and that may let it hang. A fan-out asks many, and a backlog's host is the gate's business.
fn host(job: &Job) -> Option<String> {
    match job {
        Job::Verify(job) => Some(job.intent.callback.host().to_owned()),
        Job::Deny(job) => Some(job.denial.callback.host().to_owned()),
        Job::Fetch(job) => Some(job.topic.fetchable()?.host_str()?.to_owned()),
        Job::Fanout(_) | Job::Backlog(_) => None,
    }
}

fn lane(job: &Job) -> Lane {
    match job {
        Job::Verify(job) => Lane::Verify(job.intent.target()),
        Job::Deny(job) => Lane::Verify(TargetId {
            topic: job.denial.topic.id(),
            callback: job.denial.callback.id(),
        }),
        Job::Fetch(job) => Lane::Fetch(job.topic.id()),
        Job::Fanout(job) => Lane::Fanout(
            job.members
                .first()
                .copied()
                .unwrap_or(TopicId(*job.publication.0.as_bytes())),
        ),
        Job::Backlog(job) => Lane::Backlog(job.target),
    }
}

#[cfg(test)]
mod tests;
