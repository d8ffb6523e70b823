//! The API's own description, `/api/openapi.json`: that it names every route of `src/web` and no other ([`routes`]), and that
//! schemathesis, which reads it and makes up requests, finds the real hub to be as it says ([`strangers`]).
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

mod routes;
mod strangers;
