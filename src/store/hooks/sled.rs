//! The reads of the webhooks from the store in one folder.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use uuid::Uuid;

use super::{HookRow, HookStore, Raised, Remembered};
use crate::domain::delivery::{Delivery, DeliveryId};
use crate::domain::hook::{Hook, HookHealth, HookId};
use crate::domain::replay::Replay;
use crate::domain::source::{Source, SourceName};
use crate::domain::token::{Token, TokenDigest};
use crate::domain::value::{PublicationId, SourceId, Timestamp, TopicId};
use crate::store::key::{Group, Key};
use crate::store::read::{Span, Start, View};
use crate::store::{Result, SledStore};

impl SledStore {
    async fn deliveries(&self, hook: HookId, from: Start, limit: usize) -> Result<Vec<Delivery>> {
        let group = Group::Deliveries(hook);
        self.page(Span { group, from, limit }).await
    }

    async fn events(&self, source: SourceId, from: Start, limit: usize) -> Result<Vec<Raised>> {
        let group = Group::Events(source);
        self.read_page(limit, move |view| {
            view.walk(&Span { group, from, limit }, |key, value| {
                let Some(Key::Event(_, publication)) = Key::parse(key) else {
                    return Ok(None);
                };
                let event = view.decoded(key, value);
                Ok(event.map(|event| Raised { publication, event }))
            })
        })
        .await
    }
}

#[async_trait]
impl HookStore for SledStore {
    async fn source(&self, name: &SourceName) -> Result<Option<Source>> {
        self.record(Key::Source(name.key())).await
    }

    async fn sources(&self, after: Option<&SourceName>, limit: usize) -> Result<Vec<Source>> {
        let after = after.map(|name| Key::Source(name.key()));
        self.page(Span::after(Group::Sources, after, limit)).await
    }

    async fn hook(&self, id: HookId) -> Result<Option<Hook>> {
        let hook = self.shared_hook(id).await?;
        Ok(hook.map(Arc::unwrap_or_clone))
    }

    async fn hooks(&self, after: Option<HookId>, limit: usize) -> Result<Vec<Hook>> {
        let span = Span::after(Group::Hooks, after.map(Key::Hook), limit);
        let rows: Vec<HookRow> = self.page(span).await?;
        Ok(rows.into_iter().map(|row| row.hook).collect())
    }

    async fn hooks_of(
        &self,
        source: &SourceName,
        after: Option<HookId>,
        limit: usize,
    ) -> Result<Vec<Hook>> {
        let source = source.id();
        let after = after.map(|hook| Key::HookOf(source, hook));
        let span = Span::after(Group::HooksOf(source), after, limit);
        self.read_page(limit, move |view| view.hooks(&span)).await
    }

    async fn next_hook(&self) -> Result<HookId> {
        let next = self.record(Key::NextHook).await?;
        Ok(HookId(next.unwrap_or(1)))
    }

    async fn health(&self, hook: HookId) -> Result<HookHealth> {
        let health = self.record(Key::Health(hook)).await?;
        Ok(health.unwrap_or_default())
    }

    async fn deliveries_before(
        &self,
        hook: HookId,
        before: Option<DeliveryId>,
        limit: usize,
    ) -> Result<Vec<Delivery>> {
        let from = Start::Before(before.map(|id| Key::Delivery(hook, id)));
        self.deliveries(hook, from, limit).await
    }

    async fn deliveries_after(
        &self,
        hook: HookId,
        after: Option<DeliveryId>,
        limit: usize,
    ) -> Result<Vec<Delivery>> {
        let from = Start::After(after.map(|id| Key::Delivery(hook, id)));
        self.deliveries(hook, from, limit).await
    }

    async fn oldest_deliveries(&self, hook: HookId, limit: usize) -> Result<Vec<DeliveryId>> {
        let span = Span::after(Group::Deliveries(hook), None, limit);
        let number = |key: &[u8], _: &[u8]| match Key::parse(key) {
            Some(Key::Delivery(_, id)) => Ok(Some(id)),
            _ => Ok(None),
        };
        self.read_page(limit, move |view| view.walk(&span, number))
            .await
    }

