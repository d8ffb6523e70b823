//! What the hub tells its operator: log lines on standard error, metrics, and traces. Nothing else installs globals.

pub mod otlp;

use std::io::IsTerminal as _;
use std::sync::{Mutex, PoisonError};

use anyhow::Context as _;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt;

use crate::config::{LogFilter, LogFormat, LogSettings};
use crate::web;

/// The buckets of durations, in seconds.
const SECONDS: [f64; 12] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 10.0,
];

/// The log, which can be told to log something else.
pub struct Log {
    settings: LogFilter,
    now: Mutex<LogFilter>,
    reload: Reload,
}

/// Puts a filter in the place of the one before.
type Reload = Box<dyn Fn(EnvFilter) -> Result<(), String> + Send + Sync>;

/// Sends log lines to standard error, as the settings want them.
///
/// # Errors
/// If something else has done so before.
pub fn install_log(settings: &LogSettings) -> anyhow::Result<Log> {
    let filter = EnvFilter::try_new(settings.level.as_str()).context("log.level")?;
    let lines = fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    let (installed, reload): (_, Reload) = match settings.format {
        LogFormat::Text => {
            let lines = lines.with_filter_reloading();
            let handle = lines.reload_handle();
            let reload = move |filter| handle.reload(filter).map_err(|error| error.to_string());
            (lines.try_init(), Box::new(reload))
        }
        LogFormat::Json => {
            let lines = lines.json().flatten_event(true).with_filter_reloading();
            let handle = lines.reload_handle();
            let reload = move |filter| handle.reload(filter).map_err(|error| error.to_string());
            (lines.try_init(), Box::new(reload))
        }
    };
    installed.map_err(|error| anyhow::anyhow!("the log cannot be installed: {error}"))?;
    Ok(Log {
        settings: settings.level.clone(),
        now: Mutex::new(settings.level.clone()),
        reload,
    })
}

impl web::Log for Log {
    fn level(&self) -> String {
        let now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        now.as_str().to_owned()
    }

    fn set(&self, level: Option<&str>) -> Result<(), String> {
        let level = match level {
            Some(text) => LogFilter::try_from(text.to_owned())?,
            None => self.settings.clone(),
        };
        let filter = EnvFilter::try_new(level.as_str()).map_err(|error| error.to_string())?;
        let mut now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        (self.reload)(filter)?;
        *now = level;
        Ok(())
    }
}

/// Begins to collect metrics. What comes back renders them for Prometheus; its `run_upkeep` must be called from time to time,
/// as each histogram keeps every value until then.
///
/// # Errors
/// If something else collects them already.
pub fn install_metrics() -> anyhow::Result<PrometheusHandle> {
    PrometheusBuilder::new()
        .set_buckets(&SECONDS)
        .context("the buckets of the metrics")?
        .install_recorder()
        .context("the metrics cannot be installed")
}
