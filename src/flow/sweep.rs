//! The sweep: leases that ended, receipts that are old, topics that nobody needs, answers that nobody asks for again; and,
//! where the operator wants it, the question before a lease ends (HUB-75). While it is at it, it counts.

use std::collections::HashSet;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use super::Hub;
use super::clock::new_id;
use super::late::Census;
use crate::domain::job::{Job, Verify};
use crate::domain::receipt::{Receipt, Stage};
use crate::domain::subscription::{Intent, Mode, Subscription};
use crate::domain::topic::Topic;
use crate::domain::value::{TargetId, Timestamp};
use crate::store::{Change, HookChange, StoreError, Subscriber};

/// Rows looked at in one go.
const PAGE: usize = 1_000;
/// Publications that are forgotten in one go for their size: each may have many rows.
const STEP: usize = 100;
/// Answers of this much time are forgotten in one go.
const KEYS_STEP: Duration = Duration::from_secs(1);

impl Hub {
    /// Sweeps until the hub stops.
    pub async fn sweep_regularly(self: Arc<Self>) {
        let every = self.sweep_interval();
        loop {
            tokio::select! {
                () = self.stop.cancelled() => return,
                () = tokio::time::sleep(every) => {}
            }
            if let Err(error) = self.sweep().await {
                tracing::error!(%error, "the sweep could not be finished; it is tried again");
            }
        }
    }

    /// One sweep over everything.
    ///
    /// # Errors
    /// The store's; what was swept before stays swept.
    pub async fn sweep(&self) -> Result<(), StoreError> {
        let subscriptions = self.sweep_subscriptions().await?;
        self.sweep_receipts().await?;
        self.sweep_publications().await?;
        self.sweep_topics().await?;
        self.sweep_deliveries().await?;
        self.tell_of_losses().await?;
        self.sweep_replays().await?;
        self.sweep_keys().await?;
        let census = Census {
            subscriptions,
            ..self.count_waiting().await?
        };
        *self.census.lock().unwrap_or_else(PoisonError::into_inner) = Some(census);
        self.gates.prune();
        self.ways.prune();
        self.unchecked.prune();
        Ok(())
    }

    /// Often enough that a lapsed lease is gone soon, and that the shortest lease can be refreshed in time.
    fn sweep_interval(&self) -> Duration {
        let shortest = self.settings.subscriptions.min_lease;
        (shortest / 4).clamp(Duration::from_millis(500), Duration::from_secs(150))
    }

    /// How many are left comes back.
    async fn sweep_subscriptions(&self) -> Result<u64, StoreError> {
        let mut after: Option<TargetId> = None;
        let mut live = 0;
        let mut about_to_lapse = HashSet::new();
        loop {
            let page = self.store.subscriptions(after, PAGE).await?;
            let Some(last) = page.last() else {
                break;
            };
            after = Some(last.id);
            let now = self.clock.now();
            let (mut changes, mut asked) = (Vec::new(), Vec::new());
            for target in page {
                if !target.subscription.is_live(now) {
                    changes.push(Change::End {
                        target: target.id,
                        verified_at: Some(target.subscription.verified_at),
                    });
                    continue;
                }
                live += 1;
                if self.is_to_refresh(&target.subscription, now) {
                    about_to_lapse.insert(target.id);
                    if !self.is_asked(&target) {
                        let verified_at = target.subscription.verified_at;
                        let question = self.question(target.subscription);
                        asked.push((target.id, verified_at, question));
                    }
                }
            }
            if !changes.is_empty() {
                tracing::info!(subscriptions = changes.len(), "leases ended");
            }
            changes.extend(asked.iter().map(|(_, _, job)| Change::Put(job.clone())));
            if !changes.is_empty() {
                self.store.commit(changes).await?;
            }
            for (target, verified_at, question) in asked {
                self.refreshed.insert(target, verified_at);
                self.work.schedule(question);
            }
        }
        self.refreshed
            .retain(|target, _| about_to_lapse.contains(target));
        Ok(live)
    }

    fn is_to_refresh(&self, subscription: &Subscription, now: Timestamp) -> bool {
        let lease = subscription.expires_at.since(subscription.verified_at);
        let early = (lease / 5).max(self.sweep_interval() * 2);
        self.settings.subscriptions.auto_refresh && subscription.expires_at.since(now) <= early
    }

    /// Whether this very lease has been asked for already.
    fn is_asked(&self, held: &Subscriber) -> bool {
        let asked = self.refreshed.get(&held.id);
        asked.is_some_and(|verified_at| *verified_at == held.subscription.verified_at)
    }

    /// Asks a callback whether it wants to go on.
    pub(super) fn question(&self, held: Subscription) -> Job {
        let now = self.clock.now();
        Job::Verify(Verify {
            intent: Intent {
                id: new_id(),
                mode: Mode::Subscribe,
                lease_seconds: held.expires_at.since(held.verified_at).as_secs().max(1),
                topic: held.topic,
                callback: held.callback,
                secret: held.secret,
                method: held.method,
                verify_token: None,
                from: held.from,
                requested_at: now,
                refresh: true,
            },
            due: now,
            failures: 0,
        })
    }

