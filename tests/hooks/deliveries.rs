//! Requests of every kind that a hook can ask for. In: a kind. Out: what arrives, when the hub's own sender sends it, at a
//! receiver on loopback.

use std::sync::Arc;
use std::time::SystemTime;

use fanfare::dialect::{self, Occasion};
use fanfare::domain::attempt;
use fanfare::domain::event::{Event, EventName, EventPattern};
use fanfare::domain::hook::{ContentType, Hook, HookId, OldSecret, Receiver, Signing};
use fanfare::domain::json::Json;
use fanfare::domain::source::{Dialect, Source, SourceName};
use fanfare::domain::value::{CallbackUrl, PublicationId, Secret, Timestamp};
use fanfare::net::dial::Dialer;
use fanfare::net::guard::Guard;
use fanfare::net::resolve::Resolver;
use fanfare::net::sender::{Sender, SenderLimits};
use fanfare::net::tls::Tls;
use hyper::Method;
use hyper::header::HeaderValue;

use crate::foreign::Verifier;
use crate::support::{PATIENCE, Reply, Request, Server};

/// What hooks sign with.
pub const SECRET: &str = "5fa8d1c02be34a5f9b6cd7e0f1a2b3c4d5e6f708";
/// What they signed with before, where it was replaced.
pub const OLD_SECRET: &str = "the secret before";
/// The private key of `v1a` signatures.
pub const SIGNING_KEY: [u8; 32] = [7; 32];
/// The id of every event here.
pub const EVENT_ID: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

/// A kind of delivery.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    pub dialect: Dialect,
    pub brand: &'static str,
    pub content_type: ContentType,
    pub signing: Signing,
    /// Whether the secret was replaced a moment ago, and the old one still signs.
    pub is_rotated: bool,
    pub secret: Option<&'static str>,
    pub signing_key: Option<[u8; 32]>,
}

impl Kind {
    /// The plainest of a dialect.
    pub fn of(dialect: Dialect) -> Self {
        Self {
            dialect,
            brand: "SocialGateway",
            content_type: ContentType::Json,
            signing: Signing::Dialect,
            is_rotated: false,
            secret: Some(SECRET),
            signing_key: None,
        }
    }

    /// SocialGateway under the name of GitHub.
    pub fn github() -> Self {
        Self {
            brand: "GitHub",
            ..Self::of(Dialect::SocialGateway)
        }
    }

    /// This one with every content type and every way to sign, in the midst of a rotation and not.
    pub fn variants(self) -> Vec<Self> {
        let mut variants = Vec::new();
        for content_type in [ContentType::Json, ContentType::Form] {
            for signing in [Signing::Dialect, Signing::Both, Signing::Standard] {
                for is_rotated in [false, true] {
                    variants.push(Self {
                        content_type,
                        signing,
                        is_rotated,
                        ..self
                    });
                }
            }
        }
        variants
    }

    /// The libraries that can judge it.
    pub fn verifiers(self) -> Vec<Verifier> {
        const SHA1: Verifier = Verifier::XHubSignature("sha1", "X-Hub-Signature");
        const SHA256: Verifier = Verifier::XHubSignature("sha256", "X-Hub-Signature");
        const SHA256_BESIDE: Verifier = Verifier::XHubSignature("sha256", "X-Hub-Signature-256");
        let own = match (self.dialect, self.brand) {
            _ if self.signing == Signing::Standard => vec![],
            (Dialect::Mastodon | Dialect::Pleroma, _) => vec![SHA256],
            (Dialect::Muut, _) => vec![Verifier::Muut],
            (Dialect::SocialGateway, "GitHub") => {
                vec![Verifier::Octokit, Verifier::Gidgethub, SHA1, SHA256_BESIDE]
            }
            (Dialect::SocialGateway | Dialect::Websub, _) => {
                vec![Verifier::Octokit, SHA1, SHA256_BESIDE]
            }
        };
        let standard = match self.signing {
            Signing::Dialect => vec![],
            Signing::Both | Signing::Standard => {
                vec![Verifier::StandardNpm, Verifier::StandardPypi]
            }
        };
        [own, standard].concat()
    }

