//! Whom a publication goes to: what the index of a topic's targets answers, the same to a fan-out whatever it is.

use std::sync::Arc;

use crate::domain::hook::Hook;
use crate::domain::subscription::Subscription;
use crate::domain::value::{CallbackUrl, TargetId, Timestamp};

/// A target with its key, so that a fan-out need not work it out again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The key of its turns, its backlog and its place in receipts. Its `callback` is the place in the order of a topic's
    /// targets; its `topic` is that of a subscription, and for a hook none at all.
    pub id: TargetId,
    /// Who that is.
    pub recipient: Recipient,
}

/// Who a target is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recipient {
    /// A verified, leased wish to hear of the topic.
    Subscription(Subscription),
    /// A hook that asks for the event.
    Hook(Arc<Hook>),
}

impl Target {
    /// Where requests to it go.
    pub fn callback(&self) -> &CallbackUrl {
        match &self.recipient {
            Recipient::Subscription(subscription) => &subscription.callback,
            Recipient::Hook(hook) => &hook.endpoint,
        }
    }

    /// The hook, if it is one.
    pub fn hook(&self) -> Option<&Hook> {
        match &self.recipient {
            Recipient::Hook(hook) => Some(hook),
            Recipient::Subscription(_) => None,
        }
    }

    /// The verification that a subscription rests on, for `Change::End`.
    pub fn verified_at(&self) -> Option<Timestamp> {
        match &self.recipient {
            Recipient::Subscription(subscription) => Some(subscription.verified_at),
            Recipient::Hook(_) => None,
        }
    }

    /// Whether it gets anything now.
    pub fn is_live(&self, now: Timestamp) -> bool {
        match &self.recipient {
            Recipient::Subscription(subscription) => subscription.is_live(now),
            Recipient::Hook(hook) => hook.active,
        }
    }

    /// Whether it was active when a publication was accepted, and a subscription still is. For a hook that is not, the publication
    /// waits.
    pub fn receives(&self, accepted_at: Timestamp, now: Timestamp) -> bool {
        match &self.recipient {
            Recipient::Subscription(subscription) => subscription.receives(accepted_at, now),
            Recipient::Hook(hook) => hook.receives(accepted_at),
        }
    }
}

impl From<Hook> for Target {
    fn from(hook: Hook) -> Self {
        Arc::new(hook).into()
    }
}

impl From<Arc<Hook>> for Target {
    fn from(hook: Arc<Hook>) -> Self {
        Self {
            id: hook.id.target(),
            recipient: Recipient::Hook(hook),
        }
    }
}

impl From<Subscriber> for Target {
    fn from(subscriber: Subscriber) -> Self {
        Self {
            id: subscriber.id,
            recipient: Recipient::Subscription(subscriber.subscription),
        }
    }
}

/// A subscription with its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscriber {
    /// The key.
    pub id: TargetId,
    /// What is kept under it.
    pub subscription: Subscription,
}
