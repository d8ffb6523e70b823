//! Erasure, on request: of all that the hub keeps of a source, or of a callback. In: a name, or a URL. Out: what was erased, in numbers.
//!
//! All of it goes in steps, each a commit of its own, so that whoever has much holds nobody up. Whoever breaks it off may ask again: what is
//! gone is gone, and the rest goes then.

use std::collections::HashSet;
use std::time::Duration;

use serde::Serialize;

use super::Hub;
use super::hooks::HookError;
use crate::domain::delivery::DeliveryId;
use crate::domain::hook::{Hook, HookId};
use crate::domain::job::{Job, JobId};
use crate::domain::source::SourceName;
use crate::domain::value::{CallbackUrl, PublicationId, TargetId, TopicId, TopicUrl};
use crate::store::{Change, HookChange, StoreError};

/// Rows looked at in one go.
const PAGE: usize = 1_000;
/// Events that are forgotten in one go: each has several rows.
const STEP: usize = 100;
/// How long deliveries under way are waited for, beyond the time that one may take.
const MARGIN: Duration = Duration::from_secs(5);
/// How often it is looked whether they have ended.
const LOOK: Duration = Duration::from_millis(50);

/// What was erased.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Erased {
    /// Subscriptions, with what waited for them.
    pub subscriptions: u64,
    /// Requests that no callback has confirmed yet, and denials that none has heard.
    pub requests: u64,
    /// Hooks, with what waited for them, and their replays.
    pub hooks: u64,
    /// Deliveries in the logs of those.
    pub deliveries: u64,
    /// Events, with their bodies and receipts.
    pub events: u64,
    /// Places in which receipts named a target.
    pub named: u64,
}

/// What ends with an erasure.
#[derive(Default)]
struct Targets {
    ids: HashSet<TargetId>,
    hooks: HashSet<HookId>,
}

impl Hub {
    /// Erases what there is of a source but for its declaration: its hooks with all of theirs, its events with their receipts, the
    /// subscriptions to them.
    ///
    /// # Errors
    /// The store's; what was erased before stays erased.
    pub async fn erase_source(&self, source: &SourceName) -> Result<Erased, StoreError> {
        let (mut erased, mut ended) = (Erased::default(), Targets::default());
        let hooks = self.all_hooks_of(source).await?;
        self.erase_hooks(hooks, &mut erased, &mut ended).await?;
        let is_its = |topic: &TopicUrl| {
            let place = self.event_place(topic);
            place.is_some_and(|place| place.source.id() == source.id())
        };
        erased.requests += self.erase_requests(|topic, _| is_its(topic)).await?;
        let mut after = None;
        loop {
            let topics = self.store.topics(after, PAGE).await?;
            let Some(last) = topics.last() else {
                break;
            };
            after = Some(last.id());
            for topic in topics {
                if is_its(&topic.url) {
                    self.erase_topic(topic.id(), &mut erased, &mut ended)
                        .await?;
                }
            }
        }
        self.land(&ended).await;
        loop {
            let events = self.store.events_after(source, None, STEP).await?;
            if events.is_empty() {
                break;
            }
            for event in &events {
                self.shorten_receipt(event.publication).await?;
            }
            erased.events += events.len() as u64;
            let prune = events.iter().map(|event| Change::Prune(event.publication));
            self.store.commit(prune.collect()).await?;
        }
        tracing::info!(%source, ?erased, "a source was erased");
        Ok(erased)
    }

    /// Erases what there is of a callback: its subscriptions, the hooks that lead there with all of theirs, and what receipts say of it.
    ///
    /// # Errors
    /// The store's; what was erased before stays erased.
    pub async fn erase_callback(&self, callback: &CallbackUrl) -> Result<Erased, StoreError> {
        let (mut erased, mut ended) = (Erased::default(), Targets::default());
        // First: what is confirmed before that is among the subscriptions.
        erased.requests += self.erase_requests(|_, its| its == callback).await?;
        let mut after = None;
        loop {
            let page = self.store.subscriptions(after, PAGE).await?;
            let Some(last) = page.last() else {
                break;
            };
            after = Some(last.id);
            let its = page
                .iter()
                .filter(|it| it.subscription.callback == *callback);
            let its: Vec<TargetId> = its.map(|it| it.id).collect();
            self.erase_subscriptions(&its, &mut erased, &mut ended)
                .await?;
        }
        let mut after = None;
        loop {
            let page = self.store.hooks(after, PAGE).await?;
            let Some(last) = page.last() else {
                break;
            };
            after = Some(last.id);
            let its = page.into_iter().filter(|hook| hook.endpoint == *callback);
            self.erase_hooks(its.collect(), &mut erased, &mut ended)
                .await?;
        }
        self.land(&ended).await;
        erased.named += self.unname(callback, &ended).await?;
        tracing::info!(origin = callback.origin(), ?erased, "a callback was erased");
        Ok(erased)
    }

