//! The checks of a hook, on values alone: each mistake is found, and nothing makes them panic.

use proptest::prelude::*;

use super::*;
use crate::domain::hook::{ContentType, HookId};
use crate::domain::source::SourceName;
use crate::domain::value::Timestamp;
use crate::flow::hooks::draft;

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

fn web(url: &str, content_type: ContentType) -> Receiver {
    Receiver::Web {
        url: CallbackUrl::parse(url).expect("a URL"),
        content_type,
    }
}

fn hook(id: u64, dialect: Dialect, receiver: Receiver, events: &[&str]) -> Hook {
    let patterns = events
        .iter()
        .map(|text| EventPattern::parse(text).expect("a pattern"));
    let hook = draft(&source(dialect), patterns.collect(), receiver).expect("a draft");
    Hook {
        id: HookId(id),
        ..hook
    }
}

fn checked(hook: Hook, dialect: Dialect, denied: &[HostPattern]) -> Result<Hook, HookError> {
    let reachable = Reachable {
        guard: &Guard::callbacks(Vec::new()),
        denied,
    };
    check(hook, &source(dialect), &reachable)
}

#[test]
fn a_second_hook_with_the_same_config_needs_other_events() {
    use ContentType::{Form, Json};
    use Dialect::{Pleroma, SocialGateway};
    let url = "https://r.example/";
    let push = |content_type| hook(1, SocialGateway, web(url, content_type), &["push"]);
    for (other, stands) in [
        (hook(2, SocialGateway, web(url, Json), &["push"]), false),
        (hook(2, SocialGateway, web(url, Json), &["*"]), false),
        (hook(2, SocialGateway, web(url, Json), &["fork"]), true),
        (hook(2, SocialGateway, web(url, Form), &["push"]), true),
        (hook(1, SocialGateway, web(url, Json), &["push"]), true),
        (
            hook(2, SocialGateway, web("https://s.example/", Json), &["push"]),
            true,
        ),
    ] {
        let result = check_beside(&other, &[push(Json)]);
        assert_eq!(result.is_ok(), stands, "{other:?}");
    }
    let one = hook(1, Pleroma, web(url, Json), &["report.created"]);
    let two = hook(2, Pleroma, web(url, Form), &["account.created"]);
    let error = check_beside(&two, &[one]).expect_err("a URL twice");
    assert!(error.to_string().contains(url), "{error}");
}

#[test]
fn hosts_that_are_denied_are_not_called_by_hooks_either() {
    let denied = HostPattern::try_from("r.example".to_owned()).expect("a pattern");
    let hook = hook(
        1,
        Dialect::SocialGateway,
        web("https://r.example:8443/", ContentType::Json),
        &["push"],
    );
    assert!(checked(hook.clone(), Dialect::SocialGateway, &[]).is_ok());
    let error = checked(hook, Dialect::SocialGateway, &[denied]).expect_err("denied");
    assert_eq!(error.field(), Some("url"));
}

#[test]
fn a_channel_on_a_private_address_is_refused_as_a_url_is() {
    let config = [("server", "10.0.0.1"), ("room", "#x")];
    let config = config.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let receiver = Receiver::Service {
        name: "irc".into(),
        config: config.into(),
    };
    let hook = hook(1, Dialect::SocialGateway, receiver, &["*"]);
    assert_eq!(hook.endpoint.as_str(), "irc://10.0.0.1:6667/%23x");
    let error = checked(hook, Dialect::SocialGateway, &[]).expect_err("private");
    assert!(matches!(error, HookError::Refused(_)), "{error}");
}

proptest! {
    #[test]
    fn what_is_kept_fits_into_a_row_and_is_the_same_when_checked_again(
        template in proptest::option::of("[a-z{}.]{0,20}"),
        filter in proptest::option::of("\\$[.a-z\\[\\]]{0,10}"),
        events in proptest::collection::vec("(push|fork|p\\*|\\*|issues)", 0..5),
        long in 0..40_000_usize,
    ) {
        let patterns = events.iter().filter_map(|text| EventPattern::parse(text).ok());
        let url = format!("https://r.example/{}", "x".repeat(long));
        let mut hook = hook(1, Dialect::SocialGateway, web(&url, ContentType::Json), &[]);
        hook.events = patterns.collect();
        (hook.template, hook.filter) = (template, filter);
        if let Ok(kept) = checked(hook, Dialect::SocialGateway, &[]) {
            prop_assert!(texts(&kept) <= TEXTS_MAX_BYTES && !kept.events.is_empty());
            let again = checked(kept.clone(), Dialect::SocialGateway, &[]);
            prop_assert_eq!(again.expect("right"), kept);
        }
    }
}
