//! How an origin does, for who looks: whether it fails, since when and how, whether it is crowded or slow. In: how requests ended. Out: how it
//! stands. Who of them is late is said by `flow/late.rs`.

use std::time::Duration;

use super::{Circuit, Gate, Gates, Ordering, lock};
use crate::domain::attempt::{Failure, Outcome, Verdict};
use crate::domain::value::Timestamp;

/// What has failed so many times in a row does not fail by chance.
const SEVERAL: u32 = 3;

/// How an origin does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// How it has failed since it last did not.
    pub trouble: Option<Trouble>,
    /// It fails as a whole: several times in a row, or its circuit is open. Less may be one path of many.
    pub fails: bool,
    /// Until when it is not called.
    pub closed_until: Option<Timestamp>,
    /// Requests under way.
    pub in_flight: usize,
    /// Targets that wait for one of its slots.
    pub parked: usize,
    /// More is to go there than its slots take.
    pub crowded: bool,
    /// How long it usually takes to answer.
    pub usual: Option<Duration>,
}

/// Failures in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// The first of them.
    pub since: Timestamp,
    /// The last of them.
    pub last: Timestamp,
    /// How many.
    pub failures: u32,
    /// How the last one went: the status,
    pub status: Option<u16>,
    /// or why there was none.
    pub failure: Option<Failure>,
}

impl Gates {
    /// How each origin stands that was called lately.
    pub fn standings(&self) -> impl Iterator<Item = (Box<str>, Standing)> {
        let now = self.clock.now();
        let gates = self.gates.iter();
        gates.map(move |gate| (gate.key().clone(), gate.standing(now)))
    }

    /// Until when an origin is not called.
    pub fn paused_until(&self, origin: &str) -> Option<Timestamp> {
        let gate = self.gates.get(origin)?;
        gate.standing(self.clock.now()).closed_until
    }

    /// Somebody wants to know now: an open circuit lets its probe go at once.
    pub fn probe_now(&self, origin: &str) {
        let Some(gate) = self.gates.get(origin) else {
            return;
        };
        let mut circuit = lock(&gate.circuit);
        if let Circuit::Open { until, .. } = &mut *circuit {
            *until = self.clock.now().min(*until);
        }
    }
}

impl Gate {
    /// How the origin does.
    pub fn standing(&self, now: Timestamp) -> Standing {
        let usual = self.latency.load(Ordering::Relaxed);
        let parked = lock(&self.parked).len();
        let circuit = *lock(&self.circuit);
        let trouble = *lock(&self.trouble);
        Standing {
            trouble,
            fails: trouble.is_some_and(|trouble| trouble.failures >= SEVERAL)
                || !matches!(circuit, Circuit::Closed { .. }),
            closed_until: match circuit {
                Circuit::Closed { .. } => None,
                Circuit::Open { until, .. } | Circuit::Probing { until, .. } => Some(until),
            }
            .filter(|until| now < *until),
            in_flight: self.slots_taken(),
            parked,
            crowded: parked > 0 || self.crowded.load(Ordering::Relaxed),
            usual: (usual > 0).then(|| Duration::from_micros(usual.into())),
        }
    }

    /// A request has ended.
    pub(super) fn note(&self, outcome: &Outcome, now: Timestamp) {
        if !outcome.asked_origin() {
            return;
        }
        let mut trouble = lock(&self.trouble);
        *trouble = match outcome.verdict() {
            Verdict::Delivered | Verdict::Gone => None,
            Verdict::Failed { .. } => {
                let (status, failure) = match outcome {
                    Outcome::Answered { status, .. } => (Some(*status), None),
                    Outcome::Unanswered { failure, .. } => (None, Some(*failure)),
                };
                Some(Trouble {
                    since: trouble.map_or(now, |trouble| trouble.since),
                    last: now,
                    failures: trouble.map_or(1, |trouble| trouble.failures.saturating_add(1)),
                    status,
                    failure,
                })
            }
        };
    }
}
