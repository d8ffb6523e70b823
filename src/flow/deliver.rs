//! One delivery: render, sign, send. In: an edition, a target, and the permit to make the request. Out: the attempt.

use std::pin::{Pin, pin};
use std::time::Duration;

use hyper::Method;
use tokio::time::{Instant, Sleep, sleep};

use super::Hub;
use super::gate::Permit;
use super::pulse::Activity;
use crate::dialect::websub::Edition;
use crate::domain::attempt::{Attempt, Outcome, Verdict};
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
        let (secret, method) = match &target.recipient {
            Recipient::Subscription(subscription) => (&subscription.secret, subscription.method),
            Recipient::Hook(hook) => (&hook.secret, None),
        };
        let method = method.unwrap_or(self.settings.subscriptions.signature);
        let headers = edition.headers(target.id, secret.as_ref(), method);
        let at = self.clock.now();
        self.work.pulse.beat(Activity::Delivery, at);
        let began = Instant::now();
        let mut exchange = pin!(self.sender.send(
            &Method::POST,
            target.callback(),
            headers,
            edition.body().clone(),
            self.settings.delivery.timeout,
        ));
        let Exchange { outcome, .. } = match patience.with(SWIFT, exchange.as_mut()).await {
            Some(outcome) => outcome,
            None => {
                go_ahead();
                let usual = permit.gate().patience();
                match patience.with(usual, exchange.as_mut()).await {
                    Some(outcome) => outcome,
                    None => {
                        permit.straggle();
                        exchange.await
                    }
                }
            }
        };
        let took = began.elapsed();
        self.work.pulse.beat(Activity::Delivery, at.plus(took));
        self.gates.record(permit.gate(), &outcome, took);
        drop(permit);
        self.meters.attempt(&outcome, took);
        log(edition, target, &outcome, took);
        Attempt {
            at,
            millis: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            outcome,
        }
    }
}

/// One event for each attempt: failures are worth reading, successes only to who asks.
fn log(edition: &Edition, target: &Target, outcome: &Outcome, took: Duration) {
    let publication = edition.publication().id;
    let origin = target.callback().origin();
    let target = target.id;
    match (outcome.verdict(), outcome) {
        (Verdict::Delivered, _) => {
            tracing::debug!(%publication, %target, origin, took_ms = took.as_millis(), "delivered");
        }
        (_, Outcome::Answered { status, .. }) => {
            tracing::info!(%publication, %target, origin, status, took_ms = took.as_millis(), "not accepted");
        }
        (_, Outcome::Unanswered { failure, detail }) => {
            tracing::info!(%publication, %target, origin, ?failure, detail, took_ms = took.as_millis(), "not answered");
        }
    }
}
