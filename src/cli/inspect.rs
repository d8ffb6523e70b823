//! `fanfare inspect`: a callback address at a hub that runs. In: how it shall answer. Out: the address, and each request as it arrives
//! there.
//!
//! News goes to standard error, requests to standard output. The end, by Ctrl-C or `--count`, takes the address away again.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use clap::Args;
use reqwest::Method;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use super::client::printable;
use super::listen::{shown, verdict_in_words};
use super::remote::{Remote, RemoteArgs};
use super::say;
use super::signals::Signals;
use super::subscribe;
use crate::dialect::verdict::{Finding, Verdict, signatures};
use crate::domain::notation;
use crate::domain::value::{Secret, Timestamp};

pub const EXAMPLE: &str = "\
Examples:
  fanfare inspect
  fanfare inspect --secret \"$SECRET\" --count 1
  fanfare inspect --status 503 --delay 2s
      to see how a sender behaves whose receiver is in trouble

Verifications of a hub are answered, unless --no-challenge. Ctrl-C ends the address.";

/// How long the hub may take to end the address before we leave without that.
const FAREWELL: Duration = Duration::from_secs(5);
/// Between two tries to hear from the hub.
const PAUSE: Duration = Duration::from_secs(1);

#[derive(Args, Debug)]
pub struct InspectArgs {
    /// What it answers
    #[arg(long, value_name = "STATUS", default_value_t = 200, value_parser = clap::value_parser!(u16).range(200..=599))]
    status: u16,
    /// How long a sender waits for that, such as 2s; a minute at most
    #[arg(long, value_name = "DURATION", value_parser = notation::parse_duration)]
    delay: Option<Duration>,
    /// Do not repeat the challenge of a hub that asks whether it is wanted
    #[arg(long)]
    no_challenge: bool,
    /// Say what each signature is worth under this secret; it is not sent to the hub
    #[arg(long, value_name = "SECRET", value_parser = subscribe::secret)]
    secret: Option<Secret>,
    /// End after so many requests
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    /// Leave the address there at the end; it ends by itself
    #[arg(long)]
    keep: bool,
    #[command(flatten)]
    remote: RemoteArgs,
}

/// Shows what arrives until Ctrl-C, `--count`, or the end of the address.
///
/// # Errors
/// If the hub refuses, or if standard output ends.
pub async fn run(args: &InspectArgs) -> anyhow::Result<ExitCode> {
    let mut signals = Signals::new()?;
    let remote = Remote::new(&args.remote)?;
    let delay = args.delay.unwrap_or_default();
    let manners = json!({
        "status": args.status,
        "delay": notation::format_duration(delay),
        "challenge": !args.no_challenge,
    });
    let bin = remote
        .ask(Method::POST, "api/v1/inspector", Some(&manners))
        .await?;
    let (id, url) = (&bin["id"], &bin["url"]);
    let path = format!(
        "api/v1/inspector/{}",
        id.as_str().context("the hub has made no address")?
    );
    eprintln!(
        "send requests to {}",
        printable(url.as_str().unwrap_or_default())
    );
    let shown = tokio::select! {
        shown = show(args, &remote, &path) => shown,
        _ = signals.next() => Ok(()),
    };
    if !args.keep {
        let end = remote.ask(Method::DELETE, &path, None);
        tokio::select! {
            ended = timeout(FAREWELL, end) => match ended {
                Ok(Ok(_)) => eprintln!("the address has ended"),
                _ => eprintln!("the address is still there; it ends by itself"),
            },
            _ = signals.next() => {}
        }
    }
    shown.map(|()| ExitCode::SUCCESS)
}

/// Follows the address, from where it was left each time that the connection breaks.
async fn show(args: &InspectArgs, remote: &Remote<'_>, path: &str) -> anyhow::Result<()> {
    let (mut seen, mut left) = (0, args.count);
    loop {
        let mut events = remote.follow(&format!("{path}/live?after={seen}")).await?;
        while let Some(event) = events.next().await {
            if event.name == "end" {
                anyhow::bail!("the hub has ended the address");
            }
            let request: Value =
                serde_json::from_str(&event.data).context("the hub tells what is no JSON")?;
            seen = request["number"].as_u64().unwrap_or(seen);
            say(&told(args, request)?)?;
            left = left.map(|left| left - 1);
            if left == Some(0) {
                return Ok(());
            }
        }
        sleep(PAUSE).await;
    }
}

/// A request, as a line of JSON or in words.
fn told(args: &InspectArgs, mut request: Value) -> anyhow::Result<String> {
    let headers = headers(&request);
    let body = match (request["body"].as_str(), request["body_base64"].as_str()) {
        (Some(text), _) => text.as_bytes().to_vec(),
        (None, Some(encoded)) => BASE64_STANDARD.decode(encoded)?,
        (None, None) => Vec::new(),
    };
    let at = request["at"].as_str().and_then(Timestamp::parse);
    let is_cut = request["is_cut"] == true;
    let secret = args.secret.as_ref().filter(|_| !is_cut);
    let found = secret.map(|secret| signatures(&headers, &body, secret, at.unwrap_or_default()));
    if args.remote.json {
        if let Some(found) = &found {
            request["signature"] = Verdict::of(found).name().into();
        }
        return Ok(format!("{request}\n"));
    }
    Ok(in_words(&request, &headers, &body, found.as_deref()))
}

fn in_words(
    request: &Value,
    headers: &HeaderMap,
    body: &[u8],
    signatures: Option<&[Finding]>,
) -> String {
    let text = |name: &str| printable(request[name].as_str().unwrap_or_default());
    let query = request["query"].as_str();
    let query = query.map_or_else(String::new, |query| format!(" ?{}", printable(query)));
    let verdict = signatures.map_or_else(String::new, |found| {
        format!("  {}", verdict_in_words(found))
    });
    let mut words = format!(
        "{}  {}{query}  from {}  {} bytes  answered {}{verdict}\n",
        text("at"),
        text("method"),
        text("from"),
        request["size"],
        request["answered"]
    );
    for (name, value) in headers {
        let value = String::from_utf8_lossy(value.as_bytes());
        words += &format!("  {name}: {}\n", printable(&value));
    }
    match body.is_empty() {
        true => words + "\n",
        false => words + "\n" + &shown(body) + "\n\n",
    }
}

fn headers(request: &Value) -> HeaderMap {
    let listed = request["headers"].as_array().into_iter().flatten();
    let pair = |header: &Value| {
        let name = HeaderName::try_from(header["name"].as_str()?).ok()?;
        let value = HeaderValue::from_bytes(header["value"].as_str()?.as_bytes()).ok()?;
        Some((name, value))
    };
    let mut headers = HeaderMap::new();
    for (name, value) in listed.filter_map(pair) {
        headers.append(name, value);
    }
    headers
}
