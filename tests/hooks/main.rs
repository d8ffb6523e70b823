//! The black-box tests of the hooks: what is raised, and what arrives at a socket, judged by the libraries that real receivers use.
//!
//! - [`foreign`] asks them: npm `@octokit/webhooks-methods`, `x-hub-signature` and `standardwebhooks`, PyPI `gidgethub` and
//!   `standardwebhooks`, PHP's `hash_hmac`, and the schemas of npm `@octokit/openapi`. `tests/run` installs them (the pins are in
//!   `tests/foreign`); without them these tests fail and say so.
//! - [`deliveries`] makes requests of every dialect, and sends them with the hub's own sender to a receiver on loopback.
//! - [`signatures`]: each is accepted under its secret, and refused under another, with a byte changed, or without a signature.
//! - [`schemas`]: GitHub's descriptions of its hooks and deliveries, on its examples and on broken ones.
//! - [`desk`]: `/api/v1/hooks`; [`pleroma`]: Pleroma's admin API; [`repositories`]: SocialGateway's API, with the examples of the user's document as `curl` sends them; [`classic`]: requests to `/hub` that are none of its.
//! - [`permission`]: who may do what with hooks, whichever way they come; [`secrecy`]: what is shown to nobody.
//! - [`replays`]: what was raised, sent once more; [`telling`]: what else a hook is told on request; [`traced`]: its traces.
//! - [`events`], [`sources`], [`inbox`]: what a program raises or another system sends, and who may; [`raising`] is how they say it.
//! - [`conduct`]: how hooks behave; [`scenarios`]: what a leading sender fails at; [`round_trip`]: each dialect at a socket, and at the inbox of another hub;
//!   [`waiting`]: what waits for them, and for how long; [`hooking`] makes hooks and reads their log.
//! - [`golden`]: the requests that the users' documents show, at a socket; [`services`]: what chats and an IRC channel hear.
//! - [`asking`]: tests, previews, `*` and lists of deliveries; [`keeping`]: how long keys and deliveries are kept.
//!
//! Whoever has a delivery in hand, as headers and body, hands both to [`foreign::scrutinize`].
#![allow(
    clippy::disallowed_methods,
    reason = "the bans are for the hub's own code: tests spawn, read the clock and the environment as they need"
)]

#[path = "../foreign/mod.rs"]
mod installed;
#[allow(
    dead_code,
    reason = "the harness of tests/hub, of which not everything is needed here"
)]
#[allow(unused_imports, reason = "as above")]
#[path = "../hub/support/mod.rs"]
mod support;

#[allow(
    dead_code,
    reason = "the server of tests/irc, of which not everything is needed here"
)]
#[path = "../irc/server.rs"]
mod ngircd;

mod asking;
mod classic;
mod conduct;
mod declared;
mod deliveries;
mod desk;
mod events;
mod foreign;
mod golden;
mod hooking;
mod inbox;
mod keeping;
mod permission;
mod pleroma;
mod raising;
mod replays;
mod repositories;
mod round_trip;
mod scenarios;
mod schemas;
mod secrecy;
mod services;
mod signatures;
mod sources;
mod telling;
mod traced;
mod waiting;
