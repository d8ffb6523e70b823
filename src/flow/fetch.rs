//! Fetching: a pinged topic's content, if it is new, becomes a publication. In: a `Fetch` job. Out: a `Fanout` job, or the
//! reason why there is none.

use std::sync::Arc;

use url::Url;

use super::Hub;
use super::clock::jitter;
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
        // A ping may have brought a waiting fetch forward: it is in the loop twice then, and counts once.
        let stored = self.store.job(JobId::Fetch(job.publication)).await?;
        let Some(Job::Fetch(job)) = stored.filter(|stored| stored.due() <= self.clock.now()) else {
            return Ok(Vec::new());
        };
        self.begin_fetch(&job);
        let pinged = self.topic_or_new(&job.topic).await?;
        // What this ping announced was found by a later one's fetch; content that is published now must not have an older id.
        let latest = self.canonical(pinged.clone()).await?.last_publication;
        if latest > Some(job.publication) {
            return self.close(&job, Vec::new(), Stage::Unchanged).await;
        }
        match self.fetch(&pinged).await? {
            Ok(Fetched::NotModified) => self.unchanged(&job, pinged).await,
            Ok(Fetched::Content(content)) => self.fetched(&job, pinged, *content).await,
            Err(error) => self.not_fetched(job, pinged, &error).await,
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
    async fn fetched(
        &self,
        job: &Fetch,
        pinged: Topic,
        content: client::Content,
    ) -> Result<Vec<Job>, StoreError> {
        let found = links(&content);
        let owner_url = self.owner(&pinged.url, &content, &found).await;
        let _turn = self.publishing.lock(&owner_url.id().0).await;
        let (mut topic, mut changes) = self.settle_names(pinged, owner_url).await?;
        topic.validators = content.validators.clone();
        topic.last_fetch = Some(self.fetch_note("published"));
        let content = Content {
            content_type: content.content_type.unwrap_or_else(|| UNKNOWN_TYPE.into()),
            self_url: found.self_url,
            hubs: found.hubs,
            body: content.body,
        };
        if topic.digest == Some(digest(&content.content_type, &content.body)) {
            topic.last_fetch = Some(self.fetch_note("unchanged"));
            changes.push(Change::PutTopic(topic));
            return self.close(job, changes, Stage::Unchanged).await;
        }
        let (more, fanout) = self.publication(job.publication, topic, content);
        changes.extend(more);
        changes.push(Change::Finish(JobId::Fetch(job.publication)));
        self.store.commit(changes).await?;
        // Still in the topic's turn, so that fan-outs start in the order of their publications.
        self.work.schedule(fanout);
        Ok(Vec::new())
    }

    /// Whose content a fetch of `pinged` found. A permanent redirect is the publisher's own word for it. But anyone may claim
    /// to be someone else with `rel="self"`: it is believed only if the URL that it names has the very same content.
    async fn owner(
        &self,
        pinged: &TopicUrl,
        content: &client::Content,
        found: &Discovered,
    ) -> TopicUrl {
        let moved = content.permanent_url.as_ref().map(Url::as_str);
        if let Some(Ok(moved)) = moved.map(TopicUrl::parse) {
            return moved;
        }
        let named = found.self_url.as_deref().map(TopicUrl::parse);
        match named {
            Some(Ok(named))
                if named.id() != pinged.id() && self.has_content(&named, &content.body).await =>
            {
                named
            }
            _ => pinged.clone(),
        }
    }

    async fn has_content(&self, topic: &TopicUrl, body: &[u8]) -> bool {
        let Some(url) = topic.fetchable() else {
            return false;
        };
        let request = FetchRequest {
            url,
            validators: topic::Validators::default(),
            user_agent: self.fetch_user_agent(0),
        };
        let fetched = self.fetcher.fetch(&request).await;
        matches!(fetched, Ok(Fetched::Content(content)) if content.body == body)
    }

    async fn unchanged(&self, job: &Fetch, pinged: Topic) -> Result<Vec<Job>, StoreError> {
        let mut topic = self.canonical(pinged).await?;
        topic.last_fetch = Some(self.fetch_note("unchanged"));
        self.close(job, vec![Change::PutTopic(topic)], Stage::Unchanged)
            .await
    }

    async fn not_fetched(
        &self,
        mut job: Fetch,
        mut pinged: Topic,
        error: &FetchError,
    ) -> Result<Vec<Job>, StoreError> {
        let reason = error.to_string();
        tracing::info!(
            topic = pinged.url.without_query(),
            failures = job.failures + 1,
            reason,
            "not fetched"
        );
        self.meters.fetch_failed();
        pinged.last_fetch = Some(self.fetch_note(&reason));
        let note = Change::PutTopic(pinged);
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

    /// The topic that owns the content, with every name of it in its place, and the changes to the other names.
    async fn settle_names(
        &self,
        pinged: Topic,
        owner_url: TopicUrl,
    ) -> Result<(Topic, Vec<Change>), StoreError> {
        if pinged.id() == owner_url.id() {
            return self.stand_alone(pinged).await;
        }
        let mut owner = self.topic_or_new(&owner_url).await?;
        let mut changes = Vec::new();
        if pinged.alias_of.as_ref().map(TopicUrl::id) != Some(owner.id()) {
            let (freed, left) = self.stand_alone(pinged).await?;
            changes.extend(left);
            let mut alias = freed;
            for url in owner.adopt(&mut alias) {
                let mut moved = self.topic_or_new(&url).await?;
                moved.alias_of = Some(owner.url.clone());
                changes.push(Change::PutTopic(moved));
            }
            changes.push(Change::PutTopic(alias));
        }
        Ok((owner, changes))
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

    fn fetch_note(&self, outcome: &str) -> topic::Fetched {
        topic::Fetched {
            at: self.clock.now(),
            outcome: outcome.to_owned(),
        }
    }

    /// Who fetches, for how many (HUB-81).
    fn fetch_user_agent(&self, subscribers: u64) -> String {
        format!(
            "{} (+{}; {subscribers} subscribers)",
            self.product, self.url
        )
    }

    /// Pings for this topic share this fetch from now on, until it begins.
    pub(super) fn announce_fetch(&self, job: &Fetch) {
        let queued = (job.publication, job.due);
        self.fetches.insert(job.topic.id(), queued);
    }

    /// The fetch of a topic that has not begun, and when it is due.
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
