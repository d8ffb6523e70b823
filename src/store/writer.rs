//! The one thread that writes. In: commits, from a bounded channel. Out: groups of them, each group one batch and one
//! sync, then the answer to each.
//!
//! Invariants: only this thread writes, so that what it has read stays true until it writes; nobody is answered before
//! the sync; a commit whose changes cannot be made is refused alone.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};

use super::apply::apply;
use super::engine::Engine;
use super::hooks::HookChange;
use super::key::Key;
use super::overlay::Overlay;
use super::quarantine::Quarantine;
use super::{BacklogLimits, Change, Result};
use crate::domain::value::TargetId;

/// How many requests may wait for the writer; who comes later waits to be let in.
pub(super) const QUEUE: usize = 1024;
/// The most changes, and the most bytes of bodies, after which a group takes no further commit.
const GROUP_CHANGES: usize = 8192;
const GROUP_BYTES: usize = 8 << 20;

/// What the writer is asked for, and who waits for the answer.
pub(super) struct Request {
    pub work: Work,
    pub answer: oneshot::Sender<Result<()>>,
}

/// What the writer does.
pub(super) enum Work {
    /// Makes changes.
    Commit(Vec<Change>),
    /// Writes a row that means nothing.
    Probe,
    /// Writes what came before, closes the database and ends.
    Close,
}

/// See the module.
pub(super) struct Writer {
    pub engine: Arc<Engine>,
    pub quarantine: Arc<Quarantine>,
    pub limits: BacklogLimits,
    /// For whom something was given up.
    pub overflow: Arc<Mutex<Vec<TargetId>>>,
    pub requests: mpsc::Receiver<Request>,
    /// Where those wait who ask.
    pub runtime: Option<Handle>,
}

impl Writer {
    /// Serves until it is told to close, or nobody can ask any more.
    pub fn run(mut self) {
        while let Some(first) = self.requests.blocking_recv() {
            let mut group = Vec::new();
            let mut closing = None;
            let (mut changes, mut bytes) = (0, 0);
            let mut next = Some(first);
            while let Some(request) = next {
                match &request.work {
                    Work::Close => {
                        closing = Some(request.answer);
                        break;
                    }
                    Work::Probe => {}
                    Work::Commit(commit) => {
                        changes += commit.len();
                        bytes += commit.iter().map(body_bytes).sum::<usize>();
                    }
                }
                group.push(request);
                let is_full = changes >= GROUP_CHANGES || bytes >= GROUP_BYTES;
                next = if is_full {
                    None
                } else {
                    self.requests.try_recv().ok()
                };
            }
            self.serve(group);
            if let Some(answer) = closing {
                // Whoever asked may have gone; the store is closed all the same.
                let _ = answer.send(self.engine.close());
                return;
            }
        }
    }

    fn serve(&self, group: Vec<Request>) {
        let mut answers = Vec::with_capacity(group.len());
        let written = self.write(group, &mut answers);
        let answering = move || {
            for (answer, made) in answers {
                // Whoever asked may have gone; what is done is done.
                let _ = answer.send(made.and_then(|()| written.clone()));
            }
        };
        match &self.runtime {
            // From in there, so that one thread is woken and not one for each answer.
            Some(runtime) => drop(runtime.spawn(async { answering() })),
            None => answering(),
        }
    }

    /// Writes what can be written of a group; `answers` takes what became of each request before the disk was asked.
    fn write(
        &self,
        group: Vec<Request>,
        answers: &mut Vec<(oneshot::Sender<Result<()>>, Result<()>)>,
    ) -> Result<()> {
        let opened = self.engine.ensure_open();
        let reading = self.engine.reading();
        let database = match opened.and_then(|()| reading.database()) {
            Ok(database) => database,
            Err(error) => {
                answers.extend(group.into_iter().map(|request| (request.answer, Ok(()))));
                return Err(error);
            }
        };
        let mut rows = Overlay::new(database, &self.quarantine);
        for request in group {
            let made = self.make(&mut rows, &request.work);
            match &made {
                Ok(()) => rows.keep(),
                Err(_) => rows.take_back(),
            }
            answers.push((request.answer, made));
        }
        for (key, bytes) in self.quarantine.take_copies() {
            rows.put_bytes(&Key::Quarantined(key), &bytes);
        }
        let (rows, overflow) = rows.into_rows();
        drop(reading);
        if rows.is_empty() {
            return Ok(());
        }
        self.engine.write(rows)?;
        let mut told = self.overflow.lock().unwrap_or_else(PoisonError::into_inner);
        told.extend(overflow);
        Ok(())
    }

    fn make(&self, rows: &mut Overlay, work: &Work) -> Result<()> {
        match work {
            Work::Commit(changes) => changes
                .iter()
                .try_for_each(|change| apply(rows, change, self.limits)),
            Work::Probe => {
                // A new value each time: the engine does not write what is there already.
                let probes = rows.record::<u64>(&Key::Probe)?.unwrap_or(0);
                rows.put(&Key::Probe, &probes.wrapping_add(1));
                Ok(())
            }
            Work::Close => Ok(()),
        }
    }
}

fn body_bytes(change: &Change) -> usize {
    match change {
        Change::Host(_, body)
        | Change::Journal(_, body)
        | Change::Hooks(HookChange::Log(_, body)) => body.len(),
        _ => 0,
    }
}
