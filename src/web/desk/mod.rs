//! The admin page: its files, and the sessions of those who are signed in there. In: a token, once. Out: a cookie that stands for it.
//!
//! The page is a client of the public API and has no other way to the hub: what it shows and does goes over `/api/v1`, where a
//! session's cookie opens what its token would.

pub mod assets;
pub mod session;
pub mod sign_in;
