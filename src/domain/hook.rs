//! A hook: a managed subscription to some events of one source. Not leased, not verified, edited by an administrator.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::attempt::{Attempt, Outcome, Verdict};
use super::event::{EventName, EventPattern};
use super::source::{Dialect, Source, SourceName};
use super::value::{CallbackId, CallbackUrl, Secret, TargetId, Timestamp, TopicId};

/// A hook's number, counted up from 1: what the systems that the dialects come from show.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct HookId(pub u64);

impl HookId {
    /// Reads a number.
    pub fn parse(text: &str) -> Option<Self> {
        text.parse().ok().map(Self)
    }

    /// The key of its turns, its backlog and its place in receipts: one for all its events, so that their order holds
    /// over all of them. No topic of a subscription has this one.
    pub fn target(self) -> TargetId {
        TargetId {
            topic: HOOKS,
            callback: self.callback(),
        }
    }

    /// Its key among the targets of a topic.
    pub fn callback(self) -> CallbackId {
        let mut id = [0; 16];
        id[8..].copy_from_slice(&self.0.to_be_bytes());
        CallbackId(id)
    }

    /// The hook whose `target` this is.
    pub fn of(target: TargetId) -> Option<Self> {
        Self::of_callback(target.callback).filter(|_| target.topic == HOOKS)
    }

    /// The hook whose `callback` this is.
    pub fn of_callback(callback: CallbackId) -> Option<Self> {
        let (zeros, number) = callback.0.split_at(8);
        let number = u64::from_be_bytes(number.try_into().ok()?);
        (zeros == [0; 8]).then_some(Self(number))
    }
}

/// Stands where a subscription's target has its topic.
const HOOKS: TopicId = TopicId([0; 16]);

/// Where a hook's requests go, and how they are written down there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Receiver {
    /// A URL that takes the dialect's own requests: a hook with the name `web`.
    Web {
        /// The URL.
        url: CallbackUrl,
        /// How the body is written.
        content_type: ContentType,
    },
    /// A service that has its own form (`dialect::service`): Slack, Matrix, IRC and so on.
    Service {
        /// Its name.
        name: String,
        /// What it needs to know, such as a room and a token.
        config: BTreeMap<String, String>,
    },
}

/// How the body of a request is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ContentType {
    /// As JSON.
    #[default]
    Json,
    /// As a form with the one field `payload`, which holds the JSON.
    Form,
}

/// The signatures that a hook's deliveries carry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Signing {
    /// The dialect's own.
    #[default]
    Dialect,
    /// The dialect's own, and those of Standard Webhooks beside them.
    Both,
    /// Those of Standard Webhooks alone.
    Standard,
}

/// A secret that was replaced, and is honoured for a while: signatures under both are sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OldSecret {
    /// The secret.
    pub secret: Secret,
    /// Until when.
    pub until: Timestamp,
}

/// How the deliveries of a hook go.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HookHealth {
    /// The first failure since the last success; `None` while they succeed.
    pub failing_since: Option<Timestamp>,
    /// What came of a late one, if there was any.
    pub last_response: Option<LastResponse>,
}

/// What comes of the latest delivery of a hook.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastResponse {
    /// The status code, if there was an answer.
    pub status: Option<u16>,
    /// In words.
    pub message: String,
}

impl HookHealth {
    /// Failures before this time do not count any more.
    pub fn forgive(&mut self, before: Timestamp) {
        self.failing_since = self.failing_since.filter(|since| *since >= before);
    }

    /// How a hook fares after one more attempt.
    pub fn after(&self, attempt: &Attempt) -> Self {
        let failing_since = match attempt.outcome.verdict() {
            Verdict::Delivered => None,
            _ => Some(self.failing_since.unwrap_or(attempt.at)),
        };
        Self {
            failing_since,
            last_response: Some(LastResponse::of(&attempt.outcome)),
        }
    }
}

impl LastResponse {
    /// What an attempt's outcome says, in the words that GitHub uses.
    fn of(outcome: &Outcome) -> Self {
        let (status, message) = match outcome {
            Outcome::Answered { status, .. } if (200..300).contains(status) => {
                (Some(*status), "OK".to_owned())
            }
            Outcome::Answered { status, .. } => {
                (Some(*status), format!("Invalid HTTP Response: {status}"))
            }
            Outcome::Unanswered { detail, .. } => (None, detail.clone()),
        };
        Self { status, message }
    }
}

