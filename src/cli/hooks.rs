//! `fanfare hooks`: the hooks of a hub, listed, made, changed, tried out, ended.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::{Map, Value, json};

use super::publish::read;
use super::remote::{Remote, RemoteArgs, cell, table};
use crate::domain::source::SourceName;

pub const EXAMPLE: &str = "\
Examples:
  fanfare hooks add social https://you.example/hook --event 'report.*'
  fanfare hooks add octocat/hello-world --name slack --config url=https://hooks.slack.example/T1/B2/x --event push
  fanfare hooks edit 3 --ordered --rate 10
  fanfare hooks disable 3";

#[derive(Args, Debug)]
pub struct HooksArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Show all hooks that the token may read
    List {
        /// Only those of this source
        #[arg(long, value_parser = SourceName::parse)]
        source: Option<SourceName>,
        #[command(flatten)]
        remote: RemoteArgs,
    },
    /// Show all of one
    Show(OneArgs),
    /// Make one, and print its secret: the only time that it can be seen
    Add(AddArgs),
    /// Change what is named of one
    Edit(EditArgs),
    /// Let one get events from now on
    Enable(OneArgs),
    /// Let one get nothing any more, what waits for it included
    Disable(OneArgs),
    /// Give one another secret, and print it; the old one signs beside it for a while
    Rotate {
        /// This secret (otherwise one is made)
        #[arg(long)]
        secret: Option<String>,
        #[command(flatten)]
        one: OneArgs,
    },
    /// Tell one that it is there
    Ping(OneArgs),
    /// End one, with all that is kept of it
    Remove(OneArgs),
}

#[derive(Args, Debug)]
struct OneArgs {
    /// Its number
    id: u64,
    #[command(flatten)]
    remote: RemoteArgs,
}

#[derive(Args, Debug)]
struct AddArgs {
    /// Whose events it gets
    #[arg(value_parser = SourceName::parse)]
    source: SourceName,
    /// Where the requests go; not for a service
    #[arg(value_name = "URL")]
    to: Option<String>,
    /// A service, such as slack
    #[arg(
        long,
        value_name = "SERVICE",
        conflicts_with = "to",
        required_unless_present = "to"
    )]
    name: Option<String>,
    #[command(flatten)]
    fields: Fields,
    #[command(flatten)]
    remote: RemoteArgs,
}

#[derive(Args, Debug)]
struct EditArgs {
    /// Its number
    id: u64,
    /// Where the requests go
    #[arg(long, value_name = "URL")]
    to: Option<String>,
    #[command(flatten)]
    fields: Fields,
    #[command(flatten)]
    remote: RemoteArgs,
}

/// What may be said of a hook; the hub says what is wrong with it.
#[derive(Args, Debug)]
struct Fields {
    /// Which events, such as push, account.* or *; say it again for each
    #[arg(long = "event", value_name = "PATTERN")]
    events: Vec<String>,
    /// The layout of the requests, unless it is the source's: websub, mastodon, pleroma, muut, socialgateway
    #[arg(long)]
    dialect: Option<String>,
    /// json or form
    #[arg(long, value_name = "FORM")]
    content_type: Option<String>,
    /// What the requests are signed with (otherwise one is made)
    #[arg(long)]
    secret: Option<String>,
    /// dialect, both, or standard for Standard Webhooks
    #[arg(long)]
    signing: Option<String>,
    /// What a service needs to know; say it again for each
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
    config: Vec<(String, String)>,
    /// A header that is added; say it again for each
    #[arg(long = "header", value_name = "NAME=VALUE", value_parser = pair)]
    headers: Vec<(String, String)>,
    /// Only events that this lets through; empty for all
    #[arg(long)]
    filter: Option<String>,
    /// The file with the template of the body
    #[arg(long, value_name = "FILE")]
    template: Option<PathBuf>,
    /// The most deliveries in a second
    #[arg(long, value_name = "NUMBER")]
    rate: Option<u32>,
    /// One at a time, in their order (--ordered=false: side by side)
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    ordered: Option<bool>,
    /// Check the receiver's certificate (--verify-tls=false: do not)
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    verify_tls: Option<bool>,
}

