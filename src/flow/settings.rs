//! The settings of `[subscriptions]`, `[delivery]`, `[hooks]`, `[fetch]`, `[compat]`, `[retention]` and `[inspector]`:
//! how the flow waits, retries, limits itself and forgets.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::domain::{host_pattern::HostPattern, notation, signature::Method};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);

/// `[subscriptions]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SubscriptionSettings {
    /// The lease of a subscriber who asks for none.
    #[serde(with = "notation::duration")]
    pub default_lease: Duration,
    /// The shortest lease; a shorter wish is raised to it.
    #[serde(with = "notation::duration")]
    pub min_lease: Duration,
    /// The longest lease; a longer wish is lowered to it.
    #[serde(with = "notation::duration")]
    pub max_lease: Duration,
    /// How `X-Hub-Signature` is made.
    #[serde(deserialize_with = "notation::choice")]
    pub signature: Method,
    /// The whole time that a callback has to answer a verification.
    #[serde(with = "notation::duration")]
    pub verify_timeout: Duration,
    /// The waits before a verification that failed is tried again; after the last it is given up.
    #[serde(with = "notation::durations")]
    pub verify_retry: Vec<Duration>,
    /// Whether a subscription is verified anew before its lease ends (HUB-75).
    pub auto_refresh: bool,
    /// What is done with a secret that came over plain http (HUB-04).
    #[serde(deserialize_with = "notation::choice")]
    pub insecure_secret: InsecureSecret,
    /// The hosts whose topics this hub serves; none named is any.
    pub topic_hosts: Vec<HostPattern>,
    /// The hosts that callbacks may not have.
    pub callback_hosts_deny: Vec<HostPattern>,
    /// Whether a topic is fetched before a subscription to it is verified, and the subscription denied when the topic
    /// cannot be fetched or does not name this hub.
    pub validate_topics: bool,
}

/// What is done with a secret that a subscriber sends over plain http, where others can read it (HUB-04).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum InsecureSecret {
    /// It is accepted; once the callback has confirmed, the log says so.
    Warn,
    /// The subscription request is refused.
    Refuse,
}

impl Default for SubscriptionSettings {
    fn default() -> Self {
        Self {
            default_lease: 10 * DAY,
            min_lease: 5 * MINUTE,
            max_lease: 30 * DAY,
            signature: Method::Sha1,
            verify_timeout: 10 * SECOND,
            verify_retry: vec![10 * SECOND, MINUTE, 10 * MINUTE, HOUR, 3 * HOUR],
            auto_refresh: false,
            insecure_secret: InsecureSecret::Warn,
            topic_hosts: Vec::new(),
            callback_hosts_deny: Vec::new(),
            validate_topics: false,
        }
    }
}

/// `[delivery]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DeliverySettings {
    /// One deadline over a whole attempt: connect, send, headers, body.
    #[serde(with = "notation::duration")]
    pub timeout: Duration,
    /// Attempts in flight at once.
    pub concurrency: usize,
    /// Attempts in flight at once to one origin (scheme, host, port).
    pub per_origin: usize,
    /// The waits before a failed delivery is tried again; the last repeats until `give_up_after`.
    #[serde(with = "notation::durations")]
    pub retry: Vec<Duration>,
    /// How old a publication may get in a backlog before it is given up.
    #[serde(with = "notation::duration")]
    pub give_up_after: Duration,
    /// The most publications in the backlog of one subscription; beyond it the oldest are given up.
    pub backlog_publications: usize,
    /// The most bytes in the backlog of one subscription; beyond it the oldest are given up.
    #[serde(with = "notation::size")]
    pub backlog_bytes: usize,
    /// Failures of an origin in a row that open its circuit; 0 never opens it.
    pub circuit_failures: u32,
    /// The longest `Retry-After` that is honoured; a longer one is lowered to it.
    #[serde(with = "notation::duration")]
    pub retry_after_max: Duration,
}

impl Default for DeliverySettings {
    fn default() -> Self {
        Self {
            timeout: 10 * SECOND,
            concurrency: 2_048,
            per_origin: 32,
            retry: vec![10 * SECOND, MINUTE, 5 * MINUTE, 15 * MINUTE, HOUR, 3 * HOUR],
            give_up_after: 3 * DAY,
            backlog_publications: 1_000,
            backlog_bytes: 64 << 20,
            circuit_failures: 10,
            retry_after_max: 6 * HOUR,
        }
    }
}

