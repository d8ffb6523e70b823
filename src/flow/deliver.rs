//! One delivery: render, sign, send. In: an edition, a target, and the permit to make the request. Out: the attempt.

use std::time::Duration;

use tokio::time::timeout;

use super::Hub;
use super::gate::{Gate, Permit};
use crate::dialect::websub::Edition;
use crate::domain::attempt::{Attempt, Outcome, Verdict};
use crate::domain::subscription::Subscription;
use crate::domain::value::TargetId;

/// An answer within this time comes at once.
const SWIFT: Duration = Duration::from_millis(5);

impl Hub {
    /// Makes the request and tells the origin's circuit how it ended. A request that takes long leaves its slot.
    pub(super) async fn deliver(
        &self,
        edition: &Edition,
        target: TargetId,
        subscription: &Subscription,
        gate: &Gate,
        mut permit: Permit,
    ) -> Attempt {
        let method = subscription
            .method
            .unwrap_or(self.settings.subscriptions.signature);
        let headers = edition.headers(target, subscription.secret.as_ref(), method);
        let at = self.clock.now();
        let began = tokio::time::Instant::now();
        let exchange = self.sender.post(
            &subscription.callback,
            headers,
            edition.body().clone(),
            self.settings.delivery.timeout,
        );
        tokio::pin!(exchange);
        let outcome = match self.swiftly(&mut exchange).await {
            Some(outcome) => outcome,
            None => match timeout(gate.patience(), &mut exchange).await {
                Ok(outcome) => outcome,
                Err(_) => {
                    permit.straggle();
                    exchange.await
                }
            },
        };
        drop(permit);
        let took = began.elapsed();
        self.gates.record(gate, &outcome, took);
        self.meters.attempt(&outcome, took);
        log(edition, target, subscription, &outcome, took);
        Attempt {
            at,
            millis: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            outcome,
        }
    }

    /// Waits for an answer that comes at once. Only so many deliveries wait here: when all receivers are quick, more of them
    /// at a time would only be slower. Who takes longer waits elsewhere, and leaves the place to the next.
    async fn swiftly<F: Future + Unpin>(&self, exchange: F) -> Option<F::Output> {
        let _place = self.swift.acquire().await;
        timeout(SWIFT, exchange).await.ok()
    }
}

/// One event for each attempt: failures are worth reading, successes only to who asks.
fn log(
    edition: &Edition,
    target: TargetId,
    subscription: &Subscription,
    outcome: &Outcome,
    took: Duration,
) {
    let publication = edition.publication().id;
    let origin = subscription.callback.origin();
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
