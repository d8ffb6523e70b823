//! Deliveries as they arrive, judged by the libraries of their receivers.

use fanfare::dialect::standard::public_key;
use fanfare::domain::hook::{ContentType, Signing};
use fanfare::domain::source::Dialect;
use serde_json::{Value, json};

use crate::deliveries::{EVENT_ID, Kind, OLD_SECRET, SECRET, SIGNING_KEY};
use crate::foreign::{Verifier, read_with_gidgethub, scrutinize, verify_v1a};
use crate::support::http::Headers;

const STANDARD: [Verifier; 2] = [Verifier::StandardNpm, Verifier::StandardPypi];

#[tokio::test]
async fn the_libraries_accept_github() {
    accepted_by_all(Kind::github()).await;
}

#[tokio::test]
async fn the_libraries_accept_socialgateway() {
    accepted_by_all(Kind::of(Dialect::SocialGateway)).await;
}

#[tokio::test]
async fn the_libraries_accept_mastodon() {
    accepted_by_all(Kind::of(Dialect::Mastodon)).await;
}

#[tokio::test]
async fn the_libraries_accept_pleroma() {
    accepted_by_all(Kind::of(Dialect::Pleroma)).await;
}

#[tokio::test]
async fn php_accepts_muut() {
    accepted_by_all(Kind::of(Dialect::Muut)).await;
}

#[tokio::test]
async fn the_libraries_accept_websub() {
    accepted_by_all(Kind::of(Dialect::Websub)).await;
}

/// Every variant, by every library that can judge it.
async fn accepted_by_all(kind: Kind) {
    for kind in kind.variants() {
        let verifiers = kind.verifiers();
        assert!(!verifiers.is_empty(), "nobody judges {kind:?}");
        let delivery = kind.arrives().await;
        for verifier in verifiers {
            let verdict = verifier.scrutinize(SECRET, &delivery.headers, &delivery.body);
            assert_eq!(verdict, Ok(()), "{kind:?}: {delivery:?}");
        }
    }
}

#[tokio::test]
async fn any_secret_is_the_same_key_to_the_hub_and_to_the_libraries() {
    let secrets = [
        "It's a Secret to Everybody",
        "Größe, 鍵 & 🔑",
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    ];
    for secret in secrets {
        for kind in [Kind::github(), Kind::of(Dialect::Muut)] {
            let kind = Kind {
                secret: Some(secret),
                signing: Signing::Both,
                ..kind
            };
            let delivery = kind.arrives().await;
            for verifier in kind.verifiers() {
                let verdict = verifier.scrutinize(secret, &delivery.headers, &delivery.body);
                assert_eq!(verdict, Ok(()), "{secret}: {kind:?}");
            }
        }
    }
}

#[tokio::test]
async fn during_a_rotation_standard_libraries_accept_both_secrets_and_the_others_the_present_one() {
    for dialect in [Dialect::SocialGateway, Dialect::Mastodon, Dialect::Muut] {
        let kind = Kind {
            is_rotated: true,
            signing: Signing::Both,
            ..Kind::of(dialect)
        };
        let delivery = kind.arrives().await;
        for verifier in kind.verifiers() {
            let verdict = verifier.verify(OLD_SECRET, &delivery.headers, &delivery.body);
            let is_standard = STANDARD.contains(&verifier);
            assert_eq!(verdict.is_ok(), is_standard, "{verifier}: {verdict:?}");
            // What the hub signed with the old secret stands in headers of its own.
            let old = with_old_signatures(&delivery.headers);
            let verdict = verifier.scrutinize(OLD_SECRET, &old, &delivery.body);
            assert_eq!(verdict, Ok(()), "{kind:?}");
        }
    }
}

/// The headers with each signature replaced by the one under the old secret beside it.
fn with_old_signatures(headers: &Headers) -> Headers {
    let replaced = headers.0.iter().map(|(name, value)| {
        let old = headers.first(&format!("{name}-old")).unwrap_or(value);
        (name.clone(), old.to_owned())
    });
    Headers(replaced.collect())
}

#[tokio::test]
async fn without_a_secret_nothing_is_signed() {
    for dialect in Dialect::ALL {
        let kind = Kind {
            secret: None,
            signing: Signing::Both,
            ..Kind::of(dialect)
        };
        let delivery = kind.arrives().await;
        let mut names = delivery.headers.0.iter().map(|(name, _)| name);
        assert!(
            !names.any(|name| name.contains("signature")),
            "{delivery:?}"
        );
        for verifier in kind.verifiers() {
            let verdict = verifier.verify(SECRET, &delivery.headers, &delivery.body);
            assert!(verdict.is_err(), "{verifier} accepts {delivery:?}");
        }
    }
}

