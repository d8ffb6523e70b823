//! The ends of events' fan-outs. In: what each leaves to be written, and who waits for its backlog by that. Out: many of them in one
//! commit, as events come by the thousand.
//!
//! Invariants:
//! 1. They are written in the order in which they are left, whatever fails: no event comes into a backlog before an earlier one of
//!    its lane. So all that the fan-outs of events write about waiting targets goes this way.
//! 2. Of those who leave one while nobody writes, one has a writer started, which goes on until none is left.
//! 3. If a crash comes before an ending is written, its fan-out goes on from its last checkpoint, as one that has not ended.

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::FutureExt as _;
use tokio::sync::oneshot;

use super::pulse::Activity;
use super::{Hub, STORE_PAUSE};
use crate::domain::value::{TargetId, Timestamp};
use crate::store::Change;

/// While so many are unwritten, whoever leaves one waits for it.
const CROWD: usize = 1_000;

/// See the module.
#[derive(Default)]
pub(super) struct Endings(Mutex<Unwritten>);

#[derive(Default)]
struct Unwritten {
    endings: Vec<(Ending, oneshot::Sender<()>)>,
    /// Somebody writes, and looks here again after that.
    is_served: bool,
}

/// What is to be written, together with others.
pub(super) struct Ending {
    pub(super) changes: Vec<Change>,
    /// Who has a row in its backlog by that.
    pub(super) knocks: Vec<Knock>,
}

/// A target that is to be looked at once its row is written.
pub(super) struct Knock {
    pub(super) target: TargetId,
    pub(super) due: Timestamp,
    /// Whether it was a fan-out's turn, which ends then.
    pub(super) in_turn: bool,
}

impl Hub {
    /// Has an ending written behind those that were left before, and waits for that if the caller must. False if the process stops
    /// first.
    pub(super) async fn leave(self: &Arc<Self>, ending: Ending, must_wait: bool) -> bool {
        let (told, written) = oneshot::channel();
        let endings = &self.editions.endings;
        let (is_first, is_crowd) = endings.add(ending, told);
        if is_first {
            self.tracker.spawn(Arc::clone(self).write_endings());
        }
        match must_wait || is_crowd {
            true => written.await.is_ok(),
            false => true,
        }
    }

    async fn write_endings(self: Arc<Self>) {
        while let Some(endings) = self.editions.endings.take() {
            let changes = endings.iter().flat_map(|(ending, _)| &ending.changes);
            if !self.write_at_last(changes.cloned().collect()).await {
                // The process stops. Whoever waits learns it as this is dropped, and the next ones in their turn.
                continue;
            }
            let now = self.clock.now();
            self.work.pulse.beat(Activity::Delivery, now);
            for (ending, told) in endings {
                for knock in ending.knocks {
                    self.knock(knock.target, knock.due);
                    if knock.in_turn {
                        self.end_turn(knock.target, knock.due);
                    }
                }
                // Most do not wait for it.
                let _ = told.send(());
            }
        }
    }

    /// Commits, again and again until it works, also after a panic: what is written here is nobody else's any more. False if the process
    /// stops before that.
    async fn write_at_last(&self, changes: Vec<Change>) -> bool {
        loop {
            let writing = self.commit_at_last(changes.clone());
            match AssertUnwindSafe(writing).catch_unwind().await {
                Ok(written) => return written,
                Err(_) if self.stop.is_cancelled() => return false,
                Err(_) => {
                    tracing::error!("the store panicked; what fan-outs leave is written again")
                }
            }
            tokio::time::sleep(STORE_PAUSE).await;
        }
    }
}

impl Endings {
    /// One more. Whether a writer must be started for it, and whether it is one of too many.
    fn add(&self, ending: Ending, told: oneshot::Sender<()>) -> (bool, bool) {
        let mut unwritten = self.lock();
        unwritten.endings.push((ending, told));
        let is_first = !std::mem::replace(&mut unwritten.is_served, true);
        (is_first, unwritten.endings.len() >= CROWD)
    }

    /// What has come since the writer looked; if nothing has, it ends.
    fn take(&self) -> Option<Vec<(Ending, oneshot::Sender<()>)>> {
        let mut unwritten = self.lock();
        let endings = std::mem::take(&mut unwritten.endings);
        unwritten.is_served = !endings.is_empty();
        unwritten.is_served.then_some(endings)
    }

    fn lock(&self) -> MutexGuard<'_, Unwritten> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{fanout, hub_in_memory};
    use super::*;
    use crate::domain::job::JobId;
    use crate::domain::receipt::Tally;

    #[tokio::test(start_paused = true)]
    async fn what_fan_outs_leave_is_written_in_its_order_whatever_the_store_does() {
        let folder = tempfile::tempdir().expect("a folder");
        let (hub, store) = hub_in_memory(&folder);
        for fails in [true, false] {
            let id = fanout(&hub, 1).await.publication;
            match fails {
                true => store.fail_next_commits(2),
                false => store.panic_once_in("commit"),
            }
            let before = store.commits();
            // Had the second one come first, there would be no job to end.
            let job = hub.store.job(JobId::Fanout(id)).await.expect("a read");
            let put = vec![Change::Put(job.expect("a job"))];
            let done = vec![Change::Visited(id, Tally::default())];
            let ending = |changes| Ending {
                changes,
                knocks: Vec::new(),
            };
            assert!(hub.leave(ending(put), false).await);
            tokio::task::yield_now().await;
            assert!(hub.leave(ending(done), true).await);
            let job = hub.store.job(JobId::Fanout(id)).await.expect("a read");
            assert_eq!(job, None);
            assert!((1..=2).contains(&(store.commits() - before)));
        }
    }
}
