//! What is kept for webhooks, in plain maps: the changes and the reads.

use std::collections::BTreeMap;

use async_trait::async_trait;
use bytes::Bytes;
use uuid::Uuid;

use super::super::hooks::{Raised, Remembered};
use super::super::{HookChange, HookStore, Result};
use super::{MemoryStore, page};
use crate::domain::delivery::{Delivery, DeliveryId};
use crate::domain::event::EventName;
use crate::domain::hook::{Hook, HookHealth, HookId};
use crate::domain::publication::Publication;
use crate::domain::replay::Replay;
use crate::domain::source::{Source, SourceName};
use crate::domain::token::{Token, TokenDigest};
use crate::domain::value::{PublicationId, SourceId, Timestamp, TopicId};

/// See the module.
#[derive(Default)]
pub(super) struct Hooks {
    sources: BTreeMap<String, Source>,
    hooks: BTreeMap<HookId, (Hook, Vec<TopicId>)>,
    given: Option<HookId>,
    health: BTreeMap<HookId, HookHealth>,
    deliveries: BTreeMap<(HookId, DeliveryId), (Delivery, Bytes)>,
    events: BTreeMap<(SourceId, PublicationId), EventName>,
    latest: BTreeMap<TopicId, PublicationId>,
    remembered: BTreeMap<[u8; 32], Remembered>,
    replays: BTreeMap<Uuid, Replay>,
    tokens: BTreeMap<TokenDigest, Token>,
}

impl Hooks {
    /// Makes one change. What waits for a hook that ends is not kept here.
    pub fn apply(&mut self, change: HookChange) {
        match change {
            HookChange::PutSource(source) => {
                self.sources.insert(source.name.key(), source);
            }
            HookChange::DropSource(name) => drop(self.sources.remove(&name.key())),
            HookChange::PutHook { hook, topics } => {
                self.given = self.given.max(Some(hook.id));
                self.hooks.insert(hook.id, (hook, topics));
            }
            HookChange::DropHook(id) => {
                self.hooks.remove(&id);
                self.health.remove(&id);
                self.deliveries.retain(|(hook, _), _| *hook != id);
            }
            HookChange::Health(id, health) => {
                if self.hooks.contains_key(&id) {
                    self.health.insert(id, health);
                }
            }
            HookChange::Log(delivery, body) => {
                if self.hooks.contains_key(&delivery.hook) {
                    let key = (delivery.hook, delivery.id);
                    self.deliveries.insert(key, (delivery, body));
                }
            }
            HookChange::PruneDeliveries { hook, before } => {
                self.deliveries
                    .retain(|(of, id), _| *of != hook || *id >= before);
            }
            HookChange::Remember(remembered) => {
                self.remembered.insert(remembered.key, remembered);
            }
            HookChange::Forget { before } => self.remembered.retain(|_, it| it.at >= before),
            HookChange::PutReplay(replay) => drop(self.replays.insert(replay.id, replay)),
            HookChange::DropReplay(id) => drop(self.replays.remove(&id)),
            HookChange::PutToken(token) => {
                self.tokens.retain(|_, other| other.id != token.id);
                self.tokens.insert(token.digest, token);
            }
            HookChange::DropToken(id) => self.tokens.retain(|_, token| token.id != id),
        }
    }

    /// A publication is journaled; it may be an event.
    pub fn log_event(&mut self, publication: &Publication) {
        let id = publication.id;
        if let Some(event) = &publication.event {
            self.events
                .insert((event.source.id(), id), event.name.clone());
            let latest = self.latest.entry(publication.topic.id()).or_insert(id);
            *latest = id.max(*latest);
        }
    }

    /// A publication goes.
    pub fn unlog(&mut self, id: PublicationId) {
        self.events.retain(|(_, it), _| *it != id);
        self.latest.retain(|_, it| *it != id);
    }

    /// The hooks that are targets of a topic.
    pub fn on(&self, topic: TopicId) -> impl Iterator<Item = Hook> {
        let hooks = self.hooks.values();
        hooks
            .filter(move |(_, topics)| topics.contains(&topic))
            .map(|(hook, _)| hook.clone())
    }

    fn deliveries(&self, hook: HookId) -> impl DoubleEndedIterator<Item = &Delivery> {
        let all = self.deliveries.values().map(|(delivery, _)| delivery);
        all.filter(move |delivery| delivery.hook == hook)
    }

    fn events(&self, source: &SourceName) -> impl DoubleEndedIterator<Item = Raised> {
        let source = source.id();
        let all = self.events.iter().filter(move |((of, _), _)| *of == source);
        all.map(|((_, publication), event)| Raised {
            publication: *publication,
            event: event.clone(),
        })
    }
}

#[async_trait]
impl HookStore for MemoryStore {
    async fn source(&self, name: &SourceName) -> Result<Option<Source>> {
        Ok(self.state().hooks.sources.get(&name.key()).cloned())
    }

    async fn sources(&self, after: Option<&SourceName>, limit: usize) -> Result<Vec<Source>> {
        let state = self.state();
        let all = state.hooks.sources.iter();
        let after = after.map(SourceName::key);
        let behind = all.filter(|(key, _)| after.as_ref().is_none_or(|after| *key > after));
        Ok(behind.map(|(_, it)| it.clone()).take(limit).collect())
    }