/// `[hooks]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HookSettings {
    /// Whose name SocialGateway's headers bear.
    pub brand: Brand,
    /// How long a secret that was rotated signs beside the new one; zero is not at all.
    #[serde(with = "notation::duration")]
    pub secret_overlap: Duration,
    /// How long the deliveries of a hook may fail, with no success between, before it is disabled; zero never disables.
    #[serde(with = "notation::duration")]
    pub disable_after: Duration,
    /// The most events that wait for one hook; beyond it the oldest are given up.
    pub backlog_events: usize,
    /// How long the log of a hook's deliveries keeps one, with its request and response.
    #[serde(with = "notation::duration")]
    pub keep_deliveries: Duration,
    /// The most deliveries that the log keeps of one hook; beyond it the oldest go.
    pub deliveries_per_hook: usize,
    /// How large those may be together, in bytes; beyond it the oldest go.
    #[serde(with = "notation::size")]
    pub deliveries_size: usize,
    /// How long an `Idempotency-Key` is remembered; zero remembers none.
    #[serde(with = "notation::duration")]
    pub remember_keys: Duration,
}

impl Default for HookSettings {
    fn default() -> Self {
        Self {
            brand: Brand::default(),
            secret_overlap: DAY,
            disable_after: 3 * DAY,
            backlog_events: 100_000,
            keep_deliveries: 7 * DAY,
            deliveries_per_hook: 1_000,
            deliveries_size: 64 << 20,
            remember_keys: DAY,
        }
    }
}

/// The name in SocialGateway's headers, `X-<brand>-Event`: letters and digits. `GitHub` satisfies GitHub's libraries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Brand(String);

/// The longest brand, in bytes.
const BRAND_MAX_BYTES: usize = 40;

impl Brand {
    /// The text as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for Brand {
    fn default() -> Self {
        Self("SocialGateway".into())
    }
}

impl TryFrom<String> for Brand {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let is_name = (1..=BRAND_MAX_BYTES).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if !is_name {
            return Err(format!(
                "{text:?} is not a brand; write 1 to {BRAND_MAX_BYTES} letters and digits, such as SocialGateway or GitHub"
            ));
        }
        // `X-Fanfare-Delivery` means something else: the id of one delivery, not of the event.
        if text.eq_ignore_ascii_case("fanfare") {
            return Err(format!(
                "{text:?} cannot be the brand, since the hub has headers of that name; write another, such as SocialGateway \
                 or GitHub"
            ));
        }
        Ok(Self(text))
    }
}

impl From<Brand> for String {
    fn from(brand: Brand) -> Self {
        brand.0
    }
}

/// `[fetch]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FetchSettings {
    /// One deadline over a whole fetch with its redirects.
    #[serde(with = "notation::duration")]
    pub timeout: Duration,
    /// The largest topic that is read, in bytes.
    #[serde(with = "notation::size")]
    pub max_body: usize,
    /// The redirects that are followed; 0 follows none.
    pub redirects: usize,
    /// The waits before a failed fetch is tried again; after the last it is given up.
    #[serde(with = "notation::durations")]
    pub retry: Vec<Duration>,
    /// Fetches in flight at once; of one host an eighth of them, and one at least.
    pub concurrency: usize,
}

impl Default for FetchSettings {
    fn default() -> Self {
        Self {
            timeout: 20 * SECOND,
            max_body: 10 << 20,
            redirects: 5,
            retry: vec![5 * SECOND, 30 * SECOND, 5 * MINUTE, 30 * MINUTE],
            concurrency: 32,
        }
    }
}

/// `[compat]`: what older or careless peers need.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CompatSettings {
    /// Whether `hub.verify=sync` is honoured: verified within the request, answered 204 or 409 (202 if that takes too long).
    pub sync_verify: bool,
    /// Whether white space around an echoed challenge is forgiven.
    pub trim_challenge: bool,
}

impl Default for CompatSettings {
    fn default() -> Self {
        Self {
            sync_verify: true,
            trim_challenge: true,
        }
    }
}

/// `[retention]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RetentionSettings {
    /// How long a publication and its receipt are kept.
    #[serde(with = "notation::duration")]
    pub publications: Duration,
    /// How large those that are kept may be together, in bytes; beyond it the oldest go that nobody waits for. 0 is no limit.
    #[serde(with = "notation::size")]
    pub publications_size: usize,
}

impl Default for RetentionSettings {
    fn default() -> Self {
        Self {
            publications: 7 * DAY,
            publications_size: 0,
        }
    }
}

/// `[inspector]`: callback addresses that show what arrives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct InspectorSettings {
    /// Addresses that there may be at once; 0 has none.
    pub bins: usize,
    /// Requests that are kept for each; beyond it the oldest go.
    pub requests_per_bin: usize,
    /// Bytes that are kept for each; beyond it the oldest requests go.
    #[serde(with = "notation::size")]
    pub bytes_per_bin: usize,
    /// The most of a body that is kept, in bytes.
    #[serde(with = "notation::size")]
    pub body: usize,
    /// How long an address lasts that nobody looks at.
    #[serde(with = "notation::duration")]
    pub keep: Duration,
}

impl Default for InspectorSettings {
    fn default() -> Self {
        Self {
            bins: 50,
            requests_per_bin: 100,
            bytes_per_bin: 1 << 20,
            body: 128 << 10,
            keep: HOUR,
        }
    }
}
