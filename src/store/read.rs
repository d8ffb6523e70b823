//! Reads of rows as records: one row, a page of them, a body in pieces. In: keys. Out: records; what cannot be read is set
//! aside and passed over.

use bytes::{Bytes, BytesMut};

use super::database::Database;
use super::hooks::HookRow;
use super::journal::Journaled;
use super::key::{Group, Key};
use super::quarantine::Quarantine;
use super::recent::Recent;
use super::record::Record;
use super::{Result, Subscriber, Target};
use crate::domain::hook::{Hook, HookId};
use crate::domain::job::{Job, JobId};
use crate::domain::publication::Publication;
use crate::domain::receipt::Receipt;
use crate::domain::value::{CallbackId, PublicationId, TargetId, TopicId};

/// Room that is made for a page at once, in rows.
const AT_ONCE: usize = 1_000;

/// The rows as they stand while a read lasts.
#[derive(Clone, Copy)]
pub(super) struct View<'a> {
    pub database: &'a Database,
    pub quarantine: &'a Quarantine,
    pub recent: &'a Recent,
}

/// Which rows of a group make a page.
#[derive(Clone, Debug)]
pub(super) struct Span {
    pub group: Group,
    pub from: Start,
    pub limit: usize,
}

/// Where a page begins, and which way it goes.
#[derive(Clone, Debug)]
pub(super) enum Start {
    /// In key order behind a key, or from the first row on.
    After(Option<Key>),
    /// Against it, before a key, or from the last row on.
    Before(Option<Key>),
}

impl Span {
    /// A page in key order.
    pub fn after(group: Group, after: Option<Key>, limit: usize) -> Self {
        let from = Start::After(after);
        Self { group, from, limit }
    }
}

impl View<'_> {
    /// One record.
    pub fn record<T: Record>(&self, key: &Key) -> Result<Option<T>> {
        let key = key.bytes();
        let value = self.database.value(&key)?;
        Ok(value.and_then(|value| self.decoded(&key, &value)))
    }

    /// A page of records.
    pub fn page<T: Record>(&self, span: &Span) -> Result<Vec<T>> {
        self.walk(span, |key, value| Ok(self.decoded(key, value)))
    }

    /// A page of what `made` makes of rows, without those of which it makes nothing.
    pub fn walk<T>(
        &self,
        span: &Span,
        made: impl Fn(&[u8], &[u8]) -> Result<Option<T>>,
    ) -> Result<Vec<T>> {
        let prefix = span.group.prefix();
        let bytes = |key: &Option<Key>| key.as_ref().map(Key::bytes);
        let mut page = Vec::with_capacity(span.limit.min(AT_ONCE));
        let mut take = |row: Result<(::sled::IVec, ::sled::IVec)>| {
            let (key, value) = row?;
            page.extend(made(&key, &value)?);
            Ok(page.len() < span.limit)
        };
        if span.limit == 0 {
            return Ok(page);
        }
        match &span.from {
            Start::After(after) => {
                for row in self.database.rows(&prefix, bytes(after).as_deref()) {
                    if !take(row)? {
                        break;
                    }
                }
            }
            Start::Before(before) => {
                for row in self.database.rows_back(&prefix, bytes(before).as_deref()) {
                    if !take(row)? {
                        break;
                    }
                }
            }
        }
        Ok(page)
    }

    /// A body in pieces.
    pub fn body(&self, chunks: Group) -> Result<Bytes> {
        let mut body = BytesMut::new();
        for row in self.database.rows(&chunks.prefix(), None) {
            body.extend_from_slice(&row?.1);
        }
        Ok(body.freeze())
    }

    /// How long a body in pieces is.
    pub fn body_length(&self, chunks: Group) -> Result<u64> {
        let rows = self.database.rows(&chunks.prefix(), None);
        rows.map(|row| Ok(row?.1.len() as u64)).sum()
    }

    /// A record, and the body that goes with it in pieces.
    pub fn with_body<T: Record>(&self, key: &Key, chunks: Group) -> Result<Option<(T, Bytes)>> {
        let head = self.record(key)?;
        head.map(|head| Ok((head, self.body(chunks)?))).transpose()
    }

    /// A publication, wherever its body is.
    pub fn publication(&self, id: PublicationId) -> Result<Option<(Publication, Bytes)>> {
        let Some(row) = self.record::<Journaled>(&Key::Publication(id))? else {
            return Ok(None);
        };
        let body = match row.body {
            Some(body) => body,
            None => self.body(Group::BodyChunks(id))?,
        };
        Ok(Some((row.publication, body)))
    }

    /// The receipt with what its fan-out has counted so far.
    pub fn with_checkpoint(&self, mut receipt: Receipt) -> Result<Receipt> {
        let key = Key::Job(JobId::Fanout(receipt.id));
        if let Some(Job::Fanout(fanout)) = self.record(&key)? {
            receipt.tally = receipt.tally.merged(fanout.tally);
        }
        Ok(receipt)
    }

    /// A page of receipts, each as [`Self::with_checkpoint`] has it.
    pub fn receipts(&self, from: Start, limit: usize) -> Result<Vec<Receipt>> {
        let group = Group::Receipts;
        let page = self.page(&Span { group, from, limit })?;
        let page = page.into_iter();
        page.map(|receipt| self.with_checkpoint(receipt)).collect()
    }

    /// A page of subscriptions with the keys that they stand under.
    pub fn subscribers(&self, span: &Span) -> Result<Vec<Subscriber>> {
        self.walk(span, |key, value| {
            let Some(Key::Subscription(id)) = Key::parse(key) else {
                return Ok(None);
            };
            let subscription = self.decoded(key, value);
            Ok(subscription.map(|subscription| Subscriber { id, subscription }))
        })
    }

    /// A page of a topic's targets, in the order of their callbacks: its hooks among its subscriptions.
    pub fn targets(
        &self,
        topic: TopicId,
        after: Option<CallbackId>,
        limit: usize,
    ) -> Result<Vec<Target>> {
        let from = after.map(|callback| Key::HookOn(topic, callback));
        let hooks = self.hooks(&Span::after(Group::HooksOn(topic), from, limit))?;
        let from = after.map(|callback| Key::Subscription(TargetId { topic, callback }));
        let span = Span::after(Group::SubscriptionsTo(topic), from, limit);
        let subscribers = self.subscribers(&span)?;
        let mut targets: Vec<Target> = hooks.into_iter().map(Target::from).collect();
        targets.extend(subscribers.into_iter().map(Target::from));
        targets.sort_by_key(|target| target.id.callback);
        targets.truncate(limit);
        Ok(targets)
    }

    /// A page of the hooks that the keys of an index name.
    pub fn hooks(&self, span: &Span) -> Result<Vec<Hook>> {
        self.walk(span, |key, _| {
            let id = match Key::parse(key) {
                Some(Key::HookOf(_, id)) => Some(id),
                Some(Key::HookOn(_, callback)) => HookId::of_callback(callback),
                _ => None,
            };
            id.map_or(Ok(None), |id| self.hook(id))
        })
    }

    /// One hook.
    pub fn hook(&self, id: HookId) -> Result<Option<Hook>> {
        let row = self.record::<HookRow>(&Key::Hook(id))?;
        Ok(row.map(|row| row.hook))
    }

    /// A row's record, if it can be read.
    pub fn decoded<T: Record>(&self, key: &[u8], value: &[u8]) -> Option<T> {
        T::decode(value)
            .inspect_err(|error| self.quarantine.report(key, value, error))
            .ok()
    }
}
