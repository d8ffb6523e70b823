//! When to try again: a schedule of delays with jitter, and the circuit that spares an origin in trouble.

use std::time::Duration;

use super::value::Timestamp;

/// The delays between attempts; the last one repeats.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    steps: Vec<Duration>,
}

impl Schedule {
    /// A schedule of these delays; without any, a minute.
    pub fn new(steps: Vec<Duration>) -> Self {
        Self { steps }
    }

    /// How many delays there are: who gives up after the last one asks for this.
    pub fn len(&self) -> usize {
        self.steps.len()
    }

    /// The longest delay, before it is spread.
    pub fn longest(&self) -> Duration {
        self.steps.iter().max().copied().unwrap_or_default()
    }

    /// Whether there is no delay at all.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// The delay after the `failures`-th failure (from 1), spread by up to a tenth to either side.
    /// `jitter` is uniform in 0..1.
    pub fn delay(&self, failures: u32, jitter: f64) -> Duration {
        let index = usize::try_from(failures.saturating_sub(1)).unwrap_or(usize::MAX);
        let last = self
            .steps
            .last()
            .copied()
            .unwrap_or(Duration::from_secs(60));
        let step = self.steps.get(index).copied().unwrap_or(last);
        step.mul_f64(0.9 + 0.2 * jitter.clamp(0.0, 1.0))
    }

    /// Like `delay`, but not before what the receiver asked for, of which at most `cap` is granted.
    pub fn delay_at_least(
        &self,
        failures: u32,
        jitter: f64,
        asked: Option<Duration>,
        cap: Duration,
    ) -> Duration {
        self.delay(failures, jitter)
            .max(asked.unwrap_or_default().min(cap))
    }
}

/// Whether requests to an origin make sense at the moment.
///
/// Closed -> (so many failures in a row) -> Open -> (time passes) -> one probe -> Closed or Open for longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Circuit {
    /// Requests go; so many failed in a row.
    Closed {
        /// Failures since the last success.
        failures: u32,
    },
    /// No request goes before then.
    Open {
        /// When a probe may go.
        until: Timestamp,
        /// How often it has opened since the last success.
        opened: u32,
    },
    /// One request is under way to see whether the origin is back.
    Probing {
        /// When the probe counts as lost.
        until: Timestamp,
        /// How often it has opened since the last success.
        opened: u32,
    },
}

impl Default for Circuit {
    fn default() -> Self {
        Self::Closed { failures: 0 }
    }
}

/// The answer to "may a request go?".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Passage {
    /// It may.
    Free,
    /// Not before this time.
    NotBefore(Timestamp),
}

impl Circuit {
    /// Whether a request may go now. When the circuit has been open for long enough, the one that asks is the
    /// probe; it counts as lost after `probe_for`.
    pub fn enter(self, now: Timestamp, probe_for: Duration) -> (Self, Passage) {
        match self {
            Self::Closed { .. } => (self, Passage::Free),
            Self::Open { until, opened } | Self::Probing { until, opened } if now >= until => (
                Self::Probing {
                    until: now.plus(probe_for),
                    opened,
                },
                Passage::Free,
            ),
            Self::Open { until, .. } | Self::Probing { until, .. } => {
                (self, Passage::NotBefore(until))
            }
        }
    }

    /// A receiver of the origin answered, whatever it said.
    pub fn succeeded(self) -> Self {
        Self::default()
    }

    /// A request that was let through was never made: if it was the probe, the next one is.
    pub fn not_asked(self, now: Timestamp) -> Self {
        match self {
            Self::Probing { opened, .. } => Self::Open { until: now, opened },
            other => other,
        }
    }

    /// No answer came. After `threshold` such failures in a row the circuit opens for `schedule`'s next delay; with 0 it never does.
    pub fn failed(self, now: Timestamp, threshold: u32, schedule: &Schedule, jitter: f64) -> Self {
        let opened = match self {
            Self::Closed { failures } if threshold == 0 || failures + 1 < threshold => {
                return Self::Closed {
                    failures: failures.saturating_add(1),
                };
            }
            Self::Closed { .. } => 0,
            // A request that began before the circuit opened says nothing new.
            Self::Open { .. } => return self,
            Self::Probing { opened, .. } => opened,
        };
        Self::Open {
            until: now.plus(schedule.delay(opened + 1, jitter)),
            opened: opened + 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn schedule() -> Schedule {
        Schedule::new(vec![Duration::from_secs(10), Duration::from_secs(60)])
    }

    #[test]
    fn the_last_step_repeats() {
        assert_eq!(schedule().delay(1, 0.5), Duration::from_secs(10));
        assert_eq!(schedule().delay(2, 0.5), Duration::from_secs(60));
        assert_eq!(schedule().delay(900, 0.5), Duration::from_secs(60));
    }

    #[test]
    fn retry_after_only_postpones_and_is_capped() {
        let cap = Duration::from_secs(100);
        for (asked, expected) in [(None, 10), (Some(1), 10), (Some(50), 50), (Some(5000), 100)] {
            let asked = asked.map(Duration::from_secs);
            assert_eq!(
                schedule().delay_at_least(1, 0.5, asked, cap),
                Duration::from_secs(expected)
            );
        }
    }

    #[test]
    fn a_circuit_opens_probes_and_closes() {
        let probe = Duration::from_secs(5);
        let mut circuit = Circuit::default();
        for _ in 0..2 {
            circuit = circuit.failed(Timestamp(0), 3, &schedule(), 0.5);
            assert_eq!(circuit.enter(Timestamp(0), probe).1, Passage::Free);
        }
        circuit = circuit.failed(Timestamp(0), 3, &schedule(), 0.5);
        assert_eq!(
            circuit.enter(Timestamp(9_999), probe).1,
            Passage::NotBefore(Timestamp(10_000))
        );
        let (probing, passage) = circuit.enter(Timestamp(10_000), probe);
        assert_eq!(passage, Passage::Free);
        assert_eq!(
            probing.enter(Timestamp(10_001), probe).1,
            Passage::NotBefore(Timestamp(15_000))
        );
        let longer = probing.failed(Timestamp(10_001), 3, &schedule(), 0.5);
        assert_eq!(
            longer,
            Circuit::Open {
                until: Timestamp(70_001),
                opened: 2
            }
        );
        assert_eq!(probing.succeeded(), Circuit::Closed { failures: 0 });
    }

    proptest! {
        #[test]
        fn jitter_stays_within_a_tenth(failures in 0u32..20, jitter in 0.0f64..1.0) {
            let exact = schedule().delay(failures, 0.5);
            let delay = schedule().delay(failures, jitter);
            prop_assert!(delay >= exact.mul_f64(0.8999) && delay <= exact.mul_f64(1.1001));
        }
    }
}
