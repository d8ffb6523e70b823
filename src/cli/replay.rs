//! `fanfare replay`: what a source has raised since a time, sent to a hook once more.

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use reqwest::Method;
use serde_json::{Value, json};

use super::progress::{Progress, Whole};
use super::remote::{Remote, RemoteArgs};
use super::table::cell;

pub const EXAMPLE: &str = "\
Examples:
  fanfare replay 3 --since 2h --failed --wait
  fanfare replay 3 --since 2026-11-22T19:00:00Z";

/// How often is asked how far it has come.
const ASK_EVERY: Duration = Duration::from_millis(500);

#[derive(Args, Debug)]
pub struct ReplayArgs {
    /// The hook
    hook: u64,
    /// Since when: a time, or how long ago; with --failed since when it has failed
    #[arg(long, value_name = "TIME")]
    since: String,
    /// Only what it did not take (otherwise all that it asks for)
    #[arg(long)]
    failed: bool,
    /// Wait for the end; the exit code is 0 if all was delivered
    #[arg(long)]
    wait: bool,
    #[command(flatten)]
    remote: RemoteArgs,
}

/// Begins one, and waits for its end if that is wanted.
///
/// # Errors
/// If no answer came, or a refusal.
pub async fn run(args: &ReplayArgs) -> anyhow::Result<ExitCode> {
    let remote = Remote::new(&args.remote)?;
    let only = if args.failed { "failed" } else { "all" };
    let wish = json!({ "since": args.since, "only": only });
    let path = format!("api/v1/hooks/{}/replay", args.hook);
    let mut replay = remote.ask(Method::POST, &path, Some(&wish)).await?;
    let path = format!("api/v1/replays/{}", cell(&replay["id"]));
    if args.wait {
        let progress = Progress::begin("replaying", Whole::Open, args.remote.json);
        while replay["state"] == "running" {
            tokio::time::sleep(ASK_EVERY).await;
            replay = remote.ask(Method::GET, &path, None).await?;
            progress.at(replay["seen"].as_u64().unwrap_or_default());
        }
    }
    remote.show(&replay, || in_words(&replay))?;
    let is_well = replay["state"] != "stopped" && replay["failed"] == 0;
    Ok(match is_well {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

/// How far a replay has come, in one line.
pub fn in_words(replay: &Value) -> String {
    let [id, state, seen] = ["id", "state", "seen"].map(|key| cell(&replay[key]));
    let [delivered, failed] = ["delivered", "failed"].map(|key| cell(&replay[key]));
    let reason = replay["reason"].as_str();
    let reason = reason.map_or_else(String::new, |reason| format!(": {reason}"));
    format!("{id} {state}{reason}; {seen} seen, {delivered} delivered, {failed} failed\n")
}
