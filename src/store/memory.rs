//! The contract in plain maps of domain objects: what the engines are compared with, and a store for the flow's tests
//! that can be told to fail.

use std::collections::BTreeMap;
use std::ops::Bound::{Excluded, Unbounded};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;

use super::archive::Contents;
use super::{BacklogLimits, Change, Result, Store, StoreError, Subscriber, Target, Waiting};
use crate::domain::job::{Job, JobId};
use crate::domain::publication::Publication;
use crate::domain::receipt::{Bundle, Missing, Receipt};
use crate::domain::subscription::Subscription;
use crate::domain::topic::{Hosted, Topic};
use crate::domain::value::{CallbackId, PublicationId, TargetId, TopicId};

mod hooks;
mod model;

use self::model::State;

/// See the module.
pub struct MemoryStore {
    limits: BacklogLimits,
    state: Mutex<State>,
    failures_ahead: AtomicU32,
    commits: AtomicU32,
    panics_in: Mutex<Option<&'static str>>,
}

impl MemoryStore {
    /// An empty store.
    pub fn new(limits: BacklogLimits) -> Self {
        Self {
            limits,
            state: Mutex::default(),
            failures_ahead: AtomicU32::new(0),
            commits: AtomicU32::new(0),
            panics_in: Mutex::default(),
        }
    }

    /// The next commits and probes, so many of them, fail and change nothing.
    pub fn fail_next_commits(&self, count: u32) {
        self.failures_ahead.store(count, Ordering::SeqCst);
    }

    /// How many commits were made.
    pub fn commits(&self) -> u32 {
        self.commits.load(Ordering::SeqCst)
    }

    /// The next call of this name panics: `commit`, `targets`, or `more targets` for a page behind another one.
    pub fn panic_once_in(&self, call: &'static str) {
        *self.panics_in.lock().expect("no panic") = Some(call);
    }

    fn panic_if_asked(&self, call: &str) {
        let asked = self
            .panics_in
            .lock()
            .expect("no panic")
            .take_if(|it| *it == call);
        assert!(asked.is_none(), "a test wanted it so");
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fault(&self) -> Result<()> {
        let take_one = |ahead: u32| ahead.checked_sub(1);
        let order = Ordering::SeqCst;
        if self
            .failures_ahead
            .fetch_update(order, order, take_one)
            .is_err()
        {
            return Ok(());
        }
        Err(StoreError::Unavailable("a test wanted it so".to_owned()))
    }
}

fn page<K: Ord + Copy, V: Clone>(
    map: &BTreeMap<K, V>,
    after: Option<K>,
    limit: usize,
    is_asked_for: impl Fn(&K) -> bool,
) -> Vec<V> {
    map.range((after.map_or(Unbounded, Excluded), Unbounded))
        .filter(|(key, _)| is_asked_for(key))
        .take(limit)
        .map(|(_, value)| value.clone())
        .collect()
}

fn subscribers(
    map: &BTreeMap<TargetId, Subscription>,
    after: Option<TargetId>,
    limit: usize,
    is_asked_for: impl Fn(&TargetId) -> bool,
) -> Vec<Subscriber> {
    let page = page(map, after, limit, is_asked_for).into_iter();
    page.map(|subscription| Subscriber {
        id: subscription.id(),
        subscription,
    })
    .collect()
}

#[async_trait]
impl Store for MemoryStore {
    async fn commit(&self, changes: Vec<Change>) -> Result<()> {
        self.panic_if_asked("commit");
        self.fault()?;
        self.commits.fetch_add(1, Ordering::SeqCst);
        let mut state = self.state();
        for change in changes {
            state.apply(change, self.limits);
        }
        Ok(())
    }

    async fn topic(&self, topic: TopicId) -> Result<Option<Topic>> {
        Ok(self.state().topics.get(&topic).cloned())
    }

    async fn topics(&self, after: Option<TopicId>, limit: usize) -> Result<Vec<Topic>> {
        Ok(page(&self.state().topics, after, limit, |_| true))
    }

    async fn hosted(&self, topic: TopicId) -> Result<Option<(Hosted, Bytes)>> {
        Ok(self.state().hosted.get(&topic).cloned())
    }

    async fn subscription(&self, target: TargetId) -> Result<Option<Subscription>> {
        Ok(self.state().subscriptions.get(&target).cloned())
    }

    async fn targets(
        &self,
        topic: TopicId,
        after: Option<CallbackId>,
        limit: usize,
    ) -> Result<Vec<Target>> {
        self.panic_if_asked(if after.is_none() {
            "targets"
        } else {
            "more targets"
        });
        let subscribers = self.subscriptions_to(topic, None, usize::MAX).await?;
        let mut targets: Vec<Target> = subscribers.into_iter().map(Target::from).collect();
        targets.extend(self.state().hooks.on(topic).map(Target::from));
        targets.retain(|target| after.is_none_or(|after| target.id.callback > after));
        targets.sort_by_key(|target| target.id.callback);
        targets.truncate(limit);
        Ok(targets)
    }