#[tokio::test]
async fn standard_signatures_replace_the_dialects_own_where_that_is_asked_for() {
    for dialect in Dialect::ALL {
        let kind = Kind {
            signing: Signing::Standard,
            ..Kind::of(dialect)
        };
        let headers = kind.arrives().await.headers;
        for own in ["x-hub-signature", "x-hub-signature-256", "x-muut-signature"] {
            assert!(!headers.has(own), "{own}: {headers:?}");
        }
    }
}

#[tokio::test]
async fn standard_libraries_refuse_another_id_and_another_time() {
    let kind = Kind {
        signing: Signing::Both,
        ..Kind::of(Dialect::Mastodon)
    };
    let delivery = kind.arrives().await;
    let time: u64 = delivery
        .header("webhook-timestamp")
        .and_then(|text| text.parse().ok())
        .expect("a number");
    for verifier in STANDARD {
        for (name, value) in [
            ("webhook-id", EVENT_ID.replace("0189", "0188")),
            ("webhook-timestamp", (time - 1).to_string()),
        ] {
            let headers = with(&delivery.headers, name, &value);
            let verdict = verifier.verify(SECRET, &headers, &delivery.body);
            assert!(verdict.is_err(), "{verifier} accepts another {name}");
        }
    }
}

/// The headers with one replaced.
fn with(headers: &Headers, name: &str, value: &str) -> Headers {
    assert!(headers.has(name), "{name} is not there: {headers:?}");
    let mut headers = headers.clone();
    for (own, text) in &mut headers.0 {
        if own.eq_ignore_ascii_case(name) {
            *text = value.to_owned();
        }
    }
    headers
}

#[tokio::test]
async fn the_key_pair_signs_beside_the_secret_or_alone() {
    let public = public_key(&SIGNING_KEY).expect("a key");
    for secret in [Some(SECRET), None] {
        for content_type in [ContentType::Json, ContentType::Form] {
            let kind = Kind {
                secret,
                content_type,
                signing: Signing::Standard,
                signing_key: Some(SIGNING_KEY),
                ..Kind::of(Dialect::Pleroma)
            };
            let delivery = kind.arrives().await;
            let verify = |secret: &str, headers: &Headers, body: &[u8]| {
                let other = public_key(&[8; 32]).expect("a key");
                let key = match secret {
                    "right" => &public,
                    _ => &other,
                };
                verify_v1a(key, headers, body)
            };
            let verdict = scrutinize(verify, "right", &delivery.headers, &delivery.body);
            assert_eq!(verdict, Ok(()), "{delivery:?}");
            for verifier in STANDARD {
                let verdict = verifier.verify(SECRET, &delivery.headers, &delivery.body);
                assert_eq!(verdict.is_ok(), secret.is_some(), "{verifier}: {verdict:?}");
            }
        }
    }
}

#[tokio::test]
async fn gidgethub_reads_the_event() {
    for secret in [Some(SECRET), None] {
        for content_type in [ContentType::Json, ContentType::Form] {
            let kind = Kind {
                secret,
                content_type,
                ..Kind::github()
            };
            let delivery = kind.arrives().await;
            let read = read_with_gidgethub(secret, &delivery.headers, &delivery.body);
            let (name, payload) = kind.event();
            let data: Value = serde_json::from_str(payload).expect("JSON");
            let event = json!({ "event": name, "delivery_id": EVENT_ID, "data": data });
            assert_eq!(read, Ok(event), "{delivery:?}");
        }
    }
}

/// The judge of the judges: who always says the same, or looks at one thing only, is found out.
#[test]
fn a_library_that_does_not_look_is_found_out() {
    let headers = Headers(vec![("X-Hub-Signature".into(), "x".into())]);
    let judge = |verify: &dyn Fn(&str, &Headers, &[u8]) -> bool| {
        let verify = |secret: &str, headers: &Headers, body: &[u8]| {
            verify(secret, headers, body)
                .then_some(())
                .ok_or_else(|| "no".to_owned())
        };
        scrutinize(verify, "secret", &headers, b"body")
    };
    let is_signed = |headers: &Headers| headers.has("x-hub-signature");
    let found = |flaw: &str| Err(flaw.to_owned());
    assert_eq!(judge(&|_, _, _| true), found("accepts another secret"));
    assert_eq!(judge(&|_, _, _| false), found("refuses what is right: no"));
    assert_eq!(
        judge(&|secret, headers, _| secret == "secret" && is_signed(headers)),
        found("accepts a changed byte at 0")
    );
    assert_eq!(
        judge(&|secret, _, body| secret == "secret" && body == b"body"),
        found("accepts a request without signatures")
    );
    assert_eq!(
        judge(&|secret, headers, body| secret == "secret" && is_signed(headers) && body == b"body"),
        Ok(())
    );
}
