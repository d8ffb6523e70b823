//! Who is late, and why. In: what waits for each origin, as the last sweep has counted it, and how its gate stands now. Out: the
//! origins that are worst off, worst first, each with the reason: the same for the metrics and for the admin page.
//!
//! What waits stands by target in the store, so to count it by origin is the sweep's work. Only the worst are kept of it.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::PoisonError;
use std::time::Duration;

use super::Hub;
use super::gate::Standing;
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
    /// It fails time and again, or the last attempts for some that wait there have failed.
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
    /// How it does now.
    pub standing: Standing,
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
    fn of(standing: &Standing, waiting: &Waiting) -> Option<Self> {
        let disabled = waiting.targets > 0 && waiting.disabled == waiting.targets;
        let fails = standing.fails || waiting.failing > 0;
        let slow = standing.usual.is_some_and(|usual| usual >= SLOW);
        [
            (standing.closed_until.is_some(), Self::CircuitOpen),
            (fails, Self::Failing),
            (standing.crowded, Self::Crowded),
            (slow, Self::Slow),
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
        (Reverse(self.entries), oldest)
    }
}

impl Hub {
    /// The origins that are late, the worst first, and at most so many.
    pub fn late(&self, limit: usize) -> Vec<Late> {
        let census = self.census.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = census
            .as_ref()
            .map_or_else(HashMap::new, |census| census.origins.clone());
        drop(census);
        worst(self.gates.standings(), waiting, limit)
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
            ranked.sort_by_cached_key(|(_, waiting)| (waiting.failing == 0, waiting.rank()));
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

/// Of those whose gates are known, and those for whom something waits, the ones that are worst off: first those that fail, whatever waits for
/// them, then those for whom most waits, and among equals those with the gravest reason.
fn worst(
    standings: impl Iterator<Item = (Box<str>, Standing)>,
    mut waiting: HashMap<Box<str>, Waiting>,
    limit: usize,
) -> Vec<Late> {
    let mut late: Vec<Late> = standings
        .filter_map(|(origin, standing)| {
            let waiting = waiting.remove(&origin).unwrap_or_default();
            Late::find(origin, standing, waiting)
        })
        .collect();
    let unseen = waiting.into_iter();
    late.extend(
        unseen.filter_map(|(origin, waiting)| Late::find(origin, Standing::default(), waiting)),
    );
    late.sort_by_cached_key(Late::rank);
    late.truncate(limit);
    late
}

impl Late {
    fn find(origin: Box<str>, standing: Standing, waiting: Waiting) -> Option<Self> {
        Some(Self {
            reason: Reason::of(&standing, &waiting)?,
            origin,
            waiting,
            standing,
        })
    }

    /// Sorts who is worse off first.
    fn rank(&self) -> impl Ord + use<> {
        let failures = self.standing.trouble.map_or(0, |trouble| trouble.failures);
        let now = (
            self.reason,
            Reverse(failures),
            Reverse(self.standing.parked),
        );
        let is_well = self.reason > Reason::Failing;
        (is_well, self.waiting.rank(), now, self.origin.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::gate::Trouble;

    const WELL: Standing = Standing {
        trouble: None,
        fails: false,
        closed_until: None,
        in_flight: 0,
        parked: 0,
        crowded: false,
        usual: Some(Duration::from_millis(20)),
    };

    const fn failed(failures: u32) -> Standing {
        let trouble = Trouble {
            since: Timestamp(0),
            last: Timestamp(0),
            failures,
            status: Some(500),
            failure: None,
        };
        Standing {
            trouble: Some(trouble),
            ..WELL
        }
    }

    const fn failing(failures: u32) -> Standing {
        Standing {
            fails: true,
            ..failed(failures)
        }
    }

    #[test]
    fn the_gravest_reason_is_told_and_who_is_well_is_not_late() {
        let waits = Waiting {
            entries: 3,
            targets: 2,
            ..Waiting::default()
        };
        let open = Standing {
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
        let slow = Standing {
            usual: Some(SLOW),
            ..WELL
        };
        let crowded = Standing {
            crowded: true,
            ..slow
        };
        for (standing, waiting, reason) in [
            (open, refuses, Some(Reason::CircuitOpen)),
            (WELL, refuses, Some(Reason::Failing)),
            (failing(3), Waiting::default(), Some(Reason::Failing)),
            (failed(1), Waiting::default(), None),
            (failed(1), waits, Some(Reason::CatchingUp)),
            (failed(1), refuses, Some(Reason::Failing)),
            (crowded, waits, Some(Reason::Crowded)),
            (slow, Waiting::default(), Some(Reason::Slow)),
            (WELL, off, Some(Reason::Disabled)),
            (WELL, partly_off, Some(Reason::CatchingUp)),
            (WELL, waits, Some(Reason::CatchingUp)),
            (WELL, Waiting::default(), None),
        ] {
            assert_eq!(
                Reason::of(&standing, &waiting),
                reason,
                "{standing:?} {waiting:?}"
            );
        }
    }

    #[test]
    fn who_fails_is_worst_off_and_then_for_whom_most_waits() {
        let open = Standing {
            closed_until: Some(Timestamp(9)),
            ..failing(4)
        };
        let busy = Standing {
            parked: 1,
            crowded: true,
            ..WELL
        };
        let standings = [
            ("busy", busy),
            ("fails", failing(3)),
            ("well", WELL),
            ("fails more", failing(5)),
            ("open", open),
        ];
        let waits = |entries, failing| Waiting {
            entries,
            targets: 1,
            failing,
            ..Waiting::default()
        };
        let told = |limit| {
            let standings = standings.map(|(origin, standing)| (origin.into(), standing));
            let waiting = [("behind", 7, 0), ("refuses", 2, 1), ("fails", 1, 1)];
            let waiting =
                waiting.map(|(origin, entries, failing)| (origin.into(), waits(entries, failing)));
            let waiting = HashMap::from(waiting);
            let late = worst(standings.into_iter(), waiting, limit);
            late.into_iter().map(|it| it.origin).collect::<Vec<_>>()
        };
        let all = ["refuses", "fails", "open", "fails more", "behind", "busy"].map(Box::from);
        assert_eq!(told(9), all);
        assert_eq!(told(2), all[..2]);
        assert!(told(0).is_empty());
    }
}
