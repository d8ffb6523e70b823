//! What the values promise, shown on examples and on arbitrary input.

use proptest::prelude::*;

use super::*;

#[test]
fn a_topic_keeps_its_spelling_and_shares_its_id_with_other_spellings() {
    let plain = TopicUrl::parse("https://example.org/~jane/feed").expect("a topic");
    let encoded = TopicUrl::parse("HTTPS://EXAMPLE.org:443/%7Ejane/feed").expect("a topic");
    assert_eq!(encoded.as_str(), "HTTPS://EXAMPLE.org:443/%7Ejane/feed");
    assert_eq!(plain.id(), encoded.id());
    assert_ne!(
        plain.id(),
        TopicUrl::parse("https://example.org/~jane/feed/")
            .expect("a topic")
            .id()
    );
}

#[test]
fn reserved_characters_stay_encoded() {
    let slash = CallbackUrl::parse("https://example.org/a%2Fb").expect("a callback");
    let path = CallbackUrl::parse("https://example.org/a/b").expect("a callback");
    assert_ne!(slash.id(), path.id());
}

#[test]
fn a_callback_names_its_origin_and_host() {
    for (text, origin, host) in [
        (
            "https://Example.org/cb?x=1",
            "https://example.org",
            "example.org",
        ),
        (
            "http://example.org:8080?x",
            "http://example.org:8080",
            "example.org",
        ),
        ("http://[::1]:9/cb", "http://[::1]:9", "[::1]"),
        ("http://[::1]/cb", "http://[::1]", "[::1]"),
    ] {
        let callback = CallbackUrl::parse(text).expect("a callback");
        assert_eq!(
            (callback.origin(), callback.host()),
            (origin, host),
            "{text}"
        );
    }
}

#[test]
fn parameters_are_appended_behind_the_callbacks_own() {
    for (text, expected) in [
        ("http://a.example/cb", "http://a.example/cb?hub.mode=a+b"),
        ("http://a.example/cb?", "http://a.example/cb?hub.mode=a+b"),
        (
            "http://a.example/cb??",
            "http://a.example/cb??&hub.mode=a+b",
        ),
        (
            "http://a.example/cb?hub.mode=x&y",
            "http://a.example/cb?hub.mode=x&y&hub.mode=a+b",
        ),
    ] {
        let callback = CallbackUrl::parse(text).expect("a callback");
        assert_eq!(callback.with_query(&[("hub.mode", "a b")]), expected);
    }
}

#[test]
fn refusals_say_why() {
    assert!(matches!(
        TopicUrl::parse("feed.xml"),
        Err(UrlError::NotAbsolute(_))
    ));
    assert_eq!(
        TopicUrl::parse("ftp://a.example/"),
        Err(UrlError::Scheme("ftp".into()))
    );
    assert_eq!(
        CallbackUrl::parse("http://a:b@c.example/"),
        Err(UrlError::Credentials)
    );
    assert_eq!(
        CallbackUrl::parse("http://c.example/#x"),
        Err(UrlError::Fragment("x".into()))
    );
    assert!(TopicUrl::parse("http://c.example/#x").is_ok());
    assert_eq!(
        TopicUrl::parse("http://c.example/a b"),
        Err(UrlError::Blank)
    );
}

#[test]
fn a_secret_is_measured_in_bytes_and_never_shown() {
    assert!(Secret::parse(&"x".repeat(199)).is_ok());
    assert_eq!(Secret::parse(&"x".repeat(200)), Err(200));
    assert_eq!(Secret::parse(&"é".repeat(100)), Err(200));
    assert_eq!(Secret::parse(""), Err(0));
    assert_eq!(
        format!("{:?}", Secret::parse("hush").expect("a secret")),
        "Secret(********)"
    );
}

#[test]
fn time_is_written_in_utc_with_milliseconds() {
    assert_eq!(
        Timestamp(1_698_327_240_351).to_string(),
        "2023-10-26T13:34:00.351Z"
    );
}

proptest! {
    #[test]
    fn no_text_makes_a_parser_panic(text in ".*") {
        if let Ok(topic) = TopicUrl::parse(&text) {
            prop_assert_eq!(topic.as_str(), &text);
            prop_assert!(topic.fetchable().is_some());
        }
        if let Ok(callback) = CallbackUrl::parse(&text) {
            prop_assert!(callback.as_str().starts_with(callback.origin()));
            prop_assert!(!callback.host().is_empty());
        }
    }

    #[test]
    fn callbacks_survive_their_own_text(path in "[ -~é]{0,40}", query in "[ -~]{0,40}") {
        if let Ok(callback) = CallbackUrl::parse(&format!("http://host.example/{path}?{query}")) {
            let again = CallbackUrl::parse(callback.as_str()).expect("a callback's text is a callback");
            prop_assert_eq!(again.id(), callback.id());
            let asked = callback.with_query(&[("hub.topic", &path)]);
            let url = Url::parse(&asked).expect("still a URL");
            let last = url.query_pairs().last().expect("the appended one");
            prop_assert_eq!((&*last.0, &*last.1), ("hub.topic", path.as_str()));
        }
    }

    #[test]
    fn ids_read_what_they_write(topic: [u8; 16], callback: [u8; 16]) {
        let target = TargetId { topic: TopicId(topic), callback: CallbackId(callback) };
        prop_assert_eq!(TargetId::parse(&target.to_string()), Some(target));
    }
}

#[test]
fn a_time_is_read_as_it_is_written() {
    for (text, time) in [
        ("2026-11-22T19:00:00.250Z", Some(1_795_374_000_250)),
        ("2026-11-22T20:00:00+01:00", Some(1_795_374_000_000)),
        ("1970-01-01T00:00:00Z", Some(0)),
        ("1969-12-31T23:59:59Z", None),
        ("2026-11-22", None),
        ("2h", None),
    ] {
        assert_eq!(Timestamp::parse(text), time.map(Timestamp), "{text}");
    }
    let now = Timestamp(1_795_374_000_250);
    assert_eq!(Timestamp::parse(&now.to_string()), Some(now));
}