    async fn sweep_receipts(&self) -> Result<(), StoreError> {
        let keep = self.settings.retention.publications;
        let horizon = self.clock.now().minus(keep);
        let mut after = None;
        loop {
            let page = self.store.receipts(after, PAGE).await?;
            let old: Vec<&Receipt> = page
                .iter()
                .filter(|receipt| receipt.accepted_at < horizon)
                .collect();
            let changes = old
                .iter()
                .filter(|receipt| has_ended(receipt))
                .map(|receipt| Change::Prune(receipt.id));
            let changes: Vec<Change> = changes.collect();
            if !changes.is_empty() {
                self.store.commit(changes).await?;
            }
            // Receipts come oldest first: behind a young one there are only younger ones.
            if old.len() < PAGE {
                break;
            }
            after = page.last().map(|receipt| receipt.id);
        }
        let mut after = None;
        loop {
            let page = self.store.bundles(after, PAGE).await?;
            let old = page.iter().filter(|bundle| bundle.accepted_at < horizon);
            let changes: Vec<Change> = old.map(|bundle| Change::Prune(bundle.id)).collect();
            if changes.is_empty() {
                return Ok(());
            }
            self.store.commit(changes).await?;
            after = page.last().map(|bundle| bundle.id);
        }
    }

    /// Forgets the oldest publications that nobody waits for, until those that are left are no larger together than they may be.
    async fn sweep_publications(&self) -> Result<(), StoreError> {
        let most = self.settings.retention.publications_size as u64;
        let mut after = None;
        while most > 0 && self.store.kept_bytes().await? > most {
            let mut too_much = self.store.kept_bytes().await? - most;
            let page = self.store.publications(after, STEP).await?;
            let Some(last) = page.last() else {
                return Ok(());
            };
            after = Some(last.id);
            let mut changes = Vec::new();
            for publication in page {
                if too_much == 0 {
                    break;
                }
                let receipt = self.store.receipt(publication.id).await?;
                if receipt.is_none_or(|receipt| has_ended(&receipt)) {
                    too_much = too_much.saturating_sub(publication.size);
                    changes.push(Change::Prune(publication.id));
                }
            }
            if !changes.is_empty() {
                let publications = changes.len();
                tracing::info!(publications, "forgotten for retention.publications_size");
                self.store.commit(changes).await?;
            }
        }
        Ok(())
    }

    /// Forgets topics without subscribers that nobody has published to for as long as receipts are kept.
    async fn sweep_topics(&self) -> Result<(), StoreError> {
        let horizon = self.clock.now().minus(self.settings.retention.publications);
        let mut after = None;
        loop {
            let page = self.store.topics(after, PAGE).await?;
            let Some(last) = page.last() else {
                return Ok(());
            };
            after = Some(last.id());
            for topic in page {
                if topic.last_activity().is_none_or(|at| at < horizon) {
                    self.forget(&topic).await?;
                }
            }
        }
    }

    /// Forgets the answers to requests that had a key, once their time is over.
    async fn sweep_keys(&self) -> Result<(), StoreError> {
        let horizon = self.clock.now().minus(self.settings.hooks.remember_keys);
        while let Some(oldest) = self.store.oldest_remembered().await?
            && oldest < horizon
        {
            let before = oldest.plus(KEYS_STEP).min(horizon);
            let forget = HookChange::Forget { before }.into();
            self.store.commit(vec![forget]).await?;
        }
        Ok(())
    }

    /// Forgets a topic, unless it has subscribers or other names, or is served by the hub.
    async fn forget(&self, topic: &Topic) -> Result<(), StoreError> {
        let id = topic.id();
        let _turn = self.take_names().await;
        if self.store.topic(id).await?.as_ref() != Some(topic) {
            return Ok(());
        }
        let horizon = self.clock.now().minus(self.settings.retention.publications);
        let owner = self.canonical(topic.clone()).await?;
        // Pings of another name are noted at its owner.
        let is_needed = owner.last_activity().is_some_and(|at| at >= horizon)
            || !topic.aliases.is_empty()
            || self.store.subscribers(id).await? > 0
            || self.store.hosted(id).await?.is_some();
        if is_needed {
            return Ok(());
        }
        self.store.commit(vec![Change::ForgetTopic(id)]).await?;
        let Some(owner) = &topic.alias_of else {
            return Ok(());
        };
        // It is still there if somebody has subscribed to it meanwhile: then its owner must go on to serve it.
        if self.store.topic(id).await?.is_none()
            && let Some(mut owner) = self.store.topic(owner.id()).await?
        {
            owner.aliases.retain(|alias| alias.id() != id);
            self.store.commit(vec![Change::PutTopic(owner)]).await?;
        }
        Ok(())
    }
}

fn has_ended(receipt: &Receipt) -> bool {
    let waits = receipt.tally.backlog > 0;
    !waits && !matches!(receipt.stage, Stage::Fetching { .. } | Stage::Delivering)
}
