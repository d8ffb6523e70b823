//! The editions that are being delivered. In: a publication's id. Out: its one edition in memory, which fan-outs and
//! backlogs share; when nobody delivers it any more, it is gone.
//!
//! What was just made durable need not be read again: it waits here for its fan-out, up to `FRESH_BYTES`. Nothing hangs on that:
//! who does not find it here reads it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

use bytes::Bytes;
use dashmap::DashMap;

use super::Hub;
use super::endings::Endings;
use super::names::Stripes;
use crate::dialect;
use crate::dialect::occurrence::Occurrence;
use crate::dialect::socialgateway::PING;
use crate::dialect::websub;
use crate::domain::event::Event;
use crate::domain::publication::Publication;
use crate::domain::source::SourceName;
use crate::domain::value::PublicationId;
use crate::store::StoreError;

/// So many bytes of bodies wait in memory for their fan-outs to begin.
const FRESH_BYTES: usize = 16 << 20;
/// What an edition takes beside its body, about, in bytes.
const HEAD_BYTES: usize = 2 << 10;

/// A publication made ready for all its deliveries.
pub(super) struct Edition {
    /// As subscriptions get it.
    pub(super) content: websub::Edition,
    /// As hooks get it, if it is an event; made when the first hook wants it.
    occurrence: OnceLock<Option<Occurrence>>,
}

/// See the module.
#[derive(Default)]
pub(super) struct Editions {
    shared: DashMap<PublicationId, Weak<Edition>>,
    /// How many there were when those that are gone were last looked for.
    living: AtomicUsize,
    /// Of those who want an edition that is not there, one reads it.
    reading: Stripes,
    /// Those whose fan-out has been made in this process and has not begun.
    fresh: Mutex<Fresh>,
    /// Those whose fan-outs are over, as far as the store does not know.
    pub(super) endings: Endings,
}

#[derive(Default)]
struct Fresh {
    editions: HashMap<PublicationId, Arc<Edition>>,
    bytes: usize,
}

impl Edition {
    /// The publication.
    pub(super) fn publication(&self) -> &Publication {
        self.content.publication()
    }

    /// Whether it is a hook's ping, which no store has.
    pub(super) fn is_ping(&self) -> bool {
        let mark = self.publication().event.as_ref();
        mark.is_some_and(|mark| mark.name.as_str() == PING)
    }

    /// The event, if the publication is one.
    pub(super) fn occurrence(&self) -> Option<&Occurrence> {
        let make = || {
            let publication = self.publication();
            let mark = publication.event.clone()?;
            let body = self.content.body();
            let event = dialect::event(mark.dialect, mark.name, mark.created_at, body)?;
            Some(Occurrence::new(event, publication.id, mark.source))
        };
        self.occurrence.get_or_init(make).as_ref()
    }

    /// How much room it takes, about.
    fn bytes(&self) -> usize {
        HEAD_BYTES + self.content.body().len()
    }
}

impl Hub {
    /// A publication, ready for delivery, if the store still has it.
    ///
    /// # Errors
    /// The store's.
    pub(super) async fn edition(
        &self,
        id: PublicationId,
    ) -> Result<Option<Arc<Edition>>, StoreError> {
        if let Some(edition) = self.editions.find(id) {
            return Ok(Some(edition));
        }
        let _turn = self.editions.reading.lock(id.0.as_bytes()).await;
        if let Some(edition) = self.editions.find(id) {
            return Ok(Some(edition));
        }
        let Some((publication, body)) = self.store.publication(id).await? else {
            return Ok(None);
        };
        let edition = Arc::new(self.edition_of(publication, body));
        self.editions.share(id, &edition);
        Ok(Some(edition))
    }

    /// A publication made ready.
    pub(super) fn edition_of(&self, publication: Publication, body: Bytes) -> Edition {
        Edition {
            content: websub::Edition::new(publication, body, &self.imprint.user_agent),
            occurrence: OnceLock::new(),
        }
    }

    /// An event made ready, whose publication and body these are.
    pub(super) fn edition_of_event(
        &self,
        publication: Publication,
        body: Bytes,
        event: Event,
        source: SourceName,
    ) -> Edition {
        let occurrence = Occurrence::new(event, publication.id, source);
        Edition {
            occurrence: OnceLock::from(Some(occurrence)),
            ..self.edition_of(publication, body)
        }
    }
}

