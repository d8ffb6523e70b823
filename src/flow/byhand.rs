//! What an operator does by hand, and looks at: asks a callback again, has a backlog tried now, sees what a topic says.

use bytes::Bytes;

use super::Hub;
use super::subscribe::{Accepted, Rejection};
use crate::domain::attempt::Attempt;
use crate::domain::job::{Backlog, Job, JobId};
use crate::domain::topic::{self, Topic};
use crate::domain::value::{TargetId, Timestamp, TopicUrl};
use crate::net::client::{FetchRequest, Fetched};
use crate::store::{Change, StoreError, Subscriber, Waiting};

/// The publications that are told of that wait for a target.
const TOLD: usize = 20;

/// What a topic says now.
#[derive(Clone, Debug)]
pub struct Said {
    /// Where it was found.
    pub place: Place,
    /// Its media type, untouched.
    pub content_type: String,
    /// When it came to the hub; none if it was fetched just now.
    pub since: Option<Timestamp>,
    /// The content.
    pub body: Bytes,
}

/// Where a topic's content is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The hub serves it itself.
    Hosted,
    /// It is the latest event of its name.
    Event,
    /// It was fetched.
    Fetched,
}

/// What a target has not got.
#[derive(Clone, Debug, Default)]
pub struct Behind {
    /// Its backlog's job, if it has one: when it is tried next, and how often it has failed.
    pub job: Option<Backlog>,
    /// The oldest publications that wait, with their last attempts.
    pub waiting: Vec<(Waiting, Option<Attempt>)>,
    /// Until when its origin is not called.
    pub paused_until: Option<Timestamp>,
    /// The last attempts, newest first, as far as they failed or came after a failure.
    pub attempts: Vec<Attempt>,
}

impl Hub {
    /// Asks a callback whether it still wants its subscription; if it does, its lease begins anew. None if there is no such subscription.
    ///
    /// # Errors
    /// What the callback said instead; the subscription stays as it was then.
    pub async fn verify_again(&self, target: TargetId) -> Result<Option<Accepted>, Rejection> {
        let Some(held) = self.store.subscription(target).await? else {
            return Ok(None);
        };
        let callback = held.callback.clone();
        let question = self.question(held);
        let Job::Verify(verify) = &question else {
            return Ok(None);
        };
        let intent = verify.intent.id;
        let verdict = self.verdicts.expect(&verify.intent);
        if let Err(error) = self.store.commit(vec![Change::Put(question.clone())]).await {
            self.verdicts.forget(intent);
            return Err(error.into());
        }
        self.work.schedule(question);
        self.verdict(intent, verdict, &callback).await.map(Some)
    }

    /// Has a target's backlog tried at once, whatever has failed so far. False if nothing waits for it.
    ///
    /// # Errors
    /// The store's.
    pub async fn try_now(&self, target: TargetId) -> Result<bool, StoreError> {
        let waits = self.store.job(JobId::Backlog(target)).await?.is_some();
        let known = self.store.target(target).await?;
        let Some(known) = known.filter(|_| waits) else {
            return Ok(false);
        };
        let at = self.clock.now();
        self.store
            .commit(vec![Change::Rouse { target, at }])
            .await?;
        self.gates.probe_now(known.callback().origin());
        self.knock(target, at);
        Ok(true)
    }

    /// What a subscription has not got, and what became of the attempts.
    ///
    /// # Errors
    /// The store's.
    pub async fn behind(&self, subscriber: &Subscriber) -> Result<Behind, StoreError> {
        let job = self.store.job(JobId::Backlog(subscriber.id)).await?;
        let mut waiting = Vec::new();
        for entry in self.store.waiting(subscriber.id, TOLD).await? {
            let missing = self
                .store
                .missing_one(entry.publication, subscriber.id)
                .await?;
            let last = missing.and_then(|missing| missing.last_attempt);
            waiting.push((entry, last));
        }
        let origin = subscriber.subscription.callback.origin();
        Ok(Behind {
            job: job.and_then(|job| match job {
                Job::Backlog(backlog) => Some(backlog),
                _ => None,
            }),
            waiting,
            paused_until: self.gates.paused_until(origin),
            attempts: self.trails.of(subscriber.id),
        })
    }

    /// When the fetch of a topic that is queued is due.
    pub fn next_fetch(&self, topic: &Topic) -> Option<Timestamp> {
        self.queued_fetch(topic.id()).map(|(_, due)| due)
    }

    /// What a topic says now: the content that the hub has, or else what its URL gives at this moment.
    ///
    /// # Errors
    /// The store's; and in words why it could not be fetched.
    pub async fn say(&self, url: &TopicUrl) -> Result<Result<Said, String>, StoreError> {
        if let Some((hosted, body)) = self.store.hosted(url.id()).await? {
            return Ok(Ok(Said {
                place: Place::Hosted,
                content_type: hosted.content_type,
                since: Some(hosted.modified_at),
                body,
            }));
        }
        if self.event_place(url).is_some() {
            let latest = self.store.latest_event(url.id()).await?;
            let event = match latest {
                Some(latest) => self.store.publication(latest).await?,
                None => None,
            };
            let said = event.map(|(event, body)| Said {
                place: Place::Event,
                content_type: event.content_type,
                since: Some(event.accepted_at),
                body,
            });
            return Ok(said.ok_or_else(|| "no event of this name is kept".to_owned()));
        }
        let Some(target) = url.fetchable() else {
            return Ok(Err(format!("{url} is not a URL")));
        };
        let request = FetchRequest {
            url: target,
            validators: topic::Validators::default(),
            user_agent: self.fetch_user_agent(0),
        };
        Ok(match self.fetcher.fetch(&request).await {
            Ok(Fetched::Content(content)) => Ok(Said {
                place: Place::Fetched,
                content_type: content.content_type.unwrap_or_default(),
                since: None,
                body: content.body,
            }),
            Ok(Fetched::NotModified) => Err("its server says that nothing has changed".to_owned()),
            Err(error) => Err(error.to_string()),
        })
    }
}
