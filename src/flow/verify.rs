//! Verification of intent: the callback is asked whether it meant what was asked for in its name, and only its "yes" changes
//! anything (REC section 5.3).

use std::sync::Arc;
use std::time::Duration;

use url::Url;

use super::Hub;
use super::clock::{challenge, jitter, new_id};
use super::fetch::Doubt;
use super::verdicts::Verdict;
use crate::domain::job::{Deny, Job, JobId, Verify};
use crate::domain::subscription::{Denial, Intent, Mode, Subscription, repeats_challenge};
use crate::domain::value::{CallbackUrl, Timestamp, TopicUrl};
use crate::net::guard::Guard;
use crate::store::{Change, StoreError};

/// What came of asking.
enum Answer {
    /// The callback repeated the challenge.
    Confirmed {
        /// When it was asked: the lease runs from here (HUB-32).
        asked_at: Timestamp,
    },
    /// It answered something else: nothing changes, and it is not asked again.
    Refused(String),
    /// The hub does not want the subscription.
    Denied(String),
    /// It cannot be said yet: nobody answered.
    Open {
        /// Why.
        reason: String,
        /// What it counts as when it stays so.
        at_last: fn(String) -> Answer,
    },
}

impl Hub {
    /// Asks, and makes what follows durable. Who does not answer is asked again for hours (HUB-74), unless a client waits
    /// for the verdict (HUB-71).
    pub(super) async fn run_verify(self: &Arc<Self>, job: Verify) -> Result<Vec<Job>, StoreError> {
        let id = job.intent.id;
        let finish = Change::Finish(JobId::Verify(id));
        if !self.verdicts.begin(&job) {
            self.store.commit(vec![finish]).await?;
            return Ok(Vec::new());
        }
        if self.is_over(&job).await? {
            return Ok(Vec::new());
        }
        let mut answer = self.ask(&job.intent).await;
        // From here on it is decided: what is erased meanwhile is gone before, and otherwise after it.
        let _deciding = self.deciding.read().await;
        if self.is_over(&job).await? {
            return Ok(Vec::new());
        }
        if let Answer::Open { reason, at_last } = answer {
            if self.may_ask_again(&job) {
                return self.ask_later(job).await;
            }
            answer = at_last(reason);
        }
        let denied = match answer {
            Answer::Confirmed { asked_at } => {
                let _turn = self.turn_at_host(&job.intent.callback).await?;
                match self.confirmed(&job.intent, asked_at).await? {
                    Ok(change) => {
                        let earlier = self.verdicts.earlier(&job.intent).into_iter();
                        let mut changes = vec![change, finish];
                        changes.extend(earlier.map(|id| Change::Finish(JobId::Verify(id))));
                        self.store.commit(changes).await?;
                        self.verdicts.confirmed(&job.intent);
                        return Ok(Vec::new());
                    }
                    Err(reason) => reason,
                }
            }
            Answer::Denied(reason) => reason,
            Answer::Refused(reason) | Answer::Open { reason, .. } => {
                self.unverified(&job.intent, &reason);
                self.store.commit(vec![finish]).await?;
                self.verdicts
                    .refused(&job.intent, Verdict::Unverified(reason));
                return Ok(Vec::new());
            }
        };
        self.unverified(&job.intent, &denied);
        if self
            .verdicts
            .refused(&job.intent, Verdict::Denied(denied.clone()))
        {
            self.store.commit(vec![finish]).await?;
            return Ok(Vec::new());
        }
        let deny = self.denial(&job.intent.topic, &job.intent.callback, denied);
        self.store
            .commit(vec![finish, Change::Put(deny.clone())])
            .await?;
        Ok(vec![deny])
    }

    /// Whether nothing comes of a request any longer, whatever its callback says: it is gone, or there is no subscription that it could
    /// renew. Who waits for the verdict is told.
    async fn is_over(&self, job: &Verify) -> Result<bool, StoreError> {
        let (intent, id) = (&job.intent, JobId::Verify(job.intent.id));
        let is_kept = self.store.job(id).await?.is_some();
        let held = self.store.subscription(intent.target()).await?;
        let reason = match (is_kept, held) {
            (true, None) if intent.refresh => {
                self.store.commit(vec![Change::Finish(id)]).await?;
                "the subscription has ended meanwhile"
            }
            (true, _) => return Ok(false),
            // It was written, and the store could not say so: only the sync had failed.
            (false, held) if is_done(intent, held.as_ref()) => {
                self.verdicts.confirmed(intent);
                return Ok(true);
            }
            (false, _) => {
                "the hub no longer has this request: its operator has erased it, or it was decided while the store failed; \
                 make it again if it is still wanted"
            }
        };
        self.verdicts
            .refused(intent, Verdict::Dropped(reason.to_owned()));
        Ok(true)
    }

