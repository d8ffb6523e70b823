//! What the hub still keeps, sent to a subscriber once more. In: a subscription that has been proved, a time. Out: requests, and how far
//! they have come.
//!
//! Invariants:
//! 1. Of one subscription one replay runs, in memory: with the process it ends.
//! 2. While it makes a request, that is the subscription's turn, so nobody is overtaken and nothing comes twice at a time. What waits in
//!    the backlog comes first: such a subscription is not replayed to.
//! 3. It ends with the first request that is not taken.

use std::sync::Arc;
use std::time::Duration;

use super::super::Hub;
use super::super::deliver::Patience;
use super::super::round::acquire;
use super::SelfService;
use crate::domain::attempt::{Outcome, Verdict};
use crate::domain::event::EventPattern;
use crate::domain::job::JobId;
use crate::domain::receipt::MissingState;
use crate::domain::subscription::Subscription;
use crate::domain::value::{PublicationId, TargetId, Timestamp};
use crate::store::{Change, StoreError, Subscriber, Target};

#[cfg(test)]
mod tests;

/// The most publications that a replay sends.
pub const REPLAY_MAX: usize = 1_000;
/// Receipts and events read at a time.
const PAGE: usize = 1_000;
/// The most of them that one replay looks at.
pub(super) const ROWS_MAX: usize = 100_000;
/// How long a replay waits where somebody else has the turn, or too many wait already.
const PAUSE: Duration = Duration::from_millis(250);
/// How often it waits at one publication.
const PAUSES_MAX: u32 = 120;
/// So many ended replays are remembered.
const REPLAYS_KEPT: usize = 1_000;

/// Which of the publications a replay sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// All that the hub still keeps.
    All,
    /// Those that were given up.
    GivenUp,
}

/// A replay to a subscription.
#[derive(Clone, Debug)]
pub struct Again {
    /// When it began.
    pub begun_at: Timestamp,
    /// Since when.
    pub since: Timestamp,
    /// How many it has sent so far.
    pub delivered: usize,
    /// How it ended; nothing while it runs.
    pub ended: Option<String>,
}

/// Why a replay does not begin.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// Something waits.
    #[error(
        "publications wait for this callback, and come first; resume, and replay when they have arrived"
    )]
    Behind,
    /// One runs.
    #[error("a replay to this callback runs already; wait for its end")]
    Running,
    /// The store's.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A subscription's turn; whatever happens, it ends.
struct Turn<'a> {
    hub: &'a Hub,
    target: TargetId,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.hub.end_turn(self.target, self.hub.clock.now());
    }
}

impl Again {
    fn new(since: Timestamp, now: Timestamp) -> Self {
        Self {
            begun_at: now,
            since,
            delivered: 0,
            ended: None,
        }
    }
}

impl SelfService {
    /// Begins to send once more what the hub still keeps since a time.
    ///
    /// # Errors
    /// See [`ReplayError`].
    pub async fn replay(
        self: &Arc<Self>,
        subscription: &Subscription,
        since: Timestamp,
        which: Which,
    ) -> Result<(), ReplayError> {
        let target = subscription.id();
        if self.hub.store.job(JobId::Backlog(target)).await?.is_some() {
            return Err(ReplayError::Behind);
        }
        if !self.begin(target, since) {
            return Err(ReplayError::Running);
        }
        tracing::info!(to = %target, origin = subscription.callback.origin(), %since, ?which, "a replay begins for the subscriber");
        let (service, subscription) = (Arc::clone(self), subscription.clone());
        self.hub.tracker.spawn(async move {
            let ended = service.send_again(&subscription, since, which).await;
            let ended = ended.unwrap_or_else(|error| {
                tracing::error!(to = %target, %error, "the store failed a replay");
                "the hub could not read what it keeps; try again later".to_owned()
            });
            if let Some(mut replay) = service.replays.get_mut(&target) {
                replay.ended = Some(ended);
            }
        });
        Ok(())
    }

    /// Notes down that a replay runs, unless one does.
    fn begin(&self, target: TargetId, since: Timestamp) -> bool {
        if self.replays.len() >= REPLAYS_KEPT {
            self.replays.retain(|_, replay| replay.ended.is_none());
        }
        let mut entry = match self.replays.entry(target) {
            dashmap::Entry::Occupied(entry) if entry.get().ended.is_none() => return false,
            entry => entry.or_insert_with(|| Again::new(since, self.hub.clock.now())),
        };
        *entry = Again::new(since, self.hub.clock.now());
        true
    }

