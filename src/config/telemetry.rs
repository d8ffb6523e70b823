//! The settings of `[telemetry]`: what the metrics tell beyond the hub's own numbers, and where traces go.

use serde::{Deserialize, Serialize};
use url::Url;

use crate::domain::notation;

/// `[telemetry]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TelemetrySettings {
    /// How many of the origins that are late the metrics name, the worst first; 0 names none.
    pub late_origins: usize,
    /// Where traces are sent, by OTLP over HTTP; without one there are none.
    #[serde(with = "notation::blank")]
    pub otlp_endpoint: Option<OtlpEndpoint>,
    /// One publication in so many is traced.
    pub sample_one_in: usize,
}

impl Default for TelemetrySettings {
    fn default() -> Self {
        Self {
            late_origins: 10,
            otlp_endpoint: None,
            sample_one_in: 100,
        }
    }
}

/// The URL of a collector that takes OTLP over HTTP.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct OtlpEndpoint(String);

impl OtlpEndpoint {
    /// The text as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for OtlpEndpoint {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let url = Url::parse(&text).ok();
        let is_http = |url: &Url| matches!(url.scheme(), "http" | "https") && url.has_host();
        match url.filter(is_http) {
            Some(_) => Ok(Self(text)),
            None => Err(format!(
                "{text:?} is not an http(s) URL; write that of a collector's traces, such as \"http://127.0.0.1:4318/v1/traces\""
            )),
        }
    }
}

impl From<OtlpEndpoint> for String {
    fn from(endpoint: OtlpEndpoint) -> Self {
        endpoint.0
    }
}
