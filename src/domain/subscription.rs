//! A subscription and the intents that change it. In: what a subscriber asked for. Out: the parameters of the
//! verification, and the state that follows once the subscriber has confirmed.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::signature::Method;
use super::value::{CallbackUrl, Secret, TargetId, Timestamp, TopicUrl};

/// A verified, leased wish of a callback to hear of a topic (REC section 1).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subscription {
    /// The topic, spelled as the subscriber spelled it.
    pub topic: TopicUrl,
    /// Where publications go.
    pub callback: CallbackUrl,
    /// The key of its signatures; none, no signature (HUB-52).
    pub secret: Option<Secret>,
    /// The signature method that it asked for; none, the hub's own setting.
    pub method: Option<Method>,
    /// When it became active; a renewal keeps this.
    pub active_since: Timestamp,
    /// When its intent was last verified: the lease runs from here (HUB-32).
    pub verified_at: Timestamp,
    /// When the lease ends (HUB-33).
    pub expires_at: Timestamp,
    /// The `From` header of the request that made it (HUB-63).
    pub from: Option<String>,
}

impl Subscription {
    /// Its key.
    pub fn id(&self) -> TargetId {
        TargetId {
            topic: self.topic.id(),
            callback: self.callback.id(),
        }
    }

    /// Whether the lease still runs.
    pub fn is_live(&self, now: Timestamp) -> bool {
        now < self.expires_at
    }

    /// Whether it was active when a publication was accepted, and still is.
    pub fn receives(&self, accepted_at: Timestamp, now: Timestamp) -> bool {
        self.active_since <= accepted_at && self.is_live(now)
    }
}

/// What a request wants to become of a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Begin or renew it.
    Subscribe,
    /// End it.
    Unsubscribe,
}

impl Mode {
    /// The value of `hub.mode`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Subscribe => "subscribe",
            Self::Unsubscribe => "unsubscribe",
        }
    }
}

/// A request to subscribe or unsubscribe, not yet confirmed by the callback. It changes nothing until then
/// (HUB-09, HUB-10).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intent {
    /// Time-ordered (UUID version 7): intents for one target are verified in this order.
    pub id: Uuid,
    /// Begin or end.
    pub mode: Mode,
    /// The topic as written.
    pub topic: TopicUrl,
    /// The callback.
    pub callback: CallbackUrl,
    /// The new secret, or none from now on (HUB-53).
    pub secret: Option<Secret>,
    /// The signature method wished for.
    pub method: Option<Method>,
    /// The lease that will be granted, in seconds.
    pub lease_seconds: u64,
    /// Echoed in the verification (PubSubHubbub 0.3, HUB-73).
    pub verify_token: Option<String>,
    /// The request's `From` header.
    pub from: Option<String>,
    /// When it was asked for.
    pub requested_at: Timestamp,
    /// Whether the hub itself asks, before a lease ends (HUB-75).
    pub refresh: bool,
}

impl Intent {
    /// The key of the subscription that it is about.
    pub fn target(&self) -> TargetId {
        TargetId {
            topic: self.topic.id(),
            callback: self.callback.id(),
        }
    }

    /// The verification request's URL: the callback with the parameters of HUB-26 appended.
    pub fn verification_url(&self, challenge: &str) -> String {
        let lease = self.lease_seconds.to_string();
        let mut parameters = vec![
            ("hub.mode", self.mode.name()),
            ("hub.topic", self.topic.as_str()),
            ("hub.challenge", challenge),
        ];
        if self.mode == Mode::Subscribe {
            parameters.push(("hub.lease_seconds", &lease));
        }
        if let Some(token) = &self.verify_token {
            parameters.push(("hub.verify_token", token));
        }
        self.callback.with_query(&parameters)
    }

    /// The subscription that follows when the callback has confirmed a request made to it at `asked_at`. One that the hub has asked by
    /// itself renews the subscription as it is, whatever it was when it was asked.
    pub fn confirmed(&self, asked_at: Timestamp, previous: Option<&Subscription>) -> Subscription {
        let active_since = previous
            .filter(|old| old.is_live(asked_at))
            .map_or(asked_at, |old| old.active_since);
        let (secret, method, from) = match previous {
            Some(old) if self.refresh => (&old.secret, old.method, &old.from),
            _ => (&self.secret, self.method, &self.from),
        };
        Subscription {
            topic: self.topic.clone(),
            callback: self.callback.clone(),
            secret: secret.clone(),
            method,
            active_since,
            verified_at: asked_at,
            expires_at: asked_at.plus(Duration::from_secs(self.lease_seconds)),
            from: from.clone(),
        }
    }
}

/// The leases that a hub grants (HUB-05, HUB-34): whatever is asked for is brought into these bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeasePolicy {
    /// For who asks for none.
    pub default: Duration,
    /// The shortest.
    pub min: Duration,
    /// The longest.
    pub max: Duration,
}

