//! Requests to subscribe and unsubscribe: policy first, then a durable job that verifies them; or, for PubSubHubbub 0.3
//! clients that ask for it, the verification at once.

use url::{Host, Url};

use super::Hub;
use super::clock::new_id;
use super::settings::InsecureSecret;
use super::verify::{Answer, FIRST_ASK_AFTER};
use crate::domain::host_pattern::HostPattern;
use crate::domain::job::{Job, Verify};
use crate::domain::signature::Method;
use crate::domain::subscription::{Intent, Mode};
use crate::domain::value::{CallbackUrl, Secret, TargetId, TopicUrl};
use crate::net::guard::Guard;
use crate::store::{Change, StoreError};

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
    /// It has been verified: 204 (HUB-71).
    Verified,
}

/// The request is not taken.
#[derive(Debug, thiserror::Error)]
pub enum Rejection {
    /// The hub's policy is against it (HUB-20).
    #[error("{0}")]
    Policy(String),
    /// The callback did not confirm it, and the client wanted to know (HUB-71).
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
        if request.mode == Mode::Subscribe {
            check(&self.topics, "hub.topic", request.topic.as_str())?;
        }
        let sync = request.sync && self.settings.compat.sync_verify;
        let intent = self.intent(request);
        if sync {
            return self.verify_now(&intent).await;
        }
        let job = Job::Verify(Verify {
            due: self.clock.now().plus(FIRST_ASK_AFTER),
            intent,
            failures: 0,
        });
        self.store.commit(vec![Change::Put(job.clone())]).await?;
        self.work.schedule(job);
        Ok(Accepted::Later)
    }

    /// Ends a subscription and tells the callback why. False if there is none.
    ///
    /// # Errors
    /// The store's.
    pub async fn deny(&self, target: TargetId, reason: String) -> Result<bool, StoreError> {
        let Some(subscription) = self.store.subscription(target).await? else {
            return Ok(false);
        };
        let job = self.denial(&subscription.topic, &subscription.callback, reason);
        let end = Change::End {
            target,
            verified_at: None,
        };
        self.store
            .commit(vec![end, Change::Put(job.clone())])
            .await?;
        self.work.schedule(job);
        Ok(true)
    }

    /// Ends a subscription without a word to the callback. False if there is none.
    ///
    /// # Errors
    /// The store's.
    pub async fn end(&self, target: TargetId) -> Result<bool, StoreError> {
        if self.store.subscription(target).await?.is_none() {
            return Ok(false);
        }
        let end = Change::End {
            target,
            verified_at: None,
        };
        self.store.commit(vec![end]).await?;
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

    async fn verify_now(&self, intent: &Intent) -> Result<Accepted, Rejection> {
        let reason = match self.ask(intent).await {
            Answer::Confirmed { asked_at } => {
                let (changes, follow_ups) = self.confirmed(intent, asked_at).await?;
                self.store.commit(changes).await?;
                for job in follow_ups {
                    self.work.schedule(job);
                }
                return Ok(Accepted::Verified);
            }
            Answer::Refused(reason) => reason,
            Answer::Silent(error) => error.to_string(),
        };
        self.unverified(intent, &reason);
        Err(Rejection::Unverified(format!(
            "the callback {} did not confirm the request: {reason}",
            intent.callback
        )))
    }

    /// The hub's policy, as far as the request alone tells.
    fn admit(&self, request: &Request) -> Result<(), String> {
        let settings = &self.settings.subscriptions;
        let topic_host = host_of(request.topic.as_str());
        let serves = |hosts: &[HostPattern], host: &Option<Host>| {
            let host = host.as_ref();
            host.is_some_and(|host| hosts.iter().any(|pattern| pattern.matches(as_ref(host))))
        };
        if !settings.topic_hosts.is_empty() && !serves(&settings.topic_hosts, &topic_host) {
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
                InsecureSecret::Warn => {
                    tracing::warn!(
                        origin = request.callback.origin(),
                        "a secret for a callback without https"
                    );
                }
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

fn as_ref(host: &Host) -> Host<&str> {
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
