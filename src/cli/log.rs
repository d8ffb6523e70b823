//! `fanfare log`: what a hub logs, shown and changed while it runs. In: a level, or none. Out: the level that is in effect.

use std::process::ExitCode;

use clap::Args;
use reqwest::Method;
use serde_json::{Value, json};

use super::remote::{Remote, RemoteArgs};
use super::table::cell;
use crate::config::LogFilter;

pub const EXAMPLE: &str = "\
Examples:
  fanfare log
  fanfare log debug
  fanfare log warn,fanfare::flow=debug
  fanfare log --reset

A change lasts until the hub ends; log.level in config.toml lasts longer.";

#[derive(Args, Debug)]
pub struct LogArgs {
    /// What to log from now on: off, error, warn, info, debug or trace; or levels for modules
    #[arg(value_parser = level, conflicts_with = "reset")]
    level: Option<String>,
    /// Log what the settings say again
    #[arg(long)]
    reset: bool,
    #[command(flatten)]
    remote: RemoteArgs,
}

/// Shows what is logged, after the change if one is asked for.
///
/// # Errors
/// If no answer came, or a refusal.
pub async fn run(args: &LogArgs) -> anyhow::Result<ExitCode> {
    let remote = Remote::new(&args.remote)?;
    let wish = match &args.level {
        Some(level) => Some(json!({ "level": level })),
        None => args.reset.then(|| json!({ "level": Value::Null })),
    };
    let method = match wish {
        Some(_) => Method::PUT,
        None => Method::GET,
    };
    let log = remote.ask(method, "api/v1/log", wish.as_ref()).await?;
    remote.show(&log, || cell(&log["level"]) + "\n")?;
    Ok(ExitCode::SUCCESS)
}

/// Reads an argument that says what to log.
fn level(text: &str) -> Result<String, String> {
    LogFilter::try_from(text.to_owned()).map(String::from)
}