impl LeasePolicy {
    /// The lease for a request, in seconds; zero counts as not asked for.
    pub fn grant(&self, asked_seconds: Option<u64>) -> u64 {
        match asked_seconds.filter(|asked| *asked > 0) {
            None => self.default.as_secs(),
            Some(asked) => asked.clamp(self.min.as_secs().max(1), self.max.as_secs().max(1)),
        }
    }
}

/// A refusal that the subscriber is told of with a `hub.mode=denied` request (HUB-24).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Denial {
    /// Its own id.
    pub id: Uuid,
    /// The topic as the subscriber wrote it.
    pub topic: TopicUrl,
    /// Who is told.
    pub callback: CallbackUrl,
    /// Why, in words.
    pub reason: String,
}

impl Denial {
    /// The URL of the request that tells the subscriber.
    pub fn url(&self) -> String {
        let mode = ("hub.mode", "denied");
        self.callback.with_query(&[
            mode,
            ("hub.topic", self.topic.as_str()),
            ("hub.reason", &self.reason),
        ])
    }
}

/// Whether a callback's answer repeats the challenge; white space around it is forgiven when `trim` is set.
pub fn repeats_challenge(body: &[u8], challenge: &str, trim: bool) -> bool {
    let body = if trim { body.trim_ascii() } else { body };
    body == challenge.as_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn intent(mode: Mode) -> Intent {
        Intent {
            id: Uuid::nil(),
            mode,
            topic: TopicUrl::parse("http://t.example/f?a=b&c").expect("a topic"),
            callback: CallbackUrl::parse("http://c.example/cb?hub.mode=mine").expect("a callback"),
            secret: None,
            method: None,
            lease_seconds: 60,
            verify_token: None,
            from: None,
            requested_at: Timestamp(0),
            refresh: false,
        }
    }

    #[test]
    fn verification_appends_what_the_specification_wants() {
        assert_eq!(
            intent(Mode::Subscribe).verification_url("x"),
            "http://c.example/cb?hub.mode=mine&hub.mode=subscribe&hub.topic=http%3A%2F%2Ft.example%2Ff%3Fa%3Db%26c\
             &hub.challenge=x&hub.lease_seconds=60"
        );
        let mut leave = intent(Mode::Unsubscribe);
        leave.verify_token = Some("t k".into());
        assert!(
            leave
                .verification_url("x")
                .ends_with("&hub.challenge=x&hub.verify_token=t+k")
        );
    }

    #[test]
    fn a_renewal_stays_active_since_the_first_time_and_a_lapsed_one_starts_anew() {
        let first = intent(Mode::Subscribe).confirmed(Timestamp(1_000), None);
        assert_eq!(first.expires_at, Timestamp(61_000));
        assert_eq!(
            intent(Mode::Subscribe)
                .confirmed(Timestamp(2_000), Some(&first))
                .active_since,
            Timestamp(1_000)
        );
        assert_eq!(
            intent(Mode::Subscribe)
                .confirmed(Timestamp(61_000), Some(&first))
                .active_since,
            Timestamp(61_000)
        );
    }

    #[test]
    fn what_the_hub_renews_by_itself_keeps_what_the_subscriber_has_said_since() {
        let said = |secret: &str| Intent {
            secret: Some(Secret::parse(secret).expect("a secret")),
            from: Some(secret.to_owned()),
            ..intent(Mode::Subscribe)
        };
        let asked = Intent {
            refresh: true,
            ..said("old")
        };
        let changed = said("new").confirmed(Timestamp(1_000), None);
        let renewed = asked.confirmed(Timestamp(2_000), Some(&changed));
        assert_eq!(renewed.secret, changed.secret);
        assert_eq!(renewed.from, changed.from);
        assert_eq!(renewed.expires_at, Timestamp(62_000));
        let own = said("old").confirmed(Timestamp(2_000), Some(&changed));
        assert_eq!(
            own.from,
            Some("old".to_owned()),
            "a subscriber's own word counts"
        );
    }

    #[test]
    fn a_lease_is_brought_into_bounds() {
        let day = Duration::from_secs(86_400);
        let policy = LeasePolicy {
            default: 10 * day,
            min: day,
            max: 30 * day,
        };
        for (asked, granted) in [
            (None, 10),
            (Some(0), 10),
            (Some(5), 1),
            (Some(864_000), 10),
            (Some(u64::MAX), 30),
        ] {
            assert_eq!(policy.grant(asked), granted * 86_400, "{asked:?}");
        }
    }

    #[test]
    fn a_challenge_may_come_back_with_white_space_only_where_that_is_allowed() {
        assert!(repeats_challenge(b"abc", "abc", false));
        assert!(!repeats_challenge(b"abc\n", "abc", false));
        assert!(repeats_challenge(b"\r\n abc\n", "abc", true));
        assert!(!repeats_challenge(b"", "abc", true));
        assert!(!repeats_challenge(b"abcd", "abc", true));
    }
}
