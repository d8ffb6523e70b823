//! What goes up and down, for the metrics. In: how the hub is right now, and what its last sweep has counted. Out: gauges.

use std::sync::PoisonError;

use super::Hub;
use super::late::{Census, KEPT, Late, Reason};
use super::meters::Gauge;
use crate::domain::value::Timestamp;

impl Hub {
    /// What is going on right now, and what the last sweep has counted.
    pub fn gauges(&self) -> Vec<Gauge> {
        let now = [
            Gauge::new(
                "fanfare_jobs",
                "Jobs that wait or run",
                self.work.len() as u64,
            ),
            Gauge::new(
                "fanfare_busy_targets",
                "Subscriptions with a delivery under way, or a backlog",
                self.turns.len() as u64,
            ),
            Gauge::new(
                "fanfare_open_circuits",
                "Origins that are not called for a while, since they do not answer",
                self.gates.open_circuits() as u64,
            ),
            Gauge::new(
                "fanfare_deliveries_in_flight",
                "Deliveries under way",
                self.in_flight() as u64,
            ),
            Gauge::new(
                "fanfare_quarantined_rows",
                "Rows of the store that could not be read and were set aside",
                self.store.quarantined(),
            ),
        ];
        let census = self.census.lock().unwrap_or_else(PoisonError::into_inner);
        let swept = census
            .as_ref()
            .map(|census| census.gauges(self.clock.now()));
        drop(census);
        let swept = swept.into_iter().flatten();
        now.into_iter()
            .chain(swept)
            .chain(self.late_gauges())
            .collect()
    }

    /// Who is late and why, for the metrics: the worst only, as many as the settings say.
    fn late_gauges(&self) -> Vec<Gauge> {
        let now = self.clock.now();
        let late = self.late(KEPT);
        let count = |reason| late.iter().filter(|it| it.reason == reason).count();
        let counts = Reason::ALL.map(|reason| {
            let labels = vec![("reason", reason.name().to_owned())];
            (labels, count(reason) as f64)
        });
        let worst = &late[..late.len().min(self.settings.late_origins)];
        let each = |value: &dyn Fn(&Late) -> f64| {
            let series = worst.iter().map(|it| {
                let origin = ("origin", it.origin.to_string());
                (
                    vec![origin, ("reason", it.reason.name().to_owned())],
                    value(it),
                )
            });
            series.collect::<Vec<_>>()
        };
        vec![
            Gauge::of(
                "fanfare_late_origins",
                "Origins that are late, by the reason",
                counts,
            ),
            Gauge::of(
                "fanfare_origin_backlog_entries",
                "Publications that wait for an origin, of those that are worst off",
                each(&|it: &Late| it.waiting.entries as f64),
            ),
            Gauge::of(
                "fanfare_origin_oldest_seconds",
                "How long the oldest of those has waited",
                each(&|it: &Late| age(it.waiting.oldest, now)),
            ),
            Gauge::of(
                "fanfare_origin_latency_seconds",
                "How long that origin usually takes to answer",
                each(&|it: &Late| it.standing.usual.unwrap_or_default().as_secs_f64()),
            ),
        ]
    }
}

impl Census {
    /// What was counted.
    fn gauges(&self, now: Timestamp) -> [Gauge; 3] {
        [
            Gauge::new(
                "fanfare_subscriptions",
                "Subscriptions, as counted by the last sweep",
                self.subscriptions,
            ),
            Gauge::new(
                "fanfare_backlog_entries",
                "Publications that wait for targets, as counted by the last sweep",
                self.waiting.entries,
            ),
            Gauge::of(
                "fanfare_backlog_oldest_seconds",
                "How long the oldest of those has waited",
                [(Vec::new(), age(self.waiting.oldest, now))],
            ),
        ]
    }
}

/// In seconds; nothing is not old at all.
fn age(oldest: Option<Timestamp>, now: Timestamp) -> f64 {
    oldest.map_or(0.0, |oldest| now.since(oldest).as_secs_f64())
}
