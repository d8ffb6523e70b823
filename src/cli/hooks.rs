//! `fanfare hooks`: the hooks of a hub, listed, made, changed, tried out, ended.

mod fields;
mod preview;

use std::process::ExitCode;

use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::{Value, json};

use self::fields::Fields;
use self::preview::PreviewArgs;
use super::remote::{Remote, RemoteArgs};
use super::table::{cell, each, members, table};
use crate::domain::source::SourceName;

pub const EXAMPLE: &str = "\
Examples:
  fanfare hooks add social https://you.example/hook --event 'report.*'
  fanfare hooks add octocat/hello-world --name slack --event push \\
      --config url=https://hooks.slack.example/T1/B2/x
  fanfare hooks preview social https://you.example/hook --event 'report.*' --template body.txt
  fanfare hooks edit 3 --ordered --rate 10
  fanfare hooks edit 3 --rate 0 --template '' --secret ''
  fanfare hooks disable 3
  fanfare hooks enable 3
  fanfare hooks list --source social
  fanfare hooks show 3 --json
  fanfare hooks rotate 3
  fanfare hooks ping 3
  fanfare hooks remove 3";

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
    /// Show all of one hook, but for its secret
    Show(OneArgs),
    /// Make a hook, and print its secret: the only time that it can be seen
    Add(AddArgs),
    /// Show what a hook would be sent, and make none
    Preview(PreviewArgs),
    /// Change what is named of a hook
    Edit(EditArgs),
    /// Send a hook events from now on
    Enable(OneArgs),
    /// Send a hook nothing until it is enabled again, not even what waits for it
    Disable(OneArgs),
    /// Give a hook another secret, and print it; the old one signs beside it for a while
    Rotate {
        /// This secret (otherwise one is made)
        #[arg(long)]
        secret: Option<String>,
        #[command(flatten)]
        one: OneArgs,
    },
    /// Send a hook a ping; its deliveries show what it answers
    Ping(OneArgs),
    /// End a hook, with all that is kept of it
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
        Verb::Preview(args) => preview::run(args).await?,
        Verb::Edit(args) => edit(args).await?,
        Verb::Enable(one) => tell(one, "/enable", None, "gets events from now on").await?,
        Verb::Disable(one) => tell(one, "/disable", None, "gets nothing any more").await?,
        Verb::Rotate { secret, one } => rotate(secret.as_deref(), one).await?,
        Verb::Ping(one) => {
            let done = format!(
                "is pinged; fanfare deliveries list {} shows what it answers",
                one.id
            );
            tell(one, "/ping", None, &done).await?;
        }
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
    remote.show_table(&hooks, || {
        let rows = each(&hooks).map(|hook| {
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
    let wish = args.wish()?;
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

impl AddArgs {
    fn wish(&self) -> anyhow::Result<Value> {
        let mut wish = self.fields.wish()?;
        wish["source"] = json!(self.source.as_str());
        for (name, text) in [("url", &self.to), ("name", &self.name)] {
            if let Some(text) = text {
                wish[name] = json!(text);
            }
        }
        Ok(wish)
    }
}

impl OneArgs {
    fn path(&self, below: &str) -> String {
        format!("api/v1/hooks/{}{below}", self.id)
    }
}

/// The secret of a hook, for the only time.
fn kept(secret: &str) -> String {
    format!("secret: {secret}\n\nKeep it: it is not shown again.\n")
}