    /// Requests to subscribe and unsubscribe that are not decided, and denials that are not heard. One that is under way leaves nothing: see
    /// `Hub::is_over`.
    async fn erase_requests(
        &self,
        is_its: impl Fn(&TopicUrl, &CallbackUrl) -> bool,
    ) -> Result<u64, StoreError> {
        let (mut count, mut after) = (0, None);
        loop {
            // Before the page: who decides meanwhile puts a denial that the page would not have.
            let nobody_decides = self.deciding.write().await;
            let page = self.store.jobs(after, PAGE).await?;
            after = page.last().map(Job::id);
            let its = page.iter().filter(|job| match job {
                Job::Verify(job) => is_its(&job.intent.topic, &job.intent.callback),
                Job::Deny(job) => is_its(&job.denial.topic, &job.denial.callback),
                _ => false,
            });
            let finish: Vec<_> = its.map(|job| Change::Finish(job.id())).collect();
            if !finish.is_empty() {
                count += finish.len() as u64;
                self.store.commit(finish).await?;
            }
            drop(nobody_decides);
            // They are the first of the jobs.
            if !matches!(after, Some(JobId::Verify(_) | JobId::Deny(_))) {
                return Ok(count);
            }
        }
    }

    async fn erase_hooks(
        &self,
        hooks: Vec<Hook>,
        erased: &mut Erased,
        ended: &mut Targets,
    ) -> Result<(), StoreError> {
        for hook in hooks {
            erased.deliveries += self.count_deliveries(hook.id).await?;
            match self.delete_hook(hook.id).await {
                Ok(()) => erased.hooks += 1,
                Err(HookError::Store(error)) => return Err(error),
                // Somebody else has deleted it meanwhile.
                Err(_) => {}
            }
            self.knock(hook.id.target(), self.clock.now());
            ended.ids.insert(hook.id.target());
            ended.hooks.insert(hook.id);
        }
        let replays = self.store.replays().await?.into_iter();
        let its = replays.filter(|replay| ended.hooks.contains(&replay.hook));
        let dropped = its.map(|replay| HookChange::DropReplay(replay.id).into());
        let dropped: Vec<Change> = dropped.collect();
        match dropped.is_empty() {
            true => Ok(()),
            false => self.store.commit(dropped).await,
        }
    }

    async fn erase_topic(
        &self,
        topic: TopicId,
        erased: &mut Erased,
        ended: &mut Targets,
    ) -> Result<(), StoreError> {
        loop {
            let page = self.store.subscriptions_to(topic, None, PAGE).await?;
            if page.is_empty() {
                return self.store.commit(vec![Change::ForgetTopic(topic)]).await;
            }
            let ids: Vec<TargetId> = page.iter().map(|it| it.id).collect();
            self.erase_subscriptions(&ids, erased, ended).await?;
        }
    }

    async fn erase_subscriptions(
        &self,
        targets: &[TargetId],
        erased: &mut Erased,
        ended: &mut Targets,
    ) -> Result<(), StoreError> {
        for target in targets {
            self.shorten_backlog(*target).await?;
            let end = Change::End {
                target: *target,
                verified_at: None,
            };
            let nobody_decides = self.deciding.write().await;
            self.store.commit(vec![end]).await?;
            drop(nobody_decides);
            // Else its backlog would be looked for at the time of the next attempt.
            self.knock(*target, self.clock.now());
            ended.ids.insert(*target);
            erased.subscriptions += 1;
        }
        Ok(())
    }

    async fn count_deliveries(&self, hook: HookId) -> Result<u64, StoreError> {
        let (mut count, mut after) = (0, None::<DeliveryId>);
        loop {
            let page = self.store.deliveries_after(hook, after, PAGE).await?;
            let Some(last) = page.last() else {
                return Ok(count);
            };
            after = Some(last.id);
            count += page.len() as u64;
        }
    }

