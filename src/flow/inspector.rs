//! The inspector: callback addresses, called bins, that keep what arrives, for people who build receivers and senders. In: who wants one,
//! and the requests that come. Out: what each is answered, and what has come, also as it comes.
//!
//! Invariants:
//! 1. All of it is in memory, and bounded: bins, and for each its requests and their bytes. What is over goes, oldest first.
//! 2. A bin ends `keep` after somebody last looked at it. As long as somebody follows it, it stays.
//! 3. Who waits for a slow answer holds nothing, and waits no longer than the hub runs.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use hyper::{HeaderMap, Method};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use url::form_urlencoded;
use uuid::Uuid;

use super::clock::{Clock, challenge};
use super::settings::InspectorSettings;
use crate::domain::value::Timestamp;

#[cfg(test)]
mod tests;

/// The longest that an answer may be delayed: longer than any sender should wait.
pub const DELAY_MAX: Duration = Duration::from_secs(60);
/// How often bins are looked through for those that are over.
const TIDY_EVERY: Duration = Duration::from_secs(30);
/// What a request costs besides its texts, in bytes.
const OVERHEAD: usize = 256;

/// How a bin answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Manners {
    /// The status.
    pub status: u16,
    /// How long the sender waits for it.
    pub delay: Duration,
    /// Whether a hub that asks whether its subscriber agrees is answered with its challenge, whatever the status is.
    pub challenge: bool,
}

impl Default for Manners {
    fn default() -> Self {
        Self {
            status: 200,
            delay: Duration::ZERO,
            challenge: true,
        }
    }
}

/// A request as it came.
#[derive(Debug)]
pub struct Arrival {
    /// Who sent it.
    pub from: IpAddr,
    /// Its method.
    pub method: Method,
    /// What stood behind the `?`.
    pub query: Option<String>,
    /// Its headers.
    pub headers: HeaderMap,
    /// The beginning of its body.
    pub body: Bytes,
    /// The size of the whole body, in bytes.
    pub size: usize,
}

/// A request that is kept.
#[derive(Debug)]
pub struct Caught {
    /// Its number in its bin, from 1.
    pub number: u64,
    /// When it came.
    pub at: Timestamp,
    /// The request.
    pub arrival: Arrival,
    /// What it was answered.
    pub reply: Reply,
}

impl Caught {
    /// Whether the body was too long to be kept whole.
    pub fn is_cut(&self) -> bool {
        self.arrival.size > self.arrival.body.len()
    }

    fn weight(&self) -> usize {
        let Arrival {
            query,
            headers,
            body,
            ..
        } = &self.arrival;
        let headers = headers.iter();
        let headers: usize = headers
            .map(|(name, value)| name.as_str().len() + value.len())
            .sum();
        OVERHEAD + headers + query.as_ref().map_or(0, String::len) + body.len()
    }
}

/// What a request is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// The challenge of a hub, to be repeated.
    pub challenge: Option<String>,
    /// After so long.
    pub delay: Duration,
}

/// A bin as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// What its address ends in; nobody can guess it.
    pub id: String,
    /// The token that it was made with.
    pub owner: Uuid,
    /// When it was made.
    pub made_at: Timestamp,
    /// When it ends, if nobody looks at it before.
    pub expires_at: Timestamp,
    /// How it answers.
    pub manners: Manners,
    /// Requests that came.
    pub received: u64,
    /// Requests that are kept.
    pub kept: usize,
}

/// There are as many bins as there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "there are {0} addresses already, and the setting inspector.bins allows no more; end one that is not needed, or wait until one ends \
     by itself"
)]
pub struct Full(usize);

/// Somebody who follows a bin.
#[derive(Debug)]
pub struct Follower {
    id: String,
    seen: u64,
    news: watch::Receiver<()>,
}

/// The bins.
pub struct Inspector {
    settings: InspectorSettings,
    clock: Clock,
    stop: CancellationToken,
    bins: Mutex<BTreeMap<String, Bin>>,
}

struct Bin {
    owner: Uuid,
    made_at: Timestamp,
    looked_at: Timestamp,
    manners: Manners,
    received: u64,
    caught: VecDeque<Arc<Caught>>,
    bytes: usize,
    /// Wakes the followers; that it is gone tells them that the bin is.
    news: watch::Sender<()>,
}

impl Inspector {
    /// Without a bin.
    pub fn new(settings: InspectorSettings, clock: Clock, stop: CancellationToken) -> Self {
        Self {
            settings,
            clock,
            stop,
            bins: Mutex::default(),
        }
    }

    /// The most of a body that is kept, in bytes.
    pub fn body_max(&self) -> usize {
        self.settings.body
    }

    /// How long a bin lasts that nobody looks at.
    pub fn keep(&self) -> Duration {
        self.settings.keep
    }

    /// Makes a bin.
    ///
    /// # Errors
    /// [`Full`].
    pub fn make(&self, owner: Uuid, manners: Manners) -> Result<Standing, Full> {
        let now = self.clock.now();
        let mut bins = self.bins();
        self.tidy(&mut bins);
        if bins.len() >= self.settings.bins {
            return Err(Full(bins.len()));
        }
        let id = challenge();
        let bin = Bin {
            owner,
            made_at: now,
            looked_at: now,
            manners,
            received: 0,
            caught: VecDeque::new(),
            bytes: 0,
            news: watch::Sender::new(()),
        };
        let standing = self.standing(&id, &bin);
        bins.insert(id, bin);
        Ok(standing)
    }

    /// All of them, the newest first.
    pub fn all(&self) -> Vec<Standing> {
        let mut bins = self.bins();
        self.tidy(&mut bins);
        let each = bins.iter().map(|(id, bin)| self.standing(id, bin));
        let mut all: Vec<_> = each.collect();
        all.sort_by(|a, b| (b.made_at, &b.id).cmp(&(a.made_at, &a.id)));
        all
    }

