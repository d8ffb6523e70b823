//! Publishing: pings, pushed content and hosted topics become durable work, each with a receipt.

use std::collections::HashSet;

use bytes::Bytes;

use super::Hub;
use super::clock::new_publication_id;
use crate::domain::job::{Fanout, Fetch, Job};
use crate::domain::publication::{Publication, digest};
use crate::domain::receipt::{Bundle, Stage};
use crate::domain::topic::{Hosted, Topic, Validators};
use crate::domain::value::{PublicationId, TopicId, TopicUrl};
use crate::store::{Change, StoreError};

/// The most bytes of unheard topics that a bundle names.
const UNHEARD_MAX_BYTES: usize = 16 * 1024;

/// New content of a topic, from whoever it came.
#[derive(Clone, Debug)]
pub struct Content {
    /// The media type, untouched.
    pub content_type: String,
    /// `rel="self"`, if the topic names one.
    pub self_url: Option<String>,
    /// `rel="hub"` links, the very strings.
    pub hubs: Vec<String>,
    /// The content.
    pub body: Bytes,
}

/// What became of content for a hosted topic.
#[derive(Clone, Debug)]
pub struct Announced {
    /// The receipt.
    pub receipt: PublicationId,
    /// The topic's URL.
    pub topic: TopicUrl,
    /// Whether the hub had no such topic before.
    pub created: bool,
}

impl Hub {
    /// Takes a ping of one topic or several (HUB-79). When this returns, the fetches are durable. Pings for a topic whose
    /// fetch is still queued share it; topics without subscribers cost nothing.
    ///
    /// # Errors
    /// The store's: nothing of the ping is done then.
    pub async fn ping(&self, topics: Vec<TopicUrl>) -> Result<PublicationId, StoreError> {
        let mut changes = Vec::new();
        let mut jobs: Vec<Fetch> = Vec::new();
        let mut receipts = Vec::new();
        let mut unheard = Vec::new();
        let mut seen = HashSet::new();
        for url in topics {
            if !seen.insert(url.id()) {
                continue;
            }
            let topic = self.canonical(self.topic_or_new(&url).await?).await?;
            if self.audience(&topic).await? == 0 {
                self.forget_content(&topic).await?;
                unheard.push(url);
                continue;
            }
            let now = self.clock.now();
            let shared = self.queued_fetch(url.id()).filter(|(queued, due)| {
                // One that waits for its next try is no help, and one that has been overtaken will not fetch.
                *due <= now && Some(*queued) > topic.last_publication
            });
            if let Some((queued, _)) = shared {
                receipts.push(queued);
                continue;
            }
            let publication = new_publication_id();
            let stage = Stage::Fetching { last_failure: None };
            let receipt = self.new_receipt(publication, url.clone(), stage);
            let fetch = Fetch {
                publication,
                topic: url,
                due: now,
                failures: 0,
            };
            changes.push(Change::Receive(receipt));
            changes.push(Change::Put(Job::Fetch(fetch.clone())));
            jobs.push(fetch);
            receipts.push(publication);
        }
        let answer = match (receipts.as_slice(), unheard.first()) {
            ([only], None) => *only,
            ([], Some(first)) => self.unheard_receipt(first.clone()),
            _ => {
                let id = new_publication_id();
                let accepted_at = self.clock.now();
                changes.push(Change::Bundle(Bundle {
                    id,
                    accepted_at,
                    receipts,
                    unheard: within_a_row(unheard),
                }));
                id
            }
        };
        if !changes.is_empty() {
            self.store.commit(changes).await?;
        }
        for fetch in jobs {
            let (id, topic) = (fetch.publication, fetch.topic.as_str());
            self.traces
                .accepted(id, "ping", topic, fetch.due, self.clock.now());
            self.announce_fetch(&fetch);
            self.work.schedule(Job::Fetch(fetch));
        }
        Ok(answer)
    }

