//! Self-service: what a subscriber sees and does of its own subscription, once it has proved that the callback is its own. In: the topic and
//! the callback, a secret or a proof. Out: how the subscription stands; what waits is tried now, what is kept is sent once more.
//!
//! Invariants:
//! 1. A wrong proof and a subscription that is not there are the same, and take the same steps.
//! 2. A callback is sent a proof only if it has a subscription, and not often.

mod again;

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use dashmap::DashMap;
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use tokio::sync::Semaphore;
use url::Url;

use self::again::ROWS_MAX;
pub use self::again::{Again, REPLAY_MAX, ReplayError, Which};
use super::Hub;
use super::byhand::Behind;
use super::clock::random_bytes;
use crate::domain::proof::ProofKey;
use crate::domain::subscription::Subscription;
use crate::domain::value::{CallbackUrl, Secret, TargetId, Timestamp, TopicUrl};
use crate::store::{StoreError, Subscriber};

/// How long a proof is good that was sent to a callback, or given to who knows the secret.
const PROOF_LASTS: Duration = Duration::from_secs(15 * 60);
/// A callback is sent a proof this often at most, after the first few.
const PROOF_EVERY: Duration = Duration::from_secs(60);
/// Those first few.
const PROOFS_AT_FIRST: NonZeroU32 = NonZeroU32::MIN.saturating_add(2);
/// Callbacks that are sent proofs at the same time.
const SENT_AT_ONCE: usize = 16;

/// What a subscriber says of which subscription is its own, and why.
#[derive(Clone, Debug)]
pub struct Claim {
    /// The topic.
    pub topic: TopicUrl,
    /// The callback.
    pub callback: CallbackUrl,
}

/// Why it should be believed.
#[derive(Clone, Debug)]
pub enum Evidence {
    /// It knows the secret of the subscription.
    Secret(Secret),
    /// It knows what was sent to the callback.
    Proof(String),
}

/// How a subscription stands.
#[derive(Debug)]
pub struct Standing {
    /// The subscription.
    pub subscription: Subscription,
    /// What it has not got, and what became of the attempts.
    pub behind: Behind,
    /// When it is called next: not before the time of its backlog, nor while its origin is closed.
    pub next_attempt: Option<Timestamp>,
    /// Its last replay.
    pub replay: Option<Again>,
    /// A proof for what it does next, and until when that is good.
    pub proof: (String, Timestamp),
}

/// See the module.
pub struct SelfService {
    hub: Arc<Hub>,
    key: ProofKey,
    sending: DefaultKeyedRateLimiter<TargetId>,
    callers: Arc<Semaphore>,
    replays: DashMap<TargetId, Again>,
    /// The most receipts or events that one replay looks at.
    rows_max: usize,
}

impl SelfService {
    /// For the subscriptions of a hub.
    pub fn new(hub: Arc<Hub>) -> Self {
        let quota = Quota::with_period(PROOF_EVERY).expect("a minute is more than nothing");
        Self {
            hub,
            key: ProofKey::new(random_bytes()),
            sending: RateLimiter::dashmap(quota.allow_burst(PROOFS_AT_FIRST)),
            callers: Arc::new(Semaphore::new(SENT_AT_ONCE)),
            replays: DashMap::new(),
            rows_max: ROWS_MAX,
        }
    }

    /// The subscription, if the evidence is right.
    ///
    /// # Errors
    /// The store's.
    pub async fn proved(
        &self,
        claim: &Claim,
        evidence: &Evidence,
    ) -> Result<Option<Subscription>, StoreError> {
        let target = claim.target();
        let now = self.hub.clock.now();
        let held = self.hub.store.subscription(target).await?;
        let held = held.filter(|subscription| subscription.is_live(now));
        let is_right = match evidence {
            Evidence::Proof(text) => self.key.accepts(text, target, now),
            Evidence::Secret(given) => {
                let secret = held.as_ref().and_then(|held| held.secret.as_ref());
                let expected = secret.map_or("", Secret::expose);
                // No secret is empty. Digests: how long the right one is shows in no time that is taken.
                let digest = |text: &str| Sha256::digest(text.as_bytes());
                digest(expected).ct_eq(&digest(given.expose())).into()
            }
        };
        Ok(held.filter(|_| is_right))
    }

    /// Has the callback sent a proof, if it has a subscription and was not sent too many. Whether it is sent is told to nobody but the
    /// callback.
    ///
    /// # Errors
    /// The store's.
    pub async fn send_proof(self: &Arc<Self>, claim: &Claim) -> Result<(), StoreError> {
        let target = claim.target();
        let now = self.hub.clock.now();
        let held = self.hub.store.subscription(target).await?;
        let Some(held) = held.filter(|held| held.is_live(now)) else {
            return Ok(());
        };
        if self.sending.check_key(&target).is_err() {
            return Ok(());
        }
        self.sending.retain_recent();
        let Ok(place) = Arc::clone(&self.callers).try_acquire_owned() else {
            return Ok(());
        };
        let (proof, _) = self.proof(target);
        let url = held.callback.with_query(&[
            ("hub.mode", "token"),
            ("hub.topic", held.topic.as_str()),
            ("hub.token", &proof),
        ]);
        let Ok(url) = Url::parse(&url) else {
            return Ok(());
        };
        let hub = Arc::clone(&self.hub);
        self.hub.tracker.spawn(async move {
            // Any answer will do: who reads the request has the proof.
            let heard = hub.caller.get(&url).await.is_ok();
            tracing::info!(to = %target, origin = held.callback.origin(), heard, "a proof was sent to a callback");
            drop(place);
        });
        Ok(())
    }

    /// How a subscription stands.
    ///
    /// # Errors
    /// The store's.
    pub async fn standing(&self, subscription: Subscription) -> Result<Standing, StoreError> {
        let id = subscription.id();
        let subscriber = Subscriber { id, subscription };
        let behind = self.hub.behind(&subscriber).await?;
        let due = behind.job.as_ref().map(|job| job.due);
        let paused_until = behind.paused_until.unwrap_or_default();
        Ok(Standing {
            next_attempt: due.map(|due| due.max(paused_until)),
            behind,
            replay: self.replays.get(&id).map(|replay| replay.clone()),
            proof: self.proof(id),
            subscription: subscriber.subscription,
        })
    }

    /// Has what waits tried at once. False if nothing waits.
    ///
    /// # Errors
    /// The store's.
    pub async fn resume(&self, subscription: &Subscription) -> Result<bool, StoreError> {
        let target = subscription.id();
        let waits = self.hub.try_now(target).await?;
        if waits {
            tracing::info!(to = %target, origin = subscription.callback.origin(), "resumed by the subscriber");
        }
        Ok(waits)
    }

    fn proof(&self, target: TargetId) -> (String, Timestamp) {
        let until = self.hub.clock.now().plus(PROOF_LASTS);
        (self.key.write(target, until), until)
    }
}

impl Claim {
    fn target(&self) -> TargetId {
        TargetId {
            topic: self.topic.id(),
            callback: self.callback.id(),
        }
    }
}
