//! What the flow counts. The names are those of `/metrics`; who collects them is telemetry's business.

use std::time::Duration;

use metrics::{Counter, Histogram, counter, describe_counter, describe_histogram, histogram};

use super::odometer::Odometer;
use crate::domain::attempt::{Outcome, Verdict};

/// A number that goes up and down, as it stands now; or several, told apart by their labels.
#[derive(Clone, Debug)]
pub struct Gauge {
    /// Its name.
    pub name: &'static str,
    /// What it counts.
    pub help: &'static str,
    /// The numbers.
    pub series: Vec<Series>,
}

/// One number of a gauge.
#[derive(Clone, Debug)]
pub struct Series {
    /// What it is of: names and values. Whoever makes them takes care that they are few.
    pub labels: Vec<(&'static str, String)>,
    /// The number.
    pub value: f64,
}

/// The flow's counters, looked up once.
pub struct Meters {
    delivered: Counter,
    gone: Counter,
    not_accepted: Counter,
    not_answered: Counter,
    given_up: Counter,
    seconds: Histogram,
    verified: Counter,
    unverified: Counter,
    published: Counter,
    fetch_failed: Counter,
    /// The same for who looks on.
    pub(super) odometer: Odometer,
}

impl Gauge {
    /// A gauge of one number.
    pub fn new(name: &'static str, help: &'static str, value: u64) -> Self {
        Self::of(name, help, [(Vec::new(), value as f64)])
    }

    /// A gauge of several.
    pub fn of(
        name: &'static str,
        help: &'static str,
        series: impl IntoIterator<Item = (Vec<(&'static str, String)>, f64)>,
    ) -> Self {
        let series = series.into_iter();
        let series = series.map(|(labels, value)| Series { labels, value });
        Self {
            name,
            help,
            series: series.collect(),
        }
    }
}

impl Default for Meters {
    fn default() -> Self {
        describe_counter!(
            "fanfare_attempts_total",
            "Requests of deliveries, by what came of them"
        );
        describe_counter!(
            "fanfare_given_up_total",
            "Publications given up for a target"
        );
        describe_histogram!(
            "fanfare_attempt_seconds",
            "How long the requests of deliveries took"
        );
        describe_counter!(
            "fanfare_verifications_total",
            "Verifications of intent, by what the callback said"
        );
        describe_counter!("fanfare_publications_total", "Publications accepted");
        describe_counter!(
            "fanfare_fetch_failures_total",
            "Fetches of topics that failed"
        );
        let attempts =
            |outcome: &'static str| counter!("fanfare_attempts_total", "outcome" => outcome);
        let verifications =
            |answer: &'static str| counter!("fanfare_verifications_total", "answer" => answer);
        Self {
            delivered: attempts("delivered"),
            gone: attempts("gone"),
            not_accepted: attempts("not_accepted"),
            not_answered: attempts("not_answered"),
            given_up: counter!("fanfare_given_up_total"),
            seconds: histogram!("fanfare_attempt_seconds"),
            verified: verifications("confirmed"),
            unverified: verifications("refused"),
            published: counter!("fanfare_publications_total"),
            fetch_failed: counter!("fanfare_fetch_failures_total"),
            odometer: Odometer::default(),
        }
    }
}

impl Meters {
    pub(super) fn attempt(&self, outcome: &Outcome, took: Duration) {
        let counter = match (outcome.verdict(), outcome) {
            (Verdict::Delivered, _) => &self.delivered,
            (Verdict::Gone, _) => &self.gone,
            (Verdict::Failed { .. }, Outcome::Answered { .. }) => &self.not_accepted,
            (Verdict::Failed { .. }, Outcome::Unanswered { .. }) => &self.not_answered,
        };
        counter.increment(1);
        self.seconds.record(took.as_secs_f64());
        let is_delivered = matches!(outcome.verdict(), Verdict::Delivered);
        self.odometer.attempt(is_delivered, took);
    }

    pub(super) fn given_up(&self, count: usize) {
        self.given_up.increment(count as u64);
        self.odometer.given_up(count);
    }

    pub(super) fn verified(&self, confirmed: bool) {
        let counter = if confirmed {
            &self.verified
        } else {
            &self.unverified
        };
        counter.increment(1);
    }

    pub(super) fn published(&self) {
        self.published.increment(1);
        self.odometer.published();
    }

    pub(super) fn fetch_failed(&self) {
        self.fetch_failed.increment(1);
    }
}
