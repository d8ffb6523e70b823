//! `fanfare serve`: runs the hub until it is told to stop.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;

use super::say;
use super::signals::Signals;
use crate::app::App;
use crate::config::{self, Flags, Loaded};
use crate::telemetry;

/// Where the settings come from, and the two that are set most often.
#[derive(Args, Clone, Debug, Default)]
pub struct SettingsFlags {
    /// The settings file; ./config.toml is read if it is there.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The address to listen on, such as 127.0.0.1:8080.
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<String>,
    /// The folder that keeps the data.
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<String>,
}

impl SettingsFlags {
    /// The effective settings.
    ///
    /// # Errors
    /// Every problem of the settings, with its place.
    pub fn load(&self) -> anyhow::Result<Loaded> {
        let flags = Flags {
            listen: self.listen.clone(),
            data_dir: self.data_dir.clone(),
        };
        Ok(config::load(
            self.config.as_deref(),
            config::environment(),
            flags,
        )?)
    }
}

/// Runs the hub until SIGTERM or SIGINT, then stops it in order; a second signal stops it at once.
///
/// # Errors
/// Says why the hub cannot start.
pub async fn run(flags: &SettingsFlags) -> anyhow::Result<ExitCode> {
    let loaded = flags.load()?;
    let config = &loaded.config;
    let log = Arc::new(telemetry::install_log(&config.log)?);
    let metrics = telemetry::install_metrics()?;
    // Secrets stand in the data folder, whoever made it.
    rustix::process::umask(rustix::fs::Mode::RWXG | rustix::fs::Mode::RWXO);
    if let Err(error) = rlimit::increase_nofile_limit(u64::MAX) {
        tracing::warn!(%error, "the limit on open files cannot be raised");
    }
    // The allocator asks for them; clearing 2 MiB for a few KB holds up deliveries, and the memory counts as used.
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::thread::disable_transparent_huge_pages(true) {
        tracing::debug!(%error, "huge pages stay on");
    }
    let mut signals = Signals::new()?;
    let app = App::start(&loaded, log, metrics).await?;
    // If nobody reads it, the hub runs all the same.
    let _ = say(&banner(&app, config.loopback_only()));
    tracing::info!(url = app.hub.url, address = %app.address, jobs = app.taken_over, "the hub is up");
    let name = signals.next().await;
    tracing::info!(signal = name, deadline = ?config.drain_timeout, "stopping; once more to stop at once");
    tokio::select! {
        stopped = app.stop(config.drain_timeout) => {
            let drained = stopped?;
            tracing::info!(drained, "stopped");
            Ok(ExitCode::SUCCESS)
        }
        name = signals.next() => {
            tracing::warn!(signal = name, "stopped at once");
            std::process::exit(130)
        }
    }
}

/// What to try next, as it can be typed here: with the program as it was called, and with the token that was just made.
fn banner(app: &App, loopback: bool) -> String {
    let url = &app.hub.url;
    let program = std::env::args().next();
    let program = program.as_deref().unwrap_or("fanfare");
    let token = app.new_admin_token.as_deref().unwrap_or("TOKEN");
    // A hub for others does not call this machine's loopback.
    let reached = match loopback {
        true => "",
        false => "--listen 0.0.0.0:9000 --callback https://YOU.example/hook ",
    };
    let mut text = format!(
        "Fanfare is up: {url}\n\n\
         Try it, each in a terminal of its own:\n  \
           {program} listen --hub {url} {reached}{url}topics/hello\n  \
           curl -X PUT {url}topics/hello -H 'Authorization: Bearer {token}' -H 'Content-Type: text/plain' -d 'Hello, world'\n"
    );
    if app.new_admin_token.is_some() {
        text += &format!(
            "\nThe admin token, shown this once (set auth.admin_token to choose your own):\n  {token}\n"
        );
    }
    if loopback {
        text += "\nThis is a developer's set-up: the hub is reached on loopback only, so callbacks and topics on loopback are allowed.\n";
    }
    text + "\n"
}