    /// Waits until nothing is under way to those who have ended: what comes of it leaves rows.
    async fn land(&self, ended: &Targets) {
        let until = tokio::time::Instant::now() + self.settings.delivery.timeout + MARGIN;
        while ended.ids.iter().any(|target| self.turns.is_busy(*target))
            && tokio::time::Instant::now() < until
            && !self.stop.is_cancelled()
        {
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Receipts name the callback, and those who have ended, no longer.
    async fn unname(&self, callback: &CallbackUrl, ended: &Targets) -> Result<u64, StoreError> {
        let (mut count, mut after) = (0, None);
        loop {
            let page = self.store.all_missing(after, PAGE).await?;
            let Some((id, last)) = page.last() else {
                return Ok(count);
            };
            after = Some((*id, last.target));
            let its = page.iter().filter(|(_, missing)| {
                missing.callback == *callback || ended.ids.contains(&missing.target)
            });
            let changes = its.map(|(publication, missing)| Change::Unname {
                publication: *publication,
                target: missing.target,
            });
            let changes: Vec<Change> = changes.collect();
            if !changes.is_empty() {
                count += changes.len() as u64;
                self.store.commit(changes).await?;
            }
        }
    }

    /// Takes most names off a receipt that is to be forgotten, in steps.
    async fn shorten_receipt(&self, publication: PublicationId) -> Result<(), StoreError> {
        let mut after = None;
        loop {
            let page = self.store.missing(publication, after, PAGE).await?;
            if page.len() < PAGE {
                return Ok(());
            }
            after = page.last().map(|missing| missing.target);
            let changes = page.iter().map(|missing| Change::Unname {
                publication,
                target: missing.target,
            });
            self.store.commit(changes.collect()).await?;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::clock::new_publication_id;
    use super::super::tests::{hub_in_memory, subscriber};
    use super::*;
    use crate::domain::job::Fetch;
    use crate::store::Subscriber;

    #[tokio::test]
    async fn what_is_denied_while_erasure_waits_is_erased_too() {
        let folder = tempfile::tempdir().expect("a folder");
        let (hub, _store) = hub_in_memory(&folder);
        let held = subscriber(&hub, "http://reader.example/").subscription;
        let (topic, callback) = (held.topic.clone(), held.callback.clone());
        let denial = hub.denial(&topic, &callback, "no".to_owned());
        let request = hub.question(held);
        // Whoever sees a fetch has seen all requests and denials that there were.
        let fetch = Job::Fetch(Fetch {
            publication: new_publication_id(),
            topic,
            due: hub.clock.now(),
            failures: 0,
        });
        let put = vec![Change::Put(request.clone()), Change::Put(fetch)];
        hub.store.commit(put).await.expect("a commit");

        let deciding = hub.deciding.read().await;
        let erasing = Arc::clone(&hub);
        let erasing = tokio::spawn(async move { erasing.erase_callback(&callback).await });
        tokio::task::yield_now().await;
        let decided = vec![Change::Finish(request.id()), Change::Put(denial.clone())];
        hub.store.commit(decided).await.expect("a commit");
        drop(deciding);
        let erased = erasing.await.expect("no panic").expect("it is erased");
        assert_eq!(erased.requests, 1);
        let told = hub.store.job(denial.id()).await.expect("a read");
        assert_eq!(told, None, "nobody is told any more");
    }

    #[tokio::test]
    async fn who_ends_a_subscription_waits_for_who_renews_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let (hub, _store) = hub_in_memory(&folder);
        let Subscriber { id, subscription } = subscriber(&hub, "http://reader.example/");
        let renew = || {
            hub.store
                .commit(vec![Change::Activate(subscription.clone())])
        };
        for how in ["delete", "deny", "erase"] {
            renew().await.expect("a commit");
            let deciding = hub.deciding.read().await;
            let ending = Arc::clone(&hub);
            let ending = tokio::spawn(async move {
                let (mut erased, mut ended) = (Erased::default(), Targets::default());
                match how {
                    "delete" => ending.end(id).await.map(drop),
                    "deny" => ending.deny(id, "no").await.map(drop),
                    _ => {
                        ending
                            .erase_subscriptions(&[id], &mut erased, &mut ended)
                            .await
                    }
                }
            });
            tokio::task::yield_now().await;
            renew().await.expect("a commit");
            drop(deciding);
            ending.await.expect("no panic").expect("it ends");
            let held = hub.store.subscription(id).await.expect("a read");
            assert_eq!(held, None, "{how}");
        }
    }
}
