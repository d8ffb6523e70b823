//! The flush: sled writes out what it holds in memory. In: a call that waits for that. Out: its end, also where sled would have
//! forgotten to wake who waits.
//!
//! When a write fails in the background, sled can leave those asleep who wait for it; another flush wakes them. So somebody
//! watches, and sends one after a flush that does not end. The flush itself is made by who waits for it: sled's own pool, which would
//! do it aside, wakes all of its threads for each call.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{Builder, JoinHandle, park_timeout};
use std::time::Duration;

use super::{caught, unavailable};
use crate::store::Result;

/// How long a flush may take, at the least, before another one is sent after it. At most it is twice that.
const PATIENCE: Duration = Duration::from_secs(1);

/// See the module.
pub(super) struct Flusher {
    tree: ::sled::Db,
    watched: Arc<Watched>,
    /// `None` only while it is dropped.
    watcher: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Watched {
    begun: AtomicU64,
    ended: AtomicU64,
    is_over: AtomicBool,
}

impl Flusher {
    /// Flushes a tree from now on.
    pub fn new(tree: ::sled::Db) -> Result<Self> {
        let watched = Arc::<Watched>::default();
        let (eye, seen) = (Arc::clone(&watched), tree.clone());
        let watcher = Builder::new()
            .name("store-flushes".to_owned())
            .spawn(move || eye.watch(PATIENCE, || help(&seen)))
            .map_err(unavailable)?;
        Ok(Self {
            tree,
            watched,
            watcher: Some(watcher),
        })
    }

    /// Waits until everything that was written is with the operating system.
    pub fn flush(&self) -> Result<()> {
        self.watched.begun.fetch_add(1, Ordering::Relaxed);
        let flushed = caught(|| self.tree.flush());
        self.watched.ended.fetch_add(1, Ordering::Relaxed);
        flushed?.map(drop).map_err(unavailable)
    }
}

impl Drop for Flusher {
    fn drop(&mut self) {
        self.watched.is_over.store(true, Ordering::Relaxed);
        if let Some(watcher) = self.watcher.take() {
            watcher.thread().unpark();
            // It has nothing to say; and where it panicked, that was said.
            let _ = watcher.join();
        }
    }
}

impl Watched {
    /// Calls for help as long as a flush does not end.
    fn watch(&self, patience: Duration, help: impl Fn()) {
        let mut before = None;
        while !self.is_over.load(Ordering::Relaxed) {
            park_timeout(patience);
            let ended = self.ended.load(Ordering::Relaxed);
            let is_under_way = self.begun.load(Ordering::Relaxed) != ended;
            if is_under_way && before == Some(ended) {
                help();
            }
            before = is_under_way.then_some(ended);
        }
    }
}

/// Flushes by itself: what has gone wrong it finds out, tells those who wait, and ends. It may only be slow, then this is, too.
fn help(tree: &::sled::Db) {
    // Who waits has the error as well, and says it.
    let _ = caught(|| tree.flush());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn help_is_a_flush() {
        let open = |folder: &std::path::Path| {
            let config = ::sled::Config::new().path(folder).flush_every_ms(None);
            config.open().expect("it opens")
        };
        let (folder, copy) = (tempfile::tempdir(), tempfile::tempdir());
        let (folder, copy) = (folder.expect("a folder"), copy.expect("a folder"));
        let tree = open(folder.path());
        tree.insert("a key", "a value").expect("written");
        help(&tree);
        for name in ["db", "conf"] {
            std::fs::copy(folder.path().join(name), copy.path().join(name)).expect("copied");
        }
        assert!(open(copy.path()).contains_key("a key").expect("a read"));
    }

    #[test]
    fn a_flush_that_does_not_end_is_helped_and_no_other() {
        let watched = Watched::default();
        watched.begun.store(3, Ordering::Relaxed);
        watched.ended.store(2, Ordering::Relaxed);
        watched.watch(Duration::from_micros(1), || {
            let ended = watched.ended.fetch_add(1, Ordering::Relaxed);
            assert_eq!(ended, 2, "once it has ended nobody is helped");
            watched.is_over.store(true, Ordering::Relaxed);
        });
        assert_eq!(watched.ended.load(Ordering::Relaxed), 3);
    }
}
