//! What each event asks for again: hooks, and the targets of topics that have few. In: what was read, and the keys of rows that
//! change. Out: the same, until one of its rows changes.
//!
//! Invariant: it is put in while the database is held for reading, and goes while the database is held for writing. So what is
//! here is what the rows say, and nobody sees an older state after a newer one.

use std::sync::Arc;

use dashmap::DashMap;

use super::Target;
use super::key::Key;
use crate::domain::hook::{Hook, HookId};
use crate::domain::value::TopicId;

/// So many hooks are kept, and as many topics; beyond it all are read anew.
const MANY: usize = 10_000;
/// So many targets of a topic at the most.
pub(super) const FEW: usize = 16;

/// See the module.
#[derive(Default)]
pub(super) struct Recent {
    hooks: DashMap<HookId, Arc<Hook>>,
    /// Of each topic all targets, in their order; of most there are none.
    targets: DashMap<TopicId, Arc<[Target]>>,
}

impl Recent {
    /// A hook, if it is here.
    pub fn hook(&self, id: HookId) -> Option<Arc<Hook>> {
        Some(Arc::clone(&*self.hooks.get(&id)?))
    }

    /// All targets of a topic, if they are here.
    pub fn targets(&self, topic: TopicId) -> Option<Arc<[Target]>> {
        Some(Arc::clone(&*self.targets.get(&topic)?))
    }

    /// Keeps a hook as it was just read.
    pub fn keep_hook(&self, hook: &Arc<Hook>) {
        if self.hooks.len() >= MANY {
            self.hooks.clear();
        }
        self.hooks.insert(hook.id, Arc::clone(hook));
    }

    /// Keeps all targets of a topic as they were just read.
    pub fn keep_targets(&self, topic: TopicId, targets: &[Target]) {
        if self.targets.len() >= MANY {
            self.targets.clear();
        }
        self.targets.insert(topic, targets.into());
    }

    /// Rows change, or go.
    pub fn forget<'a>(&self, keys: impl Iterator<Item = &'a [u8]>) {
        for key in keys.filter(|key| Key::is_of_target(key)) {
            match Key::parse(key) {
                Some(Key::Subscription(target)) => drop(self.targets.remove(&target.topic)),
                Some(Key::HookOn(topic, _)) => drop(self.targets.remove(&topic)),
                Some(Key::Hook(id)) => {
                    self.hooks.remove(&id);
                    // On which topics it stood, its row has said.
                    self.targets.clear();
                }
                _ => self.forget_all(),
            }
        }
    }

    /// Nothing that was read counts any more.
    pub fn forget_all(&self) {
        self.hooks.clear();
        self.targets.clear();
    }
}