    async fn hook(&self, id: HookId) -> Result<Option<Hook>> {
        Ok(self.state().hooks.hooks.get(&id).map(|(it, _)| it.clone()))
    }

    async fn hooks(&self, after: Option<HookId>, limit: usize) -> Result<Vec<Hook>> {
        let page = page(&self.state().hooks.hooks, after, limit, |_| true);
        Ok(page.into_iter().map(|(hook, _)| hook).collect())
    }

    async fn hooks_of(
        &self,
        source: &SourceName,
        after: Option<HookId>,
        limit: usize,
    ) -> Result<Vec<Hook>> {
        let mut hooks = self.hooks(after, usize::MAX).await?;
        hooks.retain(|hook| hook.source == *source);
        hooks.truncate(limit);
        Ok(hooks)
    }

    async fn next_hook(&self) -> Result<HookId> {
        let given = self.state().hooks.given;
        Ok(HookId(given.map_or(1, |given| given.0 + 1)))
    }

    async fn health(&self, hook: HookId) -> Result<HookHealth> {
        let health = self.state().hooks.health.get(&hook).cloned();
        Ok(health.unwrap_or_default())
    }

    async fn deliveries_before(
        &self,
        hook: HookId,
        before: Option<DeliveryId>,
        limit: usize,
    ) -> Result<Vec<Delivery>> {
        let state = self.state();
        let all = state.hooks.deliveries(hook).rev();
        let asked = all.filter(|it| before.is_none_or(|before| it.id < before));
        Ok(asked.take(limit).cloned().collect())
    }

    async fn deliveries_after(
        &self,
        hook: HookId,
        after: Option<DeliveryId>,
        limit: usize,
    ) -> Result<Vec<Delivery>> {
        let state = self.state();
        let all = state.hooks.deliveries(hook);
        let asked = all.filter(|it| after.is_none_or(|after| it.id > after));
        Ok(asked.take(limit).cloned().collect())
    }

    async fn delivery(&self, hook: HookId, id: DeliveryId) -> Result<Option<(Delivery, Bytes)>> {
        Ok(self.state().hooks.deliveries.get(&(hook, id)).cloned())
    }

    async fn oldest_deliveries(&self, hook: HookId, limit: usize) -> Result<Vec<DeliveryId>> {
        let page = self.deliveries_after(hook, None, limit).await?;
        Ok(page.into_iter().map(|delivery| delivery.id).collect())
    }

    async fn oldest_kept(&self, hook: HookId, keep: usize) -> Result<Option<DeliveryId>> {
        let all = self.deliveries_before(hook, None, usize::MAX).await?;
        let is_too_many = all.len() > keep;
        let oldest = all.iter().take(keep).next_back();
        Ok(oldest.filter(|_| is_too_many).map(|it| it.id))
    }

    /// What a row takes on disk is the engine's alone to know.
    async fn oldest_within(&self, _: HookId, _: u64) -> Result<Option<DeliveryId>> {
        Ok(None)
    }

    async fn events_before(
        &self,
        source: &SourceName,
        before: Option<PublicationId>,
        limit: usize,
    ) -> Result<Vec<Raised>> {
        let state = self.state();
        let all = state.hooks.events(source).rev();
        let asked = all.filter(|it| before.is_none_or(|before| it.publication < before));
        Ok(asked.take(limit).collect())
    }

    async fn events_after(
        &self,
        source: &SourceName,
        after: Option<PublicationId>,
        limit: usize,
    ) -> Result<Vec<Raised>> {
        let state = self.state();
        let all = state.hooks.events(source);
        let asked = all.filter(|it| after.is_none_or(|after| it.publication > after));
        Ok(asked.take(limit).collect())
    }

    async fn latest_event(&self, topic: TopicId) -> Result<Option<PublicationId>> {
        Ok(self.state().hooks.latest.get(&topic).copied())
    }

    async fn remembered(&self, key: [u8; 32]) -> Result<Option<Remembered>> {
        Ok(self.state().hooks.remembered.get(&key).copied())
    }

    async fn oldest_remembered(&self) -> Result<Option<Timestamp>> {
        let state = self.state();
        Ok(state.hooks.remembered.values().map(|it| it.at).min())
    }

    async fn replay(&self, id: Uuid) -> Result<Option<Replay>> {
        Ok(self.state().hooks.replays.get(&id).cloned())
    }

    async fn replays(&self) -> Result<Vec<Replay>> {
        Ok(self.state().hooks.replays.values().cloned().collect())
    }

    async fn tokens(&self) -> Result<Vec<Token>> {
        let state = self.state();
        let mut tokens: Vec<Token> = state.hooks.tokens.values().cloned().collect();
        tokens.sort_by_key(|token| token.id);
        Ok(tokens)
    }

    async fn token(&self, digest: TokenDigest) -> Result<Option<Token>> {
        Ok(self.state().hooks.tokens.get(&digest).cloned())
    }
}
