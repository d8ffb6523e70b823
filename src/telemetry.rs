//! What the hub tells its operator: log lines on standard error, and metrics. Nothing else installs globals.

use anyhow::Context as _;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use std::io::IsTerminal as _;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt;

use crate::config::{LogFormat, LogSettings};

/// The buckets of durations, in seconds.
const SECONDS: [f64; 12] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 10.0,
];

/// Sends log lines to standard error, as the settings want them.
///
/// # Errors
/// If something else has done so before.
pub fn install_log(settings: &LogSettings) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(settings.level.as_str()).context("log.level")?;
    let lines = fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    let installed = match settings.format {
        LogFormat::Text => lines.try_init(),
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
    };
    installed.map_err(|error| anyhow::anyhow!("the log cannot be installed: {error}"))
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
