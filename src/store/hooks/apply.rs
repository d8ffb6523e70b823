//! What each change of the webhooks means in rows. See `store/apply.rs`.

use bytes::Bytes;
use uuid::Uuid;

use super::{HookChange, HookRow, Remembered};
use crate::domain::delivery::{Delivery, DeliveryId};
use crate::domain::hook::{Hook, HookId};
use crate::domain::token::Token;
use crate::domain::value::{Timestamp, TopicId};
use crate::store::key::{Group, Key};
use crate::store::overlay::Overlay;
use crate::store::{Result, backlog, journal};

/// Makes one change.
pub(in crate::store) fn apply(rows: &mut Overlay, change: &HookChange) -> Result<()> {
    match change {
        HookChange::PutSource(source) => rows.put(&Key::Source(source.name.key()), source),
        HookChange::DropSource(name) => rows.remove(&Key::Source(name.key())),
        HookChange::PutHook { hook, topics } => put_hook(rows, hook, topics)?,
        HookChange::DropHook(id) => drop_hook(rows, *id)?,
        HookChange::Health(hook, health) => {
            if rows.exists(&Key::Hook(*hook))? {
                rows.put(&Key::Health(*hook), health);
            }
        }
        HookChange::Log(delivery, body) => log(rows, delivery, body)?,
        HookChange::PruneDeliveries { hook, before } => prune_deliveries(rows, *hook, *before)?,
        HookChange::Remember(remembered) => remember(rows, remembered)?,
        HookChange::Forget { before } => forget(rows, *before)?,
        HookChange::PutReplay(replay) => rows.put(&Key::Replay(replay.id), replay),
        HookChange::DropReplay(id) => rows.remove(&Key::Replay(*id)),
        HookChange::PutToken(token) => {
            drop_token(rows, token.id)?;
            rows.put(&Key::Token(token.digest), token);
        }
        HookChange::DropToken(id) => drop_token(rows, *id)?,
    }
    Ok(())
}

fn put_hook(rows: &mut Overlay, hook: &Hook, topics: &[TopicId]) -> Result<()> {
    let id = hook.id;
    take_off_index(rows, id)?;
    for topic in topics {
        rows.put_bytes(&Key::HookOn(*topic, id.callback()), &[]);
    }
    rows.put_bytes(&Key::HookOf(hook.source.id(), id), &[]);
    let row = HookRow {
        hook: hook.clone(),
        topics: topics.to_vec(),
    };
    rows.put(&Key::Hook(id), &row);
    let next = rows.record::<u64>(&Key::NextHook)?.unwrap_or(1);
    if next <= id.0 {
        rows.put(&Key::NextHook, &id.0.saturating_add(1));
    }
    Ok(())
}

fn drop_hook(rows: &mut Overlay, id: HookId) -> Result<()> {
    take_off_index(rows, id)?;
    rows.remove(&Key::Hook(id));
    rows.remove(&Key::Health(id));
    for group in [Group::Deliveries(id), Group::RequestChunks(id)] {
        for key in rows.keys(group)? {
            rows.remove(&key);
        }
    }
    backlog::end(rows, id.target())
}

/// The hook is nobody's target and in no source's list.
fn take_off_index(rows: &mut Overlay, id: HookId) -> Result<()> {
    if let Some(row) = rows.record::<HookRow>(&Key::Hook(id))? {
        rows.remove(&Key::HookOf(row.hook.source.id(), id));
        for topic in row.topics {
            rows.remove(&Key::HookOn(topic, id.callback()));
        }
    }
    Ok(())
}

fn log(rows: &mut Overlay, delivery: &Delivery, body: &Bytes) -> Result<()> {
    let (hook, id) = (delivery.hook, delivery.id);
    if !rows.exists(&Key::Hook(hook))? {
        return Ok(());
    }
    if rows.exists(&Key::Delivery(hook, id))? {
        for chunk in rows.keys(Group::RequestChunksOf(hook, id))? {
            rows.remove(&chunk);
        }
    }
    rows.put(&Key::Delivery(hook, id), delivery);
    journal::put_chunks(rows, body, |index| Key::RequestChunk(hook, id, index));
    Ok(())
}

fn prune_deliveries(rows: &mut Overlay, hook: HookId, before: DeliveryId) -> Result<()> {
    let deliveries = rows.keys_before(Group::Deliveries(hook), &Key::Delivery(hook, before))?;
    let end = Key::RequestChunk(hook, before, 0);
    let chunks = rows.keys_before(Group::RequestChunks(hook), &end)?;
    for key in deliveries.iter().chain(&chunks) {
        rows.remove(key);
    }
    Ok(())
}

fn remember(rows: &mut Overlay, remembered: &Remembered) -> Result<()> {
    let key = Key::Remembered(remembered.key);
    if let Some(old) = rows.record::<Remembered>(&key)? {
        rows.remove(&Key::RememberedAt(old.at, old.key));
    }
    rows.put(&key, remembered);
    rows.put_bytes(&Key::RememberedAt(remembered.at, remembered.key), &[]);
    Ok(())
}

fn forget(rows: &mut Overlay, before: Timestamp) -> Result<()> {
    let end = Key::RememberedAt(before, [0; 32]);
    for key in rows.keys_before(Group::RememberedInTime, &end)? {
        if let Key::RememberedAt(_, digest) = key {
            rows.remove(&Key::Remembered(digest));
        }
        rows.remove(&key);
    }
    Ok(())
}

/// Tokens stand under their digests, where each request looks for its own; they are few, and change rarely.
fn drop_token(rows: &mut Overlay, id: Uuid) -> Result<()> {
    for key in rows.keys(Group::Tokens)? {
        let token = rows.record::<Token>(&key)?;
        if token.is_some_and(|token| token.id == id) {
            rows.remove(&key);
        }
    }
    Ok(())
}
