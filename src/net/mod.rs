//! Bytes to and from strangers: what may be reached (guard), and the clients that reach it.

pub mod client;
pub mod guard;
pub mod sender;
pub mod settings;
pub mod tls;