    async fn send_again(
        &self,
        subscription: &Subscription,
        since: Timestamp,
        which: Which,
    ) -> Result<String, StoreError> {
        let target = subscription.id();
        let (found, is_all) = self.kept_since(subscription, since, which).await?;
        let mut delivered = 0;
        for id in found.into_iter().take(REPLAY_MAX) {
            match self.send_one(subscription, id).await? {
                Ok(sent) => delivered += usize::from(sent),
                Err(reason) => return Ok(format!("stopped after {delivered}: {reason}")),
            }
            if let Some(mut replay) = self.replays.get_mut(&target) {
                replay.delivered = delivered;
            }
        }
        Ok(match is_all {
            true => format!("{delivered} were sent, and there is no more"),
            false => {
                format!("{delivered} were sent; there may be more, ask again with a later time")
            }
        })
    }

    /// Sends one publication, once it is the subscription's turn. False if it is not kept any longer; or why there is no going on.
    async fn send_one(
        &self,
        subscription: &Subscription,
        id: PublicationId,
    ) -> Result<Result<bool, String>, StoreError> {
        let (hub, target) = (&self.hub, subscription.id());
        let Some(edition) = hub.edition(id).await? else {
            return Ok(Ok(false));
        };
        let mut pauses = 0;
        let mut wait = || {
            pauses += 1;
            (pauses <= PAUSES_MAX).then(|| hub.pause(PAUSE))
        };
        let gate = hub.gates.of(subscription.callback.origin());
        let (_room, permit, turn) = loop {
            // The origin's slot comes after the room; the turn last, for whoever has it must not wait.
            let room = acquire(&hub.room).await;
            if let Some(permit) = gate.try_pass() {
                if hub.turns.begin(target, false) {
                    break (room, permit, Turn { hub, target });
                }
                drop(permit);
            }
            drop(room);
            let waited = match wait() {
                Some(pause) => pause.await,
                None => {
                    return Ok(Err(
                        "other deliveries to this callback come first".to_owned()
                    ));
                }
            };
            if waited.is_none() {
                return Ok(Err("the hub stops".to_owned()));
            }
        };
        let held = hub.store.subscription(target).await;
        let now = hub.clock.now();
        let outcome = match held {
            Ok(Some(held)) if held.is_live(now) => {
                let receiver = Target::from(Subscriber {
                    id: target,
                    subscription: held,
                });
                let mut patience = Patience::new();
                let attempt = hub
                    .deliver(&edition, &receiver, permit, &mut patience, || {})
                    .await;
                Ok(Some(attempt.outcome))
            }
            Ok(_) => Ok(None),
            Err(error) => Err(error),
        };
        drop(turn);
        if let Ok(Some(Outcome::Answered { status: 410, .. })) = &outcome {
            // It wants no more, as with any other delivery (HUB-45).
            let end = Change::End {
                target,
                verified_at: Some(subscription.verified_at),
            };
            hub.store.commit(vec![end]).await?;
        }
        Ok(match outcome? {
            None => Err("the subscription has ended".to_owned()),
            Some(outcome) => match (outcome.verdict(), outcome) {
                (Verdict::Delivered, _) => Ok(true),
                (_, Outcome::Answered { status, .. }) => {
                    Err(format!("the callback answered {status}"))
                }
                (_, Outcome::Unanswered { detail, .. }) => {
                    Err(format!("the callback did not answer: {detail}"))
                }
            },
        })
    }

    /// The publications since a time that were for this subscription, in their order, and whether these are all that are kept.
    async fn kept_since(
        &self,
        subscription: &Subscription,
        since: Timestamp,
        which: Which,
    ) -> Result<(Vec<PublicationId>, bool), StoreError> {
        let hub = &self.hub;
        let since = since.max(subscription.active_since);
        let mut after = PublicationId::bound(since);
        let place = hub.event_place(&subscription.topic);
        let pattern = place
            .as_ref()
            .and_then(|place| EventPattern::parse(&place.event).ok());
        let (mut found, mut seen) = (Vec::new(), 0);
        while seen < self.rows_max && found.len() <= REPLAY_MAX {
            let limit = PAGE.min(self.rows_max - seen);
            let page: Vec<(PublicationId, bool)> = match (&place, &pattern) {
                (Some(place), Some(pattern)) => {
                    let page = hub.store.events_after(&place.source, Some(after), limit);
                    let wanted = page.await?.into_iter();
                    wanted
                        .map(|raised| (raised.publication, pattern.matches(&raised.event)))
                        .collect()
                }
                _ => {
                    let page = hub.store.receipts(Some(after), limit).await?;
                    let own = subscription.topic.id();
                    page.into_iter()
                        .map(|receipt| (receipt.id, receipt.topic.id() == own))
                        .collect()
                }
            };
            seen += page.len();
            let Some((last, _)) = page.last() else {
                return Ok((found, true));
            };
            after = *last;
            for (id, _) in page.into_iter().filter(|(_, is_own)| *is_own) {
                let is_wanted = match which {
                    Which::All => true,
                    Which::GivenUp => {
                        let missing = hub.store.missing_one(id, subscription.id()).await?;
                        missing.is_some_and(|it| it.state == MissingState::GivenUp)
                    }
                };
                if is_wanted {
                    found.push(id);
                }
            }
        }
        Ok((found, false))
    }
}
