//! What each change means in rows. In: a change, and the rows as they stand. Out: the rows as they will stand. Nothing
//! here writes to disk, and each change finds out by itself whether it was already made.

use super::key::{Group, Key};
use super::overlay::Overlay;
use super::{BacklogLimits, Change, Result, backlog, hooks, journal};
use crate::domain::attempt::Attempt;
use crate::domain::job::{Job, JobId};
use crate::domain::receipt::{Missing, MissingState, Receipt, Stage, Tally};
use crate::domain::subscription::Subscription;
use crate::domain::topic::Topic;
use crate::domain::value::{CallbackUrl, PublicationId, TargetId, Timestamp, TopicId};

/// Makes one change.
pub(super) fn apply(rows: &mut Overlay, change: &Change, limits: BacklogLimits) -> Result<()> {
    match change {
        Change::Put(Job::Backlog(_)) | Change::Finish(JobId::Backlog(_)) => {}
        Change::Put(job) => rows.put(&Key::Job(job.id()), job),
        Change::Finish(id) => rows.remove(&Key::Job(*id)),
        Change::Activate(subscription) => activate(rows, subscription)?,
        Change::End {
            target,
            verified_at,
        } => end(rows, *target, *verified_at)?,
        Change::PutTopic(topic) => rows.put(&Key::Topic(topic.id()), topic),
        Change::ForgetTopic(topic) => {
            if !rows.exists(&Key::Subscribers(*topic))? {
                rows.remove(&Key::Topic(*topic));
            }
        }
        Change::Host(hosted, body) => {
            let topic = hosted.topic.id();
            unhost(rows, topic)?;
            rows.put(&Key::Hosted(topic), hosted);
            journal::put_chunks(rows, body, |index| Key::HostedChunk(topic, index));
        }
        Change::Unhost(topic) => unhost(rows, *topic)?,
        Change::Receive(receipt) => {
            let key = Key::Receipt(receipt.id);
            if !rows.exists(&key)? {
                rows.put(&key, receipt);
            }
        }
        Change::Bundle(bundle) => rows.put(&Key::Bundle(bundle.id), bundle),
        Change::Stage(id, stage) => {
            update_receipt(rows, *id, |receipt| receipt.stage = stage.clone())?;
        }
        Change::Journal(publication, body) => journal::put(rows, publication, body)?,
        Change::Visited(id, tally) => visited(rows, *id, *tally)?,
        Change::Wait {
            target,
            callback,
            entry,
            due,
            failed,
        } => backlog::wait(
            rows,
            *target,
            callback,
            entry,
            *due,
            failed.as_ref(),
            limits,
        )?,
        Change::Settle {
            target,
            publication,
            at,
        } => backlog::settle(rows, *target, *publication, *at)?,
        Change::GiveUp {
            target,
            publication,
        } => backlog::give_up(rows, *target, *publication)?,
        Change::Forgo {
            target,
            publication,
        } => backlog::forgo(rows, *target, *publication)?,
        Change::Postpone {
            target,
            publication,
            due,
            failures,
            attempt,
            rejected,
        } => backlog::postpone(
            rows,
            *target,
            *publication,
            *due,
            *failures,
            attempt,
            *rejected,
        )?,
        Change::Rouse { target, at } => backlog::rouse(rows, *target, *at)?,
        Change::Lose {
            target,
            callback,
            publication,
            attempt,
        } => lose(rows, *target, callback, *publication, attempt)?,
        Change::Unname {
            publication,
            target,
        } => {
            if !rows.exists(&Key::Waiting(*target, *publication))? {
                rows.remove(&Key::Missing(*publication, *target));
            }
        }
        Change::Prune(id) => prune(rows, *id)?,
        Change::Hooks(change) => hooks::apply::apply(rows, change)?,
    }
    Ok(())
}

