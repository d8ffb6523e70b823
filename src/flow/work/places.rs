//! Places, so many for each key. In: a job that wants a place of its key. Out: the job once it has one. Pure.
//!
//! Invariants:
//! 1. Of one key never more places are taken than its limit; who waits takes none.
//! 2. Who waits gets a place in the order of coming.
//! 3. A key of which no place is taken is forgotten, and nobody waits for it.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

use crate::domain::job::Job;

/// See the module.
pub(super) struct Places<K> {
    keys: HashMap<K, Key>,
}

struct Key {
    taken: usize,
    waiting: VecDeque<Job>,
}

impl<K: Eq + Hash> Places<K> {
    /// Gives the job a place and the job back, or lets it wait. The limit is the same for every call with this key, and
    /// at least 1.
    pub(super) fn enter(&mut self, key: K, limit: usize, job: Job) -> Option<Job> {
        let key = self.keys.entry(key).or_insert_with(|| Key {
            taken: 0,
            waiting: VecDeque::new(),
        });
        if key.taken < limit {
            key.taken += 1;
            return Some(job);
        }
        key.waiting.push_back(job);
        None
    }

    /// A job leaves its place. Gives the one that takes it over.
    pub(super) fn leave(&mut self, key: &K) -> Option<Job> {
        let places = self.keys.get_mut(key)?;
        let next = places.waiting.pop_front();
        if next.is_none() {
            places.taken -= 1;
            if places.taken == 0 {
                self.keys.remove(key);
            }
        }
        next
    }

    /// How many keys have a place taken.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }
}

impl<K> Default for Places<K> {
    fn default() -> Self {
        Self {
            keys: HashMap::new(),
        }
    }
}