    async fn delivery(&self, hook: HookId, id: DeliveryId) -> Result<Option<(Delivery, Bytes)>> {
        self.read(move |view| {
            view.with_body(&Key::Delivery(hook, id), Group::RequestChunksOf(hook, id))
        })
        .await
    }

    async fn oldest_kept(&self, hook: HookId, keep: usize) -> Result<Option<DeliveryId>> {
        let oldest_kept = move |view: View<'_>| {
            let span = Span {
                group: Group::Deliveries(hook),
                from: Start::Before(None),
                limit: keep.saturating_add(1),
            };
            let newest = view.walk(&span, |key, _| Ok(Key::parse(key)))?;
            let is_too_many = newest.len() > keep;
            let oldest = newest.into_iter().take(keep).next_back();
            Ok(match oldest.filter(|_| is_too_many) {
                Some(Key::Delivery(_, id)) => Some(id),
                _ => None,
            })
        };
        self.read_page(keep, oldest_kept).await
    }

    async fn oldest_within(&self, hook: HookId, bytes: u64) -> Result<Option<DeliveryId>> {
        let oldest_within = move |view: View<'_>| {
            let span = Span {
                group: Group::Deliveries(hook),
                from: Start::Before(None),
                limit: usize::MAX,
            };
            let newest = view.walk(&span, |key, value| {
                let Some(Key::Delivery(_, id)) = Key::parse(key) else {
                    return Ok(None);
                };
                let body = view.body_length(Group::RequestChunksOf(hook, id))?;
                Ok(Some((id, value.len() as u64 + body)))
            })?;
            let (mut sum, mut oldest) = (0, None);
            for (id, length) in newest {
                sum += length;
                if sum > bytes && oldest.is_some() {
                    return Ok(oldest);
                }
                oldest = Some(id);
            }
            Ok(None)
        };
        self.read_page(usize::MAX, oldest_within).await
    }

    async fn events_before(
        &self,
        source: &SourceName,
        before: Option<PublicationId>,
        limit: usize,
    ) -> Result<Vec<Raised>> {
        let source = source.id();
        let from = Start::Before(before.map(|id| Key::Event(source, id)));
        self.events(source, from, limit).await
    }

    async fn events_after(
        &self,
        source: &SourceName,
        after: Option<PublicationId>,
        limit: usize,
    ) -> Result<Vec<Raised>> {
        let source = source.id();
        let from = Start::After(after.map(|id| Key::Event(source, id)));
        self.events(source, from, limit).await
    }

    async fn latest_event(&self, topic: TopicId) -> Result<Option<PublicationId>> {
        self.record(Key::LatestEvent(topic)).await
    }

    async fn remembered(&self, key: [u8; 32]) -> Result<Option<Remembered>> {
        self.record(Key::Remembered(key)).await
    }

    async fn oldest_remembered(&self) -> Result<Option<Timestamp>> {
        self.read(|view| {
            let span = Span::after(Group::RememberedInTime, None, 1);
            let oldest = view.walk(&span, |key, _| Ok(Key::parse(key)))?;
            Ok(match oldest.first() {
                Some(Key::RememberedAt(at, _)) => Some(*at),
                _ => None,
            })
        })
        .await
    }

    async fn replay(&self, id: Uuid) -> Result<Option<Replay>> {
        self.record(Key::Replay(id)).await
    }

    async fn replays(&self) -> Result<Vec<Replay>> {
        self.page(Span::after(Group::Replays, None, usize::MAX))
            .await
    }

    async fn tokens(&self) -> Result<Vec<Token>> {
        let all = Span::after(Group::Tokens, None, usize::MAX);
        let mut tokens: Vec<Token> = self.page(all).await?;
        tokens.sort_by_key(|token| token.id);
        Ok(tokens)
    }

    async fn token(&self, digest: TokenDigest) -> Result<Option<Token>> {
        self.record(Key::Token(digest)).await
    }
}
