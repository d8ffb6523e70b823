//! What the signatures of a request are worth, whoever sent it: for people who look at what has arrived. In: headers, body, a secret. Out:
//! each header that carries a signature, and whether it is right.
//!
//! Every scheme that the hub itself signs with is known: `X-Hub-Signature` with any method, `X-Hub-Signature-256`, Muut's, Standard
//! Webhooks; and `Digest`, which needs no secret and says of nobody that it was them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hyper::header::HeaderMap;
use sha2::{Digest as _, Sha256, Sha512};
use subtle::ConstantTimeEq as _;

use super::standard;
use crate::domain::signature::{Method, sign, verify};
use crate::domain::value::{Secret, Timestamp};

/// The headers that carry one HMAC, and whether its digits stand alone. Behind each there may be one with `-old` at its end: that under
/// the secret before a rotation.
const HMACS: [(&str, bool); 3] = [
    ("x-hub-signature", false),
    ("x-hub-signature-256", false),
    ("x-muut-signature", true),
];
/// What a header under the old secret ends in.
const OLD: &str = "-old";
const DIGEST: &str = "digest";
/// How many signatures of one list, or digests, are looked at.
const LISTED_MAX: usize = 16;

/// One signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The header that it stands in.
    pub header: String,
    /// How it is made: `sha256`, `v1`; `?` for what is no signature.
    pub scheme: String,
    /// What it is worth.
    pub worth: Worth,
}

/// What a signature is worth under a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Worth {
    /// It is that of the body.
    Right,
    /// It is not: another secret, or another body.
    Wrong,
    /// It is that of the body, and its time is too far from when it came.
    Late,
    /// It cannot be said with what is there, such as a public key that is missing.
    Open,
}

/// What all of them together say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The body is that of who has the secret.
    Verified,
    /// It is not, or the secrets differ.
    Wrong,
    /// Nobody signed it.
    Missing,
}

impl Worth {
    /// One word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Right => "right",
            Self::Wrong => "wrong",
            Self::Late => "late",
            Self::Open => "open",
        }
    }
}

impl Verdict {
    /// One word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Verified => "verified",
            Self::Wrong => "wrong",
            Self::Missing => "none",
        }
    }

    /// The sum of the findings. Each must be right, and those under an old secret do as well if they all are; a digest, and what cannot
    /// be said, neither helps nor harms, unless the digest is wrong.
    pub fn of(findings: &[Finding]) -> Self {
        let is_digest = |finding: &&Finding| finding.header == DIGEST;
        let is_old = |finding: &&Finding| finding.header.ends_with(OLD);
        if findings
            .iter()
            .filter(is_digest)
            .any(|it| it.worth == Worth::Wrong)
        {
            return Self::Wrong;
        }
        let signatures = findings
            .iter()
            .filter(|it| !is_digest(it) && it.worth != Worth::Open);
        let (old, present): (Vec<_>, Vec<_>) = signatures.partition(is_old);
        let all_right =
            |of: &[&Finding]| !of.is_empty() && of.iter().all(|it| it.worth == Worth::Right);
        match all_right(&present) || all_right(&old) {
            true => Self::Verified,
            false if present.is_empty() && old.is_empty() => Self::Missing,
            false => Self::Wrong,
        }
    }
}

/// Looks at every signature of a request that came at a time. The secret may also be the public key (`whpk_…`) of Standard Webhooks.
pub fn signatures(
    headers: &HeaderMap,
    body: &[u8],
    secret: &Secret,
    at: Timestamp,
) -> Vec<Finding> {
    let mut found = Vec::new();
    for (name, is_bare) in HMACS {
        for name in [name.to_owned(), format!("{name}{OLD}")] {
            for given in values(headers, &name) {
                let (scheme, worth) = match is_bare {
                    true => (Method::Sha1.name().to_owned(), bare(&given, body, secret)),
                    false => named(&given, body, secret),
                };
                let header = name.clone();
                found.push(Finding {
                    header,
                    scheme,
                    worth,
                });
            }
        }
    }
    let listed = standard::each(headers, body, secret, at).into_iter();
    found.extend(
        listed
            .take(LISTED_MAX)
            .map(|(scheme, worth)| found_in(standard::SIGNATURE.as_str(), scheme, worth)),
    );
    found.extend(digests(headers, body));
    found
}

fn found_in(header: &str, scheme: String, worth: Worth) -> Finding {
    Finding {
        header: header.to_owned(),
        scheme,
        worth,
    }
}

/// `sha256=…`.
fn named(given: &str, body: &[u8], secret: &Secret) -> (String, Worth) {
    let method = given.split_once('=').map(|(method, _)| method.trim());
    match method.and_then(Method::parse) {
        Some(method) => {
            let worth = Worth::of(verify(given, secret, body));
            (method.name().to_owned(), worth)
        }
        None => ("?".to_owned(), Worth::Wrong),
    }
}

/// The digits of a SHA-1 alone.
fn bare(given: &str, body: &[u8], secret: &Secret) -> Worth {
    let expected = sign(Method::Sha1, secret, body);
    let digits = expected.split_once('=').map_or("", |(_, digits)| digits);
    let given = given.trim().to_ascii_lowercase();
    Worth::of(digits.as_bytes().ct_eq(given.as_bytes()).into())
}

