//! The changes of a target's backlog, in rows. In: who waits for what, or waits no longer. Out: the entries, the target's
//! job, the receipt's missing targets and counts, and the body, all in step with each other.

use super::apply::update_receipt;
use super::key::{Group, Key};
use super::overlay::Overlay;
use super::{BacklogLimits, Rejected, Result, Waiting, journal};
use crate::domain::attempt::Attempt;
use crate::domain::job::{Backlog, Job, JobId};
use crate::domain::receipt::{Missing, MissingState, Tally};
use crate::domain::value::{CallbackUrl, PublicationId, TargetId, Timestamp};

/// See [`super::Change::Wait`].
pub(super) fn wait(
    rows: &mut Overlay,
    target: TargetId,
    callback: &CallbackUrl,
    entry: &Waiting,
    due: Timestamp,
    failed: Option<&(Attempt, u32)>,
    limits: BacklogLimits,
) -> Result<()> {
    let publication = entry.publication;
    let waits = rows.exists(&Key::Waiting(target, publication))?;
    if !waits {
        let is_decided = rows.exists(&Key::Missing(publication, target))?;
        if is_decided || !rows.exists(&Key::Receipt(publication))? {
            return Ok(());
        }
        rows.put(&Key::Waiting(target, publication), entry);
        rows.put(
            &Key::Missing(publication, target),
            &Missing {
                target,
                callback: callback.clone(),
                state: MissingState::Backlog,
                last_attempt: None,
            },
        );
        update_receipt(rows, publication, |receipt| receipt.tally.backlog += 1)?;
        let mut job = job(rows, target)?.unwrap_or(Backlog {
            target,
            due,
            failures: 0,
            entries: 0,
            bytes: 0,
        });
        job.entries += 1;
        job.bytes += entry.size;
        put_job(rows, job);
    }
    if let Some((attempt, failures)) = failed {
        match entry.rejected {
            Some(_) => retry_no_sooner(rows, target, due, *failures)?,
            None => retry_at(rows, target, due, *failures)?,
        }
        note_attempt(rows, target, publication, attempt)?;
    }
    if waits {
        Ok(())
    } else {
        keep_within(rows, target, limits)
    }
}

/// See [`super::Change::Settle`].
pub(super) fn settle(
    rows: &mut Overlay,
    target: TargetId,
    publication: PublicationId,
    at: Timestamp,
) -> Result<()> {
    if take_entry(rows, target, publication)? {
        rows.remove(&Key::Missing(publication, target));
        retry_at(rows, target, at, 0)?;
        leave_backlog(rows, publication, |tally| tally.delivered(at))?;
    }
    Ok(())
}

/// See [`super::Change::GiveUp`].
pub(super) fn give_up(
    rows: &mut Overlay,
    target: TargetId,
    publication: PublicationId,
) -> Result<()> {
    if take_entry(rows, target, publication)? {
        mark_missing(rows, target, publication, MissingState::GivenUp)?;
        leave_backlog(rows, publication, |tally| tally.given_up += 1)?;
    }
    Ok(())
}

/// See [`super::Change::Forgo`].
pub(super) fn forgo(
    rows: &mut Overlay,
    target: TargetId,
    publication: PublicationId,
) -> Result<()> {
    if take_entry(rows, target, publication)? {
        mark_missing(rows, target, publication, MissingState::Gone)?;
        leave_backlog(rows, publication, |tally| tally.gone += 1)?;
    }
    Ok(())
}

/// See [`super::Change::Postpone`].
pub(super) fn postpone(
    rows: &mut Overlay,
    target: TargetId,
    publication: PublicationId,
    due: Timestamp,
    failures: u32,
    attempt: &Attempt,
    rejected: Option<Rejected>,
) -> Result<()> {
    // The entry may have been given up while it was tried: the target has failed all the same.
    match rejected {
        Some(_) => retry_no_sooner(rows, target, due, failures)?,
        None => retry_at(rows, target, due, failures)?,
    }
    let key = Key::Waiting(target, publication);
    if rejected.is_some()
        && let Some(entry) = rows.record::<Waiting>(&key)?
    {
        rows.put(&key, &Waiting { rejected, ..entry });
    }
    note_attempt(rows, target, publication, attempt)
}