    /// Whose a bin is; `None` if there is no such bin.
    pub fn owner(&self, id: &str) -> Option<Uuid> {
        let mut bins = self.bins();
        self.tidy(&mut bins);
        bins.get(id).map(|bin| bin.owner)
    }

    /// One of them: somebody looks at it.
    pub fn look(&self, id: &str) -> Option<Standing> {
        self.with(id, |bin| self.standing(id, bin))
    }

    /// Has one answer in another way.
    pub fn teach(&self, id: &str, manners: Manners) -> Option<Standing> {
        self.with(id, |bin| {
            bin.manners = manners;
            self.standing(id, bin)
        })
    }

    /// Ends one. False if there is none.
    pub fn end(&self, id: &str) -> bool {
        self.bins().remove(id).is_some()
    }

    /// Forgets what one has caught. False if there is none.
    pub fn empty(&self, id: &str) -> bool {
        let emptied = self.with(id, |bin| {
            bin.caught.clear();
            bin.bytes = 0;
        });
        emptied.is_some()
    }

    /// What one has caught after a number, in the order of arrival.
    pub fn caught(&self, id: &str, after: u64, limit: usize) -> Option<Vec<Arc<Caught>>> {
        self.with(id, |bin| {
            let later = bin.caught.iter().filter(|caught| caught.number > after);
            later.take(limit).cloned().collect()
        })
    }

    /// One request that it has caught.
    pub fn one(&self, id: &str, number: u64) -> Option<Arc<Caught>> {
        let caught = self.caught(id, number.checked_sub(1)?, 1)?;
        caught.into_iter().find(|caught| caught.number == number)
    }

    /// Catches a request, and says what it is answered; `None` if there is no such bin.
    pub fn catch(&self, id: &str, arrival: Arrival) -> Option<Reply> {
        let mut bins = self.bins();
        self.tidy(&mut bins);
        let bin = bins.get_mut(id)?;
        let reply = bin.manners.reply(&arrival.method, arrival.query.as_deref());
        bin.received += 1;
        let caught = Caught {
            number: bin.received,
            at: self.clock.now(),
            arrival,
            reply: reply.clone(),
        };
        bin.bytes += caught.weight();
        bin.caught.push_back(Arc::new(caught));
        // The newest stays, whatever it weighs: its size is bounded by that of a request's head and of a body.
        while bin.caught.len() > self.settings.requests_per_bin
            || bin.bytes > self.settings.bytes_per_bin && bin.caught.len() > 1
        {
            let Some(oldest) = bin.caught.pop_front() else {
                break;
            };
            bin.bytes -= oldest.weight();
        }
        bin.news.send_replace(());
        Some(reply)
    }

    /// Lets a sender wait for its answer.
    pub async fn pause(&self, delay: Duration) {
        self.stop
            .run_until_cancelled(tokio::time::sleep(delay))
            .await;
    }

    /// Follows a bin from a number on; `None` if there is no such bin.
    pub fn follow(&self, id: &str, after: u64) -> Option<Follower> {
        self.with(id, |bin| Follower {
            id: id.to_owned(),
            seen: after,
            news: bin.news.subscribe(),
        })
    }

    /// What comes next, once something has come; `None` at the end of the bin.
    pub async fn next(&self, follower: &mut Follower) -> Option<Vec<Arc<Caught>>> {
        loop {
            follower.news.borrow_and_update();
            let new = self.caught(&follower.id, follower.seen, usize::MAX)?;
            if let Some(last) = new.last() {
                follower.seen = last.number;
                return Some(new);
            }
            follower.news.changed().await.ok()?;
        }
    }

    /// Ends those whose time has come, until the hub stops.
    pub async fn tidy_regularly(&self) {
        let pause = || tokio::time::sleep(TIDY_EVERY);
        while self.stop.run_until_cancelled(pause()).await.is_some() {
            self.tidy(&mut self.bins());
        }
    }

    fn with<T>(&self, id: &str, look: impl FnOnce(&mut Bin) -> T) -> Option<T> {
        let mut bins = self.bins();
        self.tidy(&mut bins);
        let bin = bins.get_mut(id)?;
        bin.looked_at = self.clock.now();
        Some(look(bin))
    }

    fn tidy(&self, bins: &mut BTreeMap<String, Bin>) {
        let now = self.clock.now();
        bins.retain(|_, bin| {
            if bin.news.receiver_count() > 0 {
                bin.looked_at = now;
            }
            now < bin.looked_at.plus(self.settings.keep)
        });
    }

    fn standing(&self, id: &str, bin: &Bin) -> Standing {
        Standing {
            id: id.to_owned(),
            owner: bin.owner,
            made_at: bin.made_at,
            expires_at: bin.looked_at.plus(self.settings.keep),
            manners: bin.manners,
            received: bin.received,
            kept: bin.caught.len(),
        }
    }

    fn bins(&self) -> MutexGuard<'_, BTreeMap<String, Bin>> {
        self.bins.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Manners {
    /// What a request is answered. A hub's own parameters stand behind those of the callback (HUB-15).
    fn reply(self, method: &Method, query: Option<&str>) -> Reply {
        let challenge = query
            .filter(|_| self.challenge && *method == Method::GET)
            .and_then(|query| {
                let pairs = form_urlencoded::parse(query.as_bytes());
                let values = pairs.filter(|(name, _)| name == "hub.challenge");
                values.last().map(|(_, value)| value.into_owned())
            });
        Reply {
            status: if challenge.is_some() {
                200
            } else {
                self.status
            },
            challenge,
            delay: self.delay,
        }
    }
}
