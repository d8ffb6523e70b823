//! Sources: who raises events. In: what is declared. Out: the source that a name, or the topic of one of its events, means.
//!
//! Invariants: a source changes in its turn (`take_source`), and whoever looks for one that is not in memory does so in that turn
//! too; so what is in memory is what is in the store.

use std::sync::Arc;

use dashmap::DashMap;
use tokio::sync::MutexGuard;

use super::Hub;
use super::names::Stripes;
use crate::dialect::{Misfit, check_pattern};
use crate::domain::event::EventName;
use crate::domain::hook::HookId;
use crate::domain::source::{Dialect, OWN_SOURCE, Source, SourceName};
use crate::domain::value::{SourceId, TopicId, TopicUrl};
use crate::store::{HookChange, StoreError};

/// The events of the hub's own source: the hub has disabled a hook; one that it had disabled is active again; it has given up events
/// for one.
pub(super) const OWN_EVENTS: [&str; 3] = ["hook.disabled", "hook.enabled", "hook.given_up"];

/// So many topics are known; beyond it all are worked out anew.
const TOPICS_KNOWN: usize = 10_000;
/// The most hooks that are counted when they stand in the way.
const HOOKS_COUNTED: usize = 1_000;

/// The sources that were asked for.
#[derive(Default)]
pub(super) struct Sources {
    known: DashMap<SourceId, Arc<Source>>,
    turns: Stripes,
    /// Of the topic of an event, those whose targets get it. What never changes is worked out once.
    members: DashMap<TopicUrl, Vec<TopicId>>,
}

/// Why a source is not changed.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// It is the hub's.
    #[error(
        "{OWN_SOURCE} is the hub's own source, on which it raises events about itself; it is always there, as it is"
    )]
    Own,
    /// Hooks stand on it.
    #[error("{source_name} has {hooks} hooks; delete them first")]
    HasHooks {
        /// The source.
        source_name: SourceName,
        /// How many; more than are counted is `1000 or more`.
        hooks: String,
    },
    /// It would no longer raise what a hook on it asks for.
    #[error(
        "hook {hook} asks for what this source would no longer have: {misfit}; edit or delete the hook first"
    )]
    Needed {
        /// The hook.
        hook: HookId,
        /// What it asks for in vain.
        misfit: Misfit,
    },
    /// The store's.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What a topic below the hub's own URL names, if it has the shape of an event's topic. There may be no such source or event,
/// and the topic may be spelled in a way that names nothing (`SourceName::topic` is the one that does).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventPlace {
    /// The source.
    pub source: SourceName,
    /// The event's name, or what stands in its place.
    pub event: String,
}

impl Sources {
    /// The topics whose targets get what is raised on this one, as `work_out` has it.
    pub(super) fn members(
        &self,
        topic: &TopicUrl,
        work_out: impl FnOnce() -> Vec<TopicId>,
    ) -> Vec<TopicId> {
        if let Some(members) = self.members.get(topic) {
            return members.clone();
        }
        if self.members.len() >= TOPICS_KNOWN {
            self.members.clear();
        }
        let members = work_out();
        self.members.insert(topic.clone(), members.clone());
        members
    }
}

impl Hub {
    /// One source.
    ///
    /// # Errors
    /// The store's.
    pub async fn source(&self, name: &SourceName) -> Result<Option<Arc<Source>>, StoreError> {
        let id = name.id();
        if let Some(known) = self.sources.known.get(&id) {
            return Ok(Some(Arc::clone(&known)));
        }
        let _turn = self.take_source(name).await;
        let source = self.store.source(name).await?.map(Arc::new);
        if let Some(source) = &source {
            self.sources.known.insert(id, Arc::clone(source));
        }
        Ok(source)
    }

    /// Sources in the order of their names.
    ///
    /// # Errors
    /// The store's.
    pub async fn sources(
        &self,
        after: Option<&SourceName>,
        limit: usize,
    ) -> Result<Vec<Source>, StoreError> {
        self.store.sources(after, limit).await
    }

    /// Declares a source, or declares it differently: then it keeps its name as it was first written, and its age. True if
    /// there was none.
    ///
    /// # Errors
    /// The hub's own source, one whose hooks ask for what it would no longer raise, and the store's.
    pub async fn put_source(&self, source: Source) -> Result<bool, SourceError> {
        if is_own(&source.name) {
            return Err(SourceError::Own);
        }
        // While the desk is held no other hook comes to be.
        let _desk = self.desk.lock().await;
        for hook in self.all_hooks_of(&source.name).await? {
            for pattern in &hook.events {
                check_pattern(&source, pattern).map_err(|misfit| SourceError::Needed {
                    hook: hook.id,
                    misfit,
                })?;
            }
        }
        Ok(self.declare(source).await?)
    }

