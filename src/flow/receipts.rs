//! Receipts: those of the store; and, for pings that nobody hears, a short memory, so that strangers cannot fill the disk
//! with pings for topics that nobody subscribes to.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use super::Hub;
use super::clock::new_publication_id;
use crate::domain::receipt::{Receipt, Stage, Tally};
use crate::domain::value::{PublicationId, TopicUrl};
use crate::store::StoreError;

/// So many receipts of unheard pings are remembered.
const REMEMBERED: usize = 4_096;

/// The last receipts of pings that nobody heard.
#[derive(Default)]
pub(super) struct Unheard(Mutex<VecDeque<Receipt>>);

impl Hub {
    /// What became of a publication.
    ///
    /// # Errors
    /// The store's.
    pub async fn receipt(&self, id: PublicationId) -> Result<Option<Receipt>, StoreError> {
        match self.unheard.find(id) {
            Some(receipt) => Ok(Some(receipt)),
            None => self.store.receipt(id).await,
        }
    }

    /// A receipt that begins now.
    pub(super) fn new_receipt(&self, id: PublicationId, topic: TopicUrl, stage: Stage) -> Receipt {
        Receipt {
            id,
            topic,
            accepted_at: self.clock.now(),
            stage,
            tally: Tally::default(),
        }
    }

    /// A receipt that says that nobody heard.
    pub(super) fn unheard_receipt(&self, topic: TopicUrl) -> PublicationId {
        let id = new_publication_id();
        self.unheard
            .remember(self.new_receipt(id, topic, Stage::Unheard));
        id
    }
}

impl Unheard {
    fn remember(&self, receipt: Receipt) {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if last.len() == REMEMBERED {
            last.pop_front();
        }
        last.push_back(receipt);
    }

    fn find(&self, id: PublicationId) -> Option<Receipt> {
        let last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        last.iter().find(|receipt| receipt.id == id).cloned()
    }
}
