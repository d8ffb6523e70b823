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
    /// Validators for the next conditional fetch (HUB-80).
    pub validators: Validators,
    /// SHA-256 of the content last published: the same again is not sent again.
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
    /// SHA-256 of the content, of which the ETag is made.
    pub digest: [u8; 32],
    /// When the content last changed.
    pub modified_at: Timestamp,
    /// Length of the content, in bytes.
    pub size: u64,
}
