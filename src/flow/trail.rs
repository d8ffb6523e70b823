//! The last attempts for those who fail, so that who looks sees more than the last one. In: attempts for subscriptions. Out: the last few of one. In
//! memory only, and bounded: of hooks the diary tells.
//!
//! Invariant: who gets everything at the first attempt leaves no trail, and costs one look.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::domain::attempt::{Attempt, Verdict};
use crate::domain::value::TargetId;

/// Attempts that are kept of a target.
const EACH: usize = 5;
/// Targets of which they are kept; who began to fail first is forgotten first.
const TARGETS: usize = 1_000;

/// The trails.
#[derive(Default)]
pub(super) struct Trails {
    any: AtomicBool,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    trails: HashMap<TargetId, VecDeque<Attempt>>,
    order: VecDeque<TargetId>,
}

impl Trails {
    /// An attempt for a subscription has ended.
    pub(super) fn note(&self, target: TargetId, attempt: &Attempt) {
        let delivered = attempt.outcome.verdict() == Verdict::Delivered;
        if delivered && !self.any.load(Ordering::Relaxed) {
            return;
        }
        let mut kept = self.lock();
        if !kept.trails.contains_key(&target) {
            if delivered {
                return;
            }
            self.any.store(true, Ordering::Relaxed);
            if kept.order.len() == TARGETS
                && let Some(first) = kept.order.pop_front()
            {
                kept.trails.remove(&first);
            }
            kept.order.push_back(target);
        }
        let trail = kept.trails.entry(target).or_default();
        trail.truncate(EACH - 1);
        trail.push_front(attempt.clone());
    }

    /// The last attempts for a target, newest first.
    pub(super) fn of(&self, target: TargetId) -> Vec<Attempt> {
        let kept = self.lock();
        let trail = kept.trails.get(&target).into_iter().flatten();
        trail.cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::attempt::Outcome;
    use crate::domain::value::{CallbackId, Timestamp, TopicId};

    fn target(number: u16) -> TargetId {
        let mut callback = [0; 16];
        callback[..2].copy_from_slice(&number.to_be_bytes());
        TargetId {
            topic: TopicId([0; 16]),
            callback: CallbackId(callback),
        }
    }

    fn attempt(at: u64, status: u16) -> Attempt {
        Attempt {
            at: Timestamp(at),
            millis: 1,
            outcome: Outcome::Answered {
                status,
                retry_after: None,
                excerpt: String::new(),
            },
        }
    }

    #[test]
    fn who_fails_leaves_a_trail_and_who_does_not_leaves_none() {
        let trails = Trails::default();
        trails.note(target(1), &attempt(0, 200));
        for at in 1..=4 {
            trails.note(target(1), &attempt(at, 503));
        }
        trails.note(target(2), &attempt(5, 204));
        trails.note(target(1), &attempt(6, 200));
        trails.note(target(1), &attempt(7, 200));
        let times: Vec<_> = trails.of(target(1)).iter().map(|it| it.at.0).collect();
        assert_eq!(times, [7, 6, 4, 3, 2]);
        assert!(trails.of(target(2)).is_empty());
    }

    #[test]
    fn so_many_leave_one() {
        let trails = Trails::default();
        for number in 0..=1_000 {
            trails.note(target(number), &attempt(number.into(), 503));
        }
        assert!(trails.of(target(0)).is_empty());
        assert_eq!(trails.of(target(1)).len(), 1);
        assert_eq!(trails.of(target(1_000)).len(), 1);
        assert_eq!(trails.lock().trails.len(), TARGETS);
    }
}