    /// Takes content that a publisher pushes; that of a hosted topic is served from now on, too. When this returns, it is
    /// durable.
    ///
    /// # Errors
    /// The store's: nothing is published then.
    pub async fn push(
        &self,
        topic: TopicUrl,
        content: Content,
    ) -> Result<PublicationId, StoreError> {
        let hosted = self.store.hosted(topic.id()).await?;
        if let Some((hosted, _)) = hosted {
            let announced = self.host(&hosted.name, content.content_type, content.body);
            return Ok(announced.await?.receipt);
        }
        let (topic, _turn) = self.take_canonical(&topic).await?;
        self.publish_now(topic, content, Vec::new()).await
    }

    /// Keeps content for a topic that the hub itself serves, and announces it if it is new. Durable when this returns.
    ///
    /// # Errors
    /// The store's: the topic stands as before then.
    pub async fn host(
        &self,
        name: &str,
        content_type: String,
        body: Bytes,
    ) -> Result<Announced, StoreError> {
        let url = self.hosted_url(name);
        let (topic, _turn) = self.take_topic(&url).await?;
        let digest = digest(&content_type, &body);
        let before = self.store.hosted(url.id()).await?.map(|(hosted, _)| hosted);
        let created = before.is_none();
        let modified_at = match &before {
            Some(old) if old.digest == digest => old.modified_at,
            _ => self.clock.now(),
        };
        let hosted = Hosted {
            name: name.to_owned(),
            topic: url.clone(),
            content_type: content_type.clone(),
            digest,
            modified_at,
            size: body.len() as u64,
        };
        let content = Content {
            content_type,
            self_url: Some(url.as_str().to_owned()),
            hubs: vec![self.url.clone()],
            body: body.clone(),
        };
        let mut changes = vec![Change::Host(hosted, body)];
        if self.store.topic(url.id()).await?.is_none() {
            // Also without subscribers it is one of the topics that the hub knows.
            changes.push(Change::PutTopic(Topic {
                self_url: content.self_url.clone(),
                hubs: content.hubs.clone(),
                ..topic.clone()
            }));
        }
        let receipt = self.publish_now(topic, content, changes).await?;
        Ok(Announced {
            receipt,
            topic: url,
            created,
        })
    }

    /// Serves a hosted topic no longer. False if there is none.
    ///
    /// # Errors
    /// The store's.
    pub async fn unhost(&self, name: &str) -> Result<bool, StoreError> {
        let topic = self.hosted_url(name).id();
        if self.store.hosted(topic).await?.is_none() {
            return Ok(false);
        }
        self.store.commit(vec![Change::Unhost(topic)]).await?;
        Ok(true)
    }

    /// A hosted topic's content.
    ///
    /// # Errors
    /// The store's.
    pub async fn hosted(&self, name: &str) -> Result<Option<(Hosted, Bytes)>, StoreError> {
        self.store.hosted(self.hosted_url(name).id()).await
    }

    async fn publish_now(
        &self,
        mut topic: Topic,
        content: Content,
        mut changes: Vec<Change>,
    ) -> Result<PublicationId, StoreError> {
        let (id, at) = (new_publication_id(), self.clock.now());
        if self.audience(&topic).await? == 0 {
            changes.extend(forgotten(topic.clone()));
            if !changes.is_empty() {
                self.store.commit(changes).await?;
            }
            return Ok(self.unheard_receipt(topic.url));
        }
        if topic.digest == Some(digest(&content.content_type, &content.body)) {
            let receipt = self.new_receipt(id, topic.url, Stage::Unchanged);
            changes.push(Change::Receive(receipt));
            self.store.commit(changes).await?;
            return Ok(id);
        }
        let receipt = self.new_receipt(id, topic.url.clone(), Stage::Delivering);
        changes.push(Change::Receive(receipt));
        // What was fetched before is no longer what the targets have: if it comes back, it is news.
        topic.validators = Validators::default();
        let (members, url) = (topic.members(), topic.url.clone());
        let (more, fanout) = self.publication(id, topic, members, content);
        changes.extend(more);
        self.store.commit(changes).await?;
        self.traces
            .accepted(id, "publish", url.as_str(), at, self.clock.now());
        self.work.schedule(fanout);
        Ok(id)
    }

