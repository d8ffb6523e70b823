//! Who is late, and why. In: what waits for each origin, as the last sweep has counted it, and how its gate stands now. Out: the
//! origins that are worst off, worst first, each with the reason.
//!
//! What waits stands by target in the store, so to count it by origin is the sweep's work. Only the worst are kept of it.

use std::collections::HashMap;
use std::sync::PoisonError;
use std::time::Duration;

use super::Hub;
use super::gate::Reading;
use crate::domain::job::{Backlog, Job, JobId};
use crate::domain::value::Timestamp;
use crate::store::StoreError;

/// Rows looked at in one go.
const PAGE: usize = 1_000;
/// Origins that are kept of a count.
pub(super) const KEPT: usize = 1_000;
/// Answers that usually take this long make an origin slow.
const SLOW: Duration = Duration::from_secs(1);

/// Why what is for an origin is late, the gravest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// It has not answered several times in a row, and is not called for a while.
    CircuitOpen,
    /// It does not answer, or not with success.
    Failing,
    /// More is to go there than may at a time.
    Crowded,
    /// It takes long to answer.
    Slow,
    /// All who wait there are hooks that are disabled.
    Disabled,
    /// Nothing is wrong: it gets what it has missed, or at its own pace.
    CatchingUp,
}

/// An origin that is late.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Late {
    /// Scheme, host and port.
    pub origin: Box<str>,
    /// Why.
    pub reason: Reason,
    /// What waits there.
    pub waiting: Waiting,
    /// How long its answers usually take; zero if none has come yet.
    pub latency: Duration,
    /// Until when its circuit is open, if it is.
    pub closed_until: Option<Timestamp>,
}

/// What waits for the targets of one origin, or of all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Waiting {
    /// Publications, one for each target that has not got it.
    pub entries: u64,
    /// Targets.
    pub targets: u64,
    /// Of those, the ones whose last attempts have failed.
    pub failing: u64,
    /// Of those, the hooks that are disabled.
    pub disabled: u64,
    /// When the oldest of the publications was accepted.
    pub oldest: Option<Timestamp>,
}

/// What a sweep has counted: too much to count whenever somebody asks.
#[derive(Clone, Debug, Default)]
pub(super) struct Census {
    /// Subscriptions.
    pub subscriptions: u64,
    /// What waits for all.
    pub waiting: Waiting,
    /// What waits for the origins that are worst off.
    pub origins: HashMap<Box<str>, Waiting>,
}

impl Reason {
    /// Every one, the gravest first.
    pub const ALL: [Self; 6] = [
        Self::CircuitOpen,
        Self::Failing,
        Self::Crowded,
        Self::Slow,
        Self::Disabled,
        Self::CatchingUp,
    ];

    /// As programs know it.
    pub fn name(self) -> &'static str {
        match self {
            Self::CircuitOpen => "circuit_open",
            Self::Failing => "failing",
            Self::Crowded => "crowded",
            Self::Slow => "slow",
            Self::Disabled => "disabled",
            Self::CatchingUp => "catching_up",
        }
    }

    /// Why an origin is late, if it is.
    fn of(gate: &Reading, waiting: &Waiting) -> Option<Self> {
        let disabled = waiting.targets > 0 && waiting.disabled == waiting.targets;
        [
            (gate.closed_until.is_some(), Self::CircuitOpen),
            (gate.failures > 0 || waiting.failing > 0, Self::Failing),
            (gate.crowded, Self::Crowded),
            (gate.latency >= SLOW, Self::Slow),
            (disabled, Self::Disabled),
            (waiting.entries > 0, Self::CatchingUp),
        ]
        .into_iter()
        .find_map(|(is_so, reason)| is_so.then_some(reason))
    }
}

impl Waiting {
    fn add(&mut self, backlog: &Backlog, oldest: Option<Timestamp>, is_disabled: bool) {
        self.entries += backlog.entries;
        self.targets += 1;
        self.failing += u64::from(backlog.failures > 0 && !is_disabled);
        self.disabled += u64::from(is_disabled);
        self.oldest = self.oldest.into_iter().chain(oldest).min();
    }

    /// Sorts who is worse off first: for whom more waits, and among equals for longer.
    fn rank(&self) -> impl Ord + use<> {
        let oldest = self.oldest.map_or(u64::MAX, |oldest| oldest.0);
        (std::cmp::Reverse(self.entries), oldest)
    }
}

