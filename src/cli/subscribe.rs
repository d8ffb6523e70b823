//! `fanfare subscribe` and `fanfare unsubscribe`: what the user wants in, one request to a hub (WebSub section 5.1), its
//! answer in words out.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use clap::Args;
use reqwest::StatusCode;
use serde_json::{Value, json};
use url::{Host, Url};

use super::client::{self, Answer, Client};
use super::discover::{Place, place};
use super::exit::Failure;
use super::say;
use crate::domain::signature::Method;
use crate::domain::subscription::Mode;
use crate::domain::value::{CallbackUrl, SECRET_MAX_BYTES, Secret, TopicUrl};

pub const SUBSCRIBE_EXAMPLE: &str = "\
Example:
  fanfare subscribe https://blog.example/feed.xml https://me.example/callback --lease 10d

The hub asks the callback whether it agrees before it sends anything.
To see updates without a callback of your own, use `fanfare listen`.";

pub const UNSUBSCRIBE_EXAMPLE: &str = "\
Example:
  fanfare unsubscribe https://blog.example/feed.xml https://me.example/callback

Topic and callback are those that the subscription was made with.
The hub asks the callback whether it agrees.";

/// What both verbs need.
#[derive(Args, Debug)]
struct Whose {
    /// The hub; without one, the topic is asked which hub it uses
    #[arg(long, value_name = "URL", env = "FANFARE_URL", hide_env_values = true, value_parser = client::hub)]
    hub: Option<Url>,
    /// The feed or page
    #[arg(value_name = "TOPIC", value_parser = client::topic)]
    topic: TopicUrl,
    /// Where the hub sends updates
    #[arg(value_name = "CALLBACK", value_parser = client::callback)]
    callback: CallbackUrl,
    /// Have the hub ask the callback before it answers (PubSubHubbub 0.3; not every hub does)
    #[arg(long)]
    sync: bool,
    /// Print JSON, for programs
    #[arg(long)]
    json: bool,
}

#[derive(Args, Debug)]
pub struct SubscribeArgs {
    #[command(flatten)]
    whose: Whose,
    /// Have updates signed with this secret; others on this machine may see it, so better use --secret-file
    #[arg(long, value_name = "SECRET", value_parser = secret)]
    secret: Option<Secret>,
    /// Have updates signed with the secret in this file; a line end after it does not count
    #[arg(long, value_name = "FILE", conflicts_with = "secret")]
    secret_file: Option<PathBuf>,
    /// How long the subscription should last, such as 10d or 12h; the hub decides
    #[arg(long, value_name = "DURATION", value_parser = client::lease)]
    lease: Option<Duration>,
    /// The signature's method: sha1, sha256, sha384 or sha512 (an extension; other hubs ignore it)
    #[arg(long, value_name = "METHOD", value_parser = method)]
    signature: Option<Method>,
}

#[derive(Args, Debug)]
pub struct UnsubscribeArgs {
    #[command(flatten)]
    whose: Whose,
}

/// What a hub is asked to do with the subscription of a callback.
pub struct Wish<'a> {
    pub mode: Mode,
    pub callback: &'a CallbackUrl,
    pub secret: Option<&'a Secret>,
    pub lease: Option<Duration>,
    pub signature: Option<Method>,
    pub sync: bool,
}

/// Asks a hub for a subscription.
///
/// # Errors
/// If there is no hub, no answer, or a refusal.
pub async fn subscribe(args: &SubscribeArgs) -> anyhow::Result<ExitCode> {
    let from_file = args.secret_file.as_deref().map(read_secret).transpose()?;
    let wish = Wish {
        secret: args.secret.as_ref().or(from_file.as_ref()),
        lease: args.lease,
        signature: args.signature,
        ..args.whose.wish(Mode::Subscribe)
    };
    args.whose.ask(&wish).await
}

/// Asks a hub to end a subscription.
///
/// # Errors
/// If there is no hub, no answer, or a refusal.
pub async fn unsubscribe(args: &UnsubscribeArgs) -> anyhow::Result<ExitCode> {
    let wish = args.whose.wish(Mode::Unsubscribe);
    args.whose.ask(&wish).await
}

