//! `fanfare tokens`: what a hub's tokens may, given out and taken back.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use super::remote::{Remote, RemoteArgs};
use super::table::{cell, each, table};
use crate::domain::event::EventPattern;
use crate::domain::token::{Role, SourcePattern};

pub const EXAMPLE: &str = "\
Examples:
  fanfare tokens add 'the blog' --role publisher --source blog --expires-in 365d
  fanfare tokens add moderation --role manager --source social \\
      --event 'account.*' --event 'report.*'
  fanfare tokens list
  fanfare tokens remove 01a204cd-5d6f-72c9-9a59-e8591bfc4a95";

#[derive(Args, Debug)]
pub struct TokensArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Show all tokens that were given out; not their texts, which the hub does not know
    List {
        #[command(flatten)]
        remote: RemoteArgs,
    },
    /// Give out a token, and print it: the only time that it can be seen
    Add(AddArgs),
    /// Take a token back; it is worth nothing at once
    Remove {
        /// Its id
        id: Uuid,
        #[command(flatten)]
        remote: RemoteArgs,
    },
}

#[derive(Args, Debug)]
struct AddArgs {
    /// What to know it by
    name: String,
    /// What it is for: reader, publisher, manager, admin; each may all that those before it may
    #[arg(long, value_parser = role)]
    role: Role,
    /// A source, octocat/* for all of an owner, or * for all; say it again for each
    #[arg(long = "source", value_name = "SOURCE", required = true, value_parser = source)]
    sources: Vec<String>,
    /// Only these events, such as account.*; say it again for each
    #[arg(long = "event", value_name = "EVENT", value_parser = event)]
    events: Vec<String>,
    /// When it ends, such as 365d; without this, never
    #[arg(long, value_name = "DURATION")]
    expires_in: Option<String>,
    #[command(flatten)]
    remote: RemoteArgs,
}

/// Does what is asked.
///
/// # Errors
/// If no answer came, or a refusal.
pub async fn run(args: &TokensArgs) -> anyhow::Result<ExitCode> {
    match &args.verb {
        Verb::List { remote } => list(remote).await?,
        Verb::Add(args) => add(args).await?,
        Verb::Remove { id, remote } => {
            let remote = Remote::new(remote)?;
            let path = format!("api/v1/tokens/{id}");
            let gone = remote.ask(Method::DELETE, &path, None).await?;
            remote.show(&gone, || format!("{id} is worth nothing any longer.\n"))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn list(remote: &RemoteArgs) -> anyhow::Result<()> {
    let remote = Remote::new(remote)?;
    let tokens = Value::Array(remote.list("api/v1/tokens").await?);
    remote.show_table(&tokens, || {
        let rows = each(&tokens).map(|token| {
            ["id", "name", "role", "sources", "events", "expires_at"].map(|key| cell(&token[key]))
        });
        let rows: Vec<_> = rows.collect();
        table(
            ["ID", "NAME", "ROLE", "SOURCES", "EVENTS", "EXPIRES"],
            &rows,
        )
    })
}

async fn add(args: &AddArgs) -> anyhow::Result<()> {
    let wish = json!({
        "name": args.name,
        "role": args.role,
        "sources": args.sources,
        "events": args.events,
        "expires_in": args.expires_in,
    });
    let remote = Remote::new(&args.remote)?;
    let issued = remote
        .ask(Method::POST, "api/v1/tokens", Some(&wish))
        .await?;
    remote.show(&issued, || {
        let [token, id] = ["token", "id"].map(|key| cell(&issued[key]));
        format!("{token}\n\nKeep it: it is not shown again. To take it back: fanfare tokens remove {id}\n")
    })
}

/// Reads an argument that is a role.
fn role(text: &str) -> Result<Role, String> {
    let known = Role::ALL.map(Role::name).join(", ");
    Role::parse(text).ok_or_else(|| format!("write one of {known}"))
}

/// Reads an argument that names sources.
fn source(text: &str) -> Result<String, String> {
    let pattern = SourcePattern::parse(text).map_err(|error| error.to_string())?;
    Ok(pattern.to_string())
}

/// Reads an argument that names events.
fn event(text: &str) -> Result<String, String> {
    let pattern = EventPattern::parse(text).map_err(|error| error.to_string())?;
    Ok(pattern.to_string())
}
