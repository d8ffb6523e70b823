//! Callbacks that name a service instead of a URL: `socialgateway://campfire?subdomain=acme&room=Commits&token=abc123`.
//! In: the callback of a subscription. Out: the service and its config, checked.

use url::{Url, form_urlencoded};

use super::config::{Config, ConfigError};
use super::{Service, UnknownService, find};

/// Why a callback names no service that could be called.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallbackError {
    /// Not of the form that it has to have.
    #[error(
        "is not a callback to a service; write {0}://SERVICE?FIELD=VALUE&..., such as {0}://slack?url=..."
    )]
    Malformed(String),
    /// A field is there twice.
    #[error("has the field {0:?} twice; leave one out")]
    Twice(String),
    /// There is no such service.
    #[error(transparent)]
    Service(#[from] UnknownService),
    /// The service cannot do with these fields.
    #[error(transparent)]
    Config(#[from] ConfigError),
}

/// Reads a callback to a service. `brand` is the name of the system as it stands in headers; the scheme is the same in
/// lower case. `None`: the callback has another scheme, so it is a URL like any other, or wrong like any other.
///
/// # Errors
/// What is wrong with it; nothing that it holds is repeated but names.
pub fn parse_callback(
    brand: &str,
    text: &str,
) -> Option<Result<(&'static Service, Config), CallbackError>> {
    let scheme = brand.to_ascii_lowercase();
    let (before, rest) = text.split_once("://")?;
    if !before.eq_ignore_ascii_case(&scheme) {
        return None;
    }
    Some(parse(&scheme, rest))
}

fn parse(scheme: &str, rest: &str) -> Result<(&'static Service, Config), CallbackError> {
    let malformed = || CallbackError::Malformed(scheme.to_owned());
    // Read as a URL of a scheme that has no rules of its own, so that names keep their spelling.
    let url = Url::parse(&format!("x://{rest}")).map_err(|_| malformed())?;
    let is_bare = url.username().is_empty()
        && url.password().is_none()
        && url.port().is_none()
        && matches!(url.path(), "" | "/")
        && url.fragment().is_none();
    let name = url.host_str().filter(|_| is_bare).ok_or_else(malformed)?;
    let service = find(name)?;
    let mut config = Config::new();
    for (field, value) in form_urlencoded::parse(url.query().unwrap_or_default().as_bytes()) {
        if config
            .insert(field.to_string(), value.into_owned())
            .is_some()
        {
            return Err(CallbackError::Twice(field.into_owned()));
        }
    }
    service.check(&config)?;
    Ok((service, config))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Result<(&'static str, Config), String> {
        let read = parse_callback("SocialGateway", text).expect("the brand's scheme");
        read.map(|(service, config)| (service.name, config))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn the_example_of_the_seed_is_read() {
        let (name, config) =
            read("socialgateway://campfire?subdomain=socialgateway&room=Commits&token=abc123")
                .expect("a callback");
        assert_eq!(name, "campfire");
        let expected = [
            ("room", "Commits"),
            ("subdomain", "socialgateway"),
            ("token", "abc123"),
        ];
        assert_eq!(
            config,
            expected.map(|(k, v)| (k.to_owned(), v.to_owned())).into()
        );
    }

    #[test]
    fn the_scheme_is_the_brand() {
        let slack = "GitHub://Slack?url=https%3A%2F%2Fhooks.example%2Fa%3Fb%3Dc";
        let (service, config) = parse_callback("GitHub", slack)
            .expect("a service")
            .expect("right");
        assert_eq!(
            (service.name, config["url"].as_str()),
            ("slack", "https://hooks.example/a?b=c")
        );
        for other in [
            "http://postbin.org/123",
            "socialgateway://slack?url=x",
            "github:slack",
            "",
        ] {
            assert!(parse_callback("GitHub", other).is_none(), "{other}");
        }
    }

    #[test]
    fn mistakes_are_named() {
        for (callback, word) in [
            ("socialgateway://", "SERVICE?FIELD=VALUE"),
            (
                "socialgateway://slack/x?url=https://a.example/",
                "SERVICE?FIELD=VALUE",
            ),
            (
                "socialgateway://user@slack?url=https://a.example/",
                "SERVICE?FIELD=VALUE",
            ),
            (
                "socialgateway://irc?server=a.example&room=#b",
                "SERVICE?FIELD=VALUE",
            ),
            (
                "socialgateway://slak?url=https://a.example/",
                "did you mean \"slack\"",
            ),
            (
                "socialgateway://slack?url=https://a.example/&url=https://b.example/",
                "twice",
            ),
            ("socialgateway://slack", "slack needs config.url"),
            (
                "socialgateway://slack?URL=https://a.example/",
                "did you mean \"url\"",
            ),
        ] {
            let error = read(callback).expect_err(callback);
            assert!(error.contains(word), "{callback}: {error}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "(socialgateway://)?.{0,80}") {
            let _ = parse_callback("SocialGateway", &text);
        }

        #[test]
        fn every_value_comes_through(token in "[^\\p{Cc}]{1,40}") {
            let query = form_urlencoded::Serializer::new(String::new())
                .extend_pairs([("subdomain", "acme"), ("room", "1"), ("token", &token)])
                .finish();
            let (_, config) = read(&format!("socialgateway://campfire?{query}")).expect("right");
            prop_assert_eq!(&config["token"], &token);
        }
    }
}
