//! Notices: what the hub says of itself, as events of its own source `fanfare`. In: what has happened to a hook. Out: an event, for
//! whoever has a hook or a subscription there.

use serde_json::json;

use super::Hub;
use super::sources::OWN_EVENTS;
use crate::domain::event::{Event, EventName};
use crate::domain::hook::Hook;
use crate::domain::json::Json;
use crate::domain::source::{OWN_SOURCE, SourceName};

/// What has happened to a hook.
#[derive(Clone, Copy, Debug)]
pub(super) enum Notice {
    /// The hub has disabled it.
    Disabled,
    /// It is active again after that.
    Enabled,
}

impl Hub {
    /// Tells of what has happened to a hook. If that fails, the log has it.
    pub(super) async fn notify(&self, notice: Notice, hook: &Hook, reason: Option<&str>) {
        let event = Event {
            name: EventName::parse(OWN_EVENTS[notice as usize]).expect("a constant that is a name"),
            created_at: self.clock.now(),
            payload: Json::of(&json!({
                "hook": hook.id.0,
                "source": hook.source.as_str(),
                "origin": hook.endpoint.origin(),
                "reason": reason,
            })),
        };
        let own = SourceName::parse(OWN_SOURCE).expect("a constant that is a name");
        let raised = match self.source(&own).await {
            Ok(Some(own)) => self.raise(&own, vec![event], None).await.map(drop),
            Ok(None) => Ok(()),
            Err(error) => Err(error.into()),
        };
        if let Err(error) = raised {
            tracing::error!(hook = %hook.id, ?notice, %error, "a notice could not be raised");
        }
    }
}
