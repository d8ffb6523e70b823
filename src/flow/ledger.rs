//! The ledger of a fan-out: which of its deliveries are open, and what the others came to. In: visits and landings. Out:
//! how things stand, for a checkpoint.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::domain::job::Fanout;
use crate::domain::receipt::Tally;
use crate::domain::value::{TargetId, Timestamp};

/// So many deliveries of one fan-out may be open. A checkpoint lists them, at 16 bytes each, and must not become a large value.
const OPEN: usize = 3_900;

/// How far a fan-out's deliveries have come.
pub(super) struct Ledger {
    standing: Mutex<Standing>,
    /// The ledger was full, and a delivery has ended.
    has_room: Notify,
}

struct Standing {
    /// Targets that the cursor has visited and whose delivery has not ended.
    open: HashSet<TargetId>,
    tally: Tally,
    ended_since_checkpoint: usize,
}

/// How a delivery has ended.
pub(super) enum Landing {
    /// The target has it.
    Delivered(Timestamp),
    /// The store knows: it is in the backlog, or the target is gone.
    Settled,
    /// Nothing is known, as the process stops.
    Open,
}

impl Ledger {
    /// Nothing is open; counts on from an earlier count.
    pub(super) fn new(tally: Tally) -> Self {
        Self {
            standing: Mutex::new(Standing {
                open: HashSet::new(),
                tally,
                ended_since_checkpoint: 0,
            }),
            has_room: Notify::new(),
        }
    }

    /// A target is visited. It is `open` if it gets a delivery, and not if it goes into its backlog at once.
    pub(super) fn visit(&self, target: TargetId, open: bool) {
        let mut standing = self.lock();
        standing.tally.targets += 1;
        if open {
            standing.open.insert(target);
        }
    }

    /// So many more targets need no visit any more, as the store knows what became of them.
    pub(super) fn count(&self, targets: u64) {
        if targets > 0 {
            self.lock().tally.targets += targets;
        }
    }

    /// Whether no more deliveries may be open.
    pub(super) fn is_full(&self) -> bool {
        self.lock().open.len() >= OPEN
    }

    /// Waits until one more delivery may be open; there is one who visits, so one who waits.
    pub(super) async fn room(&self) {
        while self.is_full() {
            self.has_room.notified().await;
        }
    }

    /// Whether no delivery is open.
    pub(super) fn is_settled(&self) -> bool {
        self.lock().open.is_empty()
    }

    /// How many deliveries have ended since the last checkpoint.
    pub(super) fn ended_since_checkpoint(&self) -> usize {
        self.lock().ended_since_checkpoint
    }

    /// Writes down how things stand, for a checkpoint that is made now.
    pub(super) fn write(&self, job: &mut Fanout) {
        let mut standing = self.lock();
        standing.ended_since_checkpoint = 0;
        job.open = standing.open.iter().copied().collect();
        job.tally = standing.tally;
    }

    /// A delivery has ended like this.
    pub(super) fn land(&self, target: TargetId, landing: Landing) {
        let mut standing = self.lock();
        match landing {
            Landing::Delivered(at) => standing.tally.delivered(at),
            Landing::Settled => {}
            Landing::Open => return,
        }
        if standing.open.len() >= OPEN {
            self.has_room.notify_one();
        }
        standing.open.remove(&target);
        standing.ended_since_checkpoint += 1;
    }

    fn lock(&self) -> MutexGuard<'_, Standing> {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
