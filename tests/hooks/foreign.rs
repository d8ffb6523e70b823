//! Foreign libraries that receivers use, each in a process of its own language. In: a secret, and the headers and the body of a
//! delivery as they arrived. Out: accepted, or the library's reason why not.
//!
//! What a library does not decide (it is missing, it crashes, a question is wrong) is a panic, and never a refusal: else a
//! test that expects a refusal would pass for want of a library.

mod interpreter;
mod php;

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Map, Value, json};

use self::interpreter::{NODE, PYTHON};
use crate::support::http::Headers;

/// What a library says: accepted, or why not.
pub type Verdict<T = ()> = Result<T, String>;

/// A library, used as a receiver uses it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verifier {
    /// npm `@octokit/webhooks-methods`: `X-Hub-Signature-256`.
    Octokit,
    /// npm `x-hub-signature`: this algorithm (`sha1`, `sha256`), in this header.
    XHubSignature(&'static str, &'static str),
    /// PyPI `gidgethub`: an event of GitHub, as `sansio.Event.from_http` reads it.
    Gidgethub,
    /// PHP's `hash_hmac`, as in Muut's own plugin for WordPress.
    Muut,
    /// npm `standardwebhooks`.
    StandardNpm,
    /// PyPI `standardwebhooks`.
    StandardPypi,
}

impl Verifier {
    /// Asks it about a delivery.
    pub fn verify(self, secret: &str, headers: &Headers, body: &[u8]) -> Verdict {
        match self {
            Self::Octokit => verify_octokit(secret, headers, body),
            Self::XHubSignature(algorithm, header) => {
                verify_x_hub_signature(algorithm, header, secret, headers, body)
            }
            Self::Gidgethub => read_with_gidgethub(Some(secret), headers, body).map(drop),
            Self::Muut => php::verify_muut(secret, headers, body),
            Self::StandardNpm => verify_standard_npm(secret, headers, body),
            Self::StandardPypi => verify_standard_pypi(secret, headers, body),
        }
    }

    /// Whether its judgement of a delivery is right through and through: see [`scrutinize`].
    pub fn scrutinize(self, secret: &str, headers: &Headers, body: &[u8]) -> Verdict {
        let verify =
            |secret: &str, headers: &Headers, body: &[u8]| self.verify(secret, headers, body);
        scrutinize(verify, secret, headers, body).map_err(|flaw| format!("{self}: {flaw}"))
    }
}

impl fmt::Display for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// Whether a delivery is accepted under its secret, and refused under another, with a byte of the body changed, and without its
/// signatures.
pub fn scrutinize(
    verify: impl Fn(&str, &Headers, &[u8]) -> Verdict,
    secret: &str,
    headers: &Headers,
    body: &[u8],
) -> Verdict {
    let refuses = |what: &str, verdict: Verdict| match verdict {
        Ok(()) => Err(format!("accepts {what}")),
        Err(_) => Ok(()),
    };
    verify(secret, headers, body).map_err(|reason| format!("refuses what is right: {reason}"))?;
    refuses("another secret", verify("another secret", headers, body))?;
    for at in [0, body.len() / 2, body.len() - 1] {
        let mut changed = body.to_vec();
        changed[at] ^= 1;
        refuses(
            &format!("a changed byte at {at}"),
            verify(secret, headers, &changed),
        )?;
    }
    refuses(
        "a request without signatures",
        verify(secret, &unsigned(headers), body),
    )
}

/// Asks npm `@octokit/webhooks-methods`.
pub fn verify_octokit(secret: &str, headers: &Headers, body: &[u8]) -> Verdict {
    let question = delivery("octokit", Some(secret), headers, body);
    NODE.ask(question).map(drop)
}

/// Asks npm `x-hub-signature` for an algorithm, about the signature in a header.
pub fn verify_x_hub_signature(
    algorithm: &str,
    header: &str,
    secret: &str,
    headers: &Headers,
    body: &[u8],
) -> Verdict {
    let mut question = delivery("x-hub-signature", Some(secret), headers, body);
    question["algorithm"] = json!(algorithm);
    question["header"] = json!(header.to_ascii_lowercase());
    NODE.ask(question).map(drop)
}

/// Asks npm `standardwebhooks`. A secret that does not begin with `whsec_` is the key as it stands.
pub fn verify_standard_npm(secret: &str, headers: &Headers, body: &[u8]) -> Verdict {
    let question = delivery("standardwebhooks", Some(secret), headers, body);
    NODE.ask(question).map(drop)
}

/// Asks PyPI `standardwebhooks`. A secret that does not begin with `whsec_` is the key as it stands.
pub fn verify_standard_pypi(secret: &str, headers: &Headers, body: &[u8]) -> Verdict {
    let question = delivery("standardwebhooks", Some(secret), headers, body);
    PYTHON.ask(question).map(drop)
}

/// Asks PyPI `cryptography` about the `v1a` signature (which the libraries pass over), given the public key, `whpk_...`.
pub fn verify_v1a(public_key: &str, headers: &Headers, body: &[u8]) -> Verdict {
    let question = delivery("v1a", Some(public_key), headers, body);
    PYTHON.ask(question).map(drop)
}

/// Lets PyPI `gidgethub` read a delivery: an object of `event`, `delivery_id` and `data`.
pub fn read_with_gidgethub(secret: Option<&str>, headers: &Headers, body: &[u8]) -> Verdict<Value> {
    PYTHON.ask(delivery("gidgethub", secret, headers, body))
}

/// Whether a value is what a schema of npm `@octokit/openapi` describes, such as `hook`, `hook-delivery-item`, `hook-delivery`,
/// `webhook-config`, `validation-error`; if not, each flaw with its path.
pub fn validates(schema: &str, value: &Value) -> Verdict {
    let question = json!({ "ask": "schema", "schema": schema, "value": value });
    NODE.ask(question).map(drop)
}

/// GitHub's own example in npm `@octokit/openapi`.
pub fn example(name: &str) -> Value {
    let question = json!({ "ask": "example", "example": name });
    NODE.ask(question).expect("there is such an example")
}

/// The same headers, signatures apart.
fn unsigned(headers: &Headers) -> Headers {
    let lines = headers.0.iter();
    let lines = lines.filter(|(name, _)| !name.to_ascii_lowercase().contains("signature"));
    Headers(lines.cloned().collect())
}

fn delivery(ask: &str, secret: Option<&str>, headers: &Headers, body: &[u8]) -> Value {
    let names = headers.0.iter().map(|(name, _)| name.to_ascii_lowercase());
    // As servers hand them on: lines of one name joined by commas.
    let joined: Map<String, Value> = names
        .map(|name| {
            let value = headers.all(&name).join(", ");
            (name, value.into())
        })
        .collect();
    json!({ "ask": ask, "secret": secret, "headers": joined, "body": BASE64.encode(body) })
}
