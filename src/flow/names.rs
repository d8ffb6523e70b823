//! The names of a topic: which one owns the content, and which are other names for it. In: a topic that was fetched,
//! and the URL that owns what was found. Out: the owner, in its turn, with every name in its place.
//!
//! Invariants:
//! 1. Who changes a topic's record holds its turn, and reads the record within it.
//! 2. Names change only while nobody else holds any turn, so within a turn `alias_of` and `aliases` stay as they are.
//! 3. `alias.alias_of == owner` and `owner.aliases` contains the alias, both or neither, in one commit.

use tokio::sync::{Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::Hub;
use crate::domain::topic::Topic;
use crate::domain::value::{TopicId, TopicUrl};
use crate::store::{Change, StoreError};

/// The most other names of one topic; further ones keep their own content. Anyone may redirect to anyone.
const MAX_ALIASES: usize = 64;

/// Who may change which topic's record.
#[derive(Default)]
pub(super) struct Names {
    changing: RwLock<()>,
    topics: Stripes,
}

/// The turn to change one topic, or the names of all.
pub(super) enum Turn<'a> {
    One {
        _names: RwLockReadGuard<'a, ()>,
        _topic: MutexGuard<'a, ()>,
    },
    All {
        _names: RwLockWriteGuard<'a, ()>,
    },
}

/// The owner of some content, in its turn.
pub(super) struct Owned<'a> {
    pub(super) topic: Topic,
    /// What changes of other names.
    pub(super) changes: Vec<Change>,
    /// The names that it has just been given, and whose subscribers have not had its content under it.
    pub(super) adopted: Vec<TopicId>,
    /// What the topic that was fetched published last, under its own name.
    pub(super) former_digest: Option<[u8; 32]>,
    pub(super) _turn: Turn<'a>,
}

impl Owned<'_> {
    /// The topics whose subscribers have not had the content of this digest.
    pub(super) fn members_without(&self, digest: Option<[u8; 32]>) -> Vec<TopicId> {
        let owner_has = self.topic.digest == digest;
        let adopted_have = self.former_digest == digest;
        let mut members = self.topic.members();
        members.retain(|member| match self.adopted.contains(member) {
            true => !adopted_have,
            false => !owner_has,
        });
        members
    }
}

impl Hub {
    /// A topic's record as it stands, in its turn.
    pub(super) async fn take_topic(&self, url: &TopicUrl) -> Result<(Topic, Turn<'_>), StoreError> {
        let _names = self.names.changing.read().await;
        let _topic = self.names.topics.lock(&url.id().0).await;
        let topic = self.topic_or_new(url).await?;
        Ok((topic, Turn::One { _names, _topic }))
    }

    /// The turn to change the names of all topics.
    pub(super) async fn take_names(&self) -> Turn<'_> {
        let _names = self.names.changing.write().await;
        Turn::All { _names }
    }

    /// The record of the topic whose content a topic shares, in its turn.
    pub(super) async fn take_canonical(
        &self,
        url: &TopicUrl,
    ) -> Result<(Topic, Turn<'_>), StoreError> {
        let _names = self.names.changing.read().await;
        let named = self.topic_or_new(url).await?;
        let owner = named.alias_of.unwrap_or(named.url);
        let _topic = self.names.topics.lock(&owner.id().0).await;
        let topic = self.topic_or_new(&owner).await?;
        Ok((topic, Turn::One { _names, _topic }))
    }

    /// The owner of what was found under `fetched`. Names are put in their places if they are not yet.
    pub(super) async fn take_owner(
        &self,
        fetched: &TopicUrl,
        owner: &TopicUrl,
    ) -> Result<Owned<'_>, StoreError> {
        if let Some(owned) = self.settled(fetched, owner).await? {
            return Ok(owned);
        }
        let _names = self.names.changing.write().await;
        let fetched = self.topic_or_new(fetched).await?;
        let former_digest = fetched.digest;
        let (fetched, mut changes) = self.stand_alone(fetched).await?;
        let mut topic = fetched.clone();
        let mut adopted = Vec::new();
        if fetched.id() != owner.id() {
            let owner = self.topic_or_new(owner).await?;
            if owner.aliases.len() + fetched.aliases.len() < MAX_ALIASES {
                let (mut owner, left) = self.stand_alone(owner).await?;
                changes.extend(left);
                let mut alias = fetched;
                adopted.push(alias.id());
                for url in owner.adopt(&mut alias) {
                    adopted.push(url.id());
                    let mut moved = self.topic_or_new(&url).await?;
                    moved.alias_of = Some(owner.url.clone());
                    changes.push(Change::PutTopic(moved));
                }
                changes.push(Change::PutTopic(alias));
                topic = owner;
            }
        }
        Ok(Owned {
            topic,
            changes,
            adopted,
            former_digest,
            _turn: Turn::All { _names },
        })
    }

    /// What is known of a topic, or a blank page.
    pub(super) async fn topic_or_new(&self, url: &TopicUrl) -> Result<Topic, StoreError> {
        let known = self.store.topic(url.id()).await?;
        Ok(known.unwrap_or_else(|| Topic::new(url.clone())))
    }

    /// The owner in its turn, if every name is in its place.
    async fn settled(
        &self,
        fetched: &TopicUrl,
        owner: &TopicUrl,
    ) -> Result<Option<Owned<'_>>, StoreError> {
        let (topic, _turn) = self.take_topic(owner).await?;
        let known = self.topic_or_new(fetched).await?;
        let in_place = if known.id() == topic.id() {
            topic.alias_of.is_none()
        } else {
            let named = topic.aliases.iter().any(|alias| alias.id() == known.id());
            named && known.canonical_id() == topic.id()
        };
        Ok(in_place.then(|| Owned {
            former_digest: topic.digest,
            topic,
            changes: Vec::new(),
            adopted: Vec::new(),
            _turn,
        }))
    }

    /// A topic that shares nobody's content any longer.
    async fn stand_alone(&self, mut topic: Topic) -> Result<(Topic, Vec<Change>), StoreError> {
        let Some(former) = topic.alias_of.take() else {
            return Ok((topic, Vec::new()));
        };
        let mut owner = self.topic_or_new(&former).await?;
        owner.aliases.retain(|alias| alias.id() != topic.id());
        Ok((topic, vec![Change::PutTopic(owner)]))
    }
}

/// A lock for each key, shared by a few: what belongs to one key happens one after the other.
pub(super) struct Stripes([Mutex<()>; 64]);

impl Default for Stripes {
    fn default() -> Self {
        Self(std::array::from_fn(|_| Mutex::default()))
    }
}

impl Stripes {
    pub(super) async fn lock(&self, key: &[u8]) -> MutexGuard<'_, ()> {
        let mix = |sum: usize, byte: &u8| sum.wrapping_mul(31).wrapping_add(usize::from(*byte));
        self.0[key.iter().fold(0, mix) % self.0.len()].lock().await
    }
}
