//! Whether the hub lives, whether it can do its work, and its counters.

use std::fmt::Write as _;
use std::time::Duration;

use tokio::sync::Mutex;
use warp::http::StatusCode;

use super::problem::{text_answer, typed};
use super::{Answer, Site};
use crate::domain::value::Timestamp;
use crate::flow::{Gauge, Series};

/// How long the store may take to write a row.
const PROBE_TIMEOUT: Duration = Duration::from_secs(2);
/// How long an answer of the store holds, so that asking does not wear out the disk.
const PROBE_HOLDS: Duration = Duration::from_secs(1);

/// What the store said last, and when; asked by one request at a time.
#[derive(Default)]
pub struct Readiness(Mutex<Option<(Timestamp, Option<String>)>>);

/// The process answers.
pub fn live() -> Answer {
    text_answer(StatusCode::OK, "alive")
}

/// The store can write, and the work gets on (see `flow::pulse`); otherwise 503 and what is wrong.
pub async fn ready(site: &Site) -> Answer {
    let troubles = troubles(site).await;
    match troubles.is_empty() {
        true => text_answer(StatusCode::OK, "ready"),
        false => text_answer(StatusCode::SERVICE_UNAVAILABLE, &troubles.join("\n")),
    }
}

/// What is wrong, in words; nothing if all is well.
pub async fn troubles(site: &Site) -> Vec<String> {
    let store = site.readiness.store(site).await;
    store.into_iter().chain(site.hub.stalls()).collect()
}

/// The counters, with what is going on right now.
pub fn metrics(site: &Site) -> Answer {
    let mut text = (site.metrics)();
    for Gauge { name, help, series } in site.hub.gauges() {
        let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} gauge");
        for Series { labels, value } in series {
            let _ = writeln!(text, "{name}{} {value}", written(&labels));
        }
    }
    typed(
        StatusCode::OK,
        "text/plain; version=0.0.4; charset=utf-8",
        text,
    )
}

/// Labels as Prometheus reads them; none, and there are no braces.
fn written(labels: &[(&str, String)]) -> String {
    let escaped = |text: &str| {
        text.replace('\\', r"\\")
            .replace('"', "\\\"")
            .replace('\n', r"\n")
    };
    let pairs = labels
        .iter()
        .map(|(name, value)| format!("{name}=\"{}\"", escaped(value)));
    match pairs.collect::<Vec<_>>().join(",") {
        none if none.is_empty() => none,
        pairs => format!("{{{pairs}}}"),
    }
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio_util::sync::CancellationToken;
    use tokio_util::task::TaskTracker;

    use super::*;
    use crate::flow::backups::Backups;
    use crate::flow::inspector::Inspector;
    use crate::flow::settings::InspectorSettings;
    use crate::flow::tests::hub;
    use crate::web::settings::LimitSettings;
    use crate::web::stream::Streams;
    use crate::web::{Log, Tokens, Web};

    struct Silent;

    impl Log for Silent {
        fn level(&self) -> String {
            "off".into()
        }

        fn set(&self, _: Option<&str>) -> Result<(), String> {
            Ok(())
        }
    }

    #[tokio::test]
    async fn ready_means_that_the_loop_goes_round() {
        let folder = tempfile::tempdir().expect("a folder");
        let hub = hub(&folder);
        let store = Arc::clone(&hub.store);
        let backups = Backups::new(folder.path().join("backups"), Vec::new(), store, hub.clock);
        let site = Site::new(
            Web {
                inspector: Inspector::new(
                    InspectorSettings::default(),
                    hub.clock,
                    CancellationToken::new(),
                ),
                hub: Arc::clone(&hub),
                backups: Arc::new(backups.expect("a place for backups")),
                log: Arc::new(Silent),
                limits: LimitSettings::default(),
                tokens: Tokens::new([0; 32], Vec::new()),
                metrics: Arc::new(String::new),
                settings: Vec::new(),
            },
            Streams::new(TaskTracker::new(), CancellationToken::new()),
        );
        let asleep = ready(&site).await;
        assert_eq!(asleep.status(), StatusCode::SERVICE_UNAVAILABLE);
        let told = String::from_utf8_lossy(asleep.body());
        assert!(told.contains("the loop that starts jobs"), "{told}");
        hub.start().await.expect("the loop starts");
        assert_eq!(ready(&site).await.status(), StatusCode::OK);
        hub.store.close().await.expect("closed");
    }
}
