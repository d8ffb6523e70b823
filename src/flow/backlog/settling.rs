//! What a run over a hook's backlog has delivered, and the store does not know yet. In: deliveries. Out: many in one commit, in their
//! order; a hook that gets one event after the other would else wait for the disk after each.
//!
//! Invariants: before a failure is written down, whatever was delivered before it is. After a crash at most `MANY`, and those side
//! by side, or what was delivered within `WINDOW`, are repeated, in their order and under their ids.

use std::pin::Pin;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::Left;
use crate::domain::attempt::Attempt;
use crate::domain::value::{PublicationId, TargetId, Timestamp};
use crate::flow::Hub;
use crate::store::{Change, StoreError, Target, Waiting};

/// So many are written at a time.
const MANY: usize = 64;
/// So long the first of them waits for others.
const WINDOW: Duration = Duration::from_millis(50);

/// What comes of an attempt.
pub(super) enum Came {
    /// The target has it since then.
    Delivered(PublicationId, Timestamp),
    /// It has failed.
    Failed(Box<Failed>),
    /// Nothing that would have to be written.
    Left(Left),
}

/// Whom an attempt was for, what it was, and how it failed.
pub(super) type Failed = (Target, Waiting, Attempt);

/// See the module.
pub(super) struct Settling {
    target: TargetId,
    /// How many may be unwritten. A subscription gets the same content once more only if it must.
    most: usize,
    changes: Vec<Change>,
    /// When the first of them is to be written.
    until: Instant,
}

impl Settling {
    /// Nothing has been delivered yet.
    pub(super) fn new(target: &Target) -> Self {
        Self {
            target: target.id,
            most: target.hook().map_or(1, |_| MANY),
            changes: Vec::new(),
            until: Instant::now() + WINDOW,
        }
    }

    /// Has attempts made; `is_last` says that none follow. What they leave, and which have failed: all that was delivered is written
    /// then.
    pub(super) async fn make<F>(
        &mut self,
        hub: &Hub,
        attempts: Pin<&mut F>,
        is_last: bool,
    ) -> Result<(Vec<Left>, Vec<Box<Failed>>), StoreError>
    where
        F: Future<Output = Vec<Result<Came, StoreError>>>,
    {
        let (mut left, mut failed, mut error) = (Vec::new(), Vec::new(), None);
        for came in self.await_all(hub, attempts).await? {
            match came {
                Ok(Came::Delivered(publication, at)) => {
                    self.add(publication, at);
                    left.push(Left::Nothing);
                }
                Ok(Came::Left(it)) => left.push(it),
                Ok(Came::Failed(it)) => failed.push(it),
                Err(it) => error = Some(it),
            }
        }
        let is_over = is_last || left.contains(&Left::Everything);
        let is_time = self.changes.len() >= self.most || Instant::now() >= self.until;
        if is_over || is_time || !failed.is_empty() || error.is_some() {
            self.settle(hub).await?;
        }
        error.map_or(Ok((left, failed)), Err)
    }

    /// What comes of attempts. If that takes long, what was delivered before them does not wait for it.
    async fn await_all<F: Future>(
        &mut self,
        hub: &Hub,
        mut attempts: Pin<&mut F>,
    ) -> Result<F::Output, StoreError> {
        if !self.changes.is_empty() {
            match timeout_at(self.until, attempts.as_mut()).await {
                Ok(output) => return Ok(output),
                Err(_) => self.settle(hub).await?,
            }
        }
        Ok(attempts.await)
    }

    /// The target has got this one.
    fn add(&mut self, publication: PublicationId, at: Timestamp) {
        if self.changes.is_empty() {
            self.until = Instant::now() + WINDOW;
        }
        self.changes.push(Change::Settle {
            target: self.target,
            publication,
            at,
        });
    }

    async fn settle(&mut self, hub: &Hub) -> Result<(), StoreError> {
        match std::mem::take(&mut self.changes) {
            changes if changes.is_empty() => Ok(()),
            changes => hub.store.commit(changes).await,
        }
    }
}

#[cfg(test)]
mod tests;