impl Hub {
    /// The origins that are late, the worst first, and at most so many.
    pub fn late(&self, limit: usize) -> Vec<Late> {
        let census = self.census.lock().unwrap_or_else(PoisonError::into_inner);
        let mut waiting = census
            .as_ref()
            .map_or_else(HashMap::new, |census| census.origins.clone());
        drop(census);
        let mut late: Vec<Late> = self
            .gates
            .readings()
            .filter_map(|(origin, gate)| {
                let waiting = waiting.remove(&origin).unwrap_or_default();
                late(origin, &gate, waiting)
            })
            .collect();
        let unseen = Reading::default();
        late.extend(
            waiting
                .into_iter()
                .filter_map(|(origin, waiting)| self::late(origin, &unseen, waiting)),
        );
        late.sort_by_cached_key(|it| (it.waiting.rank(), it.reason, it.origin.clone()));
        late.truncate(limit);
        late
    }

    /// Counts what waits.
    pub(super) async fn count_waiting(&self) -> Result<Census, StoreError> {
        let mut census = Census::default();
        let mut after: Option<JobId> = None;
        loop {
            let page = self.store.jobs(after, PAGE).await?;
            let Some(last) = page.last() else {
                break;
            };
            after = Some(last.id());
            for job in page {
                if let Job::Backlog(backlog) = job {
                    self.count(&mut census, &backlog).await?;
                }
            }
        }
        if census.origins.len() > KEPT {
            let mut ranked: Vec<_> = census.origins.into_iter().collect();
            ranked.sort_by_cached_key(|(_, waiting)| waiting.rank());
            ranked.truncate(KEPT);
            census.origins = ranked.into_iter().collect();
        }
        Ok(census)
    }

    async fn count(&self, census: &mut Census, backlog: &Backlog) -> Result<(), StoreError> {
        let oldest = self.store.waiting(backlog.target, 1).await?;
        let oldest = oldest.first().map(|entry| entry.accepted_at);
        let Some(target) = self.store.target(backlog.target).await? else {
            census.waiting.add(backlog, oldest, false);
            return Ok(());
        };
        let is_disabled = target.hook().is_some_and(|hook| !hook.active);
        census.waiting.add(backlog, oldest, is_disabled);
        let origin = target.callback().origin();
        if let Some(waiting) = census.origins.get_mut(origin) {
            waiting.add(backlog, oldest, is_disabled);
            return Ok(());
        }
        let mut waiting = Waiting::default();
        waiting.add(backlog, oldest, is_disabled);
        census.origins.insert(origin.into(), waiting);
        Ok(())
    }
}

fn late(origin: Box<str>, gate: &Reading, waiting: Waiting) -> Option<Late> {
    Some(Late {
        reason: Reason::of(gate, &waiting)?,
        origin,
        waiting,
        latency: gate.latency,
        closed_until: gate.closed_until,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const WELL: Reading = Reading {
        closed_until: None,
        failures: 0,
        crowded: false,
        latency: Duration::from_millis(20),
    };

    #[test]
    fn the_gravest_reason_is_told_and_who_is_well_is_not_late() {
        let waits = Waiting {
            entries: 3,
            targets: 2,
            ..Waiting::default()
        };
        let open = Reading {
            closed_until: Some(Timestamp(9)),
            crowded: true,
            ..WELL
        };
        let refuses = Waiting {
            failing: 1,
            ..waits
        };
        let off = Waiting {
            disabled: 2,
            ..waits
        };
        let partly_off = Waiting {
            disabled: 1,
            ..waits
        };
        let crowded = Reading {
            crowded: true,
            latency: SLOW,
            ..WELL
        };
        let slow = Reading {
            latency: SLOW,
            ..WELL
        };
        let silent = Reading {
            failures: 1,
            ..WELL
        };
        for (gate, waiting, reason) in [
            (open, refuses, Some(Reason::CircuitOpen)),
            (WELL, refuses, Some(Reason::Failing)),
            (silent, Waiting::default(), Some(Reason::Failing)),
            (crowded, waits, Some(Reason::Crowded)),
            (slow, Waiting::default(), Some(Reason::Slow)),
            (WELL, off, Some(Reason::Disabled)),
            (WELL, partly_off, Some(Reason::CatchingUp)),
            (WELL, waits, Some(Reason::CatchingUp)),
            (WELL, Waiting::default(), None),
        ] {
            assert_eq!(Reason::of(&gate, &waiting), reason, "{gate:?} {waiting:?}");
        }
    }
}