/// `Digest: SHA-256=…`: that of the body, without a key (RFC 3230).
fn digests(headers: &HeaderMap, body: &[u8]) -> Vec<Finding> {
    let values = values(headers, DIGEST);
    let listed = values.iter().flat_map(|value| value.split(','));
    let each = listed.take(LISTED_MAX).map(|one| {
        let (algorithm, given) = one.trim().split_once('=').unwrap_or(("?", ""));
        let expected = match algorithm.to_ascii_uppercase().as_str() {
            "SHA-256" => Some(BASE64.encode(Sha256::digest(body))),
            "SHA-512" => Some(BASE64.encode(Sha512::digest(body))),
            _ => None,
        };
        let worth = expected.map_or(Worth::Open, |expected| Worth::of(expected == given));
        found_in(DIGEST, algorithm.to_ascii_lowercase(), worth)
    });
    each.collect()
}

impl Worth {
    /// Right or wrong.
    pub(super) fn of(is_right: bool) -> Self {
        match is_right {
            true => Self::Right,
            false => Self::Wrong,
        }
    }
}

fn values(headers: &HeaderMap, name: &str) -> Vec<String> {
    let values = headers.get_all(name).into_iter().take(LISTED_MAX);
    values
        .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use hyper::header::{HeaderName, HeaderValue};

    use super::*;
    use crate::dialect::signature::{HUB_BOTH, HUB_SHA256, MUUT, add};

    const BODY: &[u8] = b"{\"a\":1}";
    const AT: Timestamp = Timestamp(1_614_265_330_000);

    fn secret(text: &str) -> Secret {
        Secret::parse(text).expect("a secret")
    }

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let pairs = pairs.iter().map(|(name, value)| {
            let value = HeaderValue::from_str(value).expect("a value");
            (HeaderName::from_static(name), value)
        });
        pairs.collect()
    }

    fn told(headers: &HeaderMap, key: &str) -> (Verdict, Vec<String>) {
        let found = signatures(headers, BODY, &secret(key), AT);
        let words = found
            .iter()
            .map(|it| format!("{} {} {}", it.header, it.scheme, it.worth.name()));
        (Verdict::of(&found), words.collect())
    }

    #[test]
    fn whatever_the_hub_signs_is_found_under_the_present_secret_and_the_old_one() {
        for schemes in [&HUB_SHA256[..], &HUB_BOTH, &MUUT] {
            let mut signed = HeaderMap::new();
            let (new, old) = (secret("new"), secret("old"));
            add(schemes, [&new, &old].into_iter(), BODY, &mut signed);
            for key in ["new", "old"] {
                let (verdict, words) = told(&signed, key);
                assert_eq!(verdict, Verdict::Verified, "{key}: {words:?}");
                assert_eq!(words.len(), 2 * schemes.len());
            }
            assert_eq!(told(&signed, "other").0, Verdict::Wrong);
        }
        for method in Method::ALL {
            let signature = sign(method, &secret("key"), BODY);
            let (verdict, words) = told(&headers(&[("x-hub-signature", &signature)]), "key");
            assert_eq!(verdict, Verdict::Verified);
            assert_eq!(words, [format!("x-hub-signature {method} right")]);
        }
    }

    #[test]
    fn standard_webhooks_are_checked_by_secret_and_by_public_key() {
        let seed = [7; 32];
        let mut signed = HeaderMap::new();
        let key = secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        let keys = [&key].into_iter();
        standard::add("msg_1", AT, keys, Some(&seed), BODY, &mut signed);
        let (verdict, words) = told(&signed, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        assert_eq!(verdict, Verdict::Verified, "{words:?}");
        assert_eq!(
            words,
            ["webhook-signature v1 right", "webhook-signature v1a open"]
        );
        let public = standard::public_key(&seed).expect("a key");
        let (verdict, words) = told(&signed, &public);
        assert_eq!(verdict, Verdict::Verified, "{words:?}");
        assert_eq!(
            words,
            ["webhook-signature v1 open", "webhook-signature v1a right"]
        );
        let other = standard::public_key(&[8; 32]).expect("a key");
        assert_eq!(told(&signed, &other).0, Verdict::Wrong);
        let late = AT.plus(std::time::Duration::from_secs(301));
        let found = signatures(&signed, BODY, &key, late);
        assert_eq!(found[0].worth, Worth::Late);
        assert_eq!(Verdict::of(&found), Verdict::Wrong);
    }

    #[test]
    fn a_digest_proves_nothing_and_a_wrong_one_spoils_all() {
        let digest = format!("SHA-256={}", BASE64.encode(Sha256::digest(BODY)));
        let signature = sign(Method::Sha256, &secret("key"), BODY);
        assert_eq!(
            told(&headers(&[("digest", &digest)]), "key"),
            (Verdict::Missing, vec!["digest sha-256 right".to_owned()])
        );
        for (digest, verdict) in [
            (digest.as_str(), Verdict::Verified),
            ("MD5=abc", Verdict::Verified),
            ("SHA-256=abc", Verdict::Wrong),
        ] {
            let both = headers(&[("digest", digest), ("x-hub-signature-256", &signature)]);
            assert_eq!(told(&both, "key").0, verdict, "{digest}");
        }
    }

    #[test]
    fn one_wrong_signature_spoils_the_right_one_and_nonsense_is_wrong() {
        let right = sign(Method::Sha1, &secret("key"), BODY);
        for (pairs, verdict) in [
            (
                &[("x-hub-signature", right.as_str())][..],
                Verdict::Verified,
            ),
            (
                &[
                    ("x-hub-signature", right.as_str()),
                    ("x-hub-signature-256", "sha256=00"),
                ],
                Verdict::Wrong,
            ),
            (&[("x-hub-signature", "nonsense")], Verdict::Wrong),
            (&[("webhook-signature", "v1,abc")], Verdict::Wrong),
            (&[], Verdict::Missing),
        ] {
            assert_eq!(told(&headers(pairs), "key").0, verdict, "{pairs:?}");
        }
    }
}
