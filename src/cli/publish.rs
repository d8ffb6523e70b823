//! `fanfare publish`: topics that have changed in, or new content of one topic; a ping (HUB-79) or the content goes to the
//! hub, and its answer, with the receipt where the hub gives one, comes out.

pub mod receipt;

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Args;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue, LINK};
use serde_json::json;
use url::Url;

use self::receipt::Settled;
use super::client::{self, Answer, Client};
use super::discover::{discover, place};
use super::exit::Failure;
use super::say;
use crate::domain::value::TopicUrl;
use crate::domain::{link, notation};

pub const EXAMPLE: &str = "\
Examples:
  fanfare publish https://blog.example/feed.xml
      the hub fetches the feed and sends it on
  fanfare publish --content news.json --type application/json --hub http://127.0.0.1:8080/ --wait \\
      https://blog.example/news
      the hub sends this content on; a token stands in FANFARE_TOKEN";

#[derive(Args, Debug)]
pub struct PublishArgs {
    /// The hub; without one, each topic is asked which hubs it uses
    #[arg(long, value_name = "URL", env = "FANFARE_URL", hide_env_values = true, value_parser = client::hub)]
    hub: Option<Url>,
    /// What has changed
    #[arg(value_name = "TOPIC", required = true, value_parser = topic)]
    topics: Vec<TopicUrl>,
    /// Push the content in this file (- is standard input) instead of having the hub fetch it
    #[arg(long, value_name = "FILE", requires = "content_type")]
    content: Option<PathBuf>,
    /// The content's media type, such as application/atom+xml
    #[arg(long = "type", value_name = "TYPE", requires = "content", value_parser = media_type)]
    content_type: Option<HeaderValue>,
    /// A publisher's or the administrator's token of the hub
    #[arg(
        long,
        value_name = "TOKEN",
        env = "FANFARE_TOKEN",
        hide_env_values = true
    )]
    token: Option<String>,
    /// Wait until every subscriber has got it, for 1m, or with --wait=5s for as long as that
    #[arg(long, value_name = "DURATION", num_args = 0..=1, require_equals = true,
          default_missing_value = "1m", value_parser = notation::parse_duration)]
    wait: Option<Duration>,
    /// Print a line of JSON for each hub, for programs
    #[arg(long)]
    json: bool,
}

