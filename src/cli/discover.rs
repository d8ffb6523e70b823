//! `fanfare discover`: a topic's URL in, the hubs and the canonical URL that it names out, each with the place where it
//! stands (WebSub section 4).

use std::fmt::Write as _;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::Args;
use reqwest::header::{CONTENT_TYPE, LINK};
use serde::Serialize;
use serde_json::{Value, json};
use url::Url;

use super::client::{self, Client};
use super::exit::Failure;
use super::say;
use crate::domain::discovery;
use crate::domain::value::TopicUrl;

pub const EXAMPLE: &str = "\
Example:
  fanfare discover https://blog.example/feed.xml

Ends with 1 when the topic names no hub.";

#[derive(Args, Debug)]
pub struct DiscoverArgs {
    /// The feed or page to look at; redirects are followed
    #[arg(value_name = "URL", value_parser = client::topic)]
    topic: TopicUrl,
    /// Print JSON, for programs
    #[arg(long)]
    json: bool,
}

/// What a topic says about itself.
pub struct Found {
    /// Where it was found, redirects followed.
    url: Url,
    content_type: Option<String>,
    topic: Option<Advertised>,
    hubs: Vec<Advertised>,
}

/// A URL that a topic advertises.
#[derive(Serialize)]
struct Advertised {
    url: String,
    place: &'static str,
}

/// Shows what a topic advertises.
///
/// # Errors
/// If the topic cannot be fetched.
pub async fn run(args: &DiscoverArgs) -> anyhow::Result<ExitCode> {
    let found = discover(&Client::new()?, &args.topic).await?;
    match args.json {
        true => say(&format!("{}\n", found.as_json()))?,
        false => say(&found.in_words(&args.topic))?,
    }
    if found.hubs.is_empty() {
        bail!(
            "{} names no hub, so nobody can subscribe to it; its publisher would add the header\n  \
             Link: <https://hub.example/>; rel=\"hub\", <{}>; rel=\"self\"",
            args.topic,
            found.url
        );
    }
    Ok(ExitCode::SUCCESS)
}

/// Fetches a topic and reads its links.
///
/// # Errors
/// If it cannot be fetched.
pub async fn discover(client: &Client, topic: &TopicUrl) -> anyhow::Result<Found> {
    let url = topic.fetchable().context("the topic is not a URL")?;
    let answer = client.get(&url, None).await?;
    if !answer.status.is_success() {
        let words = format!("{topic} cannot be fetched: {}", answer.in_words());
        bail!(Failure::refused(answer.status, words));
    }
    let content_type = answer.headers.get(CONTENT_TYPE);
    let content_type = content_type.and_then(|value| Some(value.to_str().ok()?.to_owned()));
    let links = answer.headers.get_all(LINK).iter();
    let links = links.map(|value| value.as_bytes());
    let in_header = discovery::discover(&answer.url, links, None, b"");
    let in_document = discovery::discover(&answer.url, [], content_type.as_deref(), &answer.body);

    let header = |url| Advertised {
        url,
        place: "Link header",
    };
    let document = |url| Advertised {
        url,
        place: "document",
    };
    // For each relation the headers win.
    let of_header = in_header.self_url.map(header);
    let mut hubs: Vec<_> = in_header.hubs.into_iter().map(header).collect();
    if hubs.is_empty() {
        hubs.extend(in_document.hubs.into_iter().map(document));
    }
    Ok(Found {
        url: answer.url,
        content_type,
        topic: of_header.or(in_document.self_url.map(document)),
        hubs,
    })
}

/// Where a request about a topic goes, and the topic's name there.
pub struct Place {
    /// The hub.
    pub hub: Url,
    /// The topic by its canonical URL: what subscribers ask for.
    pub topic: TopicUrl,
}

/// The hub that was named, and the topic as it stands; without one, what the topic itself names.
///
/// # Errors
/// If the topic cannot be fetched, or names no hub.
pub async fn place(client: &Client, hub: Option<&Url>, topic: &TopicUrl) -> anyhow::Result<Place> {
    if let Some(hub) = hub {
        return Ok(Place {
            hub: hub.clone(),
            topic: topic.clone(),
        });
    }
    let found = discover(client, topic).await?;
    let Some(hub) = found.hubs().next() else {
        bail!("{topic} names no hub; name one with --hub");
    };
    let canonical = found.canonical().unwrap_or_else(|| topic.clone());
    if canonical != *topic {
        eprintln!("{topic} calls itself {canonical}, so that is the topic");
    }
    Ok(Place {
        hub,
        topic: canonical,
    })
}

impl Found {
    /// The hubs, best first.
    pub fn hubs(&self) -> impl Iterator<Item = Url> {
        self.hubs.iter().filter_map(|hub| Url::parse(&hub.url).ok())
    }

    fn canonical(&self) -> Option<TopicUrl> {
        TopicUrl::parse(&self.topic.as_ref()?.url).ok()
    }

    fn as_json(&self) -> Value {
        json!({
            "url": self.url.as_str(),
            "content_type": self.content_type,
            "self": self.topic,
            "hubs": self.hubs,
        })
    }

    fn in_words(&self, asked: &TopicUrl) -> String {
        let mut text = format!("{asked}\n");
        let mut line = |name: &str, value: &str, place: &str| {
            let value = client::printable(value);
            // Writing to a string cannot fail.
            let _ = match place {
                "" => writeln!(text, "  {name:<6}{value}"),
                place => writeln!(text, "  {name:<6}{value}  ({place})"),
            };
        };
        if Some(&self.url) != asked.fetchable().as_ref() {
            line("found", self.url.as_str(), "redirected");
        }
        line("type", self.content_type.as_deref().unwrap_or("none"), "");
        match &self.topic {
            Some(topic) => line("self", &topic.url, topic.place),
            None => line("self", "none", ""),
        }
        for hub in &self.hubs {
            line("hub", &hub.url, hub.place);
        }
        if self.hubs.is_empty() {
            line("hub", "none", "");
        }
        text
    }
}
