//! Hub requests read from forms, on examples and on arbitrary input.

use proptest::prelude::*;

use super::*;

const TOPIC: &str = "https://publisher.example/feed";
const CALLBACK: &str = "http://subscriber.example/cb?user=7";

fn fields(pairs: &[(&str, &str)]) -> Fields {
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

fn read(pairs: &[(&str, &str)]) -> Result<HubRequest, Problem> {
    super::read(&fields(pairs), None, &LimitSettings::default())
}

/// A subscription request with some fields more.
fn subscription(mode: &str, more: &[(&str, &str)]) -> Result<Request, Problem> {
    let mut pairs = vec![
        ("hub.mode", mode),
        ("hub.topic", TOPIC),
        ("hub.callback", CALLBACK),
    ];
    pairs.extend(more);
    match read(&pairs)? {
        HubRequest::Subscription(request) => Ok(request),
        HubRequest::Ping(_) => panic!("not a ping"),
    }
}

fn ping(pairs: &[(&str, &str)]) -> Result<Vec<Named>, Problem> {
    let mut all = vec![("hub.mode", "publish")];
    all.extend(pairs);
    match read(&all)? {
        HubRequest::Ping(named) => Ok(named),
        HubRequest::Subscription(_) => panic!("not a subscription"),
    }
}

fn topic(url: &str) -> TopicUrl {
    TopicUrl::parse(url).unwrap()
}

#[track_caller]
fn refuses<T: std::fmt::Debug>(result: Result<T, Problem>, words: &[&str]) {
    let problem = result.expect_err("a refusal");
    assert_eq!(problem.status(), 400);
    for word in words {
        assert!(problem.to_string().contains(word), "{word}: {problem}");
    }
}

#[test]
fn q_20_no_mode_is_no_action() {
    refuses(
        read(&[]),
        &["hub.mode", "subscribe", "unsubscribe", "publish"],
    );
    refuses(read(&[("hub.mode", "")]), &["hub.mode is missing"]);
    refuses(read(&[("hub.mode", "Subscribe")]), &["\"Subscribe\""]);
    refuses(
        read(&[("mode", "subscribe"), ("topic", TOPIC)]),
        &["write hub.mode"],
    );
}

#[test]
fn hub_06_q_18_a_lease_is_a_number_or_left_to_the_hub() {
    let lease = |text| subscription("subscribe", &[("hub.lease_seconds", text)]);
    for (text, seconds) in [
        ("", None),
        ("0", Some(0)),
        (" 60 ", Some(60)),
        ("00060", Some(60)),
        ("99999999999999999999999999", Some(u64::MAX)),
    ] {
        assert_eq!(lease(text).unwrap().lease_seconds, seconds, "{text}");
    }
    for text in ["-60", "+60", "1.5", "1e3", "soon", "60s", "\u{0660}"] {
        refuses(lease(text), &["hub.lease_seconds", text]);
        let leaving = subscription("unsubscribe", &[("hub.lease_seconds", text)]);
        assert_eq!(leaving.unwrap().lease_seconds, None, "{text}");
    }
}

#[test]
fn hub_03_a_secret_is_counted_in_bytes_and_never_shown() {
    let secret = |text: &str| subscription("subscribe", &[("hub.secret", text)]);
    assert!(secret("").unwrap().secret.is_none());
    assert_eq!(
        secret("!@#$%^&*(-_=+)").unwrap().secret.unwrap().expose(),
        "!@#$%^&*(-_=+)"
    );
    assert!(secret(&"é".repeat(99)).is_ok());
    let long = "é".repeat(100);
    refuses(secret(&long), &["hub.secret", "200 bytes"]);
    assert!(!secret(&long).unwrap_err().to_string().contains('é'));
    assert!(
        subscription("unsubscribe", &[("hub.secret", &long)])
            .unwrap()
            .secret
            .is_none()
    );
}

#[test]
fn a_parameter_that_is_no_list_has_one_value() {
    let twice = |field, value| subscription("subscribe", &[(field, value), (field, "60")]);
    for (field, value) in [
        ("hub.mode", "unsubscribe"),
        ("hub.topic", "http://other.example/"),
        ("hub.callback", "http://other.example/"),
        ("hub.lease_seconds", "61"),
        ("hub.signature", "sha1"),
    ] {
        refuses(twice(field, value), &[field, "two different values", value]);
    }
    for field in ["hub.secret", "hub.verify_token"] {
        refuses(twice(field, "hush"), &[field, "two different values"]);
        assert!(
            !twice(field, "hush")
                .unwrap_err()
                .to_string()
                .contains("hush")
        );
    }
    assert_eq!(
        twice("hub.lease_seconds", "60").unwrap().lease_seconds,
        Some(60),
        "the same twice is no riddle"
    );
    let leaving = [("hub.secret", "one"), ("hub.secret", "two")];
    assert!(subscription("unsubscribe", &leaving).is_ok(), "HUB-06");
}

#[test]
fn a_signature_method_is_one_of_four() {
    let method = |text| subscription("subscribe", &[("hub.signature", text)]);
    assert_eq!(method("sha384").unwrap().method, Some(Method::Sha384));
    assert_eq!(method("").unwrap().method, None);
    refuses(
        method("md5"),
        &["hub.signature", "md5", "sha1, sha256, sha384, sha512"],
    );
}

#[test]
fn hub_70_q_02_the_first_keyword_that_is_understood_decides() {
    for (values, sync) in [
        (&[][..], false),
        (&["sync"], true),
        (&["async"], false),
        (&["sync", "async"], true),
        (&["async", "sync"], false),
        (&["carrier-pigeon", "", "sync", "async"], true),
        (&["async,sync"], false),
        (&["sync, async"], true),
        (&["Sync"], false),
    ] {
        let more: Vec<_> = values.iter().map(|value| ("hub.verify", *value)).collect();
        assert_eq!(
            subscription("subscribe", &more).unwrap().sync,
            sync,
            "{values:?}"
        );
    }
}

#[test]
fn q_06_an_empty_verify_token_is_none() {
    let token = |text| subscription("unsubscribe", &[("hub.verify_token", text)]).unwrap();
    assert_eq!(token("").verify_token, None);
    assert_eq!(token(" ").verify_token.as_deref(), Some(" "));
}

#[test]
fn hub_63_from_is_kept_up_to_its_limit() {
    let from = format!("{}é@example.org", "a".repeat(FROM_MAX_BYTES - 1));
    let pairs = [
        ("hub.mode", "subscribe"),
        ("hub.topic", TOPIC),
        ("hub.callback", CALLBACK),
    ];
    let read = super::read(&fields(&pairs), Some(&from), &LimitSettings::default()).unwrap();
    let HubRequest::Subscription(request) = read else {
        panic!("a subscription")
    };
    assert_eq!(request.from, Some("a".repeat(FROM_MAX_BYTES - 1)));
}

#[test]
fn hub_17_urls_are_absolute_http_and_not_too_long() {
    for field in ["hub.topic", "hub.callback"] {
        let with = |value: &str| {
            let mut pairs = vec![("hub.topic", TOPIC), ("hub.callback", CALLBACK)];
            pairs.retain(|(name, _)| *name != field);
            pairs.extend([("hub.mode", "subscribe"), (field, value)]);
            read(&pairs)
        };
        refuses(with(""), &[field, "missing"]);
        for value in [
            "/feed",
            "nonsense",
            "ftp://a.example/",
            "http://u:p@a.example/",
            "http://a b/",
        ] {
            refuses(with(value), &[field, value]);
        }
        let long = format!("http://a.example/{}", "x".repeat(5_000));
        refuses(with(&long), &[field, "5017 bytes", "4096"]);
        assert!(with(&long).unwrap_err().to_string().len() < 400);
    }
}

#[test]
fn q_24_q_26_a_ping_is_the_union_of_its_names_without_repeats() {
    let named = ping(&[
        ("hub.url", "http://a.example/"),
        ("hub.topic", "http://b.example/"),
        ("hub.url", "http://c.example/"),
        ("hub.topic", "http://a.example/"),
    ]);
    let urls = [
        "http://a.example/",
        "http://c.example/",
        "http://b.example/",
    ];
    assert_eq!(named.unwrap(), urls.map(|url| Named::Topic(topic(url))));
    refuses(ping(&[]), &["hub.url is missing"]);
    refuses(
        ping(&[("hub.url", TOPIC), ("hub.topic", "nonsense")]),
        &["hub.topic", "nonsense"],
    );
}

#[test]
fn q_25_a_list_stays_undecided_when_it_could_be_one_url() {
    let list = |urls: &[&str]| urls.iter().map(|url| topic(url)).collect::<Vec<_>>();
    let two = "http://a.example/,http://b.example/";
    for (value, expected) in [
        (
            two,
            Named::List {
                whole: Some(topic(two)),
                topics: list(&["http://a.example/", "http://b.example/"]),
            },
        ),
        (
            " http://a.example/ ; http://b.example/;",
            Named::List {
                whole: None,
                topics: list(&["http://a.example/", "http://b.example/"]),
            },
        ),
        (
            "http://a.example/?x=1,2;3",
            Named::Topic(topic("http://a.example/?x=1,2;3")),
        ),
        (
            "http://a.example/,",
            Named::Topic(topic("http://a.example/,")),
        ),
    ] {
        assert_eq!(ping(&[("hub.url", value)]).unwrap(), [expected], "{value}");
    }
    refuses(
        ping(&[("hub.url", "http://a.example/, nonsense")]),
        &["hub.url", "\"nonsense\""],
    );
}

#[test]
fn q_29_a_ping_names_as_many_topics_as_the_limit_allows() {
    let urls: Vec<String> = (0..201).map(|n| format!("http://a.example/{n}")).collect();
    let pairs: Vec<_> = urls.iter().map(|url| ("hub.url", url.as_str())).collect();
    assert_eq!(ping(&pairs[..200]).unwrap().len(), 200);
    refuses(ping(&pairs), &["more than 200 topics"]);
    refuses(
        ping(&[("hub.url", &urls.join(","))]),
        &["more than 200 topics"],
    );
}

proptest! {
    #[test]
    fn no_fields_panic(
        mode in "subscribe|unsubscribe|publish|\\PC{0,5}",
        values in prop::collection::vec(("hub\\.(url|topic|callback|secret|lease_seconds|verify|signature|verify_token)",
            "https?://[a-z]{1,3}/[,;a-z:/]{0,9}|\\PC{0,20}|[0-9+-]{0,30}"), 0..8),
        from in prop::option::of("\\PC{0,400}"),
    ) {
        let mut all = vec![("hub.mode".to_owned(), mode)];
        all.extend(values);
        let _ = super::read(&all.into_iter().collect(), from.as_deref(), &LimitSettings::default());
    }
}
