//! The headers that an administrator adds to a hook. In: names and values as they were written. Out: headers, or why not.

use std::collections::{BTreeMap, BTreeSet};

use hyper::header::{HeaderMap, HeaderName, HeaderValue};

/// The most headers of a hook.
const MOST: usize = 32;
/// The longest value, in bytes.
const LONGEST: usize = 4096;

/// What the connection and the hub itself need.
const OWN: [&str; 17] = [
    "accept-encoding",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "date",
    "digest",
    "expect",
    "host",
    "keep-alive",
    "link",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
];

/// Beginnings of the names that the dialects use. (The brand of SocialGateway's is a setting: what a hook has under
/// such a name gives way when the request is made.)
const OWN_PREFIXES: [&str; 4] = ["webhook-", "x-fanfare-", "x-hub-signature", "x-muut-"];

/// Why a hook cannot have a header.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// Not a name.
    #[error(
        "{0:?} is not the name of a header; a name has letters, digits and -, such as X-Api-Key"
    )]
    Name(String),
    /// Not a value.
    #[error(
        "the value of {0} cannot stand in a header; it has up to {LONGEST} visible ASCII characters and blanks, on one line"
    )]
    Value(String),
    /// The hub needs it.
    #[error(
        "{0} cannot be set: the hub or the connection writes it; choose another name, such as X-Api-Key"
    )]
    Own(String),
    /// Twice, in upper and lower case.
    #[error("{0} stands there twice; upper and lower case are the same in a header's name")]
    Twice(String),
    /// Too many.
    #[error("{0} headers are too many; a hook can have {MOST}")]
    TooMany(usize),
}

/// Checks the headers of a hook.
///
/// # Errors
/// The first that cannot be sent, or would replace one that is the hub's to write.
pub fn check_headers(headers: &BTreeMap<String, String>) -> Result<(), HeaderError> {
    if headers.len() > MOST {
        return Err(HeaderError::TooMany(headers.len()));
    }
    let mut seen = BTreeSet::new();
    for (name, text) in headers {
        let lower = HeaderName::try_from(name).map_err(|_| HeaderError::Name(name.clone()))?;
        let lower = lower.as_str();
        let is_prefixed = OWN_PREFIXES.iter().any(|own| lower.starts_with(own));
        if is_prefixed || OWN.contains(&lower) {
            return Err(HeaderError::Own(name.clone()));
        }
        if text.len() > LONGEST || HeaderValue::from_str(text).is_err() || !text.is_ascii() {
            return Err(HeaderError::Value(name.clone()));
        }
        if !seen.insert(lower.to_owned()) {
            return Err(HeaderError::Twice(name.clone()));
        }
    }
    Ok(())
}

/// Adds them; those that [`check_headers`] would refuse for their form are left out.
pub(super) fn add(custom: &BTreeMap<String, String>, headers: &mut HeaderMap) {
    for (name, text) in custom {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::from_str(text)) {
            headers.insert(name, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(headers: &[(&str, &str)]) -> Result<(), HeaderError> {
        let pairs = headers
            .iter()
            .map(|(name, value)| ((*name).into(), (*value).into()));
        check_headers(&pairs.collect())
    }

    #[test]
    fn what_the_hub_writes_is_not_an_administrators() {
        assert_eq!(
            check(&[("Authorization", "Bearer x"), ("X-Api-Key", "")]),
            Ok(())
        );
        for own in [
            "Host",
            "content-TYPE",
            "Content-Length",
            "X-Hub-Signature-256",
            "webhook-id",
            "X-Muut-Signature",
            "Transfer-Encoding",
            "X-Fanfare-Delivery",
            "Digest",
        ] {
            assert_eq!(check(&[(own, "x")]), Err(HeaderError::Own(own.into())));
        }
        assert_eq!(check(&[("a b", "x")]), Err(HeaderError::Name("a b".into())));
        assert_eq!(check(&[("A", "x\ny")]), Err(HeaderError::Value("A".into())));
        assert_eq!(check(&[("A", "ä")]), Err(HeaderError::Value("A".into())));
        assert_eq!(
            check(&[("A", "x"), ("a", "x")]),
            Err(HeaderError::Twice("a".into()))
        );
        let many: Vec<_> = (0..=MOST).map(|number| format!("a{number}")).collect();
        let many: Vec<_> = many.iter().map(|name| (name.as_str(), "x")).collect();
        assert_eq!(check(&many), Err(HeaderError::TooMany(MOST + 1)));
    }

    proptest! {
        #[test]
        fn what_is_accepted_is_sent(name in "[a-zA-Z :\n-]{0,12}", text in ".{0,8}|[ -~]{0,20}") {
            let custom = BTreeMap::from([(name, text)]);
            let mut headers = HeaderMap::new();
            add(&custom, &mut headers);
            if check_headers(&custom).is_ok() {
                prop_assert_eq!(headers.len(), 1);
            }
        }
    }
}
