//! One gate for each origin (scheme, host, port): so many requests at a time, none while its circuit is open, and a
//! place to wait aside so that a slow origin holds up nobody else.
//!
//! Invariants:
//! 1. At most `per_origin` swift requests and `per_origin * STRAGGLERS` stragglers of one origin are under way.
//! 2. A parked backlog job is woken when a slot of its origin comes free; if it leaves without taking it, the next one is.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use dashmap::DashMap;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

pub use self::standing::{Standing, Trouble};
use super::clock::{Clock, jitter};
use super::round::acquire;
use super::work::Work;
use crate::domain::attempt::Outcome;
use crate::domain::job::{Backlog, Job};
use crate::domain::retry::{Circuit, Passage, Schedule};
use crate::domain::value::{TargetId, Timestamp};

/// For each slot of an origin, so many requests that take long may be under way beside it.
const STRAGGLERS: usize = 8;
/// A request that is not answered after this many times the origin's usual latency counts as a straggler.
const PATIENCE_FACTOR: u32 = 8;
/// The bounds of that patience.
const PATIENCE: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(500));
/// How long a fan-out's delivery waits aside before it goes into the backlog.
const ASIDE: Duration = Duration::from_secs(1);

/// What all gates have in common.
#[derive(Clone, Debug)]
pub struct GateRules {
    /// Requests at a time for each origin.
    pub per_origin: usize,
    /// Failures in a row that open the circuit; 0 leaves it closed for ever.
    pub circuit_failures: u32,
    /// How long it stays open.
    pub circuit_schedule: Schedule,
    /// When a probe counts as lost.
    pub probe_for: Duration,
    /// How long a failure is remembered, for who looks: as long as it may take until the next attempt.
    pub remember: Duration,
}

/// The gates, by origin.
pub struct Gates {
    rules: GateRules,
    clock: Clock,
    work: Arc<Work>,
    gates: DashMap<Box<str>, Arc<Gate>>,
    called: Arc<DashMap<TargetId, Arc<Gate>>>,
}

/// The gate of one origin.
pub struct Gate {
    /// Of both kinds together.
    places: usize,
    slots: Arc<Semaphore>,
    stragglers: Arc<Semaphore>,
    /// A waiter has lost patience since a slot was last free at once.
    crowded: AtomicBool,
    /// Somebody is finding out whether it answers.
    explored: AtomicBool,
    /// The usual latency, in microseconds: a moving average over answers.
    latency: AtomicU32,
    circuit: Mutex<Circuit>,
    /// For who looks; the flow goes by the circuit.
    trouble: Mutex<Option<Trouble>>,
    parked: Mutex<VecDeque<Backlog>>,
    /// Whose parked job was woken, by which gate, and has not come yet. All gates share it.
    called: Arc<DashMap<TargetId, Arc<Gate>>>,
    work: Arc<Work>,
    clock: Clock,
}

/// The right to make one request; given back when it is dropped.
pub struct Permit {
    gate: Arc<Gate>,
    permit: Option<OwnedSemaphorePermit>,
}

/// A slot was free for a parked job. If there still is one when this is dropped, the next parked job is woken.
pub struct Call(Arc<Gate>);

impl Gates {
    /// No origin is known yet. Parked jobs go back to `work`.
    pub fn new(rules: GateRules, clock: Clock, work: Arc<Work>) -> Self {
        Self {
            rules,
            clock,
            work,
            gates: DashMap::new(),
            called: Arc::default(),
        }
    }

    /// The gate of an origin.
    pub fn of(&self, origin: &str) -> Arc<Gate> {
        if let Some(gate) = self.gates.get(origin) {
            return Arc::clone(&gate);
        }
        let gate = self.gates.entry(origin.into()).or_insert_with(|| {
            Arc::new(Gate {
                places: self.rules.per_origin * (1 + STRAGGLERS),
                slots: Arc::new(Semaphore::new(self.rules.per_origin)),
                stragglers: Arc::new(Semaphore::new(self.rules.per_origin * STRAGGLERS)),
                crowded: AtomicBool::new(false),
                explored: AtomicBool::new(false),
                latency: AtomicU32::new(0),
                circuit: Mutex::default(),
                trouble: Mutex::default(),
                parked: Mutex::default(),
                called: Arc::clone(&self.called),
                work: Arc::clone(&self.work),
                clock: self.clock,
            })
        });
        Arc::clone(&gate)
    }

    /// Whether a request may go to the gate's origin now, as far as its circuit is concerned.
    pub fn passage(&self, gate: &Gate) -> Passage {
        let mut circuit = lock(&gate.circuit);
        let (next, passage) = circuit.enter(self.clock.now(), self.rules.probe_for);
        *circuit = next;
        passage
    }

    /// Until when an origin's circuit is open, if it is. Does not take the probe's place.
    pub fn closed_until(&self, gate: &Gate) -> Option<Timestamp> {
        let circuit = *lock(&gate.circuit);
        match circuit.enter(self.clock.now(), self.rules.probe_for).1 {
            Passage::Free => None,
            Passage::NotBefore(until) => Some(until),
        }
    }

    /// Tells the circuit how a request ended.
    pub fn record(&self, gate: &Gate, outcome: &Outcome, took: Duration) {
        gate.explore_again();
        gate.note(outcome, self.clock.now());
        let mut circuit = lock(&gate.circuit);
        *circuit = if !outcome.asked_origin() {
            circuit.not_asked(self.clock.now())
        } else if outcome.blames_origin() {
            circuit.failed(
                self.clock.now(),
                self.rules.circuit_failures,
                &self.rules.circuit_schedule,
                jitter(),
            )
        } else {
            gate.learn(took);
            circuit.succeeded()
        };
    }

