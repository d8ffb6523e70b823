//! Publications and their bodies, in rows. In: what is journaled, and what nobody needs any more. Out: the publication's row
//! with a short body in it, or the pieces of a long one; and for an event its place in its source's log.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::Result;
use super::apply::count;
use super::database::Rows;
use super::engine::Engine;
use super::key::{CHUNK_BYTES, Group, Key};
use super::overlay::Overlay;
use super::record::Record as _;
use crate::domain::publication::Publication;
use crate::domain::receipt::{Receipt, Stage};
use crate::domain::value::PublicationId;

/// A body up to this length stands in the row of its publication, which leaves enough of a row's room to its head.
const SHORT_BODY_BYTES: usize = 4 * 1024;

/// The row of a publication.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Journaled {
    pub publication: Publication,
    /// The body, unless it is in pieces.
    pub body: Option<Bytes>,
}

/// Keeps a publication, in the place of what was kept under its id.
pub(super) fn put(rows: &mut Overlay, publication: &Publication, body: &Bytes) -> Result<()> {
    let id = publication.id;
    drop(rows, id)?;
    count(rows, &Key::KeptBytes, length(publication))?;
    let is_short = body.len() <= SHORT_BODY_BYTES;
    let row = Journaled {
        publication: publication.clone(),
        body: is_short.then(|| body.clone()),
    };
    rows.put(&Key::Publication(id), &row);
    if !is_short {
        put_chunks(rows, body, |index| Key::BodyChunk(id, index));
    }
    let Some(event) = &publication.event else {
        return Ok(());
    };
    rows.put(&Key::Event(event.source.id(), id), &event.name);
    let latest = Key::LatestEvent(publication.topic.id());
    let known = rows.record::<PublicationId>(&latest)?;
    if known.is_none_or(|known| known < id) {
        rows.put(&latest, &id);
    }
    Ok(())
}

/// A publication goes when every target was visited and nobody waits, which its receipt says. An event stays.
pub(super) fn drop_unwanted(
    rows: &mut Overlay,
    id: PublicationId,
    receipt: Option<&Receipt>,
) -> Result<()> {
    let is_wanted = |it: &Receipt| it.stage != Stage::Visited || it.tally.backlog > 0;
    if receipt.is_some_and(is_wanted) {
        return Ok(());
    }
    let row = rows.record::<Journaled>(&Key::Publication(id))?;
    match row.is_some_and(|row| row.publication.event.is_some()) {
        true => Ok(()),
        false => drop(rows, id),
    }
}

/// A publication goes, whoever wants it.
pub(super) fn drop(rows: &mut Overlay, id: PublicationId) -> Result<()> {
    let key = Key::Publication(id);
    if !rows.exists(&key)? {
        return Ok(());
    }
    let row = rows.record::<Journaled>(&key)?;
    rows.remove(&key);
    if let Some(row) = &row {
        count(rows, &Key::KeptBytes, -length(&row.publication))?;
    }
    if row.as_ref().is_none_or(|row| row.body.is_none()) {
        for chunk in rows.keys(Group::BodyChunks(id))? {
            rows.remove(&chunk);
        }
    }
    if let Some(Publication {
        topic,
        event: Some(event),
        ..
    }) = row.map(|row| row.publication)
    {
        rows.remove(&Key::Event(event.source.id(), id));
        let latest = Key::LatestEvent(topic.id());
        if rows.record::<PublicationId>(&latest)? == Some(id) {
            rows.remove(&latest);
        }
    }
    Ok(())
}

/// Counts what is kept in a folder that does not say so: one of an earlier version, or a new one.
pub(super) fn count_kept(engine: &Engine) -> Result<()> {
    let reading = engine.reading();
    let database = reading.database()?;
    if database.value(&Key::KeptBytes.bytes())?.is_some() {
        return Ok(());
    }
    let mut bytes = 0_u64;
    for row in database.rows(&Group::Publications.prefix(), None) {
        // One that cannot be read is reported by whoever needs it.
        bytes += Journaled::decode(&row?.1).map_or(0, |row| row.publication.size);
    }
    let counted = (bytes > 0).then(|| (Key::KeptBytes.bytes(), Some(bytes.encode())));
    ::std::mem::drop(reading);
    match counted {
        Some(counted) => engine.write(Rows::from([counted])),
        None => Ok(()),
    }
}

fn length(publication: &Publication) -> i64 {
    i64::try_from(publication.size).unwrap_or(i64::MAX)
}

/// Writes a body in pieces.
pub(super) fn put_chunks(rows: &mut Overlay, body: &Bytes, key: impl Fn(u32) -> Key) {
    for (index, chunk) in (0..).zip(body.chunks(CHUNK_BYTES)) {
        rows.put_bytes(&key(index), chunk);
    }
}
