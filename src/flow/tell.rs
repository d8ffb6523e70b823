//! Telling one hook of one event outside of a fan-out: a ping, a test, a redelivery, a step of a replay. In: an edition and a
//! hook. Out: the attempt, which the diary has too. The limits of its origin and its rate hold as for any other delivery.

use std::time::Duration;

use tokio::time::Instant;

use super::Hub;
use super::deliver::note;
use super::editions::Edition;
use super::round::acquire;
use crate::domain::attempt::{Attempt, Verdict};
use crate::domain::hook::Hook;
use crate::net::sender::Exchange;
use crate::store::Target;

impl Hub {
    /// Makes one request, as soon as the hook's origin and its rate allow. `redelivery` is what the log says of it. `None` if the
    /// hub stops before that.
    pub(super) async fn tell(
        &self,
        edition: &Edition,
        hook: Hook,
        redelivery: bool,
    ) -> Option<Attempt> {
        while let Err(wait) = self.paces.take(&hook) {
            self.pause(wait).await?;
        }
        let _room = acquire(&self.room).await;
        let gate = self.gates.of(hook.endpoint.origin());
        let permit = loop {
            if let Some(permit) = gate.pass().await {
                break permit;
            }
            self.pause(CROWDED_PAUSE).await?;
        };
        let target = Target::from(hook);
        let hook = target.hook()?;
        let at = self.clock.now();
        let (rendered, default_body) = self.render(edition, &target, at);
        // A ping cannot be made again: the log keeps its body.
        let default_body = default_body.filter(|_| !edition.is_ping());
        let asked = rendered.asked(hook, default_body);
        let began = Instant::now();
        let Exchange { outcome, headers } = self.transmit(rendered, hook.verify_tls).await;
        let took = began.elapsed();
        let attempt = self.conclude(edition, &target, permit, at, took, outcome);
        if let Some(note) = note(edition, hook, attempt.clone(), asked, &headers, redelivery) {
            self.diary.note(note).await;
        }
        Some(attempt)
    }

    /// Waits; `None` if the hub stops before that.
    pub(super) async fn pause(&self, span: Duration) -> Option<()> {
        self.stop
            .run_until_cancelled(tokio::time::sleep(span))
            .await
    }
}

/// How long to wait where too many wait already.
const CROWDED_PAUSE: Duration = Duration::from_millis(250);

/// Whether the receiver has taken it.
pub(super) fn is_taken(attempt: &Attempt) -> bool {
    attempt.outcome.verdict() == Verdict::Delivered
}
