//! `fanfare subscriptions`: the subscriptions of a hub, listed, looked at, ended. In: a search, or an id. Out: what the hub knows of
//! them, never a secret.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::{Value, json};

use super::client;
use super::remote::{Remote, RemoteArgs, with_query};
use super::table::{cell, each, members, table};
use crate::domain::value::{TargetId, TopicUrl};

pub const EXAMPLE: &str = "\
Examples:
  fanfare subscriptions list --callback-host reader.example
  fanfare subscriptions list --topic https://blog.example/feed.xml --json
  fanfare subscriptions show 767352e50be5a133a854fc43270458bc3af69ce71ce32cb41263945fd5b653cf
  fanfare subscriptions deny 767352e50be5a133a854fc43270458bc3af69ce71ce32cb41263945fd5b653cf \\
      --reason 'the callback has been down for a month'
  fanfare subscriptions remove 767352e50be5a133a854fc43270458bc3af69ce71ce32cb41263945fd5b653cf";

#[derive(Args, Debug)]
pub struct SubscriptionsArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Show subscriptions, with what waits for them
    List(ListArgs),
    /// Show all that the hub knows of one subscription
    Show(OneArgs),
    /// End a subscription, and tell its callback why
    Deny {
        /// What the callback is told; without one, that the administrator has ended it
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
        #[command(flatten)]
        one: OneArgs,
    },
    /// End a subscription, without a word to its callback
    Remove(OneArgs),
}

#[derive(Args, Debug)]
struct ListArgs {
    /// Only those with this in the URL of topic or callback, whatever its case
    #[arg(long, value_name = "TEXT")]
    search: Option<String>,
    /// Only those to this topic
    #[arg(long, value_name = "URL", value_parser = client::topic)]
    topic: Option<TopicUrl>,
    /// Only those whose callback is on this host
    #[arg(long, value_name = "HOST")]
    callback_host: Option<String>,
    /// How many at most
    #[arg(long, value_name = "NUMBER", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
    #[command(flatten)]
    remote: RemoteArgs,
}

#[derive(Args, Debug)]
struct OneArgs {
    /// Its id, of 64 hexadecimal digits
    #[arg(value_parser = target)]
    id: TargetId,
    #[command(flatten)]
    remote: RemoteArgs,
}

/// Does what is asked.
///
/// # Errors
/// If no answer came, or a refusal.
pub async fn run(args: &SubscriptionsArgs) -> anyhow::Result<ExitCode> {
    match &args.verb {
        Verb::List(args) => list(args).await?,
        Verb::Show(one) => {
            let remote = Remote::new(&one.remote)?;
            let found = remote.ask(Method::GET, &one.path(), None).await?;
            remote.show(&found, || members(&found))?;
        }
        Verb::Deny { reason, one } => deny(reason.as_deref(), one).await?,
        Verb::Remove(one) => {
            let remote = Remote::new(&one.remote)?;
            let gone = remote.ask(Method::DELETE, &one.path(), None).await?;
            remote.show(&gone, || {
                format!("{} is over; its callback is told nothing.\n", one.id)
            })?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn list(args: &ListArgs) -> anyhow::Result<()> {
    let query = [
        ("search", args.search.as_deref()),
        ("topic", args.topic.as_ref().map(TopicUrl::as_str)),
        ("callback_host", args.callback_host.as_deref()),
    ];
    let path = with_query("api/v1/subscriptions", &query);
    let remote = Remote::new(&args.remote)?;
    remote.show_first(&path, args.limit as usize, listed).await
}

fn listed(subscriptions: &Value) -> String {
    let members = ["id", "topic", "callback", "expires_at", "in_backlog"];
    let rows = each(subscriptions).map(|row| members.map(|member| cell(&row[member])));
    let rows: Vec<_> = rows.collect();
    table(["ID", "TOPIC", "CALLBACK", "EXPIRES", "BACKLOG"], &rows)
}

async fn deny(reason: Option<&str>, one: &OneArgs) -> anyhow::Result<()> {
    let wish = reason.map_or_else(|| json!({}), |reason| json!({ "reason": reason }));
    let remote = Remote::new(&one.remote)?;
    let path = format!("{}/deny", one.path());
    let denied = remote.ask(Method::POST, &path, Some(&wish)).await?;
    remote.show(&denied, || {
        let [topic, callback, reason] =
            ["topic", "callback", "reason"].map(|key| cell(&denied[key]));
        format!("The subscription of {callback} to {topic} is over; it is told: {reason}\n")
    })
}

impl OneArgs {
    fn path(&self) -> String {
        format!("api/v1/subscriptions/{}", self.id)
    }
}

/// Reads an argument that is the id of a subscription.
fn target(text: &str) -> Result<TargetId, String> {
    let id = TargetId::parse(text);
    id.ok_or_else(|| {
        "an id has 64 hexadecimal digits; fanfare subscriptions list shows them".to_owned()
    })
}
