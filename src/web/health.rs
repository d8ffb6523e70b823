//! Whether the hub lives, whether it can do its work, and its counters.

use std::fmt::Write as _;
use std::time::Duration;

use tokio::sync::Mutex;
use warp::http::StatusCode;

use super::problem::{text_answer, typed};
use super::{Answer, Site};
use crate::domain::value::Timestamp;

/// How long the store may take to write a row.
const PROBE_TIMEOUT: Duration = Duration::from_secs(2);
/// How long an answer of the store holds, so that asking does not wear out the disk.
const PROBE_HOLDS: Duration = Duration::from_secs(1);
/// How old the loop's last sign of life may be.
const BEAT_MAX_AGE: Duration = Duration::from_secs(5);

/// What the store said last, and when; asked by one request at a time.
#[derive(Default)]
pub struct Readiness(Mutex<Option<(Timestamp, Option<String>)>>);

/// The process answers.
pub fn live() -> Answer {
    text_answer(StatusCode::OK, "alive")
}

/// The store can write, and the loop that runs the jobs goes round; otherwise 503 and what is wrong.
pub async fn ready(site: &Site) -> Answer {
    let silent = site.hub.clock.now().since(site.hub.last_beat());
    let stuck = (silent > BEAT_MAX_AGE)
        .then(|| format!("the delivery loop has not moved for {} s", silent.as_secs()));
    let reasons: Vec<String> = site
        .readiness
        .store(site)
        .await
        .into_iter()
        .chain(stuck)
        .collect();
    match reasons.is_empty() {
        true => text_answer(StatusCode::OK, "ready"),
        false => text_answer(StatusCode::SERVICE_UNAVAILABLE, &reasons.join("\n")),
    }
}

/// The counters, with what is going on right now.
pub fn metrics(site: &Site) -> Answer {
    let mut text = (site.metrics)();
    let mut gauge = |name: &str, value: u64| {
        let _ = writeln!(text, "# TYPE {name} gauge\n{name} {value}");
    };
    for (name, value) in site.hub.gauges() {
        gauge(name, value as u64);
    }
    gauge("fanfare_quarantined_rows", site.hub.store.quarantined());
    typed(
        StatusCode::OK,
        "text/plain; version=0.0.4; charset=utf-8",
        text,
    )
}

impl Readiness {
    /// What is wrong with the store.
    async fn store(&self, site: &Site) -> Option<String> {
        let mut last = self.0.lock().await;
        let now = site.hub.clock.now();
        match &*last {
            Some((at, said)) if now.since(*at) < PROBE_HOLDS => said.clone(),
            _ => {
                let said = probe(site).await;
                *last = Some((site.hub.clock.now(), said.clone()));
                said
            }
        }
    }
}

async fn probe(site: &Site) -> Option<String> {
    match tokio::time::timeout(PROBE_TIMEOUT, site.hub.store.probe()).await {
        Ok(Ok(())) => None,
        Ok(Err(error)) => {
            tracing::warn!(%error, "not ready: the store failed its probe");
            Some("the store cannot write".into())
        }
        Err(_) => Some(format!(
            "the store has not written a row within {} s",
            PROBE_TIMEOUT.as_secs()
        )),
    }
}
