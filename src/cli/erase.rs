//! `fanfare erase`: all that a hub keeps of a source or a callback, gone for good. In: which, and a word that it is meant. Out: what was
//! erased.

use std::io::{self, BufRead as _, IsTerminal as _};
use std::process::ExitCode;

use anyhow::bail;
use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::{Value, json};

use super::client;
use super::exit::Failure;
use super::progress::{Progress, Whole};
use super::remote::{Remote, RemoteArgs};
use crate::domain::source::SourceName;
use crate::domain::value::CallbackUrl;

pub const EXAMPLE: &str = "\
Examples:
  fanfare erase source social
  fanfare erase callback 'https://reader.example/hook?user=7' --yes

What is erased does not come back, but from a backup. It asks before, unless --yes is given.";

#[derive(Args, Debug)]
pub struct EraseArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Erase the events, receipts, hooks and deliveries of a source, and the subscriptions to it; it stays declared
    Source {
        /// Its name
        #[arg(value_parser = SourceName::parse)]
        name: SourceName,
        #[command(flatten)]
        how: HowArgs,
    },
    /// Erase the subscriptions and hooks of a callback, and what receipts say of it
    Callback {
        /// Its URL, exactly as it was subscribed
        #[arg(value_parser = client::callback)]
        callback: CallbackUrl,
        #[command(flatten)]
        how: HowArgs,
    },
}

#[derive(Args, Debug)]
struct HowArgs {
    /// Do not ask
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    remote: RemoteArgs,
}

/// Erases what is named, once it is clear that it is meant.
///
/// # Errors
/// If it is not meant; if no answer came, or a refusal.
pub async fn run(args: &EraseArgs) -> anyhow::Result<ExitCode> {
    let (wish, question, how) = match &args.verb {
        Verb::Source { name, how } => (
            json!({ "source": name.as_str() }),
            format!(
                "All events of {name} with their receipts, its hooks with their deliveries, and the subscriptions to it will be erased."
            ),
            how,
        ),
        Verb::Callback { callback, how } => (
            json!({ "callback": callback.as_str() }),
            format!(
                "The subscriptions and hooks of {} and what waits for them will be erased, and receipts will not name it any longer.",
                callback.as_str()
            ),
            how,
        ),
    };
    if !how.yes {
        confirm(&question)?;
    }
    let remote = Remote::patient(&how.remote, super::PATIENCE)?;
    let erasing = Progress::begin("erasing", Whole::One, how.remote.json);
    let erased = remote
        .ask(Method::POST, "api/v1/erasures", Some(&wish))
        .await?;
    drop(erasing);
    remote.show(&erased, || said(&erased))?;
    Ok(ExitCode::SUCCESS)
}

fn said(erased: &Value) -> String {
    let parts = [
        ("subscriptions", "subscription", "subscriptions"),
        ("requests", "unconfirmed request", "unconfirmed requests"),
        ("hooks", "hook", "hooks"),
        ("deliveries", "delivery", "deliveries"),
        ("events", "event", "events"),
        ("named", "place in receipts", "places in receipts"),
    ];
    let parts = parts.map(|(member, one, several)| match erased[member].as_u64() {
        Some(1) => format!("1 {one}"),
        count => format!("{} {several}", count.unwrap_or_default()),
    });
    format!("erased: {}\n", parts.join(", "))
}

/// Asks on the terminal; where there is none, nobody can say yes.
fn confirm(question: &str) -> anyhow::Result<()> {
    if !io::stdin().is_terminal() {
        bail!(Failure::usage(format!(
            "{question} Say --yes if that is meant; nothing was erased"
        )));
    }
    eprint!("{} Go on? [yes/no] ", client::printable(question));
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    match answer.trim() {
        "yes" => Ok(()),
        _ => bail!("nothing was erased"),
    }
}
