//! The diary: the log of what hooks were sent and what they answered, and how each of them fares. In: entries, as deliveries end.
//! Out: rows, many in one commit, so that a delivery waits for no disk; and hooks disabled that have failed for too long.
//!
//! A crash loses the entries of the last moments; what becomes of the deliveries themselves does not hang on it.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::Hub;
use super::notice::Losses;
use crate::domain::delivery::{Delivery, DeliveryId};
use crate::domain::hook::{Hook, HookHealth, HookId};
use crate::domain::value::Timestamp;
use crate::store::{HookChange, StoreError};

/// Entries that wait to be written; whoever delivers to a hook waits beyond it.
const QUEUE: usize = 8_192;
/// So much of their bodies may wait, in KiB; a larger one has all of it.
const ROOM: u32 = 16 << 10;
/// Changes in one commit.
const BATCH: usize = 512;
/// After each commit the writer waits so long for more entries.
const PAUSE: Duration = Duration::from_millis(25);
/// So many that came meanwhile are a crowd: most of them will be beyond what is kept before others can read them. Then it waits for
/// so many pauses more.
const CROWD: (usize, u32) = (128, 20);
/// After so many entries of a hook it is looked how many there are.
const COUNT_EVERY: usize = 100;
/// So many hooks are known to the writer; beyond it all are read anew.
const KNOWN: usize = 10_000;
/// How long the last entries may take to come, once the hub stops.
const LAST_WORDS: Duration = Duration::from_millis(100);
/// Deliveries that are forgotten at a time.
const PAGE: usize = 1_000;

/// The way into the diary.
pub(super) struct Diary {
    entries: Sender<Note>,
    room: Arc<Semaphore>,
    /// Taken by the task that writes.
    unwritten: Mutex<Option<Receiver<Note>>>,
    /// Tells deliveries of one millisecond apart.
    made: AtomicU32,
    pub(super) losses: Losses,
}

/// One delivery.
pub(super) struct Note {
    /// What is kept of it.
    pub(super) delivery: Delivery,
    /// The body of its request, if that is one of its own.
    pub(super) body: Bytes,
    /// What it takes of the diary's room while it is unwritten.
    room: Option<OwnedSemaphorePermit>,
}

impl Note {
    /// To be noted.
    pub(super) fn new(delivery: Delivery, body: Bytes) -> Self {
        let room = None;
        Self {
            delivery,
            body,
            room,
        }
    }
}

/// What the writer knows of a hook.
struct Standing {
    health: HookHealth,
    since_counted: usize,
}

impl Default for Diary {
    fn default() -> Self {
        let (entries, unwritten) = channel(QUEUE);
        Self {
            entries,
            room: Arc::new(Semaphore::new(ROOM as usize)),
            unwritten: Mutex::new(Some(unwritten)),
            made: AtomicU32::default(),
            losses: Losses::default(),
        }
    }
}

impl Diary {
    /// The id of a delivery at a time.
    pub(super) fn number(&self, at: Timestamp) -> DeliveryId {
        DeliveryId::new(at, self.made.fetch_add(1, Ordering::Relaxed))
    }

    /// Takes an entry; waits while too many are unwritten.
    pub(super) async fn note(&self, mut note: Note) {
        let size = u32::try_from(note.body.len() >> 10).map_or(ROOM, |size| size.min(ROOM));
        if size > 0 {
            note.room = Arc::clone(&self.room).acquire_many_owned(size).await.ok();
        }
        // It is closed only once the hub has stopped, and then nobody reads on.
        let _ = self.entries.send(note).await;
    }
}

impl Hub {
    /// Writes the diary until the hub has stopped and the last delivery has ended.
    pub(super) async fn keep_diary(self: Arc<Self>) {
        let taken = self
            .diary
            .unwritten
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let Some(mut unwritten) = taken else {
            return;
        };
        let mut standings = HashMap::new();
        let mut entries = Vec::new();
        loop {
            let reading = unwritten.recv_many(&mut entries, QUEUE);
            let read = tokio::select! {
                biased;
                read = reading => read,
                () = self.stop.cancelled() => 0,
            };
            if read == 0 {
                let last = unwritten.recv_many(&mut entries, QUEUE);
                let came = tokio::time::timeout(LAST_WORDS, last).await;
                if came.is_err() && self.in_flight() == 0 {
                    return;
                }
            }
            if let Err(error) = self.write_entries(&mut entries, &mut standings).await {
                tracing::error!(%error, "the store failed to keep deliveries of hooks; they are not in the log");
            }
            self.linger(&unwritten).await;
        }
    }

    /// Lets more entries come, unless somebody would have to wait for that.
    async fn linger(&self, unwritten: &Receiver<Note>) {
        let (crowd, pauses) = CROWD;
        for _ in 0..=pauses {
            let pause = tokio::time::timeout(PAUSE, self.stop.cancelled());
            let is_full = self.diary.room.available_permits() < ROOM as usize / 2;
            if pause.await.is_ok() || is_full || !(crowd..QUEUE / 2).contains(&unwritten.len()) {
                return;
            }
        }
    }

