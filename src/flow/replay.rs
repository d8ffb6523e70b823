//! Replays: the events of a time, once more, for one hook. In: a hook, a time, and which events. Out: a replay that tells how far
//! it has come, and goes on after a restart.
//!
//! Invariants:
//! 1. A replay that runs is in the store, and its cursor there stands at most `CHECKPOINT_EVERY` events behind.
//! 2. Who writes a replay's row holds `replaying`, and reads the row while holding it: a replay that was stopped stays so. The one
//!    that runs looks at its row before each request, and once a second while it waits.
//! 3. One event after the other, in their order; one that is not taken is tried as often as the schedule says, then passed over.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use uuid::Uuid;

use super::Hub;
use super::clock::new_id;
use super::tell::Why;
use crate::domain::attempt::Verdict;
use crate::domain::delivery::DeliveryId;
use crate::domain::hook::{Hook, HookId};
use crate::domain::replay::{Progress, Replay, Selection};
use crate::domain::value::{PublicationId, Timestamp};
use crate::store::hooks::Raised;
use crate::store::{HookChange, StoreError};

/// Events read at a time.
const PAGE: usize = 100;
/// So many events further the cursor is written down.
const CHECKPOINT_EVERY: u64 = 50;
/// So long after the last time the cursor is written down, whatever has been done since; and so often a replay that waits looks
/// whether it shall go on.
const LOOK_EVERY: Duration = Duration::from_secs(1);

const ON_REQUEST: &str = "it was stopped on request";
const DELETED: &str = "the hook was deleted";
const DISABLED: &str = "the hook was disabled";

/// Of publications that were delivered to a hook, whether the last delivery was taken.
type Outcomes = BTreeMap<PublicationId, bool>;

/// What became of an event of a replay.
enum Told {
    /// The hook has it.
    Taken,
    /// It does not take it.
    Refused,
    /// The hook does not ask for it, or the event is not kept any longer.
    Passed,
}

/// Why a replay does not go on here.
enum End {
    /// The hub stops: it goes on after the restart.
    Later,
    /// It is broken off.
    Off(&'static str),
}

impl Hub {
    /// Begins a replay to a hook of what its source has raised since a time. Durable when this returns. `None` if there is no
    /// such hook.
    ///
    /// # Errors
    /// The store's.
    pub async fn begin_replay(
        self: &Arc<Self>,
        hook: HookId,
        since: Timestamp,
        selection: Selection,
    ) -> Result<Option<Replay>, StoreError> {
        if self.store.hook(hook).await?.is_none() {
            return Ok(None);
        }
        let replay = Replay {
            id: new_id(),
            hook,
            selection,
            since,
            begun_at: self.clock.now(),
            cursor: None,
            seen: 0,
            delivered: 0,
            failed: 0,
            progress: Progress::Running,
        };
        self.put_replay(replay.clone()).await?;
        self.go_on(replay.clone());
        Ok(Some(replay))
    }

    /// How a replay stands.
    ///
    /// # Errors
    /// The store's.
    pub async fn replay(&self, id: Uuid) -> Result<Option<Replay>, StoreError> {
        self.store.replay(id).await
    }

    /// The replays to a hook, the newest first.
    ///
    /// # Errors
    /// The store's.
    pub async fn replays_to(&self, hook: HookId) -> Result<Vec<Replay>, StoreError> {
        let mut replays = self.store.replays().await?;
        replays.retain(|replay| replay.hook == hook);
        replays.reverse();
        Ok(replays)
    }

    /// Breaks a replay off; a request under way is the last. Gives it as it stands then: one that had ended before is left as it
    /// was. `None` if there is none of that id.
    ///
    /// # Errors
    /// The store's.
    pub async fn stop_replay(&self, id: Uuid) -> Result<Option<Replay>, StoreError> {
        let _writer = self.replaying.lock().await;
        let Some(mut replay) = self.store.replay(id).await? else {
            return Ok(None);
        };
        if replay.is_running() {
            replay.progress = self.stopped(ON_REQUEST);
            self.put_replay(replay.clone()).await?;
        }
        Ok(Some(replay))
    }

