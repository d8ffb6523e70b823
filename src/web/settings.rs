//! The settings of `[limits]` and `[auth]`: how much of a request is accepted, and who may do what.

use std::{fmt, time::Duration};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::domain::notation;

/// `[limits]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LimitSettings {
    /// Requests per minute and client address; 0 is no limit.
    pub requests_per_client: u32,
    /// Subscriptions that may share a callback host; 0 is no limit.
    pub subscriptions_per_callback_host: usize,
    /// The largest body of a hub request (a form), in bytes.
    #[serde(with = "notation::size")]
    pub form_body: usize,
    /// The largest body of a pushed publication or a hosted topic, in bytes.
    #[serde(with = "notation::size")]
    pub publication_body: usize,
    /// The largest body of one request that raises events, or of an incoming webhook, in bytes.
    #[serde(with = "notation::size")]
    pub event_body: usize,
    /// The most events that one request may raise.
    pub events_per_request: usize,
    /// Hooks that one source may have; 0 is no limit.
    pub hooks_per_source: usize,
    /// The longest topic or callback URL, in bytes.
    pub url_bytes: usize,
    /// The most topics that one ping may name.
    pub pings_per_request: usize,
    /// Connections that are open at once.
    pub connections: usize,
    /// How long a client may take to send the head of a request.
    #[serde(with = "notation::duration")]
    pub header_timeout: Duration,
    /// How long a client may take to send the body of a request.
    #[serde(with = "notation::duration")]
    pub body_timeout: Duration,
    /// Reverse proxies whose `X-Forwarded-For` is believed.
    #[serde(with = "notation::networks")]
    pub trusted_proxies: Vec<IpNet>,
}

impl Default for LimitSettings {
    fn default() -> Self {
        Self {
            requests_per_client: 6_000,
            subscriptions_per_callback_host: 100_000,
            form_body: 256 << 10,
            publication_body: 10 << 20,
            event_body: 1 << 20,
            events_per_request: 1_000,
            hooks_per_source: 250,
            url_bytes: 4_096,
            pings_per_request: 200,
            connections: 8_192,
            header_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(30),
            trusted_proxies: Vec::new(),
        }
    }
}

/// `[auth]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AuthSettings {
    /// The administrator's token; without one, the first start makes one and prints it.
    #[serde(with = "notation::blank")]
    pub admin_token: Option<Token>,
    /// Tokens with which publishers push content.
    pub publisher_tokens: Vec<Token>,
}

/// A bearer token as it stands in the settings. Its `Debug` does not show it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Token(String);

impl Token {
    /// The token itself, to hash it or to compare it; never to print it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(********)")
    }
}
