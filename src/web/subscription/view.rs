//! How a subscription stands, as its subscriber sees it. In: a standing. Out: JSON, and the words of the page.

use serde::Serialize;

use super::super::receipts::AttemptView;
use crate::domain::value::{CallbackUrl, PublicationId, TopicUrl};
use crate::flow::self_service::{Again, REPLAY_MAX, Standing};

/// How a subscription stands, as its subscriber sees it.
#[derive(Serialize)]
pub struct View {
    pub topic: TopicUrl,
    pub callback: CallbackUrl,
    pub state: &'static str,
    pub active_since: String,
    pub verified_at: String,
    pub expires_at: String,
    pub secret: bool,
    pub signature: Option<&'static str>,
    pub in_backlog: u64,
    pub bytes_in_backlog: u64,
    pub failures: u32,
    pub next_attempt: Option<String>,
    pub waiting: Vec<WaitingView>,
    pub attempts: Vec<AttemptView>,
    pub replay: Option<ReplayView>,
    pub token: String,
    pub token_expires_at: String,
}

/// What waits.
#[derive(Serialize)]
pub struct WaitingView {
    pub publication: PublicationId,
    pub accepted_at: String,
    pub size: u64,
    pub last_attempt: Option<AttemptView>,
}

/// Its last replay.
#[derive(Serialize)]
pub struct ReplayView {
    pub begun_at: String,
    pub since: String,
    pub delivered: usize,
    pub most: usize,
    pub ended: Option<String>,
}

impl View {
    /// As it stands now.
    pub fn of(standing: Standing) -> Self {
        let Standing {
            subscription,
            behind,
            next_attempt,
            replay,
            proof: (token, until),
        } = standing;
        let waiting = behind.waiting.into_iter();
        let waiting = waiting.map(|(entry, attempt)| WaitingView {
            publication: entry.publication,
            accepted_at: entry.accepted_at.to_string(),
            size: entry.size,
            last_attempt: attempt.map(AttemptView::from),
        });
        let attempts = behind.attempts.into_iter();
        let job = behind.job.as_ref();
        Self {
            state: match job {
                Some(job) if job.failures > 0 => "failing",
                Some(_) => "behind",
                None => "active",
            },
            active_since: subscription.active_since.to_string(),
            verified_at: subscription.verified_at.to_string(),
            expires_at: subscription.expires_at.to_string(),
            secret: subscription.secret.is_some(),
            signature: subscription.method.map(|method| method.name()),
            in_backlog: job.map_or(0, |job| job.entries),
            bytes_in_backlog: job.map_or(0, |job| job.bytes),
            failures: job.map_or(0, |job| job.failures),
            next_attempt: next_attempt.map(|at| at.to_string()),
            waiting: waiting.collect(),
            attempts: attempts.map(AttemptView::from).collect(),
            replay: replay.map(ReplayView::of),
            token,
            token_expires_at: until.to_string(),
            topic: subscription.topic,
            callback: subscription.callback,
        }
    }

    pub fn waiting_in_words(&self) -> String {
        let count = |count: u64, one: &str| match count {
            1 => format!("1 {one}"),
            count => format!("{count} {one}s"),
        };
        let mut words = count(self.in_backlog, "publication");
        if let Some(next) = &self.next_attempt {
            let failures = count(self.failures.into(), "failure");
            words += &format!("; tried next {next}, after {failures} in a row");
        }
        words
    }

    pub fn state_in_words(&self) -> &'static str {
        match self.state {
            "failing" => "active, and the last attempts have failed",
            "behind" => "active, and something waits",
            _ => "active, and nothing waits",
        }
    }
}

impl ReplayView {
    fn of(replay: Again) -> Self {
        Self {
            begun_at: replay.begun_at.to_string(),
            since: replay.since.to_string(),
            delivered: replay.delivered,
            most: REPLAY_MAX,
            ended: replay.ended,
        }
    }

    pub fn in_words(&self) -> String {
        match &self.ended {
            Some(ended) => ended.clone(),
            None => format!("{} sent so far", self.delivered),
        }
    }
}
