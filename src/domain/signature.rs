//! The signature of a body: an HMAC under a secret, written as `method=hex` (WebSub REC section 7.1).

use std::fmt;

use hmac::Hmac;
use serde::{Deserialize, Serialize};
use sha1::Sha1;
use sha2::{Sha256, Sha384, Sha512};
use subtle::ConstantTimeEq as _;

use super::value::Secret;

/// The hash functions that a signature may use (HUB-51).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Method {
    /// The one that every client knows, and the only one of PubSubHubbub 0.4 (HUB-60).
    #[default]
    Sha1,
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}

impl Method {
    /// Every method, weakest first.
    pub const ALL: [Self; 4] = [Self::Sha1, Self::Sha256, Self::Sha384, Self::Sha512];

    /// Reads a method's name as it stands in a signature.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|method| method.name().eq_ignore_ascii_case(name))
    }

    /// The name as it stands in a signature.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sha1 => "sha1",
            Self::Sha256 => "sha256",
            Self::Sha384 => "sha384",
            Self::Sha512 => "sha512",
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Signs a body: `sha1=` and 40 lower-case hexadecimal digits, or a longer one.
pub fn sign(method: Method, secret: &Secret, body: &[u8]) -> String {
    let key = secret.expose().as_bytes();
    match method {
        Method::Sha1 => written(method, &mac::<Hmac<Sha1>>(key, body)),
        Method::Sha256 => written(method, &mac::<Hmac<Sha256>>(key, body)),
        Method::Sha384 => written(method, &mac::<Hmac<Sha384>>(key, body)),
        Method::Sha512 => written(method, &mac::<Hmac<Sha512>>(key, body)),
    }
}

/// Whether `signature` (`method=hex`) is that of the body; compares in constant time.
pub fn verify(signature: &str, secret: &Secret, body: &[u8]) -> bool {
    let Some(method) = signature
        .split_once('=')
        .and_then(|(name, _)| Method::parse(name.trim()))
    else {
        return false;
    };
    let expected = sign(method, secret, body);
    let given = signature.trim().to_ascii_lowercase();
    expected.as_bytes().ct_eq(given.as_bytes()).into()
}

fn mac<M: hmac::Mac + hmac::KeyInit>(key: &[u8], body: &[u8]) -> Vec<u8> {
    let mac = <M as hmac::KeyInit>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.chain_update(body).finalize().into_bytes().to_vec()
}

fn written(method: Method, digest: &[u8]) -> String {
    let mut text = String::with_capacity(method.name().len() + 1 + digest.len() * 2);
    text.push_str(method.name());
    text.push('=');
    for byte in digest {
        for nibble in [byte >> 4, byte & 15] {
            text.push(char::from(b"0123456789abcdef"[usize::from(nibble)]));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn known_vectors() {
        let jefe = Secret::parse("Jefe").expect("a secret");
        let body = b"what do ya want for nothing?";
        assert_eq!(
            sign(Method::Sha1, &jefe, body),
            "sha1=effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"
        );
        let github = Secret::parse("It's a Secret to Everybody").expect("a secret");
        assert_eq!(
            sign(Method::Sha256, &github, b"Hello, World!"),
            "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
        );
        assert_eq!(
            sign(Method::Sha384, &jefe, body).len(),
            "sha384=".len() + 96
        );
        assert_eq!(
            sign(Method::Sha512, &jefe, body).len(),
            "sha512=".len() + 128
        );
    }

    proptest! {
        #[test]
        fn what_is_signed_verifies_and_nothing_else(key in ".{1,40}", body: Vec<u8>, other: Vec<u8>, junk in ".*") {
            let secret = Secret::parse(&key).expect("short enough");
            for method in Method::ALL {
                let signature = sign(method, &secret, &body);
                prop_assert!(verify(&signature, &secret, &body));
                prop_assert_eq!(verify(&signature, &secret, &other), other == body);
            }
            prop_assert!(!verify(&junk, &secret, &body));
        }
    }
}