    /// Goes on with the replays that an earlier process left.
    pub(super) async fn resume_replays(self: &Arc<Self>) -> Result<(), StoreError> {
        for replay in self.store.replays().await? {
            if replay.is_running() {
                self.go_on(replay);
            }
        }
        Ok(())
    }

    /// Forgets the replays that ended before the log's deliveries begin.
    pub(super) async fn sweep_replays(&self) -> Result<(), StoreError> {
        let oldest = self.clock.now().minus(self.settings.hooks.keep_deliveries);
        for replay in self.store.replays().await? {
            if !replay.is_running() && replay.begun_at < oldest {
                let drop = HookChange::DropReplay(replay.id).into();
                self.store.commit(vec![drop]).await?;
            }
        }
        Ok(())
    }

    fn go_on(self: &Arc<Self>, replay: Replay) {
        let hub = Arc::clone(self);
        self.tracker.spawn(async move {
            let id = replay.id;
            match hub.run_replay(replay).await {
                Ok(replay) => {
                    tracing::info!(replay = %id, hook = %replay.hook, delivered = replay.delivered, failed = replay.failed, progress = ?replay.progress, "a replay has ended");
                }
                Err(error) => {
                    tracing::error!(replay = %id, %error, "the store failed a replay; it goes on after a restart");
                }
            }
        });
    }

    async fn run_replay(self: Arc<Self>, mut replay: Replay) -> Result<Replay, StoreError> {
        let outcomes = match replay.selection {
            Selection::All => None,
            Selection::Failed => Some(self.outcomes_since(replay.hook, replay.since).await?),
        };
        replay.progress = match self.replay_all(&mut replay, outcomes).await? {
            Ok(()) => Progress::Finished(self.clock.now()),
            Err(End::Later) => Progress::Running,
            Err(End::Off(reason)) => self.stopped(reason),
        };
        self.write_down(&mut replay).await?;
        Ok(replay)
    }

    async fn replay_all(
        &self,
        replay: &mut Replay,
        outcomes: Option<Outcomes>,
    ) -> Result<Result<(), End>, StoreError> {
        let Some(hook) = self.store.hook(replay.hook).await? else {
            return Ok(Err(End::Off(DELETED)));
        };
        let begun = PublicationId::bound(replay.begun_at);
        let first = match outcomes {
            None => PublicationId::bound(replay.since),
            // What has failed since may have been raised before.
            Some(_) => PublicationId::bound(Timestamp(0)),
        };
        let mut after = replay.cursor.unwrap_or(first);
        let mut written = Instant::now();
        loop {
            let page = match &outcomes {
                None => self.wanted_after(&hook, after).await?,
                Some(outcomes) => failed_after(outcomes, after),
            };
            if page.is_empty() {
                return Ok(Ok(()));
            }
            for (id, is_wanted) in page {
                after = id;
                if after >= begun {
                    return Ok(Ok(()));
                }
                let told = match is_wanted {
                    true => self.tell_again(replay, after).await?,
                    false => Ok(Told::Passed),
                };
                match told {
                    Ok(Told::Taken) => replay.delivered += 1,
                    Ok(Told::Refused) => replay.failed += 1,
                    Ok(Told::Passed) => {}
                    Err(end) => return Ok(Err(end)),
                }
                replay.seen += 1;
                replay.cursor = Some(after);
                let is_due = written.elapsed() >= LOOK_EVERY;
                if is_due || replay.seen.is_multiple_of(CHECKPOINT_EVERY) {
                    self.write_down(replay).await?;
                    written = Instant::now();
                    if !replay.is_running() {
                        return Ok(Err(End::Off(ON_REQUEST)));
                    }
                }
            }
        }
    }

    /// The next events of a hook's source, and whether it asks for them.
    async fn wanted_after(
        &self,
        hook: &Hook,
        after: PublicationId,
    ) -> Result<Vec<(PublicationId, bool)>, StoreError> {
        let page = self.store.events_after(&hook.source, Some(after), PAGE);
        let wanted = |raised: Raised| (raised.publication, hook.wants(&raised.event));
        Ok(page.await?.into_iter().map(wanted).collect())
    }

