//! What holds for every payload: an event comes back from its body, and from the request that was made of it.

use std::time::Duration;

use proptest::prelude::*;
use serde_json::Value;

use super::*;

fn payload() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
        Just(Value::from(r#"},"object":{"#)),
    ];
    let value = leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map("id|object|event|.{0,3}", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    });
    proptest::collection::btree_map("id|type|.{0,4}", value, 0..4)
        .prop_map(|map| Value::Object(map.into_iter().collect()))
}

fn dialect() -> impl Strategy<Value = Dialect> {
    proptest::sample::select(Dialect::ALL.to_vec())
}

proptest! {
    #[test]
    fn the_default_body_gives_its_event_back(dialect in dialect(), payload in payload(), at in 0..4_000_000_000_000_u64, type_key: bool) {
        let mut source = source("social", dialect);
        let name = EventName::parse("made.up").expect("a name");
        source.events.push(name.clone());
        let event = accept(&source, &name, Json::of(&payload), Timestamp(at)).expect("an event");
        let written = body(dialect, &event, type_key);
        prop_assert_eq!(super::event(dialect, name, event.created_at, &written), Some(event));
    }

    #[test]
    fn what_goes_out_comes_in_again(
        dialect in dialect(),
        payload in payload(),
        at in 0..4_000_000_000_000_u64,
        key in "[ -~]{1,40}",
        is_form: bool,
        type_key: bool,
        signing in proptest::sample::select(vec![Signing::Dialect, Signing::Both, Signing::Standard]),
    ) {
        let mut source = source("octocat/x", dialect);
        source.inbound_secret = Some(secret(&key));
        let name = EventName::parse("made.up").expect("a name");
        source.events.push(name.clone());
        let event = accept(&source, &name, Json::of(&payload), Timestamp(at)).expect("an event");
        let content_type = if is_form { ContentType::Form } else { ContentType::Json };
        let mut hook = hook(&source, content_type);
        (hook.type_key, hook.signing) = (type_key, signing);
        let request = sent(&source, &hook, &event, "SocialGateway");
        let expected = Webhook { event: Some(event), id: webhook_id(&request) };
        let now = Timestamp(at).plus(Duration::from_secs(1));
        let read = match inbox::read(&source, &request.headers, &request.body, now) {
            // Only an envelope tells when the event was.
            Ok(Incoming::Signed(Webhook { event: Some(event), id })) => Webhook {
                event: Some(Event { created_at: Timestamp(at), ..event }),
                id,
            },
            other => return Err(TestCaseError::fail(format!("{other:?}"))),
        };
        prop_assert_eq!(read, expected);
    }

    #[test]
    fn no_request_makes_the_inbox_panic(
        dialect in dialect(),
        headers in proptest::collection::vec(("content-type|x-github-event|x-hub-signature|webhook-[a-z]{2,9}", "[ -~]{0,16}|ping|push"), 0..4),
        body in ".{0,40}|[\\[{]\"(event|like|type)\"[:,].{0,20}[\\]}]",
        is_signed: bool,
    ) {
        let mut source = source("social", dialect);
        source.inbound_secret = is_signed.then(|| secret("key"));
        let pairs = headers.iter().map(|(name, text)| {
            (HeaderName::try_from(name).expect("a name"), HeaderValue::try_from(text).expect("a value"))
        });
        let read = inbox::read(&source, &pairs.collect(), body.as_bytes(), Timestamp(0));
        prop_assert!(!is_signed || read.is_err());
    }

    #[test]
    fn nothing_that_is_raised_makes_it_panic(dialect in dialect(), at in any::<prop::sample::Index>(), payload in payload()) {
        let source = source("social", dialect);
        let names = catalogue(dialect);
        if !names.is_empty() {
            let name = EventName::parse(at.get::<&str>(names)).expect("a name");
            if let Ok(event) = accept(&source, &name, Json::of(&payload), Timestamp(0)) {
                let written = body(dialect, &event, false);
                prop_assert_eq!(super::event(dialect, name, event.created_at, &written), Some(event));
            }
        }
    }
}
