//! Fanfare: one binary that tells many listeners at once. A WebSub / PubSubHubbub hub and a webhook sender.
//!
//! The flow, in one direction:
//!
//! ```text
//! request -> subscribe -> verify -> (store) <- publish <- ping | pushed body | hosted topic
//!                                     |
//!                                     v
//!                     fetch -> publication -> fan-out -> render -> sign -> deliver -> settle
//!                                                                            ^           |
//!                                                                            +-- backlog <+
//! ```
//!
//! The modules stand in layer order: each imports only what stands above it in this list
//! (`tests/layers.rs` proves it).
#![cfg_attr(
    test,
    allow(
        clippy::disallowed_methods,
        reason = "tests have no tracker and no clock of their own"
    )
)]

pub mod domain;

pub mod dialect;

pub mod net;
pub mod store;

pub mod flow;

pub mod web;

pub mod config;

pub mod app;
pub mod telemetry;

pub mod cli;