/// See [`super::Change::Rouse`].
pub(super) fn rouse(rows: &mut Overlay, target: TargetId, at: Timestamp) -> Result<()> {
    retry_at(rows, target, at, 0)
}

/// The target is gone, and what waits for it with it.
pub(super) fn end(rows: &mut Overlay, target: TargetId) -> Result<()> {
    for key in rows.keys(Group::Waiting(target))? {
        if let Key::Waiting(_, publication) = key {
            forgo(rows, target, publication)?;
        }
    }
    rows.remove(&Key::Job(JobId::Backlog(target)));
    Ok(())
}

/// Takes an entry out of a target's backlog, which ends with its last one; says whether it was there.
pub(super) fn take_entry(
    rows: &mut Overlay,
    target: TargetId,
    publication: PublicationId,
) -> Result<bool> {
    let key = Key::Waiting(target, publication);
    if !rows.exists(&key)? {
        return Ok(false);
    }
    let size = rows.record::<Waiting>(&key)?.map_or(0, |entry| entry.size);
    rows.remove(&key);
    if let Some(mut job) = job(rows, target)? {
        job.entries = job.entries.saturating_sub(1);
        job.bytes = job.bytes.saturating_sub(size);
        put_job(rows, job);
    }
    Ok(true)
}

/// Keeps the last attempt for who asks why the target has not got it.
pub(super) fn note_attempt(
    rows: &mut Overlay,
    target: TargetId,
    id: PublicationId,
    attempt: &Attempt,
) -> Result<()> {
    let key = Key::Missing(id, target);
    if let Some(mut missing) = rows.record::<Missing>(&key)? {
        missing.last_attempt = Some(attempt.clone());
        rows.put(&key, &missing);
    }
    Ok(())
}

/// Gives up the oldest entries until the backlog is within the limits.
fn keep_within(rows: &mut Overlay, target: TargetId, limits: BacklogLimits) -> Result<()> {
    while let Some(job) = job(rows, target)? {
        if limits.allow(&job) {
            break;
        }
        let Some(Key::Waiting(_, oldest)) = rows.first_key(Group::Waiting(target))? else {
            break;
        };
        give_up(rows, target, oldest)?;
        rows.note_overflow(target);
    }
    Ok(())
}

/// A publication waits for one target less; what became of it there is `counted`.
fn leave_backlog(
    rows: &mut Overlay,
    id: PublicationId,
    counted: impl FnOnce(&mut Tally),
) -> Result<()> {
    let receipt = update_receipt(rows, id, |receipt| {
        receipt.tally.backlog = receipt.tally.backlog.saturating_sub(1);
        counted(&mut receipt.tally);
    })?;
    journal::drop_unwanted(rows, id, receipt.as_ref())
}

fn mark_missing(
    rows: &mut Overlay,
    target: TargetId,
    id: PublicationId,
    state: MissingState,
) -> Result<()> {
    let key = Key::Missing(id, target);
    if let Some(mut missing) = rows.record::<Missing>(&key)? {
        missing.state = state;
        rows.put(&key, &missing);
    }
    Ok(())
}

fn job(rows: &Overlay, target: TargetId) -> Result<Option<Backlog>> {
    let job = rows.record::<Job>(&Key::Job(JobId::Backlog(target)))?;
    Ok(job.and_then(|job| match job {
        Job::Backlog(backlog) => Some(backlog),
        _ => None,
    }))
}

fn put_job(rows: &mut Overlay, job: Backlog) {
    let key = Key::Job(JobId::Backlog(job.target));
    match job.entries {
        0 => rows.remove(&key),
        _ => rows.put(&key, &Job::Backlog(job)),
    }
}

/// A rejection lets others pass, but not before the time that another attempt, beside this one, has set.
fn retry_no_sooner(
    rows: &mut Overlay,
    target: TargetId,
    due: Timestamp,
    failures: u32,
) -> Result<()> {
    let Some(job) = job(rows, target)? else {
        return Ok(());
    };
    retry_at(rows, target, due.max(job.due), failures.max(job.failures))
}

fn retry_at(rows: &mut Overlay, target: TargetId, due: Timestamp, failures: u32) -> Result<()> {
    if let Some(job) = job(rows, target)? {
        put_job(
            rows,
            Backlog {
                due,
                failures,
                ..job
            },
        );
    }
    Ok(())
}
