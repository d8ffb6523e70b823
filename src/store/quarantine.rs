//! Rows that could not be read. In: their keys and bytes, as often as somebody meets them. Out: one log line and one
//! count for each, and the copies that the writer keeps beside them; the row itself stays where it is.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::record::RecordError;

/// How many keys are remembered, so that damage without end does not eat the memory.
const REMEMBERED: usize = 10_000;

/// What was met since the start.
#[derive(Default)]
pub(super) struct Quarantine {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    seen: HashSet<Vec<u8>>,
    count: u64,
    copies: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Quarantine {
    /// Takes note of a row, once.
    pub fn report(&self, key: &[u8], bytes: &[u8], error: &RecordError) {
        let mut state = self.state();
        if state.seen.len() >= REMEMBERED || !state.seen.insert(key.to_vec()) {
            return;
        }
        state.count += 1;
        state.copies.push((key.to_vec(), bytes.to_vec()));
        drop(state);
        tracing::error!(
            store.key = %hex::encode(key),
            store.error = %error,
            "a row cannot be read; it is set aside"
        );
    }

    /// How many rows could not be read so far.
    pub fn count(&self) -> u64 {
        self.state().count
    }

    /// Hands over the rows that are not copied yet: key and bytes.
    pub fn take_copies(&self) -> Vec<(Vec<u8>, Vec<u8>)> {
        std::mem::take(&mut self.state().copies)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
