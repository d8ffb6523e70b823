//! The connections that wait for their next request, by origin. Idle ones come in, the freshest goes out.
//!
//! Invariants: `open` is the number of connections in `origins`; it never exceeds the total limit, and the number of
//! origins never exceeds twice that plus those that are being connected to.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Mutex as Turn;
use tokio::time::Instant;

use super::connection::Connection;

/// How many connections are kept open for later, and for how long.
#[derive(Clone, Copy, Debug)]
pub struct SenderLimits {
    /// The most idle connections to one origin; best as many as requests may be under way to it.
    pub idle_per_origin: usize,
    /// The most connections that are kept, to all origins together.
    pub idle_total: usize,
    /// After this time without use a connection is not used again.
    pub idle_timeout: Duration,
}

impl Default for SenderLimits {
    fn default() -> Self {
        Self {
            idle_per_origin: 256,
            idle_total: 2048,
            idle_timeout: Duration::from_secs(30),
        }
    }
}

pub(super) struct Pool {
    limits: SenderLimits,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    origins: HashMap<Box<str>, Origin>,
    open: usize,
}

#[derive(Default)]
struct Origin {
    /// In the order of their last use. A connection that is shared stays here while it is used.
    kept: Vec<Kept>,
    /// Held by whoever connects, until it is known whether connections to this origin are shared.
    /// `None` when they are not.
    turn: Option<Arc<Turn<()>>>,
}

struct Kept {
    connection: Connection,
    used: Instant,
}

impl Pool {
    pub(super) fn new(limits: SenderLimits) -> Pool {
        Pool {
            limits,
            state: Mutex::default(),
        }
    }

    /// The connection to `origin` that was used last, if any can still be used.
    pub(super) fn take(&self, origin: &str) -> Option<Connection> {
        let mut state = self.lock();
        let now = Instant::now();
        let State { origins, open } = &mut *state;
        let kept = &mut origins.get_mut(origin)?.kept;
        while let Some(Kept { connection, used }) = kept.pop() {
            *open -= 1;
            if now.duration_since(used) >= self.limits.idle_timeout {
                // And so are those that were used before it.
                *open -= kept.len();
                kept.clear();
            } else if connection.is_ready() {
                if let Some(shared) = connection.share() {
                    kept.push(Kept {
                        connection: shared,
                        used: now,
                    });
                    *open += 1;
                }
                return Some(connection);
            }
        }
        None
    }

    /// Keeps a connection that has just carried an exchange for the next one, unless it has ended or too many are kept.
    pub(super) fn put_back(&self, origin: &str, connection: Connection) {
        // A shared one was here all the time.
        if connection.share().is_none() && connection.is_ready() {
            self.keep(origin, connection);
        }
    }

    /// Makes a new connection known: as one for all, or as the proof that `origin` does not do that.
    pub(super) fn introduce(&self, origin: &str, connection: &Connection) {
        match connection.share() {
            Some(shared) => self.keep(origin, shared),
            None => self.lock().entry(origin, &self.limits).turn = None,
        }
    }

    /// Who wants to connect to `origin` must lock this first and then look here again, as the one before may have
    /// made a connection for all. `None` when connections to it are known not to be shared.
    pub(super) fn turn(&self, origin: &str) -> Option<Arc<Turn<()>>> {
        let mut state = self.lock();
        let fresh = !state.origins.contains_key(origin);
        let entry = state.entry(origin, &self.limits);
        if fresh {
            entry.turn = Some(Arc::default());
        }
        entry.turn.clone()
    }

    /// Closes what has not been used for the idle timeout.
    pub(super) fn prune(&self) {
        let Some(limit) = Instant::now().checked_sub(self.limits.idle_timeout) else {
            return;
        };
        let closed = self.lock().close_unused_since(limit);
        drop(closed);
    }

    fn keep(&self, origin: &str, connection: Connection) {
        if self.limits.idle_total == 0 {
            return;
        }
        let mut state = self.lock();
        let mut surplus = Vec::new();
        if state.open >= self.limits.idle_total {
            surplus = state.close_older_half();
        }
        let kept = &mut state.entry(origin, &self.limits).kept;
        if kept.len() < self.limits.idle_per_origin {
            kept.push(Kept {
                connection,
                used: Instant::now(),
            });
            state.open += 1;
        }
        // Closing takes system calls, which nobody should wait for.
        drop(state);
        drop(surplus);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn entry(&mut self, origin: &str, limits: &SenderLimits) -> &mut Origin {
        if !self.origins.contains_key(origin) {
            if self.origins.len() >= 2 * limits.idle_total {
                self.origins.retain(|_, origin| origin.is_needed());
            }
            self.origins.insert(origin.into(), Origin::default());
        }
        self.origins
            .get_mut(origin)
            .expect("it was put in if it was missing")
    }

    /// Makes room in one go, so that finding the oldest costs next to nothing for each connection.
    fn close_older_half(&mut self) -> Vec<Kept> {
        let kept = self.origins.values().flat_map(|origin| &origin.kept);
        let mut times: Vec<Instant> = kept.map(|kept| kept.used).collect();
        if times.is_empty() {
            return Vec::new();
        }
        let middle = times.len() / 2;
        let (_, &mut median, _) = times.select_nth_unstable(middle);
        self.close_unused_since(median)
    }

    fn close_unused_since(&mut self, limit: Instant) -> Vec<Kept> {
        let mut closed = Vec::new();
        for origin in self.origins.values_mut() {
            let older = origin.kept.partition_point(|kept| kept.used <= limit);
            closed.extend(origin.kept.drain(..older));
        }
        self.open -= closed.len();
        self.origins.retain(|_, origin| origin.is_needed());
        closed
    }
}

impl Origin {
    fn is_needed(&self) -> bool {
        let awaited = |turn: &Arc<_>| Arc::strong_count(turn) > 1;
        !self.kept.is_empty() || self.turn.as_ref().is_some_and(awaited)
    }
}

#[cfg(test)]
impl Pool {
    /// How many origins are known, and how many connections kept.
    pub(super) fn size(&self) -> (usize, usize) {
        let state = self.lock();
        let kept = state.origins.values().map(|origin| origin.kept.len()).sum();
        assert_eq!(state.open, kept);
        (state.origins.len(), kept)
    }
}
