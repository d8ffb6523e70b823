//! One subscription as one line of JSON: how an export writes it, and how an import reads it.

use std::io::{self, Write};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::domain::signature::Method;
use crate::domain::subscription::{LeasePolicy, Subscription};
use crate::domain::value::{CallbackUrl, SECRET_MAX_BYTES, Secret, Timestamp, TopicUrl, UrlError};

/// What stands in a line. Times are RFC 3339.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    topic: String,
    callback: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    signature: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    lease_seconds: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires_at: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    active_since: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    from: Option<String>,
}

/// What is wrong with a line.
#[derive(Debug, thiserror::Error)]
pub enum LineError {
    #[error("it is longer than any subscription needs")]
    TooLong,
    #[error("{0}")]
    Json(String),
    #[error("{key} {value:?} {error}")]
    Url {
        key: &'static str,
        value: String,
        error: UrlError,
    },
    #[error("{key} has {length} bytes; this hub takes up to {most} (limits.url_bytes)")]
    LongUrl {
        key: &'static str,
        length: usize,
        most: usize,
    },
    #[error("secret has {0} bytes; it may have 1 to {SECRET_MAX_BYTES}")]
    Secret(usize),
    #[error("signature {0:?} is not one of sha1, sha256, sha384, sha512")]
    Method(String),
    #[error("lease_seconds is 0; leave it out for the default lease")]
    NoLease,
    #[error("{key} {value:?} is not a time such as 2027-01-31T12:00:00Z")]
    Time { key: &'static str, value: String },
    #[error("from has control characters, or more than {FROM_MAX} bytes")]
    From,
}

/// The longest address of a subscriber, in bytes (RFC 5321 allows 254).
const FROM_MAX: usize = 320;

/// Reads lines.
pub struct Importer {
    /// When the import began: subscriptions count as verified then, if the line does not say more.
    pub now: Timestamp,
    /// The leases that the hub grants.
    pub leases: LeasePolicy,
    /// The longest URL that the hub takes, in bytes.
    pub url_bytes: usize,
}

impl Line {
    /// The line of a subscription.
    pub fn of(subscription: &Subscription) -> Self {
        let lease = subscription.expires_at.since(subscription.verified_at);
        Self {
            topic: subscription.topic.as_str().to_owned(),
            callback: subscription.callback.as_str().to_owned(),
            secret: subscription
                .secret
                .as_ref()
                .map(|secret| secret.expose().to_owned()),
            signature: subscription.method.map(|method| method.name().to_owned()),
            lease_seconds: Some(lease.as_secs()),
            expires_at: Some(subscription.expires_at.to_string()),
            active_since: Some(subscription.active_since.to_string()),
            from: subscription.from.clone(),
        }
    }

    /// Writes it, with its line end.
    ///
    /// # Errors
    /// The writer's.
    pub fn write(&self, out: &mut impl Write) -> io::Result<()> {
        serde_json::to_writer(&mut *out, self)?;
        out.write_all(b"\n")
    }
}

impl Importer {
    /// The subscription of a line; `None` is a line that was too long to be read.
    ///
    /// # Errors
    /// The first thing that is wrong with it.
    pub fn read(&self, line: Option<&[u8]>) -> Result<Subscription, LineError> {
        let line = line.ok_or(LineError::TooLong)?;
        let line: Line = serde_json::from_slice(line).map_err(json_error)?;
        let topic = TopicUrl::parse(self.fitting("topic", &line.topic)?);
        let callback = CallbackUrl::parse(self.fitting("callback", &line.callback)?);
        let url = |key, value: &str| {
            let value = value.to_owned();
            move |error| LineError::Url { key, value, error }
        };
        let secret = line.secret.as_deref().map(Secret::parse).transpose();
        let method =
            |name: &str| Method::parse(name).ok_or_else(|| LineError::Method(name.to_owned()));
        let (verified_at, expires_at) = self.lease(&line)?;
        let active_since = time("active_since", line.active_since.as_deref())?;
        Ok(Subscription {
            topic: topic.map_err(url("topic", &line.topic))?,
            callback: callback.map_err(url("callback", &line.callback))?,
            secret: secret.map_err(LineError::Secret)?,
            method: line.signature.as_deref().map(method).transpose()?,
            active_since: active_since.unwrap_or(self.now).min(self.now),
            verified_at,
            expires_at,
            from: line.from.map(from).transpose()?,
        })
    }

    /// From when to when the lease runs: to the end that the line names if that lies ahead, else as long as a new
    /// subscription's would. No lease is longer than the hub's longest (HUB-34).
    fn lease(&self, line: &Line) -> Result<(Timestamp, Timestamp), LineError> {
        if line.lease_seconds == Some(0) {
            return Err(LineError::NoLease);
        }
        let granted = Duration::from_secs(self.leases.grant(line.lease_seconds));
        let end = time("expires_at", line.expires_at.as_deref())?;
        let Some(end) = end.filter(|end| *end > self.now) else {
            return Ok((self.now, self.now.plus(granted)));
        };
        let end = end.min(self.now.plus(self.leases.max));
        let begin = line
            .lease_seconds
            .map(|lease| end.minus(Duration::from_secs(lease)));
        Ok((begin.unwrap_or(self.now).min(self.now), end))
    }

    fn fitting<'a>(&self, key: &'static str, value: &'a str) -> Result<&'a str, LineError> {
        let (length, most) = (value.len(), self.url_bytes);
        match length <= most {
            true => Ok(value),
            false => Err(LineError::LongUrl { key, length, most }),
        }
    }
}

fn time(key: &'static str, value: Option<&str>) -> Result<Option<Timestamp>, LineError> {
    let Some(value) = value else {
        return Ok(None);
    };
    let time = value.parse::<jiff::Timestamp>().ok();
    let millis = time.and_then(|time| u64::try_from(time.as_millisecond()).ok());
    let wrong = || LineError::Time {
        key,
        value: value.to_owned(),
    };
    millis
        .map(|millis| Some(Timestamp(millis)))
        .ok_or_else(wrong)
}

fn from(text: String) -> Result<String, LineError> {
    match text.len() <= FROM_MAX && !text.contains(char::is_control) {
        true => Ok(text),
        false => Err(LineError::From),
    }
}

/// What serde says, without its own count of lines: it sees each line alone.
fn json_error(error: serde_json::Error) -> LineError {
    let text = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    let text = text.strip_suffix(&place).unwrap_or(&text);
    LineError::Json(match error.classify() {
        serde_json::error::Category::Data => text.to_owned(),
        _ => format!("not a JSON object: {text} at column {}", error.column()),
    })
}
