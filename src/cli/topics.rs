//! `fanfare topics`: the topics of a hub, listed, looked at, announced. In: a search, or topics. Out: what the hub knows of them.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::bail;
use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::Value;

use super::client;
use super::exit::Failure;
use super::publish::{self, receipt};
use super::remote::{Remote, RemoteArgs, with_query};
use super::table::{cell, each, members, table};
use crate::domain::notation;
use crate::domain::value::{TopicId, TopicUrl};

pub const EXAMPLE: &str = "\
Examples:
  fanfare topics list --search news
  fanfare topics show https://blog.example/feed.xml
  fanfare topics ping https://blog.example/feed.xml --wait";

#[derive(Args, Debug)]
pub struct TopicsArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Show topics, with how many subscribe and what the last fetch found
    List {
        /// Only those with this in their URL, whatever its case
        #[arg(long, value_name = "TEXT")]
        search: Option<String>,
        /// How many at most
        #[arg(long, value_name = "NUMBER", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
        limit: u32,
        #[command(flatten)]
        remote: RemoteArgs,
    },
    /// Show all that the hub knows of one topic
    Show {
        /// Its URL
        #[arg(value_parser = client::topic)]
        topic: TopicUrl,
        #[command(flatten)]
        remote: RemoteArgs,
    },
    /// Have the hub fetch topics now, and send on what is new
    Ping(PingArgs),
}

#[derive(Args, Debug)]
struct PingArgs {
    /// What has changed
    #[arg(value_name = "TOPIC", required = true, value_parser = publish::topic)]
    topics: Vec<TopicUrl>,
    /// Wait until every subscriber has got it, for 1m, or with --wait=5s for as long as that
    #[arg(long, value_name = "DURATION", num_args = 0..=1, require_equals = true,
          default_missing_value = "1m", value_parser = notation::parse_duration)]
    wait: Option<Duration>,
    #[command(flatten)]
    remote: RemoteArgs,
}

/// Does what is asked.
///
/// # Errors
/// If no answer came, or a refusal.
pub async fn run(args: &TopicsArgs) -> anyhow::Result<ExitCode> {
    match &args.verb {
        Verb::List {
            search,
            limit,
            remote,
        } => list(search.as_deref(), *limit, &Remote::new(remote)?).await?,
        Verb::Show { topic, remote } => {
            let remote = Remote::new(remote)?;
            let found = find(&remote, topic).await?;
            remote.show(&found, || in_words(&found))?;
        }
        Verb::Ping(args) => ping(args).await?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn list(search: Option<&str>, limit: u32, remote: &Remote<'_>) -> anyhow::Result<()> {
    let path = with_query("api/v1/topics", &[("search", search)]);
    remote.show_first(&path, limit as usize, listed).await
}

fn listed(topics: &Value) -> String {
    let rows = each(topics).map(|topic| {
        let [url, subscribers, alias] =
            ["url", "subscribers", "alias_of"].map(|key| cell(&topic[key]));
        let fetch = &topic["last_fetch"];
        let [at, outcome] = ["at", "outcome"].map(|key| cell(&fetch[key]));
        [url, subscribers, at, outcome, alias]
    });
    let rows: Vec<_> = rows.collect();
    table(
        ["TOPIC", "SUBSCRIBERS", "FETCHED", "OUTCOME", "ALIAS OF"],
        &rows,
    )
}

/// Topics are listed in the order of their ids, so the one in question is the first behind the id before its own.
async fn find(remote: &Remote<'_>, topic: &TopicUrl) -> anyhow::Result<Value> {
    let TopicId(id) = topic.id();
    let before = u128::from_be_bytes(id).wrapping_sub(1);
    let path = format!("api/v1/topics?limit=1&after={before:032x}");
    let page = remote.ask(Method::GET, &path, None).await?;
    let found = page["items"][0].clone();
    if found["id"] != topic.id().to_string() {
        bail!(Failure::not_found(format!(
            "the hub knows no topic {topic}; fanfare topics list shows those that it knows"
        )));
    }
    Ok(found)
}

fn in_words(topic: &Value) -> String {
    let mut topic = topic.clone();
    let fetch = &topic["last_fetch"];
    if !fetch.is_null() {
        let words = ["outcome", "at"].map(|key| cell(&fetch[key])).join(", ");
        topic["last_fetch"] = words.into();
    }
    members(&topic)
}

async fn ping(args: &PingArgs) -> anyhow::Result<()> {
    let remote = Remote::new(&args.remote)?;
    let topics: Vec<_> = args.topics.iter().collect();
    let answer = publish::announce(remote.client(), remote.hub(), &topics).await?;
    let Some(receipt) = answer.location() else {
        bail!("{} gives no receipt", answer.url);
    };
    let settled = match args.wait {
        Some(most) => {
            let (client, token) = (remote.client(), remote.token());
            Some(receipt::settled(client, &receipt, token, most, args.remote.json).await?)
        }
        None => None,
    };
    let shown = remote.ask(Method::GET, receipt.as_str(), None).await?;
    remote.show(&shown, || {
        let words = settled
            .as_ref()
            .map_or_else(String::new, receipt::Settled::in_words);
        format!("receipt: {receipt}\n{words}")
    })?;
    settled.map_or(Ok(()), receipt::Settled::into_result)
}
