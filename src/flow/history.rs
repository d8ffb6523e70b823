//! The last hours, minute by minute, so that a chart has a past. In: a reading of the odometer each minute. Out: what was done in each. It is in
//! memory only: after a restart it begins anew.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::Hub;
use super::odometer::Stretch;
use super::vitals::Backlogs;
use crate::domain::value::Timestamp;

/// The minutes that are kept: a day.
const MINUTES: usize = 24 * 60;
/// A minute.
const MINUTE: Duration = Duration::from_secs(60);

/// The minutes, oldest first.
#[derive(Default)]
pub(super) struct History(Mutex<VecDeque<Minute>>);

/// One minute.
#[derive(Clone, Copy, Debug)]
pub struct Minute {
    /// When it ended.
    pub at: Timestamp,
    /// What was done in it.
    pub done: Stretch,
    /// What was waiting in backlogs at its end; none if the store did not tell.
    pub waiting: Option<Backlogs>,
}

impl History {
    fn note(&self, minute: Minute) {
        let mut minutes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if minutes.len() == MINUTES {
            minutes.pop_front();
        }
        minutes.push_back(minute);
    }

    fn last(&self, count: usize) -> Vec<Minute> {
        let minutes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let from = minutes.len().saturating_sub(count);
        minutes.range(from..).copied().collect()
    }
}

impl Hub {
    /// The last minutes, at most so many, oldest first.
    pub fn history(&self, minutes: usize) -> Vec<Minute> {
        self.history.last(minutes)
    }

    /// Notes each minute down until the hub stops.
    pub(super) async fn keep_history(self: Arc<Self>) {
        let mut before = self.odometer().read();
        while let Some(()) = self
            .stop
            .run_until_cancelled(tokio::time::sleep(MINUTE))
            .await
        {
            let now = self.odometer().read();
            self.history.note(Minute {
                at: self.clock.now(),
                done: now.since(&before),
                waiting: self.backlogs().await.ok(),
            });
            before = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::tests::hub;

    #[test]
    fn a_day_is_kept() {
        let history = History::default();
        for minute in 0..2_000 {
            history.note(Minute {
                at: Timestamp(minute),
                done: Stretch::default(),
                waiting: None,
            });
        }
        let all = history.last(usize::MAX);
        assert_eq!(
            (all.len(), all[0].at.0, all[MINUTES - 1].at.0),
            (MINUTES, 560, 1_999)
        );
        assert_eq!(history.last(2)[0].at.0, 1_998);
    }

    #[tokio::test(start_paused = true)]
    async fn each_minute_is_noted_with_what_was_done_in_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let hub = hub(&folder);
        let keeping = hub.tracker.spawn(Arc::clone(&hub).keep_history());
        tokio::time::sleep(MINUTE / 2).await;
        hub.odometer().attempt(true, MINUTE);
        tokio::time::sleep(2 * MINUTE).await;
        let delivered: Vec<_> = hub.history(9).iter().map(|it| it.done.delivered).collect();
        assert_eq!(delivered, [1, 0]);
        hub.stop.cancel();
        keeping.await.expect("it ends when the hub stops");
        hub.store.close().await.expect("closed");
    }
}
