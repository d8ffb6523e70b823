//! A host, or all hosts below a domain, as a setting names them: `example.org`, `*.example.org`. Pure text in, a
//! pattern that matches hosts out.

use std::fmt;

use serde::{Deserialize, Serialize};
use url::Host;

/// Which hosts are meant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum HostPattern {
    /// `example.org`: that host alone.
    Exactly(Host),
    /// `*.example.org`: every host below the domain, and not the domain itself.
    Below(String),
}

impl HostPattern {
    /// Whether the pattern means `host`.
    pub fn matches(&self, host: Host<&str>) -> bool {
        match (self, host) {
            (Self::Exactly(meant), host) => match (meant, host) {
                (Host::Domain(meant), Host::Domain(host)) => {
                    meant.eq_ignore_ascii_case(host.trim_end_matches('.'))
                }
                (Host::Ipv4(meant), Host::Ipv4(host)) => *meant == host,
                (Host::Ipv6(meant), Host::Ipv6(host)) => *meant == host,
                _ => false,
            },
            (Self::Below(domain), Host::Domain(host)) => host
                .trim_end_matches('.')
                .to_ascii_lowercase()
                .strip_suffix(domain.as_str())
                .is_some_and(|below| below.len() > 1 && below.ends_with('.')),
            (Self::Below(_), _) => false,
        }
    }
}

impl TryFrom<String> for HostPattern {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let refusal = || {
            format!("{text:?} is not a host; write a host, such as example.org or *.example.org")
        };
        let parse = |host: &str| match Host::parse(host.trim_end_matches('.')) {
            Ok(parsed) if !host.contains('*') => Ok(parsed),
            _ => Err(refusal()),
        };
        match text.strip_prefix("*.") {
            None => parse(&text).map(Self::Exactly),
            Some(domain) => match parse(domain)? {
                Host::Domain(domain) => Ok(Self::Below(domain)),
                Host::Ipv4(_) | Host::Ipv6(_) => Err(refusal()),
            },
        }
    }
}

impl From<HostPattern> for String {
    fn from(pattern: HostPattern) -> Self {
        pattern.to_string()
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exactly(host) => host.fmt(f),
            Self::Below(domain) => write!(f, "*.{domain}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> HostPattern {
        HostPattern::try_from(text.to_owned()).unwrap()
    }

    #[test]
    fn a_plain_host_means_itself_alone() {
        let example = pattern("Example.ORG");
        assert_eq!(example.to_string(), "example.org");
        assert!(example.matches(Host::Domain("example.org")));
        assert!(example.matches(Host::Domain("EXAMPLE.org.")));
        assert!(!example.matches(Host::Domain("www.example.org")));
        assert!(pattern("[::1]").matches(Host::Ipv6(std::net::Ipv6Addr::LOCALHOST)));
    }

    #[test]
    fn a_star_means_every_host_below_and_not_the_domain() {
        let below = pattern("*.example.org");
        assert!(below.matches(Host::Domain("a.example.org")));
        assert!(below.matches(Host::Domain("b.a.Example.org.")));
        assert!(!below.matches(Host::Domain("example.org")));
        assert!(!below.matches(Host::Domain("badexample.org")));
        assert!(!below.matches(Host::Domain(".example.org")));
    }

    #[test]
    fn what_is_not_a_host_is_refused_with_an_example() {
        for bad in [
            "",
            "*",
            "*.",
            "a b",
            "http://example.org",
            "example.org:80",
            "*.127.0.0.1",
            "a/b",
        ] {
            let refusal = HostPattern::try_from(bad.to_owned()).unwrap_err();
            assert!(refusal.contains("such as example.org"), "{bad}: {refusal}");
        }
    }
}
