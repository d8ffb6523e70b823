//! The sweep: leases that ended, receipts that are old, topics that nobody needs; and, where the operator wants it, the
//! question before a lease ends (HUB-75).

use std::sync::Arc;
use std::time::Duration;

use super::Hub;
use super::clock::new_id;
use crate::domain::job::{Job, Verify};
use crate::domain::receipt::{Receipt, Stage};
use crate::domain::subscription::{Intent, Mode, Subscription};
use crate::domain::value::{TargetId, Timestamp};
use crate::store::{Change, StoreError};

/// Rows looked at in one go.
const PAGE: usize = 1_000;

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
        self.sweep_subscriptions().await?;
        self.sweep_receipts().await?;
        self.sweep_topics().await?;
        self.gates.prune();
        self.sender.prune();
        Ok(())
    }

    /// Often enough that a lapsed lease is gone soon, and that the shortest lease can be refreshed in time.
    fn sweep_interval(&self) -> Duration {
        let shortest = self.settings.subscriptions.min_lease;
        (shortest / 4).clamp(Duration::from_millis(500), Duration::from_secs(150))
    }

    async fn sweep_subscriptions(&self) -> Result<(), StoreError> {
        let mut after: Option<TargetId> = None;
        loop {
            let page = self.store.subscriptions(after, PAGE).await?;
            let Some(last) = page.last() else {
                return Ok(());
            };
            after = Some(last.id);
            let now = self.clock.now();
            let mut changes = Vec::new();
            for target in page {
                if !target.subscription.is_live(now) {
                    changes.push(Change::End {
                        target: target.id,
                        verified_at: Some(target.subscription.verified_at),
                    });
                } else if self.is_to_refresh(&target.subscription, now) {
                    self.refresh(target.id, target.subscription).await?;
                }
            }
            if !changes.is_empty() {
                tracing::info!(subscriptions = changes.len(), "leases ended");
                self.store.commit(changes).await?;
            }
        }
    }

    fn is_to_refresh(&self, subscription: &Subscription, now: Timestamp) -> bool {
        let lease = subscription.expires_at.since(subscription.verified_at);
        let early = (lease / 5).max(self.sweep_interval() * 2);
        self.settings.subscriptions.auto_refresh && subscription.expires_at.since(now) <= early
    }

    async fn refresh(&self, target: TargetId, held: Subscription) -> Result<(), StoreError> {
        let Some(verified_at) = self.refreshed.insert(target, held.verified_at) else {
            return self.ask_to_refresh(held).await;
        };
        match verified_at == held.verified_at {
            true => Ok(()),
            false => self.ask_to_refresh(held).await,
        }
    }

    async fn ask_to_refresh(&self, held: Subscription) -> Result<(), StoreError> {
        let now = self.clock.now();
        let job = Job::Verify(Verify {
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
        });
        self.store.commit(vec![Change::Put(job.clone())]).await?;
        self.work.schedule(job);
        Ok(())
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
                let idle = topic.last_activity().is_none_or(|at| at < horizon);
                let alone = topic.alias_of.is_none() && topic.aliases.is_empty();
                if idle
                    && alone
                    && self.audience(&topic).await? == 0
                    && self.store.hosted(topic.id()).await?.is_none()
                {
                    self.store
                        .commit(vec![Change::ForgetTopic(topic.id())])
                        .await?;
                }
            }
        }
    }
}

fn has_ended(receipt: &Receipt) -> bool {
    let waits = receipt.tally.backlog > 0;
    !waits && !matches!(receipt.stage, Stage::Fetching { .. } | Stage::Delivering)
}
