//! Where an IRC message goes. In: the config of a hook. Out: the server, the channel, and the name to speak under.

use super::config::{Config, ConfigError, is_set, value};
use crate::domain::value::Secret;

/// The name to speak under unless the config has one. Nine letters are what every server takes.
const DEFAULT_NICK: &str = "fanfare";

/// A channel on a server, and how to come there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IrcRoom {
    /// The server's host name or address.
    pub server: String,
    /// Its port.
    pub port: u16,
    /// Whether the connection is encrypted.
    pub tls: bool,
    /// The name to speak under; another one is taken while somebody has it.
    pub nick: String,
    /// The password of the server.
    pub password: Option<Secret>,
    /// The channel, with its sign: `#commits`.
    pub channel: String,
    /// The key of the channel.
    pub key: Option<Secret>,
    /// Whether to send notices instead of messages.
    pub notice: bool,
}

impl IrcRoom {
    /// What limits and circuits are kept for: `irc://irc.example.org:6667`.
    pub fn origin(&self) -> String {
        let scheme = if self.tls { "ircs" } else { "irc" };
        format!(
            "{scheme}://{}:{}",
            self.server.to_ascii_lowercase(),
            self.port
        )
    }

    pub(super) fn read(service: &'static str, config: &Config) -> Result<Self, ConfigError> {
        let needed = |field: &'static str, means: &'static str| {
            let missing = ConfigError::Missing {
                service,
                field,
                means,
            };
            value(config, field).ok_or(missing)
        };
        let channel = needed("room", "the channel")?;
        let sign = if channel.starts_with(['#', '&', '+', '!']) {
            ""
        } else {
            "#"
        };
        let tls = is_set(config, "ssl");
        let port = value(config, "port").and_then(|port| port.parse().ok());
        let secret = |field| value(config, field).and_then(|text| Secret::parse(text).ok());
        Ok(Self {
            server: needed("server", "the host name of the IRC server")?.to_owned(),
            port: port.unwrap_or(if tls { 6697 } else { 6667 }),
            tls,
            nick: value(config, "nick").unwrap_or(DEFAULT_NICK).to_owned(),
            password: secret("password"),
            channel: format!("{sign}{channel}"),
            key: secret("key"),
            notice: is_set(config, "notice"),
        })
    }
}
