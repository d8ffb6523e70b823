//! The pace of hooks: how soon the next delivery may go to a hook that bears only so many in a second, or one at a time.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use dashmap::DashMap;
use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use tokio::sync::{Mutex, OwnedMutexGuard};

use crate::domain::hook::{Hook, HookId};

/// The hooks that have a rate, or are ordered.
#[derive(Default)]
pub(super) struct Paces {
    clock: DefaultClock,
    limits: DashMap<HookId, (NonZeroU32, Arc<DefaultDirectRateLimiter>)>,
    singles: DashMap<HookId, Arc<Mutex<()>>>,
}

impl Paces {
    /// Takes the place of one delivery, or says how long there is none. Deliveries are spread evenly over a second.
    pub(super) fn take(&self, hook: &Hook) -> Result<(), Duration> {
        let Some(rate) = hook.rate.and_then(NonZeroU32::new) else {
            return Ok(());
        };
        let limit = self.limit(hook.id, rate);
        let taken = limit.check();
        taken.map_err(|not_until| not_until.wait_time_from(self.clock.now()))
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
        self.limits.remove(&hook);
        self.singles.remove(&hook);
    }

    fn limit(&self, hook: HookId, rate: NonZeroU32) -> Arc<DefaultDirectRateLimiter> {
        let fresh = || {
            let quota = Quota::per_second(rate).allow_burst(NonZeroU32::MIN);
            (rate, Arc::new(RateLimiter::direct(quota)))
        };
        let mut held = self.limits.entry(hook).or_insert_with(fresh);
        if held.0 != rate {
            *held = fresh();
        }
        Arc::clone(&held.1)
    }
}
