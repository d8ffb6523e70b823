//! Who goes first. In: the calls of a fan-out, as its cursor visits them. Out: rounds, for which there is a place.
//!
//! Calls to origins that are known to answer go at once, as many as there are places. The others let them go first: what may
//! go wrong costs more than what goes well (a new connection, a wait, a row in a backlog), and on a busy machine that would be
//! taken from those who answer. One call of each unknown origin goes ahead, to find out.
//!
//! Invariant: whoever stands aside is sent when the others have been sent, after `COURTESY`, or when `MANY` do.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use super::Hub;
use super::round::{Call, Carrier, acquire};

/// The most targets of one round; fewer while there are places to begin at once.
pub(super) const ROUND: usize = 16;
/// So long unknown ones let others go first.
const COURTESY: Duration = Duration::from_secs(1);
/// So many of them wait at the most: together with all rounds fewer than a ledger keeps open.
const MANY: usize = 2_200;

/// Places for deliveries that begin: whoever is not answered at once leaves its own to another.
pub(super) struct Places {
    /// For receivers that are known. Measured: with more, the same requests cost more (`cargo bench --bench sender`).
    pub(super) swift: Arc<Semaphore>,
    /// For those of whom nobody knows whether they answer at once.
    pub(super) strangers: Arc<Semaphore>,
    /// For those of them who go ahead of others of their origins, to find out.
    scouts: Arc<Semaphore>,
}

impl Places {
    /// How many known receivers are served at a time.
    pub(super) const SWIFT: usize = 96;
    /// How many unknown ones.
    pub(super) const STRANGERS: usize = 32;
    const SCOUTS: usize = 4;
}

impl Default for Places {
    fn default() -> Self {
        Self {
            swift: Arc::new(Semaphore::new(Self::SWIFT)),
            strangers: Arc::new(Semaphore::new(Self::STRANGERS)),
            scouts: Arc::new(Semaphore::new(Self::SCOUTS)),
        }
    }
}

/// The calls that have not been sent yet.
pub(super) struct Dispatch {
    hub: Arc<Hub>,
    carrier: Arc<Carrier>,
    /// Those who are served next.
    round: Vec<Call>,
    /// Those who let others go first.
    aside: Vec<Call>,
    /// When the first of these came.
    since: Option<Instant>,
}

impl Dispatch {
    pub(super) fn new(hub: Arc<Hub>, carrier: Arc<Carrier>) -> Self {
        Self {
            hub,
            carrier,
            round: Vec::new(),
            aside: Vec::new(),
            since: None,
        }
    }

    /// One more call; waits for a place if there are enough for a round.
    pub(super) async fn add(&mut self, call: Call) {
        if call.gate.is_known() {
            self.round.push(call);
            if let Some(place) = self.place().await {
                let calls = std::mem::replace(&mut self.round, Vec::with_capacity(ROUND));
                self.carrier.send(calls, place);
            }
        } else if let Ok(place) = Arc::clone(&self.hub.places.scouts).try_acquire_owned()
            && call.gate.explore()
        {
            self.carrier.send(vec![call], place);
        } else {
            self.since.get_or_insert_with(Instant::now);
            self.aside.push(call);
        }
        let waited = |since: Instant| since.elapsed() >= COURTESY;
        if self.aside.len() >= MANY || self.since.is_some_and(waited) {
            self.send_aside().await;
        }
    }

    /// Sends those who are known, also those who have become known meanwhile.
    pub(super) async fn send_known(&mut self) {
        let (known, aside) = std::mem::take(&mut self.aside)
            .into_iter()
            .partition(|call: &Call| call.gate.is_known());
        self.aside = aside;
        self.since.take_if(|_| self.aside.is_empty());
        self.round.extend::<Vec<Call>>(known);
        while !self.round.is_empty() {
            // They stay here until there is a place: whoever drops this ends their turns.
            let place = acquire(&self.hub.places.swift).await;
            let rest = self.round.split_off(ROUND.min(self.round.len()));
            let calls = std::mem::replace(&mut self.round, rest);
            self.carrier.send(calls, place);
        }
    }

    /// Sends all. Those who stand aside wait for the others, but not for long.
    pub(super) async fn send_all(&mut self) {
        self.send_known().await;
        self.send_aside().await;
    }

    /// Those who have not been sent.
    pub(super) fn calls(&self) -> impl Iterator<Item = &Call> {
        self.round.iter().chain(&self.aside)
    }

