//! The black-box tests of the admin page: what a browser sees, and what the hub tells it, on the real binary.
//!
//! - [`browser`] walks the views in Debian's Chromium (Playwright, axe-core; `tests/run` installs them): light and dark, wide and on a phone.
//!   Pictures go to `target/screenshots`.
//! - [`session`]: signing in, what a session may, and what another site may not do with it; [`files`]: how the page itself is served.
//! - [`live`]: snapshots as they come; [`byhand`]: what an operator does and looks at; [`scene`]: a hub with something to see.
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

mod browser;
mod byhand;
mod files;
mod live;
mod scene;
mod session;
