//! The settings of a hub: the layers' own settings in one struct, and where each value came from. In come the file,
//! the environment and the flags; out goes a [`Config`] without contradictions, or every problem at once.
//!
//! A later layer wins: built-in defaults < `config.toml` < `FANFARE_SECTION__KEY` < flags. The keys that exist, and the
//! type of each, are read off the serialized defaults, so that a setting is declared once: as a field.

mod layers;
mod log;
mod origin;
mod public_url;
mod rules;
mod schema;
mod sources;
mod telemetry;

use std::{collections::BTreeMap, net::SocketAddr, path::Path, path::PathBuf, time::Duration};

use serde::{Deserialize, Deserializer, Serialize, de};
use url::Url;

use self::sources::Section;
pub use self::{
    log::{LogFilter, LogFormat, LogSettings},
    origin::{ConfigError, Origin, Problem},
    public_url::PublicUrl,
    sources::SourceSettings,
    telemetry::{OtlpEndpoint, TelemetrySettings},
};
use crate::{
    domain::notation,
    flow::settings::{
        CompatSettings, DeliverySettings, FetchSettings, HookSettings, InspectorSettings,
        RetentionSettings, SubscriptionSettings,
    },
    net::settings::NetworkSettings,
    store::settings::StoreSettings,
    web::settings::{AuthSettings, LimitSettings},
};

/// Everything that can be set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The address that the hub listens on.
    #[serde(deserialize_with = "listen_address")]
    pub listen: SocketAddr,
    /// The URL under which others reach the hub; without one, `http://<listen>/`. See [`Config::public_url`].
    #[serde(with = "notation::blank")]
    pub public_url: Option<PublicUrl>,
    /// The folder that keeps the data; made when it is missing.
    pub data_dir: PathBuf,
    /// How long a graceful stop waits for what is in flight; `0s` does not wait.
    #[serde(with = "notation::duration")]
    pub drain_timeout: Duration,
    /// `[subscriptions]`.
    pub subscriptions: SubscriptionSettings,
    /// `[delivery]`.
    pub delivery: DeliverySettings,
    /// `[hooks]`.
    pub hooks: HookSettings,
    /// `[fetch]`.
    pub fetch: FetchSettings,
    /// `[limits]`.
    pub limits: LimitSettings,
    /// `[network]`.
    pub network: NetworkSettings,
    /// `[auth]`.
    pub auth: AuthSettings,
    /// `[store]`.
    pub store: StoreSettings,
    /// `[compat]`.
    pub compat: CompatSettings,
    /// `[retention]`.
    pub retention: RetentionSettings,
    /// `[inspector]`.
    pub inspector: InspectorSettings,
    /// `[log]`.
    pub log: LogSettings,
    /// `[telemetry]`.
    pub telemetry: TelemetrySettings,
    /// Every `[[source]]` of the file, in its order. No key of its own leads here: only the file declares sources.
    #[serde(skip)]
    pub sources: Vec<SourceSettings>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            public_url: None,
            data_dir: PathBuf::from("./data"),
            drain_timeout: Duration::from_secs(10),
            subscriptions: SubscriptionSettings::default(),
            delivery: DeliverySettings::default(),
            hooks: HookSettings::default(),
            fetch: FetchSettings::default(),
            limits: LimitSettings::default(),
            network: NetworkSettings::default(),
            auth: AuthSettings::default(),
            store: StoreSettings::default(),
            compat: CompatSettings::default(),
            retention: RetentionSettings::default(),
            inspector: InspectorSettings::default(),
            log: LogSettings::default(),
            telemetry: TelemetrySettings::default(),
            sources: Vec::new(),
        }
    }
}

impl Config {
    /// The URL under which others reach the hub, with one slash at its end. `bound` is the address that it listens
    /// on (which knows the port when `listen` leaves it to the system).
    pub fn public_url(&self, bound: SocketAddr) -> Url {
        self.public_url
            .clone()
            .unwrap_or_else(|| PublicUrl::of_address(bound))
            .into_url()
    }

    /// Whether this is a developer's machine: the hub listens on loopback, and its public URL is loopback too. Only
    /// then may callbacks and topics be loopback without being named in `[network]`.
    pub fn loopback_only(&self) -> bool {
        self.listen.ip().is_loopback()
            && self.public_url.as_ref().is_none_or(PublicUrl::is_loopback)
    }
}

/// What the command line sets, as it was written there.
#[derive(Clone, Debug, Default)]
pub struct Flags {
    /// `--listen`.
    pub listen: Option<String>,
    /// `--data-dir`.
    pub data_dir: Option<String>,
}

/// A valid configuration that knows where its values came from.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The settings.
    pub config: Config,
    /// Where each came from, by its full key (`delivery.timeout`). Every key is there.
    pub origins: Origins,
    /// The same for each source, in their order: `source.name` and so on.
    pub source_origins: Vec<Origins>,
}

/// Where each setting came from, by its full key.
pub type Origins = BTreeMap<String, Origin>;

/// One effective setting, for people to read.
#[derive(Clone, Debug)]
pub struct Setting {
    /// Its full key: `delivery.timeout`.
    pub key: String,
    /// Its value as TOML; a secret is masked.
    pub value: String,
    /// Where it came from.
    pub origin: Origin,
}

impl Loaded {
    /// Every setting, in the order of `config.toml`.
    pub fn settings(&self) -> Vec<Setting> {
        shown(&self.config, &self.origins)
    }

    /// The settings of each source, in the order of the file: `source.name` and so on.
    pub fn sources(&self) -> Vec<Vec<Setting>> {
        let sources = self.config.sources.iter().zip(&self.source_origins);
        sources
            .map(|(source, origins)| shown(&Section::of(source.clone()), origins))
            .collect()
    }
}

fn shown(settings: &impl Serialize, origins: &Origins) -> Vec<Setting> {
    let entries = schema::entries(settings).into_iter();
    entries
        .map(|(key, value)| Setting {
            value: schema::show(&key, &value),
            origin: origins.get(&key).cloned().unwrap_or(Origin::Default),
            key,
        })
        .collect()
}

/// Reads all layers. Without `file`, `./config.toml` is read if there is one; a `file` that is named must exist. Of
/// `env` only names that start with `FANFARE_` are looked at.
///
/// # Errors
/// [`ConfigError`] names every value that is refused, where it stands and what would be right.
pub fn load(
    file: Option<&Path>,
    env: impl Iterator<Item = (String, String)>,
    flags: Flags,
) -> Result<Loaded, ConfigError> {
    let assigned = layers::file(file)?
        .and(layers::environment(env))
        .and(layers::flags(flags));
    let loaded = assigned.apply()?;
    rules::check(&loaded)?;
    Ok(loaded)
}

/// The `FANFARE_*` variables of this process.
#[expect(
    clippy::disallowed_methods,
    reason = "the one place that reads the environment"
)]
pub fn environment() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os()
        .map(|(name, value)| {
            (
                name.to_string_lossy().into_owned(),
                value.to_string_lossy().into_owned(),
            )
        })
        .filter(|(name, _)| name.starts_with(layers::ENV_PREFIX))
}

fn listen_address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SocketAddr, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map_err(|_| {
        de::Error::custom(format!(
            "{text:?} is not an address to listen on; write an IP address and a port, such as 127.0.0.1:8080"
        ))
    })
}
