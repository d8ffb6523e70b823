//! The desk on a real store: what is made, edited and ended, and what is refused.

use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;

use super::*;
use crate::domain::event::EventName;
use crate::domain::hook::ContentType;
use crate::domain::receipt::MissingState;
use crate::domain::source::OWN_SOURCE;
use crate::domain::value::CallbackUrl;
use crate::flow::round::{wait, waiting};
use crate::flow::tests::{event, fanout, hook_on, hub};
use crate::store::memory::MemoryStore;
use crate::store::{BacklogLimits, SharedStore};

async fn declared(hub: &Hub, name: &str, dialect: Dialect) -> Source {
    let source = Source {
        name: SourceName::parse(name).expect("a name"),
        dialect,
        events: vec![EventName::parse("domain.blocked").expect("a name")],
        private: false,
        inbound_secret: None,
        created_at: Timestamp(1),
    };
    hub.store
        .commit(vec![HookChange::PutSource(source.clone()).into()])
        .await
        .expect("stored");
    source
}

fn wish(source: &Source, url: &str, events: &[&str]) -> Hook {
    let pattern = |text: &&str| EventPattern::parse(text).expect("a pattern");
    let receiver = Receiver::Web {
        url: CallbackUrl::parse(url).expect("a URL"),
        content_type: ContentType::Json,
    };
    draft(source, events.iter().map(pattern).collect(), receiver).expect("a draft")
}

async fn make(hub: &Hub, wish: Hook) -> Result<Created, HookError> {
    hub.create_hook(wish, |_| Ok(())).await
}

#[tokio::test]
async fn a_hook_gets_a_number_a_secret_and_its_normal_events() {
    let folder = TempDir::new().expect("a folder");
    let hub = hub(&folder);
    let source = declared(&hub, "social", Dialect::Mastodon).await;
    let wish = wish(
        &source,
        "https://r.example/a",
        &["account.*", "account.created"],
    );
    let Created { hook, is_new } = make(&hub, wish).await.expect("made");
    assert!(is_new);
    assert_eq!(hook.id, HookId(1));
    assert_eq!(hook.events, [EventPattern::Group("account".into())]);
    let secret = hook.secret.clone().expect("made");
    assert_eq!(secret.expose().len(), 40);
    let topic = source.name.pattern_topic(&hub.url, &hook.events[0]);
    let targets = hub.store.targets(topic.id(), None, 10).await.expect("read");
    assert_eq!(targets.len(), 1, "it stands in the index");

    let rotated = hub.rotate_secret(hook.id, None).await.expect("rotated");
    let old = rotated.old_secret.clone().expect("honoured");
    assert_eq!(old.secret, secret);
    assert_ne!(rotated.secret, Some(secret));
    let replaced = hub
        .edit_hook(hook.id, |hook| {
            hook.secret = Secret::parse("twelve bytes").ok();
            Ok::<_, HookError>(())
        })
        .await
        .expect("edited");
    assert_eq!(replaced.old_secret, None, "replaced at once");
}

