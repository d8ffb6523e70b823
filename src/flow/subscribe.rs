//! Requests to subscribe and unsubscribe: policy first, then a durable job that verifies them; or, for PubSubHubbub 0.3
//! clients that ask for it, the verification at once.

use std::time::Duration;

use tokio::sync::MutexGuard;
use tokio::sync::oneshot::Receiver;
use url::{Host, Url};
use uuid::Uuid;

use super::Hub;
use super::VERIFICATIONS;
use super::clock::new_id;
use super::settings::InsecureSecret;
use super::verdicts::Verdict;
use super::verify::FIRST_ASK_AFTER;
use crate::domain::host_pattern::HostPattern;
use crate::domain::job::{Job, Verify};
use crate::domain::signature::Method;
use crate::domain::subscription::{Intent, Mode, Subscription};
use crate::domain::value::{CallbackUrl, Secret, TargetId, TopicUrl};
use crate::net::guard::Guard;
use crate::store::{Change, StoreError};

/// How much longer a client waits for a verdict than its callback may take: for its turn, and for the store.
const VERDICT_GRACE: Duration = Duration::from_secs(5);

/// What a subscriber asks for.
#[derive(Clone, Debug)]
pub struct Request {
    /// `hub.mode`.
    pub mode: Mode,
    /// `hub.topic`.
    pub topic: TopicUrl,
    /// `hub.callback`.
    pub callback: CallbackUrl,
    /// `hub.secret`.
    pub secret: Option<Secret>,
    /// `hub.lease_seconds`.
    pub lease_seconds: Option<u64>,
    /// `hub.signature`, an extension.
    pub method: Option<Method>,
    /// Whether the first understood `hub.verify` is `sync` (HUB-70).
    pub sync: bool,
    /// `hub.verify_token`, unless empty.
    pub verify_token: Option<String>,
    /// The request's `From` header (HUB-63).
    pub from: Option<String>,
}

/// The request is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accepted {
    /// It will be verified: 202 (HUB-16).
    Later,
    /// It could not be verified while the client waits, most likely because others at the callback's host come first. It
    /// will be, like any other: 202 (HUB-72).
    NotYet,
    /// It has been verified: 204 (HUB-71).
    Verified,
}

/// The request is not taken.
#[derive(Debug, thiserror::Error)]
pub enum Rejection {
    /// The hub's policy is against it (HUB-20).
    #[error("{0}")]
    Policy(String),
    /// The callback did not confirm it, or in vain, and the client wanted to know (HUB-71).
    #[error("{0}")]
    Unverified(String),
    /// It could not be written down.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Hub {
    /// Takes a request. When this returns, it is durable: a crash right after still verifies it.
    ///
    /// # Errors
    /// Says why the request is not taken; nothing has changed then.
    pub async fn subscribe(&self, request: Request) -> Result<Accepted, Rejection> {
        if request.mode == Mode::Subscribe {
            self.admit(&request).map_err(Rejection::Policy)?;
            let known = self.store.subscription(target_of(&request)).await?;
            if known.is_none() {
                let room = self.room_at_host(&request.callback).await?;
                room.map_err(Rejection::Policy)?;
            }
        }
        check(&self.callbacks, "hub.callback", request.callback.as_str())?;
        if request.mode == Mode::Subscribe && self.event_place(&request.topic).is_none() {
            check(&self.topics, "hub.topic", request.topic.as_str())?;
        }
        let sync = request.sync && self.settings.compat.sync_verify;
        let intent = self.intent(request);
        let (id, callback) = (intent.id, intent.callback.clone());
        let verdict = sync.then(|| self.verdicts.expect(&intent));
        let job = Job::Verify(Verify {
            due: self.clock.now().plus(FIRST_ASK_AFTER),
            intent,
            failures: 0,
        });
        if let Err(error) = self.store.commit(vec![Change::Put(job.clone())]).await {
            self.verdicts.forget(id);
            return Err(error.into());
        }
        self.work.schedule(job);
        match verdict {
            None => Ok(Accepted::Later),
            Some(verdict) => self.verdict(id, verdict, &callback).await,
        }
    }

    /// Ends a subscription and tells the callback why. What has ended comes back; `None` if there was none.
    ///
    /// # Errors
    /// The store's.
    pub async fn deny(
        &self,
        target: TargetId,
        reason: &str,
    ) -> Result<Option<Subscription>, StoreError> {
        let _nobody_decides = self.deciding.write().await;
        let Some(ended) = self.store.subscription(target).await? else {
            return Ok(None);
        };
        let job = self.denial(&ended.topic, &ended.callback, reason.to_owned());
        let end = Change::End {
            target,
            verified_at: None,
        };
        self.store
            .commit(vec![end, Change::Put(job.clone())])
            .await?;
        self.work.schedule(job);
        tracing::info!(to = %target, topic = ended.topic.without_query(), origin = ended.callback.origin(), reason, "denied by the administrator");
        Ok(Some(ended))
    }

    /// Ends a subscription without a word to the callback. False if there is none.
    ///
    /// # Errors
    /// The store's.
    pub async fn end(&self, target: TargetId) -> Result<bool, StoreError> {
        let _nobody_decides = self.deciding.write().await;
        let Some(ended) = self.store.subscription(target).await? else {
            return Ok(false);
        };
        let end = Change::End {
            target,
            verified_at: None,
        };
        self.store.commit(vec![end]).await?;
        tracing::info!(to = %target, topic = ended.topic.without_query(), origin = ended.callback.origin(), "deleted by the administrator");
        Ok(true)
    }

