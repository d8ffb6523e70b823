//! Whose turn it is: per subscription at most one delivery is in flight, and whoever has a backlog takes every newer
//! publication into it, so that nobody is overtaken. A hook that asks for no order may have several in flight.
//!
//! Invariants:
//! 1. A target has an entry here if a delivery to it is in flight, or if its backlog has, or is about to get, a row.
//! 2. Of a target that is enlisted, a `Backlog` job is scheduled, running, remembered as `knocked`, or parked at a gate.
//! 3. A job may be scheduled for a time at which the store knows better: it looks, and goes. Of several that are due, one runs.

use dashmap::DashMap;
use dashmap::mapref::entry::Entry as Slot;

use crate::domain::value::{TargetId, Timestamp};

/// The targets that are busy.
#[derive(Default)]
pub struct Turns {
    busy: DashMap<TargetId, Turn>,
}

#[derive(Default)]
struct Turn {
    in_flight: u32,
    enlisted: bool,
    /// The backlog job came while a delivery was in flight, and is to be scheduled when that ends.
    knocked: bool,
    /// Counts the announcements of new backlog rows.
    announced: u64,
    /// For when `Backlog` jobs are scheduled that have not come yet; a parked one stands here with the time at which it was parked.
    scheduled: Vec<Timestamp>,
}

impl Turns {
    /// A fan-out comes by: true if it may deliver at once, and then owes an `end`. False if the publication must go
    /// into the backlog: the row is announced by this call. `abreast` is for who may have several in flight.
    pub fn begin(&self, target: TargetId, abreast: bool) -> bool {
        match self.busy.entry(target) {
            Slot::Vacant(slot) => {
                slot.insert(Turn {
                    in_flight: 1,
                    ..Turn::default()
                });
                true
            }
            Slot::Occupied(mut slot) => {
                let turn = slot.get_mut();
                let may = abreast && !turn.enlisted;
                if may {
                    turn.in_flight += 1;
                } else {
                    turn.announced += 1;
                }
                may
            }
        }
    }

    /// A row comes into the backlog of a target whatever else goes on: the backlog is its only way.
    pub fn announce(&self, target: TargetId) {
        if let Some(mut turn) = self.busy.get_mut(&target) {
            turn.announced += 1;
        }
    }

    /// A fan-out's delivery is over and settled. True if it was the last one and the target's `Backlog` job came in the meantime.
    pub fn end(&self, target: TargetId) -> bool {
        let Slot::Occupied(mut slot) = self.busy.entry(target) else {
            return false;
        };
        let turn = slot.get_mut();
        turn.in_flight = turn.in_flight.saturating_sub(1);
        if turn.in_flight > 0 {
            return false;
        }
        let knocked = std::mem::take(&mut turn.knocked);
        if !turn.enlisted {
            slot.remove();
        }
        knocked
    }

    /// The target's backlog is to be looked at by then. True if its `Backlog` job must be scheduled for that: none comes
    /// as early.
    pub fn enlist(&self, target: TargetId, due: Timestamp) -> bool {
        let mut turn = self.busy.entry(target).or_default();
        turn.enlisted = true;
        let needed = turn.scheduled.iter().all(|earlier| *earlier > due);
        if needed {
            turn.scheduled.push(due);
        }
        needed
    }

    /// A `Backlog` job that was scheduled for `due` has come. False if another one is due as well, and comes yet or is
    /// parked: that one does the work.
    pub fn arrive(&self, target: TargetId, due: Timestamp, now: Timestamp) -> bool {
        let Some(mut turn) = self.busy.get_mut(&target) else {
            return true;
        };
        turn.scheduled.retain(|other| *other != due);
        turn.scheduled.iter().all(|other| *other > now)
    }

    /// The `Backlog` job wants to run. `None` if a delivery is in flight: it will be scheduled when that ends.
    /// Otherwise the number of announcements so far, for `leave`.
    pub fn resume(&self, target: TargetId) -> Option<u64> {
        let mut turn = self.busy.entry(target).or_default();
        turn.enlisted = true;
        if turn.in_flight > 0 {
            turn.knocked = true;
            return None;
        }
        Some(turn.announced)
    }

