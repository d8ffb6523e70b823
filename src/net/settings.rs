//! The settings of `[network]`: which addresses beyond the public ones may be reached, and which roots are trusted.

use std::path::PathBuf;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::domain::notation;

/// `[network]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NetworkSettings {
    /// Networks that callbacks may resolve to, beyond public addresses.
    #[serde(with = "notation::networks")]
    pub callbacks_allow: Vec<IpNet>,
    /// Networks that topics may resolve to, beyond public addresses.
    #[serde(with = "notation::networks")]
    pub topics_allow: Vec<IpNet>,
    /// A PEM file of root certificates that are trusted as well as the built-in ones.
    #[serde(with = "notation::blank")]
    pub ca_file: Option<PathBuf>,
}