    /// Declares a source no longer. What it has raised stays until it is old. False if there is none.
    ///
    /// # Errors
    /// The hub's own source, one that has hooks, and the store's.
    pub async fn drop_source(&self, name: &SourceName) -> Result<bool, SourceError> {
        if is_own(name) {
            return Err(SourceError::Own);
        }
        let _turn = self.take_source(name).await;
        if self.store.source(name).await?.is_none() {
            return Ok(false);
        }
        let hooks = self.store.hooks_of(name, None, HOOKS_COUNTED).await?.len();
        if hooks > 0 {
            let more = if hooks == HOOKS_COUNTED {
                " or more"
            } else {
                ""
            };
            return Err(SourceError::HasHooks {
                source_name: name.clone(),
                hooks: format!("{hooks}{more}"),
            });
        }
        let dropped = HookChange::DropSource(name.clone()).into();
        self.store.commit(vec![dropped]).await?;
        self.sources.known.remove(&name.id());
        tracing::info!(source = name.as_str(), "source dropped");
        Ok(true)
    }

    /// The turn to change a source, or what depends on its being there.
    pub(super) async fn take_source(&self, name: &SourceName) -> MutexGuard<'_, ()> {
        self.sources.turns.lock(&name.id().0).await
    }

    /// Declares the hub's own source, if it is not yet, or not as this version has it.
    pub(super) async fn declare_own_source(&self) -> Result<(), StoreError> {
        let event = |name| EventName::parse(name).expect("a constant that is a name");
        let own = Source {
            name: SourceName::parse(OWN_SOURCE).expect("a constant that is a name"),
            dialect: Dialect::Websub,
            events: OWN_EVENTS.map(event).into(),
            private: true,
            inbound_secret: None,
            created_at: self.clock.now(),
        };
        self.declare(own).await.map(drop)
    }

    async fn declare(&self, source: Source) -> Result<bool, StoreError> {
        let _turn = self.take_source(&source.name).await;
        let known = self.store.source(&source.name).await?;
        let source = match &known {
            Some(known) => Source {
                name: known.name.clone(),
                created_at: known.created_at,
                ..source
            },
            None => source,
        };
        if known.as_ref() != Some(&source) {
            let put = HookChange::PutSource(source.clone()).into();
            self.store.commit(vec![put]).await?;
            tracing::info!(source = source.name.as_str(), "source declared");
        }
        self.sources.known.insert(source.name.id(), source.into());
        Ok(known.is_none())
    }

    /// What a topic names, if it is one of this hub's own events, or would be.
    pub fn event_place(&self, topic: &TopicUrl) -> Option<EventPlace> {
        let base = TopicUrl::below(&self.url, "").canonical();
        let topic = topic.canonical();
        let path = topic.strip_prefix(&base)?;
        let path = &path[..path.find(['?', '#']).unwrap_or(path.len())];
        let (source, event) = path.rsplit_once("/events/")?;
        Some(EventPlace {
            source: SourceName::parse(source).ok()?,
            event: event.to_owned(),
        })
    }
}

/// Whether this is the hub's own source.
pub fn is_own(name: &SourceName) -> bool {
    name.as_str().eq_ignore_ascii_case(OWN_SOURCE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::tests::hub;

    #[tokio::test]
    async fn a_topic_of_an_event_is_found_however_it_is_spelled() {
        let folder = tempfile::tempdir().expect("a folder");
        let hub = hub(&folder);
        let place = |topic: &str| {
            let topic = TopicUrl::parse(topic).expect("a topic");
            let place = hub.event_place(&topic)?;
            Some(format!("{} {}", place.source, place.event))
        };
        for (topic, named) in [
            ("http://hub.example/social/events/push", "social push"),
            ("http://HUB.example:80/a/./b/events/%70ush?x#y", "a/b push"),
            ("http://hub.example/Social/events/a.*", "Social a.*"),
            ("http://hub.example/social/events/%2A", "social %2A"),
        ] {
            assert_eq!(place(topic).as_deref(), Some(named), "{topic}");
        }
        for other in [
            "http://hub.example/topics/events/push",
            "http://hub.example/social/events",
            "http://hub.example/a/b/c/events/push",
            "http://hub.example/a/events/events/push",
            "http://other.example/social/events/push",
            "https://hub.example/social/events/push",
        ] {
            assert_eq!(place(other), None, "{other}");
        }
        hub.store.close().await.expect("closed");
    }
}