    async fn subscriptions(
        &self,
        after: Option<TargetId>,
        limit: usize,
    ) -> Result<Vec<Subscriber>> {
        let state = self.state();
        Ok(subscribers(&state.subscriptions, after, limit, |_| true))
    }

    async fn subscriptions_to(
        &self,
        topic: TopicId,
        after: Option<CallbackId>,
        limit: usize,
    ) -> Result<Vec<Subscriber>> {
        let after = after.map(|callback| TargetId { topic, callback });
        let state = self.state();
        Ok(subscribers(&state.subscriptions, after, limit, |target| {
            target.topic == topic
        }))
    }

    async fn subscribers(&self, topic: TopicId) -> Result<u64> {
        let state = self.state();
        Ok(state
            .subscriptions
            .keys()
            .filter(|it| it.topic == topic)
            .count() as u64)
    }

    async fn subscriptions_at_host(&self, host: &str) -> Result<u64> {
        let state = self.state();
        let all = state.subscriptions.values();
        Ok(all.filter(|it| it.callback.host() == host).count() as u64)
    }

    async fn publication(&self, id: PublicationId) -> Result<Option<(Publication, Bytes)>> {
        Ok(self.state().publications.get(&id).cloned())
    }

    async fn receipt(&self, id: PublicationId) -> Result<Option<Receipt>> {
        let state = self.state();
        let receipt = state.receipts.get(&id).cloned();
        Ok(receipt.map(|receipt| state.with_checkpoint(receipt)))
    }

    async fn receipts(&self, after: Option<PublicationId>, limit: usize) -> Result<Vec<Receipt>> {
        let state = self.state();
        let page = page(&state.receipts, after, limit, |_| true).into_iter();
        Ok(page.map(|receipt| state.with_checkpoint(receipt)).collect())
    }

    async fn receipts_before(
        &self,
        before: Option<PublicationId>,
        limit: usize,
    ) -> Result<Vec<Receipt>> {
        let state = self.state();
        let older = state
            .receipts
            .range((Unbounded, before.map_or(Unbounded, Excluded)));
        let page = older.rev().take(limit).map(|(_, receipt)| receipt.clone());
        Ok(page.map(|receipt| state.with_checkpoint(receipt)).collect())
    }

    async fn bundle(&self, id: PublicationId) -> Result<Option<Bundle>> {
        Ok(self.state().bundles.get(&id).cloned())
    }

    async fn bundles(&self, after: Option<PublicationId>, limit: usize) -> Result<Vec<Bundle>> {
        Ok(page(&self.state().bundles, after, limit, |_| true))
    }

    async fn missing(
        &self,
        id: PublicationId,
        after: Option<TargetId>,
        limit: usize,
    ) -> Result<Vec<Missing>> {
        let after = after.map(|target| (id, target));
        Ok(page(&self.state().missing, after, limit, |(it, _)| {
            *it == id
        }))
    }

    async fn missing_one(&self, id: PublicationId, target: TargetId) -> Result<Option<Missing>> {
        Ok(self.state().missing.get(&(id, target)).cloned())
    }

    async fn all_missing(
        &self,
        after: Option<(PublicationId, TargetId)>,
        limit: usize,
    ) -> Result<Vec<(PublicationId, Missing)>> {
        let state = self.state();
        let start = after.map_or(Unbounded, Excluded);
        let rows = state.missing.range((start, Unbounded)).take(limit);
        Ok(rows.map(|((id, _), it)| (*id, it.clone())).collect())
    }

    async fn publications(
        &self,
        after: Option<PublicationId>,
        limit: usize,
    ) -> Result<Vec<Publication>> {
        let state = self.state();
        let start = after.map_or(Unbounded, Excluded);
        let rows = state.publications.range((start, Unbounded)).take(limit);
        Ok(rows
            .map(|(_, (publication, _))| publication.clone())
            .collect())
    }

    async fn kept_bytes(&self) -> Result<u64> {
        let state = self.state();
        let sizes = state.publications.values().map(|(_, body)| body.len());
        Ok(sizes.sum::<usize>() as u64)
    }

    async fn waiting(&self, target: TargetId, limit: usize) -> Result<Vec<Waiting>> {
        Ok(page(&self.state().waiting, None, limit, |(it, _)| {
            *it == target
        }))
    }

    async fn job(&self, id: JobId) -> Result<Option<Job>> {
        Ok(self.state().jobs.get(&id).cloned())
    }

    async fn jobs(&self, after: Option<JobId>, limit: usize) -> Result<Vec<Job>> {
        Ok(page(&self.state().jobs, after, limit, |_| true))
    }

    async fn back_up(
        &self,
        _: PathBuf,
        _: String,
        _: BTreeMap<String, String>,
    ) -> Result<Contents> {
        Err(StoreError::Unavailable("the model is in no folder".into()))
    }

    async fn probe(&self) -> Result<()> {
        self.fault()
    }

    fn overflow(&self) -> Vec<TargetId> {
        std::mem::take(&mut self.state().overflow)
    }

    fn quarantined(&self) -> u64 {
        0
    }

    async fn close(&self) -> Result<()> {
        Ok(())
    }
}
