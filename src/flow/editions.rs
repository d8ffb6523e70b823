//! The editions that are being delivered. In: a publication's id. Out: its one edition in memory, which fan-outs and
//! backlogs share; when nobody delivers it any more, it is gone.

use std::sync::{Arc, Weak};

use dashmap::DashMap;

use super::Hub;
use super::names::Stripes;
use crate::dialect::websub::Edition;
use crate::domain::value::PublicationId;
use crate::store::StoreError;

/// See the module.
#[derive(Default)]
pub(super) struct Editions {
    shared: DashMap<PublicationId, Weak<Edition>>,
    /// Of those who want an edition that is not there, one reads it.
    reading: Stripes,
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
        let edition = Arc::new(Edition::new(publication, body, &self.user_agent));
        self.editions.share(id, &edition);
        Ok(Some(edition))
    }
}

impl Editions {
    fn find(&self, id: PublicationId) -> Option<Arc<Edition>> {
        self.shared.get(&id)?.upgrade()
    }

    /// Takes the place of those that are gone.
    fn share(&self, id: PublicationId, edition: &Arc<Edition>) {
        self.shared.retain(|_, shared| shared.strong_count() > 0);
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
}
