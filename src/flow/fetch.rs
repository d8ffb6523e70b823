//! Fetching: a pinged topic's content, if it is new, becomes a publication. In: a `Fetch` job. Out: a `Fanout` job, or the
//! reason why there is none.

use std::sync::Arc;

use url::Url;

use super::Hub;
use super::clock::jitter;
use super::names::Owned;
use super::publish::Content;
use crate::domain::discovery::{Discovered, discover};
use crate::domain::job::{Fetch, Job, JobId};
use crate::domain::publication::digest;
use crate::domain::receipt::Stage;
use crate::domain::topic::{self, Topic};
use crate::domain::value::{PublicationId, Timestamp, TopicId, TopicUrl};
use crate::net::client::{self, FetchError, FetchRequest, Fetched};
use crate::store::{Change, StoreError};

/// What stands for a media type that the topic's server did not give.
const UNKNOWN_TYPE: &str = "application/octet-stream";

/// Why a topic may not be subscribed to.
pub(super) enum Doubt {
    /// Another look will show the same.
    Settled(String),
    /// It may look better later.
    Open(String),
}

impl Hub {
    /// Fetches a topic and publishes what is new.
    pub(super) async fn run_fetch(self: &Arc<Self>, job: Fetch) -> Result<Vec<Job>, StoreError> {
        // The fetch of a newer ping finds what this one would find.
        let newest = self.queued_fetch(job.topic.id()).map(|(newest, _)| newest);
        if newest > Some(job.publication) {
            return self.close(&job, Vec::new(), Stage::Unchanged).await;
        }
        self.begin_fetch(&job);
        let pinged = self.topic_or_new(&job.topic).await?;
        match self.fetch(&pinged).await? {
            Ok(Fetched::NotModified) => self.unchanged(&job).await,
            Ok(Fetched::Content(content)) => self.fetched(&job, *content).await,
            Err(error) => self.not_fetched(job, &error).await,
        }
    }

    /// Whether a topic can be fetched and names this hub.
    pub(super) async fn inspect_topic(&self, topic: &TopicUrl) -> Result<(), Doubt> {
        let Some(url) = topic.fetchable() else {
            return Err(Doubt::Settled(format!("{topic} is not a URL")));
        };
        let request = FetchRequest {
            url,
            validators: topic::Validators::default(),
            user_agent: self.fetch_user_agent(0),
        };
        let content = match self.fetcher.fetch(&request).await {
            Ok(Fetched::Content(content)) => content,
            Ok(Fetched::NotModified) => return Ok(()),
            Err(error) => {
                let reason = format!("the topic {topic} cannot be fetched: {error}");
                return Err(match error.is_permanent() {
                    true => Doubt::Settled(reason),
                    false => Doubt::Open(reason),
                });
            }
        };
        match links(&content).hubs.iter().any(|hub| self.is_ours(hub)) {
            true => Ok(()),
            false => Err(Doubt::Settled(format!(
                "the topic {topic} does not name {} as its hub",
                self.url
            ))),
        }
    }

    async fn fetch(&self, topic: &Topic) -> Result<Result<Fetched, FetchError>, StoreError> {
        let Some(url) = topic.url.fetchable() else {
            let location = topic.url.to_string();
            return Ok(Err(FetchError::BadRedirect { location }));
        };
        let canonical = self.canonical(topic.clone()).await?;
        let request = FetchRequest {
            url,
            validators: canonical.validators.clone(),
            user_agent: self.fetch_user_agent(self.audience(&canonical).await?),
        };
        Ok(self.fetcher.fetch(&request).await)
    }

    /// Content has come. Whose it is: the pinged topic's own, or that of the URL where the topic has moved to or which
    /// it names as itself.
    async fn fetched(&self, job: &Fetch, found: client::Content) -> Result<Vec<Job>, StoreError> {
        let (owner, found) = self.owner(&job.topic, found).await;
        let owned = self.take_owner(&job.topic, &owner).await?;
        // Content that is published now must not have an older id than what was published meanwhile; and what this ping
        // announced is part of that.
        let overtaken = owned.topic.last_publication > Some(job.publication);
        let Discovered { self_url, hubs } = links(&found);
        let content = Content {
            content_type: found.content_type.unwrap_or_else(|| UNKNOWN_TYPE.into()),
            self_url,
            hubs,
            body: found.body,
        };
        let digest = Some(digest(&content.content_type, &content.body));
        let members = owned.members_without(digest);
        let Owned {
            mut topic,
            mut changes,
            _turn,
            ..
        } = owned;
        // They stand for the content that was last published: what was overtaken is none of that, and is asked for anew.
        if !overtaken || topic.digest == digest {
            topic.validators = found.validators;
        }
        if overtaken || members.is_empty() {
            topic.last_fetch = Some(self.fetch_note("unchanged"));
            changes.push(Change::PutTopic(topic));
            return self.close(job, changes, Stage::Unchanged).await;
        }
        topic.last_fetch = Some(self.fetch_note("published"));
        let (more, fanout) = self.publication(job.publication, topic, members, content);
        changes.extend(more);
        changes.push(Change::Finish(JobId::Fetch(job.publication)));
        self.store.commit(changes).await?;
        // Still in the topic's turn, so that fan-outs start in the order of their publications.
        self.work.schedule(fanout);
        Ok(Vec::new())
    }

