//! The composition root: builds the hub out of its configuration, starts it, and stops it in order.
//!
//! Stopping: accept no more, begin no more, let what is in flight end until the deadline, write everything out.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use ipnet::IpNet;
use metrics_exporter_prometheus::PrometheusHandle;
use sha2::{Digest as _, Sha256};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::Config;
use crate::config::Loaded;
use crate::flow::backups::Backups;
use crate::flow::clock::Clock;
use crate::flow::inspector::Inspector;
use crate::flow::sources::SourceError;
use crate::flow::traces::Traces;
use crate::flow::{Environment, Hub, Reach, Settings};
use crate::net::client::{Caller, FetchLimits, Fetcher};
use crate::net::dial::Dialer;
use crate::net::guard::Guard;
use crate::net::resolve::Resolver;
use crate::net::sender::SenderLimits;
use crate::net::tls::Tls;
use crate::net::ways::Ways;
use crate::store::settings::Engine;
use crate::store::{BacklogLimits, SharedStore, SledStore, StoreOptions};
use crate::telemetry::otlp::Traces as Spans;
use crate::web::{Log, Setting, Tokens, Web};

/// The name and version that the hub goes by.
pub const PRODUCT: &str = concat!("Fanfare/", env!("CARGO_PKG_VERSION"));

/// The most of a verification's answer that is read, in bytes.
const ANSWER_MAX_BYTES: usize = 8 * 1024;
/// How long a connection to a callback is kept without use.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);
/// How often the metrics are tidied up.
const UPKEEP: Duration = Duration::from_secs(5);
/// Where the hash of the admin token is kept that was made at the first start.
const TOKEN_FILE: &str = "admin-token.sha256";
/// Where backups wait to be fetched.
const BACKUPS: &str = "backups";

/// A hub that runs.
pub struct App {
    /// The address that it listens on.
    pub address: SocketAddr,
    /// The hub.
    pub hub: Arc<Hub>,
    /// The admin token, if it was made just now: the only time that it can be shown.
    pub new_admin_token: Option<String>,
    /// Jobs that an earlier process left.
    pub taken_over: usize,
    store: SharedStore,
    spans: Option<Spans>,
    tracker: TaskTracker,
    stop: CancellationToken,
}

impl App {
    /// Builds the hub and starts it; when this returns, it takes requests.
    ///
    /// # Errors
    /// Says what stands in the way: the address, the data folder, a certificate file.
    pub async fn start(
        loaded: &Loaded,
        log: Arc<dyn Log>,
        metrics: PrometheusHandle,
    ) -> anyhow::Result<Self> {
        let config = &loaded.config;
        let store = open_store(config)?;
        let listener = TcpListener::bind(config.listen).await.with_context(|| {
            format!(
                "cannot listen on {}; choose another address with --listen",
                config.listen
            )
        })?;
        let address = listener.local_addr()?;
        let url = config.public_url(address).to_string();
        let (tracker, stop) = (TaskTracker::new(), CancellationToken::new());
        let tls = Tls::new(config.network.ca_file.as_deref())?;
        let endpoint = config.telemetry.otlp_endpoint.as_ref();
        let spans = endpoint
            .map(|endpoint| Spans::begin(endpoint, &tls))
            .transpose()?;
        let environment = Environment {
            store: Arc::clone(&store),
            clock: Clock::System,
            reach: reach(config)?,
            url,
            product: PRODUCT.to_owned(),
            traces: Traces::new(
                spans.as_ref().map(Spans::sink),
                config.telemetry.sample_one_in,
            ),
            tracker: tracker.clone(),
            stop: stop.clone(),
        };
        let hub = Arc::new(Hub::new(settings(config), environment));
        let taken_over = hub.start().await?;
        for source in &config.sources {
            let source = source.declared(hub.clock.now());
            match hub.put_source(source).await {
                Err(error @ SourceError::Needed { .. }) => {
                    tracing::error!(%error, "a source of the settings stays as it was");
                }
                declared => {
                    declared?;
                }
            }
        }
        // Last of all that can fail: a token that is made now is shown now or never.
        let (tokens, new_admin_token) = tokens(config)?;
        let backups = Arc::new(backups(config, Arc::clone(&store), hub.clock)?);
        let inspector = Inspector::new(config.inspector.clone(), hub.clock, stop.clone());
        let web = Web {
            hub: Arc::clone(&hub),
            inspector,
            backups: Arc::clone(&backups),
            log,
            limits: config.limits.clone(),
            tokens,
            metrics: Arc::new({
                let metrics = metrics.clone();
                move || metrics.render()
            }),
            settings: shown(loaded),
        };
        tracker.spawn(keep_up(metrics, backups, stop.clone()));
        let serving = crate::web::serve(listener, web, tracker.clone(), stop.clone());
        tracker.spawn(serving);
        Ok(Self {
            address,
            hub,
            new_admin_token,
            taken_over,
            store,
            spans,
            tracker,
            stop,
        })
    }

    /// Stops in order; waits for what is in flight at most until the deadline. False if something had to be cut off.
    ///
    /// # Errors
    /// The store's, if it cannot write out.
    pub async fn stop(self, deadline: Duration) -> anyhow::Result<bool> {
        self.stop.cancel();
        self.tracker.close();
        let drained = tokio::time::timeout(deadline, self.tracker.wait())
            .await
            .is_ok();
        self.store.close().await?;
        if let Some(spans) = self.spans {
            spans.end().await;
        }
        Ok(drained)
    }
}

async fn keep_up(metrics: PrometheusHandle, backups: Arc<Backups>, stop: CancellationToken) {
    while stop
        .run_until_cancelled(tokio::time::sleep(UPKEEP))
        .await
        .is_some()
    {
        metrics.run_upkeep();
        backups.tidy();
    }
}

