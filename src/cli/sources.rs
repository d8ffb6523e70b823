//! `fanfare sources`: the sources of a hub, listed, declared, dropped.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::{Value, json};

use super::remote::{Remote, RemoteArgs};
use super::table::{cell, each, table};
use crate::domain::event::EventName;
use crate::domain::source::{Dialect, SourceName};

pub const EXAMPLE: &str = "\
Examples:
  fanfare sources add social --dialect mastodon --private
  fanfare sources add blog --event post.published --event post.removed
  fanfare sources add octocat/hello-world --dialect socialgateway --inbound-secret \"$SECRET\"
  fanfare sources list
  fanfare sources remove blog";

#[derive(Args, Debug)]
pub struct SourcesArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Show all sources that the token may read
    List {
        #[command(flatten)]
        remote: RemoteArgs,
    },
    /// Declare a source, or change what is named of one
    Add(AddArgs),
    /// Drop a source, which must have no hooks
    Remove {
        /// Its name
        #[arg(value_parser = SourceName::parse)]
        name: SourceName,
        #[command(flatten)]
        remote: RemoteArgs,
    },
}

#[derive(Args, Debug)]
struct AddArgs {
    /// Its name: one segment, or two, such as octocat/hello-world
    #[arg(value_parser = SourceName::parse)]
    name: SourceName,
    /// The layout of its events: websub, mastodon, pleroma, muut, socialgateway
    #[arg(long, value_parser = dialect)]
    dialect: Option<Dialect>,
    /// An event of its own beside those of the dialect; say it again for each
    #[arg(long = "event", value_name = "NAME", value_parser = EventName::parse)]
    events: Vec<EventName>,
    /// Only who has a token may read its events (--private=false: everybody)
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", hide_possible_values = true, value_name = "BOOL")]
    private: Option<bool>,
    /// The key of the webhooks that come in for it; empty for none
    #[arg(long, value_name = "SECRET")]
    inbound_secret: Option<String>,
    #[command(flatten)]
    remote: RemoteArgs,
}

/// Does what is asked.
///
/// # Errors
/// If no answer came, or a refusal.
pub async fn run(args: &SourcesArgs) -> anyhow::Result<ExitCode> {
    match &args.verb {
        Verb::List { remote } => list(remote).await?,
        Verb::Add(args) => add(args).await?,
        Verb::Remove { name, remote } => {
            let remote = Remote::new(remote)?;
            let gone = remote.ask(Method::DELETE, &path(name), None).await?;
            remote.show(&gone, || format!("{name} is a source no longer.\n"))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn list(remote: &RemoteArgs) -> anyhow::Result<()> {
    let remote = Remote::new(remote)?;
    let sources = Value::Array(remote.list("api/v1/sources").await?);
    remote.show_table(&sources, || {
        let rows = each(&sources).map(|source| {
            let secret = match source["inbound_secret"].is_null() {
                true => "-",
                false => "signed",
            };
            let readers = match source["private"] == true {
                true => "token",
                false => "all",
            };
            let named = ["name", "dialect", "events"].map(|key| cell(&source[key]));
            let [name, dialect, events] = named;
            [name, dialect, readers.to_owned(), secret.to_owned(), events]
        });
        let rows: Vec<_> = rows.collect();
        table(["NAME", "DIALECT", "READERS", "INBOX", "OWN EVENTS"], &rows)
    })
}

async fn add(args: &AddArgs) -> anyhow::Result<()> {
    let mut wish = json!({});
    if let Some(dialect) = args.dialect {
        wish["dialect"] = json!(dialect);
    }
    if !args.events.is_empty() {
        wish["events"] = json!(args.events);
    }
    if let Some(private) = args.private {
        wish["private"] = json!(private);
    }
    if let Some(secret) = &args.inbound_secret {
        let given = Some(secret).filter(|secret| !secret.is_empty());
        wish["inbound_secret"] = json!(given);
    }
    let remote = Remote::new(&args.remote)?;
    let source = remote
        .ask(Method::PUT, &path(&args.name), Some(&wish))
        .await?;
    remote.show(&source, || {
        let [name, topics, inbox] = ["name", "topics", "inbox"].map(|key| cell(&source[key]));
        format!("{name} is a source.\nevents: {topics}<event>\ninbox: {inbox}\n")
    })
}

fn path(name: &SourceName) -> String {
    format!("api/v1/sources/{name}")
}

/// Reads an argument that is a dialect.
fn dialect(text: &str) -> Result<Dialect, String> {
    let known = Dialect::ALL.map(Dialect::name).join(", ");
    Dialect::parse(text).ok_or_else(|| format!("write one of {known}"))
}
