//! `fanfare replays`: those of a hook, and an end to one. In: a hook, or a replay. Out: how far they have come.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::Value;
use uuid::Uuid;

use super::remote::{Remote, RemoteArgs};
use super::replay::in_words;
use super::table::{cell, each, table};

pub const EXAMPLE: &str = "\
Examples:
  fanfare replays list 3
  fanfare replays stop 019a5d3c-0f5e-7c11-b3a0-5d2f8e6a9b10";

#[derive(Args, Debug)]
pub struct ReplaysArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Show the replays of a hook, the newest first
    List {
        /// The hook
        hook: u64,
        #[command(flatten)]
        remote: RemoteArgs,
    },
    /// End a replay that runs; a request under way is the last
    Stop {
        /// The replay
        id: Uuid,
        #[command(flatten)]
        remote: RemoteArgs,
    },
}

/// Does what is asked.
///
/// # Errors
/// If no answer came, or a refusal.
pub async fn run(args: &ReplaysArgs) -> anyhow::Result<ExitCode> {
    match &args.verb {
        Verb::List { hook, remote } => {
            let remote = Remote::new(remote)?;
            let replays = remote.list(&format!("api/v1/hooks/{hook}/replays")).await?;
            let replays = Value::Array(replays);
            remote.show_table(&replays, || listed(&replays))?;
        }
        Verb::Stop { id, remote } => {
            let remote = Remote::new(remote)?;
            let path = format!("api/v1/replays/{id}");
            let stopped = remote.ask(Method::DELETE, &path, None).await?;
            remote.show(&stopped, || in_words(&stopped))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn listed(replays: &Value) -> String {
    const MEMBERS: [&str; 7] = [
        "id",
        "state",
        "since",
        "only",
        "seen",
        "delivered",
        "failed",
    ];
    const HEAD: [&str; 7] = [
        "ID",
        "STATE",
        "SINCE",
        "ONLY",
        "SEEN",
        "DELIVERED",
        "FAILED",
    ];
    let rows = each(replays);
    let rows: Vec<_> = rows
        .map(|replay| MEMBERS.map(|member| cell(&replay[member])))
        .collect();
    table(HEAD, &rows)
}
