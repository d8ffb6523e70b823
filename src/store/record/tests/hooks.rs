//! What format 2 added: the webhooks; and what format 3 did: when they were disabled, and what they reject.

use bytes::Bytes;

use super::Row;
use crate::domain::delivery::RequestBody;
use crate::domain::hook::{ContentType, HookHealth};
use crate::domain::replay::{Progress, Replay};
use crate::domain::source::{Dialect, Source};
use crate::domain::token::{Role, Token};
use crate::domain::value::Timestamp;
use crate::store::Waiting;
use crate::store::contract::hooks::samples::*;
use crate::store::contract::samples::{id, rejected, topic_url, waiting};
use crate::store::hooks::HookRow;
use crate::store::journal::Journaled;
use crate::store::key::Key;

pub(super) fn samples() -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    let mut row = |name: &str, key, sample| rows.push((name.to_owned(), key, sample));

    for (name, publication, body) in [
        ("publication-long", event(1, 0, "push", 70_000), None),
        (
            "publication-short",
            event(1, 0, "push", 2),
            Some(Bytes::from_static(b"{}")),
        ),
    ] {
        let key = Key::Publication(publication.id);
        row(name, key, Box::new(Journaled { publication, body }));
    }
    let pushed = event_name("push");
    row(
        "event",
        Key::Event(source_name(0).id(), id(1)),
        Box::new(pushed),
    );
    row(
        "latest",
        Key::LatestEvent(topic_url(0).id()),
        Box::new(id(1)),
    );

    for (n, dialect) in (0..).zip(Dialect::ALL) {
        let source = Source {
            dialect,
            ..source(n % 2)
        };
        let key = Key::Source(source.name.key());
        row(&format!("source-{}", dialect.name()), key, Box::new(source));
    }
    for hook in [hook(1, 0), full_hook(2), service_hook(3)] {
        let topics = vec![topic_url(0).id(), topic_url(1).id()];
        let name = format!("hook-{}", hook.id);
        let key = Key::Hook(hook.id);
        row(&name, key, Box::new(HookRow { hook, topics }));
    }
    row("next-hook", Key::NextHook, Box::new(4_u64));
    let health = [
        HookHealth::default(),
        HookHealth {
            failing_since: Some(Timestamp(1_790_000_000_000)),
            last_response: Some(last_response()),
        },
    ];
    for (n, health) in health.into_iter().enumerate() {
        row(
            &format!("health-{n}"),
            Key::Health(hook_id(1)),
            Box::new(health),
        );
    }
    let mut undated = delivery(1, 5);
    undated.request.body = RequestBody::Undated {
        content_type: ContentType::Json,
    };
    for delivery in [undated, own_delivery(1, 6)] {
        let name = format!("delivery-{:?}", delivery.id);
        let key = Key::Delivery(delivery.hook, delivery.id);
        row(&name, key, Box::new(delivery));
    }
    let remembered = remembered(1, 1, 1_790_000_000_000);
    let key = Key::Remembered(remembered.key);
    row("remembered", key, Box::new(remembered));
    for (name, progress) in [
        ("running", Progress::Running),
        ("finished", Progress::Finished(Timestamp(8))),
        (
            "stopped",
            Progress::Stopped {
                at: Timestamp(8),
                reason: "it was deleted".to_owned(),
            },
        ),
    ] {
        let replay = Replay {
            cursor: Some(id(1)),
            progress,
            ..replay(1)
        };
        row(
            &format!("replay-{name}"),
            Key::Replay(replay.id),
            Box::new(replay),
        );
    }
    let key = Key::Token(token(1).digest);
    row("token-unbounded", key, Box::new(token(1)));
    for role in Role::ALL {
        let token = Token {
            role,
            ..bounded_token(2)
        };
        let key = Key::Token(token.digest);
        row(&format!("token-{}", role.name()), key, Box::new(token));
    }
    // Since the dialect of its body is kept with it.
    for delivery in [delivery(1, 5), own_delivery(1, 6)] {
        let name = format!("dialect-delivery-{:?}", delivery.id);
        let key = Key::Delivery(delivery.hook, delivery.id);
        row(&name, key, Box::new(delivery));
    }
    rows
}

/// What format 3 added.
pub(super) fn patience() -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    let mut row = |name: &str, key, sample| rows.push((name.to_owned(), key, sample));
    for (name, hook) in [
        ("plain-hook", hook(1, 0)),
        ("idle-hook", full_hook(2)),
        ("service-hook", service_hook(3)),
    ] {
        let topics = vec![topic_url(0).id(), topic_url(1).id()];
        let key = Key::Hook(hook.id);
        row(name, key, Box::new(HookRow { hook, topics }));
    }
    let alone = Waiting {
        rejected: Some(rejected(1_790_000_000_000)),
        ..waiting(1, 70_000)
    };
    for (name, entry) in [
        ("waiting-in-line", waiting(1, 70_000)),
        ("waiting-alone", alone),
    ] {
        let key = Key::Waiting(hook_id(1).target(), id(1));
        row(name, key, Box::new(entry));
    }
    rows
}
