//! What is known in memory about intents that are not decided: which clients wait for the verdict, and which intents wait
//! for another try.
//!
//! Invariant: of two intents for one target the later one has the last word, also if the earlier one is asked about again
//! after the later one was confirmed (HUB-09).

use std::collections::BTreeSet;

use dashmap::DashMap;
use tokio::sync::oneshot;
use uuid::Uuid;

use crate::domain::job::Verify;
use crate::domain::subscription::Intent;
use crate::domain::value::TargetId;

/// What became of an intent that a client waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The callback confirmed it, and it is durable.
    Confirmed,
    /// The callback did not confirm it.
    Unverified(String),
    /// The hub's policy is against it.
    Denied(String),
    /// Nothing comes of it, whatever the callback says.
    Dropped(String),
}

/// See the module.
#[derive(Default)]
pub(super) struct Verdicts {
    awaited: DashMap<Uuid, oneshot::Sender<Verdict>>,
    waiting: DashMap<TargetId, BTreeSet<Uuid>>,
}

impl Verdicts {
    /// A client waits for the verdict.
    pub(super) fn expect(&self, intent: &Intent) -> oneshot::Receiver<Verdict> {
        let (tell, told) = oneshot::channel();
        self.awaited.insert(intent.id, tell);
        told
    }

    /// The client cannot wait any longer.
    pub(super) fn forget(&self, intent: Uuid) {
        self.awaited.remove(&intent);
    }

    /// Whether a client waits for the verdict.
    pub(super) fn is_awaited(&self, intent: &Intent) -> bool {
        self.awaited.contains_key(&intent.id)
    }

    /// The intent waits for another try.
    pub(super) fn wait(&self, job: &Verify) {
        let mut waiting = self.waiting.entry(job.intent.target()).or_default();
        waiting.insert(job.intent.id);
    }

    /// The intent is tried. False if a later one has been confirmed since it began to wait.
    pub(super) fn begin(&self, job: &Verify) -> bool {
        let waits = |waiting: &BTreeSet<Uuid>| waiting.contains(&job.intent.id);
        let waiting = self.waiting.get(&job.intent.target());
        job.failures == 0 || waiting.is_some_and(|waiting| waits(&waiting))
    }

    /// Earlier intents for the same target that wait for another try: a confirmed one ends them.
    pub(super) fn earlier(&self, intent: &Intent) -> Vec<Uuid> {
        let waiting = self.waiting.get(&intent.target());
        waiting.map_or_else(Vec::new, |waiting| {
            waiting.range(..intent.id).copied().collect()
        })
    }

    /// The intent is confirmed: earlier ones that wait have nothing to say any longer.
    pub(super) fn confirmed(&self, intent: &Intent) {
        self.retain(intent, |waiting| waiting > intent.id);
        self.tell(intent, Verdict::Confirmed);
    }

    /// The intent has failed. True if a client waited for that, and knows now.
    pub(super) fn refused(&self, intent: &Intent, verdict: Verdict) -> bool {
        self.retain(intent, |waiting| waiting != intent.id);
        self.tell(intent, verdict)
    }

    fn retain(&self, intent: &Intent, keep: impl Fn(Uuid) -> bool) {
        let target = intent.target();
        if let Some(mut waiting) = self.waiting.get_mut(&target) {
            waiting.retain(|id| keep(*id));
        }
        self.waiting
            .remove_if(&target, |_, waiting| waiting.is_empty());
    }

    fn tell(&self, intent: &Intent, verdict: Verdict) -> bool {
        let awaited = self.awaited.remove(&intent.id);
        awaited.is_some_and(|(_, tell)| tell.send(verdict).is_ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::subscription::Mode;
    use crate::domain::value::{CallbackUrl, Timestamp, TopicUrl};

    fn job(number: u128, failures: u32) -> Verify {
        Verify {
            intent: Intent {
                id: Uuid::from_u128(number),
                mode: Mode::Subscribe,
                topic: TopicUrl::parse("http://t.example/").expect("a topic"),
                callback: CallbackUrl::parse("http://c.example/").expect("a callback"),
                secret: None,
                method: None,
                lease_seconds: 60,
                verify_token: None,
                from: None,
                requested_at: Timestamp(0),
                refresh: false,
            },
            due: Timestamp(0),
            failures,
        }
    }

    #[test]
    fn a_later_intent_that_is_confirmed_silences_earlier_ones_that_wait_and_no_others() {
        let verdicts = Verdicts::default();
        for number in [1, 3] {
            verdicts.wait(&job(number, 1));
        }
        assert_eq!(verdicts.earlier(&job(2, 0).intent), [Uuid::from_u128(1)]);
        verdicts.confirmed(&job(2, 0).intent);
        assert!(!verdicts.begin(&job(1, 1)));
        assert!(verdicts.begin(&job(3, 1)), "it waits");
        assert!(
            verdicts.begin(&job(3, 1)),
            "and again, if the store failed it"
        );
        verdicts.refused(&job(3, 1).intent, Verdict::Unverified("no".into()));
        assert!(verdicts.waiting.is_empty());
        assert!(verdicts.begin(&job(4, 0)));
    }

    #[tokio::test]
    async fn who_waits_is_told_once() {
        let verdicts = Verdicts::default();
        let told = verdicts.expect(&job(1, 0).intent);
        assert!(verdicts.is_awaited(&job(1, 0).intent));
        assert!(verdicts.refused(&job(1, 0).intent, Verdict::Denied("no".into())));
        assert_eq!(told.await, Ok(Verdict::Denied("no".into())));
        assert!(!verdicts.refused(&job(1, 0).intent, Verdict::Confirmed));
    }
}
