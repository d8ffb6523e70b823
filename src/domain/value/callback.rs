//! Where requests go. In: text from strangers, or what the configuration of a service says. Out: a URL that can be called.

use serde::{Deserialize, Serialize};
use url::{Host, Url};

use super::{CallbackId, UrlError, absolute, canonical, digest_id, is_blank};

/// Where a subscriber is called: its query string is part of it and is never rewritten (HUB-15, HUB-49). For a hook that
/// speaks in a chat it is the channel's URL.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CallbackUrl(pub(super) String);

impl CallbackUrl {
    /// Reads a callback; http or https, absolute, no credentials, no fragment (HUB-77).
    ///
    /// # Errors
    /// What stands against it.
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        let url = absolute(text)?;
        match url.fragment() {
            Some(fragment) => Err(UrlError::Fragment(fragment.to_owned())),
            None => Ok(Self(url.into())),
        }
    }

    /// A channel on an IRC server: `irc://host:port/channel`, or `ircs` with TLS. What is special in a URL is encoded, the
    /// `#` of a channel too.
    ///
    /// # Errors
    /// A host that is no name and no address, a blank in the channel.
    pub fn irc(host: &str, port: u16, tls: bool, channel: &str) -> Result<Self, UrlError> {
        let host = Host::parse(host).map_err(UrlError::Host)?;
        if is_blank(channel) {
            return Err(UrlError::Blank);
        }
        let scheme = if tls { "ircs" } else { "irc" };
        let mut url =
            Url::parse(&format!("{scheme}://{host}:{port}/")).map_err(UrlError::NotAbsolute)?;
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().push(channel);
        }
        Ok(Self(url.into()))
    }

    /// The URL, with non-ASCII characters encoded: what a request is made of.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether requests to it are HTTP requests that are encrypted.
    pub fn is_https(&self) -> bool {
        self.0.starts_with("https:")
    }

    /// The host, in lower case, without the port; empty only for a text that no constructor made.
    pub fn host(&self) -> &str {
        let authority = self.authority();
        match authority.rfind(':') {
            Some(colon) if !authority[colon..].contains(']') => &authority[..colon],
            _ => authority,
        }
    }

    /// Scheme, host and port, as in `https://example.org:8443`: what limits and circuits are kept for.
    pub fn origin(&self) -> &str {
        &self.0[..self.0.len().min(self.scheme_len() + self.authority().len())]
    }

    /// The callback with parameters appended at the end of its query, nothing overwritten (HUB-15).
    pub fn with_query(&self, parameters: &[(&str, &str)]) -> String {
        let separator = match self.0.find('?') {
            None => "?",
            Some(at) if at + 1 == self.0.len() => "",
            Some(_) => "&",
        };
        // Pairs of texts can always be written as a form.
        let appended = serde_urlencoded::to_string(parameters).unwrap_or_default();
        format!("{}{separator}{appended}", self.0)
    }

    /// The callback's key.
    pub fn id(&self) -> CallbackId {
        CallbackId(digest_id(&canonical(&self.0)))
    }

    fn authority(&self) -> &str {
        let rest = self.0.get(self.scheme_len()..).unwrap_or_default();
        let end = rest.bytes().position(|byte| matches!(byte, b'/' | b'?'));
        &rest[..end.unwrap_or(rest.len())]
    }

    /// With the `://`. Not searched for: every delivery asks, several times.
    fn scheme_len(&self) -> usize {
        if self.is_https() {
            "https://".len()
        } else if self.0.starts_with("irc:") {
            "irc://".len()
        } else {
            // As long as "ircs://".
            "http://".len()
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_channel_has_an_origin_and_a_host_like_any_callback() {
        for (host, tls, url, origin, called) in [
            (
                "IRC.example.org",
                true,
                "ircs://irc.example.org:6697/%23rust",
                "ircs://irc.example.org:6697",
                "irc.example.org",
            ),
            (
                "[::1]",
                false,
                "irc://[::1]:6697/%23rust",
                "irc://[::1]:6697",
                "[::1]",
            ),
        ] {
            let channel = CallbackUrl::irc(host, 6697, tls, "#rust").expect("a channel");
            assert_eq!(channel.as_str(), url);
            assert_eq!((channel.origin(), channel.host()), (origin, called));
            assert!(!channel.is_https());
            assert!(CallbackUrl::parse(url).is_err(), "not from a subscriber");
        }
        assert!(CallbackUrl::irc("a host", 6667, false, "#x").is_err());
        assert!(CallbackUrl::irc("user@host", 6667, false, "#x").is_err());
        assert!(CallbackUrl::irc("host", 6667, false, "#x y").is_err());
    }

    proptest! {
        #[test]
        fn no_channel_leaves_its_server(host in ".{0,12}", channel in ".{0,12}") {
            if let Ok(callback) = CallbackUrl::irc(&host, 6667, false, &channel) {
                let url = Url::parse(callback.as_str()).expect("a URL");
                prop_assert_eq!(url.host_str(), Some(callback.host()));
                prop_assert_eq!(url.port(), Some(6667));
                prop_assert_eq!(url.path_segments().map(Iterator::count), Some(1));
                prop_assert_eq!((url.query(), url.fragment()), (None, None));
            }
        }
    }
}