#[tokio::test]
async fn nothing_is_stored_of_what_is_refused() {
    let folder = TempDir::new().expect("a folder");
    let hub = hub(&folder);
    let source = declared(&hub, "social", Dialect::Mastodon).await;
    let fine = wish(&source, "https://r.example/a", &["*"]);
    type Mistake = (&'static str, fn(&mut Hook));
    let edits: [Mistake; 9] = [
        ("source", |hook| {
            hook.source = SourceName::parse("nobody").expect("a name");
        }),
        ("events", |hook| hook.events.clear()),
        ("events", |hook| {
            hook.events = vec![EventPattern::parse("acount.created").expect("a pattern")];
        }),
        ("url", |hook| {
            hook.receiver = Receiver::Web {
                url: CallbackUrl::parse("http://10.0.0.1/").expect("a URL"),
                content_type: ContentType::Json,
            };
        }),
        ("template", |hook| hook.template = Some("a\n{{ b }}".into())),
        ("filter", |hook| hook.filter = Some("object".into())),
        ("headers", |hook| {
            hook.headers.insert("Host".into(), "x".into());
        }),
        ("rate", |hook| hook.rate = Some(0)),
        ("secret", |hook| hook.secret = Secret::parse("short").ok()),
    ];
    for (field, edit) in edits {
        let mut wrong = fine.clone();
        edit(&mut wrong);
        let error = make(&hub, wrong).await.expect_err(field);
        assert_eq!(error.field(), Some(field), "{error}");
        assert!(hub.store.hooks(None, 10).await.expect("read").is_empty());
    }
    let mut wrong = fine.clone();
    wrong.template = Some("a\n{{ b }}".into());
    let error = make(&hub, wrong).await.expect_err("a template");
    assert_eq!(error.position(), Some((2, 3)), "{error}");

    let made = make(&hub, fine.clone()).await.expect("made").hook;
    let again = wish(&source, "https://r.example/a", &["domain.blocked"]);
    let error = make(&hub, again).await.expect_err("a URL twice");
    assert!(error.to_string().contains("hook 1"), "{error}");
    let result = hub
        .edit_hook(made.id, |hook| {
            hook.filter = Some("(".into());
            Ok::<_, HookError>(())
        })
        .await;
    assert!(result.is_err());
    assert_eq!(hub.store.hook(made.id).await.expect("read"), Some(made));
}

#[tokio::test]
async fn who_is_enabled_gets_events_from_then_on_and_who_grows_loses_none() {
    let folder = TempDir::new().expect("a folder");
    let hub = hub(&folder);
    let source = declared(&hub, "social", Dialect::Websub).await;
    let wish = wish(&source, "https://r.example/a", &["domain.blocked"]);
    let hook = make(&hub, wish).await.expect("made").hook;
    let grow = |hook: &mut Hook| {
        hook.events = vec![EventPattern::All];
        hook.active_since = Timestamp(9);
        hook.source = SourceName::parse("elsewhere").expect("a name");
        Ok::<_, HookError>(())
    };
    let grown = hub.edit_hook(hook.id, grow).await.expect("edited");
    assert_eq!(
        (grown.active_since, &grown.source),
        (hook.active_since, &hook.source)
    );
    hub.switch_off(hook.id, "it failed")
        .await
        .expect("disabled");
    let disabled = hub.hook_of(hook.id).await.expect("it is there");
    let off = disabled.inactive_since.expect("it is disabled");
    assert!(disabled.receives(hook.active_since), "it is still for it");
    assert!(!disabled.receives(off.plus(Duration::from_millis(1))));
    assert_eq!(disabled.disabled_because.as_deref(), Some("it failed"));
    let enabled = hub.enable_hook(hook.id).await.expect("enabled");
    assert!(enabled.active && enabled.active_since >= disabled.updated_at);
    assert_eq!(enabled.disabled_because, None);
    assert!(enabled.receives(hook.active_since) && enabled.receives(enabled.active_since));
    hub.delete_hook(hook.id).await.expect("deleted");
    let error = hub.enable_hook(hook.id).await.expect_err("gone");
    assert!(matches!(error, HookError::NoHook(_)));
}

#[tokio::test]
async fn who_is_disabled_by_the_hub_is_disabled_and_told_of_in_one_commit() {
    let folder = TempDir::new().expect("a folder");
    let mut hub = hub(&folder);
    let store = Arc::new(MemoryStore::new(BacklogLimits {
        entries: 1,
        bytes: 1,
        events: 1,
    }));
    Arc::get_mut(&mut hub).expect("it does not run").store = Arc::clone(&store) as SharedStore;
    hub.declare_own_source().await.expect("declared");
    let own = SourceName::parse(OWN_SOURCE).expect("a name");
    let source = declared(&hub, "social", Dialect::Websub).await;
    let wish = wish(&source, "https://r.example/a", &["*"]);
    let id = make(&hub, wish).await.expect("made").hook.id;
    let notices = async || {
        let events = hub.store.events_before(&own, None, 9).await;
        events.expect("a page").len()
    };
    store.fail_next_commits(1);
    hub.switch_off(id, "it failed").await.expect_err("told so");
    assert!(hub.hook_of(id).await.expect("a hook").active);
    assert_eq!(notices().await, 0);
    let before = store.commits();
    hub.switch_off(id, "it failed").await.expect("disabled");
    assert_eq!((store.commits() - before, notices().await), (1, 1));
    hub.switch_off(id, "once more").await.expect("it is off");
    let off = hub.hook_of(id).await.expect("a hook");
    assert_eq!(off.disabled_because.as_deref(), Some("it failed"));
    assert_eq!((store.commits() - before, notices().await), (1, 1));
    hub.enable_hook(id).await.expect("enabled");
    assert_eq!((store.commits() - before, notices().await), (2, 2));
}

#[tokio::test]
async fn a_source_has_a_service_once() {
    let folder = TempDir::new().expect("a folder");
    let hub = hub(&folder);
    let source = declared(&hub, "octocat/hello-world", Dialect::SocialGateway).await;
    let wish = |room: &str| {
        let config = [("subdomain", "acme"), ("room", room), ("token", "t")];
        let config = config.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let receiver = Receiver::Service {
            name: "campfire".into(),
            config: config.into(),
        };
        draft(&source, vec![EventPattern::All], receiver).expect("a draft")
    };
    let first = make(&hub, wish("one")).await.expect("made");
    let second = make(&hub, wish("two")).await.expect("edited");
    assert!(first.is_new && !second.is_new);
    assert_eq!(first.hook.id, second.hook.id);
    assert_ne!(first.hook.receiver, second.hook.receiver);
    assert_eq!(second.hook.secret, None, "chats check no signature");
}

#[tokio::test]
async fn a_preview_is_what_would_be_sent() {
    let folder = TempDir::new().expect("a folder");
    let hub = hub(&folder);
    let source = declared(&hub, "forum", Dialect::Muut).await;
    let wish = wish(&source, "https://r.example/a", &["like"]);
    let preview = hub.preview_hook(wish, None).await.expect("previewed");
    assert!(preview.is_example && preview.passes);
    assert!(
        preview.request.body.starts_with(r#"["like","#),
        "{preview:?}"
    );
    assert!(hub.store.hooks(None, 1).await.expect("read").is_empty());
}

#[tokio::test]
async fn what_waits_for_a_hook_that_is_deleted_is_gone_however_much_it_is() {
    const EVENTS: usize = 900;
    let folder = TempDir::new().expect("a folder");
    let hub = hub(&folder);
    let hook = hook_on(&hub, "https://r.example/").await;
    let target = hook.id.target();
    let (mut events, mut waits) = (Vec::new(), Vec::new());
    for _ in 0..EVENTS {
        let event = event(&hub, fanout(&hub, 1).await.publication);
        let entry = waiting(&event);
        let now = hub.clock.now();
        waits.push(wait(target, &hook.endpoint, entry, now, None));
        events.push(event.id);
    }
    hub.store.commit(waits).await.expect("a commit");
    hub.delete_hook(hook.id).await.expect("deleted");
    for id in events {
        let receipt = hub.store.receipt(id).await.expect("a read");
        let tally = receipt.expect("a receipt").tally;
        assert_eq!((tally.backlog, tally.given_up, tally.gone), (0, 0, 1));
        let missing = hub.store.missing(id, None, 9).await.expect("a page");
        assert_eq!(missing[0].state, MissingState::Gone);
    }
    hub.store.close().await.expect("closed");
}
