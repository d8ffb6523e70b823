//! web
pub mod settings;
