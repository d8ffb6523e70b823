//! The books of the crash test: what the hub has promised, what has arrived, and whether the two agree.
//!
//! What is promised (design.md, section 2):
//! 1. A subscription that was answered 202 or 204 is verified, and active then.
//! 2. A publication that was answered reaches every reader that was active before the publisher began to ask: pushed and
//!    hosted content itself, a pinged topic's content or a newer one.
//! 3. What a reader gets for the first time comes in the order of publication. After a crash an older one may come again.
//! 4. Nothing comes again without a crash since it was published. One crash causes at most as many repeats as deliveries
//!    may end between two checkpoints of a fan-out, and those in flight. They carry the same delivery id.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

/// Everything that is known.
#[derive(Default)]
pub struct Ledger {
    /// By number.
    pub readers: Vec<Reader>,
    /// By topic.
    pub promises: Vec<Vec<Promise>>,
    /// By topic, and for each number from 1: the life of the hub in which its publisher began to ask.
    pub asked_in: Vec<Vec<usize>>,
    /// What should never have been seen, in words.
    pub faults: Vec<String>,
    /// How many crashes there have been.
    pub life: usize,
}

/// One subscription.
pub struct Reader {
    pub topic: usize,
    pub callback: String,
    /// The hub has answered the request for it.
    pub accepted: bool,
    /// Since when it is known that it is active.
    pub active: Option<Instant>,
    /// It has begun to ask for its end, and owes nothing to anybody since.
    pub leaving: bool,
    /// What has arrived, in that order.
    pub arrivals: Vec<Arrival>,
    /// Deliveries that were answered 500.
    pub refused: usize,
}

/// A delivery that was answered 200.
pub struct Arrival {
    pub number: u64,
    pub delivery: String,
    pub life: usize,
}

/// A publication that the hub has answered for.
pub struct Promise {
    pub number: u64,
    /// When the publisher began to ask.
    pub asked: Instant,
    /// Whether a newer one does as well: pings of one topic share a fetch.
    pub or_newer: bool,
    /// Where its receipt is.
    pub receipt: String,
}

/// What came more than once.
pub struct Repeats {
    /// For each crash, what came again because of it.
    pub by_crash: Vec<usize>,
    /// What came again without one.
    pub groundless: Vec<String>,
}

impl Ledger {
    /// A delivery has arrived and is being answered 200.
    pub fn arrived(&mut self, reader: usize, number: u64, delivery: String) {
        let life = self.life;
        let reader = &mut self.readers[reader];
        reader.active.get_or_insert_with(Instant::now);
        reader.arrivals.push(Arrival {
            number,
            delivery,
            life,
        });
    }

    /// A publisher begins to ask for its next publication.
    pub fn asking(&mut self, topic: usize) {
        self.asked_in[topic].push(self.life);
    }

    /// These callbacks are active now.
    pub fn listed(&mut self, callbacks: &BTreeSet<String>) {
        let now = Instant::now();
        for reader in &mut self.readers {
            if callbacks.contains(&reader.callback) {
                reader.active.get_or_insert(now);
            }
        }
    }

    /// Callbacks whose subscription is not accepted yet, or not known to be active.
    pub fn inactive(&self) -> Vec<String> {
        let is_active = |reader: &Reader| reader.accepted && reader.active.is_some();
        let inactive = self.readers.iter().filter(|reader| !is_active(reader));
        inactive.map(|reader| reader.callback.clone()).collect()
    }

    /// What readers should have and have not, in words.
    pub fn owed(&self) -> Vec<String> {
        let mut owed = Vec::new();
        for reader in self.readers.iter().filter(|reader| !reader.leaving) {
            let Some(active) = reader.active else {
                continue;
            };
            let has: BTreeSet<u64> = reader
                .arrivals
                .iter()
                .map(|arrival| arrival.number)
                .collect();
            let newest = has.last().copied().unwrap_or(0);
            for promise in self.promises[reader.topic]
                .iter()
                .filter(|promise| promise.asked > active)
            {
                let kept =
                    has.contains(&promise.number) || promise.or_newer && newest > promise.number;
                if !kept {
                    owed.push(format!(
                        "{} of topic {} to {}, receipt {}",
                        promise.number, reader.topic, reader.callback, promise.receipt
                    ));
                }
            }
        }
        owed
    }

    /// Readers that got something for the first time after something newer, in words.
    pub fn overtaken(&self) -> Vec<String> {
        let mut overtaken = Vec::new();
        for reader in &self.readers {
            let mut newest = 0;
            let mut seen = BTreeSet::new();
            for arrival in &reader.arrivals {
                if seen.insert(arrival.number) && arrival.number < newest {
                    overtaken.push(format!(
                        "{} of topic {} after {newest} to {} in life {}: {:?}",
                        arrival.number,
                        reader.topic,
                        reader.callback,
                        arrival.life,
                        numbers(reader)
                    ));
                }
                newest = newest.max(arrival.number);
            }
        }
        overtaken
    }

    /// What came more than once. A repeat is due to the crash that ended the life in which it came before; if that was in
    /// the same life, then to the crash before it, after which both the backlog and the fan-out had it to do.
    pub fn repeats(&self) -> Repeats {
        let mut repeats = Repeats {
            by_crash: vec![0; self.life],
            groundless: Vec::new(),
        };
        for reader in &self.readers {
            let mut lives: BTreeMap<u64, usize> = BTreeMap::new();
            for Arrival { number, life, .. } in &reader.arrivals {
                let asked_in = self.asked_in[reader.topic][*number as usize - 1];
                match lives.insert(*number, *life) {
                    None => {}
                    Some(before) if before < *life => repeats.by_crash[before] += 1,
                    Some(_) if asked_in < *life => repeats.by_crash[life - 1] += 1,
                    Some(_) => repeats.groundless.push(format!(
                        "{number} of topic {} to {} in life {life}",
                        reader.topic, reader.callback
                    )),
                }
            }
        }
        repeats
    }

    /// Publications that came to one reader under several delivery ids, in words.
    pub fn renamed(&self) -> Vec<String> {
        let mut renamed = Vec::new();
        for reader in &self.readers {
            let mut ids: BTreeMap<u64, &str> = BTreeMap::new();
            for arrival in &reader.arrivals {
                let first = *ids.entry(arrival.number).or_insert(&arrival.delivery);
                if first != arrival.delivery || first.is_empty() {
                    renamed.push(format!(
                        "{} to {}: {first:?} and {:?}",
                        arrival.number, reader.callback, arrival.delivery
                    ));
                }
            }
        }
        renamed
    }
}

fn numbers(reader: &Reader) -> Vec<u64> {
    reader
        .arrivals
        .iter()
        .map(|arrival| arrival.number)
        .collect()
}
