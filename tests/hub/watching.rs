//! The files for who watches a hub: each metric that they name is there, and Prometheus takes the rules.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value;

use crate::installed::installed;
use crate::support::{Reply, Scene, TOPIC, eventually};

fn shipped(file: &str) -> String {
    let path = format!("{}/docs/{file}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(path).expect("the file")
}

/// The names of metrics in a text.
fn named(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let names = words.filter(|word| word.starts_with("fanfare_"));
    names.map(str::to_owned).collect()
}

#[tokio::test]
async fn the_dashboard_and_the_alerts_name_metrics_that_there_are() {
    let scene = Scene::with(&[("delivery.retry", "1h")]).await;
    let callback = scene.subscribed(TOPIC, "/cb").await;
    callback.always(Reply::status(500));
    let answer = scene.hub.push_text(TOPIC, "news").await;
    let waits = |receipt: &Value| receipt["in_backlog"] == 1;
    scene.hub.receipt_when(&answer, waits).await;
    let there = eventually("what the sweep counts", async || {
        let text = scene.hub.get("/metrics").await.expect(200).text();
        let samples = text.lines().filter(|line| !line.starts_with('#'));
        let names = samples.filter_map(|line| line.split(['{', ' ']).next());
        let names: BTreeSet<_> = names.map(str::to_owned).collect();
        names.contains("fanfare_backlog_entries").then_some(names)
    })
    .await;
    for file in ["grafana-dashboard.json", "alerts.yml"] {
        let wanted = named(&shipped(file));
        assert!(wanted.len() > 5, "{file} names {wanted:?}");
        let missing: Vec<_> = wanted.difference(&there).collect();
        assert!(
            missing.is_empty(),
            "{file} names {missing:?}, and /metrics has {there:?}"
        );
    }
}

#[test]
fn the_dashboard_is_one_and_asks_something_in_each_panel() {
    let dashboard: Value = serde_json::from_str(&shipped("grafana-dashboard.json")).expect("JSON");
    let panels = dashboard["panels"].as_array().expect("panels");
    for panel in panels {
        let targets = panel["targets"].as_array().expect("targets");
        assert!(!targets.is_empty(), "{}", panel["title"]);
        for target in targets {
            assert!(!named(target["expr"].as_str().expect("an expression")).is_empty());
        }
    }
    let ids: BTreeSet<_> = panels.iter().map(|panel| panel["id"].as_u64()).collect();
    assert_eq!(ids.len(), panels.len());
}

#[test]
fn prometheus_takes_the_rules() {
    let rules = format!("{}/docs/alerts.yml", env!("CARGO_MANIFEST_DIR"));
    let checked = Command::new(installed("promtool"))
        .args(["check", "rules", &rules])
        .output()
        .expect("promtool runs");
    let said = String::from_utf8_lossy(&checked.stdout);
    let complaint = String::from_utf8_lossy(&checked.stderr);
    assert!(checked.status.success(), "{said}{complaint}");
    assert!(said.contains("9 rules found"), "{said}");
}