    async fn ask_later(&self, mut job: Verify) -> Result<Vec<Job>, StoreError> {
        job.failures += 1;
        job.due = self
            .clock
            .now()
            .plus(self.verify_schedule.delay(job.failures, jitter()));
        self.verdicts.wait(&job);
        let later = Job::Verify(job);
        self.store.commit(vec![Change::Put(later.clone())]).await?;
        Ok(vec![later])
    }

    /// Tells a callback that it is denied; any answer will do.
    pub(super) async fn run_deny(self: &Arc<Self>, mut job: Deny) -> Result<Vec<Job>, StoreError> {
        let id = JobId::Deny(job.denial.id);
        if self.store.job(id).await?.is_none() {
            return Ok(Vec::new());
        }
        let heard = match Url::parse(&job.denial.url()) {
            Ok(url) => self.caller.get(&url).await.map(|_| ()),
            Err(_) => Ok(()),
        };
        if let Err(error) = heard
            && error.is_retryable()
            && usize::try_from(job.failures)
                .is_ok_and(|failures| failures < self.verify_schedule.len())
        {
            let _deciding = self.deciding.read().await;
            if self.store.job(id).await?.is_none() {
                return Ok(Vec::new());
            }
            job.failures += 1;
            job.due = self
                .clock
                .now()
                .plus(self.verify_schedule.delay(job.failures, jitter()));
            let later = Job::Deny(job);
            self.store.commit(vec![Change::Put(later.clone())]).await?;
            return Ok(vec![later]);
        }
        let finish = Change::Finish(id);
        self.store.commit(vec![finish]).await?;
        Ok(Vec::new())
    }

