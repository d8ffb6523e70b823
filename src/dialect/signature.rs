//! The signatures of a dialect: which headers carry them, and how they are written. In: secrets and the body as it is sent.
//! Out: the headers; or, for what comes in, whether they are right.
//!
//! While a replaced secret is honoured, the dialect's own header carries the signature under the present secret, for a receiver
//! compares one value; the one under the old secret stands in a header of its own, `...-Old`. (A second line of the same name would
//! reach most receivers as one value with a comma in it, and match neither.)

use hyper::header::{HeaderMap, HeaderName};
use subtle::ConstantTimeEq as _;

use super::value;
use crate::domain::signature::{Method, sign};
use crate::domain::value::Secret;

/// One signature of a dialect.
#[derive(Debug)]
pub(super) struct Scheme {
    header: HeaderName,
    old_header: HeaderName,
    method: Method,
    /// Whether the digits come alone, without `sha1=` before them.
    is_bare: bool,
}

/// `X-Hub-Signature: sha256=...`.
pub(super) static HUB_SHA256: [Scheme; 1] = [Scheme {
    header: HeaderName::from_static("x-hub-signature"),
    old_header: HeaderName::from_static("x-hub-signature-old"),
    method: Method::Sha256,
    is_bare: false,
}];

/// `X-Hub-Signature-256: sha256=...`, and `X-Hub-Signature: sha1=...` for who knows no other.
pub(super) static HUB_BOTH: [Scheme; 2] = [
    Scheme {
        header: HeaderName::from_static("x-hub-signature-256"),
        old_header: HeaderName::from_static("x-hub-signature-256-old"),
        method: Method::Sha256,
        is_bare: false,
    },
    Scheme {
        header: HeaderName::from_static("x-hub-signature"),
        old_header: HeaderName::from_static("x-hub-signature-old"),
        method: Method::Sha1,
        is_bare: false,
    },
];

/// `X-Muut-Signature: ...`.
pub(super) static MUUT: [Scheme; 1] = [Scheme {
    header: HeaderName::from_static("x-muut-signature"),
    old_header: HeaderName::from_static("x-muut-signature-old"),
    method: Method::Sha1,
    is_bare: true,
}];

/// What the signatures of a request that came in are worth.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The body is the sender's.
    Right,
    /// It is not, or the secrets differ.
    Wrong,
    /// There is none.
    Missing,
}

impl Scheme {
    /// The header's name, for messages.
    pub fn name(&self) -> &str {
        self.header.as_str()
    }

    fn write(&self, secret: &Secret, body: &[u8]) -> String {
        let text = sign(self.method, secret, body);
        match text.split_once('=') {
            Some((_, digits)) if self.is_bare => digits.to_owned(),
            _ => text,
        }
    }

    fn is_right(&self, header: &HeaderName, headers: &HeaderMap, expected: &str) -> bool {
        let given = headers.get(header).and_then(|given| given.to_str().ok());
        given.is_some_and(|given| {
            let given = given.trim().to_ascii_lowercase();
            expected.as_bytes().ct_eq(given.as_bytes()).into()
        })
    }
}

/// Signs a body under the present secret, and under the old one while it is honoured.
pub(super) fn add<'a>(
    schemes: &[Scheme],
    secrets: impl Iterator<Item = &'a Secret>,
    body: &[u8],
    headers: &mut HeaderMap,
) {
    for (secret, is_old) in secrets.zip([false, true]) {
        for scheme in schemes {
            let header = match is_old {
                true => &scheme.old_header,
                false => &scheme.header,
            };
            headers.insert(header, value(scheme.write(secret, body)));
        }
    }
}

/// Checks the strongest signature that a request carries, in constant time. A sender of our own kind may carry one under its old
/// secret beside it, which is as good.
pub(super) fn check(
    schemes: &[Scheme],
    headers: &HeaderMap,
    secret: &Secret,
    body: &[u8],
) -> Verdict {
    let Some(scheme) = schemes
        .iter()
        .find(|scheme| headers.contains_key(&scheme.header))
    else {
        return Verdict::Missing;
    };
    let expected = scheme.write(secret, body);
    let is_right = [&scheme.header, &scheme.old_header]
        .into_iter()
        .any(|header| scheme.is_right(header, headers, &expected));
    match is_right {
        true => Verdict::Right,
        false => Verdict::Wrong,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> Secret {
        Secret::parse(text).expect("a secret")
    }

    #[test]
    fn both_secrets_sign_and_each_receiver_finds_its_own() {
        for schemes in [&HUB_SHA256[..], &HUB_BOTH, &MUUT] {
            let (new, old) = (secret("new"), secret("old"));
            let mut headers = HeaderMap::new();
            add(schemes, [&new, &old].into_iter(), b"body", &mut headers);
            assert_eq!(headers.len(), 2 * schemes.len());
            assert_eq!(check(schemes, &headers, &new, b"body"), Verdict::Right);
            assert_eq!(check(schemes, &headers, &old, b"body"), Verdict::Right);
            assert_eq!(
                check(schemes, &headers, &secret("x"), b"body"),
                Verdict::Wrong
            );
            assert_eq!(check(schemes, &headers, &new, b"other"), Verdict::Wrong);
            headers.clear();
            assert_eq!(check(schemes, &headers, &new, b"body"), Verdict::Missing);
        }
    }

    #[test]
    fn the_strongest_signature_counts_and_a_weaker_one_does_not_save_it() {
        let key = secret("key");
        let mut headers = HeaderMap::new();
        add(&HUB_BOTH, [&key].into_iter(), b"body", &mut headers);
        headers.insert("x-hub-signature-256", value("sha256=00".into()));
        assert_eq!(check(&HUB_BOTH, &headers, &key, b"body"), Verdict::Wrong);
        headers.remove("x-hub-signature-256");
        assert_eq!(check(&HUB_BOTH, &headers, &key, b"body"), Verdict::Right);
        assert_eq!(check(&HUB_SHA256, &headers, &key, b"body"), Verdict::Wrong);
    }
}
