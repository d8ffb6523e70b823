//! Standard Webhooks 1.0: `webhook-id`, `webhook-timestamp` and `webhook-signature`, the signature format that many libraries
//! check. In: an id, a time, secrets, a body. Out: the headers; or, for what comes in, whether they are right.

use std::borrow::Cow;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, KeyInit as _, Mac as _};
use hyper::header::{HeaderMap, HeaderName};
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;

use super::signature::Verdict;
use super::value;
use super::verdict::Worth;
use crate::domain::value::{Secret, Timestamp};

/// The message: the same on every repeat.
pub(super) const ID: HeaderName = HeaderName::from_static("webhook-id");
const TIMESTAMP: HeaderName = HeaderName::from_static("webhook-timestamp");
pub(super) const SIGNATURE: HeaderName = HeaderName::from_static("webhook-signature");
/// Before a secret that is written in base64.
const SECRET_PREFIX: &str = "whsec_";
/// Before a public key.
const PUBLIC_PREFIX: &str = "whpk_";
/// How far the clock of a sender may be from ours.
const TOLERANCE: Duration = Duration::from_secs(300);

/// Adds the three headers. `key` is the private key of the `v1a` signature. A secret that begins with `whsec_` is base64; any other
/// is the key as it stands.
pub(super) fn add<'a>(
    id: &str,
    now: Timestamp,
    secrets: impl Iterator<Item = &'a Secret>,
    key: Option<&[u8; 32]>,
    body: &[u8],
    headers: &mut HeaderMap,
) {
    let seconds = (now.0 / 1000).to_string();
    let mut signatures: Vec<_> = secrets
        .map(|secret| v1(secret, id, &seconds, body))
        .collect();
    signatures.extend(key.and_then(|key| v1a(key, id, &seconds, body)));
    headers.insert(ID, value(id.to_owned()));
    headers.insert(TIMESTAMP, value(seconds));
    if !signatures.is_empty() {
        headers.insert(SIGNATURE, value(signatures.join(" ")));
    }
}

/// Checks the `v1` signatures of a request that came in: one of them must be right, and the time near ours.
pub(super) fn check(headers: &HeaderMap, secret: &Secret, body: &[u8], now: Timestamp) -> Verdict {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let (Some(id), Some(seconds), Some(given)) = (text(&ID), text(&TIMESTAMP), text(&SIGNATURE))
    else {
        return Verdict::Missing;
    };
    let expected = v1(secret, id, seconds, body);
    let is_right = given
        .split(' ')
        .any(|given| expected.as_bytes().ct_eq(given.as_bytes()).into());
    match is_near(seconds, now) && is_right {
        true => Verdict::Right,
        false => Verdict::Wrong,
    }
}

/// Each signature of a request that came at a time: its version, and what it is worth under a secret, or under a public key.
pub(super) fn each(
    headers: &HeaderMap,
    body: &[u8],
    secret: &Secret,
    at: Timestamp,
) -> Vec<(String, Worth)> {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let Some(given) = text(SIGNATURE) else {
        return Vec::new();
    };
    let (id, seconds) = (text(ID), text(TIMESTAMP));
    let public = secret.expose().strip_prefix(PUBLIC_PREFIX);
    let public = public.and_then(|encoded| BASE64.decode(encoded).ok());
    let each = given.split(' ').filter(|given| !given.is_empty());
    each.map(|given| {
        let (version, encoded) = given.split_once(',').unwrap_or(("?", ""));
        let (Some(id), Some(seconds)) = (id, seconds) else {
            return (version.to_owned(), Worth::Wrong);
        };
        let is_right = match (version, &public) {
            ("v1", None) => v1(secret, id, seconds, body)
                .as_bytes()
                .ct_eq(given.as_bytes())
                .into(),
            ("v1a", Some(key)) => {
                let signed = [id.as_bytes(), b".", seconds.as_bytes(), b".", body].concat();
                let signature = BASE64.decode(encoded).unwrap_or_default();
                let key = UnparsedPublicKey::new(&ED25519, key);
                key.verify(&signed, &signature).is_ok()
            }
            ("v1" | "v1a", _) => return (version.to_owned(), Worth::Open),
            _ => return (version.to_owned(), Worth::Wrong),
        };
        let worth = match is_right {
            true if !is_near(seconds, at) => Worth::Late,
            is_right => Worth::of(is_right),
        };
        (version.to_owned(), worth)
    })
    .collect()
}

