//! The small values of the protocol, parsed once: URLs of topics and callbacks, their ids, secrets, points in time.
//! In: text from strangers. Out: types that cannot be wrong, or a reason in words.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use url::Url;
use uuid::Uuid;

mod callback;

pub use self::callback::CallbackUrl;

/// The longest secret that is accepted, in bytes: the specification wants it below 200 (HUB-03).
pub const SECRET_MAX_BYTES: usize = 199;

/// A point in time: milliseconds since 1970-01-01 UTC.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// Reads RFC 3339; what is finer than a millisecond is cut off. `None` for anything else, and before 1970.
    pub fn parse(text: &str) -> Option<Self> {
        let time: jiff::Timestamp = text.parse().ok()?;
        time.as_millisecond().try_into().ok().map(Self)
    }

    /// This time and `span` more; stops at the end of time instead of wrapping.
    pub fn plus(self, span: Duration) -> Self {
        Self(self.0.saturating_add(millis(span)))
    }

    /// This time less `span`; stops at 1970.
    pub fn minus(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(millis(span)))
    }

    /// How long ago `earlier` was; zero when it lies in the future.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

impl fmt::Display for Timestamp {
    /// RFC 3339 with milliseconds, UTC.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_millisecond(i64::try_from(self.0).unwrap_or(i64::MAX)) {
            Ok(time) => write!(f, "{time:.3}"),
            Err(_) => write!(f, "{} ms", self.0),
        }
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

/// Why a text is not a URL that the hub can use.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// Not a URL at all, or a relative one.
    #[error(
        "is not an absolute URL ({0}); write it with its scheme, such as https://example.org/feed"
    )]
    NotAbsolute(url::ParseError),
    /// A scheme that the hub does not speak.
    #[error("has the scheme {0:?}; the hub speaks http and https")]
    Scheme(String),
    /// A URL with a user name or a password in it.
    #[error("carries a user name or password; leave them out")]
    Credentials,
    /// A callback with a fragment, which no request could carry (HUB-77).
    #[error("carries the fragment #{0}; a callback cannot have one")]
    Fragment(String),
    /// Control characters or blanks, which `url` would silently drop.
    #[error("contains a control character or a blank; encode it as %20 and the like")]
    Blank,
    /// A host that no request could be made to.
    #[error("has no host that can be called ({0}); write a name such as irc.example.org")]
    Host(url::ParseError),
}

/// A URL whose changes are announced, exactly as it was first written: verification must give it back
/// byte for byte (HUB-26). Fragments are kept (some hubs' topics carry selectors) and left out of fetches.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TopicUrl(String);

impl TopicUrl {
    /// Reads a topic; http or https, absolute, without credentials.
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        absolute(text)?;
        Ok(Self(text.to_owned()))
    }

    /// The text as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The URL without its query and fragment, which may hold what is nobody's business: for logs.
    pub fn without_query(&self) -> &str {
        let end = self.0.find(['?', '#']).unwrap_or(self.0.len());
        &self.0[..end]
    }

    /// The URL to fetch: without the fragment.
    pub fn fetchable(&self) -> Option<Url> {
        let mut url = Url::parse(&self.0).ok()?;
        url.set_fragment(None);
        Some(url)
    }

    /// The topic that stands at a path below a base URL, which ends in a slash.
    pub fn below(base: &str, path: &str) -> Self {
        Self(format!("{base}{path}"))
    }

    /// The topic's key: equal for two spellings of one URL (HUB-14).
    pub fn id(&self) -> TopicId {
        TopicId(digest_id(&self.canonical()))
    }

    /// The one spelling of which the key is made.
    pub fn canonical(&self) -> String {
        canonical(&self.0)
    }
}

fn absolute(text: &str) -> Result<Url, UrlError> {
    if is_blank(text) {
        return Err(UrlError::Blank);
    }
    let url = Url::parse(text).map_err(UrlError::NotAbsolute)?;
    // `url` forgives "http:host" and "http:///host"; nobody means them.
    let authority = text.split_once("://").map_or("", |(_, rest)| rest);
    if authority.is_empty() || authority.starts_with(['/', '\\']) {
        return Err(UrlError::NotAbsolute(url::ParseError::EmptyHost));
    }
    if !matches!(url.scheme(), "http" | "https") {
        return Err(UrlError::Scheme(url.scheme().to_owned()));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(UrlError::Credentials);
    }
    Ok(url)
}

