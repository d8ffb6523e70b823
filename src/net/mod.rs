//! Bytes to and from strangers: what may be reached (guard, resolve), how (dial, tls), and the clients that reach it.

pub mod client;
pub mod dial;
pub mod guard;
pub mod irc;
pub mod resolve;
pub mod retry_after;
pub mod sender;
pub mod settings;
#[cfg(test)]
mod testing;
pub mod tls;
pub mod ways;