fn activate(rows: &mut Overlay, subscription: &Subscription) -> Result<()> {
    let target = subscription.id();
    let key = Key::Subscription(target);
    if !rows.exists(&key)? {
        count(rows, &Key::Subscribers(target.topic), 1)?;
        count(rows, &at_host(&subscription.callback), 1)?;
    }
    rows.put(&key, subscription);
    let topic = Key::Topic(target.topic);
    if !rows.exists(&topic)? {
        rows.put(&topic, &Topic::new(subscription.topic.clone()));
    }
    Ok(())
}

fn end(rows: &mut Overlay, target: TargetId, verified_at: Option<Timestamp>) -> Result<()> {
    let key = Key::Subscription(target);
    let subscription = rows.record::<Subscription>(&key)?;
    let is_another = |subscription: &Subscription| {
        verified_at.is_some_and(|verified_at| subscription.verified_at != verified_at)
    };
    if subscription.as_ref().is_some_and(is_another) {
        return Ok(());
    }
    if rows.exists(&key)? {
        rows.remove(&key);
        count(rows, &Key::Subscribers(target.topic), -1)?;
        if let Some(subscription) = subscription {
            count(rows, &at_host(&subscription.callback), -1)?;
        }
    }
    backlog::end(rows, target)
}

fn unhost(rows: &mut Overlay, topic: TopicId) -> Result<()> {
    if rows.exists(&Key::Hosted(topic))? {
        rows.remove(&Key::Hosted(topic));
        for chunk in rows.keys(Group::HostedChunks(topic))? {
            rows.remove(&chunk);
        }
    }
    Ok(())
}

fn visited(rows: &mut Overlay, id: PublicationId, tally: Tally) -> Result<()> {
    rows.remove(&Key::Job(JobId::Fanout(id)));
    let receipt = update_receipt(rows, id, |receipt| {
        if receipt.stage != Stage::Visited {
            receipt.stage = Stage::Visited;
            receipt.tally = receipt.tally.closed(tally);
        }
    })?;
    journal::drop_unwanted(rows, id, receipt.as_ref())
}

fn lose(
    rows: &mut Overlay,
    target: TargetId,
    callback: &CallbackUrl,
    publication: PublicationId,
    attempt: &Attempt,
) -> Result<()> {
    let key = Key::Missing(publication, target);
    if rows.exists(&key)? {
        return backlog::note_attempt(rows, target, publication, attempt);
    }
    if rows.exists(&Key::Receipt(publication))? {
        rows.put(
            &key,
            &Missing {
                target,
                callback: callback.clone(),
                state: MissingState::Gone,
                last_attempt: Some(attempt.clone()),
            },
        );
        update_receipt(rows, publication, |receipt| receipt.tally.gone += 1)?;
    }
    Ok(())
}

fn prune(rows: &mut Overlay, id: PublicationId) -> Result<()> {
    for key in rows.keys(Group::Missing(id))? {
        if let Key::Missing(_, target) = key {
            backlog::take_entry(rows, target, id)?;
        }
        rows.remove(&key);
    }
    for key in [
        Key::Receipt(id),
        Key::Bundle(id),
        Key::Job(JobId::Fetch(id)),
        Key::Job(JobId::Fanout(id)),
    ] {
        rows.remove(&key);
    }
    journal::drop(rows, id)
}

/// Changes a receipt, if there is one. As it is then.
pub(super) fn update_receipt(
    rows: &mut Overlay,
    id: PublicationId,
    update: impl FnOnce(&mut Receipt),
) -> Result<Option<Receipt>> {
    let key = Key::Receipt(id);
    let mut receipt = rows.record::<Receipt>(&key)?;
    if let Some(receipt) = &mut receipt {
        update(receipt);
        rows.put(&key, receipt);
    }
    Ok(receipt)
}

fn at_host(callback: &CallbackUrl) -> Key {
    Key::AtHost(callback.host().to_owned())
}

pub(super) fn count(rows: &mut Overlay, key: &Key, by: i64) -> Result<()> {
    let counted = rows.record::<u64>(key)?.unwrap_or(0);
    match counted.saturating_add_signed(by) {
        0 => rows.remove(key),
        counted => rows.put(key, &counted),
    }
    Ok(())
}
