//! The settings of `[store]`: which engine keeps the data, how much memory it may use; and what a store in a folder is opened with.

use serde::{Deserialize, Serialize};

use super::BacklogLimits;
use crate::domain::notation;

/// `[store]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StoreSettings {
    /// What keeps the data.
    #[serde(deserialize_with = "notation::choice")]
    pub engine: Engine,
    /// Memory for the engine's page cache, in bytes.
    #[serde(with = "notation::size")]
    pub cache: usize,
}

/// How a store in a folder works.
#[derive(Clone, Copy, Debug)]
pub struct StoreOptions {
    /// How much of the data is kept in memory, in bytes; the process needs about twice as much.
    pub cache_bytes: u64,
    /// How much may wait for one target.
    pub backlog: BacklogLimits,
}

/// The stores that there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Engine {
    /// An embedded database in the data folder: one process, one machine.
    Sled,
}

impl Default for StoreSettings {
    fn default() -> Self {
        Self {
            engine: Engine::Sled,
            cache: 256 << 20,
        }
    }
}
