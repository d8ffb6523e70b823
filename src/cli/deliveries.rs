//! `fanfare deliveries`: what a hook was sent and what it answered, and one of them once more.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::Value;

use super::remote::{Remote, RemoteArgs};
use super::table::{cell, each, members, table};

pub const EXAMPLE: &str = "\
Examples:
  fanfare deliveries list 3 --failed
  fanfare deliveries show 3 17
  fanfare deliveries redeliver 3 17";

#[derive(Args, Debug)]
pub struct DeliveriesArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Show the latest deliveries of a hook, the newest first
    List {
        /// The hook
        hook: u64,
        /// Only those that it did not take
        #[arg(long)]
        failed: bool,
        /// How many at most
        #[arg(long, value_name = "NUMBER", default_value_t = 30, value_parser = clap::value_parser!(u16).range(1..=1000))]
        limit: u16,
        #[command(flatten)]
        remote: RemoteArgs,
    },
    /// Show one delivery, with its request and its response
    Show(OneArgs),
    /// Send one delivery again, to the hook as it stands now
    Redeliver(OneArgs),
}

#[derive(Args, Debug)]
struct OneArgs {
    /// The hook
    hook: u64,
    /// The delivery
    delivery: u64,
    #[command(flatten)]
    remote: RemoteArgs,
}

/// Does what is asked.
///
/// # Errors
/// If no answer came, or a refusal.
pub async fn run(args: &DeliveriesArgs) -> anyhow::Result<ExitCode> {
    match &args.verb {
        Verb::List {
            hook,
            failed,
            limit,
            remote,
        } => {
            let status = if *failed { "&status=failure" } else { "" };
            let path = format!("api/v1/hooks/{hook}/deliveries?limit={limit}{status}");
            let remote = Remote::new(remote)?;
            let page = remote.ask(Method::GET, &path, None).await?;
            remote.show_table(&page["items"], || listed(&page["items"]))?;
        }
        Verb::Show(one) => {
            let remote = Remote::new(&one.remote)?;
            let delivery = remote.ask(Method::GET, &one.path(), None).await?;
            remote.show(&delivery, || members(&delivery))?;
        }
        Verb::Redeliver(one) => {
            let remote = Remote::new(&one.remote)?;
            let path = format!("{}/redeliver", one.path());
            let begun = remote.ask(Method::POST, &path, None).await?;
            let (hook, delivery) = (one.hook, one.delivery);
            remote.show(&begun, || {
                format!("Hook {hook} is sent {delivery} again; fanfare deliveries list {hook} shows what comes of it.\n")
            })?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn listed(items: &Value) -> String {
    let rows = each(items).map(|item| {
        let answer = match item["status"].is_null() {
            true => &item["failure"],
            false => &item["status"],
        };
        let again = if item["redelivery"] == true {
            "yes"
        } else {
            "-"
        };
        let [id, at, event, millis] = ["id", "at", "event", "millis"].map(|key| cell(&item[key]));
        [id, at, event, cell(answer), millis, again.to_owned()]
    });
    let rows: Vec<_> = rows.collect();
    table(["ID", "AT", "EVENT", "ANSWER", "MS", "AGAIN"], &rows)
}

impl OneArgs {
    fn path(&self) -> String {
        format!("api/v1/hooks/{}/deliveries/{}", self.hook, self.delivery)
    }
}
