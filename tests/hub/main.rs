//! The black-box tests of the hub: the real binary, real connections, and every line of the checklist that is kept.
//! `docs/conformance.md` says which test shows which line; `conformance_table` keeps that page honest.
//!
//! A test's name begins with the ids that it shows: `hub_15_...` for HUB-15, `q_11_...` for Q-11, several in a row for
//! several. Nothing here waits for a fixed time. That something does not arrive is shown by a receipt that says that
//! nothing is left to be done, or by something later that does arrive.
#![allow(
    clippy::disallowed_methods,
    reason = "the bans are for the hub's own code: tests spawn, read the clock and the environment as they need"
)]

#[path = "../foreign/mod.rs"]
mod installed;
mod support;
mod support_crash;

mod administration;
mod aliases;
mod api;
mod backlog;
mod concurrency;
mod conformance_table;
mod denial;
mod discovery;
mod disk;
mod distribution;
mod fetch;
mod first_start;
mod foreign;
mod guard;
mod guessing;
mod health;
mod hosts;
mod https;
mod inspector;
mod inspector_live;
mod isolation;
mod late;
mod lease;
mod limits;
mod nothing_is_lost;
mod overriding;
mod policy;
mod progrium;
mod publish;
mod push035;
mod quirks;
mod request;
mod retry;
mod retry_backlog;
mod rocks;
mod self_service;
mod self_service_replay;
mod signature;
mod stragglers;
mod sync;
mod topics_hosted;
mod traces;
mod verification;
mod watching;
mod wire;