/// Opens the store that the configuration names.
///
/// # Errors
/// The store's own words.
pub fn open_store(config: &Config) -> anyhow::Result<SharedStore> {
    let Engine::Sled = config.store.engine;
    let options = StoreOptions {
        cache_bytes: config.store.cache as u64,
        backlog: BacklogLimits {
            entries: config.delivery.backlog_publications as u64,
            bytes: config.delivery.backlog_bytes as u64,
            events: config.hooks.backlog_events as u64,
        },
    };
    Ok(Arc::new(SledStore::open(&config.data_dir, options)?))
}

/// Where backups of a store are made: in the data folder, with what stands there beside the database.
///
/// # Errors
/// If what an earlier process left cannot be removed.
pub fn backups(config: &Config, store: SharedStore, clock: Clock) -> anyhow::Result<Backups> {
    let folder = config.data_dir.join(BACKUPS);
    let beside = vec![config.data_dir.join(TOKEN_FILE)];
    Backups::new(folder.clone(), beside, store, clock)
        .with_context(|| format!("cannot remove {}", folder.display()))
}

fn settings(config: &Config) -> Settings {
    Settings {
        subscriptions: config.subscriptions.clone(),
        delivery: config.delivery.clone(),
        hooks: config.hooks.clone(),
        fetch: config.fetch.clone(),
        compat: config.compat.clone(),
        retention: config.retention.clone(),
        subscriptions_per_callback_host: config.limits.subscriptions_per_callback_host as u64,
        hooks_per_source: config.limits.hooks_per_source as u64,
        late_origins: config.telemetry.late_origins,
    }
}

/// The settings as the administrator sees them: those of each source behind the others.
fn shown(loaded: &Loaded) -> Vec<Setting> {
    let sources = loaded.sources().into_iter().flatten();
    let all = loaded.settings().into_iter().chain(sources);
    all.map(|setting| Setting {
        key: setting.key,
        value: setting.value,
        origin: setting.origin.to_string(),
    })
    .collect()
}

fn reach(config: &Config) -> anyhow::Result<Reach> {
    let tls = Tls::new(config.network.ca_file.as_deref())?;
    let callbacks = Arc::new(Guard::callbacks(allowed(
        config,
        &config.network.callbacks_allow,
    )));
    let topics = Arc::new(Guard::topics(allowed(config, &config.network.topics_allow)));
    let to_callbacks = Arc::new(Resolver::new(Arc::clone(&callbacks)));
    let to_topics = Arc::new(Resolver::new(Arc::clone(&topics)));
    let limits = FetchLimits {
        timeout: config.fetch.timeout,
        max_body: config.fetch.max_body,
        max_redirects: config.fetch.redirects,
    };
    let caller = Caller::new(
        Arc::clone(&to_callbacks),
        &tls,
        config.subscriptions.verify_timeout,
        ANSWER_MAX_BYTES,
        PRODUCT.to_owned(),
    )?;
    let dialer = Dialer::new(to_callbacks, config.delivery.timeout);
    let idle = SenderLimits {
        idle_per_origin: config.delivery.per_origin,
        idle_total: config.delivery.concurrency,
        idle_timeout: IDLE_TIMEOUT,
    };
    Ok(Reach {
        fetcher: Fetcher::new(to_topics, &tls, limits)?,
        caller,
        unchecked: Ways::new(dialer.clone(), tls.unchecked(), idle),
        ways: Ways::new(dialer, tls, idle),
        callbacks,
        topics,
    })
}

/// The networks that may be reached beyond public addresses: those of the setting, and on a developer's machine loopback.
fn allowed(config: &Config, named: &[IpNet]) -> Vec<IpNet> {
    let loopback = [
        IpNet::from(ipnet::Ipv4Net::new_assert([127, 0, 0, 0].into(), 8)),
        IpNet::from(ipnet::Ipv6Net::new_assert(
            std::net::Ipv6Addr::LOCALHOST,
            128,
        )),
    ];
    let own = config.loopback_only().then_some(loopback);
    named
        .iter()
        .copied()
        .chain(own.into_iter().flatten())
        .collect()
}

/// The tokens that are accepted. Without one in the settings, an admin token is made at the first start and its hash kept.
fn tokens(config: &Config) -> anyhow::Result<(Tokens, Option<String>)> {
    let publishers = config.auth.publisher_tokens.iter();
    let publishers = publishers.map(|token| sha256(token.expose())).collect();
    if let Some(token) = &config.auth.admin_token {
        let admin = sha256(token.expose());
        return Ok((Tokens::new(admin, publishers), None));
    }
    let file = config.data_dir.join(TOKEN_FILE);
    if file.exists() {
        let admin = read_hash(&file)?;
        return Ok((Tokens::new(admin, publishers), None));
    }
    let token = new_token();
    let admin = sha256(&token);
    let written = file.with_extension("new");
    std::fs::write(&written, hex::encode(admin) + "\n")
        .and_then(|()| std::fs::rename(&written, &file))
        .with_context(|| format!("cannot write {}", file.display()))?;
    Ok((Tokens::new(admin, publishers), Some(token)))
}

#[expect(
    clippy::disallowed_methods,
    reason = "made once, before there is a hub"
)]
fn new_token() -> String {
    hex::encode(rand::random::<[u8; 24]>())
}

fn read_hash(file: &Path) -> anyhow::Result<[u8; 32]> {
    let text =
        std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let bytes = hex::decode(text.trim())
        .ok()
        .and_then(|bytes| bytes.try_into().ok());
    bytes.with_context(|| {
        format!(
            "{} does not hold a token's hash; delete it to have a new admin token made",
            file.display()
        )
    })
}

fn sha256(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}
