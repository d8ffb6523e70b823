//! Verification of intent: the callback is asked whether it meant what was asked for in its name, and only its "yes" changes
//! anything (REC section 5.3).

use std::sync::Arc;
use std::time::Duration;

use url::Url;

use super::Hub;
use super::clock::{challenge, jitter, new_id};
use crate::domain::job::{Deny, Job, JobId, Verify};
use crate::domain::subscription::{Denial, Intent, Mode, repeats_challenge};
use crate::domain::value::{CallbackUrl, Timestamp, TopicUrl};
use crate::net::client::CallError;
use crate::store::{Change, StoreError};

/// What a callback said.
pub(super) enum Answer {
    /// It repeated the challenge.
    Confirmed {
        /// When it was asked: the lease runs from here (HUB-32).
        asked_at: Timestamp,
    },
    /// It answered something else: nothing changes, and it is not asked again.
    Refused(String),
    /// It did not answer.
    Silent(CallError),
}

impl Hub {
    /// Asks, and makes what follows durable. Who does not answer is asked again for hours (HUB-74).
    pub(super) async fn run_verify(
        self: &Arc<Self>,
        mut job: Verify,
    ) -> Result<Vec<Job>, StoreError> {
        let intent = &job.intent;
        let finish = Change::Finish(JobId::Verify(intent.id));
        if let Err(reason) = self.validate(intent).await {
            let deny = self.denial(&intent.topic, &intent.callback, reason);
            let changes = vec![finish, Change::Put(deny.clone())];
            self.store.commit(changes).await?;
            return Ok(vec![deny]);
        }
        match self.ask(intent).await {
            Answer::Confirmed { asked_at } => {
                let (mut changes, follow_ups) = self.confirmed(intent, asked_at).await?;
                changes.push(finish);
                self.store.commit(changes).await?;
                Ok(follow_ups)
            }
            Answer::Silent(error) if error.is_retryable() && self.may_ask_again(&job) => {
                job.failures += 1;
                job.due = self
                    .clock
                    .now()
                    .plus(self.verify_schedule.delay(job.failures, jitter()));
                let later = Job::Verify(job);
                self.store.commit(vec![Change::Put(later.clone())]).await?;
                Ok(vec![later])
            }
            Answer::Refused(reason) => {
                self.unverified(intent, &reason);
                self.store.commit(vec![finish]).await?;
                Ok(Vec::new())
            }
            Answer::Silent(error) => {
                self.unverified(intent, &error.to_string());
                self.store.commit(vec![finish]).await?;
                Ok(Vec::new())
            }
        }
    }

    /// Tells a callback that it is denied; any answer will do.
    pub(super) async fn run_deny(self: &Arc<Self>, mut job: Deny) -> Result<Vec<Job>, StoreError> {
        let heard = match Url::parse(&job.denial.url()) {
            Ok(url) => self.caller.get(&url).await.map(|_| ()),
            Err(_) => Ok(()),
        };
        if let Err(error) = heard
            && error.is_retryable()
            && usize::try_from(job.failures)
                .is_ok_and(|failures| failures < self.verify_schedule.len())
        {
            job.failures += 1;
            job.due = self
                .clock
                .now()
                .plus(self.verify_schedule.delay(job.failures, jitter()));
            let later = Job::Deny(job);
            self.store.commit(vec![Change::Put(later.clone())]).await?;
            return Ok(vec![later]);
        }
        let finish = Change::Finish(JobId::Deny(job.denial.id));
        self.store.commit(vec![finish]).await?;
        Ok(Vec::new())
    }

    /// Asks the callback once.
    pub(super) async fn ask(&self, intent: &Intent) -> Answer {
        let challenge = challenge();
        let url = match Url::parse(&intent.verification_url(&challenge)) {
            Ok(url) => url,
            Err(error) => return Answer::Refused(format!("its URL cannot be called: {error}")),
        };
        let asked_at = self.clock.now();
        match self.caller.get(&url).await {
            Err(error) => Answer::Silent(error),
            Ok(answer) if !(200..300).contains(&answer.status) => {
                Answer::Refused(format!("it answered with status {}", answer.status))
            }
            Ok(answer) => {
                let trim = self.settings.compat.trim_challenge;
                match repeats_challenge(&answer.body, &challenge, trim) {
                    true => Answer::Confirmed { asked_at },
                    false => Answer::Refused("its answer does not repeat hub.challenge".into()),
                }
            }
        }
    }

    /// The changes that a confirmed intent makes.
    pub(super) async fn confirmed(
        &self,
        intent: &Intent,
        asked_at: Timestamp,
    ) -> Result<(Vec<Change>, Vec<Job>), StoreError> {
        self.meters.verified(true);
        let target = intent.target();
        let previous = self.store.subscription(target).await?;
        if intent.mode == Mode::Unsubscribe {
            let end = Change::End {
                target,
                verified_at: None,
            };
            return Ok((vec![end], Vec::new()));
        }
        if previous.is_none()
            && let Err(reason) = self.room_at_host(&intent.callback).await?
        {
            let deny = self.denial(&intent.topic, &intent.callback, reason);
            return Ok((vec![Change::Put(deny.clone())], vec![deny]));
        }
        let subscription = intent.confirmed(asked_at, previous.as_ref());
        tracing::info!(%target, topic = %intent.topic, origin = intent.callback.origin(), lease_s = intent.lease_seconds, renewed = previous.is_some(), "subscribed");
        Ok((vec![Change::Activate(subscription)], Vec::new()))
    }

    pub(super) fn denial(&self, topic: &TopicUrl, callback: &CallbackUrl, reason: String) -> Job {
        Job::Deny(Deny {
            denial: Denial {
                id: new_id(),
                topic: topic.clone(),
                callback: callback.clone(),
                reason,
            },
            due: self.clock.now(),
            failures: 0,
        })
    }

    pub(super) fn unverified(&self, intent: &Intent, reason: &str) {
        self.meters.verified(false);
        tracing::info!(target = %intent.target(), mode = intent.mode.name(), origin = intent.callback.origin(), reason, "not verified");
    }

    fn may_ask_again(&self, job: &Verify) -> bool {
        let tries = usize::try_from(job.failures).unwrap_or(usize::MAX);
        // A refresh that is not answered before the lease ends is over with the lease.
        !job.intent.refresh && tries < self.verify_schedule.len()
    }

    /// Whether the topic may be subscribed to, as far as that takes the network (HUB-22). An unsubscription is never
    /// validated (HUB-12).
    async fn validate(&self, intent: &Intent) -> Result<(), String> {
        if intent.mode == Mode::Unsubscribe || !self.settings.subscriptions.validate_topics {
            return Ok(());
        }
        self.inspect_topic(&intent.topic).await
    }
}

/// The pause before a callback is asked: it may not yet have noted down that it subscribes.
pub(super) const FIRST_ASK_AFTER: Duration = Duration::from_millis(100);
