//! Who goes first. In: the calls of a fan-out, as its cursor visits them. Out: rounds, for which there is a place.
//!
//! Calls to origins that are known to answer go at once, as many as there are places. The others let them go first: what may
//! go wrong costs more than what goes well (a new connection, a wait, a row in a backlog), and on a busy machine that would be
//! taken from those who answer. One call of each unknown origin goes ahead, to find out; if it is not answered at once another
//! one does, since it may be the path that hangs. While nobody known is there to be served many find out at a time.
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

    /// A place for one who finds out: few, but while most places for known ones are free it may be one of those.
    fn for_scout(&self) -> Option<OwnedSemaphorePermit> {
        let scout = || Arc::clone(&self.scouts).try_acquire_owned().ok();
        let idle = self.swift.available_permits() > Self::SWIFT / 2;
        let swift = || Arc::clone(&self.swift).try_acquire_owned().ok();
        scout().or_else(|| idle.then(swift)?)
    }
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
        } else if let Some(place) = self.hub.places.for_scout()
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
    use std::net::TcpListener;

    use bytes::Bytes;

    use super::super::gate::Gate;
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

    /// One call to each of so many origins where nobody listens.
    fn origins(hub: &Hub, number: u16) -> Vec<Call> {
        let origin = |port| calls(hub, &format!("http://127.0.0.1:{port}"), 1);
        (100..100 + number).flat_map(origin).collect()
    }

    fn answers(hub: &Hub, call: &Call) {
        gate_answers(hub, &call.gate);
    }

    fn gate_answers(hub: &Hub, gate: &Gate) {
        let answer = Outcome::Answered {
            status: 200,
            retry_after: None,
            excerpt: String::new(),
        };
        hub.gates.record(gate, &answer, Duration::from_millis(1));
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
    async fn while_nobody_known_is_served_many_unknown_origins_are_explored() {
        let folder = tempfile::tempdir().expect("a folder");
        let hub = hub(&folder);
        let mut dispatch = dispatch(&hub).await;
        for call in origins(&hub, 20) {
            dispatch.add(call).await;
        }
        assert_eq!(dispatch.calls().count(), 0);
        hub.store.close().await.expect("closed");
    }

    #[tokio::test]
    async fn beside_those_who_are_known_a_few_are_explored_at_a_time() {
        let folder = tempfile::tempdir().expect("a folder");
        let hub = hub(&folder);
        let mut dispatch = dispatch(&hub).await;
        let half = Arc::clone(&hub.places.swift).acquire_many_owned(Places::SWIFT as u32 / 2);
        let busy = half.await.expect("places");
        for call in origins(&hub, 20) {
            dispatch.add(call).await;
        }
        assert_eq!(dispatch.calls().count(), 20 - Places::SCOUTS);
        drop(busy);
        dispatch.send_all().await;
        assert_eq!(dispatch.calls().count(), 0);
        hub.store.close().await.expect("closed");
    }

    #[tokio::test]
    async fn who_becomes_known_while_others_wait_for_a_place_goes_before_them() {
        let folder = tempfile::tempdir().expect("a folder");
        let hub = hub(&folder);
        let dispatch = dispatch(&hub).await;
        // They connect, and are not answered.
        let doors = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").expect("a port"));
        let call = |door: &TcpListener| {
            door.set_nonblocking(true).expect("set");
            let address = door.local_addr().expect("an address");
            calls(&hub, &format!("http://{address}"), 1).remove(0)
        };
        let [unknown, known] = [call(&doors[0]), call(&doors[1])];
        let strangers = Arc::clone(&hub.places.strangers);
        let others = strangers.acquire_many_owned(Places::STRANGERS as u32);
        let mut others = others.await.expect("places");
        let gate = Arc::clone(&known.gate);
        dispatch
            .carrier
            .send_after(vec![unknown, known], Duration::ZERO);
        gate_answers(&hub, &gate);
        drop(others.split(1));
        let first = loop {
            match doors.each_ref().map(|door| door.accept().is_ok()) {
                [_, true] => break "the known one",
                [true, _] => break "the unknown one",
                _ => tokio::task::yield_now().await,
            }
        };
        assert_eq!(first, "the known one");
        hub.store.close().await.expect("closed");
    }

    #[tokio::test]
    async fn who_finds_out_and_is_not_answered_at_once_lets_another_try() {
        let folder = tempfile::tempdir().expect("a folder");
        let hub = hub(&folder);
        let mut dispatch = dispatch(&hub).await;
        let door = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = door.local_addr().expect("an address");
        let calls = calls(&hub, &format!("http://{address}"), 2);
        let gate = Arc::clone(&calls[0].gate);
        for call in calls {
            dispatch.add(call).await;
        }
        assert_eq!(dispatch.calls().count(), 1);
        while !gate.explore() {
            tokio::task::yield_now().await;
        }
        assert!(!gate.is_known(), "nobody has been answered");
        hub.store.close().await.expect("closed");
    }
}
