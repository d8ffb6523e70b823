//! What the documentation says is so.
//!
//! - [`links`]: every relative link of README and `docs` leads to a file, and to a heading of it, that is there; the index has every page.
//! - [`names`]: the verbs, flags and settings that the pages name are there.
//! - [`receivers`]: the programs of `docs/receiving.md`, as written there, receive what the real hub sends. `tests/run` installs what
//!   they are written in; without it these tests fail and say so.
//!
//! (The tour of README and the pages of the dialects are typed into shells by `tests/tour`.)
#![allow(
    clippy::disallowed_methods,
    reason = "the bans are for the hub's own code: tests spawn, read the clock and the environment as they need"
)]

#[allow(
    dead_code,
    reason = "the harness of tests/hub, of which not everything is needed here"
)]
#[allow(unused_imports, reason = "as above")]
#[path = "../hub/support/mod.rs"]
mod support;

mod links;
mod markdown;
mod names;
mod pages;
mod program;
mod receivers;