    /// Validates the topic, where that is wanted, and asks the callback, once.
    async fn ask(&self, intent: &Intent) -> Answer {
        match self.validate(intent).await {
            Ok(()) => {}
            Err(Doubt::Settled(reason)) => return Answer::Denied(reason),
            Err(Doubt::Open(reason)) => {
                return Answer::Open {
                    reason,
                    at_last: Answer::Denied,
                };
            }
        }
        let challenge = challenge();
        let url = match Url::parse(&intent.verification_url(&challenge)) {
            Ok(url) => url,
            Err(error) => return Answer::Refused(format!("its URL cannot be called: {error}")),
        };
        let asked_at = self.clock.now();
        match self.caller.get(&url).await {
            Err(error) if error.is_retryable() => Answer::Open {
                reason: error.to_string(),
                at_last: Answer::Refused,
            },
            Err(error) => Answer::Refused(error.to_string()),
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

    /// The change that a confirmed intent makes; or why the hub does not want it after all.
    async fn confirmed(
        &self,
        intent: &Intent,
        asked_at: Timestamp,
    ) -> Result<Result<Change, String>, StoreError> {
        let target = intent.target();
        if intent.mode == Mode::Unsubscribe {
            self.meters.verified(true);
            tracing::info!(to = %target, topic = intent.topic.without_query(), origin = intent.callback.origin(), "unsubscribed");
            return Ok(Ok(Change::End {
                target,
                verified_at: None,
            }));
        }
        let previous = self.store.subscription(target).await?;
        if previous.is_none()
            && let Err(reason) = self.room_at_host(&intent.callback).await?
        {
            return Ok(Err(reason));
        }
        self.meters.verified(true);
        let subscription = intent.confirmed(asked_at, previous.as_ref());
        tracing::info!(to = %target, topic = intent.topic.without_query(), origin = intent.callback.origin(), lease_s = intent.lease_seconds, renewed = previous.is_some(), "subscribed");
        if intent.secret.is_some() && is_overheard(&intent.callback) {
            tracing::info!(to = %target, origin = intent.callback.origin(), "the secret came without https: others may have read it");
        }
        Ok(Ok(Change::Activate(subscription)))
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

    fn unverified(&self, intent: &Intent, reason: &str) {
        self.meters.verified(false);
        tracing::info!(to = %intent.target(), mode = intent.mode.name(), origin = intent.callback.origin(), reason, "not verified");
    }

    fn may_ask_again(&self, job: &Verify) -> bool {
        let tries = usize::try_from(job.failures).unwrap_or(usize::MAX);
        // A refresh that is not answered before the lease ends is over with the lease.
        let may_wait = !job.intent.refresh && !self.verdicts.is_awaited(&job.intent);
        may_wait && tries < self.verify_schedule.len()
    }

    /// Whether the topic may be subscribed to, as far as that takes the network (HUB-22). An unsubscription is never
    /// validated (HUB-12).
    async fn validate(&self, intent: &Intent) -> Result<(), Doubt> {
        // That of an event is this hub's own: it was looked at when the request came.
        let is_own = self.event_place(&intent.topic).is_some();
        let wanted = self.settings.subscriptions.validate_topics;
        if intent.mode == Mode::Unsubscribe || is_own || !wanted {
            return Ok(());
        }
        self.inspect_topic(&intent.topic).await
    }
}

/// Whether a subscription is as the intent wants it, or its end.
fn is_done(intent: &Intent, held: Option<&Subscription>) -> bool {
    match intent.mode {
        Mode::Subscribe => held.is_some_and(|held| held.verified_at >= intent.requested_at),
        Mode::Unsubscribe => held.is_none(),
    }
}

/// Whether what goes to a callback passes through networks of others in plain text (HUB-04): not if it is this machine, or
/// an address that is reached only because the operator allows it.
fn is_overheard(callback: &CallbackUrl) -> bool {
    let Ok(url) = Url::parse(callback.as_str()) else {
        return false;
    };
    let is_local = |name: &str| name == "localhost" || name.ends_with(".localhost");
    let on_this_machine = url.domain().is_some_and(is_local);
    let public_only = Guard::callbacks(Vec::new());
    !callback.is_https() && !on_this_machine && public_only.check_url(&url).is_ok()
}

/// The pause before a callback is asked: it may not yet have noted down that it subscribes.
pub(super) const FIRST_ASK_AFTER: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use super::super::tests::{hub_in_memory, subscriber};
    use super::*;

    #[tokio::test]
    async fn who_waits_hears_what_is_so_when_the_request_is_gone() {
        let folder = tempfile::tempdir().expect("a folder");
        let (hub, _store) = hub_in_memory(&folder);
        let held = subscriber(&hub, "http://reader.example/").subscription;
        let earlier = held.verified_at.minus(Duration::from_secs(1));
        let later = held.verified_at.plus(Duration::from_secs(1));
        let activate = Change::Activate(held.clone());
        let end = Change::End {
            target: held.id(),
            verified_at: None,
        };
        for (before, mode, requested_at, is_done) in [
            (&activate, Mode::Subscribe, earlier, true),
            (&activate, Mode::Subscribe, later, false),
            (&activate, Mode::Unsubscribe, earlier, false),
            (&end, Mode::Unsubscribe, earlier, true),
            (&end, Mode::Subscribe, earlier, false),
        ] {
            let before = vec![before.clone()];
            hub.store.commit(before).await.expect("a commit");
            let Job::Verify(mut job) = hub.question(held.clone()) else {
                panic!("a question is a request");
            };
            (job.intent.mode, job.intent.requested_at) = (mode, requested_at);
            let verdict = hub.verdicts.expect(&job.intent);
            let left = hub.run_verify(job).await.expect("the store works");
            assert_eq!(left, []);
            match verdict.await.expect("a verdict") {
                Verdict::Confirmed => assert!(is_done, "{mode:?} {requested_at:?}"),
                Verdict::Dropped(reason) => assert!(!is_done, "{reason}"),
                verdict => panic!("{verdict:?}"),
            }
        }
    }

    #[test]
    fn a_secret_is_overheard_only_on_the_way_through_networks_of_others() {
        let overheard = |url| is_overheard(&CallbackUrl::parse(url).expect("a callback"));
        for url in [
            "http://reader.example/cb",
            "http://1.1.1.1/",
            "http://[2606:4700::7]/",
        ] {
            assert!(overheard(url), "{url}");
        }
        for url in [
            "https://reader.example/cb",
            "http://127.0.0.1:9/",
            "http://localhost/",
            "http://a.localhost/",
            "http://[::1]/",
            "http://10.1.2.3/",
        ] {
            assert!(!overheard(url), "{url}");
        }
    }
}
