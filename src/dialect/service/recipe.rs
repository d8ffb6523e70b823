//! How a message becomes an HTTP request: a recipe of the catalogue and a config come in, the request goes out.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use hyper::Method;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use uuid::Uuid;

use super::config::{Config, ConfigError, value};
use super::escape::Escape;
use super::{Outgoing, Summary};
use crate::domain::value::CallbackUrl;

/// What is encoded where a value stands within a URL: all but RFC 3986's unreserved characters.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// A request with places for the config and the message.
#[derive(Debug)]
pub(super) struct Recipe {
    pub method: Method,
    /// A value at the very beginning is the base, and stays as it is; every other one is encoded.
    pub url: &'static str,
    pub authorization: Authorization,
    pub body: Body,
    pub escape: Escape,
    /// The longest text that the service takes, in UTF-16 units.
    pub max_units: usize,
}

/// What is in the header `Authorization`.
#[derive(Debug)]
pub(super) enum Authorization {
    None,
    /// The value of a field.
    Bearer(&'static str),
    /// The value of a field as the user name, and a fixed password.
    Basic {
        user: &'static str,
        password: &'static str,
    },
}

/// What the body is.
#[derive(Debug)]
pub(super) enum Body {
    /// A JSON text whose strings may be places.
    Json(&'static str),
    /// The text alone.
    Plain,
}

impl Recipe {
    /// Where the request goes.
    pub(super) fn url(
        &self,
        service: &'static str,
        config: &Config,
        delivery: Uuid,
    ) -> Result<CallbackUrl, ConfigError> {
        let mut url = String::new();
        let mut rest = self.url;
        while let Some((before, (name, after))) = rest
            .split_once('{')
            .and_then(|(before, place)| Some((before, place.split_once('}')?)))
        {
            url.push_str(before);
            match name {
                "delivery" => url.push_str(&delivery.to_string()),
                // The whole URL stays byte for byte; a base loses the slash that the path brings.
                _ if url.is_empty() && after.is_empty() => {
                    url.push_str(needed(service, config, name)?)
                }
                _ if url.is_empty() => {
                    url.push_str(needed(service, config, name)?.trim_end_matches('/'))
                }
                _ => url.extend(utf8_percent_encode(needed(service, config, name)?, SEGMENT)),
            }
            rest = after;
        }
        url.push_str(rest);
        CallbackUrl::parse(&url).map_err(|error| ConfigError::Wrong {
            field: "url".into(),
            problem: error.to_string(),
        })
    }

    /// The request that carries a message.
    pub(super) fn request(
        &self,
        service: &'static str,
        summary: &Summary,
        config: &Config,
        delivery: Uuid,
    ) -> Result<Outgoing, ConfigError> {
        let text = self
            .escape
            .text(summary.lines(), summary.url(), self.max_units);
        let mut headers = HeaderMap::new();
        let (content_type, body) = match self.body {
            Body::Plain => ("text/plain; charset=utf-8", text),
            Body::Json(template) => ("application/json", json(template, &text, config)),
        };
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        if let Some(authorization) = self.authorization(service, config)? {
            headers.insert(AUTHORIZATION, authorization);
        }
        Ok(Outgoing::Http {
            method: self.method.clone(),
            url: self.url(service, config, delivery)?,
            headers,
            body: Bytes::from(body),
        })
    }

    fn authorization(
        &self,
        service: &'static str,
        config: &Config,
    ) -> Result<Option<HeaderValue>, ConfigError> {
        let (field, text) = match self.authorization {
            Authorization::None => return Ok(None),
            Authorization::Bearer(field) => {
                (field, format!("Bearer {}", needed(service, config, field)?))
            }
            Authorization::Basic { user, password } => {
                let pair = format!("{}:{password}", needed(service, config, user)?);
                (user, format!("Basic {}", BASE64.encode(pair)))
            }
        };
        let mut header = HeaderValue::try_from(text).map_err(|_| ConfigError::Wrong {
            field: field.to_owned(),
            problem: "cannot stand in a header; leave out control characters".into(),
        })?;
        header.set_sensitive(true);
        Ok(Some(header))
    }
}

/// The value of a field without which there is no request.
fn needed<'c>(
    service: &'static str,
    config: &'c Config,
    field: &str,
) -> Result<&'c str, ConfigError> {
    value(config, field).ok_or_else(|| ConfigError::Wrong {
        field: field.to_owned(),
        problem: format!("is missing, and {service} needs it"),
    })
}

fn json(template: &str, text: &str, config: &Config) -> String {
    // A test reads every template of the catalogue.
    let template: Value = serde_json::from_str(template).unwrap_or_default();
    filled(template, text, config)
        .unwrap_or_default()
        .to_string()
}

/// The value with its places filled; `None` for a place whose field is absent.
fn filled(template: Value, text: &str, config: &Config) -> Option<Value> {
    match template {
        Value::String(string) => {
            let place = string
                .strip_prefix('{')
                .and_then(|rest| rest.strip_suffix('}'));
            let content = match place {
                None => Some(Cow::Borrowed(string.as_str())),
                Some("text") => Some(text.into()),
                Some(field) => value(config, field).map(Cow::from),
            };
            content.map(|content| Value::String(content.into_owned()))
        }
        Value::Object(members) => {
            let members = members.into_iter();
            let filled =
                members.filter_map(|(key, value)| Some((key, filled(value, text, config)?)));
            Some(Value::Object(filled.collect()))
        }
        other => Some(other),
    }
}
