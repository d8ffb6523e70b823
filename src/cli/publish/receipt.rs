//! Waits for a receipt of a Fanfare hub: its URL in; the counts out, once every subscriber has got the publication or is
//! given up, or when time is up.

use std::time::Duration;

use anyhow::{Context as _, bail};
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep};
use url::Url;

use crate::cli::client::Client;
use crate::cli::exit::Failure;
use crate::cli::progress::{Progress, Whole};
use crate::domain::notation;

/// The first pause between two looks; it doubles up to the last.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LAST_PAUSE: Duration = Duration::from_secs(2);

/// What the hub answers: one receipt, or those of a ping that named several topics.
#[derive(Deserialize)]
#[serde(untagged)]
enum Answered {
    Several { receipts: Vec<Receipt> },
    One(Receipt),
}

/// The counts of one topic, as the hub has them.
#[derive(Deserialize, Serialize)]
pub struct Receipt {
    topic: String,
    state: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(default)]
    targets: u64,
    #[serde(default)]
    delivered: u64,
    #[serde(default)]
    in_backlog: u64,
    #[serde(default)]
    given_up: u64,
    #[serde(default)]
    gone: u64,
}

/// What has become of a publication when nobody waits for it any longer.
pub struct Settled {
    receipts: Vec<Receipt>,
    /// How long was waited, if that was not enough.
    late: Option<Duration>,
}

/// Looks at a receipt until it changes no more, or `most` has passed; people see how far it has come.
///
/// # Errors
/// If the receipt cannot be read.
pub async fn settled(
    client: &Client,
    url: &Url,
    token: Option<&str>,
    most: Duration,
    json: bool,
) -> anyhow::Result<Settled> {
    let progress = Progress::begin("delivered", Whole::Items(0), json);
    let deadline = Instant::now() + most;
    let mut pause = FIRST_PAUSE;
    loop {
        let receipts = read(client, url, token).await?;
        progress.of(receipts.iter().map(|receipt| receipt.targets).sum());
        progress.at(receipts.iter().map(|receipt| receipt.delivered).sum());
        let waits = receipts.iter().any(|receipt| !receipt.is_settled());
        let rest = deadline.saturating_duration_since(Instant::now());
        if waits && !rest.is_zero() {
            sleep(pause.min(rest)).await;
            pause = (pause * 2).min(LAST_PAUSE);
            continue;
        }
        let late = waits.then_some(most);
        return Ok(Settled { receipts, late });
    }
}

impl Settled {
    /// What the hub says, for each topic.
    pub fn receipts(&self) -> &[Receipt] {
        &self.receipts
    }

    /// A line for each topic.
    pub fn in_words(&self) -> String {
        self.receipts.iter().map(Receipt::in_words).collect()
    }

    /// # Errors
    /// If not every subscriber has got the publication in time, or if it failed.
    pub fn into_result(self) -> anyhow::Result<()> {
        if let Some(most) = self.late {
            let waited = notation::format_duration(most);
            bail!("not every subscriber has got it after {waited}; the hub goes on trying");
        }
        if self.receipts.iter().any(Receipt::has_lost) {
            bail!("not every subscriber has got it");
        }
        Ok(())
    }
}

async fn read(client: &Client, url: &Url, token: Option<&str>) -> anyhow::Result<Vec<Receipt>> {
    let answer = client.get(url, token).await?;
    if !answer.status.is_success() {
        let words = format!("the receipt {url} cannot be read: {}", answer.in_words());
        bail!(Failure::refused(answer.status, words));
    }
    let answered = serde_json::from_slice(&answer.body)
        .with_context(|| format!("{url} is not a receipt of a Fanfare hub"))?;
    Ok(match answered {
        Answered::Several { receipts } => receipts,
        Answered::One(receipt) => vec![receipt],
    })
}

impl Receipt {
    fn is_settled(&self) -> bool {
        !matches!(self.state.as_str(), "fetching" | "delivering" | "retrying")
    }

    fn has_lost(&self) -> bool {
        self.state == "failed" || self.given_up > 0
    }

    fn in_words(&self) -> String {
        let Self { topic, targets, .. } = self;
        match (self.state.as_str(), &self.reason) {
            ("unchanged", _) => format!("{topic}: nothing new, so nothing was sent\n"),
            ("unheard", _) => format!("{topic}: nobody subscribes, so nothing was sent\n"),
            (state, Some(reason)) => format!("{topic}: {state}: {reason}\n"),
            (state, None) => {
                let mut text = format!(
                    "{topic}: {state}; {} of {targets} delivered",
                    self.delivered
                );
                let others = [
                    (self.in_backlog, "waiting for another try"),
                    (self.given_up, "given up"),
                    (self.gone, "gone"),
                ];
                for (count, what) in others.into_iter().filter(|(count, _)| *count > 0) {
                    text += &format!(", {count} {what}");
                }
                text + "\n"
            }
        }
    }
}
