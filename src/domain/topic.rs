//! What the hub knows of a topic: the links it advertises, the validators of its last fetch, its other names.

use serde::{Deserialize, Serialize};

use super::value::{PublicationId, Timestamp, TopicId, TopicUrl};

/// A topic with subscribers, or one that the hub hosts or was pushed content of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Topic {
    /// The URL as it was first written.
    pub url: TopicUrl,
    /// The topic whose content this one shares, when it is another name for it.
    pub alias_of: Option<TopicUrl>,
    /// Other names whose subscribers get this topic's publications too.
    pub aliases: Vec<TopicUrl>,
    /// `rel="self"` as last discovered.
    pub self_url: Option<String>,
    /// `rel="hub"` links as last discovered, the very strings (websub.md rule 4).
    pub hubs: Vec<String>,
    /// Validators for the next conditional fetch (HUB-80); they stand for the content last published.
    pub validators: Validators,
    /// Digest of the content last published, see `publication::digest`: the same again is not sent again.
    pub digest: Option<[u8; 32]>,
    /// The last publication.
    pub last_publication: Option<PublicationId>,
    /// The last fetch and what came of it.
    pub last_fetch: Option<Fetched>,
}

impl Topic {
    /// A topic of which nothing is known but its URL.
    pub fn new(url: TopicUrl) -> Self {
        Self {
            url,
            alias_of: None,
            aliases: Vec::new(),
            self_url: None,
            hubs: Vec::new(),
            validators: Validators::default(),
            digest: None,
            last_publication: None,
            last_fetch: None,
        }
    }

    /// Its key.
    pub fn id(&self) -> TopicId {
        self.url.id()
    }

    /// The key of the topic whose content counts: its own, or that of the topic that it is another name of.
    pub fn canonical_id(&self) -> TopicId {
        self.alias_of
            .as_ref()
            .map_or_else(|| self.id(), TopicUrl::id)
    }

    /// Takes a topic in as another name of this one, with its own other names. Gives those names back: each must be told
    /// where it belongs now.
    pub fn adopt(&mut self, alias: &mut Self) -> Vec<TopicUrl> {
        let moved = std::mem::take(&mut alias.aliases);
        alias.alias_of = Some(self.url.clone());
        self.alias_of = None;
        let own = self.id();
        for url in moved.iter().chain([&alias.url]) {
            let known = self.aliases.iter().any(|held| held.id() == url.id());
            if !known && url.id() != own {
                self.aliases.push(url.clone());
            }
        }
        moved.into_iter().filter(|url| url.id() != own).collect()
    }

    /// Forgets what was last published: whatever comes next is new. For content that came while nobody listened, so that
    /// an older one that comes back is not taken for known.
    pub fn forget_content(&mut self) {
        self.digest = None;
        self.validators = Validators::default();
    }

    /// When it was last fetched or published; none for a topic that only has subscribers.
    pub fn last_activity(&self) -> Option<Timestamp> {
        let fetched = self.last_fetch.as_ref().map(|fetched| fetched.at);
        fetched.max(self.last_publication.map(PublicationId::made_at))
    }

    /// The keys of all whose subscribers get its publications: its own first, then its aliases.
    pub fn members(&self) -> Vec<TopicId> {
        let mut members = vec![self.id()];
        members.extend(self.aliases.iter().map(TopicUrl::id));
        members
    }
}

/// What a server said of the content that it gave, for asking "anything newer?" next time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Validators {
    /// The URL that gave them, after redirects.
    pub url: Option<String>,
    /// `ETag`.
    pub etag: Option<String>,
    /// `Last-Modified`.
    pub last_modified: Option<String>,
}

/// A fetch that has ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fetched {
    /// When.
    pub at: Timestamp,
    /// In words: "published", "unchanged", or what failed.
    pub outcome: String,
}

/// Content that the hub itself serves at `/topics/<name>`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hosted {
    /// The name in the path.
    pub name: String,
    /// Its topic URL.
    pub topic: TopicUrl,
    /// Its media type, untouched.
    pub content_type: String,
    /// Digest of the content, see `publication::digest`; the ETag is made of it.
    pub digest: [u8; 32],
    /// When the content last changed.
    pub modified_at: Timestamp,
    /// Length of the content, in bytes.
    pub size: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topic(url: &str) -> Topic {
        Topic::new(TopicUrl::parse(url).expect("a topic"))
    }

    #[test]
    fn an_adopted_topic_brings_its_other_names_along() {
        let (mut owner, mut alias) = (topic("http://a.example/"), topic("http://b.example/"));
        alias.aliases.push(topic("http://c.example/").url);
        let moved = owner.adopt(&mut alias);
        assert_eq!(moved, vec![topic("http://c.example/").url]);
        assert_eq!(alias.canonical_id(), owner.id());
        assert_eq!(owner.members().len(), 3);
        assert!(owner.adopt(&mut alias).is_empty());
        assert_eq!(owner.members().len(), 3);
    }

    #[test]
    fn two_topics_can_change_places() {
        let (mut one, mut other) = (topic("http://a.example/"), topic("http://b.example/"));
        one.adopt(&mut other);
        assert!(other.adopt(&mut one).is_empty());
        assert_eq!(
            (one.canonical_id(), other.canonical_id()),
            (other.id(), other.id())
        );
        assert_eq!(other.members(), vec![other.id(), one.id()]);
    }
}