/// Publishes.
///
/// # Errors
/// If there is no hub, no answer, or a refusal; with `--wait`, if not every subscriber has got it.
pub async fn run(args: &PublishArgs) -> anyhow::Result<ExitCode> {
    let client = Client::new()?;
    let answers = match &args.content {
        Some(file) => vec![push(&client, args, file).await?],
        None => ping(&client, args).await?,
    };
    for answer in &answers {
        tell(&client, args, answer).await?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Says what a hub has answered, and if that is wanted what became of it.
async fn tell(client: &Client, args: &PublishArgs, answer: &Answer) -> anyhow::Result<()> {
    let receipt = answer.location();
    if !args.json {
        let mut text = format!("{} accepted it ({}).\n", answer.url, answer.status.as_u16());
        if let Some(receipt) = &receipt {
            text += &format!("receipt: {receipt}\n");
        }
        say(&text)?;
    }
    let settled = match (&receipt, args.wait) {
        (Some(receipt), Some(most)) => {
            let token = args.token.as_deref();
            Some(receipt::settled(client, receipt, token, most, args.json).await?)
        }
        _ => None,
    };
    match (&settled, args.json) {
        (settled, true) => {
            let line = json!({
                "hub": answer.url.as_str(),
                "status": answer.status.as_u16(),
                "receipt": receipt.as_ref().map(Url::as_str),
                "receipts": settled.as_ref().map(Settled::receipts),
            });
            say(&format!("{line}\n"))?;
        }
        (Some(settled), false) => say(&settled.in_words())?,
        (None, false) => {}
    }
    match (settled, args.wait) {
        (Some(settled), _) => settled.into_result(),
        (None, Some(_)) => bail!("{} gives no receipt to wait for", answer.url),
        (None, None) => Ok(()),
    }
}

/// Tells each hub once of all its topics.
async fn ping(client: &Client, args: &PublishArgs) -> anyhow::Result<Vec<Answer>> {
    let mut pings: Vec<(Url, Vec<&TopicUrl>)> = Vec::new();
    for topic in &args.topics {
        let hubs: Vec<Url> = match &args.hub {
            Some(hub) => vec![hub.clone()],
            None => discover(client, topic).await?.hubs().collect(),
        };
        if hubs.is_empty() {
            bail!("{topic} names no hub; name one with --hub");
        }
        for hub in hubs {
            match pings.iter_mut().find(|(known, _)| *known == hub) {
                Some((_, topics)) => topics.push(topic),
                None => pings.push((hub, vec![topic])),
            }
        }
    }
    let mut answers = Vec::new();
    for (hub, topics) in pings {
        answers.push(announce(client, &hub, &topics).await?);
    }
    Ok(answers)
}

/// Tells a hub that topics have changed.
///
/// # Errors
/// If there is no answer, or a refusal.
pub async fn announce(client: &Client, hub: &Url, topics: &[&TopicUrl]) -> anyhow::Result<Answer> {
    let mut form = vec![("hub.mode", "publish")];
    form.extend(topics.iter().map(|topic| ("hub.url", topic.as_str())));
    accepted(client.post_form(hub, &form).await?)
}

async fn push(client: &Client, args: &PublishArgs, file: &Path) -> anyhow::Result<Answer> {
    let [topic] = args.topics.as_slice() else {
        bail!(Failure::usage(format!(
            "--content is the content of one topic; {} are named",
            args.topics.len()
        )));
    };
    let content = read(file)?;
    let place = place(client, args.hub.as_ref(), topic).await?;
    let endpoint = place
        .hub
        .join("publish")
        .context("the hub's URL has no path")?;
    let link = link::format(place.topic.as_str(), &[""; 0]);
    let mut headers = HeaderMap::new();
    headers.insert(LINK, HeaderValue::from_str(&link)?);
    headers.extend(args.content_type.clone().map(|value| (CONTENT_TYPE, value)));
    let token = args.token.as_deref();
    let answer = client.post(&endpoint, headers, token, content).await?;
    if answer.status.as_u16() == 401 && token.is_none() {
        let words = format!("{endpoint} wants a token; give one with --token or in FANFARE_TOKEN");
        bail!(Failure::refused(answer.status, words));
    }
    accepted(answer)
}

fn accepted(answer: Answer) -> anyhow::Result<Answer> {
    if answer.status.is_success() {
        return Ok(answer);
    }
    let words = format!("{} refused: {}", answer.url, answer.in_words());
    bail!(Failure::refused(answer.status, words))
}

/// Reads a file; `-` is standard input.
pub fn read(file: &Path) -> anyhow::Result<Vec<u8>> {
    if file == Path::new("-") {
        let mut content = Vec::new();
        std::io::stdin()
            .read_to_end(&mut content)
            .context("cannot read standard input")?;
        return Ok(content);
    }
    std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))
}

/// Reads an argument that is a topic. A duration is meant for `--wait`, whose value is optional and so cannot stand apart.
pub fn topic(text: &str) -> Result<TopicUrl, String> {
    match notation::parse_duration(text) {
        Ok(_) => Err(format!(
            "a topic is a URL; to wait for at most {text}, write --wait={text}"
        )),
        Err(_) => client::topic(text),
    }
}

/// Reads an argument that is a media type.
fn media_type(text: &str) -> Result<HeaderValue, String> {
    let value = HeaderValue::from_str(text).ok();
    value
        .filter(|_| {
            text.split_once('/')
                .is_some_and(|(kind, rest)| !kind.is_empty() && !rest.is_empty())
        })
        .ok_or_else(|| "a media type is written like text/html or application/json".to_owned())
}