    /// The `Backlog` job is parked at a gate, and comes back as one that was scheduled for `due`.
    pub fn park(&self, target: TargetId, due: Timestamp) {
        let mut turn = self.busy.entry(target).or_default();
        turn.enlisted = true;
        turn.scheduled.push(due);
    }

    /// The backlog was found empty by who read `announced` before. False if a row has been announced since: look again.
    pub fn leave(&self, target: TargetId, announced: u64) -> bool {
        self.busy
            .remove_if(&target, |_, turn| turn.announced == announced)
            .is_some()
    }

    /// Whether a delivery to a target is under way, or its backlog has, or is about to get, a row.
    pub fn is_busy(&self, target: TargetId) -> bool {
        self.busy.contains_key(&target)
    }

    /// How many targets are busy.
    pub fn len(&self) -> usize {
        self.busy.len()
    }

    /// Whether no target is busy.
    pub fn is_empty(&self) -> bool {
        self.busy.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::value::{CallbackId, TopicId};

    const NOW: Timestamp = Timestamp(100);
    const LATER: Timestamp = Timestamp(900);
    const TARGET: TargetId = TargetId {
        topic: TopicId([1; 16]),
        callback: CallbackId([2; 16]),
    };

    #[test]
    fn a_target_takes_one_delivery_at_a_time() {
        let turns = Turns::default();
        assert!(turns.begin(TARGET, false));
        assert!(!turns.begin(TARGET, false));
        assert!(!turns.end(TARGET));
        assert!(turns.is_empty());
    }

    #[test]
    fn who_has_a_backlog_is_not_overtaken() {
        let turns = Turns::default();
        assert!(turns.enlist(TARGET, NOW));
        assert!(!turns.enlist(TARGET, NOW));
        assert!(!turns.begin(TARGET, false));
    }

    #[test]
    fn a_backlog_that_comes_during_a_delivery_waits_for_its_end() {
        let turns = Turns::default();
        assert!(turns.begin(TARGET, false));
        assert!(turns.enlist(TARGET, NOW));
        assert_eq!(turns.resume(TARGET), None);
        assert!(turns.end(TARGET));
        assert!(turns.resume(TARGET).is_some());
    }

    #[test]
    fn a_row_announced_while_the_backlog_was_read_is_not_forgotten() {
        let turns = Turns::default();
        turns.enlist(TARGET, NOW);
        let announced = turns.resume(TARGET).expect("nothing is in flight");
        assert!(!turns.begin(TARGET, false));
        assert!(!turns.leave(TARGET, announced));
        let announced = turns.resume(TARGET).expect("nothing is in flight");
        assert!(turns.leave(TARGET, announced));
        assert!(turns.is_empty());
    }

    #[test]
    fn who_asks_for_no_order_has_several_in_flight_until_one_fails() {
        let turns = Turns::default();
        assert!(turns.begin(TARGET, true) && turns.begin(TARGET, true));
        assert!(turns.enlist(TARGET, NOW), "one of them has failed");
        assert!(!turns.begin(TARGET, true));
        assert_eq!(turns.resume(TARGET), None);
        assert!(!turns.end(TARGET), "another one is in flight");
        assert!(turns.end(TARGET));
        assert!(turns.resume(TARGET).is_some());
    }

    #[test]
    fn who_is_wanted_earlier_than_scheduled_comes_earlier() {
        let turns = Turns::default();
        assert!(turns.enlist(TARGET, LATER));
        assert!(turns.enlist(TARGET, NOW));
        assert!(!turns.enlist(TARGET, LATER));
        assert!(turns.arrive(TARGET, NOW, NOW));
        assert!(!turns.enlist(TARGET, LATER), "that one is still to come");
        assert!(turns.arrive(TARGET, LATER, LATER));
        assert!(turns.enlist(TARGET, LATER));
    }

    #[test]
    fn of_two_that_are_due_one_runs() {
        let turns = Turns::default();
        turns.enlist(TARGET, LATER);
        turns.park(TARGET, NOW);
        assert!(
            !turns.arrive(TARGET, LATER, LATER),
            "the parked one does it"
        );
        assert!(!turns.enlist(TARGET, LATER));
        assert!(turns.arrive(TARGET, NOW, LATER));
    }
}
