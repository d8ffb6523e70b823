//! Notices: what the hub says of itself, as events of its own source `fanfare`. In: what has happened to a hook. Out: an event, for
//! whoever has a hook or a subscription there.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use serde_json::json;

use super::Hub;
use super::sources::OWN_EVENTS;
use crate::domain::event::{Event, EventName};
use crate::domain::hook::{Hook, HookId};
use crate::domain::json::Json;
use crate::domain::source::{OWN_SOURCE, SourceName};
use crate::domain::value::TargetId;
use crate::store::{Change, StoreError};

/// What has happened to a hook.
#[derive(Clone, Copy, Debug)]
pub(super) enum Notice<'a> {
    /// The hub has disabled it, for a reason.
    Disabled(&'a str),
    /// It is active again after that.
    Enabled,
    /// So many events were given up for it.
    GivenUp(usize),
}

/// How many events were given up for each hook since that was last told.
pub(super) type Losses = Mutex<HashMap<HookId, usize>>;

impl Hub {
    /// Makes changes, and tells of what they do to a hook, in one commit.
    ///
    /// # Errors
    /// The store's; then nothing has changed, and nobody was told.
    pub(super) async fn commit_with_notice(
        &self,
        changes: Vec<Change>,
        notice: Notice<'_>,
        hook: &Hook,
    ) -> Result<(), StoreError> {
        let own = SourceName::parse(OWN_SOURCE).expect("a constant that is a name");
        let Some(own) = self.source(&own).await? else {
            return self.store.commit(changes).await;
        };
        let event = notice.event(self, hook);
        self.raise_with(changes, &own, vec![event], None)
            .await
            .map(drop)
    }

    /// Publications were given up for a target: the log and the meters have it at once, and for a hook the next sweep tells of it.
    pub(super) fn lost(&self, target: TargetId, count: usize) {
        tracing::warn!(to = %target, publications = count, "given up");
        self.meters.given_up(count);
        if let Some(hook) = HookId::of(target) {
            let losses = self.diary.losses.lock();
            let mut losses = losses.unwrap_or_else(PoisonError::into_inner);
            *losses.entry(hook).or_default() += count;
        }
    }

    /// The same for those who had more waiting than may.
    pub(super) fn note_overflow(&self) {
        let mut counts = HashMap::new();
        for target in self.store.overflow() {
            *counts.entry(target).or_default() += 1;
        }
        for (target, count) in counts {
            self.lost(target, count);
        }
    }

    /// Tells of the events that were given up since this was last done.
    ///
    /// # Errors
    /// The store's; the log has what is not told then.
    pub(super) async fn tell_of_losses(&self) -> Result<(), StoreError> {
        self.note_overflow();
        let losses = std::mem::take(
            &mut *self
                .diary
                .losses
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
        );
        for (id, count) in losses {
            if let Some(hook) = self.store.hook(id).await? {
                let notice = Notice::GivenUp(count);
                self.commit_with_notice(Vec::new(), notice, &hook).await?;
            }
        }
        Ok(())
    }
}

impl Notice<'_> {
    fn event(self, hub: &Hub, hook: &Hook) -> Event {
        let [disabled, enabled, given_up] = OWN_EVENTS;
        let (name, reason, events) = match self {
            Self::Disabled(reason) => (disabled, Some(reason), None),
            Self::Enabled => (enabled, None, None),
            Self::GivenUp(count) => (given_up, Some(GIVEN_UP), Some(count)),
        };
        let mut payload = json!({
            "hook": hook.id.0,
            "source": hook.source.as_str(),
            "origin": hook.endpoint.origin(),
            "reason": reason,
        });
        if let Some(events) = events {
            payload["events"] = json!(events);
        }
        Event {
            name: EventName::parse(name).expect("a constant that is a name"),
            created_at: hub.clock.now(),
            payload: Json::of(&payload),
        }
    }
}

/// Why events are given up.
const GIVEN_UP: &str = "they have waited for too long, or more waited than may";