    /// Tells the hook, as it stands now, of one event; again and again while it does not take it.
    async fn tell_again(
        &self,
        replay: &Replay,
        id: PublicationId,
    ) -> Result<Result<Told, End>, StoreError> {
        let Some(edition) = self.edition(id).await? else {
            return Ok(Ok(Told::Passed));
        };
        let mut failures = 0;
        loop {
            let hook = match self.receiver(replay).await? {
                Ok(hook) => hook,
                Err(end) => return Ok(Err(end)),
            };
            if let Some(occurrence) = edition.occurrence()
                && !occurrence.passes(&hook).unwrap_or(true)
            {
                return Ok(Ok(Told::Passed));
            }
            let Some(attempt) = self.tell(&edition, hook.id, Why::Replay).await? else {
                // Then it does not go on, and it is seen above why.
                continue;
            };
            let asked = match attempt.outcome.verdict() {
                Verdict::Delivered => return Ok(Ok(Told::Taken)),
                Verdict::Gone => None,
                Verdict::Failed { not_before } => not_before,
            };
            failures += 1;
            if failures >= self.settings.delivery.retry.len() {
                return Ok(Ok(Told::Refused));
            }
            let tries = u32::try_from(failures).unwrap_or(u32::MAX);
            let due = Instant::now() + self.retry_delay(tries, asked);
            if let Err(end) = self.wait_until(due, replay).await? {
                return Ok(Err(end));
            }
        }
    }

    /// Waits, as long as the replay shall go on.
    async fn wait_until(
        &self,
        due: Instant,
        replay: &Replay,
    ) -> Result<Result<(), End>, StoreError> {
        loop {
            let left = due.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(Ok(()));
            }
            if self.pause(left.min(LOOK_EVERY)).await.is_none() {
                return Ok(Err(End::Later));
            }
            if let Err(end) = self.receiver(replay).await? {
                return Ok(Err(end));
            }
        }
    }

    /// The hook of a replay, if that shall go on.
    async fn receiver(&self, replay: &Replay) -> Result<Result<Hook, End>, StoreError> {
        if self.stop.is_cancelled() {
            return Ok(Err(End::Later));
        }
        let kept = self.store.replay(replay.id).await?;
        if !kept.is_some_and(|kept| kept.is_running()) {
            return Ok(Err(End::Off(ON_REQUEST)));
        }
        Ok(match self.store.hook(replay.hook).await? {
            None => Err(End::Off(DELETED)),
            Some(hook) if !hook.active => Err(End::Off(DISABLED)),
            Some(hook) => Ok(hook),
        })
    }

    /// Of each publication that was delivered to a hook since a time, whether the last delivery was taken.
    async fn outcomes_since(&self, hook: HookId, since: Timestamp) -> Result<Outcomes, StoreError> {
        let mut outcomes = Outcomes::new();
        let mut after = DeliveryId::bound(since);
        loop {
            let page = self.store.deliveries_after(hook, Some(after), PAGE).await?;
            let Some(last) = page.last() else {
                return Ok(outcomes);
            };
            after = last.id;
            for delivery in page {
                let is_taken = delivery.attempt.outcome.verdict() == Verdict::Delivered;
                outcomes.insert(delivery.publication, is_taken);
            }
        }
    }

    fn stopped(&self, reason: &str) -> Progress {
        Progress::Stopped {
            at: self.clock.now(),
            reason: reason.to_owned(),
        }
    }

    /// Writes down how far a replay has come. One that was ended meanwhile has ended, here as there.
    async fn write_down(&self, replay: &mut Replay) -> Result<(), StoreError> {
        let _writer = self.replaying.lock().await;
        let kept = self.store.replay(replay.id).await?;
        if let Some(kept) = kept.filter(|kept| !kept.is_running()) {
            replay.progress = kept.progress;
        }
        self.put_replay(replay.clone()).await
    }

    async fn put_replay(&self, replay: Replay) -> Result<(), StoreError> {
        let put = HookChange::PutReplay(replay).into();
        self.store.commit(vec![put]).await
    }
}

/// The next publications, and whether their last delivery has failed.
fn failed_after(outcomes: &Outcomes, after: PublicationId) -> Vec<(PublicationId, bool)> {
    let rest = outcomes.range((Bound::Excluded(after), Bound::Unbounded));
    let failed = |(id, is_taken): (&PublicationId, &bool)| (*id, !is_taken);
    rest.take(PAGE).map(failed).collect()
}
