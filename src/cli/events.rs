//! `fanfare events raise`: a payload in, an event of a source out; and what becomes of it.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use serde::de::IgnoredAny;

use super::publish::read;
use super::remote::{Remote, RemoteArgs};
use super::table::cell;
use crate::domain::event::EventName;
use crate::domain::source::SourceName;

pub const EXAMPLE: &str = "\
Examples:
  echo '{\"title\": \"Hello\"}' | fanfare events raise blog post.published
  fanfare events raise octocat/hello-world push push.json --key \"$GUID\"
  fanfare events raise blog post.published backlog.ndjson --lines";

/// Names a request, so that it counts once.
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

#[derive(Args, Debug)]
pub struct EventsArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Raise an event of a source, or several
    Raise(RaiseArgs),
}

#[derive(Args, Debug)]
struct RaiseArgs {
    /// Whose event it is
    #[arg(value_parser = SourceName::parse)]
    source: SourceName,
    /// What has happened
    #[arg(value_parser = EventName::parse)]
    event: EventName,
    /// The file with the payload; - is standard input
    #[arg(value_name = "FILE", default_value = "-")]
    file: PathBuf,
    /// Each line is an event (otherwise the file is one JSON object, or an array of several)
    #[arg(long)]
    lines: bool,
    /// Names this request: sent again with the same key, it counts once
    #[arg(long, value_name = "KEY")]
    key: Option<HeaderValue>,
    #[command(flatten)]
    remote: RemoteArgs,
}

/// Does what is asked.
///
/// # Errors
/// If the payload cannot be read, no answer came, or a refusal.
pub async fn run(args: &EventsArgs) -> anyhow::Result<ExitCode> {
    let Verb::Raise(args) = &args.verb;
    raise(args).await?;
    Ok(ExitCode::SUCCESS)
}

/// Whether it is no JSON as a whole, and its first line is.
fn is_lines(content: &[u8]) -> bool {
    let is_json = |text: &[u8]| serde_json::from_slice::<IgnoredAny>(text).is_ok();
    let first = content.split(|byte| *byte == b'\n').next();
    !is_json(content) && first.is_some_and(is_json)
}

async fn raise(args: &RaiseArgs) -> anyhow::Result<()> {
    let file: &Path = &args.file;
    let content = read(file)?;
    let media_type = match args.lines {
        true => "application/x-ndjson",
        false => "application/json",
    };
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.extend(args.key.clone().map(|key| (IDEMPOTENCY_KEY, key)));
    let remote = Remote::new(&args.remote)?;
    let path = format!("{}/events/{}", args.source, args.event);
    let forgot_lines = !args.lines && is_lines(&content);
    let sent = remote.send(Method::POST, &path, headers, content).await;
    let raised = sent.map_err(|error| match forgot_lines {
        true => error.context("one event on each line takes --lines"),
        false => error,
    })?;
    remote.show(&raised, || {
        let [events, receipt] = ["events", "receipt"].map(|key| cell(&raised[key]));
        format!("{events} raised.\nreceipt: {receipt}\n")
    })
}
