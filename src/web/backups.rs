//! Backups of the hub while it runs: made, fetched piece by piece, removed. The administrator's alone: all secrets are in them.

use std::collections::BTreeMap;

use serde::Serialize;
use uuid::Uuid;
use warp::http::StatusCode;

use super::call::Call;
use super::problem::{Problem, empty_answer, json_answer, shown, typed};
use super::query::Query;
use super::tokens::Role;
use super::{Answer, Site};
use crate::flow::backups::{Backup, BackupError};
use crate::store::archive::Kind;

/// The most that is sent at once, in bytes.
const PIECE_BYTES: usize = 4 << 20;

/// `POST /api/v1/backups`: makes one. The answer comes when it is whole.
pub async fn post(site: &Site, call: &Call) -> Result<Answer, Problem> {
    site.tokens.require(Role::Admin, &call.headers)?;
    let backup = site.backups.make().await?;
    Ok(json_answer(StatusCode::CREATED, &view(backup)))
}

/// `GET /api/v1/backups/<id>?from=`: the bytes from there on, up to 4 MiB; none behind the end.
pub async fn piece(site: &Site, call: &Call, id: &str) -> Result<Answer, Problem> {
    site.tokens.require(Role::Admin, &call.headers)?;
    let query = Query::read(call.query.as_deref(), &["from"]).await?;
    let from = query.parsed("from", |text| text.parse().ok(), "a number of bytes")?;
    let piece = match Uuid::parse_str(id) {
        Ok(id) => site
            .backups
            .piece(id, from.unwrap_or(0), PIECE_BYTES)
            .await
            .map_err(BackupError::Io)?,
        Err(_) => None,
    };
    let piece = piece.ok_or_else(|| unknown(id))?;
    Ok(typed(StatusCode::OK, "application/octet-stream", piece))
}

/// `DELETE /api/v1/backups/<id>`.
pub async fn delete(site: &Site, call: &Call, id: &str) -> Result<Answer, Problem> {
    site.tokens.require(Role::Admin, &call.headers)?;
    let is_gone = match Uuid::parse_str(id) {
        Ok(id) => site.backups.remove(id).await.map_err(BackupError::Io)?,
        Err(_) => false,
    };
    match is_gone {
        true => Ok(empty_answer(StatusCode::NO_CONTENT)),
        false => Err(unknown(id)),
    }
}

impl From<BackupError> for Problem {
    fn from(error: BackupError) -> Self {
        match error {
            BackupError::Busy => Self::Conflict(error.to_string()),
            error => {
                tracing::error!(%error, "no backup");
                Self::Unavailable(error.to_string())
            }
        }
    }
}

fn unknown(id: &str) -> Problem {
    Problem::NotFound(format!(
        "there is no backup {:?}, or no longer: one stays until the next is made, or for ten minutes after it was last asked for",
        shown(id)
    ))
}

/// A backup as the API shows it.
#[derive(Serialize)]
struct View {
    id: Uuid,
    made_at: String,
    bytes: u64,
    rows: u64,
    kinds: BTreeMap<String, Kind>,
    sha256: String,
}

fn view(backup: Backup) -> View {
    View {
        id: backup.id,
        made_at: backup.made_at.to_string(),
        bytes: backup.bytes,
        rows: backup.contents.rows,
        kinds: backup.contents.kinds,
        sha256: backup.contents.sha256,
    }
}