    /// The event that is sent: its name, and its payload, with what is hard to write in a form.
    pub fn event(self) -> (&'static str, &'static str) {
        match self.dialect {
            Dialect::Muut => (
                "like",
                r#"["like","/goma/gö & =:%+ 💬",{"displayname":"J","img":null,"path":"@j"}]"#,
            ),
            Dialect::Mastodon | Dialect::Pleroma => (
                "report.created",
                r#"{"id":"1","comment":"Größe & =%+ \"💬\"\n"}"#,
            ),
            Dialect::SocialGateway | Dialect::Websub => (
                "push",
                r#"{"ref":"refs/heads/main","message":"Größe & =%+ \"💬\"\n"}"#,
            ),
        }
    }

    /// Sends one, and waits until it has arrived.
    pub async fn arrives(self) -> Request {
        let receiver = Server::start_on([127, 0, 0, 1].into(), |_| Reply::status(204)).await;
        let url = CallbackUrl::parse(&receiver.url("/hook?x=1")).expect("a URL");
        let request = self.request(url.clone());
        let exchange = sender()
            .send(&Method::POST, &url, request.headers, request.body, PATIENCE)
            .await;
        assert_eq!(exchange.outcome.verdict(), attempt::Verdict::Delivered);
        receiver.log().matching(|_| true).remove(0)
    }

    fn request(self, url: CallbackUrl) -> dialect::Request {
        let now = now();
        let (name, payload) = self.event();
        let source = source(self.dialect);
        let hook = self.hook(&source, url, now);
        let event = Event {
            name: EventName::parse(name).expect("a name"),
            created_at: now,
            payload: Json::parse(payload.as_bytes()).expect("JSON"),
        };
        let user_agent = HeaderValue::from_static("Fanfare/0.1 (+http://hub.example/)");
        let occasion = Occasion {
            event: &event,
            id: PublicationId::parse(EVENT_ID).expect("an id"),
            source: &source.name,
            public_url: "http://hub.example/",
            brand: self.brand,
            user_agent: &user_agent,
        };
        let body = dialect::body(hook.dialect, &event, hook.type_key);
        let body = dialect::encode(&body, self.content_type);
        dialect::request(&occasion, &hook, body, now)
    }

    fn hook(self, source: &Source, url: CallbackUrl, now: Timestamp) -> Hook {
        let old_secret = self.is_rotated.then(|| OldSecret {
            secret: Secret::parse(OLD_SECRET).expect("a secret"),
            until: Timestamp(now.0 + 60_000),
        });
        let receiver = Receiver::Web {
            url: url.clone(),
            content_type: self.content_type,
        };
        let secret = self
            .secret
            .map(|text| Secret::parse(text).expect("a secret"));
        Hook {
            id: HookId(7),
            dialect: self.dialect,
            secret,
            old_secret,
            signing: self.signing,
            signing_key: self.signing_key,
            ..Hook::plain(source, vec![EventPattern::All], receiver, url)
        }
    }
}

fn source(dialect: Dialect) -> Source {
    Source {
        name: SourceName::parse("octocat/hello-world").expect("a name"),
        dialect,
        events: Vec::new(),
        private: false,
        inbound_secret: None,
        created_at: Timestamp(0),
    }
}

/// The real time: libraries refuse what is older than five minutes.
fn now() -> Timestamp {
    let since = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .expect("after 1970");
    Timestamp(
        since
            .as_millis()
            .try_into()
            .expect("before the year 584 million"),
    )
}

fn sender() -> Sender {
    let guard = Guard::callbacks(vec!["127.0.0.0/8".parse().expect("a network")]);
    let resolver = Arc::new(Resolver::new(Arc::new(guard)));
    let tls = Tls::new(None).expect("authorities");
    Sender::new(
        Dialer::new(resolver, PATIENCE),
        tls,
        SenderLimits::default(),
    )
}
