//! Records of the webhooks, small numbers in.

use std::collections::BTreeMap;

use uuid::Uuid;

use crate::domain::delivery::{Delivery, DeliveryId, Request, RequestBody, Writing};
use crate::domain::event::{EventName, EventPattern};
use crate::domain::hook::{ContentType, Hook, HookId, LastResponse, OldSecret, Receiver, Signing};
use crate::domain::publication::{EventMark, Publication};
use crate::domain::replay::{Progress, Replay, Selection};
use crate::domain::source::{Dialect, Source, SourceName};
use crate::domain::token::{Role, SourcePattern, Token, digest};
use crate::domain::value::{CallbackUrl, Secret, Timestamp};
use crate::store::contract::samples::{attempt, callback, id, publication};
use crate::store::hooks::Remembered;

pub fn hook_id(n: u8) -> HookId {
    HookId(u64::from(n))
}

pub fn source_name(n: u8) -> SourceName {
    SourceName::parse(["octocat/Hello", "social"][usize::from(n)]).expect("a name")
}

pub fn event_name(text: &str) -> EventName {
    EventName::parse(text).expect("a name")
}

pub fn pattern(text: &str) -> EventPattern {
    EventPattern::parse(text).expect("a pattern")
}

pub fn source(n: u8) -> Source {
    Source {
        name: source_name(n),
        dialect: Dialect::ALL[4 - usize::from(n)],
        events: vec![event_name("deployed")],
        private: n == 0,
        inbound_secret: (n == 0).then(|| Secret::parse("inbound").expect("a secret")),
        created_at: Timestamp(1_790_000_000_000),
    }
}

/// An event of a source, on the topic of the same number.
pub fn event(n: u8, of: u8, name: &str, size: usize) -> Publication {
    Publication {
        event: Some(EventMark {
            source: source_name(of),
            name: event_name(name),
            dialect: Dialect::ALL[usize::from(n) % Dialect::ALL.len()],
            created_at: Timestamp(6),
        }),
        ..publication(n, size)
    }
}

/// A hook that asks for everything and needs nothing.
pub fn hook(n: u8, of: u8) -> Hook {
    let receiver = Receiver::Web {
        url: callback(n),
        content_type: ContentType::Form,
    };
    let events = vec![EventPattern::All];
    Hook {
        id: hook_id(n),
        dialect: Dialect::Websub,
        active_since: Timestamp(5),
        created_at: Timestamp(4),
        updated_at: Timestamp(5),
        ..Hook::plain(&source(of), events, receiver, callback(n))
    }
}

/// A hook that has everything that a hook can have.
pub fn full_hook(n: u8) -> Hook {
    let secret = |text| Secret::parse(text).expect("a secret");
    Hook {
        events: vec![pattern("account.*"), pattern("push")],
        dialect: Dialect::Mastodon,
        secret: Some(secret("new")),
        old_secret: Some(OldSecret {
            secret: secret("old"),
            until: Timestamp(99),
        }),
        signing: Signing::Both,
        signing_key: Some([7; 32]),
        active: false,
        inactive_since: Some(Timestamp(5)),
        disabled_because: Some("it failed for days".to_owned()),
        template: Some("{\"text\":\"{{object.id}}\"}".to_owned()),
        type_key: true,
        verify_tls: false,
        rate: Some(5),
        ordered: true,
        filter: Some("object.id == 1".to_owned()),
        headers: BTreeMap::from([("x-own".to_owned(), "1".to_owned())]),
        ..hook(n, 1)
    }
}

/// A hook that speaks in a chat.
pub fn service_hook(n: u8) -> Hook {
    let room = BTreeMap::from([("room".to_owned(), "#rust".to_owned())]);
    let endpoint = CallbackUrl::irc("irc.example.org", 6697, true, "#rust");
    Hook {
        receiver: Receiver::Service {
            name: "irc".to_owned(),
            config: room,
        },
        endpoint: endpoint.expect("a channel"),
        signing: Signing::Standard,
        ..hook(n, 0)
    }
}

pub fn last_response() -> LastResponse {
    LastResponse {
        status: Some(503),
        message: "Service Unavailable".to_owned(),
    }
}

pub fn delivery_id(n: u8) -> DeliveryId {
    DeliveryId::new(Timestamp(u64::from(n)), 0)
}

pub fn delivery(hook: u8, n: u8) -> Delivery {
    Delivery {
        id: delivery_id(n),
        hook: hook_id(hook),
        publication: id(n),
        event: event_name("push"),
        attempt: attempt(u64::from(n)),
        redelivery: false,
        request: Request {
            method: "POST".to_owned(),
            url: callback(hook).to_string(),
            headers: vec![("x-hub-signature".to_owned(), "sha1=00".to_owned())],
            body: RequestBody::Default(Writing {
                dialect: Dialect::Pleroma,
                type_key: true,
                content_type: ContentType::Json,
            }),
        },
        response_headers: vec![("server".to_owned(), "none".to_owned())],
    }
}

/// A delivery whose request has a body of its own.
pub fn own_delivery(hook: u8, n: u8) -> Delivery {
    let delivery = delivery(hook, n);
    Delivery {
        redelivery: true,
        request: Request {
            body: RequestBody::Own,
            ..delivery.request
        },
        ..delivery
    }
}

pub fn remembered(key: u8, n: u8, at: u64) -> Remembered {
    Remembered {
        key: [key; 32],
        request: [n; 32],
        publication: id(n),
        at: Timestamp(at),
    }
}

pub fn replay(n: u8) -> Replay {
    Replay {
        id: Uuid::from_bytes([n; 16]),
        hook: HookId(1),
        selection: Selection::Failed,
        since: Timestamp(1),
        begun_at: Timestamp(2),
        cursor: None,
        seen: 3,
        delivered: 2,
        failed: 1,
        progress: Progress::Running,
    }
}

pub fn token(n: u8) -> Token {
    Token {
        id: Uuid::from_bytes([n; 16]),
        name: format!("number {n}"),
        digest: digest(&n.to_string()),
        role: Role::Admin,
        sources: vec![SourcePattern::All],
        events: Vec::new(),
        created_at: Timestamp(3),
        expires_at: None,
    }
}

/// A token that may little, and not for ever.
pub fn bounded_token(n: u8) -> Token {
    Token {
        role: Role::Publisher,
        sources: vec![
            SourcePattern::Below("octocat".to_owned()),
            SourcePattern::One(source_name(1)),
        ],
        events: vec![pattern("account.*"), pattern("push")],
        expires_at: Some(Timestamp(1_790_000_000_000)),
        ..token(n)
    }
}
