//! The record codec. In: the domain's records. Out: compact bytes that say which version wrote them, and back.
//!
//! Every record is stored inside a tagged enum. When a record changes its shape, the old shape moves into a struct of
//! its own here and the record gets an enum of its own with `V2`; `V1` stays readable for good (`golden/v1.txt`).

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::Waiting;
use crate::domain::job::Job;
use crate::domain::publication::Publication;
use crate::domain::receipt::{Bundle, Missing, Receipt};
use crate::domain::subscription::Subscription;
use crate::domain::topic::{Hosted, Topic};

/// Why bytes are not the record that should be there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum RecordError {
    /// Nothing there.
    #[error("is empty")]
    Empty,
    /// Written by something newer.
    #[error("has version tag {0}; this binary knows tag 0")]
    Version(u8),
    /// Not what the version says.
    #[error("is malformed: {0}")]
    Malformed(postcard::Error),
    /// More than the record.
    #[error("has {0} bytes too many")]
    Trailing(usize),
}

#[derive(Serialize, Deserialize)]
enum Versioned<T> {
    V1(T),
}

/// What can be the value of a row.
pub(super) trait Record: Serialize + DeserializeOwned {
    /// The bytes to store.
    fn encode(&self) -> Vec<u8> {
        postcard::to_stdvec(&Versioned::V1(self))
            .expect("derived Serialize into a Vec: every length is known and there is no I/O")
    }

    /// Reads what this or an older version stored.
    fn decode(bytes: &[u8]) -> Result<Self, RecordError> {
        match bytes.first() {
            None => return Err(RecordError::Empty),
            Some(0) => {}
            Some(tag) => return Err(RecordError::Version(*tag)),
        }
        let (Versioned::V1(record), rest) =
            postcard::take_from_bytes(bytes).map_err(RecordError::Malformed)?;
        match rest.len() {
            0 => Ok(record),
            length => Err(RecordError::Trailing(length)),
        }
    }
}

impl Record for Bundle {}
impl Record for Hosted {}
impl Record for Job {}
impl Record for Missing {}
impl Record for Publication {}
impl Record for Receipt {}
impl Record for Subscription {}
impl Record for Topic {}
impl Record for Waiting {}
impl Record for u64 {}

#[cfg(test)]
mod tests;
