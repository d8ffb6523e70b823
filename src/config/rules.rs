//! What no single type can say: values that are too small, and settings that contradict each other.

use std::time::Duration;

use super::{ConfigError, Loaded, Origin, Problem};

/// A token shorter than this can be guessed.
const SHORTEST_TOKEN: usize = 16;

/// Checks the settings against each other.
///
/// # Errors
/// [`ConfigError::Refused`] with every rule that is broken.
pub fn check(loaded: &Loaded) -> Result<(), ConfigError> {
    let mut rules = Rules {
        loaded,
        problems: Vec::new(),
    };
    rules.leases();
    rules.durations();
    rules.counts();
    rules.retries();
    rules.pairs();
    rules.files();
    rules.tokens();
    rules.reach();
    if rules.problems.is_empty() {
        Ok(())
    } else {
        Err(ConfigError::Refused(rules.problems))
    }
}

/// Whoever keeps the metrics keeps a series for each origin that was ever named.
const LATE_ORIGINS_MAX: usize = 1_000;

struct Rules<'a> {
    loaded: &'a Loaded,
    problems: Vec<Problem>,
}

impl Rules<'_> {
    fn leases(&mut self) {
        let subscriptions = &self.loaded.config.subscriptions;
        for (key, lease) in [
            ("subscriptions.default_lease", subscriptions.default_lease),
            ("subscriptions.min_lease", subscriptions.min_lease),
            ("subscriptions.max_lease", subscriptions.max_lease),
        ] {
            self.at_least(key, lease, Duration::from_secs(1), "1s");
        }
    }

    fn durations(&mut self) {
        let config = &self.loaded.config;
        for (key, duration) in [
            (
                "subscriptions.verify_timeout",
                config.subscriptions.verify_timeout,
            ),
            ("delivery.timeout", config.delivery.timeout),
            ("delivery.give_up_after", config.delivery.give_up_after),
            ("fetch.timeout", config.fetch.timeout),
            ("hooks.keep_deliveries", config.hooks.keep_deliveries),
            ("limits.header_timeout", config.limits.header_timeout),
            ("limits.body_timeout", config.limits.body_timeout),
            ("inspector.keep", config.inspector.keep),
        ] {
            self.at_least(key, duration, Duration::from_millis(1), "1ms");
        }
    }

    fn counts(&mut self) {
        let config = &self.loaded.config;
        for (key, count) in [
            ("delivery.concurrency", config.delivery.concurrency),
            ("delivery.per_origin", config.delivery.per_origin),
            (
                "delivery.backlog_publications",
                config.delivery.backlog_publications,
            ),
            ("hooks.backlog_events", config.hooks.backlog_events),
            (
                "hooks.deliveries_per_hook",
                config.hooks.deliveries_per_hook,
            ),
            ("fetch.concurrency", config.fetch.concurrency),
            ("telemetry.sample_one_in", config.telemetry.sample_one_in),
            (
                "limits.events_per_request",
                config.limits.events_per_request,
            ),
            ("limits.url_bytes", config.limits.url_bytes),
            ("limits.pings_per_request", config.limits.pings_per_request),
            ("limits.connections", config.limits.connections),
            (
                "inspector.requests_per_bin",
                config.inspector.requests_per_bin,
            ),
        ] {
            self.at_least(key, count, 1, "1");
        }
        let named = config.telemetry.late_origins;
        if named > LATE_ORIGINS_MAX {
            let reason = format!(
                "is too large; the most is {LATE_ORIGINS_MAX}, for each is a series in Prometheus"
            );
            self.refuse("telemetry.late_origins", &reason);
        }
        for (key, size) in [
            ("delivery.backlog_bytes", config.delivery.backlog_bytes),
            ("hooks.deliveries_size", config.hooks.deliveries_size),
            ("fetch.max_body", config.fetch.max_body),
            ("limits.form_body", config.limits.form_body),
            ("limits.publication_body", config.limits.publication_body),
            ("limits.event_body", config.limits.event_body),
            ("store.cache", config.store.cache),
            ("inspector.bytes_per_bin", config.inspector.bytes_per_bin),
            ("inspector.body", config.inspector.body),
        ] {
            self.at_least(key, size, 1, "1B");
        }
    }

    fn retries(&mut self) {
        let config = &self.loaded.config;
        for (key, steps) in [
            (
                "subscriptions.verify_retry",
                &config.subscriptions.verify_retry,
            ),
            ("delivery.retry", &config.delivery.retry),
            ("fetch.retry", &config.fetch.retry),
        ] {
            if steps.iter().any(|step| *step < Duration::from_millis(1)) {
                self.refuse(key, "has a step that is too short; the least is 1ms");
            }
        }
        if config.delivery.retry.is_empty() {
            self.refuse(
                "delivery.retry",
                "has no step; the last step repeats until give_up_after, so write one at least",
            );
        }
    }

    fn pairs(&mut self) {
        let config = &self.loaded.config;
        let leases = &config.subscriptions;
        self.ordered(
            ("subscriptions.min_lease", leases.min_lease),
            ("subscriptions.default_lease", leases.default_lease),
        );
        self.ordered(
            ("subscriptions.default_lease", leases.default_lease),
            ("subscriptions.max_lease", leases.max_lease),
        );
        self.ordered(
            ("delivery.per_origin", config.delivery.per_origin),
            ("delivery.concurrency", config.delivery.concurrency),
        );
        // A publication must outlive its longest backlog.
        self.ordered(
            ("delivery.give_up_after", config.delivery.give_up_after),
            ("retention.publications", config.retention.publications),
        );
        self.ordered(
            ("inspector.body", config.inspector.body),
            ("inspector.bytes_per_bin", config.inspector.bytes_per_bin),
        );
        // A repeat is answered with the receipt of the first.
        self.ordered(
            ("hooks.remember_keys", config.hooks.remember_keys),
            ("retention.publications", config.retention.publications),
        );
    }

    fn files(&mut self) {
        let config = &self.loaded.config;
        if config.data_dir.as_os_str().is_empty() {
            self.refuse("data_dir", "is empty; write a folder, such as ./data");
        }
        if config
            .network
            .ca_file
            .as_ref()
            .is_some_and(|file| !file.is_file())
        {
            self.refuse(
                "network.ca_file",
                "is not a file that is there; write the path of a PEM file, or \"\" for none",
            );
        }
    }

    fn tokens(&mut self) {
        let auth = &self.loaded.config.auth;
        for (key, tokens) in [
            ("auth.admin_token", auth.admin_token.as_slice()),
            ("auth.publisher_tokens", auth.publisher_tokens.as_slice()),
        ] {
            for length in tokens
                .iter()
                .map(|token| token.expose().len())
                .filter(|length| *length < SHORTEST_TOKEN)
            {
                let reason = format!(
                    "is too short: a token has {length} bytes, the least is {SHORTEST_TOKEN}"
                );
                self.refuse(key, &reason);
            }
        }
    }

    /// Every address of the machine is none that others could be told.
    fn reach(&mut self) {
        let config = &self.loaded.config;
        if config.public_url.is_none() && config.listen.ip().is_unspecified() {
            self.refuse(
                "listen",
                &format!(
                    "is every address of this machine, and subscribers would be told http://{}/; set public_url (in the \
                     environment FANFARE_PUBLIC_URL) to the URL under which they reach the hub, such as \
                     \"https://hub.example.org/\"",
                    config.listen
                ),
            );
        }
    }

    fn at_least<T: PartialOrd>(&mut self, key: &str, value: T, least: T, written: &str) {
        if value < least {
            self.refuse(key, &format!("is too small; the least is {written}"));
        }
    }

    /// The one that was set last is to blame: its place is named first, that of the other in brackets.
    fn ordered<T: PartialOrd>(
        &mut self,
        (small_key, small): (&str, T),
        (large_key, large): (&str, T),
    ) {
        if small <= large {
            return;
        }
        let (small_origin, large_origin) = (self.origin(small_key), self.origin(large_key));
        if small_origin >= large_origin {
            let large = self.shown(large_key);
            self.refuse(
                small_key,
                &format!("is more than {large} ({large_origin}); lower the one or raise the other"),
            );
        } else {
            let small = self.shown(small_key);
            self.refuse(
                large_key,
                &format!("is less than {small} ({small_origin}); raise the one or lower the other"),
            );
        }
    }

    fn refuse(&mut self, key: &str, reason: &str) {
        let sentence = format!("{} {reason}", self.shown(key));
        self.problems.push(Problem {
            origin: self.origin(key),
            sentence,
        });
    }

    fn shown(&self, key: &str) -> String {
        let settings = self.loaded.settings();
        let value = settings
            .into_iter()
            .find(|setting| setting.key == key)
            .map(|setting| setting.value);
        format!("{key} = {}", value.unwrap_or_default())
    }

    fn origin(&self, key: &str) -> Origin {
        self.loaded
            .origins
            .get(key)
            .cloned()
            .unwrap_or(Origin::Default)
    }
}
