//! The pulse of the work: whether what is under way gets on. In: a note whenever the loop goes round, and whenever something
//! begins or ends. Out: what stands still, in words.
//!
//! Slow is not still. Whatever runs has a timeout, so while anything is due, something must begin or end within it, however slow
//! the others out there are, and however much waits for a place. If nothing does, the places are lost.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::domain::job::Job;
use crate::domain::value::Timestamp;

/// How long the loop may take to go round; it does so each second.
const ROUND_MAX: Duration = Duration::from_secs(5);
/// What a busy machine may take beyond a timeout.
const MARGIN: Duration = Duration::from_secs(60);

/// What the hub does with others.
#[derive(Clone, Copy, Debug)]
pub enum Activity {
    /// Asks callbacks, or tells them that they are denied.
    Verification,
    /// Fetches topics.
    Fetch,
    /// Brings publications to callbacks.
    Delivery,
}

/// When something last happened.
#[derive(Debug, Default)]
pub struct Pulse {
    went_round: AtomicU64,
    moved: [AtomicU64; Activity::ALL.len()],
}

/// How things stand at one moment.
#[derive(Clone, Copy, Debug)]
pub struct Snapshot {
    /// The moment.
    pub now: Timestamp,
    /// When the loop last went round.
    pub went_round: Timestamp,
    /// Each activity.
    pub standings: [Standing; Activity::ALL.len()],
}

/// How one activity stands.
#[derive(Clone, Copy, Debug)]
pub struct Standing {
    /// Which.
    pub activity: Activity,
    /// How much of it is due and has not ended.
    pub due: usize,
    /// When something of it last began or ended.
    pub moved: Timestamp,
    /// How long one may take at the most.
    pub timeout: Duration,
}

impl Activity {
    /// Every one, in order.
    pub const ALL: [Self; 3] = [Self::Verification, Self::Fetch, Self::Delivery];

    /// What a job is part of.
    pub fn of(job: &Job) -> Self {
        match job {
            Job::Verify(_) | Job::Deny(_) => Self::Verification,
            Job::Fetch(_) => Self::Fetch,
            Job::Fanout(_) | Job::Backlog(_) => Self::Delivery,
        }
    }
}

impl Pulse {
    /// The loop goes round.
    pub fn go_round(&self, now: Timestamp) {
        self.went_round.store(now.0, Ordering::Relaxed);
    }

    /// Something begins or ends.
    pub fn beat(&self, activity: Activity, now: Timestamp) {
        self.moved[activity as usize].store(now.0, Ordering::Relaxed);
    }

    /// How things stand; `measure` tells how much of an activity is due, and how long one may take.
    pub fn snapshot(
        &self,
        now: Timestamp,
        measure: impl Fn(Activity) -> (usize, Duration),
    ) -> Snapshot {
        let standing = |activity| {
            let (due, timeout) = measure(activity);
            Standing {
                activity,
                due,
                moved: Timestamp(self.moved[activity as usize].load(Ordering::Relaxed)),
                timeout,
            }
        };
        Snapshot {
            now,
            went_round: Timestamp(self.went_round.load(Ordering::Relaxed)),
            standings: Activity::ALL.map(standing),
        }
    }
}

impl Snapshot {
    /// What stands still; nothing if all is well.
    pub fn stalls(&self) -> Vec<String> {
        let silent = self.now.since(self.went_round);
        let round = (silent > ROUND_MAX).then(|| {
            let silent = silent.as_secs();
            format!("the loop that starts jobs has not gone round for {silent} s")
        });
        let standings = self.standings.iter();
        round
            .into_iter()
            .chain(standings.filter_map(|standing| standing.stall(self.now)))
            .collect()
    }
}

impl Standing {
    fn stall(&self, now: Timestamp) -> Option<String> {
        let still = now.since(self.moved);
        (self.due > 0 && still > self.timeout + MARGIN).then(|| {
            let what = match self.activity {
                Activity::Verification => "verifications",
                Activity::Fetch => "fetches",
                Activity::Delivery => "deliveries",
            };
            let (count, still, most) = (self.due, still.as_secs(), self.timeout.as_secs());
            format!(
                "{what} stand still: {count} are due, and none has begun or ended for {still} s, though each may take \
                 {most} s only"
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMEOUT: Duration = Duration::from_secs(10);

    fn at(seconds: u64) -> Timestamp {
        Timestamp(seconds * 1_000)
    }

    /// What stands still at a time when the loop has just gone round, and this much of each activity is due.
    fn stalls(pulse: &Pulse, now: Timestamp, due: usize) -> Vec<String> {
        pulse.go_round(now);
        pulse.snapshot(now, |_| (due, TIMEOUT)).stalls()
    }

    #[test]
    fn a_loop_that_does_not_go_round_is_told() {
        let pulse = Pulse::default();
        pulse.go_round(at(100));
        let stalls = |now| pulse.snapshot(now, |_| (0, TIMEOUT)).stalls();
        assert!(stalls(at(105)).is_empty());
        let told = stalls(at(106));
        assert!(
            told[0].contains("loop") && told[0].contains("6 s"),
            "{told:?}"
        );
        assert!(stalls(at(99)).is_empty(), "a clock may be set back");
    }

    #[test]
    fn what_is_due_and_does_not_move_within_its_timeout_stands_still() {
        let pulse = Pulse::default();
        for activity in Activity::ALL {
            pulse.beat(activity, at(1_000));
        }
        assert!(stalls(&pulse, at(1_070), 3).is_empty(), "within the margin");
        let told = stalls(&pulse, at(1_071), 3);
        assert_eq!(told.len(), 3, "{told:?}");
        for (told, what) in told.iter().zip(["verifications", "fetches", "deliveries"]) {
            assert!(told.starts_with(what), "{told}");
            assert!(
                told.contains("3 are due") && told.contains("71 s"),
                "{told}"
            );
        }
        pulse.beat(Activity::Fetch, at(1_071));
        assert_eq!(stalls(&pulse, at(1_072), 3).len(), 2, "each by itself");
    }

    #[test]
    fn idle_is_not_still_and_neither_is_slow() {
        let pulse = Pulse::default();
        assert!(stalls(&pulse, at(1_000_000), 0).is_empty(), "idle");
        // Ever as much waits for a receiver that takes its whole timeout: one ends, the next begins.
        for now in (0..1_000).step_by(10) {
            pulse.beat(Activity::Verification, at(now));
            pulse.beat(Activity::Fetch, at(now));
            pulse.beat(Activity::Delivery, at(now));
            assert!(stalls(&pulse, at(now + 9), 2_048).is_empty(), "slow");
        }
    }
}