impl Whose {
    fn wish(&self, mode: Mode) -> Wish<'_> {
        Wish {
            mode,
            callback: &self.callback,
            secret: None,
            lease: None,
            signature: None,
            sync: self.sync,
        }
    }

    async fn ask(&self, wish: &Wish<'_>) -> anyhow::Result<ExitCode> {
        let client = Client::new()?;
        let place = place(&client, self.hub.as_ref(), &self.topic).await?;
        let answer = wish.send(&client, &place).await?;
        match self.json {
            true => say(&format!("{}\n", wish.granted_json(&place, &answer)))?,
            false => say(&wish.granted(&place, &answer))?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl Wish<'_> {
    /// Makes the request. What comes back is the hub's consent.
    ///
    /// # Errors
    /// If there is no answer, or a refusal.
    pub async fn send(&self, client: &Client, place: &Place) -> anyhow::Result<Answer> {
        if self.secret.is_some() && is_readable_on_the_way(&place.hub) {
            eprintln!(
                "the secret goes to {} unencrypted, so others can read it; better use the hub's https URL",
                place.hub
            );
        }
        let lease = self.lease.map(|lease| lease.as_secs().to_string());
        let optional = [
            ("hub.secret", self.secret.map(Secret::expose)),
            ("hub.lease_seconds", lease.as_deref()),
            ("hub.signature", self.signature.map(Method::name)),
            ("hub.verify", self.sync.then_some("sync")),
        ];
        let mut form = vec![
            ("hub.mode", self.mode.name()),
            ("hub.topic", place.topic.as_str()),
            ("hub.callback", self.callback.as_str()),
        ];
        form.extend(
            optional
                .into_iter()
                .filter_map(|(name, value)| Some((name, value?))),
        );
        let answer = client.post_form(&place.hub, &form).await?;
        if answer.status.is_success() {
            return Ok(answer);
        }
        let hint = match answer.status {
            StatusCode::CONFLICT if self.sync => {
                "\nthe hub asked the callback, and that did not agree; is it running, and can the hub reach it?"
            }
            StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => {
                "\nis that the hub's own URL? `fanfare discover TOPIC` shows it"
            }
            _ => "",
        };
        let words = format!("{} refused: {}{hint}", place.hub, answer.in_words());
        bail!(Failure::refused(answer.status, words))
    }

    fn is_agreed(&self, answer: &Answer) -> bool {
        answer.status == StatusCode::NO_CONTENT && self.sync
    }

    fn granted_json(&self, place: &Place, answer: &Answer) -> Value {
        json!({
            "hub": place.hub.as_str(),
            "mode": self.mode.name(),
            "topic": place.topic.as_str(),
            "callback": self.callback.as_str(),
            "status": answer.status.as_u16(),
            "agreed": self.is_agreed(answer),
        })
    }

    fn granted(&self, place: &Place, answer: &Answer) -> String {
        let (hub, topic, callback) = (&place.hub, &place.topic, self.callback);
        let becomes = match self.mode {
            Mode::Subscribe => "active",
            Mode::Unsubscribe => "over",
        };
        if self.is_agreed(answer) {
            return format!(
                "{hub} asked {callback} and that agreed (204): the subscription to {topic} is {becomes}.\n"
            );
        }
        format!(
            "{hub} accepted the request ({}). It now asks {callback} whether it agrees; \
             when that agrees, the subscription to {topic} is {becomes}.\n",
            answer.status.as_u16()
        )
    }
}

/// Whether a secret sent there can be read by others: plain http beyond this machine (HUB-04).
fn is_readable_on_the_way(hub: &Url) -> bool {
    let local = match hub.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    };
    hub.scheme() == "http" && !local
}

/// Reads an argument that is a secret.
pub fn secret(text: &str) -> Result<Secret, String> {
    Secret::parse(text).map_err(|length| {
        format!("a secret has 1 to {SECRET_MAX_BYTES} bytes; this one has {length}")
    })
}

/// Reads an argument that is a signature's method.
fn method(text: &str) -> Result<Method, String> {
    Method::parse(text).ok_or_else(|| {
        let names = Method::ALL.map(Method::name).join(", ");
        format!("the methods are {names}")
    })
}

fn read_secret(file: &Path) -> anyhow::Result<Secret> {
    let text = std::fs::read_to_string(file)
        .with_context(|| format!("cannot read the secret file {}", file.display()))?;
    let text = text.trim_end_matches(['\r', '\n']);
    secret(text).map_err(|error| anyhow!("{}: {error}", file.display()))
}