    /// Whether one more subscription may be at the callback's host; if not, why.
    pub(super) async fn room_at_host(
        &self,
        callback: &CallbackUrl,
    ) -> Result<Result<(), String>, StoreError> {
        let limit = self.settings.subscriptions_per_callback_host;
        if limit == 0 {
            return Ok(Ok(()));
        }
        let host = callback.host();
        let held = self.store.subscriptions_at_host(host).await?;
        Ok(match held < limit {
            true => Ok(()),
            false => Err(format!(
                "hub.callback: the host {host} has {held} subscriptions here, and this hub allows {limit}; \
                 unsubscribe some, or ask its operator to raise limits.subscriptions_per_callback_host"
            )),
        })
    }

    /// Waits its turn where a host is near its limit, so that those who come at the same time do not pass it together.
    pub(super) async fn turn_at_host(
        &self,
        callback: &CallbackUrl,
    ) -> Result<Option<MutexGuard<'_, ()>>, StoreError> {
        let limit = self.settings.subscriptions_per_callback_host;
        let host = callback.host();
        let far_below = limit.saturating_sub(VERIFICATIONS as u64);
        if limit == 0 || self.store.subscriptions_at_host(host).await? < far_below {
            return Ok(None);
        }
        Ok(Some(self.hosts.lock(host.as_bytes()).await))
    }

    /// What a client is told that waits, but not for ever (HUB-71).
    pub(super) async fn verdict(
        &self,
        intent: Uuid,
        mut verdict: Receiver<Verdict>,
        callback: &CallbackUrl,
    ) -> Result<Accepted, Rejection> {
        let verdict = tokio::select! {
            verdict = &mut verdict => verdict.ok(),
            () = self.stop.cancelled() => None,
            () = tokio::time::sleep(self.patience()) => {
                self.verdicts.forget(intent);
                // It may have been given in this very moment; otherwise none will be.
                match verdict.await {
                    Ok(verdict) => Some(verdict),
                    Err(_) => return Ok(Accepted::NotYet),
                }
            }
        };
        match verdict {
            Some(Verdict::Confirmed) => Ok(Accepted::Verified),
            Some(Verdict::Denied(reason)) => Err(Rejection::Policy(reason)),
            Some(Verdict::Dropped(reason)) => Err(Rejection::Unverified(reason)),
            Some(Verdict::Unverified(reason)) => Err(Rejection::Unverified(format!(
                "the callback {callback} did not confirm the request: {reason}"
            ))),
            None => Err(Rejection::Store(StoreError::Unavailable(
                "the hub stops now; the request is kept, and verified after the restart".into(),
            ))),
        }
    }

    /// How long a client waits for a verdict at most.
    fn patience(&self) -> Duration {
        let settings = &self.settings.subscriptions;
        let validation = match settings.validate_topics {
            true => self.settings.fetch.timeout,
            false => Duration::ZERO,
        };
        validation + settings.verify_timeout + VERDICT_GRACE
    }

    /// The hub's policy, as far as the request alone tells.
    fn admit(&self, request: &Request) -> Result<(), String> {
        let settings = &self.settings.subscriptions;
        let topic_host = host_of(request.topic.as_str());
        let serves = |hosts: &[HostPattern], host: &Option<Host>| {
            let host = host.as_ref();
            host.is_some_and(|host| hosts.iter().any(|pattern| pattern.matches(as_ref(host))))
        };
        let is_served = settings.topic_hosts.is_empty()
            || serves(&settings.topic_hosts, &topic_host)
            || self.event_place(&request.topic).is_some();
        if !is_served {
            let served: Vec<String> = settings
                .topic_hosts
                .iter()
                .map(ToString::to_string)
                .collect();
            return Err(format!(
                "hub.topic: this hub serves topics of {} only, not of {}",
                served.join(", "),
                request.topic
            ));
        }
        if serves(
            &settings.callback_hosts_deny,
            &host_of(request.callback.as_str()),
        ) {
            let host = request.callback.host();
            return Err(format!("hub.callback: this hub does not call {host}"));
        }
        if request.secret.is_some() && !request.callback.is_https() {
            match settings.insecure_secret {
                InsecureSecret::Refuse => {
                    return Err(
                        "hub.secret: this hub takes a secret only for an https callback; use https, or leave the secret out"
                            .into(),
                    );
                }
                // It is told once the callback has confirmed: strangers could fill the log otherwise.
                InsecureSecret::Warn => {}
            }
        }
        Ok(())
    }

    fn intent(&self, request: Request) -> Intent {
        Intent {
            id: new_id(),
            mode: request.mode,
            topic: request.topic,
            callback: request.callback,
            secret: request.secret,
            method: request.method,
            lease_seconds: self.leases.grant(request.lease_seconds),
            verify_token: request.verify_token,
            from: request.from,
            requested_at: self.clock.now(),
            refresh: false,
        }
    }
}

/// Refuses a URL whose host is a literal address that the guard does not let the hub go to.
fn check(guard: &Guard, field: &str, url: &str) -> Result<(), Rejection> {
    let allowed = Url::parse(url).map_or(Ok(()), |url| guard.check_url(&url));
    allowed.map_err(|refused| Rejection::Policy(format!("{field}: {refused}")))
}

fn host_of(url: &str) -> Option<Host> {
    Url::parse(url).ok()?.host().map(|host| host.to_owned())
}

/// A host, as patterns look at it.
pub(super) fn as_ref(host: &Host) -> Host<&str> {
    match host {
        Host::Domain(name) => Host::Domain(name),
        Host::Ipv4(address) => Host::Ipv4(*address),
        Host::Ipv6(address) => Host::Ipv6(*address),
    }
}

fn target_of(request: &Request) -> TargetId {
    TargetId {
        topic: request.topic.id(),
        callback: request.callback.id(),
    }
}