fn is_blank(text: &str) -> bool {
    text.bytes().any(|byte| byte <= b' ' || byte == 0x7f)
}

/// One spelling for equal URLs: host in lower case, default port gone, needless percent-encoding undone (HUB-14).
fn canonical(text: &str) -> String {
    let text = Url::parse(text).map_or_else(|_| text.to_owned(), String::from);
    let mut out = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some(at) = rest.find('%') {
        out.push_str(&rest[..at]);
        let code = rest
            .get(at + 1..at + 3)
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match code {
            Some(byte) if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) => {
                out.push(char::from(byte))
            }
            Some(byte) => out.push_str(&format!("%{byte:02X}")),
            None => {
                out.push('%');
                rest = &rest[at + 1..];
                continue;
            }
        }
        rest = &rest[at + 3..];
    }
    out.push_str(rest);
    out
}

fn digest_id(text: &str) -> [u8; 16] {
    let digest: [u8; 32] = Sha256::digest(text.as_bytes()).into();
    let mut id = [0; 16];
    id.copy_from_slice(&digest[..16]);
    id
}

macro_rules! hash_id {
    ($name:ident, $doc:literal) => {
        #[doc = $doc]
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub struct $name(pub [u8; 16]);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&hex::encode(self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
    };
}

hash_id!(
    TopicId,
    "The first 16 bytes of the SHA-256 of a topic's canonical URL."
);
hash_id!(
    CallbackId,
    "The first 16 bytes of the SHA-256 of a callback's canonical URL."
);
hash_id!(
    SourceId,
    "The first 16 bytes of the SHA-256 of a source's key."
);

impl SourceId {
    /// The id of the source with a key (`SourceName::key`).
    pub(super) fn of(key: &str) -> Self {
        Self(digest_id(key))
    }
}

/// Whom a publication goes to: one callback for one topic (HUB-11). Targets order by topic, then callback.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TargetId {
    /// The topic as it was subscribed to.
    pub topic: TopicId,
    /// The callback.
    pub callback: CallbackId,
}

impl TargetId {
    /// Reads what `Display` writes: 64 hexadecimal digits.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes: [u8; 32] = hex::decode(text).ok()?.try_into().ok()?;
        let (topic, callback) = bytes.split_at(16);
        Some(Self {
            topic: TopicId(topic.try_into().ok()?),
            callback: CallbackId(callback.try_into().ok()?),
        })
    }
}

impl fmt::Display for TargetId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.topic, self.callback)
    }
}

impl fmt::Debug for TargetId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A publication's id, time-ordered (UUID version 7): a later one sorts behind.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PublicationId(pub Uuid);

impl PublicationId {
    /// Reads the hyphenated form.
    pub fn parse(text: &str) -> Option<Self> {
        Uuid::parse_str(text).ok().map(Self)
    }

    /// When the id was made: the first 48 bits of a version 7 UUID.
    pub fn made_at(self) -> Timestamp {
        let (millis, _) = self.0.as_u64_pair();
        Timestamp(millis >> 16)
    }

    /// A bound in time: below every id that was made at `at` or later, and above those that were made before.
    pub fn bound(at: Timestamp) -> Self {
        Self(Uuid::from_u64_pair(at.0.min((1 << 48) - 1) << 16, 0))
    }

    /// The id of this publication's delivery to a target: the same on every repeat.
    pub fn delivery(self, target: TargetId) -> Uuid {
        let digest: [u8; 32] = Sha256::new()
            .chain_update(self.0.as_bytes())
            .chain_update(target.topic.0)
            .chain_update(target.callback.0)
            .finalize()
            .into();
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&digest[..16]);
        uuid::Builder::from_custom_bytes(bytes).into_uuid()
    }
}

impl fmt::Display for PublicationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for PublicationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The key of a subscription's signatures; its bytes never reach a log.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Takes a secret of 1 to 199 bytes (HUB-03: bytes, not characters); the error is its length.
    pub fn parse(text: &str) -> Result<Self, usize> {
        match text.len() {
            1..=SECRET_MAX_BYTES => Ok(Self(text.to_owned())),
            length => Err(length),
        }
    }

    /// The key itself, for signing and for export.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(********)")
    }
}

macro_rules! text_value {
    ($name:ident) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }
    };
}

text_value!(TopicUrl);
text_value!(CallbackUrl);

#[cfg(test)]
mod tests;
