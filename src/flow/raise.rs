//! Raising: events of a source become durable publications, each with a receipt and a fan-out to whoever wants it.
//!
//! Every event is new: nothing is compared, and nothing is read but what is kept under the request's key, if it has one. One
//! request is one commit.

use bytes::Bytes;
use sha2::{Digest as _, Sha256};

use super::Hub;
use super::clock::new_publication_id;
use crate::dialect;
use crate::domain::event::{Event, EventName};
use crate::domain::job::{Fanout, Job};
use crate::domain::publication::{EventMark, Publication};
use crate::domain::receipt::{Bundle, Stage};
use crate::domain::source::Source;
use crate::domain::value::{PublicationId, TopicId};
use crate::store::hooks::Remembered;
use crate::store::{Change, HookChange, StoreError};

/// What the media type of every event is.
const JSON: &str = "application/json";

/// What tells a request that is sent again from a new one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Idempotency {
    key: [u8; 32],
    request: [u8; 32],
}

/// Events were taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Raised {
    /// The receipt: of the one event, or of the bundle of several.
    pub receipt: PublicationId,
    /// Whether an earlier request with the same key has raised them.
    pub repeated: bool,
}

/// Why events are not taken.
#[derive(Debug, thiserror::Error)]
pub enum RaiseError {
    /// The key came with another request before.
    #[error(
        "another request came with this Idempotency-Key before; send what is new with a key of its own, and what is repeated \
         exactly as before"
    )]
    KeyTaken,
    /// The store's: nothing was raised.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Idempotency {
    /// The key of one who asks, for one source, and the request that it stands for. Each is a list of parts.
    pub fn new(key: &[&[u8]], request: &[&[u8]]) -> Self {
        Self {
            key: digest(key),
            request: digest(request),
        }
    }
}

impl Hub {
    /// Raises events of a source, at least one. When this returns, they are durable, all of them. `once` makes it a repeat if
    /// the same was raised before: then nothing is raised, and the answer is the first one's. Requests with the same key wait
    /// for each other.
    ///
    /// # Errors
    /// See [`RaiseError`]; nothing was raised then.
    pub async fn raise(
        &self,
        source: &Source,
        events: Vec<Event>,
        once: Option<Idempotency>,
    ) -> Result<Raised, RaiseError> {
        let remembers = !self.settings.hooks.remember_keys.is_zero();
        let Some(once) = once.filter(|_| remembers) else {
            let receipt = self.raise_with(Vec::new(), source, events, None).await?;
            return Ok(Raised {
                receipt,
                repeated: false,
            });
        };
        let _turn = self.raising.lock(&once.key).await;
        let horizon = self.clock.now().minus(self.settings.hooks.remember_keys);
        let known = self.store.remembered(once.key).await?;
        match known.filter(|known| known.at >= horizon) {
            Some(known) if known.request != once.request => Err(RaiseError::KeyTaken),
            Some(known) => Ok(Raised {
                receipt: known.publication,
                repeated: true,
            }),
            None => Ok(Raised {
                receipt: self
                    .raise_with(Vec::new(), source, events, Some(once))
                    .await?,
                repeated: false,
            }),
        }
    }

    /// The latest event of a name, while it is kept.
    ///
    /// # Errors
    /// The store's.
    pub async fn latest(
        &self,
        source: &Source,
        name: &EventName,
    ) -> Result<Option<(Publication, Bytes)>, StoreError> {
        let topic = source.name.topic(&self.url, name);
        match self.store.latest_event(topic.id()).await? {
            Some(latest) => self.store.publication(latest).await,
            None => Ok(None),
        }
    }

    /// Raises events in one commit with other changes, which come first. Gives the receipt.
    ///
    /// # Errors
    /// The store's: nothing has changed then.
    pub(super) async fn raise_with(
        &self,
        mut changes: Vec<Change>,
        source: &Source,
        events: Vec<Event>,
        once: Option<Idempotency>,
    ) -> Result<PublicationId, StoreError> {
        let now = self.clock.now();
        changes.reserve(3 * events.len() + 2);
        let mut fanouts = Vec::with_capacity(events.len());
        let mut receipts = Vec::with_capacity(events.len());
        for event in events {
            let id = new_publication_id();
            receipts.push(id);
            let (publication, body) = self.publication_of(source, &event, id);
            let topic = publication.topic.clone();
            let work_out = || self.members_of(source, &event.name);
            let members = self.sources.members(&topic, work_out);
            let fanout = Job::Fanout(Fanout::new(id, members));
            let receipt = self.new_receipt(id, topic, Stage::Delivering);
            changes.push(Change::Receive(receipt));
            changes.push(Change::Journal(publication.clone(), body.clone()));
            changes.push(Change::Put(fanout.clone()));
            let name = source.name.clone();
            let edition = self.edition_of_event(publication, body, event, name);
            fanouts.push((fanout, edition));
        }
        let receipt = match receipts.as_slice() {
            [only] => *only,
            _ => {
                let id = new_publication_id();
                changes.push(Change::Bundle(Bundle {
                    id,
                    accepted_at: now,
                    receipts,
                    unheard: Vec::new(),
                }));
                id
            }
        };
        changes.extend(once.map(|Idempotency { key, request }| {
            let remembered = Remembered {
                key,
                request,
                publication: receipt,
                at: now,
            };
            HookChange::Remember(remembered).into()
        }));
        self.store.commit(changes).await?;
        for (fanout, edition) in fanouts {
            if let Job::Fanout(Fanout { publication, .. }) = &fanout {
                let topic = source.name.as_str();
                self.traces
                    .accepted(*publication, "raise", topic, now, self.clock.now());
            }
            self.meters.published();
            self.editions.expect(edition);
            self.work.schedule(fanout);
        }
        Ok(receipt)
    }

    fn publication_of(
        &self,
        source: &Source,
        event: &Event,
        id: PublicationId,
    ) -> (Publication, Bytes) {
        let topic = source.name.topic(&self.url, &event.name);
        let body = dialect::body(source.dialect, event, false);
        let publication = Publication {
            id,
            content_type: JSON.to_owned(),
            self_url: topic.to_string(),
            topic,
            hubs: vec![self.url.clone()],
            size: body.len() as u64,
            accepted_at: self.clock.now(),
            event: Some(EventMark {
                source: source.name.clone(),
                name: event.name.clone(),
                dialect: source.dialect,
                created_at: event.created_at,
            }),
        };
        (publication, body)
    }

    /// The topics whose targets get an event. That of all events comes first: fan-outs of one first topic are begun one after the
    /// other, so that an ordered hook has the events of its source in its backlog in their order, whatever their names.
    fn members_of(&self, source: &Source, name: &EventName) -> Vec<TopicId> {
        let patterns = name.patterns();
        let topics = patterns
            .iter()
            .map(|pattern| source.name.pattern_topic(&self.url, pattern).id());
        topics.collect()
    }
}

/// Of parts that may not be mistaken for each other.
fn digest(parts: &[&[u8]]) -> [u8; 32] {
    let mut digest = Sha256::new();
    for part in parts {
        digest.update((part.len() as u64).to_be_bytes());
        digest.update(part);
    }
    digest.finalize().into()
}
