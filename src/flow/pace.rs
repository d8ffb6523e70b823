//! The pace of hooks: how soon the next delivery may go to a hook that bears only so many in a second, or one at a time.

use std::sync::Arc;
use std::time::Duration;

use dashmap::DashMap;
use dashmap::mapref::entry::Entry;
use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::time::Instant;

use crate::domain::hook::{Hook, HookId};

/// A timer may wake somebody so much too late, which the next one need not pay for.
const LATE: Duration = Duration::from_millis(5);

/// The hooks that have a rate, or are ordered.
#[derive(Default)]
pub(super) struct Paces {
    /// When the last place was, of those that have a rate.
    last: DashMap<HookId, Instant>,
    singles: DashMap<HookId, Arc<Mutex<()>>>,
}

impl Paces {
    /// Takes the place of one delivery, or says how long there is none. Places are spread evenly over a second, and one that nobody
    /// takes in time is not kept for later: who takes it makes the request at once, and has waited for all else before.
    pub(super) fn take(&self, hook: &Hook) -> Result<(), Duration> {
        let Some(rate) = hook.rate.filter(|rate| *rate > 0) else {
            return Ok(());
        };
        let now = Instant::now();
        let apart = Duration::from_secs(1) / rate;
        let mut last = match self.last.entry(hook.id) {
            Entry::Vacant(first) => {
                first.insert(now);
                return Ok(());
            }
            Entry::Occupied(last) => last,
        };
        let next = *last.get() + apart;
        if now < next {
            return Err(next - now);
        }
        last.insert(next.max(now.checked_sub(LATE).unwrap_or(now)));
        Ok(())
    }

    /// How long there is no place for a delivery, if there is none now. Who has to wait so long need not take anything else.
    pub(super) fn wait(&self, hook: &Hook) -> Option<Duration> {
        let rate = hook.rate.filter(|rate| *rate > 0)?;
        let next = *self.last.get(&hook.id)? + Duration::from_secs(1) / rate;
        let wait = next.saturating_duration_since(Instant::now());
        (!wait.is_zero()).then_some(wait)
    }

    /// Waits until no other request to an ordered hook is under way, and keeps it so. Who needs room or a slot takes them
    /// after this.
    pub(super) async fn alone(&self, hook: &Hook) -> Option<OwnedMutexGuard<()>> {
        if !hook.ordered {
            return None;
        }
        let single = Arc::clone(&self.singles.entry(hook.id).or_default());
        Some(single.lock_owned().await)
    }

    /// Forgets a hook.
    pub(super) fn forget(&self, hook: HookId) {
        self.last.remove(&hook);
        self.singles.remove(&hook);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::tests::{hook_on, hub};

    const SECOND: Duration = Duration::from_secs(1);

    async fn hook(rate: u32) -> Hook {
        let folder = tempfile::tempdir().expect("a folder");
        let hub = hub(&folder);
        let hook = hook_on(&hub, "http://127.0.0.1:9/").await;
        hub.store.close().await.expect("closed");
        Hook {
            rate: Some(rate),
            ..hook
        }
    }

    #[tokio::test(start_paused = true)]
    async fn places_are_spread_over_a_second_and_none_is_kept_for_later() {
        let (paces, hook) = (Paces::default(), hook(4).await);
        assert_eq!(paces.wait(&hook), None);
        assert_eq!(paces.take(&hook), Ok(()));
        assert_eq!(paces.take(&hook), Err(SECOND / 4));
        assert_eq!(paces.wait(&hook), Some(SECOND / 4));
        tokio::time::advance(SECOND * 60).await;
        assert_eq!(paces.wait(&hook), None);
        assert_eq!(paces.take(&hook), Ok(()));
        let wait = paces.take(&hook).expect_err("one at a time");
        assert!(wait >= SECOND / 4 - LATE, "{wait:?}");
        // The rate is that of the hook as it stands now.
        let slower = Hook {
            rate: Some(1),
            ..hook
        };
        let wait = paces.take(&slower).expect_err("it was just called");
        assert!(wait > SECOND / 4, "{wait:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn timers_that_wake_late_cost_nothing_of_a_rate() {
        let (paces, hook) = (Paces::default(), hook(500).await);
        let (begun, mut taken) = (Instant::now(), 0);
        while begun.elapsed() < SECOND * 2 {
            while paces.take(&hook).is_ok() {
                taken += 1;
            }
            tokio::time::advance(Duration::from_millis(3)).await;
        }
        assert!((990..=1_005).contains(&taken), "{taken} in two seconds");
    }
}