/// The public key that belongs to a private one, as receivers are given it: `whpk_` and base64.
pub fn public_key(key: &[u8; 32]) -> Option<String> {
    let pair = Ed25519KeyPair::from_seed_unchecked(key).ok()?;
    Some(format!(
        "{PUBLIC_PREFIX}{}",
        BASE64.encode(pair.public_key())
    ))
}

/// Whether the time in a request is near ours.
fn is_near(seconds: &str, now: Timestamp) -> bool {
    let at = Timestamp(seconds.parse::<u64>().unwrap_or(0).saturating_mul(1000));
    now.since(at).max(at.since(now)) <= TOLERANCE
}

fn v1(secret: &Secret, id: &str, seconds: &str, body: &[u8]) -> String {
    let mac =
        Hmac::<Sha256>::new_from_slice(&key_of(secret)).expect("HMAC takes keys of any length");
    let mac = mac
        .chain_update(format!("{id}.{seconds}."))
        .chain_update(body)
        .finalize();
    format!("v1,{}", BASE64.encode(mac.into_bytes()))
}

fn v1a(key: &[u8; 32], id: &str, seconds: &str, body: &[u8]) -> Option<String> {
    let pair = Ed25519KeyPair::from_seed_unchecked(key).ok()?;
    let signed = [id.as_bytes(), b".", seconds.as_bytes(), b".", body].concat();
    Some(format!("v1a,{}", BASE64.encode(pair.sign(&signed))))
}

fn key_of(secret: &Secret) -> Cow<'_, [u8]> {
    let text = secret.expose();
    text.strip_prefix(SECRET_PREFIX)
        .and_then(|encoded| BASE64.decode(encoded).ok())
        .map_or_else(|| Cow::Borrowed(text.as_bytes()), Cow::Owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MESSAGE: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
    const AT: Timestamp = Timestamp(1_614_265_330_000);
    const BODY: &[u8] = br#"{"test": 2432232314}"#;
    const V1: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
    const V1A: &str = "v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg==";
    const PAIR: &str =
        "6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg==";

    fn secret(text: &str) -> Secret {
        Secret::parse(text).expect("a secret")
    }

    fn signed<'a>(
        secrets: impl IntoIterator<Item = &'a Secret>,
        key: Option<&[u8; 32]>,
    ) -> HeaderMap {
        let mut headers = HeaderMap::new();
        add(MESSAGE, AT, secrets.into_iter(), key, BODY, &mut headers);
        headers
    }

    #[test]
    fn the_vectors_of_the_first_implementation() {
        let pair = BASE64.decode(PAIR).expect("base64");
        let (seed, public) = pair.split_at(32);
        let seed: &[u8; 32] = seed.try_into().expect("32 bytes");
        let key = secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        let headers = signed([&key], Some(seed));
        assert_eq!(headers["webhook-id"], MESSAGE);
        assert_eq!(headers["webhook-timestamp"], "1614265330");
        assert_eq!(headers["webhook-signature"], format!("{V1} {V1A}"));
        let public = format!("whpk_{}", BASE64.encode(public));
        assert_eq!(public_key(seed), Some(public));
    }

    #[test]
    fn without_a_key_there_is_no_signature_and_during_a_rotation_there_are_two() {
        assert!(!signed([], None).contains_key("webhook-signature"));
        let keys = [secret("one"), secret("whsec_not base64")];
        let headers = signed(&keys, None);
        for key in &keys {
            assert_eq!(check(&headers, key, BODY, AT), Verdict::Right);
        }
        assert_eq!(check(&headers, &secret("two"), BODY, AT), Verdict::Wrong);
        assert_eq!(check(&headers, &keys[0], b"", AT), Verdict::Wrong);
        assert_eq!(
            check(&HeaderMap::new(), &keys[0], BODY, AT),
            Verdict::Missing
        );
    }

    #[test]
    fn an_old_request_is_not_believed() {
        let key = secret("one");
        let headers = signed([&key], None);
        for (now, verdict) in [
            (AT.plus(TOLERANCE), Verdict::Right),
            (AT.minus(TOLERANCE), Verdict::Right),
            (
                AT.plus(TOLERANCE + Duration::from_millis(1)),
                Verdict::Wrong,
            ),
            (
                AT.minus(TOLERANCE + Duration::from_millis(1)),
                Verdict::Wrong,
            ),
        ] {
            assert_eq!(check(&headers, &key, BODY, now), verdict, "{now}");
        }
    }
}
