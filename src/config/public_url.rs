//! The URL under which others reach the hub: text in, a URL with one slash at its end out.

use std::{fmt, net::SocketAddr};

use serde::{Deserialize, Serialize};
use url::{Host, Url};

/// An http(s) URL without credentials, query or fragment, that ends in one slash: every URL of the hub is joined to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PublicUrl(Url);

impl PublicUrl {
    /// The URL of a hub that is reached under the address it listens on.
    pub fn of_address(address: SocketAddr) -> Self {
        Self(
            Url::parse(&format!("http://{address}/"))
                .expect("a socket address is a valid authority"),
        )
    }

    /// The URL itself.
    pub fn into_url(self) -> Url {
        self.0
    }

    /// Whether only this machine can reach it.
    pub fn is_loopback(&self) -> bool {
        match self.0.host() {
            Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        }
    }
}

impl TryFrom<String> for PublicUrl {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let refusal = |reason: &str| {
            format!("{text:?} {reason}; write for example \"https://hub.example.org/\"")
        };
        let mut url =
            Url::parse(&text).map_err(|error| refusal(&format!("is not a URL ({error})")))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(refusal("is not an http or https URL"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            // Not quoted: the password would stand in a log.
            return Err("a public URL has no user name or password; write for example \"https://hub.example.org/\"".into());
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(refusal("has a query or a fragment"));
        }
        let path = format!("{}/", url.path().trim_end_matches('/'));
        url.set_path(&path);
        Ok(Self(url))
    }
}

impl From<PublicUrl> for String {
    fn from(url: PublicUrl) -> Self {
        url.0.into()
    }
}

impl fmt::Display for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<PublicUrl, String> {
        PublicUrl::try_from(text.to_owned())
    }

    #[test]
    fn it_ends_in_one_slash() {
        for (written, normal) in [
            ("https://hub.example.org", "https://hub.example.org/"),
            ("https://hub.example.org/", "https://hub.example.org/"),
            ("HTTP://Example.org:80/hub", "http://example.org/hub/"),
            ("https://example.org/a/hub//", "https://example.org/a/hub/"),
        ] {
            assert_eq!(parse(written).unwrap().to_string(), normal);
        }
    }

    #[test]
    fn what_cannot_be_joined_to_is_refused() {
        for bad in [
            "hub.example.org",
            "ftp://example.org/",
            "https://example.org/?a=b",
            "https://example.org/#top",
            "https://",
        ] {
            let refusal = parse(bad).unwrap_err();
            assert!(refusal.starts_with(&format!("{bad:?} ")), "{refusal}");
            assert!(refusal.contains("https://hub.example.org/"), "{refusal}");
        }
    }

    #[test]
    fn a_password_is_refused_and_not_repeated() {
        let refusal = parse("https://me:hunter2@example.org/").unwrap_err();
        assert!(
            refusal.starts_with("a public URL has no user name or password"),
            "{refusal}"
        );
        assert!(!refusal.contains("hunter2"), "{refusal}");
    }

    #[test]
    fn loopback_is_told_from_public() {
        for loopback in [
            "http://127.0.0.1:8080/",
            "http://[::1]/",
            "http://localhost/",
            "http://127.9.9.9/",
        ] {
            assert!(parse(loopback).unwrap().is_loopback(), "{loopback}");
        }
        for public in [
            "http://10.0.0.1/",
            "http://example.org/",
            "http://localhost.example.org/",
            "http://[::]/",
        ] {
            assert!(!parse(public).unwrap().is_loopback(), "{public}");
        }
    }
}
