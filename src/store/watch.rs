//! Who is handed each batch that is written: one at a time, for a backup. In: batches, from the writer. Out: the same, in their order.
//!
//! Invariant: the writer holds the place from before a batch until it has handed it over. So whoever takes the place, or leaves it,
//! does so between two batches.

use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::database::Rows;
use super::{Result, StoreError};

/// The place of the one who watches.
#[derive(Default)]
pub(super) struct Place(Mutex<Option<Sender<Rows>>>);

/// The place while a batch is written.
pub(super) struct Held<'a>(MutexGuard<'a, Option<Sender<Rows>>>);

/// Who watches, until it is dropped.
pub(super) struct Watch<'a> {
    place: &'a Place,
    batches: Receiver<Rows>,
}

impl Place {
    /// From now on each batch is handed over.
    pub fn take(&self) -> Result<Watch<'_>> {
        let mut place = self.lock();
        if place.is_some() {
            return Err(StoreError::Unavailable(
                "another backup is being made".to_owned(),
            ));
        }
        let (sender, batches) = mpsc::channel();
        *place = Some(sender);
        Ok(Watch {
            place: self,
            batches,
        })
    }

    /// Nobody comes or goes until this is dropped.
    pub fn hold(&self) -> Held<'_> {
        Held(self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, Option<Sender<Rows>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held<'_> {
    /// A copy for who watches, if there is one.
    pub fn copy(&self, rows: &Rows) -> Option<Rows> {
        self.0.as_ref().map(|_| rows.clone())
    }

    /// Hands over what has been written; of a batch that failed nobody knows what is left of it, so nobody watches any longer.
    pub fn settle(&mut self, copy: Option<Rows>, is_written: bool) {
        if !is_written {
            *self.0 = None;
        }
        if let (Some(sender), Some(rows)) = (&*self.0, copy) {
            // Who watched may just be leaving.
            let _ = sender.send(rows);
        }
    }
}

impl Watch<'_> {
    /// What has been handed over.
    pub fn batches(&self) -> &Receiver<Rows> {
        &self.batches
    }

    /// Nothing is handed over any longer.
    ///
    /// # Errors
    /// A write has failed meanwhile.
    pub fn end(&self) -> Result<()> {
        match self.place.lock().take() {
            Some(_) => Ok(()),
            None => Err(StoreError::Unavailable(
                "a write failed while the backup was made".to_owned(),
            )),
        }
    }
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        *self.place.lock() = None;
    }
}