    async fn write_entries(
        &self,
        entries: &mut Vec<Note>,
        standings: &mut HashMap<HookId, Standing>,
    ) -> Result<(), StoreError> {
        let mut changes = Vec::with_capacity(entries.len());
        let (mut crowded, mut failing) = (Vec::new(), Vec::new());
        let keep = self.settings.hooks.deliveries_per_hook;
        let mut surplus = surplus(entries, keep);
        for Note { delivery, body, .. } in entries.drain(..) {
            let hook = delivery.hook;
            let standing = match standings.entry(hook) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(unknown) => unknown.insert(Standing {
                    health: self.store.health(hook).await?,
                    since_counted: COUNT_EVERY,
                }),
            };
            if standing.health.failing_since.is_some()
                && let Some(enabled) = self.store.hook(hook).await?
            {
                standing.health.forgive(enabled.active_since);
            }
            let health = standing.health.after(&delivery.attempt);
            if health != standing.health {
                standing.health = health;
                changes.push(HookChange::Health(hook, standing.health.clone()).into());
            }
            if self.is_hopeless(&standing.health, delivery.attempt.at) {
                failing.push(hook);
            }
            standing.since_counted += 1;
            // The others of this hook, behind it, are as many as are kept.
            if let Some(beyond) = surplus.get_mut(&hook).filter(|beyond| **beyond > 0) {
                *beyond -= 1;
                continue;
            }
            if standing.since_counted >= COUNT_EVERY {
                standing.since_counted = 0;
                crowded.push(hook);
            }
            changes.push(HookChange::Log(delivery, body).into());
        }
        while !changes.is_empty() {
            let rest = changes.split_off(BATCH.min(changes.len()));
            self.store
                .commit(std::mem::replace(&mut changes, rest))
                .await?;
        }
        crowded.dedup();
        for hook in crowded {
            if let Some(before) = self.store.oldest_kept(hook, keep).await? {
                self.forget_deliveries(hook, before).await?;
            }
        }
        failing.dedup();
        for hook in failing {
            standings.remove(&hook);
            let days = humantime::format_duration(self.settings.hooks.disable_after);
            let reason = format!("its deliveries have failed for {days}");
            self.switch_off(hook, &reason).await?;
        }
        if standings.len() > KNOWN {
            standings.clear();
        }
        Ok(())
    }

    /// Whether a hook has failed for so long that nobody is thought to be there.
    fn is_hopeless(&self, health: &HookHealth, now: Timestamp) -> bool {
        let limit = self.settings.hooks.disable_after;
        let since = health.failing_since;
        !limit.is_zero() && since.is_some_and(|since| now.since(since) >= limit)
    }

    /// Forgets the deliveries of a hook below one, in steps.
    pub(super) async fn forget_deliveries(
        &self,
        hook: HookId,
        before: DeliveryId,
    ) -> Result<(), StoreError> {
        loop {
            let page = self.store.oldest_deliveries(hook, PAGE).await?;
            let Some(last) = page.iter().take_while(|id| **id < before).last() else {
                return Ok(());
            };
            let is_last_step = page.len() < PAGE || *last < page[page.len() - 1];
            let step = DeliveryId(last.0 + 1).min(before);
            let prune = HookChange::PruneDeliveries { hook, before: step };
            self.store.commit(vec![prune.into()]).await?;
            if is_last_step {
                return Ok(());
            }
        }
    }

    /// Forgets what is older, or more, than the log keeps, of every hook.
    pub(super) async fn sweep_deliveries(&self) -> Result<(), StoreError> {
        let oldest = self.clock.now().minus(self.settings.hooks.keep_deliveries);
        let mut after = None;
        loop {
            let hooks: Vec<Hook> = self.store.hooks(after, PAGE).await?;
            let Some(last) = hooks.last() else {
                return Ok(());
            };
            after = Some(last.id);
            for hook in hooks {
                self.forget_deliveries(hook.id, DeliveryId::bound(oldest))
                    .await?;
                let most = self.settings.hooks.deliveries_size as u64;
                if let Some(before) = self.store.oldest_within(hook.id, most).await? {
                    self.forget_deliveries(hook.id, before).await?;
                }
            }
        }
    }
}

/// Of each hook the entries that come before the last `keep`: there are more behind them than are kept.
fn surplus(entries: &[Note], keep: usize) -> HashMap<HookId, usize> {
    let mut surplus = HashMap::new();
    if entries.len() <= keep {
        return surplus;
    }
    for Note { delivery, .. } in entries {
        *surplus.entry(delivery.hook).or_insert(0) += 1;
    }
    surplus
        .values_mut()
        .for_each(|entries: &mut usize| *entries = entries.saturating_sub(keep));
    surplus
}

#[cfg(test)]
mod tests;
