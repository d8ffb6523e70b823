//! web
pub mod form;
pub mod settings;
