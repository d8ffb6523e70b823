//! The nouns of the hub, pure: no async, no I/O, no clock, no randomness, no logging; `now` and `jitter` are parameters.

pub mod attempt;
pub mod delivery;
pub mod discovery;
pub mod event;
pub mod hook;
pub mod host_pattern;
pub mod job;
pub mod json;
pub mod link;
pub mod notation;
pub mod proof;
pub mod publication;
pub mod receipt;
pub mod replay;
pub mod retry;
pub mod signature;
pub mod source;
pub mod subscription;
pub mod token;
pub mod topic;
pub mod trace;
pub mod value;