    /// The changes that make content a publication, and the fan-out to the targets of `members` that follows.
    pub(super) fn publication(
        &self,
        id: PublicationId,
        mut topic: Topic,
        members: Vec<TopicId>,
        content: Content,
    ) -> (Vec<Change>, Job) {
        topic.digest = Some(digest(&content.content_type, &content.body));
        // What is not named this time is not forgotten: a publisher that pushes may name less than its page.
        topic.self_url = content.self_url.or(topic.self_url);
        if !content.hubs.is_empty() {
            topic.hubs = content.hubs;
        }
        topic.last_publication = Some(id);
        let publication = Publication {
            id,
            content_type: content.content_type,
            self_url: topic
                .self_url
                .clone()
                .unwrap_or_else(|| topic.url.to_string()),
            hubs: self.hub_links(&topic.hubs),
            size: content.body.len() as u64,
            accepted_at: self.clock.now(),
            event: None,
            topic: topic.url.clone(),
        };
        self.meters.published();
        let fanout = Job::Fanout(Fanout::new(id, members));
        let changes = vec![
            Change::Stage(id, Stage::Delivering),
            Change::Journal(publication, content.body),
            Change::PutTopic(topic),
            Change::Put(fanout.clone()),
        ];
        (changes, fanout)
    }

    /// The topic whose content a topic shares.
    pub(super) async fn canonical(&self, topic: Topic) -> Result<Topic, StoreError> {
        match &topic.alias_of {
            Some(url) => self.topic_or_new(url).await,
            None => Ok(topic),
        }
    }

    /// How many subscriptions get a topic's publications.
    pub(super) async fn audience(&self, topic: &Topic) -> Result<u64, StoreError> {
        let mut count = 0;
        for member in topic.members() {
            count += self.store.subscribers(member).await?;
        }
        Ok(count)
    }

    /// The hub links of a delivery: the very strings that the topic advertises (HUB-42, websub.md rule 4), this hub's first;
    /// the hub's own URL where the topic names none.
    fn hub_links(&self, advertised: &[String]) -> Vec<String> {
        let mut hubs = advertised.to_vec();
        hubs.sort_by_key(|hub| !self.is_ours(hub));
        if hubs.is_empty() {
            hubs.push(self.url.clone());
        }
        hubs
    }

    /// Whether a hub link means this hub, by any of the paths that take hub requests.
    pub(super) fn is_ours(&self, hub: &str) -> bool {
        let path = hub.strip_prefix(self.url.trim_end_matches('/'));
        path.is_some_and(|path| {
            ["", "hub", "subscribe", "publish"].contains(&path.trim_matches('/'))
        })
    }

    /// Content came for a topic and nobody listens: see `forgotten`.
    async fn forget_content(&self, topic: &Topic) -> Result<(), StoreError> {
        if topic.digest.is_none() {
            return Ok(());
        }
        let (topic, _turn) = self.take_topic(&topic.url).await?;
        match forgotten(topic) {
            Some(change) => self.store.commit(vec![change]).await,
            None => Ok(()),
        }
    }

    fn hosted_url(&self, name: &str) -> TopicUrl {
        TopicUrl::below(&self.url, &format!("topics/{name}"))
    }
}

/// Content came and nobody listened: what was known before is no longer what was last published.
fn forgotten(mut topic: Topic) -> Option<Change> {
    topic.digest?;
    topic.forget_content();
    Some(Change::PutTopic(topic))
}

/// As many of the topics as one row of the store should hold.
fn within_a_row(topics: Vec<TopicUrl>) -> Vec<TopicUrl> {
    let mut bytes = 0;
    let fits = |topic: &TopicUrl| {
        bytes += topic.as_str().len();
        bytes <= UNHEARD_MAX_BYTES
    };
    topics.into_iter().take_while(fits).collect()
}
