//! store
pub mod settings;