/// Does what is asked.
///
/// # Errors
/// If no answer came, or a refusal.
pub async fn run(args: &HooksArgs) -> anyhow::Result<ExitCode> {
    match &args.verb {
        Verb::List { source, remote } => list(source.as_ref(), remote).await?,
        Verb::Show(one) => {
            let remote = Remote::new(&one.remote)?;
            let hook = remote.ask(Method::GET, &one.path(""), None).await?;
            remote.show(&hook, || members(&hook))?;
        }
        Verb::Add(args) => add(args).await?,
        Verb::Edit(args) => edit(args).await?,
        Verb::Enable(one) => tell(one, "/enable", None, "gets events from now on").await?,
        Verb::Disable(one) => tell(one, "/disable", None, "gets nothing any more").await?,
        Verb::Rotate { secret, one } => rotate(secret.as_deref(), one).await?,
        Verb::Ping(one) => tell(one, "/ping", None, "is told that it is there").await?,
        Verb::Remove(one) => {
            let remote = Remote::new(&one.remote)?;
            let gone = remote.ask(Method::DELETE, &one.path(""), None).await?;
            remote.show(&gone, || format!("Hook {} is no more.\n", one.id))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn list(source: Option<&SourceName>, remote: &RemoteArgs) -> anyhow::Result<()> {
    let remote = Remote::new(remote)?;
    let path = source.map_or_else(
        || "api/v1/hooks".to_owned(),
        |source| format!("api/v1/hooks?source={source}"),
    );
    let hooks = Value::Array(remote.list(&path).await?);
    remote.show(&hooks, || {
        let rows = hooks.as_array().into_iter().flatten().map(|hook| {
            let to = match hook["url"].is_null() {
                true => &hook["name"],
                false => &hook["url"],
            };
            let state = match (
                hook["active"] == true,
                hook["health"]["failing_since"].is_null(),
            ) {
                (false, _) => "disabled",
                (true, false) => "failing",
                (true, true) => "active",
            };
            let [id, source, events] = ["id", "source", "events"].map(|key| cell(&hook[key]));
            [id, source, state.to_owned(), cell(to), events]
        });
        let rows: Vec<_> = rows.collect();
        table(["ID", "SOURCE", "STATE", "TO", "EVENTS"], &rows)
    })
}

async fn add(args: &AddArgs) -> anyhow::Result<()> {
    let mut wish = args.fields.wish()?;
    wish["source"] = json!(args.source.as_str());
    if let Some(url) = &args.to {
        wish["url"] = json!(url);
    }
    if let Some(name) = &args.name {
        wish["name"] = json!(name);
    }
    let remote = Remote::new(&args.remote)?;
    let hook = remote
        .ask(Method::POST, "api/v1/hooks", Some(&wish))
        .await?;
    remote.show(&hook, || {
        let [id, source] = ["id", "source"].map(|key| cell(&hook[key]));
        let secret = hook["secret"].as_str().map_or_else(String::new, kept);
        format!("Hook {id} gets events of {source} from now on.\n{secret}")
    })
}

async fn edit(args: &EditArgs) -> anyhow::Result<()> {
    let mut wish = args.fields.wish()?;
    if let Some(url) = &args.to {
        wish["url"] = json!(url);
    }
    let remote = Remote::new(&args.remote)?;
    let path = format!("api/v1/hooks/{}", args.id);
    let hook = remote.ask(Method::PATCH, &path, Some(&wish)).await?;
    remote.show(&hook, || members(&hook))
}

async fn rotate(secret: Option<&str>, one: &OneArgs) -> anyhow::Result<()> {
    let wish = json!({ "secret": secret });
    let remote = Remote::new(&one.remote)?;
    let path = one.path("/rotate");
    let hook = remote.ask(Method::POST, &path, Some(&wish)).await?;
    remote.show(&hook, || kept(&cell(&hook["secret"])))
}

async fn tell(one: &OneArgs, what: &str, body: Option<&Value>, done: &str) -> anyhow::Result<()> {
    let remote = Remote::new(&one.remote)?;
    let answer = remote.ask(Method::POST, &one.path(what), body).await?;
    remote.show(&answer, || format!("Hook {} {done}.\n", one.id))
}

impl OneArgs {
    fn path(&self, below: &str) -> String {
        format!("api/v1/hooks/{}{below}", self.id)
    }
}

impl Fields {
    /// What was said, as the API takes it.
    fn wish(&self) -> anyhow::Result<Value> {
        let mut wish = Map::new();
        let texts = [
            ("dialect", &self.dialect),
            ("content_type", &self.content_type),
            ("secret", &self.secret),
            ("signing", &self.signing),
        ];
        for (name, text) in texts {
            wish.extend(text.as_ref().map(|text| (name.to_owned(), json!(text))));
        }
        if !self.events.is_empty() {
            wish.insert("events".into(), json!(self.events));
        }
        for (name, pairs) in [("config", &self.config), ("headers", &self.headers)] {
            let pairs: Map<_, _> = pairs
                .iter()
                .map(|(name, value)| (name.clone(), json!(value)))
                .collect();
            if !pairs.is_empty() {
                wish.insert(name.into(), pairs.into());
            }
        }
        if let Some(filter) = &self.filter {
            let given = Some(filter).filter(|filter| !filter.is_empty());
            wish.insert("filter".into(), json!(given));
        }
        if let Some(file) = &self.template {
            let text = String::from_utf8(read(file)?);
            let text = text.with_context(|| format!("{} is not UTF-8", file.display()))?;
            wish.insert("template".into(), json!(text));
        }
        if let Some(rate) = self.rate {
            wish.insert("rate".into(), json!(rate));
        }
        for (name, flag) in [("ordered", self.ordered), ("verify_tls", self.verify_tls)] {
            wish.extend(flag.map(|flag| (name.to_owned(), json!(flag))));
        }
        Ok(wish.into())
    }
}

/// The secret of a hook, for the only time.
fn kept(secret: &str) -> String {
    format!("secret: {secret}\n\nKeep it: it is not shown again.\n")
}

/// Each member on a line of its own.
pub fn members(value: &Value) -> String {
    let members = value.as_object().into_iter().flatten();
    members
        .map(|(name, value)| format!("{name}: {}\n", cell(value)))
        .collect()
}

/// Reads an argument that is a name and a value.
fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}
