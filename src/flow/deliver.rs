//! One delivery: render, send, and for a hook note it down. In: an edition, a target, and the permit to make the request. Out:
//! the attempt.

use std::pin::{Pin, pin};
use std::time::Duration;

use bytes::Bytes;
use hyper::header::HeaderMap;
use tokio::time::{Instant, Sleep, sleep};

use super::Hub;
use super::diary::Note;
use super::editions::Edition;
use super::gate::Permit;
use super::pulse::Activity;
use crate::domain::attempt::{Attempt, Outcome, Verdict};
use crate::domain::delivery::{Delivery, Request, kept_headers};
use crate::domain::hook::Hook;
use crate::domain::value::Timestamp;
use crate::net::sender::Exchange;
use crate::store::{Recipient, Target};

/// An answer within this time comes at once.
const SWIFT: Duration = Duration::from_millis(5);

/// A timer for one wait after the other: to move it costs next to nothing, to make one for each delivery does not.
pub(super) struct Patience(Pin<Box<Sleep>>);

impl Patience {
    pub(super) fn new() -> Self {
        Self(Box::pin(sleep(SWIFT)))
    }

    /// What comes of `work` within `span`.
    async fn with<F: Future>(&mut self, span: Duration, work: Pin<&mut F>) -> Option<F::Output> {
        self.0.as_mut().reset(Instant::now() + span);
        tokio::select! {
            biased;
            output = work => Some(output),
            () = &mut self.0 => None,
        }
    }
}

impl Hub {
    /// Makes the request and tells the origin's circuit how it ended. `go_ahead` is called if the answer does not come at
    /// once: others need not wait for it. A request that takes longer still leaves its slot.
    pub(super) async fn deliver(
        &self,
        edition: &Edition,
        target: &Target,
        mut permit: Permit,
        patience: &mut Patience,
        go_ahead: impl FnOnce() + Send,
    ) -> Attempt {
        let at = self.clock.now();
        self.work.pulse.beat(Activity::Delivery, at);
        let (mut rendered, default_body) = self.render(edition, target, at);
        let step = self.traces.call(edition, None);
        if let Some(step) = &step {
            rendered.pass_on(step.place);
        }
        let hook = match &target.recipient {
            Recipient::Hook(hook) => Some((hook, rendered.asked(hook, default_body))),
            Recipient::Subscription(_) => None,
        };
        let verify_tls = hook.as_ref().is_none_or(|(hook, _)| hook.verify_tls);
        let began = Instant::now();
        let mut exchange = pin!(self.transmit(rendered, verify_tls));
        let Exchange { outcome, headers } = match patience.with(SWIFT, exchange.as_mut()).await {
            Some(exchange) => exchange,
            None => {
                go_ahead();
                permit.gate().explore_again();
                let usual = permit.gate().patience();
                match patience.with(usual, exchange.as_mut()).await {
                    Some(exchange) => exchange,
                    None => {
                        permit.straggle();
                        exchange.await
                    }
                }
            }
        };
        let took = began.elapsed();
        self.work.pulse.beat(Activity::Delivery, at.plus(took));
        if let Some(step) = step {
            self.trace_call(step, target, at, took, &outcome);
        }
        let attempt = self.conclude(edition, target, permit, at, took, outcome);
        if let Some((hook, asked)) = hook
            && let Some(note) = self.note(edition, hook, attempt.clone(), asked, &headers, false)
        {
            self.diary.note(note).await;
        }
        attempt
    }

    /// An attempt is over: its slot is free, and the circuit, the meters and the log know how it ended.
    pub(super) fn conclude(
        &self,
        edition: &Edition,
        target: &Target,
        permit: Permit,
        at: Timestamp,
        took: Duration,
        outcome: Outcome,
    ) -> Attempt {
        self.gates.record(permit.gate(), &outcome, took);
        drop(permit);
        self.meters.attempt(&outcome, took);
        log(edition, target, &outcome, took);
        let attempt = Attempt {
            at,
            millis: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            outcome,
        };
        if target.hook().is_none() {
            self.trails.note(target.id, &attempt);
        }
        attempt
    }

    /// What the diary says of an attempt to tell a hook of an event.
    pub(super) fn note(
        &self,
        edition: &Edition,
        hook: &Hook,
        attempt: Attempt,
        (request, body): (Request, Bytes),
        answer: &HeaderMap,
        redelivery: bool,
    ) -> Option<Note> {
        let publication = edition.publication();
        let pairs = answer
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_bytes()));
        let delivery = Delivery {
            id: self.diary.number(attempt.at),
            hook: hook.id,
            publication: publication.id,
            event: publication.event.as_ref()?.name.clone(),
            attempt,
            redelivery,
            request,
            response_headers: kept_headers(pairs),
        };
        Some(Note::new(delivery, body))
    }
}

/// One event for each attempt: failures are worth reading, successes only to who asks.
fn log(edition: &Edition, target: &Target, outcome: &Outcome, took: Duration) {
    let publication = edition.publication().id;
    let origin = target.callback().origin();
    // As a number: a machine that reads the log compares it.
    let took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    // Not `target`, which is the module that logs.
    let to = target.id;
    match (outcome.verdict(), outcome) {
        (Verdict::Delivered, _) => {
            tracing::debug!(%publication, %to, origin, took_ms, "delivered");
        }
        (_, Outcome::Answered { status, .. }) => {
            tracing::info!(%publication, %to, origin, status, took_ms, "not accepted");
        }
        (_, Outcome::Unanswered { failure, detail }) => {
            tracing::info!(%publication, %to, origin, ?failure, detail, took_ms, "not answered");
        }
    }
}