impl Editions {
    /// Keeps what was just made durable until its fan-out begins, if there is room.
    pub(super) fn expect(&self, edition: Edition) {
        let mut fresh = self.lock_fresh();
        let bytes = fresh.bytes + edition.bytes();
        if bytes <= FRESH_BYTES {
            fresh.bytes = bytes;
            let id = edition.publication().id;
            fresh.editions.insert(id, Arc::new(edition));
        }
    }

    /// What a fan-out brings that begins for the first time, if it is here.
    pub(super) fn begin(&self, id: PublicationId) -> Option<Arc<Edition>> {
        let mut fresh = self.lock_fresh();
        let edition = fresh.editions.remove(&id)?;
        fresh.bytes -= edition.bytes();
        drop(fresh);
        self.share(id, &edition);
        Some(edition)
    }

    fn lock_fresh(&self) -> MutexGuard<'_, Fresh> {
        self.fresh.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn find(&self, id: PublicationId) -> Option<Arc<Edition>> {
        self.shared.get(&id)?.upgrade()
    }

    /// Takes the place of those that are gone; looked for only when half of them may be, as events come by the thousand.
    fn share(&self, id: PublicationId, edition: &Arc<Edition>) {
        if self.shared.len() > 2 * self.living.load(Ordering::Relaxed) {
            self.shared.retain(|_, shared| shared.strong_count() > 0);
            self.living.store(self.shared.len(), Ordering::Relaxed);
        }
        self.shared.insert(id, Arc::downgrade(edition));
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use futures_util::future::join_all;

    use super::super::clock::new_publication_id;
    use super::super::tests::{hub, publication};
    use super::*;
    use crate::store::Change;

    async fn journaled(hub: &Hub) -> PublicationId {
        let publication = publication(hub, new_publication_id());
        let id = publication.id;
        let journal = Change::Journal(publication, Bytes::from_static(b"x"));
        hub.store.commit(vec![journal]).await.expect("a commit");
        id
    }

    async fn edition(hub: &Hub, id: PublicationId) -> Arc<Edition> {
        let edition = hub.edition(id).await.expect("the store works");
        edition.expect("it has the body")
    }

    #[tokio::test]
    async fn all_who_want_an_edition_at_once_get_the_same() {
        let folder = tempfile::tempdir().expect("a folder");
        let hub = hub(&folder);
        let id = journaled(&hub).await;
        let all = join_all((0..50).map(|_| edition(&hub, id))).await;
        assert!(all.iter().all(|one| Arc::ptr_eq(one, &all[0])));
        let other = journaled(&hub).await;
        assert!(!Arc::ptr_eq(&edition(&hub, other).await, &all[0]));
        hub.store.close().await.expect("closed");
    }

    #[tokio::test]
    async fn what_nobody_delivers_is_gone() {
        let folder = tempfile::tempdir().expect("a folder");
        let hub = hub(&folder);
        for _ in 0..5 {
            let id = journaled(&hub).await;
            drop(edition(&hub, id).await);
            assert!(hub.editions.find(id).is_none());
        }
        assert_eq!(
            hub.editions.shared.len(),
            1,
            "those before it are forgotten"
        );
        let nothing = hub.edition(new_publication_id()).await;
        assert!(nothing.expect("the store works").is_none());
        hub.store.close().await.expect("closed");
    }

    #[tokio::test]
    async fn what_was_just_made_durable_is_there_once_and_then_as_for_others() {
        let folder = tempfile::tempdir().expect("a folder");
        let hub = hub(&folder);
        let publication = publication(&hub, new_publication_id());
        let id = publication.id;
        let fresh = hub.edition_of(publication, Bytes::from_static(b"x"));
        hub.editions.expect(fresh);
        let begun = hub.editions.begin(id).expect("it waits for its fan-out");
        assert!(hub.editions.begin(id).is_none(), "a second run reads it");
        assert!(Arc::ptr_eq(&edition(&hub, id).await, &begun));
        hub.store.close().await.expect("closed");
    }

    #[tokio::test]
    async fn no_more_waits_for_fan_outs_than_there_is_room_for() {
        let folder = tempfile::tempdir().expect("a folder");
        let hub = hub(&folder);
        let body = Bytes::from(vec![b'x'; FRESH_BYTES / 2]);
        let expect = || {
            let publication = publication(&hub, new_publication_id());
            let id = publication.id;
            hub.editions
                .expect(hub.edition_of(publication, body.clone()));
            id
        };
        let (one, other) = (expect(), expect());
        assert!(hub.editions.begin(other).is_none());
        assert!(hub.editions.begin(one).is_some());
        let next = expect();
        assert!(hub.editions.begin(next).is_some(), "there is room again");
        hub.store.close().await.expect("closed");
    }
}
