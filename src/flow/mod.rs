//! flow
pub mod settings;