    async fn send_aside(&mut self) {
        let is_crowd = self.aside.len() >= MANY;
        self.send_known().await;
        let waited = self.since.take().map(|since| since.elapsed());
        let wait = match waited {
            Some(waited) if !is_crowd => COURTESY.saturating_sub(waited),
            _ => Duration::ZERO,
        };
        self.carrier
            .send_after(std::mem::take(&mut self.aside), wait);
    }

    /// A place for the round: one that is free, or if the round is full the next that becomes free.
    async fn place(&self) -> Option<OwnedSemaphorePermit> {
        match self.round.len() {
            ROUND.. => Some(acquire(&self.hub.places.swift).await),
            _ => Arc::clone(&self.hub.places.swift).try_acquire_owned().ok(),
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::super::tests::{fanout, hub, publication, subscriber};
    use super::*;
    use crate::domain::attempt::Outcome;
    use crate::domain::receipt::Tally;
    use crate::store::Target;

    /// Calls to that many callbacks of an origin where nobody listens.
    fn calls(hub: &Hub, origin: &str, number: usize) -> Vec<Call> {
        let call = |at| {
            let target = Target::from(subscriber(hub, &format!("{origin}/{at}")));
            let gate = hub.gates.of(target.callback().origin());
            Call { target, gate }
        };
        (0..number).map(call).collect()
    }

    fn answers(hub: &Hub, call: &Call) {
        let answer = Outcome::Answered {
            status: 200,
            retry_after: None,
            excerpt: String::new(),
        };
        hub.gates
            .record(&call.gate, &answer, Duration::from_millis(1));
    }

    async fn dispatch(hub: &Arc<Hub>) -> Dispatch {
        let publication = publication(hub, fanout(hub, 0).await.publication);
        let edition = hub.edition_of(publication, Bytes::from_static(b"x"));
        let carrier = Carrier::new(Arc::clone(hub), Arc::new(edition), Tally::default());
        Dispatch::new(Arc::clone(hub), carrier)
    }

    #[tokio::test]
    async fn one_of_an_unknown_origin_goes_ahead_and_the_others_follow_once_it_answers() {
        let folder = tempfile::tempdir().expect("a folder");
        let hub = hub(&folder);
        let mut dispatch = dispatch(&hub).await;
        let unknown = calls(&hub, "http://127.0.0.1:9", 10);
        let gate = Arc::clone(&unknown[0].gate);
        for call in unknown {
            dispatch.add(call).await;
        }
        assert_eq!(dispatch.calls().count(), 9);
        let known = calls(&hub, "http://127.0.0.1:10", 1).remove(0);
        answers(&hub, &known);
        dispatch.add(known).await;
        assert_eq!(dispatch.calls().count(), 9, "who is known goes at once");
        let call = dispatch.calls().next().expect("a call");
        assert!(Arc::ptr_eq(&call.gate, &gate));
        answers(&hub, call);
        dispatch.send_known().await;
        assert_eq!(dispatch.calls().count(), 0);
        hub.store.close().await.expect("closed");
    }

    #[tokio::test(start_paused = true)]
    async fn who_stands_aside_waits_for_a_second_however_many_known_ones_come() {
        let folder = tempfile::tempdir().expect("a folder");
        let hub = hub(&folder);
        let mut dispatch = dispatch(&hub).await;
        for call in calls(&hub, "http://127.0.0.1:9", 2) {
            dispatch.add(call).await;
        }
        assert_eq!(dispatch.calls().count(), 1);
        tokio::time::advance(COURTESY).await;
        let known = calls(&hub, "http://127.0.0.1:10", 1).remove(0);
        answers(&hub, &known);
        dispatch.add(known).await;
        assert_eq!(dispatch.calls().count(), 0);
    }

    #[tokio::test]
    async fn as_many_unknown_origins_as_there_are_scouts_are_explored_at_a_time() {
        let folder = tempfile::tempdir().expect("a folder");
        let hub = hub(&folder);
        let mut dispatch = dispatch(&hub).await;
        let unknown = (100..120).map(|port| calls(&hub, &format!("http://127.0.0.1:{port}"), 1));
        for call in unknown.flatten() {
            dispatch.add(call).await;
        }
        assert_eq!(dispatch.calls().count(), 20 - Places::SCOUTS);
        dispatch.send_all().await;
        assert_eq!(dispatch.calls().count(), 0);
        hub.store.close().await.expect("closed");
    }
}