    /// Whose content a fetch of `pinged` found, and the content as its owner serves it. A permanent redirect is the
    /// publisher's own word for it. But anyone may claim to be someone else with `rel="self"`: it is believed only if the
    /// URL that it names has the very same content, and then that one's headers count.
    async fn owner(
        &self,
        pinged: &TopicUrl,
        found: client::Content,
    ) -> (TopicUrl, client::Content) {
        let moved = found.permanent_url.as_ref().map(Url::as_str);
        // The events of this hub's sources are nobody else's content.
        let is_event = |url: &TopicUrl| self.event_place(url).is_some();
        let moved = moved.and_then(|url| TopicUrl::parse(url).ok());
        if let Some(moved) = moved.filter(|url| !is_event(url)) {
            return (moved, found);
        }
        let named = links(&found).self_url;
        let named = named.and_then(|url| TopicUrl::parse(&url).ok());
        let named = named.filter(|url| !is_event(url));
        if let Some(named) = named.filter(|named| named.id() != pinged.id())
            && let Some(own) = self.same_content(&named, &found.body).await
        {
            return (named, own);
        }
        (pinged.clone(), found)
    }

    /// What a topic serves, if its body is this one.
    async fn same_content(&self, topic: &TopicUrl, body: &[u8]) -> Option<client::Content> {
        let request = FetchRequest {
            url: topic.fetchable()?,
            validators: topic::Validators::default(),
            user_agent: self.fetch_user_agent(0),
        };
        match self.fetcher.fetch(&request).await {
            Ok(Fetched::Content(content)) if content.body == body => Some(*content),
            _ => None,
        }
    }

    async fn unchanged(&self, job: &Fetch) -> Result<Vec<Job>, StoreError> {
        let (mut topic, _turn) = self.take_canonical(&job.topic).await?;
        topic.last_fetch = Some(self.fetch_note("unchanged"));
        self.close(job, vec![Change::PutTopic(topic)], Stage::Unchanged)
            .await
    }

    async fn not_fetched(
        &self,
        mut job: Fetch,
        error: &FetchError,
    ) -> Result<Vec<Job>, StoreError> {
        let reason = error.to_string();
        tracing::info!(
            topic = job.topic.without_query(),
            failures = job.failures + 1,
            reason,
            "not fetched"
        );
        self.meters.fetch_failed();
        let (mut topic, _turn) = self.take_topic(&job.topic).await?;
        topic.last_fetch = Some(self.fetch_note(&reason));
        let note = Change::PutTopic(topic);
        let tries = usize::try_from(job.failures).unwrap_or(usize::MAX);
        if error.is_permanent() || tries >= self.fetch_schedule.len() {
            return self.close(&job, vec![note], Stage::Failed { reason }).await;
        }
        job.failures += 1;
        let cap = self.settings.delivery.retry_after_max;
        let asked = error.retry_after();
        let delay = self
            .fetch_schedule
            .delay_at_least(job.failures, jitter(), asked, cap);
        job.due = self.clock.now().plus(delay);
        let stage = Stage::Fetching {
            last_failure: Some(reason),
        };
        let changes = vec![
            note,
            Change::Stage(job.publication, stage),
            Change::Put(Job::Fetch(job.clone())),
        ];
        self.store.commit(changes).await?;
        self.announce_fetch(&job);
        Ok(vec![Job::Fetch(job)])
    }

    async fn close(
        &self,
        job: &Fetch,
        mut changes: Vec<Change>,
        stage: Stage,
    ) -> Result<Vec<Job>, StoreError> {
        changes.push(Change::Stage(job.publication, stage));
        changes.push(Change::Finish(JobId::Fetch(job.publication)));
        self.store.commit(changes).await?;
        Ok(Vec::new())
    }

    fn fetch_note(&self, outcome: &str) -> topic::Fetched {
        topic::Fetched {
            at: self.clock.now(),
            outcome: outcome.to_owned(),
        }
    }

    /// Who fetches, for how many (HUB-81).
    pub(super) fn fetch_user_agent(&self, subscribers: u64) -> String {
        format!(
            "{} (+{}; {subscribers} subscribers)",
            self.product, self.url
        )
    }

    /// Pings for this topic share this fetch from now on, until it begins; of several the newest.
    pub(super) fn announce_fetch(&self, job: &Fetch) {
        let this = (job.publication, job.due);
        let mut newest = self.fetches.entry(job.topic.id()).or_insert(this);
        *newest = this.max(*newest);
    }

    /// The newest fetch of a topic that has not begun, and when it is due.
    pub(super) fn queued_fetch(&self, topic: TopicId) -> Option<(PublicationId, Timestamp)> {
        self.fetches.get(&topic).map(|queued| *queued)
    }

    fn begin_fetch(&self, job: &Fetch) {
        self.fetches
            .remove_if(&job.topic.id(), |_, queued| queued.0 == job.publication);
    }
}

fn links(content: &client::Content) -> Discovered {
    let headers = content.link_headers.iter().map(AsRef::as_ref);
    let media_type = content.content_type.as_deref();
    discover(&content.final_url, headers, media_type, &content.body)
}
