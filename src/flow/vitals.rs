//! How the hub is at this moment, for who looks. What would be dear to know (how much waits, and since when) is counted only while somebody
//! looks, and the less often the longer it takes.

use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;

use super::Hub;
use super::late::Late;
use super::odometer::Odometer;
use super::pulse::Activity;
use crate::domain::job::{Job, JobId};
use crate::domain::value::{PublicationId, Timestamp};
use crate::store::StoreError;

/// Jobs looked at in one go.
const PAGE: usize = 1_000;
/// Between two counts there is at least this pause,
const PAUSE: Duration = Duration::from_secs(1);
/// and so many times what the count took.
const PAUSE_FACTOR: u32 = 30;
/// No publication is made after it.
const END: Timestamp = Timestamp(u64::MAX);
/// Origins that are told of.
const ORIGINS: usize = 10;

/// How the hub is.
#[derive(Clone, Debug)]
pub struct Vitals {
    /// Deliveries under way.
    pub in_flight: usize,
    /// Jobs that wait or run.
    pub jobs: usize,
    /// What waits.
    pub backlog: Backlogs,
    /// The origins that are late, the worst first.
    pub late: Vec<Late>,
    /// How many origins are not called for a while.
    pub open_circuits: usize,
    /// What stands still, in words.
    pub stalls: Vec<String>,
}

/// What waits in the backlogs of all targets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backlogs {
    /// When it was counted.
    pub at: Timestamp,
    /// Targets for whom something waits.
    pub targets: u64,
    /// Publications that wait, once for each target.
    pub entries: u64,
    /// When the oldest of them was accepted.
    pub oldest: Option<Timestamp>,
}

/// The last count, and until when it holds.
#[derive(Default)]
pub(super) struct Counted(Mutex<Option<(Backlogs, Instant)>>);

impl Hub {
    /// How the hub is.
    ///
    /// # Errors
    /// The store's.
    pub async fn vitals(&self) -> Result<Vitals, StoreError> {
        Ok(Vitals {
            in_flight: self.in_flight(),
            jobs: self.work.len(),
            backlog: self.backlogs().await?,
            late: self.late(ORIGINS),
            open_circuits: self.gates.open_circuits(),
            stalls: self.stalls(),
        })
    }

    /// What of the work stands still, in words; nothing if it gets on. See `pulse`.
    pub fn stalls(&self) -> Vec<String> {
        let settings = &self.settings;
        let (verify, fetch) = (
            settings.subscriptions.verify_timeout,
            settings.fetch.timeout,
        );
        let measure = |activity| {
            let due = self.work.due(activity);
            match activity {
                // The topic may be fetched first.
                Activity::Verification => (due, verify + fetch),
                // What the topic names as itself is fetched too.
                Activity::Fetch => (due, fetch * 2),
                // Stragglers are no part of a job any longer.
                Activity::Delivery => (due + self.in_flight(), settings.delivery.timeout),
            }
        };
        let snapshot = self.work.pulse.snapshot(self.clock.now(), measure);
        snapshot.stalls()
    }

    /// What the hub has done so far.
    pub fn odometer(&self) -> &Odometer {
        &self.meters.odometer
    }

    /// What waits. One counts at a time; the others get the same answer.
    pub(super) async fn backlogs(&self) -> Result<Backlogs, StoreError> {
        let mut last = self.counted.0.lock().await;
        let began = Instant::now();
        if let Some((counted, until)) = *last
            && began < until
        {
            return Ok(counted);
        }
        let counted = self.count_backlogs().await?;
        let took = began.elapsed();
        *last = Some((counted, began + took + PAUSE.max(took * PAUSE_FACTOR)));
        Ok(counted)
    }

    async fn count_backlogs(&self) -> Result<Backlogs, StoreError> {
        let mut counted = Backlogs {
            at: self.clock.now(),
            ..Backlogs::default()
        };
        // Backlogs are the last of the jobs.
        let mut after = Some(JobId::Fanout(PublicationId::bound(END)));
        loop {
            let page = self.store.jobs(after, PAGE).await?;
            let Some(last) = page.last() else {
                return Ok(counted);
            };
            after = Some(last.id());
            for job in page {
                let Job::Backlog(backlog) = job else { continue };
                counted.targets += 1;
                counted.entries += backlog.entries;
                let first = self.store.waiting(backlog.target, 1).await?;
                let first = first.first().map(|entry| entry.accepted_at);
                counted.oldest = match (counted.oldest, first) {
                    (Some(oldest), Some(first)) => Some(oldest.min(first)),
                    (oldest, first) => oldest.or(first),
                };
            }
        }
    }
}