    /// A backlog job runs: the call that woke it, if it was parked.
    pub fn answer_call(&self, target: TargetId) -> Option<Call> {
        self.called.remove(&target).map(|(_, gate)| Call(gate))
    }

    /// Forgets origins that nobody uses, waits for, or has to spare at the moment. Whoever waits though a slot is free
    /// is woken.
    pub fn prune(&self) {
        let now = self.clock.now();
        self.gates.retain(|_, gate| {
            gate.wake_for_free_slots();
            let is_troubled =
                lock(&gate.trouble).is_some_and(|it| now < it.last.plus(self.rules.remember));
            let is_waited_for = !lock(&gate.parked).is_empty();
            Arc::strong_count(gate) > 1 || gate.is_open(now) || is_waited_for || is_troubled
        });
    }

    /// How many origins have an open circuit.
    pub fn open_circuits(&self) -> usize {
        self.gates
            .iter()
            .filter(|gate| !matches!(*lock(&gate.circuit), Circuit::Closed { .. }))
            .count()
    }
}

impl Gate {
    /// A slot that is free.
    pub fn try_pass(self: &Arc<Self>) -> Option<Permit> {
        let permit = Arc::clone(&self.slots).try_acquire_owned().ok()?;
        self.crowded.store(false, Ordering::Relaxed);
        Some(self.permit(permit))
    }

    /// A slot for a fan-out: waits aside for it, but not for long, and not at all while the origin is crowded.
    pub async fn pass(self: &Arc<Self>) -> Option<Permit> {
        if let Some(permit) = self.try_pass() {
            return Some(permit);
        }
        if self.crowded.load(Ordering::Relaxed) {
            return None;
        }
        match tokio::time::timeout(ASIDE, Arc::clone(&self.slots).acquire_owned()).await {
            Ok(permit) => Some(self.permit(permit.ok()?)),
            Err(_) => {
                self.crowded.store(true, Ordering::Relaxed);
                None
            }
        }
    }

    /// A slot for who asks for this one thing: waits in turn, however long.
    pub async fn pass_in_turn(self: &Arc<Self>) -> Permit {
        self.permit(acquire(&self.slots).await)
    }

    /// A slot for a backlog job, or the job is parked until one comes free.
    pub fn pass_or_park(self: &Arc<Self>, job: impl FnOnce() -> Backlog) -> Option<Permit> {
        let mut parked = lock(&self.parked);
        match Arc::clone(&self.slots).try_acquire_owned() {
            Ok(permit) => Some(self.permit(permit)),
            Err(_) => {
                parked.push_back(job());
                None
            }
        }
    }

    /// Whether it has answered, and has not failed to since.
    pub fn is_known(&self) -> bool {
        let failed = !matches!(*lock(&self.circuit), Circuit::Closed { failures: 0 });
        !failed && self.latency.load(Ordering::Relaxed) > 0
    }

    /// True for the first who asks since a request last ended, or was slow: it is the one to find out whether the origin answers.
    pub fn explore(&self) -> bool {
        !self.explored.swap(true, Ordering::Relaxed)
    }

    /// Who finds out is not answered at once: somebody else may be, as it may be the path that hangs.
    pub fn explore_again(&self) {
        self.explored.store(false, Ordering::Relaxed);
    }

    /// How long to wait for an answer before the request counts as a straggler.
    pub fn patience(&self) -> Duration {
        let usual = Duration::from_micros(u64::from(self.latency.load(Ordering::Relaxed)));
        (usual * PATIENCE_FACTOR).clamp(PATIENCE.0, PATIENCE.1)
    }

    /// How many requests are under way.
    fn slots_taken(&self) -> usize {
        let free = self.slots.available_permits() + self.stragglers.available_permits();
        (self.places).saturating_sub(free)
    }

    fn permit(self: &Arc<Self>, permit: OwnedSemaphorePermit) -> Permit {
        Permit {
            gate: Arc::clone(self),
            permit: Some(permit),
        }
    }

    /// Moves the usual latency an eighth of the way to this one. A lost update does no harm.
    fn learn(&self, took: Duration) {
        let took = u32::try_from(took.as_micros()).unwrap_or(u32::MAX);
        let usual = self.latency.load(Ordering::Relaxed);
        self.latency
            .store(usual - usual / 8 + took / 8, Ordering::Relaxed);
    }

    fn is_open(&self, now: Timestamp) -> bool {
        match *lock(&self.circuit) {
            Circuit::Closed { .. } => false,
            Circuit::Open { until, .. } | Circuit::Probing { until, .. } => until > now,
        }
    }

    fn wake_one(self: &Arc<Self>) {
        let parked = lock(&self.parked).pop_front();
        if let Some(job) = parked {
            self.called.insert(job.target, Arc::clone(self));
            self.work.schedule_at(Job::Backlog(job), self.clock.now());
        }
    }

    fn wake_for_free_slots(self: &Arc<Self>) {
        for _ in 0..self.slots.available_permits() {
            self.wake_one();
        }
    }
}

impl Permit {
    /// Whose slot it is.
    pub fn gate(&self) -> &Gate {
        &self.gate
    }

    /// The request takes long: it leaves its slot to another, as long as there is room for stragglers.
    pub fn straggle(&mut self) {
        if let Ok(room) = Arc::clone(&self.gate.stragglers).try_acquire_owned() {
            self.permit = Some(room);
            self.gate.wake_one();
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.permit = None;
        self.gate.wake_one();
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.0.wake_for_free_slots();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

mod standing;
#[cfg(test)]
mod tests;