/// A hook.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hook {
    /// Its number.
    pub id: HookId,
    /// Whose events it gets.
    pub source: SourceName,
    /// Which of them.
    pub events: Vec<EventPattern>,
    /// Where they go.
    pub receiver: Receiver,
    /// Where the requests of that receiver are made to: its URL, or what the service makes of its configuration.
    pub endpoint: CallbackUrl,
    /// How they are written.
    pub dialect: Dialect,
    /// The key of its signatures.
    pub secret: Option<Secret>,
    /// The key before that, while it is honoured.
    pub old_secret: Option<OldSecret>,
    /// Which signatures.
    pub signing: Signing,
    /// The private key of Standard Webhooks' `v1a` signatures (ed25519), 32 bytes.
    pub signing_key: Option<[u8; 32]>,
    /// Whether it gets anything.
    pub active: bool,
    /// Why the hub itself disabled it.
    pub disabled_because: Option<String>,
    /// What the body is made of, instead of the dialect's default (Mastodon's templates).
    pub template: Option<String>,
    /// For Pleroma's dialect: the key `type` instead of `event`, as Rebased's receivers want it.
    pub type_key: bool,
    /// Whether the receiver's certificate is checked.
    pub verify_tls: bool,
    /// The most deliveries in a second; `None` is no limit.
    pub rate: Option<u32>,
    /// One delivery at a time, strictly in the order of the events.
    pub ordered: bool,
    /// Only events whose payload fits get through; `None` lets all through.
    pub filter: Option<String>,
    /// Headers that are added to each request.
    pub headers: BTreeMap<String, String>,
    /// Since when it gets events.
    pub active_since: Timestamp,
    /// When it was last disabled: what was accepted until then is still for it, though it may not have been visited yet.
    pub inactive_since: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last edited.
    pub updated_at: Timestamp,
}

impl Hook {
    /// A hook with everything as it is unless somebody says otherwise, and yet without a number and without a past.
    pub fn plain(
        source: &Source,
        events: Vec<EventPattern>,
        receiver: Receiver,
        endpoint: CallbackUrl,
    ) -> Self {
        Self {
            id: HookId(0),
            source: source.name.clone(),
            events,
            receiver,
            endpoint,
            dialect: source.dialect,
            secret: None,
            old_secret: None,
            signing: Signing::default(),
            signing_key: None,
            active: true,
            disabled_because: None,
            template: None,
            type_key: false,
            verify_tls: true,
            rate: None,
            ordered: false,
            filter: None,
            headers: BTreeMap::new(),
            active_since: Timestamp(0),
            inactive_since: None,
            created_at: Timestamp(0),
            updated_at: Timestamp(0),
        }
    }

    /// Whether it was there, and active, when an event was accepted; if it is no longer, the event waits for it. Of several pauses
    /// the last one counts: an event of an earlier one, if it has not been visited by then, comes too.
    pub fn receives(&self, accepted_at: Timestamp) -> bool {
        let is_active_since = self.active && self.active_since <= accepted_at;
        let until_the_pause = |end| self.created_at <= accepted_at && accepted_at <= end;
        is_active_since || self.inactive_since.is_some_and(until_the_pause)
    }

    /// Whether an event may go to it right away: it is active, and asks for neither an order nor a rate.
    pub fn goes_at_once(&self) -> bool {
        self.active && !self.ordered && self.rate.is_none()
    }

    /// Whether others may pass an event with which such an attempt failed: it asks for no order, and its receiver does not want this
    /// very event.
    pub fn lets_pass(&self, attempt: &Attempt) -> bool {
        !self.ordered && attempt.outcome.rejects()
    }

    /// The topics in whose index it stands, one for each of its patterns. `base` is the hub's URL, which ends in a slash.
    pub fn topics(&self, base: &str) -> Vec<TopicId> {
        let topic = |pattern| self.source.pattern_topic(base, pattern).id();
        self.events.iter().map(topic).collect()
    }

    /// Whether it asks for an event.
    pub fn wants(&self, event: &EventName) -> bool {
        self.events.iter().any(|pattern| pattern.matches(event))
    }

    /// The secrets that sign at a time, the present one first.
    pub fn secrets(&self, now: Timestamp) -> impl Iterator<Item = &Secret> {
        let old = self.old_secret.as_ref().filter(|old| now < old.until);
        self.secret.iter().chain(old.map(|old| &old.secret))
    }
}

impl fmt::Display for HookId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for HookId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_names_its_hook_and_no_subscription_is_taken_for_one() {
        for number in [0, 1, u64::MAX] {
            assert_eq!(HookId::of(HookId(number).target()), Some(HookId(number)));
        }
        let subscription = TargetId {
            topic: TopicId([1; 16]),
            callback: HookId(1).callback(),
        };
        assert_eq!(HookId::of(subscription), None);
    }
}
